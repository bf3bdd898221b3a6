// Goal: every way a delivery by courier can go. Method: given a walk to a place (ways.ts), when something is said, then the
// states, effects and messages are these. Nothing runs and no time passes; the outcomes are the test's.

import { test } from 'tap';
import type { Walk } from '../walk.ts';
import {
  accepted,
  asked,
  atTheDoor,
  booked,
  by,
  cancel,
  choose,
  confirmed,
  courierId,
  envelope,
  find,
  handingOver,
  input,
  last,
  NOW,
  open,
  pickedUp,
  prove,
  published,
  SLOT,
  slot,
  stands,
  tasks,
  zone,
} from './ways.ts';

// --- Then ---

test('DL1: the happy path, from the command to the customer’s hand', (t) => {
  const w = accepted();
  t.same(stands(w), ['appointment.proposed.open', 'custody.bureau', 'transport.awaitingEnvelope.expected']);
  t.same(open(w), ['carrier.preadvise']);
  t.match(w.said('notify'), [{ template: 'choose_slot' }]);

  const hub = booked();
  t.same(stands(hub), ['appointment.confirmed', 'custody.hub', 'transport.assigning.lookup']);
  t.match(hub.effects, [{ id: 'carrier.createShipment', input: { seq: 1, slot: { slotId: SLOT } } }]);

  const out = pickedUp();
  t.same(stands(out), ['appointment.confirmed', 'custody.courier', 'transport.pickup.scanned']);
  t.match(out.context, { shipmentId: 'shp_1', carrier: 'inhouse', courierId });

  const door = handingOver();
  t.same(open(door), ['otp.send']);
  t.match(door.effects, [{ input: { attempt: 1, n: 1, deliveryId: input.deliveryId } }]);
  t.ok(door.in('transport.handover.photo.notRequired'));
  door.done('otp.send', {});
  door.send({ type: 'ID_SCANNED', courierId });
  door.send({ type: 'OTP_CHECKED', courierId, ok: true, attempt: 1 });
  t.notOk(published(door).includes('DeliveryHandedOver'), 'not before the last proof');
  door.send({ type: 'SIGNATURE_CAPTURED', courierId });
  t.same(stands(door), ['appointment.kept', 'custody.customer', 'transport.delivered']);
  t.equal(door.snapshot.status, 'active', 'DL6: for thirty days it can be disputed');
  door.fire('claimOver');
  t.equal(door.snapshot.status, 'done');
  t.same(published(door), [
    'DeliveryAccepted',
    'AppointmentConfirmed',
    'DeliveryDispatched',
    'DeliveryOutForDelivery',
    'DeliveryHandedOver',
  ]);
  t.same(
    door.said('tellOrdering').map(({ deliveryVersion }) => deliveryVersion),
    [1, 2, 3, 4, 5],
    'DL5',
  );
  t.match(door.said('tellOrdering').at(-1), {
    proofs: input.verification,
    orderId: input.orderId,
    seq: 1,
    schemaVersion: 1,
  });
  t.ok(JSON.stringify(door.context).length <= 1536, 'the context stays small');
  t.end();
});

test('DL1: a product decides its proofs; none of them is left out, and none is asked twice', (t) => {
  const bare = handingOver({ verification: { idCheck: false, otp: false, signature: false, photo: true } });
  t.same(open(bare), [], 'no code is sent');
  t.notOk(bare.send({ type: 'ID_SCANNED', courierId }));
  bare.send({ type: 'PHOTO_CAPTURED', courierId });
  t.ok(bare.in('transport.delivered'));

  const w = handingOver();
  for (const type of ['ID_SCANNED', 'SIGNATURE_CAPTURED'])
    t.notOk(w.send({ type, courierId: 'usr_other' }), 'another courier has no say');
  t.notOk(w.send({ type: 'OTP_CHECKED', courierId, ok: true, attempt: 2 }), 'the code of another attempt');
  t.end();
});

