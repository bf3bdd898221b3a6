// Goal: what people change on the way: edits, addresses, reports, replacements, erasure. Method: given a walk to a place, when
// something is said, then the states, effects and messages are these.

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
  open,
  outForDelivery,
  printed,
  publish,
  screened,
  submitted,
  withCard,
} from './walks.ts';

const DAY = 86_400_000;
const stocked = (more = {}): Walk => {
  const w = withCard(more);
  w.send({ type: 'PLASTIC_RESERVED', designId: 'classic' });
  return w;
};
const joined = (): Walk => {
  const w = stocked();
  w.fire('editWindow');
  return w;
};
const asked = (w: Walk): unknown[] => w.said('askStock').map(({ ask, designId }) => `${ask} ${designId}`);

test('O-14: until the batch closes the customer changes name, design, address and method', (t) => {
  const w = joined();
  t.ok(w.in('fulfilment.approved.awaitingBatch.batch.joined'));
  t.ok(w.send({ type: 'EDIT', by, personRef: 'ppl_corrected' }));
  t.equal(w.context.personRef, 'ppl_corrected');
  t.same([w.said('leaveBatch').length, w.said('joinBatch').length], [1, 2], 'out of the batch, and in again');
  t.equal(w.context.edits, 1);

  const stale = w.fork();
  t.notOk(stale.send({ type: 'EDIT', by, basis: 0, designId: 'night' }), 'made on what is not there any more');
  t.ok(stale.send({ type: 'EDIT', by, basis: 1, designId: 'night' }));
  t.same(asked(stale).slice(-2), ['RELEASE classic', 'RESERVE night']);
  t.ok(stale.in('fulfilment.approved.awaitingBatch.batch.apart'), 'not without the other plastic');
  t.notOk(stale.send({ type: 'EDIT', by, designId: 'dawn' }), 'the stock has not answered yet');
  t.ok(
    stale.send({ type: 'EDIT', by, addressRef: 'ppl_new', country: 'AT' }),
    'anything else may be changed meanwhile',
  );
  t.notOk(stale.send({ type: 'PLASTIC_RESERVED', designId: 'classic' }), 'an answer for another design');
  stale.send({ type: 'PLASTIC_RESERVED', designId: 'night' });
  stale.done('address.validate', { result: 'likely_deliverable', inZone: true });
  t.ok(stale.in('fulfilment.approved.awaitingBatch.batch.joined'));

  w.send({ type: 'EDIT', by, method: 'pickup_point', pickupPointId: 'pup_1' });
  t.match(w.effects, [{ id: 'address.validate', input: { method: 'pickup_point', pickupPointId: 'pup_1' } }]);
  const out = w.fork();
  w.done('address.validate', { result: 'likely_undeliverable', inZone: true });
  t.equal(publicStatus(w.snapshot.value), 'action_required');
  const silent = w.fork();
  silent.fire('customerSilent');
  t.ok(silent.in('fulfilment.cancelling'));
  w.send({ type: 'ADDRESS_OVERRIDDEN', by: 'usr_op' });
  t.ok(w.in('fulfilment.approved.awaitingBatch.batch.joined'));
  out.done('address.validate', { result: 'likely_deliverable', inZone: false });
  out.send({ type: 'EDIT', by, method: 'courier' });
  t.equal(out.context.pickupPointId, undefined, 'a courier needs no pickup point');
  out.fail('address.validate');
  t.ok(out.in('fulfilment.approved.awaitingBatch.batch.joined'), 'where nobody can tell, the courier finds out');

  t.notOk(submitted().send({ type: 'EDIT', by, designId: 'night' }), 'too late');
  const held = joined();
  held.send({ type: 'HOLD', by, kind: 'operator' });
  t.notOk(held.send({ type: 'EDIT', by, designId: 'night' }));
  t.end();
});

