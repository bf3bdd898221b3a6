// Goal: every way an order can go in this release. Method: given a walk to a place, when something is said, then the
// states, effects and messages are these. Nothing runs and no time passes; the outcomes are the test's.

import { test } from 'tap';
import type { Walk } from '../walk.ts';
import { publicStatus } from './public-status.ts';
import {
  allButIdentity,
  application,
  approved,
  by,
  cancel,
  commands,
  completed,
  drafted,
  handedOver,
  jobId,
  lastNotice,
  open,
  outForDelivery,
  printed,
  proofs,
  publish,
  screened,
  secondJob,
  submitted,
  withCard,
} from './walks.ts';

// --- Then ---

test('CO2: the happy path goes through every stage once, and completes', (t) => {
  const w = drafted();
  t.same(w.states, ['card.none', 'fulfilment.draft', 'hold.clear', 'sla.untimed']);

  t.ok(w.send({ type: 'SUBMIT', by }), 'O-02');
  t.ok(w.in('fulfilment.reserving.asking'));
  t.match(w.said('askApplicant'), [{ ask: 'RESERVE', key: 'debit_classic' }]);
  t.same(open(w), [], 'no check starts before the key is granted');

  t.ok(w.send({ type: 'KEY_GRANTED' }));
  t.same(
    open(w),
    ['address.validate', 'aml.screen', 'eligibility.check', 'kyc.start'],
    'four checks at once; credit is not needed',
  );
  t.ok(w.in('fulfilment.screening.credit.notRequired'));

  const after = allButIdentity();
  t.ok(after.in('fulfilment.screening.identity.pending'));
  after.send({ type: 'KYC_APPROVED' });
  t.ok(after.in('fulfilment.approved.creatingCard'), 'O-04');
  t.same(open(after), ['card.create']);

  const card = withCard();
  t.ok(card.in('card.inactive'), 'O-12');
  t.same(card.timers, ['editWindow']);
  t.match(card.said('askStock'), [{ designId: 'classic', ask: 'RESERVE' }]);
  card.fire('editWindow');
  t.same(card.said('joinBatch'), [], 'not without a plastic');
  card.send({ type: 'PLASTIC_RESERVED', designId: 'classic' });
  t.match(card.said('joinBatch'), [{ orderId: application.orderId }]);
  card.send({ type: 'BATCH_CLOSED', batchId: 'bat_main_1' });
  t.match(card.effects, [{ id: 'bureau.submit', input: { jobId, batchId: 'bat_main_1', cardId: 'crd_1' } }], 'O-16');

  const envelope = printed();
  t.ok(envelope.in('fulfilment.delivery.requesting'), 'O-22, O-25');
  t.match(envelope.said('commandDelivery'), [
    { seq: 1, command: { type: 'delivery.create', input: { envelopeId: 'ENV-1', method: 'courier' } } },
  ]);

  const done = completed();
  t.same(done.states, ['card.active', 'fulfilment.completed', 'hold.clear', 'sla.untimed']);
  t.equal(done.snapshot.status, 'active', 'CO7: it stays to be spoken to');
  t.match(done.said('askApplicant').at(-1), { ask: 'RELEASE_KEY' }, 'CO5');
  t.same(Object.keys(done.context.times).sort(), [
    'activated',
    'approved',
    'closed',
    'created',
    'delivered',
    'produced',
    'shipped',
    'submitted',
  ]);
  t.ok(JSON.stringify(done.context).length <= 1536, 'the context stays small');
  t.end();
});

test('O-01, O-03: a draft waits, is thrown away, or expires', (t) => {
  const w = drafted();
  t.ok(w.send({ type: 'SAVE', by }));
  t.ok(w.in('fulfilment.draft'));
  const expired = w.fork();
  expired.fire('draftExpires');
  t.ok(expired.in('fulfilment.expired'));
  w.send({ type: 'DISCARD', by });
  t.same(w.states, ['card.unissued', 'fulfilment.cancelled', 'hold.ended', 'sla.ended']);
  t.equal(w.snapshot.status, 'done', 'CO6: every region has ended');
  t.match(w.said('askApplicant'), [{ ask: 'nothing' }], 'CO5: no key was held');

  t.notOk(drafted({ phoneVerified: false }).send({ type: 'SUBMIT', by }), 'the phone is not verified');
  t.notOk(drafted({ consents: ['personal_data'] }).send({ type: 'SUBMIT', by }), 'no contract');
  t.end();
});