test('D-01, D-02: a delivery is accepted or refused, and says so again when asked again', (t) => {
  const w = accepted();
  w.send({ type: 'delivery.create' });
  t.same(published(w), ['DeliveryAccepted', 'DeliveryAccepted']);
  t.match(w.said('tellOrdering').at(-1), { deliveryVersion: 2 });

  const refusals: readonly (readonly [Walk, string, readonly string[]])[] = [
    [asked({ method: 'parcel_locker' }), 'method_unavailable', ['courier', 'pickup_point']],
    [asked({ method: 'post' }), 'method_unavailable', ['courier', 'pickup_point']], // It asks for proofs.
    [answered({ allowed: false, zoneId: 'de', alternatives: ['post'] }), 'out_of_zone', ['post']],
    [answered({ allowed: false, alternatives: [] }), 'zone_unknown', []],
    [answered(undefined), 'zone_unknown', []],
  ];
  for (const [refused, reason, alternatives] of refusals) {
    t.same(stands(refused), ['appointment.closed', 'custody.withheld', 'transport.refused'], reason);
    t.match(refused.said('tellOrdering'), [{ type: 'DeliveryRejected', reason, alternatives }]);
    t.equal(refused.snapshot.status, 'done');
  }
  const recalled = asked();
  t.ok(recalled.send({ type: 'delivery.create' }), 'the answer is on its way');
  recalled.send(cancel);
  t.match(last(recalled), { type: 'DeliveryCancelled', fee: 'none' }, 'D-29');
  t.same(open(recalled), []);
  t.end();
});

function answered(verdict: object | undefined): Walk {
  const w = asked();
  if (verdict === undefined) w.fail('zone.check');
  else w.done('zone.check', verdict);
  return w;
}

test('D-03: only the envelope that was told of is taken in; without an appointment it waits', (t) => {
  const w = accepted();
  t.notOk(w.send({ type: 'ENVELOPE_READY', envelopeId: 'ENV-2' }));
  w.send(envelope);
  t.ok(w.in('transport.assigning.waitingForSlot'));
  t.notOk(w.send(envelope), 'a second scan');
  choose(w);
  t.ok(w.in('transport.assigning.lookup'));

  const silent = accepted();
  silent.fail('carrier.preadvise');
  t.same(tasks(silent), ['hub_not_told']);
  silent.send({ type: 'RETRY', by: 'usr_op' });
  t.same(open(silent), ['carrier.preadvise']);
  t.same(tasks(silent), []);
  silent.fire('envelopeOverdue');
  t.same(tasks(silent), ['envelope_overdue']);
  silent.send(envelope);
  t.same(tasks(silent), [], 'DL7: it came after all');
  t.end();
});

test('D-04, D-05: the recipient chooses, is reminded, and after a week the envelope goes back', (t) => {
  const w = accepted();
  t.notOk(w.send({ ...slot, from: slot.to + 1 }), 'a window that ends before it begins');
  t.notOk(w.send({ ...slot, from: 1, to: 2 }), 'a window in the past');
  t.notOk(w.send({ type: 'SLOT_TAKEN', slotId: SLOT, turn: 1, from: 1, to: 2 }), 'nobody asked for it');
  w.fire('slotReminder1');
  w.fire('slotReminder2');
  t.match(
    w.said('notify').map(({ template }) => template),
    ['choose_slot', 'choose_slot_first_reminder', 'choose_slot_second_reminder'],
  );

  const early = w.fork();
  early.fire('slotAbandoned');
  t.ok(early.in('appointment.proposed.open'), 'the envelope is not even here: the week begins again');
  t.ok(early.timers.includes('slotReminder1'));
  w.send(envelope);
  w.fire('slotAbandoned');
  t.ok(w.in('transport.returning.inTransit'));
  t.match(w.said('tellOrdering').at(-1), { type: 'DeliveryReturning', reason: 'abandoned' });

  const chosen = confirmed();
  t.match(chosen.said('tellOrdering').at(-1), { type: 'AppointmentConfirmed', slotId: SLOT, from: slot.from });
  chosen.fire('dayBefore');
  chosen.fire('hoursBefore');
  t.match(chosen.said('notify').slice(-2), [{ template: 'slot_tomorrow' }, { template: 'slot_today' }]);
  t.end();
});

