// What each carrier calls the things that happen. Theirs, not ours: written down here from their side, and held against the table
// of callbacks/carriers.ts by a test.

/** Everything that can happen to a booking, as the simulator thinks of it. */
export type Happening =
  | 'courier_found'
  | 'courier_not_found'
  | 'courier_at_hub'
  | 'courier_offline'
  | 'pre_transit'
  | 'in_transit'
  | 'at_hub'
  | 'out_for_delivery'
  | 'ready_for_pickup'
  | 'arrived'
  | 'attempt_failed'
  | 'delivered'
  | 'returning'
  | 'returned'
  | 'missing'
  | 'found'
  | 'lost'
  | 'stolen'
  | 'damaged';

/** What is not listed does not happen at that carrier. */
export const carrierWords: { readonly [carrier: string]: { readonly [happening in Happening]?: string } } = {
  swift: {
    courier_found: 'performer_found',
    courier_not_found: 'performer_not_found',
    courier_at_hub: 'pickup_arrived',
    courier_offline: 'performer_offline',
    out_for_delivery: 'pickuped',
    arrived: 'delivery_arrived',
    attempt_failed: 'delivery_attempt_failed',
    delivered: 'delivered_finish',
    returning: 'returning',
    returned: 'returned_finish',
    missing: 'failed',
    found: 'recovered',
    lost: 'failed_for_good',
    stolen: 'robbed',
    damaged: 'damaged',
  },
  dash: {
    courier_found: 'RIDER_ASSIGNED',
    courier_not_found: 'NO_RIDER',
    courier_at_hub: 'RIDER_AT_ORIGIN',
    courier_offline: 'RIDER_SIGNAL_LOST',
    out_for_delivery: 'RIDER_ON_THE_WAY',
    arrived: 'RIDER_AT_DOOR',
    attempt_failed: 'DROPOFF_FAILED',
    delivered: 'DROPPED_OFF',
    returning: 'GOING_BACK',
    returned: 'BACK_AT_ORIGIN',
    missing: 'ITEM_MISSING',
    found: 'ITEM_RECOVERED',
    lost: 'ITEM_WRITTEN_OFF',
    stolen: 'ITEM_STOLEN',
    damaged: 'ITEM_BROKEN',
  },
  pointnet: {
    pre_transit: 'ACCEPTED',
    in_transit: 'SENT_TO_RECIPIENT_CITY',
    at_hub: 'ACCEPTED_IN_RECIPIENT_CITY',
    out_for_delivery: 'TAKEN_BY_COURIER',
    ready_for_pickup: 'ACCEPTED_AT_PICK_UP_POINT',
    attempt_failed: 'NOT_DELIVERED',
    delivered: 'DELIVERED',
    returning: 'RETURNED_TO_SENDER_CITY_WAREHOUSE',
    returned: 'RETURNED_TO_SENDER',
    missing: 'SEARCH_OPENED',
    found: 'SEARCH_FOUND',
    lost: 'SEARCH_CLOSED',
    stolen: 'STOLEN',
    damaged: 'DAMAGED',
  },
  letterpost: { in_transit: 'posted', returning: 'sent_back', returned: 'back_at_sender' },
  parcelpost: {
    pre_transit: 'pre_transit',
    in_transit: 'in_transit',
    at_hub: 'arrived_at_facility',
    out_for_delivery: 'out_for_delivery',
    ready_for_pickup: 'available_for_pickup',
    attempt_failed: 'failure',
    delivered: 'delivered',
    returning: 'return_to_sender',
    returned: 'returned',
    missing: 'error',
    found: 'resolved',
    lost: 'lost',
    stolen: 'theft',
    damaged: 'damaged',
  },
};

export const happenings: readonly Happening[] = [
  ...new Set(Object.values(carrierWords).flatMap((words) => Object.keys(words) as Happening[])),
];