test('O-02, CO5: a second order of the same product is a duplicate; a replacement asks for its card', (t) => {
  const w = drafted();
  w.send({ type: 'SUBMIT', by });
  w.send({ type: 'KEY_REFUSED', existing: 'ord_first' });
  t.ok(w.in('fulfilment.rejected'));
  t.match(w.context, { reason: 'duplicate', existing: 'ord_first' });
  t.match(w.said('askApplicant'), [{ ask: 'RESERVE' }, { ask: 'nothing' }], 'what was never held is not given back');

  const replacement = screened({ replacementFor: 'crd_old', replaces: 'ord_old' });
  t.ok(replacement.in('fulfilment.screening.identity.notRequired'), 'he was identified for the first one');
  t.match(replacement.said('askApplicant'), [{ ask: 'RESERVE', key: 'replacement.crd_old' }]);
  const additional = screened({ additionalFor: 'crd_old' });
  t.ok(additional.in('fulfilment.screening'));
  t.same(additional.said('askApplicant'), []);
  t.end();
});

test('O-05: one failed check rejects at once, whatever the others do', (t) => {
  const cases: readonly (readonly [string, (w: Walk) => void, string])[] = [
    ['identity rejected', (w) => w.send({ type: 'KYC_REJECTED', reason: 'forged' }), 'identity_rejected'],
    ['identity expired', (w) => w.send({ type: 'KYC_EXPIRED' }), 'identity_expired'],
    ['AML confirmed', (w) => w.done('aml.screen', { result: 'confirmed_match' }), 'not_eligible'],
    ['not eligible', (w) => w.done('eligibility.check', { eligible: false, risk: 'low' }), 'not_eligible'],
  ];
  for (const [name, when, reason] of cases) {
    const w = screened();
    when(w);
    t.ok(w.in('fulfilment.rejected'), name);
    t.equal(w.context.reason, reason);
    t.same(open(w), [], 'nobody waits for the other checks');
    t.equal(w.snapshot.status, 'done');
    t.match(w.said('askApplicant').at(-1), { ask: 'RELEASE_KEY' });
  }
  const declined = screened({ cardType: 'credit' });
  declined.done('credit.decide', { decision: 'declined' });
  t.ok(declined.in('fulfilment.rejected'), 'credit declined');
  t.end();
});

test('O-05, O-08: a counter-offer is accepted, declined, or runs out', (t) => {
  const w = allButIdentity({ cardType: 'credit' });
  w.done('credit.decide', { decision: 'counter_offered', limitMinor: '50000' });
  w.send({ type: 'KYC_APPROVED' });
  t.equal(publicStatus(w.snapshot.value), 'action_required');

  const declined = w.fork();
  declined.send({ type: 'OFFER_DECLINED', by });
  t.ok(declined.in('fulfilment.rejected'));
  const silent = w.fork();
  silent.fire('customerSilent');
  t.ok(silent.in('fulfilment.expired'));
  w.send({ type: 'OFFER_ACCEPTED', by });
  t.ok(w.in('fulfilment.approved.creatingCard'));
  t.end();
});

test('O-07: documents may be sent anew, three times in all', (t) => {
  const w = allButIdentity();
  t.ok(w.send({ type: 'KYC_RESUBMIT', attempt: 1, reason: 'blurred' }));
  t.ok(w.in('fulfilment.screening.identity.resubmissionRequested'));
  t.equal(publicStatus(w.snapshot.value), 'action_required');
  t.same(
    w.timers.filter((name) => name !== 'slaAtRisk'),
    ['customerSilent', 'firstReminder', 'secondReminder'],
  );

  w.fire('firstReminder');
  t.equal(lastNotice(w), 'documents_wanted_first_reminder');
  t.ok(w.in('fulfilment.screening.identity.resubmissionRequested'), 'a reminder changes nothing');
  const silent = w.fork();
  silent.fire('customerSilent');
  t.ok(silent.in('fulfilment.expired'), 'O-08');

  w.send({ type: 'KYC_RESUBMITTED', by, personRef: 'ppl_second' });
  t.match(
    w.effects.filter(({ id }) => id === 'kyc.start'),
    [{ input: { attempt: 2, personRef: 'ppl_second' } }],
  );
  t.notOk(w.send({ type: 'KYC_REJECTED', attempt: 1, reason: 'late' }), 'a verdict on the first documents is refused');
  w.send({ type: 'KYC_RESUBMIT', attempt: 2, reason: 'blurred' });
  w.send({ type: 'KYC_RESUBMITTED', by });
  w.send({ type: 'KYC_RESUBMIT', attempt: 3, reason: 'blurred' });
  t.ok(w.in('fulfilment.rejected'), 'the third time it is a rejection');
  t.end();
});