test('D-06: an appointment is changed until a courier is at the hub, three times by the customer', (t) => {
  const w = booked();
  w.done('carrier.createShipment', { shipmentId: 'shp_1', carrier: 'inhouse' });
  find(w);
  t.ok(w.send({ type: 'RESCHEDULE', by, role: 'customer' }));
  t.same(stands(w), ['appointment.rescheduling.open', 'custody.hub', 'transport.assigning.waitingForSlot']);
  t.match(w.said('carrier.void').at(-1), { seq: 1 });
  t.match(last(w), { type: 'DeliveryRescheduled', by: 'customer' });
  t.match(w.said('tellSlot').at(-1), { slotId: SLOT, ask: 'FREE', turn: 1 });
  t.match(w.said('tellRun').at(-1), { runId: 'run_courier7_20270118', ask: 'LEAVE' });
  choose(w);
  t.match(w.effects, [{ id: 'carrier.createShipment', input: { seq: 2 } }], 'another booking');
  t.notOk(w.send({ type: 'COURIER_FOUND', courierId, seq: 1 }), 'a courier of the old one');
  for (const left of [true, true, false]) {
    t.equal(w.send({ type: 'RESCHEDULE', by, role: 'customer' }), left);
    if (left) choose(w);
  }
  t.ok(w.send({ type: 'delivery.reschedule', by: 'usr_op', role: 'operator' }), 'an operator still may');

  const soon = accepted();
  const window = { from: NOW + 3_600_000, to: NOW + 7_200_000 };
  soon.send({ ...slot, ...window });
  soon.send({ type: 'SLOT_TAKEN', slotId: SLOT, turn: 1, ...window });
  t.notOk(soon.send({ type: 'RESCHEDULE', by, role: 'customer' }), 'less than two hours before');
  t.notOk(pickedUp().send({ type: 'RESCHEDULE', by, role: 'customer' }), 'too late: it is on its way');
  t.end();
});

test('D-07 … D-09: couriers are looked for five times, then a dispatcher decides', (t) => {
  const w = booked();
  for (let search = 1; search <= 4; search++) {
    w.send({ type: 'COURIER_NOT_FOUND', seq: search });
    t.ok(w.in('transport.assigning.searchingAgain'), `search ${search}`);
    w.fire('searchAgain');
    t.match(w.effects, [{ input: { seq: search + 1 } }]);
  }
  w.send({ type: 'COURIER_NOT_FOUND', seq: 5 });
  t.ok(w.in('transport.assigning.notFound'));
  t.same(tasks(w), ['courier_not_found']);
  w.send({ type: 'RETRY', by: 'usr_op' });
  t.ok(w.in('transport.assigning.lookup'));
  t.equal(w.context.searches, 0);

  const none = booked();
  none.fire('courierOverdue');
  t.ok(none.in('transport.assigning.notFound'));
  const refused = booked();
  refused.fail('carrier.createShipment');
  t.match(refused.effects, [{ input: { seq: 2, carrier: 'swift-couriers' } }], '4.5: the other carrier is asked');
  t.match(refused.said('carrier.void'), [{ seq: 1 }], 'what the first one made of it, nobody knows');
  refused.fail('carrier.createShipment');
  t.ok(refused.in('transport.assigning.notFound'), 'there is no third');
  refused.send({ type: 'RETRY', by: 'usr_op' });
  t.equal(
    refused.effects[0]?.input && 'carrier' in (refused.effects[0].input as object),
    false,
    'from the first again',
  );
  const absent = booked();
  find(absent);
  absent.fire('courierOverdue');
  t.ok(absent.in('transport.assigning.notFound'), 'found, but never came');
  t.equal(absent.said('carrier.void').length, 1);
  t.end();
});

