// Goal: every way a delivery can go in this release. Method: given a walk to a place, when something is said, then the
// states, effects and messages are these. Nothing runs and no time passes; the outcomes are the test's.

import { test } from 'tap';
import { type Walk, walk } from '../walk.ts';
import type { DeliveryInput } from './context.ts';
import { delivery } from './delivery.ts';

const courierId = 'usr_courier7';
const by = 'usr_1';
const DAY = 86_400_000;
const task: DeliveryInput = {
  deliveryId: 'dlv_3kTabcdefghijklmnopqrstuv_1',
  orderId: 'ord_3kTabcdefghijklmnopqrstuv',
  seq: 1,
  envelopeId: 'ENV-1',
  method: 'courier',
  personRef: 'ppl_abcdefghijklmnopqrstuv',
  addressRef: 'ppl_abcdefghijklmnopqrstuw',
  country: 'DE',
  locale: 'de',
  verification: { idCheck: true, otp: true, signature: true, photo: false },
  attemptsMax: 3,
};

// --- Given: ways to a place ---

function accepted(more: Partial<DeliveryInput> = {}): Walk {
  const w = walk(delivery, { ...task, ...more });
  w.send({ type: 'delivery.create' });
  return w;
}

const slot = {
  type: 'SLOT_CHOSEN',
  by,
  slotId: 'slt_1',
  from: 1_800_000_000_000 + 3 * DAY,
  to: 1_800_000_000_000 + 3 * DAY + 14_400_000,
};

function confirmed(more: Partial<DeliveryInput> = {}): Walk {
  const w = accepted(more);
  w.done('carrier.preadvise', {});
  w.send(slot);
  return w;
}

function booked(more: Partial<DeliveryInput> = {}): Walk {
  const w = confirmed(more);
  w.send({ type: 'ENVELOPE_READY', envelopeId: 'ENV-1' });
  return w;
}

/** A courier holds the envelope. */
function pickedUp(w: Walk = booked()): Walk {
  w.done('carrier.createShipment', {
    shipmentId: `shp_${w.context.booking}`,
    carrier: 'inhouse',
    trackingNumber: 'TR-1',
  });
  w.send({ type: 'COURIER_FOUND', courierId, seq: w.context.booking });
  w.send({ type: 'COURIER_ARRIVED' });
  w.send({ type: 'SCANNED', courierId, barcode: 'ENV-1' });
  return w;
}

function atTheDoor(w: Walk = pickedUp()): Walk {
  w.send({ type: 'OUT_FOR_DELIVERY', courierId });
  w.send({ type: 'ARRIVED', courierId, distanceMetres: 12 });
  return w;
}

function handingOver(more: Partial<DeliveryInput> = {}): Walk {
  const w = atTheDoor(pickedUp(booked(more)));
  w.send({ type: 'START_HANDOVER', courierId });
  return w;
}

const cancel = { type: 'delivery.cancel', reason: 'order_cancelled' };
const published = (w: Walk): unknown[] => w.said('tellOrdering').map(({ type }) => type);
const open = (w: Walk): string[] => w.effects.map(({ id }) => id).sort();

// --- Then ---

test('DL1: the happy path, from the command to the customer’s hand', (t) => {
  const w = accepted();
  t.same(w.states, ['appointment.proposed', 'custody.bureau', 'transport.awaitingEnvelope']);
  t.same(open(w), ['carrier.preadvise']);
  t.match(w.said('notify'), [{ template: 'choose_slot' }]);

  const hub = booked();
  t.same(hub.states, ['appointment.confirmed', 'custody.hub', 'transport.assigning.lookup']);
  t.match(hub.effects, [{ id: 'carrier.createShipment', input: { seq: 1, slot: { slotId: 'slt_1' } } }]);

  const out = pickedUp();
  t.same(out.states, ['appointment.confirmed', 'custody.courier', 'transport.pickup.scanned']);
  t.match(out.context, { shipmentId: 'shp_1', carrier: 'inhouse', courierId });

  const door = handingOver();
  t.same(open(door), ['otp.send']);
  t.match(door.effects, [{ input: { attempt: 1, n: 1, deliveryId: task.deliveryId } }]);
  t.ok(door.in('transport.handover.photo.notRequired'));
  door.done('otp.send', {});
  door.send({ type: 'ID_SCANNED', courierId });
  door.send({ type: 'OTP_CHECKED', courierId, ok: true, attempt: 1 });
  t.notOk(published(door).includes('DeliveryHandedOver'), 'not before the last proof');
  door.send({ type: 'SIGNATURE_CAPTURED', courierId });
  t.same(door.states, ['appointment.kept', 'custody.customer', 'transport.delivered']);
  t.equal(door.snapshot.status, 'done', 'DL6');
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
    proofs: task.verification,
    orderId: task.orderId,
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

  const refused = accepted({ method: 'post' });
  t.same(refused.states, ['appointment.closed', 'custody.withheld', 'transport.refused']);
  t.match(refused.said('tellOrdering'), [
    { type: 'DeliveryRejected', reason: 'method_unavailable', alternatives: ['courier'] },
  ]);
  t.equal(refused.snapshot.status, 'done');
  t.end();
});