test('O-04: an address that cannot be served is corrected, overridden, or forgiven when nobody can tell', (t) => {
  const start = (): Walk => {
    const w = screened();
    w.done('aml.screen', { result: 'clear' });
    w.done('eligibility.check', { eligible: true, risk: 'low' });
    w.send({ type: 'KYC_APPROVED' });
    return w;
  };
  const wrong = start();
  wrong.done('address.validate', { result: 'likely_undeliverable', inZone: true });
  t.ok(wrong.in('fulfilment.screening.address.needsCorrection'));
  const overridden = wrong.fork();
  overridden.send({ type: 'ADDRESS_OVERRIDDEN', by: 'usr_op' });
  t.ok(overridden.in('fulfilment.approved'));
  wrong.send({ type: 'ADDRESS_CORRECTED', by, addressRef: 'ppl_other', country: 'AT' });
  t.match(wrong.effects, [{ input: { addressRef: 'ppl_other', country: 'AT' } }], 'validated again');
  t.equal(wrong.context.reason, null);

  const far = start();
  far.done('address.validate', { result: 'likely_deliverable', inZone: false });
  t.ok(far.in('fulfilment.screening.address.outOfZone'));
  const unknown = start();
  unknown.fail('address.validate');
  t.ok(unknown.in('fulfilment.approved'), 'the courier finds out');
  t.end();
});

test('O-06, O-09, O-10: a person decides where the checks cannot', (t) => {
  const mismatch = allButIdentity();
  mismatch.send({ type: 'KYC_APPROVED', nameMatch: false });
  t.ok(mismatch.in('fulfilment.manualReview.firstOpinion'));
  t.equal(mismatch.context.stage.name, 'review');
  const rejected = mismatch.fork();
  rejected.send({ type: 'REVIEW_REJECTED', by: 'usr_rev1' });
  t.ok(rejected.in('fulfilment.rejected'), 'one person is enough at low risk');
  mismatch.send({ type: 'REVIEW_APPROVED', by: 'usr_rev1' });
  t.ok(mismatch.in('fulfilment.approved.creatingCard'));

  const exhausted = screened();
  exhausted.fail('kyc.start');
  t.ok(exhausted.in('fulfilment.screening.identity.referred'), 'the others are waited for');
  exhausted.done('aml.screen', { result: 'clear' });
  exhausted.done('eligibility.check', { eligible: true, risk: 'low' });
  exhausted.done('address.validate', { result: 'likely_deliverable', inZone: true });
  t.ok(exhausted.in('fulfilment.manualReview'));

  const called = screened();
  called.send({ type: 'REVIEW_REQUIRED', by: 'usr_op', reason: 'tip' });
  t.ok(called.in('fulfilment.manualReview'), 'an operator may call for it at any time');
  called.fire('slaAtRisk');
  called.fire('slaSpent');
  t.ok(called.in('sla.breached'), 'O-11');
  t.match(called.said('openTask').at(-1), { task: 'sla_breached' });
  t.end();
});

test('O-09, O-10: high risk and AML hits need two different people who agree', (t) => {
  const w = allButIdentity();
  w.send({ type: 'KYC_APPROVED', risk: 'high' });
  w.send({ type: 'REVIEW_APPROVED', by: 'usr_rev1' });
  t.ok(w.in('fulfilment.manualReview.secondOpinion'));
  t.notOk(w.send({ type: 'REVIEW_APPROVED', by: 'usr_rev1' }), 'the same person again is refused');

  const disagreed = w.fork();
  disagreed.send({ type: 'REVIEW_REJECTED', by: 'usr_rev2' });
  t.ok(disagreed.in('fulfilment.manualReview.firstOpinion'), 'they start again');
  t.equal(disagreed.context.firstOpinion, null);
  disagreed.send({ type: 'REVIEW_REJECTED', by: 'usr_rev3' });
  disagreed.send({ type: 'REVIEW_REJECTED', by: 'usr_rev2' });
  t.ok(disagreed.in('fulfilment.rejected'), 'O-10');

  w.send({ type: 'REVIEW_APPROVED', by: 'usr_rev2' });
  t.ok(w.in('fulfilment.approved'), 'O-09');

  const hit = screened();
  hit.done('aml.screen', { result: 'potential_match' });
  const cleared = hit.fork();
  cleared.send({ type: 'AML_CLEARED', by: 'usr_rev1' });
  t.ok(cleared.in('fulfilment.screening.aml.clear'));
  hit.fire('hitUnresolved');
  hit.done('eligibility.check', { eligible: true, risk: 'low' });
  hit.done('address.validate', { result: 'likely_deliverable', inZone: true });
  hit.send({ type: 'KYC_APPROVED' });
  hit.send({ type: 'REVIEW_APPROVED', by: 'usr_rev1' });
  t.ok(hit.in('fulfilment.manualReview.secondOpinion'), 'a hit needs four eyes too');
  t.end();
});