test('DL1, D-10: only this courier, and only with the envelope’s own barcode', (t) => {
  const w = booked();
  find(w);
  t.notOk(w.send({ type: 'SCANNED', courierId, barcode: 'ENV-2' }));
  t.notOk(w.send({ type: 'SCANNED', courierId: 'usr_other', barcode: 'ENV-1' }));
  t.ok(w.in('custody.hub'));
  t.ok(w.send({ type: 'SCANNED', courierId, barcode: 'ENV-1' }), 'a scan says that he arrived');
  t.ok(w.in('custody.courier'));
  t.end();
});

test('D-13 … D-15, D-22: at the address, near enough, and a quarter of an hour', (t) => {
  const w = pickedUp();
  w.send({ type: 'OUT_FOR_DELIVERY', courierId });
  t.notOk(w.send({ type: 'ARRIVED', courierId, distanceMetres: 301 }));
  t.ok(w.fork().send({ type: 'ARRIVED', courierId, distanceMetres: 301, override: true }));
  t.ok(w.send({ type: 'ARRIVED', courierId }), 'an address without coordinates');
  t.same(w.timers.includes('noShow'), true);
  w.fire('noShow');
  t.match(w.said('tellOrdering').at(-1), { type: 'DeliveryAttemptFailed', reason: 'no_show', attempt: 1 });
  t.same(stands(w), ['appointment.rescheduling.open', 'custody.hub', 'transport.assigning.waitingForSlot'], 'D-23');
  t.equal(w.context.attempt, 2);
  t.end();
});

test('D-22 … D-24: three times nobody there, and it goes back', (t) => {
  const w = atTheDoor();
  w.send({ type: 'NO_SHOW', courierId });
  for (const attempt of [2, 3]) {
    choose(w);
    t.ok(w.in('transport.assigning.lookup'));
    atTheDoor(pickedUp(w));
    t.equal(w.context.attempt, attempt);
    w.send({ type: 'NO_SHOW', courierId });
  }
  t.match(last(w), { type: 'DeliveryAttemptFailed', attempt: 3, next: 'pickup_point' });
  t.same(stands(w), ['appointment.none', 'custody.hub', 'transport.attemptFailed.offer'], 'D-24: a point is offered');
  w.fire('offerOverdue');
  t.ok(w.in('transport.returning.inTransit'), 'D-24');
  t.same(published(w).slice(-2), ['DeliveryAttemptFailed', 'DeliveryReturning']);
  t.match(w.said('tellOrdering').at(-1), { reason: 'attempts_exhausted' });
  t.ok(w.in('appointment.closed'), 'no reminder of an appointment that is none');
  t.notOk(w.send({ type: 'RECEIVED', by: 'usr_vault', barcode: 'ENV-2', seal: 'intact' }));
  w.send({ type: 'RECEIVED', by: 'usr_vault', barcode: 'ENV-1', seal: 'intact' });
  t.same(stands(w), ['appointment.closed', 'custody.vault', 'transport.returned'], 'D-39');
  t.match(last(w), { type: 'DeliveryReturned', seal: 'intact' });
  t.same(tasks(w), ['envelope_in_vault']);
  t.equal(w.snapshot.status, 'active', 'DL6: somebody has to say what becomes of the envelope');

  const released = w.fork();
  released.send({ type: 'delivery.release' });
  t.ok(released.in('custody.released'));
  t.equal(released.snapshot.status, 'done');
  t.notOk(w.send({ type: 'DESTROYED', by: 'usr_a', witness: 'usr_a' }), 'one person is not two');
  w.send({ type: 'delivery.destroy', by: 'usr_a', witness: 'usr_b' });
  t.equal(w.snapshot.status, 'done');
  t.end();
});

