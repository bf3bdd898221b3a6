// Goal: every way a delivery by carrier, to a point or by post can go, and every change of the way. Method: as delivery.test.ts.

import { test } from 'tap';
import type { Walk } from '../walk.ts';
import {
  accepted,
  atPoint,
  atTheDoor,
  booked,
  by,
  cancel,
  courierId,
  DAY,
  envelope,
  handingOver,
  input,
  last,
  NO_PROOF,
  onItsWay,
  open,
  pickedUp,
  prove,
  published,
  scan,
  stands,
  tasks,
  withCarrier,
  zone,
} from './ways.ts';

const post = { method: 'post', verification: NO_PROOF } as const;
const carried = [withCarrier, onItsWay, atPoint] as const;

test('D-03: a carrier is booked at the hub; when it cannot, another one of the method is asked, then a dispatcher', (t) => {
  const w = withCarrier();
  t.same(stands(w), ['appointment.none', 'custody.hub', 'transport.moving.preTransit'], 'nobody has to be at home');
  t.equal(w.context.trackingNumber, 'TR-1');

  const refused = accepted({ method: 'pickup_point' });
  refused.send(envelope);
  t.match(refused.effects.at(-1), { id: 'carrier.createShipment', input: { seq: 1, method: 'pickup_point' } });
  refused.fail('carrier.createShipment');
  t.match(refused.effects.at(-1), { input: { seq: 2, carrier: 'swift-couriers' } });
  refused.fail('carrier.createShipment');
  t.ok(refused.in('transport.moving.notBooked'));
  t.same(tasks(refused), ['carrier_not_booked']);
  refused.send({ type: 'RETRY', by: 'usr_op' });
  t.ok(refused.in('transport.moving.preTransit'));
  t.same(tasks(refused), []);
  t.end();
});

test('DL2, D-29, D-30: before the carrier has it, a recall cancels; after that it comes back', (t) => {
  const early = withCarrier();
  early.send(cancel);
  t.same(stands(early), ['appointment.closed', 'custody.withheld', 'transport.cancelled']);
  t.match(early.said('carrier.void'), [{ seq: 1 }]);
  for (const given of [onItsWay, atPoint]) {
    const w = given();
    w.send(cancel);
    t.match(last(w), { type: 'DeliveryReturning', reason: 'recalled' });
  }
  t.end();
});

test('D-11: scans count by rank and time; a lower one after a higher is passed over, an exception never', (t) => {
  const w = onItsWay();
  t.same(stands(w), ['appointment.none', 'custody.carrier', 'transport.moving.inTransit']);
  t.same(published(w).slice(-2), ['DeliveryDispatched', 'DeliveryInTransit']);
  t.notOk(scan(w, 'pre_transit'), 'a straggler of lower rank');
  t.notOk(scan(w, 'at_hub', { occurredAt: w.context.scannedAt - 1 }), 'of the same rank, but older');
  t.ok(scan(w, 'at_hub'));
  t.ok(w.in('transport.moving.atHub'));
  t.ok(scan(w, 'out_for_delivery'));
  t.ok(w.in('transport.pickupPoint.arriving'), 'on its way to the point');
  t.notOk(scan(w, 'in_transit'), 'the rank never falls');
  const before = w.context.scannedAt;
  t.ok(scan(w, 'attempt_failed', { reason: 'access_problem' }), 'unless for an exception');
  t.match(last(w), { type: 'DeliveryAttemptFailed', reason: 'access_problem', attempt: 1 });
  t.ok(w.in('transport.moving.atHub'), 'D-23: a carrier tries again by itself');
  t.notOk(scan(w, 'out_for_delivery', { occurredAt: before }), 'a scan from before the exception says nothing');
  t.ok(scan(w, 'out_for_delivery'));
  t.ok(scan(w, 'ready_for_pickup'));
  t.equal(published(w).filter((type) => type === 'DeliveryDispatched').length, 1);
  t.notOk(scan(booked(), 'in_transit'), 'a courier is no carrier');

  for (const [status, event] of [
    ['returning', { type: 'DeliveryReturning', reason: 'carrier_returned' }],
    ['returned', { type: 'DeliveryReturning', reason: 'carrier_returned' }],
    ['damaged', { type: 'DeliveryReturning', reason: 'damaged' }],
    ['lost', { type: 'DeliverySuspectedLost' }],
    ['delivered', { type: 'DeliverySuspectedLost' }], // Without a proof, where proofs were asked for: DL1.
  ] as const) {
    const one = onItsWay();
    t.ok(scan(one, status), status);
    t.match(last(one), event, status);
  }
  t.end();
});