test('CO2: nothing goes on unscreened: without an AML answer the order is held', (t) => {
  const w = screened();
  w.fail('aml.screen');
  t.ok(w.in('hold.held.aml'));
  t.equal(publicStatus(w.snapshot.value), 'in_review', 'nobody is warned');
  w.send({ type: 'RELEASE', by: 'usr_op' });
  t.ok(w.in('hold.clear'));
  t.ok(open(w).includes('aml.screen'), 'it is asked again');
  t.end();
});

test('CO2, O-51: a hold stops each new side effect, and its release lets it go on', (t) => {
  const hold = { type: 'HOLD', by: 'usr_op', kind: 'operator' };
  const release = { type: 'RELEASE', by: 'usr_op' };

  const screening = allButIdentity();
  screening.send(hold);
  screening.send({ type: 'KYC_APPROVED' });
  t.same(open(screening), [], 'no card while held');
  t.equal(publicStatus(screening.snapshot.value), 'on_hold');
  screening.send(release);
  t.same(open(screening), ['card.create']);

  const waiting = withCard();
  waiting.send({ type: 'PLASTIC_RESERVED', designId: 'classic' });
  waiting.fire('editWindow');
  waiting.send(hold);
  waiting.send({ type: 'BATCH_CLOSED', batchId: 'bat_main_1' });
  t.ok(waiting.in('fulfilment.approved.awaitingBatch.batch.apart'), 'the batch went without it');
  waiting.send(release);
  t.equal(waiting.said('joinBatch').length, 2, 'it joins the next one');

  const production = submitted();
  production.send(hold);
  production.send({ type: 'PRINTED', jobId, envelopeId: 'ENV-1' });
  t.ok(production.in('fulfilment.production.printed'));
  t.same(commands(production), []);
  production.send(release);
  t.same(commands(production), ['delivery.create']);

  const active = handedOver();
  active.send(hold);
  t.notOk(active.send({ type: 'ACTIVATE', by, proof: 'app' }));
  t.notOk(active.send({ type: 'HOLD', by, kind: 'customer' }), 'a hold of ours does not give way to the customer');
  active.send({ ...hold, kind: 'legal' });
  t.ok(active.in('hold.held.legal'), 'but to the law');
  t.end();
});

test('O-51: only a customer’s or a legal hold stops the clock of a stage', (t) => {
  const w = screened();
  w.send({ type: 'HOLD', by, kind: 'customer' });
  t.ok(w.in('sla.paused'));
  t.notOk(w.timers.includes('slaAtRisk'));
  w.send({ type: 'RELEASE', by });
  t.ok(w.in('sla.onTrack'));
  t.ok(w.context.stage.spentMs >= 1000, 'what was used up stays used up');

  const fraud = screened();
  fraud.send({ type: 'HOLD', by: 'usr_op', kind: 'fraud' });
  t.ok(fraud.in('sla.onTrack'));
  t.end();
});

test('O-13: without a card record an operator has four hours; then all is undone and the order has failed', (t) => {
  const w = approved();
  w.fail('card.create');
  t.ok(w.in('fulfilment.approved.cardRefused'));
  t.match(w.said('openTask').at(-1), { task: 'card_record_refused' });
  const again = w.fork();
  again.send({ type: 'RETRY', by: 'usr_op' });
  t.same(open(again), ['card.create']);
  w.fire('cardRecordOverdue');
  t.same(w.states, ['card.unissued', 'fulfilment.failed', 'hold.ended', 'sla.ended']);
  t.end();
});

test('CO1, O-17 … O-23: the bureau’s callbacks come twice and in any order; a spoiled card is made again', (t) => {
  const early = submitted();
  t.ok(early.send({ type: 'PRINTED', jobId, envelopeId: 'ENV-1' }), 'before its own acknowledgement');
  t.ok(early.in('fulfilment.delivery.requesting'));
  t.notOk(early.send({ type: 'BUREAU_ACK', jobId }), 'a straggler is refused');

  const silent = submitted();
  silent.done('bureau.submit', {});
  silent.fire('bureauSilent');
  t.match(silent.effects, [{ input: { jobId, batchId: 'bat_main_1' } }], 'O-18: the same job again');

  const w = submitted();
  w.done('bureau.submit', {});
  w.send({ type: 'PRINT_STARTED', jobId });
  w.send({ type: 'PRINT_SPOILED', jobId, reason: 'chip' });
  t.match(w.effects, [{ input: { jobId: secondJob } }], 'O-23: another job');
  t.notOk(w.send({ type: 'PRINTED', jobId, envelopeId: 'ENV-0' }), 'the spoiled card’s envelope is refused');
  for (const job of [2, 3, 4])
    w.send({ type: 'PRINT_SPOILED', jobId: `job_3kTabcdefghijklmnopqrstuv_${job}`, reason: 'chip' });
  t.ok(w.in('fulfilment.production.requiresAttention'), 'after three respins somebody has to look');
  w.send({ type: 'RETRY', by: 'usr_op' });
  t.match(w.effects, [{ input: { jobId: 'job_3kTabcdefghijklmnopqrstuv_5' } }]);
  t.end();
});