test('O-12, O-15, CO11: without a plastic the order waits, at risk, for another design or a delivery', (t) => {
  const w = withCard();
  w.send({ type: 'STOCK_OUT', designId: 'classic' });
  t.ok(w.in('sla.atRisk'));
  t.match(w.said('openTask').at(-1), { subject: application.orderId, task: 'stock_out' });
  t.equal(publicStatus(w.snapshot.value), 'action_required');
  const other = w.fork();
  other.send({ type: 'EDIT', by, designId: 'night' });
  t.same(asked(other), ['RESERVE classic', 'nothing ', 'RESERVE night'], 'nothing was held of the first');
  const again = w.fork();
  again.send({ type: 'RETRY', by: 'usr_op' });
  t.same(asked(again).at(-1), 'RESERVE classic');
  t.match(again.said('closeTask').at(-1), { task: 'stock_out' });
  w.fire('stockAgain');
  w.send({ type: 'PLASTIC_RESERVED', designId: 'classic' });
  w.fire('editWindow');
  t.ok(w.in('fulfilment.approved.awaitingBatch.batch.joined'));
  t.end();
});

test('CO11: a cancellation gives the plastic back, also when the stock had not answered yet', (t) => {
  const early = withCard();
  early.send(cancel);
  early.done('card.suspend');
  t.ok(early.in('fulfilment.cancelling.recalling.plastic.waiting'));
  const none = early.fork();
  none.send({ type: 'STOCK_OUT', designId: 'classic' });
  none.done('card.close');
  t.same(asked(none), ['RESERVE classic', 'nothing ']);
  early.send({ type: 'PLASTIC_RESERVED', designId: 'classic' });
  early.done('card.close');
  t.ok(early.in('fulfilment.cancelled'));
  t.same(asked(early), ['RESERVE classic', 'RELEASE classic']);
  t.same(asked(printed()), ['RESERVE classic', 'USE classic'], 'a printed one is used up');

  const stuck = withCard();
  stuck.send(cancel);
  stuck.fire('recallOverdue');
  t.ok(stuck.in('fulfilment.cancelling.stuck'));
  stuck.send({ type: 'PLASTIC_RESERVED', designId: 'classic' });
  stuck.send({ type: 'FORCE', by: 'usr_op' });
  stuck.send({ type: 'FORCE', by: 'usr_op2' });
  t.ok(stuck.in('fulfilment.cancelling.settling'));
  t.end();
});

test('4.5: a fee is taken once, given back while nothing was printed, and never holds up a card', (t) => {
  const terms = { feeMinor: '990', editMinutes: 60, attemptsMax: 3, storageDays: 7 };
  const charging = stocked({ terms });
  t.match(charging.effects, [{ id: 'fee.charge', input: { feeType: 'issue', amountMinor: '990', currency: 'EUR' } }]);
  charging.fire('editWindow');
  t.ok(charging.in('fulfilment.approved.awaitingBatch.batch.apart'));
  const owed = charging.fork();
  owed.fail('fee.charge');
  t.match(owed.said('openTask').at(-1), { task: 'fee_unsettled' });
  t.ok(owed.in('fulfilment.approved.awaitingBatch.batch.joined'));

  charging.done('fee.charge');
  const cancelled = charging.fork();
  cancelled.send(cancel);
  cancelled.done('card.suspend');
  t.same(open(cancelled), ['card.close', 'fee.refund']);
  cancelled.done('card.close');
  const unpaid = cancelled.fork();
  cancelled.done('fee.refund');
  t.ok(cancelled.in('fulfilment.cancelled'));
  unpaid.fail('fee.refund');
  t.ok(unpaid.in('fulfilment.cancelled'), 'the finance desk goes on');
  t.match(unpaid.said('openTask').at(-1), { task: 'fee_unsettled' });

  charging.send({ type: 'BATCH_CLOSED', batchId: 'bat_main_1' });
  charging.done('bureau.submit');
  charging.send({ type: 'PRINTED', jobId, envelopeId: 'ENV-1' });
  charging.send(cancel);
  charging.done('card.suspend');
  charging.done('bureau.withdraw', { outcome: 'intercepted' });
  publish(charging, 'DeliveryCancelled', { fee: 'none' });
  t.same(open(charging), ['card.close'], 'what was printed is paid for (4.7)');
  t.end();
});