test('D-12: silence of a carrier is judged: five business days with tracking, thirty without', (t) => {
  for (const given of carried.slice(0, 2)) {
    const w = given();
    w.fire('scanOverdue');
    t.ok(w.in('transport.investigating.tracing'));
    t.match(last(w), { type: 'DeliverySuspectedLost' });
    t.same(tasks(w), ['trace_envelope']);
  }
  t.ok(scan(traced(), 'at_hub'), 'a scan is as good as a find');
  const untracked = sent();
  t.ok(untracked.in('transport.moving.inTransit'), 'it is on its way, and that is all that is ever heard');
  t.same(published(untracked).slice(-2), ['DeliveryDispatched', 'DeliveryInTransit']);
  untracked.fire('scanOverdue');
  t.ok(untracked.in('transport.investigating.tracing'));
  t.end();
});

/** A letter without tracking. */
function sent(): Walk {
  const w = accepted(post);
  w.send(envelope);
  w.done('carrier.createShipment', { shipmentId: 'shp_1', carrier: 'national-post' });
  return w;
}

function traced(): Walk {
  const w = onItsWay();
  w.fire('scanOverdue');
  return w;
}

test('D-20, O-54: post asks for no proof: the carrier’s word ends it, or the card that was activated', (t) => {
  const tracked = withCarrier(post);
  scan(tracked, 'out_for_delivery');
  t.ok(tracked.in('transport.lastMile.outForDelivery'));
  t.same(open(tracked), [], 'no code');
  scan(tracked, 'delivered');
  t.match(last(tracked), { type: 'DeliveryHandedOver', proofs: NO_PROOF });
  for (const given of [sent, traced, atPoint]) {
    const w = given();
    t.ok(w.send({ type: 'delivery.markDelivered' }));
    t.ok(w.in('transport.delivered') && w.in('custody.customer') && w.in('appointment.kept'));
    t.match(last(w), { type: 'DeliveryHandedOver', proofs: NO_PROOF });
  }
  t.notOk(booked().send({ type: 'delivery.markDelivered' }), 'a courier’s delivery is proved at the door');
  t.end();
});

