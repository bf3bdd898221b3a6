// Hub and carrier: expects envelopes, scans them in, and finds couriers. Couriers themselves act through the courier api.

import { Type } from 'typebox';
import type { JsonObject } from '../../../runtime/json.ts';
import { closed, count, country, id, ms, word } from '../../contract/schema.ts';
import { type Envelope, envelopeOf } from './bureau.ts';
import { befalls, draw, opaque } from './faults.ts';
import {
  type Ask,
  done,
  idFor,
  minutes,
  type Operation,
  operation,
  planned,
  refused,
  type Step,
  type World,
} from './operation.ts';

interface Shipment {
  readonly deliveryId: string;
  readonly seq: number;
  readonly state: 'booked' | 'void';
  readonly courierId?: string;
}

const PATH = '/partner/carrier/v1/tracking-events';
const CARRIER = 'emboss-couriers';
const TO_HUB_MINUTES = [60, 6 * 60] as const;
const LOOKUP_MINUTES = [5, 60] as const;
const TO_PICKUP_MINUTES = [10, 60] as const;

const preadvise = operation<{ deliveryId: string; envelopeId: string }>({
  effect: 'carrier.preadvise',
  path: '/carrier/preadvices',
  body: closed({ orderId: id, deliveryId: id, envelopeId: word, method: word, country }),
  subject: (body) => body.deliveryId,
  decide(body, ask, world) {
    const known = envelopeOf(body.envelopeId, world);
    if (known?.destroyed) return done({ expected: false }); // It was caught after all; the hub waits for nothing.
    const hubAt = world.now + minutes(world, ask, 'hub', TO_HUB_MINUTES);
    const envelope: Envelope = { ...known, destroyed: false, hubAt, deliveryId: body.deliveryId };
    const scan = told(body.deliveryId, 'envelope_ready', hubAt, { envelopeId: body.envelopeId });
    return done(
      { expected: true },
      {
        callbacks: planned(world, ask, [scan]),
        sets: [{ table: 'envelopes', id: body.envelopeId, row: { ...envelope } }],
      },
    );
  },
});

const createShipment = operation<{ deliveryId: string; seq: number; envelopeId: string }>({
  effect: 'carrier.createShipment',
  path: '/carrier/shipments',
  body: closed({
    orderId: id,
    deliveryId: id,
    seq: count,
    envelopeId: word,
    method: word,
    country,
    slot: closed({ slotId: id, from: ms, to: ms }),
    recipient: closed({ name: Type.String({ maxLength: 300 }), phone: Type.Optional(Type.String({ maxLength: 20 })) }),
    address: Type.Object({ countryCode: country }, { additionalProperties: true }),
  }),
  subject: (body) => body.deliveryId,
  decide(body, ask, world) {
    if (world.book.row('shipments', shipmentIdOf(body.deliveryId, body.seq))?.state === 'void') {
      return refused('booking_void', 'the booking was given back before it was made', 409);
    }
    const found = !befalls(world.faults, 'courierNotFoundRate', ask);
    const courierId = found ? pickCourier(ask, world) : undefined;
    const shipmentId = shipmentIdOf(body.deliveryId, body.seq);
    const trackingNumber = `TRK-${opaque(12, 'tracking', ask.businessKey, String(ask.act))}`;
    const shipment: Shipment = {
      deliveryId: body.deliveryId,
      seq: body.seq,
      state: 'booked',
      ...(courierId === undefined ? {} : { courierId }),
    };
    // A partner without business keys makes a second booking of the same number: it needs a row of its own.
    const id = ask.act === 1 ? shipmentId : idFor('shp_', ask);
    return done(
      { shipmentId: id, carrier: CARRIER, trackingNumber },
      {
        result: id,
        callbacks: planned(world, ask, courierSteps(body, courierId, ask, world)),
        sets: [{ table: 'shipments', id, row: { ...shipment } }],
      },
    );
  },
});

function courierSteps(
  { deliveryId, seq }: { readonly deliveryId: string; readonly seq: number },
  courierId: string | undefined,
  ask: Ask,
  world: World,
): readonly Step[] {
  const lookedUpAt = world.now + minutes(world, ask, 'lookup', LOOKUP_MINUTES);
  if (courierId === undefined) return [told(deliveryId, 'courier_not_found', lookedUpAt, { seq })];
  const arrivedAt = lookedUpAt + minutes(world, ask, 'pickup', TO_PICKUP_MINUTES);
  return [
    told(deliveryId, 'courier_found', lookedUpAt, { courierId, seq }),
    told(deliveryId, 'courier_arrived', arrivedAt, { courierId, seq }),
  ];
}

const voidShipment = operation<{ deliveryId: string; seq: number }>({
  effect: 'carrier.void',
  path: '/carrier/voids',
  body: closed({ orderId: id, deliveryId: id, seq: count }),
  subject: (body) => body.deliveryId,
  decide(body, _ask, world) {
    const shipmentId = shipmentIdOf(body.deliveryId, body.seq);
    const known = world.book.row('shipments', shipmentId);
    // A booking that was never made is marked all the same: nothing is looked for in its name.
    const shipment = { deliveryId: body.deliveryId, seq: body.seq, ...known, state: 'void' };
    const pending = world.book
      .callbacksOf(`carrier.createShipment|${body.deliveryId}:${body.seq}`)
      .filter(({ state }) => state === 'pending')
      .map(({ callback }) => callback.eventId);
    return done(
      { state: 'void' },
      { result: shipmentId, withdraw: pending, sets: [{ table: 'shipments', id: shipmentId, row: shipment }] },
    );
  },
});

const shipmentIdOf = (deliveryId: string, seq: number): string => `shp_${opaque(18, deliveryId, String(seq))}`;

const pickCourier = (ask: Ask, world: World): string | undefined =>
  world.couriers[Math.floor(draw(world.faults.seed, 'courier', ask.businessKey) * world.couriers.length)];

const told = (deliveryId: string, code: string, dueAt: number, data: JsonObject): Step => ({
  name: code,
  path: PATH,
  dueAt,
  body: { deliveryId, code, occurredAt: new Date(dueAt).toISOString(), data },
});

export const carrier: readonly Operation[] = [preadvise, createShipment, voidShipment];
