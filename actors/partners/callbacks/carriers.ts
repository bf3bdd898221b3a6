// The carriers' status words in ours, by the table of docs/carriers.md.
//
// Progress becomes TRACKING with its rank; what changes who looks for the envelope, or who answers for it, is an event of its
// own. A word that is not in the table becomes `unknown` with rank 0: it is shown and logged, and moves nothing.

import type { CarrierEvent } from '../../contract/callbacks.ts';
import type { Carrier } from '../../contract/carriers.ts';
import { type DeliveryMessage, trackingRank } from '../../contract/index.ts';
import { wordIn } from '../word-in.ts';
import type { Told } from './told.ts';

type Status = keyof typeof trackingRank;
type Turn =
  | 'COURIER_FOUND'
  | 'COURIER_NOT_FOUND'
  | 'COURIER_ARRIVED'
  | 'LOST_REPORTED'
  | 'FOUND'
  | 'LOST_CONFIRMED'
  | 'STOLEN_REPORTED'
  | 'DAMAGED';
/** `ours`: no news, we asked for it ourselves. */
export type Meaning = Status | Turn | 'ours';

export const meanings: { readonly [carrier: string]: { readonly [word: string]: Meaning } } = {
  swift: {
    new: 'ours',
    performer_lookup: 'ours',
    performer_found: 'COURIER_FOUND',
    performer_not_found: 'COURIER_NOT_FOUND',
    pickup_arrived: 'COURIER_ARRIVED',
    pickuped: 'out_for_delivery',
    delivery_arrived: 'arrived',
    ready_for_delivery_confirmation: 'arrived',
    delivery_attempt_failed: 'attempt_failed',
    delivered_finish: 'delivered',
    returning: 'returning',
    returned_finish: 'returned',
    cancelled: 'ours',
    failed: 'LOST_REPORTED',
    recovered: 'FOUND',
    failed_for_good: 'LOST_CONFIRMED',
    robbed: 'STOLEN_REPORTED',
    damaged: 'DAMAGED',
  },
  dash: {
    TASK_CREATED: 'ours',
    RIDER_ASSIGNED: 'COURIER_FOUND',
    NO_RIDER: 'COURIER_NOT_FOUND',
    RIDER_AT_ORIGIN: 'COURIER_ARRIVED',
    RIDER_ON_THE_WAY: 'out_for_delivery',
    RIDER_AT_DOOR: 'arrived',
    DROPOFF_FAILED: 'attempt_failed',
    DROPPED_OFF: 'delivered',
    GOING_BACK: 'returning',
    BACK_AT_ORIGIN: 'returned',
    TASK_CANCELLED: 'ours',
    ITEM_MISSING: 'LOST_REPORTED',
    ITEM_RECOVERED: 'FOUND',
    ITEM_WRITTEN_OFF: 'LOST_CONFIRMED',
    ITEM_STOLEN: 'STOLEN_REPORTED',
    ITEM_BROKEN: 'DAMAGED',
  },
  pointnet: {
    CREATED: 'pre_transit',
    ACCEPTED: 'pre_transit',
    RECEIVED_AT_SHIPMENT_WAREHOUSE: 'in_transit',
    SENT_TO_RECIPIENT_CITY: 'in_transit',
    ACCEPTED_IN_RECIPIENT_CITY: 'at_hub',
    TAKEN_BY_COURIER: 'out_for_delivery',
    ACCEPTED_AT_PICK_UP_POINT: 'ready_for_pickup',
    POSTOMAT_POSTED: 'ready_for_pickup',
    NOT_DELIVERED: 'attempt_failed',
    DELIVERED: 'delivered',
    POSTOMAT_RECEIVED: 'delivered',
    POSTOMAT_SEIZED: 'returning',
    RETURNED_TO_SENDER_CITY_WAREHOUSE: 'returning',
    RETURNED_TO_SENDER: 'returned',
    REFUSED_BY_SHIPPER: 'ours',
    SEARCH_OPENED: 'LOST_REPORTED',
    SEARCH_FOUND: 'FOUND',
    SEARCH_CLOSED: 'LOST_CONFIRMED',
    STOLEN: 'STOLEN_REPORTED',
    DAMAGED: 'DAMAGED',
  },
  letterpost: { posted: 'in_transit', sent_back: 'returning', back_at_sender: 'returned', recalled: 'ours' },
  parcelpost: {
    pre_transit: 'pre_transit',
    in_transit: 'in_transit',
    arrived_at_facility: 'at_hub',
    out_for_delivery: 'out_for_delivery',
    available_for_pickup: 'ready_for_pickup',
    failure: 'attempt_failed',
    delivered: 'delivered',
    return_to_sender: 'returning',
    returned: 'returned',
    cancelled: 'ours',
    error: 'LOST_REPORTED',
    resolved: 'FOUND',
    lost: 'LOST_CONFIRMED',
    theft: 'STOLEN_REPORTED',
    damaged: 'DAMAGED',
    unknown: 'unknown',
  },
};

/** Why a carrier's attempt failed, in the words of contract/delivery.ts. What they call otherwise is told without a reason. */
const REASONS: { readonly [word: string]: string } = {
  no_answer: 'no_show',
  bad_address: 'wrong_address',
  no_access: 'access_problem',
  asked_later: 'customer_asked_later',
  declined: 'refused',
  no_document: 'id_missing',
  wrong_person: 'id_mismatch',
  old_document: 'id_expired',
  parcel_damaged: 'damaged',
  weather: 'weather_or_force_majeure',
  carrier_delay: 'courier_fault',
  moved: 'customer_moved',
  rider_offline: 'courier_offline',
};

/** What a carrier's status event tells us, under the id that the carrier gave the scan. */
export function toldByCarrier(carrier: Carrier, event: CarrierEvent): Told {
  const { fields, code } = carrier;
  const [actor = '', seq = '1'] = (event[fields.reference] ?? '').split(':');
  const word = event[fields.status] ?? '';
  const meaning = wordIn(meanings[code] ?? {}, word);
  // The scan's own id, not the telling's: carriers tell one scan under several ids.
  const told = { partner: code, id: event[fields.event] ?? '', context: 'delivery' as const, actor };
  const said = messageOf(carrier, meaning ?? 'unknown', event, Number(seq));
  return { ...told, event: said, ...(meaning === undefined ? { strange: word } : {}) };
}

function messageOf(
  { fields, code }: Carrier,
  meaning: Meaning,
  event: CarrierEvent,
  seq: number,
): DeliveryMessage | undefined {
  const reason = wordIn(REASONS, event[fields.reason]);
  switch (meaning) {
    case 'ours':
      return undefined;
    case 'COURIER_FOUND': {
      const courierId = fields.courier === undefined ? undefined : event[fields.courier];
      return courierId === undefined ? undefined : { type: 'COURIER_FOUND', courierId, seq };
    }
    case 'COURIER_NOT_FOUND':
      return { type: 'COURIER_NOT_FOUND', seq };
    case 'COURIER_ARRIVED':
    case 'LOST_REPORTED':
    case 'FOUND':
    case 'LOST_CONFIRMED':
    case 'STOLEN_REPORTED':
    case 'DAMAGED':
      return { type: meaning };
    default: {
      const point = event[fields.point];
      return {
        type: 'TRACKING',
        status: meaning,
        rank: trackingRank[meaning],
        occurredAt: Date.parse(event[fields.at] ?? ''),
        carrier: code,
        ...(reason === undefined ? {} : { reason }),
        ...(point === undefined ? {} : { pickupPointId: point }),
      };
    }
  }
}