test('D-25 … D-28: the point keeps it for a week and once longer, the recipient has his code, and proves who he is', (t) => {
  const w = atPoint({ storageDays: 5 });
  t.same(stands(w), ['appointment.none', 'custody.point', 'transport.pickupPoint.ready.sendingCode']);
  const { asOf } = w.context;
  t.match(last(w), { type: 'DeliveryReadyForPickup', pickupPointId: 'pp_1', storageUntil: asOf + 5 * DAY });
  t.match(w.effects, [{ id: 'otp.send', input: { attempt: 1, n: 1 } }]);
  w.done('otp.send', {});
  w.fire('storageHalf');
  w.fire('storageLastDay');
  t.same(
    w.said('notify').map(({ template }) => template),
    ['ready_for_pickup', 'pickup_reminder', 'pickup_reminder'],
  );
  t.ok(w.send({ type: 'delivery.extendStorage', by }));
  t.match(last(w), { type: 'DeliveryReadyForPickup', storageUntil: asOf + 10 * DAY }, 'D-26');
  t.notOk(w.send({ type: 'delivery.extendStorage', by }), 'once');
  const forgotten = w.fork();
  forgotten.fire('storageOver');
  t.match(last(forgotten), { type: 'DeliveryReturning', reason: 'storage_expired' }, 'D-27');

  t.notOk(w.send({ type: 'COLLECT', courierId, barcode: 'ENV-2' }), 'DL1');
  w.send({ type: 'COLLECT', courierId, barcode: 'ENV-1' });
  t.ok(w.in('transport.pickupPoint.collecting'));
  const gone = w.fork();
  gone.fire('noShow');
  t.ok(gone.in('transport.pickupPoint.ready'), 'he went away again');
  w.send({ type: 'START_HANDOVER', courierId });
  const refused = w.fork();
  for (let i = 0; i < 5; i++) refused.send({ type: 'OTP_CHECKED', courierId, ok: false, attempt: 1 });
  t.ok(refused.in('transport.pickupPoint.ready'), 'D-19, D-23: he may come again');
  t.match(refused.effects, [{ id: 'otp.send', input: { attempt: 2, n: 1 } }], 'DL4: with another code');
  prove(w);
  t.match(last(w), { type: 'DeliveryHandedOver', proofs: input.verification }, 'D-28');
  t.ok(w.in('custody.customer'));
  t.end();
});

test('D-34 … D-36: an envelope found goes on where it was: with its carrier, at its point, at the hub', (t) => {
  for (const [given, back, custody] of [
    [onItsWay, 'transport.moving.inTransit', 'custody.carrier'],
    [atPoint, 'transport.pickupPoint.ready', 'custody.point'],
    [withCarrier, 'transport.moving.preTransit', 'custody.hub'],
  ] as const) {
    const w = given();
    w.send({ type: 'LOST_REPORTED' });
    t.same(
      w.states.filter((state) => state.startsWith('custody')),
      ['custody.unknown'],
    );
    const lost = w.fork();
    lost.fire('traceExhausted');
    t.same(stands(lost), ['appointment.closed', 'custody.missing', 'transport.lost']);
    w.send({ type: 'FOUND' });
    t.ok(w.in(back), back);
    t.ok(w.in(custody), custody);
    t.same(tasks(w), []);
  }
  for (const type of ['STOLEN_REPORTED', 'DAMAGED', 'delivery.markNotReceived'])
    for (const given of carried.slice(1)) t.ok(given().send({ type, by }), `${type}: D-37, D-38`);
  t.end();
});

