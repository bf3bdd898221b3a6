// What the delivery context publishes, and ordering hears. Every event names its delivery and counts up from 1.
//
// Ordering takes each count once and in order (O-29). `deliveryVersion` is the delivery's own count, not the runtime's.

import { Type } from 'typebox';
import { count, country, type EventOf, event, id, ms, oneOf, word } from './schema.ts';
import { method, verification } from './words.ts';

const published = {
  schemaVersion: Type.Literal(1),
  orderId: id,
  deliveryId: id,
  /** The order's count of deliveries, as `delivery.create` gave it. */
  seq: count,
  /** 1, 2, 3 … per delivery. */
  deliveryVersion: count,
};

export const returnReason = oneOf(
  'attempts_exhausted',
  'not_retryable',
  'abandoned',
  'recalled',
  'damaged',
  'storage_expired',
  'not_decided',
  'address_not_corrected',
  'carrier_returned',
  'operator',
);

/** Where a delivery stands, for an order that may have missed how it came there. */
export const deliveryStatus = oneOf(
  'scheduling',
  'dispatched',
  'in_transit',
  'out_for_delivery',
  'ready_for_pickup',
  'attempt_failed',
  'suspected_lost',
  'returning',
  'returned',
  'delivered',
  'cancelled',
  'rejected',
  'lost',
  'stolen',
);

export const deliveryPublished = {
  /** The delivery takes the envelope, and has asked the customer for an appointment where the method has one. O-26. */
  DeliveryAccepted: event('DeliveryAccepted', published),
  /** It cannot: nothing was begun. The customer has to choose another way. O-27. */
  DeliveryRejected: event('DeliveryRejected', {
    ...published,
    reason: oneOf('method_unavailable', 'out_of_zone', 'zone_unknown'),
    alternatives: Type.Array(method, { maxItems: 6 }),
  }),
  AppointmentConfirmed: event('AppointmentConfirmed', { ...published, slotId: id, from: ms, to: ms }),
  /** A courier or carrier holds the envelope. */
  DeliveryDispatched: event('DeliveryDispatched', published),
  DeliveryInTransit: event('DeliveryInTransit', published),
  DeliveryOutForDelivery: event('DeliveryOutForDelivery', published),
  /** Said again, with another time, when the storage was extended. */
  DeliveryReadyForPickup: event('DeliveryReadyForPickup', {
    ...published,
    pickupPointId: Type.Optional(id),
    storageUntil: Type.Optional(ms),
  }),
  /**
   * One try failed. `next` is what the delivery waits for: another appointment, a corrected address, a decision to retry or
   * cancel, the choice of a pickup point, or nothing any more. `id_mismatch` puts the order on hold for fraud.
   */
  DeliveryAttemptFailed: event('DeliveryAttemptFailed', {
    ...published,
    reason: word,
    attempt: count,
    next: oneOf('appointment', 'address', 'decision', 'pickup_point', 'nothing'),
  }),
  DeliveryRescheduled: event('DeliveryRescheduled', { ...published, by: oneOf('customer', 'courier', 'operator') }),
  /** Another address or method stands now. */
  DeliveryRerouted: event('DeliveryRerouted', {
    ...published,
    method,
    addressRef: id,
    country,
    pickupPointId: Type.Optional(id),
  }),
  /** The address or method asked for cannot be had any more, or not there. Everything stays as it was. */
  DeliveryRerouteRefused: event('DeliveryRerouteRefused', {
    ...published,
    reason: oneOf('out_of_zone', 'too_far', 'courier_declined', 'too_late', 'carrier_cannot', 'zone_unknown'),
  }),
  DeliverySuspectedLost: event('DeliverySuspectedLost', published),
  /** An envelope that was suspected lost is in our hands again. */
  DeliveryFound: event('DeliveryFound', published),
  /** Confirmed; ends the delivery. The card is closed. O-32. */
  DeliveryLost: event('DeliveryLost', published),
  /** Ends the delivery. The card is closed at once. O-33. */
  DeliveryStolen: event('DeliveryStolen', published),
  /** The envelope or the card is spoiled: it goes back, and a reissue follows. O-34. */
  DeliveryDamaged: event('DeliveryDamaged', published),
  /** The envelope is on its way back. Also the answer to a `delivery.cancel` that came too late to stop it. O-31. */
  DeliveryReturning: event('DeliveryReturning', { ...published, reason: returnReason }),
  /** The vault holds the envelope; ends the transport. The order has to say what becomes of it. O-47. */
  DeliveryReturned: event('DeliveryReturned', { ...published, seal: oneOf('intact', 'broken') }),
  /** The pivot: the customer holds the envelope. Nothing is undone after it. O-30, O-44. */
  DeliveryHandedOver: event('DeliveryHandedOver', { ...published, proofs: verification }),
  /** The customer says within 30 days that it was not him who took it. D-42. */
  DeliveryDisputed: event('DeliveryDisputed', published),
  /** Ended before a courier had the envelope. `late`: somebody was on his way for it already. */
  DeliveryCancelled: event('DeliveryCancelled', { ...published, fee: oneOf('none', 'late') }),
  /** Where it stands, said again on `delivery.restate`, with its present count. O-29. */
  DeliveryStatus: event('DeliveryStatus', { ...published, status: deliveryStatus }),
} as const;
export type DeliveryPublished = EventOf<typeof deliveryPublished>;