test('D-03: only the envelope that was told of is taken in; without an appointment it waits', (t) => {
  const w = accepted();
  t.notOk(w.send({ type: 'ENVELOPE_READY', envelopeId: 'ENV-2' }));
  w.send({ type: 'ENVELOPE_READY', envelopeId: 'ENV-1' });
  t.ok(w.in('transport.assigning.waitingForSlot'));
  t.notOk(w.send({ type: 'ENVELOPE_READY', envelopeId: 'ENV-1' }), 'a second scan');
  w.send(slot);
  t.ok(w.in('transport.assigning.lookup'));

  const silent = accepted();
  silent.fail('carrier.preadvise');
  t.match(silent.said('openTask'), [{ task: 'hub_not_told' }]);
  silent.send({ type: 'RETRY', by: 'usr_op' });
  t.same(open(silent), ['carrier.preadvise']);
  silent.fire('envelopeOverdue');
  t.match(silent.said('openTask').at(-1), { task: 'envelope_overdue' });
  t.end();
});

test('D-04, D-05: the recipient chooses, is reminded, and after a week the envelope goes back', (t) => {
  const w = accepted();
  t.notOk(w.send({ ...slot, from: slot.to + 1 }), 'a window that ends before it begins');
  t.notOk(w.send({ ...slot, from: 1, to: 2 }), 'a window in the past');
  w.fire('slotReminder1');
  w.fire('slotReminder2');
  t.match(
    w.said('notify').map(({ template }) => template),
    ['choose_slot', 'choose_slot_first_reminder', 'choose_slot_second_reminder'],
  );

  const early = w.fork();
  early.fire('slotAbandoned');
  t.ok(early.in('appointment.proposed'), 'the envelope is not even here: the week begins again');
  t.ok(early.timers.includes('slotReminder1'));
  w.send({ type: 'ENVELOPE_READY', envelopeId: 'ENV-1' });
  w.fire('slotAbandoned');
  t.ok(w.in('transport.returning.inTransit'));
  t.match(w.said('tellOrdering').at(-1), { type: 'DeliveryReturning', reason: 'abandoned' });

  const chosen = confirmed();
  t.match(chosen.said('tellOrdering').at(-1), { type: 'AppointmentConfirmed', slotId: 'slt_1', from: slot.from });
  chosen.fire('dayBefore');
  chosen.fire('hoursBefore');
  t.match(chosen.said('notify').slice(-2), [{ template: 'slot_tomorrow' }, { template: 'slot_today' }]);
  t.end();
});

test('D-06: an appointment is changed until a courier is at the hub, three times by the customer', (t) => {
  const w = booked();
  w.done('carrier.createShipment', { shipmentId: 'shp_1', carrier: 'inhouse' });
  w.send({ type: 'COURIER_FOUND', courierId, seq: 1 });
  t.ok(w.send({ type: 'RESCHEDULE', by, role: 'customer' }));
  t.same(w.states, ['appointment.rescheduling', 'custody.hub', 'transport.assigning.waitingForSlot']);
  t.match(w.said('carrier.void').at(-1), { seq: 1 });
  t.match(w.said('tellOrdering').at(-1), { type: 'DeliveryRescheduled', by: 'customer' });
  w.send(slot);
  t.match(w.effects, [{ id: 'carrier.createShipment', input: { seq: 2 } }], 'another booking');
  t.notOk(w.send({ type: 'COURIER_FOUND', courierId, seq: 1 }), 'a courier of the old one');
  for (const left of [true, true, false]) {
    t.equal(w.send({ type: 'RESCHEDULE', by, role: 'customer' }), left);
    if (left) w.send(slot);
  }
  t.ok(w.send({ type: 'RESCHEDULE', by: 'usr_op', role: 'operator' }), 'an operator still may');

  const soon = accepted();
  soon.send({ ...slot, from: 1_800_000_000_000 + 3_600_000, to: 1_800_000_000_000 + 7_200_000 });
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
  t.match(w.said('openTask').at(-1), { task: 'courier_not_found' });
  w.send({ type: 'RETRY', by: 'usr_op' });
  t.ok(w.in('transport.assigning.lookup'));
  t.equal(w.context.searches, 0);

  for (const when of [(x: Walk) => x.fail('carrier.createShipment'), (x: Walk) => x.fire('courierOverdue')]) {
    const none = booked();
    when(none);
    t.ok(none.in('transport.assigning.notFound'));
  }
  const absent = booked();
  absent.send({ type: 'COURIER_FOUND', courierId });
  absent.fire('courierOverdue');
  t.ok(absent.in('transport.assigning.notFound'), 'found, but never came');
  t.equal(absent.said('carrier.void').length, 1);
  t.end();
});

test('DL1, D-10: only this courier, and only with the envelope’s own barcode', (t) => {
  const w = booked();
  w.send({ type: 'COURIER_FOUND', courierId, seq: 1 });
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
  t.same(w.states, ['appointment.rescheduling', 'custody.hub', 'transport.assigning.waitingForSlot'], 'D-23');
  t.equal(w.context.attempt, 2);
  t.end();
});

