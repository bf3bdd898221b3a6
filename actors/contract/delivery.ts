// What travels to the actors of the delivery context, and what creates them.
//
// Ordering sends commands and never names couriers, slots or carriers; it hears the published events of ordering.ts.
// The runtime adds `at`, the clock reading of the step; no sender does.

import { type Static, Type } from 'typebox';
import { runAnswers, slotAnswers } from './booking.ts';
import { commandReasons, idMismatchReasons } from './reasons.ts';
import { closed, count, country, type EventOf, event, id, ms, oneOf, word } from './schema.ts';
import { method, verification } from './words.ts';

/** Created by ordering together with `delivery.create`. */
export const deliveryInput = closed({
  deliveryId: id,
  orderId: id,
  /** 1 for the first delivery of an order, 2 for the first redelivery … */
  seq: count,
  /** Barcode of the envelope: every change of hands is a scan of it. */
  envelopeId: word,
  method,
  personRef: id,
  addressRef: id,
  country,
  locale: word,
  verification,
  pickupPointId: Type.Optional(id),
  service: Type.Optional(oneOf('standard', 'priority', 'express')),
  /** How long a pickup point keeps the envelope, in days. 7 by default. */
  storageDays: Type.Optional(count),
  /** Attempts that count, before the envelope goes back. 3 by default. */
  attemptsMax: count,
  /** Whose card lies in it. With it, the guard of the card hears of a theft besides the order (4.6). */
  cardId: Type.Optional(id),
});
export type DeliveryInput = Static<typeof deliveryInput>;

/** By ordering, through the outbox. */
export const deliveryCommands = {
  /** Answered with DeliveryAccepted or DeliveryRejected; a repeat gets the same answer. D-01, D-02. */
  'delivery.create': event('delivery.create', {}),
  /**
   * Answered with DeliveryCancelled before a courier has the envelope, else with DeliveryReturning and in the end
   * DeliveryReturned; or not at all when the handover was first: then DeliveryHandedOver is on its way. D-29 … D-31.
   */
  'delivery.cancel': event('delivery.cancel', { reason: word }),
  /** Answered with DeliveryRerouted or DeliveryRerouteRefused. D-32, D-33. */
  'delivery.changeAddress': event('delivery.changeAddress', { by: id, addressRef: id, country }),
  /** Another method, or another pickup point. Answered like a change of address. */
  'delivery.changeMethod': event('delivery.changeMethod', {
    by: id,
    method,
    pickupPointId: Type.Optional(id),
    addressRef: Type.Optional(id),
    country: Type.Optional(country),
  }),
  /** The appointment shall be another one. Answered with DeliveryRescheduled, or refused by the chart. D-06. */
  'delivery.reschedule': event('delivery.reschedule', { by: id, role: oneOf('customer', 'operator') }),
  /** Keeps the envelope at the pickup point once more. Answered with DeliveryReadyForPickup. D-26. */
  'delivery.extendStorage': event('delivery.extendStorage', { by: id }),
  /** After a refusal at the door, or new documents: try again. D-21. */
  'delivery.retry': event('delivery.retry', { by: id }),
  /** The customer says that it never came: a trace begins. O-46. */
  'delivery.markNotReceived': event('delivery.markNotReceived', { by: id }),
  /** The card was activated: it has arrived, whatever the carrier says. O-54. */
  'delivery.markDelivered': event('delivery.markDelivered', {}),
  /** By the sweep: say again where you stand. Answered with DeliveryStatus. */
  'delivery.restate': event('delivery.restate', {}),
  /** The returned envelope was taken out of the vault for another delivery. Ends the custody. */
  'delivery.release': event('delivery.release', {}),
  /** The returned envelope was destroyed. Ends the custody. */
  'delivery.destroy': event('delivery.destroy', { by: id, witness: id }),
} as const;