test('D-21, D-23, D-24: what is tried again, what counts, what waits for whom, and what goes back at once', (t) => {
  const again = ['access_problem', 'customer_asked_later', 'id_missing'];
  const uncounted = ['weather_or_force_majeure', 'courier_fault'];
  for (const reason of [...again, ...uncounted]) {
    const w = atTheDoor();
    t.ok(w.send({ type: 'ATTEMPT_FAILED', courierId, reason }), reason);
    t.ok(w.in('transport.assigning.waitingForSlot'), reason);
    t.match(last(w), { type: 'DeliveryAttemptFailed', next: 'appointment' });
    t.match(w.said('tellSlot').at(-1), { ask: 'FREE' }, 'its place is free again');
    t.match(w.said('tellRun').at(-1), { ask: 'LEAVE' });
    t.equal(w.context.failures, uncounted.includes(reason) ? 0 : 1, reason);
  }
  for (const reason of ['wrong_address', 'customer_moved']) {
    const w = atTheDoor();
    w.send({ type: 'ATTEMPT_FAILED', courierId, reason });
    t.match(last(w), { reason, next: 'address' });
    t.same(stands(w), ['appointment.none', 'custody.hub', 'transport.attemptFailed.address']);
    const forgotten = w.fork();
    forgotten.fire('correctionOverdue');
    t.match(last(forgotten), { type: 'DeliveryReturning', reason: 'address_not_corrected' });
    w.send({ type: 'delivery.changeAddress', by, addressRef: 'ppl_new', country: 'DE' });
    w.done('zone.check.route', zone);
    t.match(last(w), { type: 'DeliveryRerouted', addressRef: 'ppl_new', method: 'courier' });
    t.same(stands(w), ['appointment.proposed.open', 'custody.hub', 'transport.assigning.waitingForSlot']);
    t.equal(w.context.attempt, 2);
  }
  for (const type of ['REFUSED', 'SIGNATURE_REFUSED', 'ID_EXPIRED']) {
    const w = handingOver();
    w.send({ type, courierId });
    t.match(last(w), { type: 'DeliveryAttemptFailed', next: 'decision' });
    t.ok(w.in('transport.attemptFailed.decision'), `${type}: D-21`);
    const [undecided, cancelled] = [w.fork(), w.fork()];
    undecided.fire('decisionOverdue');
    t.match(last(undecided), { type: 'DeliveryReturning', reason: 'not_decided' });
    cancelled.send(cancel);
    t.match(last(cancelled), { type: 'DeliveryReturning', reason: 'recalled' });
    w.send({ type: 'delivery.retry', by });
    t.same(stands(w), ['appointment.rescheduling.open', 'custody.hub', 'transport.assigning.waitingForSlot']);
  }
  const spent = handingOver({ attemptsMax: 1 });
  spent.send({ type: 'REFUSED', courierId });
  spent.send({ type: 'delivery.retry', by });
  t.ok(spent.in('transport.attemptFailed.offer'), 'D-24: there is no other attempt');
  const damaged = atTheDoor();
  damaged.send({ type: 'ATTEMPT_FAILED', courierId, reason: 'damaged' });
  t.same(published(damaged).slice(-2), ['DeliveryDamaged', 'DeliveryReturning'], 'D-38');
  t.end();
});

test('D-24: a pickup point takes what nobody opened the door for', (t) => {
  const w = atTheDoor(pickedUp(booked({ attemptsMax: 1 })));
  w.send({ type: 'NO_SHOW', courierId });
  w.send({ type: 'delivery.changeMethod', by, method: 'pickup_point', pickupPointId: 'pp_1' });
  t.match(w.effects, [{ id: 'zone.check.route', input: { method: 'pickup_point', pickupPointId: 'pp_1' } }]);
  w.done('zone.check.route', { ...zone, carriers: ['emboss-points'], pickupPointId: 'pp_1' });
  t.match(last(w), { type: 'DeliveryRerouted', method: 'pickup_point', pickupPointId: 'pp_1' });
  t.same(stands(w), ['appointment.none', 'custody.hub', 'transport.moving.preTransit']);
  t.match(w.effects, [
    { id: 'carrier.createShipment', input: { method: 'pickup_point', pickupPointId: 'pp_1', seq: 2 } },
  ]);
  t.end();
});