test('CO1: a job that the bureau may have is never joined by a second one', (t) => {
  const w = submitted();
  w.fail('bureau.submit');
  t.ok(w.in('fulfilment.production.requiresAttention'));
  t.notOk(w.send({ type: 'CORRECTED', by: 'usr_op' }), 'a new job would need the old one to be dead');
  const late = w.fork();
  late.send({ type: 'PRINTED', jobId, envelopeId: 'ENV-1' });
  t.ok(late.in('fulfilment.delivery'), 'it was printed all the same');
  w.send({ type: 'RETRY', by: 'usr_op' });
  t.match(w.effects, [{ input: { jobId } }], 'the same job');
  t.end();
});

test('O-19, O-20: what the bureau rejects is corrected and goes out with the next batch', (t) => {
  const w = submitted();
  w.send({ type: 'BUREAU_REJECTED', jobId, reason: 'name_too_long', fixable: true });
  t.ok(w.in('fulfilment.production.rejected'));
  t.equal(publicStatus(w.snapshot.value), 'in_production');
  w.send({ type: 'CORRECTED', by: 'usr_op', personRef: 'ppl_new' });
  t.ok(w.in('fulfilment.approved.awaitingBatch.batch.joined'));
  w.send({ type: 'BATCH_CLOSED', batchId: 'bat_main_2' });
  t.match(w.effects, [{ input: { jobId: secondJob, batchId: 'bat_main_2', personRef: 'ppl_new' } }]);

  const hopeless = submitted();
  hopeless.send({ type: 'BUREAU_REJECTED', jobId, reason: 'chip_profile', fixable: false });
  t.ok(hopeless.in('fulfilment.production.requiresAttention'));
  t.end();
});

test('O-24: production that takes longer than its budget is a breach', (t) => {
  const w = submitted();
  w.fire('slaAtRisk');
  t.ok(w.in('sla.atRisk'));
  w.fire('slaSpent');
  t.ok(w.in('sla.breached'));
  w.send({ type: 'PRINTED', jobId, envelopeId: 'ENV-1' });
  t.ok(w.in('sla.onTrack'), 'the next stage has its own clock');
  t.end();
});

test('O-26 … O-29: a silent delivery is asked again, and only news of the current one counts', (t) => {
  const w = printed();
  for (let time = 0; time < 7; time++) w.fire('deliverySilent');
  t.equal(commands(w).length, 8, 'O-28');
  t.equal(w.context.delivery.resends, 7);
  publish(w, 'DeliveryAccepted');
  t.ok(w.in('fulfilment.delivery.scheduling'));
  t.notOk(publish(w, 'DeliveryDispatched', { deliveryVersion: 1 }), 'heard already');
  t.notOk(publish(w, 'DeliveryDispatched', { seq: 2 }), 'of another delivery');
  publish(w, 'AppointmentConfirmed', { slotId: 'slt_1', from: 10, to: 20 });
  t.match(w.context.delivery.slot, { slotId: 'slt_1' });

  for (const [type, state] of [
    ['DeliveryDispatched', 'dispatched'],
    ['DeliveryInTransit', 'inTransit'],
    ['DeliveryReadyForPickup', 'readyForPickup'],
    ['DeliveryOutForDelivery', 'outForDelivery'],
    ['DeliverySuspectedLost', 'exception.lostSuspected'],
    ['DeliveryFound', 'inTransit'],
    ['DeliveryRescheduled', 'scheduling'],
  ] as const) {
    t.ok(publish(w, type), type);
    t.ok(w.in(`fulfilment.delivery.${state}`), state);
  }
  t.equal(w.context.delivery.slot, null, 'the appointment is gone with it');
  publish(w, 'DeliveryAttemptFailed', { reason: 'no_show', attempt: 1 });
  t.ok(w.in('fulfilment.delivery.attemptFailed'));
  t.ok(w.in('hold.clear'));
  publish(w, 'DeliveryAttemptFailed', { reason: 'id_mismatch', attempt: 2 });
  t.ok(w.in('hold.held.fraud'), 'another person at the door is a case for fraud');
  t.end();
});