test('4.6: what was asked of screening is taken back at an early end', (t) => {
  const w = screened({ cardType: 'credit', productCode: 'credit_gold' });
  w.send(cancel);
  t.match(w.said('kyc.cancel'), [{ attempt: 1 }]);
  t.match(w.said('credit.withdraw'), [{ orderId: application.orderId }]);
  const decided = approved();
  decided.send(cancel);
  t.same(decided.said('kyc.cancel'), [], 'a verdict is not cancelled');
  const rejected = allButIdentity();
  rejected.send({ type: 'KYC_REJECTED', reason: 'forged' });
  t.match(rejected.said('documents.shred'), [{ why: 'application_rejected' }]);
  const discarded = drafted();
  discarded.send({ type: 'DISCARD', by });
  t.match(discarded.said('documents.shred'), [{ why: 'discarded' }], 'O-03');
  const silent = screened();
  silent.fire('partnerSilent');
  t.ok(silent.in('fulfilment.screening.identity.referred'), 'O-06: a vendor that never answers');
  t.end();
});

test('O-35: address and method are taken in production, and passed on in delivery', (t) => {
  const w = submitted();
  t.ok(w.send({ type: 'CHANGE_ADDRESS', by, addressRef: 'ppl_new', country: 'AT' }));
  t.match(w.context, { addressRef: 'ppl_new', country: 'AT' });
  t.ok(w.in('fulfilment.production.submitted'));
  t.ok(w.send({ type: 'CHANGE_METHOD', by, method: 'pickup_point', pickupPointId: 'pup_1' }));
  t.match(w.context, { method: 'pickup_point', pickupPointId: 'pup_1' });

  const out = outForDelivery();
  const said = (event: { readonly type: string; readonly [field: string]: unknown }) => {
    out.send({ by, ...event });
    return out.said('commandDelivery').at(-1)?.command;
  };
  t.same(said({ type: 'CHANGE_ADDRESS', addressRef: 'ppl_new', country: 'AT' }), {
    type: 'delivery.changeAddress',
    by,
    addressRef: 'ppl_new',
    country: 'AT',
  });
  t.equal(out.context.addressRef, application.addressRef, 'until the delivery says so');
  t.match(said({ type: 'CHANGE_METHOD', method: 'post' }), { type: 'delivery.changeMethod', method: 'post' });
  t.match(said({ type: 'RESCHEDULE', role: 'customer' }), { type: 'delivery.reschedule', role: 'customer' });
  t.match(said({ type: 'EXTEND_STORAGE' }), { type: 'delivery.extendStorage' });
  t.match(said({ type: 'RETRY_DELIVERY' }), { type: 'delivery.retry' });
  publish(out, 'DeliveryRerouted', { method: 'courier', addressRef: 'ppl_new', country: 'AT' });
  t.equal(out.context.addressRef, 'ppl_new');
  publish(out, 'DeliveryRerouteRefused', { reason: 'too_far' });
  t.match(out.said('notify').at(-1), { template: 'change_refused' });

  const held = outForDelivery();
  held.send({ type: 'HOLD', by, kind: 'operator' });
  t.notOk(held.send({ type: 'EXTEND_STORAGE', by }));
  t.notOk(screened().send({ type: 'CHANGE_ADDRESS', by, addressRef: 'ppl_new', country: 'AT' }));
  t.end();
});

test('O-29: what the delivery says again on demand puts the order right', (t) => {
  for (const [status, state] of [
    ['scheduling', 'delivery.scheduling'],
    ['dispatched', 'delivery.dispatched'],
    ['in_transit', 'delivery.inTransit'],
    ['out_for_delivery', 'delivery.outForDelivery'],
    ['ready_for_pickup', 'delivery.readyForPickup'],
    ['attempt_failed', 'delivery.attemptFailed'],
    ['suspected_lost', 'delivery.exception.lostSuspected'],
    ['returning', 'returning'],
    ['returned', 'returned.deciding'],
    ['delivered', 'handedOver.awaitingActivation'],
    ['cancelled', 'delivery.exception.onHold'],
    ['rejected', 'delivery.exception.onHold'],
    ['lost', 'lost'],
    ['stolen', 'lost'],
  ]) {
    const w = outForDelivery();
    publish(w, 'DeliveryStatus', { status });
    t.ok(w.in(`fulfilment.${state}`), `${status}: ${w.states.join(' ')}`);
    const { version, seq } = w.context.delivery;
    t.notOk(w.send({ type: 'DeliveryStatus', seq, deliveryVersion: version, status }), 'heard already');
  }
  t.end();
});

