// The carriers: who brings what, and the names that each of them gives to the fields of a booking and of a status event.
//
// What their status words mean to us stands in partners/callbacks/carriers.ts and docs/carriers.md. A carrier echoes our reference
// (`<deliveryId>:<seq>`), so its own numbers are never looked up.

import type { DeliveryMethod } from './words.ts';

/** A carrier's own names of what both sides tell each other. */
export interface CarrierFields {
  readonly reference: string;
  readonly barcode: string;
  readonly service: string;
  readonly window: string;
  readonly recipient: string;
  readonly address: string;
  /** Pickup point or locker. */
  readonly point: string;
  /** Its number of the booking. */
  readonly number: string;
  /** Absent: the carrier does not track. */
  readonly tracking?: string;
  /** Of a status event: its id, status, time, the courier's account in our courier app, and why. */
  readonly event: string;
  readonly status: string;
  readonly at: string;
  readonly courier?: string;
  readonly reason: string;
}

export interface Carrier {
  readonly code: string;
  readonly name: string;
  readonly kind: 'courier' | 'points' | 'post';
  readonly methods: readonly DeliveryMethod[];
  readonly book: string;
  readonly cancel: string;
  readonly fields: CarrierFields;
}

/** In order of preference: the first one that serves a method is asked first. */
export const carriers: readonly Carrier[] = [
  {
    code: 'swift',
    name: 'Swift Couriers',
    kind: 'courier',
    methods: ['courier'],
    book: '/swift/v2/claims',
    cancel: '/swift/v2/claims/cancel',
    fields: {
      reference: 'client_reference',
      barcode: 'parcel_code',
      service: 'tariff',
      window: 'interval',
      recipient: 'receiver',
      address: 'destination',
      point: 'office',
      number: 'claim_id',
      tracking: 'track_code',
      event: 'revision_id',
      status: 'claim_status',
      at: 'updated_ts',
      courier: 'performer_account',
      reason: 'comment_code',
    },
  },
  {
    code: 'dash',
    name: 'Dash Riders',
    kind: 'courier',
    methods: ['courier'],
    book: '/dash/v1/tasks',
    cancel: '/dash/v1/tasks/cancellations',
    fields: {
      reference: 'taskRef',
      barcode: 'itemBarcode',
      service: 'priority',
      window: 'timeWindow',
      recipient: 'contact',
      address: 'dropoff',
      point: 'site',
      number: 'taskId',
      tracking: 'trackingCode',
      event: 'eventUid',
      status: 'event',
      at: 'happenedAt',
      courier: 'riderAccount',
      reason: 'failCode',
    },
  },
  {
    code: 'pointnet',
    name: 'PointNet',
    kind: 'points',
    methods: ['pickup_point', 'parcel_locker', 'branch'],
    book: '/pointnet/orders',
    cancel: '/pointnet/orders/refusal',
    fields: {
      reference: 'im_number',
      barcode: 'package_barcode',
      service: 'tariff_name',
      window: 'delivery_interval',
      recipient: 'recipient',
      address: 'to_location',
      point: 'delivery_point',
      number: 'order_uuid',
      tracking: 'track_number',
      event: 'status_uuid',
      status: 'status_code',
      at: 'status_date_time',
      reason: 'status_reason_code',
    },
  },
  {
    code: 'letterpost',
    name: 'Letter Post',
    kind: 'post',
    methods: ['post', 'bulk'],
    book: '/letterpost/mailings',
    cancel: '/letterpost/mailings/recall',
    fields: {
      reference: 'sender_ref',
      barcode: 'item_no',
      service: 'class',
      window: 'posting_window',
      recipient: 'addressee',
      address: 'postal_address',
      point: 'counter',
      number: 'mailing_no',
      event: 'notice_no',
      status: 'notice',
      at: 'noticed_on',
      reason: 'remark',
    },
  },
  {
    code: 'parcelpost',
    name: 'Parcel Post',
    kind: 'post',
    methods: ['post', 'bulk', 'parcel_locker'],
    book: '/parcelpost/v2/shipments',
    cancel: '/parcelpost/v2/refunds',
    fields: {
      reference: 'reference',
      barcode: 'parcel_label',
      service: 'service_level',
      window: 'delivery_window',
      recipient: 'to_person',
      address: 'to_address',
      point: 'drop_point',
      number: 'shipment_id',
      tracking: 'tracking_code',
      event: 'tracking_event_id',
      status: 'tracker_status',
      at: 'tracked_at',
      reason: 'status_detail',
    },
  },
];

export const carrierOf = (code: string): Carrier | undefined => carriers.find((carrier) => carrier.code === code);

/** Who is asked when nobody is named: a tracked post where the sender pays for speed. */
export function carrierFor(method: DeliveryMethod, service: string | undefined): Carrier {
  const serving = carriers.filter(({ methods }) => methods.includes(method));
  const hurried = service !== undefined && service !== 'standard';
  const [first, second] = serving;
  const chosen = hurried && first?.fields.tracking === undefined ? (second ?? first) : first;
  if (chosen === undefined) throw new Error(`no carrier serves ${method}`); // Every word of `method` is in the table: carriers.test.ts.
  return chosen;
}