test('D-32: at the hub another address is a question to the zones, and costs no attempt', (t) => {
  const wish = { type: 'delivery.changeAddress', by, addressRef: 'ppl_new', country: 'DE' };
  const assigned = booked();
  assigned.send(wish);
  t.ok(assigned.in('route.checking'));
  t.match(assigned.effects.at(-1), {
    id: 'zone.check.route',
    input: { addressRef: 'ppl_new', method: 'courier', previousAddressRef: input.addressRef },
  });
  const same = assigned.fork();
  same.done('zone.check.route', zone);
  t.match(last(same), { type: 'DeliveryRerouted', addressRef: 'ppl_new', country: 'DE', method: 'courier' });
  t.same(
    stands(same),
    ['appointment.confirmed', 'custody.hub', 'transport.assigning.lookup'],
    'the appointment still fits',
  );
  t.match(same.effects, [{ input: { seq: 2, addressRef: 'ppl_new' } }], 'another booking');
  t.equal(same.context.attempt, 1);
  const far = assigned.fork();
  far.done('zone.check.route', { ...zone, zoneId: 'de' });
  t.same(stands(far), ['appointment.rescheduling.open', 'custody.hub', 'transport.assigning.waitingForSlot']);
  t.match(far.said('tellSlot').at(-1), { ask: 'FREE' });
  for (const [verdict, reason] of [
    [{ allowed: false, zoneId: 'de', alternatives: [] }, 'out_of_zone'],
    [{ allowed: false, alternatives: [] }, 'zone_unknown'],
  ] as const) {
    const w = assigned.fork();
    w.done('zone.check.route', verdict);
    t.match(last(w), { type: 'DeliveryRerouteRefused', reason });
    t.equal(w.context.addressRef, input.addressRef, 'everything stays as it was');
    t.equal(w.context.wish, null);
  }
  assigned.fail('zone.check.route');
  t.match(last(assigned), { type: 'DeliveryRerouteRefused', reason: 'zone_unknown' });

  const scanned = pickedUp();
  scanned.send(wish);
  scanned.done('zone.check.route', { ...zone, zoneId: 'de' });
  t.same(stands(scanned), ['appointment.rescheduling.open', 'custody.hub', 'transport.assigning.waitingForSlot']);
  const kept = pickedUp();
  kept.send(wish);
  kept.done('zone.check.route', zone);
  t.ok(kept.in('transport.pickup.scanned'), 'the same courier brings it there');

  const late = pickedUp();
  late.send(wish);
  late.send({ type: 'OUT_FOR_DELIVERY', courierId });
  late.done('zone.check.route', zone);
  t.match(last(late), { reason: 'too_far' }, 'he has left in the meantime');
  for (const [given, reason] of [
    [handingOver, 'too_late'],
    [onItsWay, 'carrier_cannot'],
    [atPoint, 'carrier_cannot'],
  ] as const) {
    const w = given();
    w.send(wish);
    t.match(last(w), { type: 'DeliveryRerouteRefused', reason });
  }
  const twice = booked();
  twice.send(wish);
  twice.send({ ...wish, addressRef: 'ppl_newer' });
  twice.done('zone.check.route', zone);
  t.equal(twice.context.addressRef, 'ppl_newer', 'the last wish counts');
  t.end();
});

test('D-32: another method is another booking; an appointment comes and goes with the courier', (t) => {
  const toPoint = { type: 'delivery.changeMethod', by, method: 'pickup_point' };
  for (const given of [accepted, booked, () => pickedUp()]) {
    const w = given();
    const wasOut = w.in('custody.courier');
    w.send(toPoint);
    w.done('zone.check.route', { ...zone, carriers: ['emboss-points'], pickupPointId: 'pp_9' });
    t.match(last(w), { type: 'DeliveryRerouted', method: 'pickup_point', pickupPointId: 'pp_9' });
    t.ok(w.in('appointment.none'));
    t.ok(w.in('transport.moving.preTransit') || w.in('transport.awaitingEnvelope'));
    t.equal(w.in('custody.hub'), wasOut || w.in('transport.moving'), 'back at the hub');
  }
  const back = withCarrier();
  back.send({ type: 'delivery.changeMethod', by, method: 'courier', addressRef: 'ppl_home', country: 'DE' });
  back.done('zone.check.route', zone);
  t.same(stands(back), ['appointment.proposed.open', 'custody.hub', 'transport.assigning.waitingForSlot']);
  t.match(back.said('carrier.void'), [{ seq: 1 }]);
  const proofless = booked();
  proofless.send({ type: 'delivery.changeMethod', by, method: 'post' });
  proofless.done('zone.check.route', zone);
  t.match(last(proofless), { type: 'DeliveryRerouteRefused', reason: 'carrier_cannot' }, 'post proves nothing');
  const offTheWay = atTheDoor();
  offTheWay.send(toPoint);
  t.match(last(offTheWay), { reason: 'too_late' });
  t.end();
});