/** By the customer, through the api. */
export const recipientEvents = {
  /**
   * First choice, or the next one after a failed attempt. `from` must lie ahead. The slot's actor decides; until then nothing
   * is confirmed. D-04.
   */
  SLOT_CHOSEN: event('SLOT_CHOSEN', { by: id, slotId: id, from: ms, to: ms }),
  /** A confirmed appointment shall be another one; SLOT_CHOSEN has to follow. At most 3 by the customer. D-06. */
  RESCHEDULE: event('RESCHEDULE', { by: id, role: oneOf('customer', 'courier', 'operator') }),
  /** Within 30 days of the handover: it was somebody else who took it. The fraud desk looks at it. D-42. */
  DISPUTE: event('DISPUTE', { by: id, kind: oneOf('not_me') }),
} as const;

/** What a carrier says of a shipment, in our words. */
export const trackingStatus = oneOf(
  'pre_transit',
  'in_transit',
  'at_hub',
  'out_for_delivery',
  'ready_for_pickup',
  'arrived',
  'attempt_failed',
  'delivered',
  'returning',
  'returned',
  'damaged',
  'lost',
  'unknown',
);

/** By hub and carrier, through the partner api. Repeats and stragglers are refused by state, barcode and `seq`. */
export const carrierEvents = {
  /** The hub has scanned the envelope that `carrier.preadvise` told of. D-03. */
  ENVELOPE_READY: event('ENVELOPE_READY', { envelopeId: word }),
  /** `seq` is the one of the `carrier.createShipment` it answers. D-07. */
  COURIER_FOUND: event('COURIER_FOUND', { courierId: id, seq: Type.Optional(count) }),
  /** Looked for again after 15 minutes; after the fifth an operator decides. D-08. */
  COURIER_NOT_FOUND: event('COURIER_NOT_FOUND', { seq: Type.Optional(count) }),
  /** The courier stands at the hub. D-10. */
  COURIER_ARRIVED: event('COURIER_ARRIVED', {}),
  /**
   * A carrier's scan in our words, with its rank (docs/carriers.md): a lower one after a higher is passed over, exceptions
   * are not. `occurredAt` is the carrier's own time; the api has sorted out repeats by the carrier's event id. D-11.
   */
  TRACKING: event('TRACKING', {
    status: trackingStatus,
    rank: Type.Integer({ minimum: 0, maximum: 100 }),
    occurredAt: ms,
    carrier: word,
    reason: Type.Optional(word),
    pickupPointId: Type.Optional(id),
  }),
  /** Cannot be found; a trace begins. Also by courier or operator. D-34. */
  LOST_REPORTED: event('LOST_REPORTED', {}),
  FOUND: event('FOUND', {}),
  LOST_CONFIRMED: event('LOST_CONFIRMED', {}),
  STOLEN_REPORTED: event('STOLEN_REPORTED', {}),
  DAMAGED: event('DAMAGED', {}),
} as const;

/** Why a try failed, besides NO_SHOW, REFUSED and the identity events, which are events of their own. */
export const attemptReason = oneOf(
  'wrong_address',
  'access_problem',
  'customer_asked_later',
  'id_missing',
  'damaged',
  'weather_or_force_majeure',
  'courier_fault',
  'customer_moved',
);

