// What a delivery can be told. Who sends each, and what has to follow, stands in the contract; here are the shapes.
//
// `delivery.…` are commands of the ordering context; the events of the last section are raised by one region for the
// others and never come from outside.

import type { AttemptReason, Method } from './context.ts';

/** `at` is the clock reading of the step in ms; the host adds it to every event but raised ones. */
type E<T extends string, Fields = unknown> = { readonly type: T; readonly at?: number } & Readonly<Fields>;

type FromOrdering =
  | E<'delivery.create' | 'delivery.release' | 'delivery.markDelivered' | 'delivery.restate'>
  | E<'delivery.extendStorage' | 'delivery.retry' | 'delivery.markNotReceived', { by: string }>
  | E<'delivery.changeAddress', { by: string; addressRef: string; country: string }>
  | E<
      'delivery.changeMethod',
      { by: string; method: Method; pickupPointId?: string; addressRef?: string; country?: string }
    >
  | E<'delivery.reschedule', { by: string; role: 'customer' | 'operator' }>
  | E<'delivery.cancel', { reason: string }>
  | E<'delivery.destroy', { by: string; witness: string }>;

type FromRecipient =
  | E<'SLOT_CHOSEN', { by: string; slotId: string; from: number; to: number }>
  | E<'RESCHEDULE', { by: string; role: 'customer' | 'courier' | 'operator' }>
  | E<'DISPUTE', { by: string; kind: 'not_me' }>;

/** By the slot and the run that were asked for a place. */
type FromPeers =
  | E<'SLOT_TAKEN', { slotId: string; turn: number; from: number; to: number }>
  | E<'SLOT_FULL', { slotId: string; turn: number }>
  | E<'BOARDED' | 'RUN_FULL', { runId: string; turn: number }>
  | E<'COURIER_OFFLINE', { courierId: string }>;

/** Where a carrier says the shipment is, in our words. */
export type TrackingStatus =
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
  | 'damaged'
  | 'lost'
  | 'unknown';

type FromCarrier =
  | E<
      'TRACKING',
      {
        status: TrackingStatus;
        rank: number;
        occurredAt: number;
        carrier: string;
        reason?: string;
        pickupPointId?: string;
      }
    >
  | E<'ENVELOPE_READY', { envelopeId: string }>
  | E<'COURIER_FOUND', { courierId: string; seq?: number }>
  | E<'COURIER_NOT_FOUND', { seq?: number }>
  | E<'COURIER_ARRIVED' | 'LOST_REPORTED' | 'FOUND' | 'LOST_CONFIRMED' | 'STOLEN_REPORTED' | 'DAMAGED'>;

type FromCourier =
  | E<'SCANNED', { courierId: string; barcode: string }>
  | E<'ARRIVED', { courierId: string; distanceMetres?: number; override?: boolean }>
  | E<'ID_MISMATCH', { courierId: string; reason: string }>
  | E<'OTP_CHECKED', { courierId: string; ok: boolean; attempt: number }>
  | E<'ATTEMPT_FAILED', { courierId: string; reason: AttemptReason }>
  | E<'COLLECT', { courierId: string; barcode: string }>
  | E<
      | 'OUT_FOR_DELIVERY'
      | 'START_HANDOVER'
      | 'ID_SCANNED'
      | 'ID_EXPIRED'
      | 'OTP_RESEND'
      | 'SIGNATURE_CAPTURED'
      | 'SIGNATURE_REFUSED'
      | 'PHOTO_CAPTURED'
      | 'REFUSED'
      | 'NO_SHOW'
      | 'REROUTE_ACCEPTED'
      | 'REROUTE_DECLINED',
      { courierId: string }
    >;

type FromStaff =
  | E<'RECEIVED', { by: string; barcode: string; seal: 'intact' | 'broken' }>
  | E<'RETRY' | 'RECALL' | 'CLAIM_SETTLED', { by: string }>
  | E<'DESTROYED', { by: string; witness: string }>;

/** Between the regions. `kept`: the appointment still fits the address that stands now. */
type Raised =
  | E<'REROUTED', { kept: boolean }>
  | E<
      | 'SLOTS_PROPOSED'
      | 'SLOT_RELEASED'
      | 'SLOT_MISSED'
      | 'TRY_OVER'
      | 'ABANDONED'
      | 'APPOINTMENT_OVER'
      | 'HANDED_OVER'
      | 'TO_HUB'
      | 'TO_COURIER'
      | 'TO_CARRIER'
      | 'TO_POINT'
      | 'TO_CUSTOMER'
      | 'TO_VAULT'
      | 'OUT_OF_SIGHT'
      | 'TRANSPORT_ENDED'
    >;

export type DeliveryEvent = FromOrdering | FromRecipient | FromPeers | FromCarrier | FromCourier | FromStaff | Raised;