test('O-30: a handover without its proofs is the customer’s, and puts the card to sleep until somebody has looked', (t) => {
  const w = outForDelivery();
  publish(w, 'DeliveryHandedOver', { proofs: { ...application.verification, otp: false } });
  t.ok(w.in('fulfilment.handedOver.awaitingActivation'));
  t.ok(w.in('hold.held.fraud'));
  t.match(
    w.said('openTask').map(({ task }) => task),
    ['proofs_missing', 'held'],
  );
  t.notOk(w.send({ type: 'ACTIVATE', by, proof: 'app' }));
  t.end();
});

const untracked = (): Walk => {
  const w = printed({ method: 'post', verification: { idCheck: false, otp: false, signature: false, photo: false } });
  publish(w, 'DeliveryAccepted');
  publish(w, 'DeliveryInTransit');
  return w;
};

const late = (w: Walk): { type: string; by: string; kind: string; at: number } => ({
  type: 'REPORT',
  by,
  kind: 'not_received',
  at: w.context.promisedBy + 3 * DAY,
});

test('O-46: not received, then found: the card sleeps, another order begins, and the first card that is used wins', (t) => {
  const w = outForDelivery();
  t.notOk(w.send({ ...late(w), at: w.context.promisedBy + DAY }), 'not late enough');
  t.ok(w.send(late(w)));
  t.ok(w.in('fulfilment.delivery.exception.lostSuspected'));
  t.same(commands(w).at(-1), 'delivery.markNotReceived');
  t.match(w.effects, [{ id: 'card.suspend' }]);
  t.match(w.said('beginOrder'), [
    {
      orderId: `${application.orderId}-r1`,
      submit: true,
      input: { replacementFor: 'crd_1', replaces: application.orderId, replacementReason: 'not_received' },
    },
  ]);
  t.equal(w.context.replacedBy, `${application.orderId}-r1`);
  w.done('card.suspend');

  const replaced = w.fork();
  replaced.send({ type: 'REPLACEMENT_ACTIVATED', orderId: `${application.orderId}-r1` });
  t.match(
    replaced.effects.find(({ id }) => id === 'card.close'),
    { input: { reason: 'replaced' } },
  );
  t.ok(replaced.in('fulfilment.cancelling.recalling.delivery.asking'), 'the envelope is called back');

  publish(w, 'DeliveryFound');
  w.done('card.resume');
  publish(w, 'DeliveryHandedOver', { proofs: application.verification });
  const both = w.fork();
  both.send({ type: 'REPLACEMENT_ACTIVATED', orderId: `${application.orderId}-r1` });
  t.ok(both.in('fulfilment.cancelled'), 'the new one was first');
  w.send({ type: 'ACTIVATE', by, proof: 'app' });
  w.done('card.activate');
  t.match(w.said('tellOrder').at(-1), { to: `${application.orderId}-r1`, type: 'ORIGINAL_ACTIVATED' });

  const other = withCard({ replaces: application.orderId, replacementFor: 'crd_0' });
  other.send({ type: 'ORIGINAL_ACTIVATED', orderId: application.orderId });
  t.ok(other.in('fulfilment.cancelling'), 'nobody needs it any more');
  t.equal(other.context.reason, 'not_needed');

  const mail = untracked();
  mail.send(late(mail));
  mail.done('card.suspend');
  t.ok(mail.send({ type: 'CARD_FOUND', by }));
  t.same(open(mail), ['card.resume']);
  t.end();
});

