// What an order can be told. Who sends each, and what has to follow, stands in the contract; here are the shapes.
//
// Three spellings: UPPER_CASE is said to the order, PascalCase is published by the delivery context, and the events of
// the last section are raised by one region of the chart for the others and never come from outside.

import type { CardCloseReason, HoldKind, Method, ReplacementReason, Risk, Verification } from './context.ts';

/** `at` is the clock reading of the step in ms; the host adds it to every event but raised ones. */
type E<T extends string, Fields = unknown> = { readonly type: T; readonly at?: number } & Readonly<Fields>;

type FromCustomer =
  | E<'SAVE' | 'SUBMIT' | 'DISCARD' | 'OFFER_ACCEPTED' | 'OFFER_DECLINED' | 'EDIT_WAIVED', { by: string }>
  | E<'KYC_RESUBMITTED', { by: string; personRef?: string }>
  | E<'ADDRESS_CORRECTED', { by: string; addressRef: string; country: string; method?: Method }>
  | E<'EDIT', Edit>
  | E<'CANCEL', { by: string; reason: string }>
  | E<'CHANGE_ADDRESS', { by: string; addressRef: string; country: string }>
  | E<'CHANGE_METHOD', { by: string; method: Method; pickupPointId?: string; addressRef?: string; country?: string }>
  | E<'RESCHEDULE', { by: string; role: 'customer' | 'operator' }>
  | E<'EXTEND_STORAGE' | 'RETRY_DELIVERY', { by: string }>
  | E<'CARD_FOUND', { by: string }>
  | E<'REDELIVER', { by: string; addressRef?: string; country?: string }>
  | E<'ACTIVATE', { by: string; proof: 'app' | 'last4' | 'otp' | 'last4_otp' | 'chip_pin'; last4?: string }>
  | E<'REPORT', { by: string; kind: 'lost' | 'stolen' | 'compromised' | 'not_received' }>
  | E<'REPLACE', { by: string; reason: ReplacementReason; personRef?: string; designId?: string }>;

/** What is changed; the rest stays. `basis` is the number of edits that the editor had seen. */
export interface Edit {
  readonly by: string;
  readonly basis?: number;
  readonly personRef?: string;
  readonly designId?: string;
  readonly addressRef?: string;
  readonly country?: string;
  readonly method?: Method;
  readonly pickupPointId?: string;
}

type FromStaff =
  | E<
      'AML_CLEARED' | 'AML_CONFIRMED' | 'ADDRESS_OVERRIDDEN' | 'RELEASE' | 'RETRY' | 'FORCE' | 'DESTROY',
      { by: string }
    >
  | E<'ACTIVATION_UNLOCKED' | 'CARD_CLEARED', { by: string }>
  | E<'REVIEW_REQUIRED' | 'FATAL', { by: string; reason: string }>
  | E<'REVIEW_APPROVED' | 'REVIEW_REJECTED', { by: string; reason?: string }>
  | E<'HOLD', { by: string; kind: HoldKind }>
  | E<'CORRECTED', { by: string; personRef?: string; designId?: string }>
  | E<'DESTROYED', { by: string; witness: string }>;

type FromPartners =
  | E<'KYC_IN_REVIEW' | 'KYC_EXPIRED', { attempt?: number }>
  | E<'KYC_APPROVED', { attempt?: number; nameMatch?: boolean; risk?: Risk }>
  | E<'KYC_REJECTED' | 'KYC_RESUBMIT', { attempt?: number; reason: string }>
  | E<'BUREAU_ACK' | 'PRINT_STARTED', { jobId: string }>
  | E<'BUREAU_REJECTED', { jobId: string; reason: string; fixable: boolean }>
  | E<'PRINTED', { jobId: string; envelopeId: string }>
  | E<'PRINT_SPOILED', { jobId: string; reason: string }>;

/** By applicant, stock, batch, the other orders of a chain of cards, and the request for erasure. */
type FromPeers =
  | E<'KEY_GRANTED'>
  | E<'KEY_REFUSED', { existing: string }>
  | E<'PLASTIC_RESERVED' | 'STOCK_OUT', { designId: string }>
  | E<'BATCH_CLOSED', { batchId: string }>
  | E<'REPLACEMENT_ACTIVATED' | 'REPLACEMENT_ENDED' | 'ORIGINAL_ACTIVATED', { orderId: string }>
  | E<'SUBJECT_ERASURE', { by: string; requestId: string }>;

/** Fields that every published event of a delivery carries. */
export interface Published {
  readonly orderId: string;
  readonly deliveryId: string;
  readonly seq: number;
  readonly deliveryVersion: number;
  readonly schemaVersion: 1;
}
export type FromDelivery =
  | E<
      | 'DeliveryAccepted'
      | 'DeliveryDispatched'
      | 'DeliveryInTransit'
      | 'DeliveryOutForDelivery'
      | 'DeliverySuspectedLost'
      | 'DeliveryFound'
      | 'DeliveryLost'
      | 'DeliveryStolen'
      | 'DeliveryDamaged'
      | 'DeliveryDisputed',
      Published
    >
  | E<'DeliveryRejected', Published & { reason: string; alternatives: readonly Method[] }>
  | E<'AppointmentConfirmed', Published & { slotId: string; from: number; to: number }>
  | E<'DeliveryReadyForPickup', Published & { pickupPointId?: string; storageUntil?: number }>
  | E<
      'DeliveryAttemptFailed',
      Published & {
        reason: string;
        attempt: number;
        next: 'appointment' | 'address' | 'decision' | 'pickup_point' | 'nothing';
      }
    >
  | E<'DeliveryRescheduled', Published & { by: 'customer' | 'courier' | 'operator' }>
  | E<'DeliveryRerouted', Published & { method: Method; addressRef: string; country: string; pickupPointId?: string }>
  | E<'DeliveryRerouteRefused', Published & { reason: string }>
  | E<'DeliveryReturning', Published & { reason: string }>
  | E<'DeliveryReturned', Published & { seal: 'intact' | 'broken' }>
  | E<'DeliveryHandedOver', Published & { proofs: Verification }>
  | E<'DeliveryCancelled', Published & { fee: 'none' | 'late' }>
  | E<'DeliveryStatus', Published & { status: DeliveryStatus }>;

/** Where a delivery says it stands when it is asked again. */
export type DeliveryStatus =
  | 'scheduling'
  | 'dispatched'
  | 'in_transit'
  | 'out_for_delivery'
  | 'ready_for_pickup'
  | 'attempt_failed'
  | 'suspected_lost'
  | 'returning'
  | 'returned'
  | 'delivered'
  | 'cancelled'
  | 'rejected'
  | 'lost'
  | 'stolen';

/** Between the regions. */
type Raised =
  | E<'CARD_CREATED' | 'CARD_ACTIVATED' | 'SUSPEND_CARD' | 'RESUME_CARD' | 'CARD_EFFECT_FAILED' | 'CARD_ENDED'>
  | E<'CLOSE_CARD', { reason: CardCloseReason }>
  | E<'STAGE_CHANGED' | 'AT_RISK' | 'ENDED'>;

export type OrderEvent = FromCustomer | FromStaff | FromPartners | FromPeers | FromDelivery | Raised;