test('D-17: another face than on the document ends the attempt, and the delivery with it', (t) => {
  const w = handingOver();
  w.send({ type: 'ID_MISMATCH', courierId, reason: 'photo' });
  t.same(
    w
      .said('tellOrdering')
      .slice(-2)
      .map(({ type, reason }) => [type, reason]),
    [
      ['DeliveryAttemptFailed', 'id_mismatch'],
      ['DeliveryReturning', 'not_retryable'],
    ],
  );
  t.same(open(w), [], 'no code is waited for');
  t.end();
});

test('DL4, D-18, D-19: the fifth wrong code locks the attempt; the next one has its own', (t) => {
  const w = handingOver();
  for (let wrong = 1; wrong <= 4; wrong++) {
    w.send({ type: 'OTP_CHECKED', courierId, ok: false, attempt: 1 });
    t.equal(w.context.otpTries, wrong);
  }
  w.send({ type: 'OTP_CHECKED', courierId, ok: false, attempt: 1 });
  t.match(w.said('tellOrdering').at(-1), { type: 'DeliveryAttemptFailed', reason: 'otp_locked' });
  t.ok(w.in('transport.assigning.waitingForSlot'));
  choose(w);
  atTheDoor(pickedUp(w));
  w.send({ type: 'START_HANDOVER', courierId });
  t.match(w.effects, [{ id: 'otp.send', input: { attempt: 2, n: 1 } }]);
  t.equal(w.context.otpTries, 0);

  const resent = handingOver();
  for (const n of [2, 3, 4]) {
    t.ok(resent.send({ type: 'OTP_RESEND', courierId }));
    t.match(resent.effects, [{ input: { attempt: 1, n } }]);
  }
  t.notOk(resent.send({ type: 'OTP_RESEND', courierId }), 'three times at most');
  for (const channel of ['voice', 'email']) {
    resent.fail('otp.send');
    t.match(resent.effects, [{ input: { channel } }], '4.5: then by another channel');
  }
  resent.fail('otp.send');
  t.ok(resent.in('transport.handover.otp.unsent'));
  t.same(tasks(resent), ['code_not_sent'], 'the courier calls support');
  t.ok(resent.send({ type: 'OTP_CHECKED', courierId, ok: true, attempt: 1 }), 'one that came all the same is good');
  t.same(tasks(resent), []);

  const late = handingOver();
  t.ok(late.timers.includes('codeExpires'));
  late.fire('codeExpires');
  t.notOk(late.send({ type: 'OTP_CHECKED', courierId, ok: true, attempt: 1 }), 'too late for it');
  t.ok(late.send({ type: 'OTP_RESEND', courierId }));
  t.ok(late.send({ type: 'OTP_CHECKED', courierId, ok: true, attempt: 1 }));
  t.end();
});

test('DL2, D-29: before a courier has it, a recall cancels', (t) => {
  const places: readonly (readonly [string, () => Walk, boolean])[] = [
    ['awaitingEnvelope', accepted, false],
    [
      'waitingForSlot',
      () => {
        const w = accepted();
        w.send(envelope);
        return w;
      },
      false,
    ],
    ['lookup', booked, true],
    [
      'courierArrived',
      () => {
        const w = booked();
        find(w);
        w.send({ type: 'COURIER_ARRIVED' });
        return w;
      },
      true,
    ],
  ];
  for (const [name, given, wasBooked] of places) {
    const w = given();
    w.send(cancel);
    t.same(stands(w), ['appointment.closed', 'custody.withheld', 'transport.cancelled'], name);
    t.match(last(w), { type: 'DeliveryCancelled', fee: name === 'courierArrived' ? 'late' : 'none' });
    t.equal(w.said('tellSlot').at(-1)?.ask ?? 'FREE', 'FREE', 'its place is free again');
    t.equal(w.said('carrier.void').length, wasBooked ? 1 : 0);
    t.equal(w.snapshot.status, 'done');
    t.same(open(w), []);
  }
  t.end();
});