test('O-54: who proves that he holds the card has received it, whatever the mail says', (t) => {
  const w = untracked();
  t.notOk(w.send({ type: 'ACTIVATE', by, proof: 'app' }), 'a session proves nothing about an envelope');
  t.ok(w.send({ type: 'ACTIVATE', by, proof: 'last4_otp', last4: '0000' }));
  t.equal(w.context.wrongTries, 1);
  t.ok(w.in('fulfilment.delivery.inTransit'));
  t.ok(w.send({ type: 'ACTIVATE', by, proof: 'last4_otp', last4: '4242' }));
  t.ok(w.in('fulfilment.handedOver.activating'));
  t.same(commands(w).at(-1), 'delivery.markDelivered');
  w.done('card.activate');
  t.ok(w.in('fulfilment.completed'));
  t.ok(w.context.times.delivered !== undefined);
  t.notOk(outForDelivery().send({ type: 'ACTIVATE', by, proof: 'chip_pin' }), 'a courier hands over in person');
  t.end();
});

test('O-34, O-49: what comes back broken is destroyed, and another plastic of the card is made', (t) => {
  const w = outForDelivery();
  publish(w, 'DeliveryDamaged');
  t.match(w.said('beginOrder'), [{ submit: true, input: { reissueOf: 'crd_1', replacementReason: 'damaged' } }]);
  publish(w, 'DeliveryReturned', { seal: 'intact' });
  t.ok(w.in('fulfilment.destroying'));

  const opened = outForDelivery();
  publish(opened, 'DeliveryReturning', { reason: 'abandoned' });
  publish(opened, 'DeliveryReturned', { seal: 'broken' });
  t.ok(opened.in('fulfilment.destroying'), 'an opened envelope is not sent again');

  const reported = outForDelivery();
  publish(reported, 'DeliveryReturning', { reason: 'abandoned' });
  publish(reported, 'DeliveryReturned', { seal: 'intact' });
  t.ok(reported.send({ type: 'REPORT', by, kind: 'compromised' }));
  t.ok(reported.in('fulfilment.destroying'), 'O-45');
  t.ok(reported.in('card.closing'));
  t.end();
});

test('O-32, O-53: a lost card is offered anew, a completed order is replaced on demand, one at a time', (t) => {
  const lost = outForDelivery();
  publish(lost, 'DeliveryLost');
  t.match(lost.said('beginOrder'), [{ submit: false, input: { replacementFor: 'crd_1' } }], 'a draft is the offer');
  t.ok(lost.said('notify').some(({ template }) => template === 'replacement_offered'));

  const w = completed();
  t.ok(w.send({ type: 'REPLACE', by, reason: 'design_change', designId: 'night' }));
  t.match(w.said('beginOrder'), [{ input: { designId: 'night', reissueOf: 'crd_1', generation: 1 } }]);
  t.ok(w.in('card.active'), 'the old one works until the new one does');
  t.notOk(w.send({ type: 'REPLACE', by, reason: 'damaged' }), 'one is open');
  const again = w.fork();
  again.send({ type: 'REPLACEMENT_ENDED', orderId: `${application.orderId}-r1` });
  t.ok(again.send({ type: 'REPLACE', by, reason: 'damaged' }));
  t.match(again.said('beginOrder').at(-1), { orderId: `${application.orderId}-r2` });
  w.send({ type: 'REPLACEMENT_ACTIVATED', orderId: `${application.orderId}-r1` });
  t.match(w.effects, [{ id: 'card.close', input: { reason: 'replaced' } }], 'O-37');
  w.done('card.close');
  t.equal(w.snapshot.status, 'done');

  const stolen = completed();
  stolen.send({ type: 'REPLACE', by, reason: 'stolen' });
  t.same(open(stolen), ['card.close'], 'a stolen card stops at once');
  t.notMatch(stolen.said('beginOrder'), [{ input: { reissueOf: String } }], 'and gets another number');
  t.notOk(handedOver().send({ type: 'REPLACE', by, reason: 'damaged' }));

  const replacement = completed({ replaces: 'ord_old', replacementFor: 'crd_old' });
  t.match(replacement.said('tellOrder')[0], { to: 'ord_old', type: 'REPLACEMENT_ACTIVATED' });
  const ended = screened({ replaces: 'ord_old', replacementFor: 'crd_old' });
  ended.send(cancel);
  t.match(ended.said('tellOrder'), [{ to: 'ord_old', type: 'REPLACEMENT_ENDED' }]);
  const aged = completed({ generation: 8 });
  t.notOk(aged.send({ type: 'REPLACE', by, reason: 'damaged' }), 'the processor makes no more of this card');
  t.end();
});