test('O-27: a delivery that cannot be made waits for another method, or the order is cancelled', (t) => {
  const w = printed();
  publish(w, 'DeliveryRejected', { reason: 'method_unavailable', alternatives: ['courier'] });
  t.ok(w.in('fulfilment.delivery.exception.onHold'));
  t.equal(publicStatus(w.snapshot.value), 'action_required');
  const silent = w.fork();
  silent.fire('customerSilent');
  t.ok(silent.in('fulfilment.cancelling.recalling'));
  t.ok(silent.in('fulfilment.cancelling.recalling.delivery.notNeeded'));
  w.send({ type: 'CHANGE_METHOD', by, method: 'courier' });
  t.match(w.said('commandDelivery').at(-1), { seq: 2, command: { type: 'delivery.create' } });
  t.end();
});

test('O-31, O-47 … O-49: what comes back is sent once more, or destroyed by two people', (t) => {
  const w = outForDelivery();
  publish(w, 'DeliveryReturning', { reason: 'attempts_exhausted' });
  t.ok(w.in('fulfilment.returning'));
  publish(w, 'DeliveryReturned', { seal: 'intact' });
  t.ok(w.in('fulfilment.returned.deciding'));
  t.ok(w.in('card.inactive'));

  const again = w.fork();
  again.send({ type: 'REDELIVER', by, addressRef: 'ppl_elsewhere', country: 'AT' });
  t.same(commands(again), ['delivery.create', 'delivery.release', 'delivery.create']);
  t.match(
    again.said('commandDelivery').map(({ seq }) => seq),
    [1, 1, 2],
  );
  t.match(again.context.delivery, { seq: 2, version: 0, open: true, attempts: 0 });
  for (const seq of [2, 3]) {
    publish(again, 'DeliveryReturning', { reason: 'abandoned' });
    publish(again, 'DeliveryReturned', { seal: 'intact' });
    t.equal(again.send({ type: 'REDELIVER', by }), seq === 2, 'two redeliveries at most');
  }

  w.fire('decisionOverdue');
  t.ok(w.in('fulfilment.destroying'));
  t.notOk(w.send({ type: 'DESTROYED', by: 'usr_op', witness: 'usr_op' }), 'one person is not two');
  w.send({ type: 'DESTROYED', by: 'usr_op', witness: 'usr_op2' });
  t.same(commands(w).at(-1), 'delivery.destroy');
  t.ok(w.in('fulfilment.undeliverable'));
  t.match(w.effects, [{ id: 'card.close', input: { reason: 'undeliverable' } }]);
  w.done('card.close');
  t.equal(w.snapshot.status, 'done');
  t.end();
});

test('O-32 … O-34: lost and stolen close the card, damage brings the envelope back', (t) => {
  for (const [type, reason] of [
    ['DeliveryLost', 'lost'],
    ['DeliveryStolen', 'stolen'],
  ] as const) {
    const w = outForDelivery();
    publish(w, type);
    t.ok(w.in('fulfilment.lost'), type);
    t.match(w.effects, [{ id: 'card.close', input: { reason } }]);
    w.fail('card.close');
    t.same(w.timers, ['closeAgain'], 'it is never given up');
    w.fire('closeAgain');
    w.done('card.close');
    t.equal(w.snapshot.status, 'done');
  }
  const damaged = outForDelivery();
  publish(damaged, 'DeliveryDamaged');
  t.ok(damaged.in('fulfilment.returning'));
  t.equal(damaged.context.reason, 'damaged');
  t.end();
});

// --- Cancellation ---

test('CO4, O-41: before anything is made, a cancellation is over at once', (t) => {
  const places: readonly (readonly [string, () => Walk])[] = [
    [
      'reserving',
      () => {
        const w = drafted();
        w.send({ type: 'SUBMIT', by });
        return w;
      },
    ],
    ['screening', () => screened()],
    [
      'manualReview',
      () => {
        const w = screened();
        w.send({ type: 'REVIEW_REQUIRED', by: 'usr_op', reason: 'tip' });
        return w;
      },
    ],
    ['creatingCard', () => approved()],
  ];
  for (const [name, given] of places) {
    const w = given();
    t.ok(w.send(cancel), name);
    t.same(w.states, ['card.unissued', 'fulfilment.cancelled', 'hold.ended', 'sla.ended']);
    t.same(open(w), []);
    t.match(w.said('askApplicant').at(-1), { ask: 'RELEASE_KEY' });
    t.equal(w.context.reason, 'changed_mind');
  }
  t.end();
});