test('DL2, D-30: once a courier has it, a recall brings it back', (t) => {
  for (const given of [pickedUp, atTheDoor]) {
    const w = given();
    w.send(cancel);
    t.ok(w.in('transport.returning.inTransit'));
    t.ok(w.in('custody.courier'));
    t.match(w.said('tellOrdering').at(-1), { type: 'DeliveryReturning', reason: 'recalled' });
    w.send(cancel);
    t.equal(published(w).filter((type) => type === 'DeliveryReturning').length, 2, 'said again when asked again');
  }
  const dispatcher = pickedUp();
  dispatcher.send({ type: 'RECALL', by: 'usr_op' });
  t.match(dispatcher.said('tellOrdering').at(-1), { reason: 'operator' });
  t.end();
});

test('DL3, D-31: recall and last proof: whichever is first', (t) => {
  const w = handingOver();
  w.send({ type: 'ID_SCANNED', courierId });
  w.send({ type: 'OTP_CHECKED', courierId, ok: true, attempt: 1 });

  const recalled = w.fork();
  recalled.send(cancel);
  t.ok(recalled.in('transport.returning'));
  t.notOk(recalled.send({ type: 'SIGNATURE_CAPTURED', courierId }), 'the proof comes too late');

  w.send({ type: 'SIGNATURE_CAPTURED', courierId });
  t.ok(w.in('transport.delivered'));
  t.notOk(w.send(cancel), 'the recall comes too late');
  t.equal(published(w).at(-1), 'DeliveryHandedOver');
  t.end();
});

test('D-34 … D-37, D-40: a lost trace is followed; found, it goes on as it was', (t) => {
  const w = pickedUp();
  w.send({ type: 'LOST_REPORTED' });
  t.same(stands(w), ['appointment.confirmed', 'custody.unknown', 'transport.investigating.tracing']);
  t.same(tasks(w), ['trace_envelope']);
  t.equal(published(w).at(-1), 'DeliverySuspectedLost');

  const found = w.fork();
  found.send({ type: 'FOUND' });
  t.same(stands(found), ['appointment.rescheduling.open', 'custody.hub', 'transport.assigning.waitingForSlot'], 'D-35');
  const recalled = w.fork();
  recalled.send(cancel);
  recalled.send({ type: 'FOUND' });
  t.ok(recalled.in('transport.returning'), 'recalled in the meantime');

  for (const when of [(x: Walk) => x.send({ type: 'LOST_CONFIRMED' }), (x: Walk) => x.fire('traceExhausted')]) {
    const lost = w.fork();
    when(lost);
    t.same(stands(lost), ['appointment.closed', 'custody.missing', 'transport.lost'], 'D-36');
    t.equal(lost.snapshot.status, 'done');
  }
  w.send({ type: 'STOLEN_REPORTED' });
  t.ok(w.in('transport.stolen'), 'D-37');
  t.same(w.said('tellGuard'), [], 'nobody knows which card is in it');
  const known = pickedUp(booked({ cardId: 'crd_1' }));
  known.send({ type: 'STOLEN_REPORTED' });
  t.match(known.said('tellGuard'), [{ cardId: 'crd_1', publication: { type: 'DeliveryStolen', deliveryVersion: 4 } }]);
  const unreceived = pickedUp();
  unreceived.send({ type: 'delivery.markNotReceived', by });
  t.ok(unreceived.in('transport.investigating.tracing'), 'O-46');

  const returning = pickedUp();
  returning.send(cancel);
  returning.fire('returnOverdue');
  t.ok(returning.in('transport.investigating.tracing'), 'D-40');
  returning.send({ type: 'FOUND' });
  t.ok(returning.in('transport.returning.inTransit'));

  const damaged = booked();
  damaged.send({ type: 'DAMAGED' });
  t.same(published(damaged).slice(-2), ['DeliveryDamaged', 'DeliveryReturning'], 'D-38');
  t.equal(damaged.said('carrier.void').length, 1);
  t.end();
});