/** By the courier, through the courier api. The api has checked that the stop is this courier's. */
export const courierEvents = {
  /** The envelope's barcode, at the hub: the courier holds it now. A wrong barcode is refused. D-10. */
  SCANNED: event('SCANNED', { courierId: id, barcode: word }),
  /** Leaves the hub for the address. D-13. */
  OUT_FOR_DELIVERY: event('OUT_FOR_DELIVERY', { courierId: id }),
  /**
   * At the address. `distanceMetres` from it, computed by the api, at most 300; left out when the address has no
   * coordinates; `override` by a dispatcher. D-14.
   */
  ARRIVED: event('ARRIVED', {
    courierId: id,
    distanceMetres: Type.Optional(Type.Number({ minimum: 0 })),
    override: Type.Optional(Type.Boolean()),
  }),
  /** The recipient is here; the one-time code is sent and the proofs begin. D-15. */
  START_HANDOVER: event('START_HANDOVER', { courierId: id }),
  /** Name, birth date and the end of the number match, and the document is valid. D-16. */
  ID_SCANNED: event('ID_SCANNED', { courierId: id }),
  /** Ends the attempt, and puts the order on hold for fraud. D-17. */
  ID_MISMATCH: event('ID_MISMATCH', { courierId: id, reason: oneOf(...idMismatchReasons, ...commandReasons) }),
  ID_EXPIRED: event('ID_EXPIRED', { courierId: id }),
  /** The api compared the code with the one of `attempt`; the fifth wrong one locks the attempt. D-18, D-19. */
  OTP_CHECKED: event('OTP_CHECKED', { courierId: id, ok: Type.Boolean(), attempt: count }),
  /** Sends the code again; at most 3 per attempt. */
  OTP_RESEND: event('OTP_RESEND', { courierId: id }),
  SIGNATURE_CAPTURED: event('SIGNATURE_CAPTURED', { courierId: id }),
  SIGNATURE_REFUSED: event('SIGNATURE_REFUSED', { courierId: id }),
  PHOTO_CAPTURED: event('PHOTO_CAPTURED', { courierId: id }),
  /** The recipient does not want the card. D-21. */
  REFUSED: event('REFUSED', { courierId: id }),
  /** Nobody there; the chart says so by itself after 15 minutes. D-22. */
  NO_SHOW: event('NO_SHOW', { courierId: id }),
  ATTEMPT_FAILED: event('ATTEMPT_FAILED', { courierId: id, reason: attemptReason }),
  /** At the counter of a pickup point: the clerk scans the envelope that somebody came for; the proofs follow. D-28. */
  COLLECT: event('COLLECT', { courierId: id, barcode: word }),
  /** Another address around the corner, asked for on the last mile: he goes there, or does not. D-33. */
  REROUTE_ACCEPTED: event('REROUTE_ACCEPTED', { courierId: id }),
  REROUTE_DECLINED: event('REROUTE_DECLINED', { courierId: id }),
  /** The vault took the envelope back. D-39. */
  RECEIVED: event('RECEIVED', { by: id, barcode: word, seal: oneOf('intact', 'broken') }),
} as const;

/** By dispatchers and operators, through the internal api. */
export const dispatcherEvents = {
  /** Tries again what came to nothing: tells the hub, looks for a courier, asks the carriers. D-03, D-09. */
  RETRY: event('RETRY', { by: id }),
  /** Gives the delivery up: the envelope goes back. */
  RECALL: event('RECALL', { by: id }),
  /** An envelope in the vault of an order that is over was destroyed; two people sign. */
  DESTROYED: event('DESTROYED', { by: id, witness: id }),
  /** The dispute about a handover is settled. */
  CLAIM_SETTLED: event('CLAIM_SETTLED', { by: id }),
} as const;

export const deliveryEvents = {
  ...slotAnswers,
  ...runAnswers,
  ...deliveryCommands,
  ...recipientEvents,
  ...carrierEvents,
  ...courierEvents,
  ...dispatcherEvents,
} as const;
export type DeliveryEventType = keyof typeof deliveryEvents;
export type DeliveryMessage = EventOf<typeof deliveryEvents>;
export type DeliveryCommand = EventOf<typeof deliveryCommands>;

/** The event that says a courier's failure reason (`dto.ts`, `attemptFailures`) to the chart; undefined for unknown words. */
export function failureEvent(reason: string, courierId: string): DeliveryMessage | undefined {
  switch (reason) {
    case 'no_show':
      return { type: 'NO_SHOW', courierId };
    case 'refused':
      return { type: 'REFUSED', courierId };
    case 'id_mismatch':
      return { type: 'ID_MISMATCH', courierId, reason: 'courier' };
    case 'id_expired':
      return { type: 'ID_EXPIRED', courierId };
    case 'wrong_address':
    case 'access_problem':
    case 'customer_asked_later':
    case 'id_missing':
    case 'damaged':
    case 'weather_or_force_majeure':
    case 'courier_fault':
    case 'customer_moved':
      return { type: 'ATTEMPT_FAILED', courierId, reason };
    default:
      return undefined; // `otp_locked` is the chart's own conclusion.
  }
}