test('CO4, O-41: with a card, it is suspended first and closed last', (t) => {
  const w = withCard();
  w.send({ type: 'PLASTIC_RESERVED', designId: 'classic' });
  w.fire('editWindow');
  w.send(cancel);
  t.match(w.said('leaveBatch'), [{ orderId: application.orderId }]);
  t.ok(w.in('fulfilment.cancelling.recalling'));
  t.same(open(w), ['card.suspend']);
  w.done('card.suspend');
  t.ok(w.in('fulfilment.cancelling.settling'));
  t.match(w.effects, [{ id: 'card.close', input: { reason: 'cancelled' } }]);
  w.done('card.close');
  t.same(w.states, ['card.closed', 'fulfilment.cancelled', 'hold.ended', 'sla.ended']);
  t.end();
});

test('CO4, O-41, O-42: in production the job is called back too', (t) => {
  for (const [given, outcome] of [
    [submitted, 'withdrawn'],
    [submitted, 'intercepted'],
  ] as const) {
    const w = given();
    w.send(cancel);
    t.same(open(w), ['bureau.withdraw', 'card.suspend']);
    w.done('card.suspend');
    t.ok(w.in('fulfilment.cancelling.recalling'), 'one of them is not enough');
    w.done('bureau.withdraw', { outcome });
    w.done('card.close');
    t.ok(w.in('fulfilment.cancelled'));
  }
  const adrift = submitted();
  adrift.send(cancel);
  adrift.done('bureau.withdraw', { outcome: 'shipped' });
  t.match(adrift.said('openTask').at(-1), { task: 'envelope_adrift' });
  t.end();
});

test('CO4, O-42: in delivery it is over when the envelope is in nobody else’s hands', (t) => {
  const before = printed();
  before.send(cancel);
  t.same(commands(before), ['delivery.create', 'delivery.cancel']);
  before.done('card.suspend');
  before.done('bureau.withdraw', { outcome: 'intercepted' });
  publish(before, 'DeliveryAccepted');
  t.ok(before.in('fulfilment.cancelling.recalling'), 'an answer that crossed the command changes nothing');
  publish(before, 'DeliveryCancelled', { fee: 'none' });
  before.done('card.close');
  t.ok(before.in('fulfilment.cancelled'));

  const out = outForDelivery();
  out.send(cancel);
  out.done('card.suspend');
  out.done('bureau.withdraw', { outcome: 'shipped' });
  publish(out, 'DeliveryReturning', { reason: 'recalled' });
  t.ok(out.in('fulfilment.cancelling.recalling.delivery.asking'));
  publish(out, 'DeliveryReturned', { seal: 'intact' });
  out.done('card.close');
  t.ok(out.in('fulfilment.cancelled'));
  t.equal(publicStatus(out.snapshot.value), 'cancelled');
  t.end();
});

test('CO3, O-44: a handover that was first wins against the cancellation, and the card is given back', (t) => {
  const w = outForDelivery();
  w.send(cancel);
  w.done('card.suspend');
  publish(w, 'DeliveryHandedOver', { proofs });
  t.ok(w.in('fulfilment.handedOver.awaitingActivation'));
  t.ok(w.said('notify').some(({ template }) => template === 'cancellation_refused'));
  t.same(open(w), ['card.resume']);
  t.notOk(w.send({ type: 'ACTIVATE', by, proof: 'app' }), 'not before the card is back');
  w.done('card.resume');
  t.ok(w.send({ type: 'ACTIVATE', by, proof: 'app' }));
  w.done('card.activate');
  t.ok(w.in('fulfilment.completed'));
  t.notOk(w.send(cancel), 'and there is nothing left to cancel');

  const midway = outForDelivery();
  midway.send(cancel);
  publish(midway, 'DeliveryHandedOver', { proofs });
  t.same(open(midway), ['card.suspend'], 'a suspension on its way is not overtaken');
  midway.done('card.suspend');
  t.same(open(midway), ['card.resume'], 'it is taken back when it is done');

  const other = outForDelivery();
  publish(other, 'DeliveryHandedOver', { proofs });
  t.notOk(other.send(cancel), 'the other way round the cancellation is refused');
  t.end();
});