test('O-52: a request for erasure ends what may end, and is told of it; the law’s hold and the handover keep it', (t) => {
  const erase = { type: 'SUBJECT_ERASURE', by: 'usr_dpo', requestId: 'prv_1' };
  const w = submitted();
  t.ok(w.send(erase));
  t.match(w.said('tellPrivacy'), [{ to: 'prv_1', type: 'ERASURE_ACCEPTED' }]);
  w.done('bureau.withdraw', { outcome: 'withdrawn' });
  w.done('card.suspend');
  w.done('card.close');
  t.ok(w.in('fulfilment.cancelled'));
  t.match(w.said('tellPrivacy').at(-1), { to: 'prv_1', type: 'ORDER_ENDED' });

  const legal = submitted();
  legal.send({ type: 'HOLD', by, kind: 'legal' });
  for (const refusing of [legal, handedOver(), completed()]) {
    const before = refusing.states;
    refusing.send(erase);
    t.match(refusing.said('tellPrivacy').at(-1), { type: 'ERASURE_REFUSED' });
    t.same(refusing.states, before);
  }
  const draft = drafted();
  draft.send(erase);
  t.ok(draft.in('fulfilment.cancelled'));
  t.same(
    draft.said('tellPrivacy').map(({ type }) => type),
    ['ERASURE_ACCEPTED', 'ORDER_ENDED'],
  );

  const cancelling = submitted();
  cancelling.send(cancel);
  t.ok(cancelling.send(erase), 'under way already');
  t.equal(cancelling.context.erasure, 'prv_1');
  t.end();
});

test('D-42: a handover that the customer disputes puts the card to sleep, before and after activation', (t) => {
  for (const w of [handedOver(), completed()]) {
    publish(w, 'DeliveryDisputed');
    t.ok(w.in('hold.held.fraud'));
    t.match(w.effects, [{ id: 'card.suspend' }]);
    w.done('card.suspend');
    w.send({ type: 'RELEASE', by: 'usr_op' });
    t.ok(w.send({ type: 'CARD_CLEARED', by: 'usr_op' }));
    w.done('card.resume');
    t.ok(w.in(w.in('fulfilment.completed') ? 'card.active' : 'card.inactive'));
  }
  t.end();
});

test('O-50: an order is given up wherever it is, and after the handover only its card is closed', (t) => {
  const fatal = { type: 'FATAL', by: 'usr_op', reason: 'compliance' };
  const draft = drafted();
  draft.send(fatal);
  t.ok(draft.in('fulfilment.failed'));
  const hand = handedOver();
  hand.send(fatal);
  t.ok(hand.in('fulfilment.failed'));
  t.match(hand.effects, [{ id: 'card.close', input: { reason: 'failed' } }]);
  const back = outForDelivery();
  publish(back, 'DeliveryReturning', { reason: 'abandoned' });
  const vault = back.fork();
  publish(vault, 'DeliveryReturned', { seal: 'intact' });
  for (const w of [back, vault]) {
    w.send(fatal);
    t.ok(w.in('fulfilment.cancelling.recalling'));
  }
  const cancelling = submitted();
  cancelling.send(cancel);
  cancelling.send(fatal);
  cancelling.done('card.suspend');
  cancelling.done('bureau.withdraw', { outcome: 'withdrawn' });
  cancelling.done('card.close');
  t.ok(cancelling.in('fulfilment.failed'));
  t.end();
});