test('D-33: on the last mile the courier is asked, and only for an address around the corner', (t) => {
  const wish = { type: 'delivery.changeAddress', by, addressRef: 'ppl_new', country: 'DE' };
  for (const distanceMetres of [2_001, undefined]) {
    const w = atTheDoor();
    w.send(wish);
    w.done('zone.check.route', { ...zone, ...(distanceMetres === undefined ? {} : { distanceMetres }) });
    t.match(last(w), { type: 'DeliveryRerouteRefused', reason: 'too_far' });
  }
  const w = atTheDoor();
  w.send(wish);
  w.done('zone.check.route', { ...zone, distanceMetres: 2_000 });
  t.ok(w.in('route.askingCourier'));
  t.notOk(w.send({ type: 'REROUTE_ACCEPTED', courierId: 'usr_other' }));
  const [declined, silent, begun] = [w.fork(), w.fork(), w.fork()];
  declined.send({ type: 'REROUTE_DECLINED', courierId });
  silent.fire('rerouteUnanswered');
  for (const no of [declined, silent]) t.match(last(no), { reason: 'courier_declined' });
  begun.send({ type: 'START_HANDOVER', courierId });
  begun.send({ type: 'REROUTE_ACCEPTED', courierId });
  t.match(last(begun), { type: 'DeliveryRerouteRefused', reason: 'too_late' });
  w.send({ type: 'REROUTE_ACCEPTED', courierId });
  t.same(stands(w), ['appointment.confirmed', 'custody.courier', 'transport.lastMile.outForDelivery']);
  t.equal(w.context.addressRef, 'ppl_new');
  t.ok(published(w).includes('DeliveryRerouted'));
  t.end();
});

test('DL6, D-42: for thirty days after the handover the recipient may say that it was not him', (t) => {
  const w = handingOver();
  prove(w);
  const quiet = w.fork();
  t.ok(w.send({ type: 'DISPUTE', by, kind: 'not_me' }));
  t.match(last(w), { type: 'DeliveryDisputed' });
  t.same(tasks(w), ['delivery_disputed']);
  t.notOk(w.send({ type: 'DISPUTE', by, kind: 'not_me' }), 'once');
  const settled = w.fork();
  settled.send({ type: 'CLAIM_SETTLED', by: 'usr_fraud' });
  w.fire('claimOver');
  quiet.fire('claimOver');
  for (const over of [settled, w, quiet]) {
    t.equal(over.snapshot.status, 'done');
    t.same(tasks(over), []);
  }
  t.notOk(handingOver().send({ type: 'DISPUTE', by, kind: 'not_me' }), 'nothing was handed over yet');
  t.end();
});

test('DL5, D-11: asked where it stands, a delivery says so, and counts it', (t) => {
  const returned = onItsWay();
  scan(returned, 'returning');
  returned.send({ type: 'RECEIVED', by, barcode: 'ENV-1', seal: 'intact' });
  const delivered = handingOver();
  prove(delivered);
  const failed = handingOver();
  failed.send({ type: 'REFUSED', courierId });
  const places: readonly (readonly [Walk, string])[] = [
    [accepted(), 'scheduling'],
    [withCarrier(), 'scheduling'],
    [pickedUp(), 'dispatched'],
    [onItsWay(), 'in_transit'],
    [atTheDoor(), 'out_for_delivery'],
    [handingOver(), 'out_for_delivery'],
    [atPoint(), 'ready_for_pickup'],
    [failed, 'attempt_failed'],
    [traced(), 'suspected_lost'],
    [returned, 'returned'],
    [delivered, 'delivered'],
  ];
  for (const [w, status] of places) {
    const { published: count } = w.context;
    t.ok(w.send({ type: 'delivery.restate' }), status);
    t.match(last(w), { type: 'DeliveryStatus', status, deliveryVersion: count + 1 });
  }
  t.end();
});

test('the context of a delivery stays small, whatever it has been through', (t) => {
  const w = atTheDoor(
    pickedUp(booked({ cardId: 'crd_3kTabcdefghijklmnopqrstuv', service: 'standard', storageDays: 7 })),
  );
  w.send({ type: 'NO_SHOW', courierId });
  w.send({ type: 'delivery.changeMethod', by, method: 'pickup_point', pickupPointId: 'pp_berlin_mitte' });
  const bytes = JSON.stringify(w.context).length;
  t.ok(bytes <= 1_536, `${bytes} bytes`);
  t.end();
});