test('D-22 … D-24: three times nobody there, and it goes back', (t) => {
  const w = atTheDoor();
  w.send({ type: 'NO_SHOW', courierId });
  for (const attempt of [2, 3]) {
    w.send(slot);
    t.ok(w.in('transport.assigning.lookup'));
    atTheDoor(pickedUp(w));
    t.equal(w.context.attempt, attempt);
    w.send({ type: 'NO_SHOW', courierId });
  }
  t.ok(w.in('transport.returning.inTransit'), 'D-24');
  t.same(published(w).slice(-2), ['DeliveryAttemptFailed', 'DeliveryReturning']);
  t.match(w.said('tellOrdering').at(-1), { reason: 'attempts_exhausted' });
  t.ok(w.in('appointment.closed'), 'no reminder of an appointment that is none');
  t.notOk(w.send({ type: 'RECEIVED', by: 'usr_vault', barcode: 'ENV-2', seal: 'intact' }));
  w.send({ type: 'RECEIVED', by: 'usr_vault', barcode: 'ENV-1', seal: 'intact' });
  t.same(w.states, ['appointment.closed', 'custody.vault', 'transport.returned'], 'D-39');
  t.match(w.said('tellOrdering').at(-1), { type: 'DeliveryReturned', seal: 'intact' });
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

test('D-23, D-24: what is tried again, what counts, and what goes back at once', (t) => {
  const again = ['access_problem', 'customer_asked_later', 'id_missing'];
  const uncounted = ['weather_or_force_majeure', 'courier_fault'];
  const back = ['wrong_address', 'customer_moved'];
  for (const reason of [...again, ...uncounted]) {
    const w = atTheDoor();
    t.ok(w.send({ type: 'ATTEMPT_FAILED', courierId, reason }), reason);
    t.ok(w.in('transport.assigning.waitingForSlot'), reason);
    t.equal(w.context.failures, uncounted.includes(reason) ? 0 : 1, reason);
  }
  for (const reason of back) {
    const w = atTheDoor();
    w.send({ type: 'ATTEMPT_FAILED', courierId, reason });
    t.match(w.said('tellOrdering').at(-1), { type: 'DeliveryReturning', reason: 'not_retryable' }, reason);
  }
  for (const type of ['REFUSED', 'SIGNATURE_REFUSED', 'ID_EXPIRED']) {
    const w = handingOver();
    w.send({ type, courierId });
    t.ok(w.in('transport.returning.inTransit'), `${type}: D-21`);
  }
  const damaged = atTheDoor();
  damaged.send({ type: 'ATTEMPT_FAILED', courierId, reason: 'damaged' });
  t.same(published(damaged).slice(-2), ['DeliveryDamaged', 'DeliveryReturning'], 'D-38');
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
  w.send(slot);
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
  resent.fail('otp.send');
  t.ok(resent.in('transport.handover.otp.sent'), 'the courier calls support');
  t.end();
});

test('DL2, D-29: before a courier has it, a recall cancels', (t) => {
  const places: readonly (readonly [string, () => Walk, boolean])[] = [
    ['awaitingEnvelope', accepted, false],
    [
      'waitingForSlot',
      () => {
        const w = accepted();
        w.send({ type: 'ENVELOPE_READY', envelopeId: 'ENV-1' });
        return w;
      },
      false,
    ],
    ['lookup', booked, true],
    [
      'courierArrived',
      () => {
        const w = booked();
        w.send({ type: 'COURIER_FOUND', courierId });
        w.send({ type: 'COURIER_ARRIVED' });
        return w;
      },
      true,
    ],
  ];
  for (const [name, given, wasBooked] of places) {
    const w = given();
    w.send(cancel);
    t.same(w.states, ['appointment.closed', 'custody.withheld', 'transport.cancelled'], name);
    t.equal(published(w).at(-1), 'DeliveryCancelled');
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
  t.same(w.states, ['appointment.confirmed', 'custody.unknown', 'transport.investigating.tracing']);
  t.equal(published(w).at(-1), 'DeliverySuspectedLost');

  const found = w.fork();
  found.send({ type: 'FOUND' });
  t.same(found.states, ['appointment.rescheduling', 'custody.hub', 'transport.assigning.waitingForSlot'], 'D-35');
  const recalled = w.fork();
  recalled.send(cancel);
  recalled.send({ type: 'FOUND' });
  t.ok(recalled.in('transport.returning'), 'recalled in the meantime');

  for (const when of [(x: Walk) => x.send({ type: 'LOST_CONFIRMED' }), (x: Walk) => x.fire('traceExhausted')]) {
    const lost = w.fork();
    when(lost);
    t.same(lost.states, ['appointment.closed', 'custody.missing', 'transport.lost'], 'D-36');
    t.equal(lost.snapshot.status, 'done');
  }
  w.send({ type: 'STOLEN_REPORTED' });
  t.ok(w.in('transport.stolen'), 'D-37');

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