test('O-43: a cancellation that sticks is tried again, or forced by two people', (t) => {
  const w = outForDelivery();
  w.send(cancel);
  w.done('card.suspend');
  w.fail('bureau.withdraw');
  t.ok(w.in('fulfilment.cancelling.stuck'));
  const again = w.fork();
  again.send({ type: 'RETRY', by: 'usr_op' });
  t.ok(again.in('fulfilment.cancelling.recalling'));
  t.same(open(again), ['bureau.withdraw'], 'only what is missing');
  t.same(commands(again).slice(-2), ['delivery.cancel', 'delivery.cancel'], 'and the delivery is asked once more');

  w.send({ type: 'FORCE', by: 'usr_op' });
  t.ok(w.send({ type: 'FORCE', by: 'usr_op' }));
  t.ok(w.in('fulfilment.cancelling.stuck'), 'one person is not two');
  const raced = w.fork();
  publish(raced, 'DeliveryHandedOver', { proofs });
  t.ok(raced.in('fulfilment.handedOver'), 'O-44 from here too');
  w.send({ type: 'FORCE', by: 'usr_op2' });
  w.done('card.close');
  t.ok(w.in('fulfilment.cancelled'));

  const refused = withCard();
  refused.send(cancel);
  refused.fail('card.suspend');
  t.ok(refused.in('fulfilment.cancelling.stuck'));
  const overdue = outForDelivery();
  overdue.send(cancel);
  overdue.fire('recallOverdue');
  t.ok(overdue.in('fulfilment.cancelling.stuck'));
  t.end();
});

test('O-45, O-50: a report closes the card at once; an order given up is undone and has failed', (t) => {
  const w = outForDelivery();
  w.send({ type: 'REPORT', by, kind: 'compromised' });
  t.ok(w.in('fulfilment.cancelling.recalling'));
  t.ok(w.in('card.closing'));
  t.ok(w.in('fulfilment.cancelling.recalling.card.suspended'), 'a closing card needs no suspension');
  t.notOk(outForDelivery().send({ type: 'REPORT', by, kind: 'not_received' }), 'it is not late yet');

  const given = submitted();
  given.send({ type: 'FATAL', by: 'usr_op', reason: 'bureau_bankrupt' });
  given.done('card.suspend');
  given.done('bureau.withdraw', { outcome: 'withdrawn' });
  given.done('card.close');
  t.ok(given.in('fulfilment.failed'));
  t.equal(publicStatus(given.snapshot.value), 'failed');

  const after = handedOver();
  after.send({ type: 'REPORT', by, kind: 'stolen' });
  t.ok(after.in('fulfilment.lost'));
  t.match(after.effects, [{ input: { reason: 'stolen' } }]);
  t.end();
});

// --- Activation and after ---

test('O-36 … O-38: the right proof activates; wrong ones are counted, five lock', (t) => {
  const w = handedOver();
  for (let tries = 1; tries <= 5; tries++) {
    t.ok(w.send({ type: 'ACTIVATE', by, proof: 'last4', last4: '0000' }));
    t.equal(w.context.wrongTries, tries);
  }
  t.notOk(w.send({ type: 'ACTIVATE', by, proof: 'last4', last4: '4242' }), 'locked, also for the right one');
  w.send({ type: 'ACTIVATION_UNLOCKED', by: 'usr_op' });
  w.send({ type: 'ACTIVATE', by, proof: 'last4', last4: '4242' });
  w.fail('card.activate');
  t.ok(w.in('fulfilment.handedOver.awaitingActivation'), 'O-38');
  w.send({ type: 'ACTIVATE', by, proof: 'app' });
  t.match(w.effects, [{ input: { n: 2 } }], 'another act for the issuer');
  w.done('card.activate');
  t.ok(w.in('card.active'), 'O-37');
  t.end();
});

test('O-39, O-40: the customer is reminded three times, and after 180 days the card is closed', (t) => {
  const w = handedOver();
  for (const [delay, n] of [
    ['activationReminder1', 1],
    ['activationReminder2', 2],
    ['activationReminder3', 3],
  ] as const) {
    w.fire(delay);
    t.match(w.said('notify').at(-1), { template: 'activation_reminder', n });
  }
  const calm = w.said('notify').length;
  w.fire('activationConsent');
  t.equal(w.said('notify').length, calm, 'no consent is asked for here');
  const busy = w.fork();
  busy.send({ type: 'ACTIVATE', by, proof: 'app' });
  busy.fail('card.activate');
  t.same(busy.timers, ['activationExpires'], 'a failed activation does not start the clocks anew');

  w.fire('activationExpires');
  t.ok(w.in('fulfilment.expired'));
  t.match(w.effects, [{ id: 'card.close', input: { reason: 'expired' } }]);
  w.done('card.close');
  t.equal(w.snapshot.status, 'done');
  t.end();
});

test('CO7: a completed order ends with its card', (t) => {
  const reported = completed();
  t.notOk(reported.send(cancel));
  reported.send({ type: 'REPORT', by, kind: 'lost' });
  reported.done('card.close');
  t.same(reported.states, ['card.closed', 'fulfilment.completed', 'hold.ended', 'sla.ended']);
  t.equal(reported.snapshot.status, 'done');

  const aged = completed();
  aged.fire('cardExpires');
  t.equal(aged.snapshot.status, 'done');
  t.equal(aged.context.cardClosedFor, 'expired');
  t.end();
});
