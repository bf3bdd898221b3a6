// Ways of a delivery to a place, for its tests: each begins at the command and says what the world would say.

import { type Walk, walk } from '../walk.ts';
import type { DeliveryInput } from './context.ts';
import { delivery } from './delivery.ts';

export const courierId = 'usr_courier7';
export const by = 'usr_1';
export const NOW = 1_800_000_000_000;
export const DAY = 86_400_000;
export const SLOT = 'slt_de-berlin_20270118T0900-1300';
export const input: DeliveryInput = {
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
export const NO_PROOF = { idCheck: false, otp: false, signature: false, photo: false };
export const zone = {
  zoneId: 'de-berlin',
  allowed: true,
  alternatives: ['pickup_point'],
  carriers: ['emboss-couriers', 'swift-couriers'],
  stopsPerRun: 25,
};

export function asked(more: Partial<DeliveryInput> = {}): Walk {
  const w = walk(delivery, { ...input, ...more }, NOW);
  w.send({ type: 'delivery.create' });
  return w;
}

export function accepted(more: Partial<DeliveryInput> = {}): Walk {
  const w = asked(more);
  w.done('zone.check', zone);
  return w;
}

export const slot = { type: 'SLOT_CHOSEN', by, slotId: SLOT, from: NOW + 3 * DAY, to: NOW + 3 * DAY + 14_400_000 };
export const envelope = { type: 'ENVELOPE_READY', envelopeId: 'ENV-1' };
export const cancel = { type: 'delivery.cancel', reason: 'order_cancelled' };

/** The recipient chooses, and a place is left. */
export function choose(w: Walk): void {
  w.send(slot);
  w.send({ type: 'SLOT_TAKEN', slotId: SLOT, turn: w.context.turn, from: slot.from, to: slot.to });
}

/** A courier is found, and his day has a place. */
export function find(w: Walk): void {
  w.send({ type: 'COURIER_FOUND', courierId, seq: w.context.booking });
  w.send({ type: 'BOARDED', runId: w.context.runId, turn: w.context.booking });
}

export function confirmed(more: Partial<DeliveryInput> = {}): Walk {
  const w = accepted(more);
  w.done('carrier.preadvise', {});
  choose(w);
  return w;
}

export function booked(more: Partial<DeliveryInput> = {}): Walk {
  const w = confirmed(more);
  w.send(envelope);
  return w;
}

/** A courier holds the envelope. */
export function pickedUp(w: Walk = booked()): Walk {
  w.done('carrier.createShipment', {
    shipmentId: `shp_${w.context.booking}`,
    carrier: 'inhouse',
    trackingNumber: 'TR-1',
  });
  find(w);
  w.send({ type: 'COURIER_ARRIVED' });
  w.send({ type: 'SCANNED', courierId, barcode: 'ENV-1' });
  return w;
}

export function atTheDoor(w: Walk = pickedUp()): Walk {
  w.send({ type: 'OUT_FOR_DELIVERY', courierId });
  w.send({ type: 'ARRIVED', courierId, distanceMetres: 12 });
  return w;
}

export function handingOver(more: Partial<DeliveryInput> = {}): Walk {
  const w = atTheDoor(pickedUp(booked(more)));
  w.send({ type: 'START_HANDOVER', courierId });
  return w;
}

/** Every proof the product asks for. */
export function prove(w: Walk): void {
  w.send({ type: 'ID_SCANNED', courierId });
  w.send({ type: 'OTP_CHECKED', courierId, ok: true, attempt: w.context.attempt });
  w.send({ type: 'SIGNATURE_CAPTURED', courierId });
}

/** Booked at a carrier that follows it by scans; still at the hub. */
export function withCarrier(more: Partial<DeliveryInput> = {}): Walk {
  const w = accepted({ method: 'pickup_point', pickupPointId: 'pp_1', ...more });
  w.send(envelope);
  w.done('carrier.createShipment', { shipmentId: 'shp_1', carrier: 'emboss-points', trackingNumber: 'TR-1' });
  return w;
}

const RANKS: { readonly [status: string]: number } = {
  ...{ pre_transit: 10, in_transit: 20, at_hub: 20, out_for_delivery: 30, ready_for_pickup: 35, arrived: 40 },
  ...{ delivered: 90, returning: 60, returned: 95 },
};

/** A scan, later than all before it. */
export function scan(w: Walk, status: string, more: object = {}): boolean {
  const occurredAt = Math.max(w.context.scannedAt, w.context.exceptionAt, NOW) + 1;
  return w.send({ type: 'TRACKING', status, rank: RANKS[status] ?? 0, occurredAt, carrier: 'c', ...more });
}

export function onItsWay(more: Partial<DeliveryInput> = {}): Walk {
  const w = withCarrier(more);
  scan(w, 'in_transit');
  return w;
}

export function atPoint(more: Partial<DeliveryInput> = {}): Walk {
  const w = onItsWay(more);
  scan(w, 'ready_for_pickup');
  return w;
}

/** Leaf states of transport, appointment and custody. */
export const stands = (w: Walk): readonly string[] => w.states.filter((state) => !/^(route|claim)\./.test(state));
export const published = (w: Walk): unknown[] => w.said('tellOrdering').map(({ type }) => type);
export const last = (w: Walk): Record<string, unknown> | undefined => w.said('tellOrdering').at(-1);
export const open = (w: Walk): string[] => w.effects.map(({ id }) => id).sort();
/** Tasks that are open: opened more often than closed. */
export function tasks(w: Walk): unknown[] {
  const closed = w.said('closeTask').map(({ task }) => task);
  return w
    .said('openTask')
    .map(({ task }) => task)
    .filter((task) => {
      const at = closed.indexOf(task);
      if (at >= 0) closed.splice(at, 1);
      return at < 0;
    });
}