test('DL8, D-04: a choice is a request; the slot says yes or no, and only its yes confirms', (t) => {
  const w = accepted();
  w.send(slot);
  t.ok(w.in('appointment.proposed.reserving'));
  t.match(w.said('tellSlot'), [{ slotId: SLOT, ask: 'TAKE', turn: 1, deliveryId: input.deliveryId }]);
  t.notOk(published(w).includes('AppointmentConfirmed'));
  const full = w.fork();
  full.send({ type: 'SLOT_FULL', slotId: SLOT, turn: 1 });
  t.ok(full.in('appointment.proposed.open'), 'back to where it was');
  t.match(full.said('notify').at(-1), { template: 'slot_full', n: 1 });
  t.ok(full.timers.includes('slotAbandoned'), 'the week goes on');
  full.send(slot);
  t.notOk(full.send({ type: 'SLOT_FULL', slotId: SLOT, turn: 1 }), 'the answer to the first asking, again');
  t.ok(full.send({ type: 'SLOT_TAKEN', slotId: SLOT, turn: 2, from: slot.from, to: slot.to }));
  t.ok(full.in('appointment.confirmed'));

  const silent = w.fork();
  silent.fire('slotSilent');
  t.match(silent.said('tellSlot').at(-1), { ask: 'FREE', turn: 1 }, 'it may have said yes');
  t.ok(silent.in('appointment.proposed.open'));
  const other = w.fork();
  other.send({ ...slot, slotId: 'slt_de-berlin_20270118T1300-1700' });
  t.match(other.said('tellSlot').slice(-2), [
    { slotId: SLOT, ask: 'FREE', turn: 1 },
    { slotId: 'slt_de-berlin_20270118T1300-1700', ask: 'TAKE', turn: 2 },
  ]);
  w.send(cancel);
  t.match(w.said('tellSlot').at(-1), { ask: 'FREE', turn: 1 }, 'given back at the end, too');
  const kept = handingOver();
  prove(kept);
  t.match(kept.said('tellSlot').at(-1), { ask: 'FREE' });
  t.match(kept.said('tellRun').at(-1), { ask: 'LEAVE' });
  t.end();
});

test('DL8, D-07, D-08, D-41: the courier’s day has a place, or he is looked for again; when he is not heard of, it is said', (t) => {
  const w = booked();
  w.send({ type: 'COURIER_FOUND', courierId, seq: 1 });
  t.ok(w.in('transport.assigning.boarding'));
  t.match(w.said('askRun'), [{ runId: 'run_courier7_20270118', courierId, capacity: 25, until: slot.to, turn: 1 }]);
  t.notOk(w.send({ type: 'BOARDED', runId: 'run_courier7_20270118', turn: 9 }));
  const full = w.fork();
  for (let search = 1; search <= 4; search++) {
    full.send({ type: 'RUN_FULL', runId: full.context.runId, turn: full.context.booking });
    t.ok(full.in('transport.assigning.searchingAgain'));
    full.fire('searchAgain');
    full.send({ type: 'COURIER_FOUND', courierId, seq: full.context.booking });
  }
  full.send({ type: 'RUN_FULL', runId: full.context.runId, turn: full.context.booking });
  t.ok(full.in('transport.assigning.notFound'));
  const silent = w.fork();
  silent.fire('boardingOverdue');
  t.ok(silent.in('transport.assigning.notFound'));
  t.match(silent.said('tellRun').at(-1), { ask: 'LEAVE' }, 'it may have given a place');

  for (const given of [pickedUp, atTheDoor, handingOver]) {
    const out = given();
    t.match(out.said('tellRun')[0], { ask: 'HELD' });
    t.notOk(out.send({ type: 'COURIER_OFFLINE', courierId: 'usr_other' }));
    const before = out.states;
    t.ok(out.send({ type: 'COURIER_OFFLINE', courierId }));
    t.same(out.states, before, 'D-41: it stays');
    t.match(out.said('notify').at(-1), { template: 'courier_delayed' });
  }
  t.end();
});
