// What a delivery remembers: facts for guards and effects, references to the rest. At most 1.5 KB as JSON.

export interface Verification {
  readonly idCheck: boolean;
  readonly otp: boolean;
  readonly signature: boolean;
  readonly photo: boolean;
}

export type Method = 'courier' | 'pickup_point' | 'parcel_locker' | 'branch' | 'post' | 'bulk';

/** Why a try failed. */
export type AttemptReason =
  | 'no_show'
  | 'wrong_address'
  | 'access_problem'
  | 'customer_asked_later'
  | 'refused'
  | 'id_missing'
  | 'id_mismatch'
  | 'id_expired'
  | 'otp_locked'
  | 'damaged'
  | 'weather_or_force_majeure'
  | 'courier_fault'
  | 'customer_moved';

/** Tried again with a new appointment, up to the limit. The others send the envelope back, and the order decides. */
export const RETRYABLE: ReadonlySet<string> = new Set<AttemptReason>([
  'no_show',
  'access_problem',
  'customer_asked_later',
  'id_missing',
  'otp_locked',
  'weather_or_force_majeure',
  'courier_fault',
]);
/** Nobody's fault at the door: such a try does not count against the limit. */
export const NOT_COUNTED: ReadonlySet<string> = new Set<AttemptReason>(['weather_or_force_majeure', 'courier_fault']);

export interface DeliveryInput {
  readonly deliveryId: string;
  readonly orderId: string;
  readonly seq: number;
  readonly cardId?: string;
  readonly envelopeId: string;
  readonly method: Method;
  readonly personRef: string;
  readonly addressRef: string;
  readonly country: string;
  readonly locale: string;
  readonly verification: Verification;
  readonly pickupPointId?: string;
  readonly service?: 'standard' | 'priority' | 'express';
  readonly storageDays?: number;
  readonly attemptsMax: number;
  readonly at?: number;
}

export interface DeliveryContext extends Omit<DeliveryInput, 'at'> {
  /** Count of published events: ordering refuses what it has heard (O-29). */
  readonly published: number;
  /** Number of the running or next attempt, from 1; the one-time code depends on it. */
  readonly attempt: number;
  /** Failed attempts that count. */
  readonly failures: number;
  /** Why the last attempt failed, or why the envelope goes back. */
  readonly reason: string | null;

  /** The appointment that stands; null while the customer has to choose. */
  readonly slot: { readonly slotId: string; readonly from: number; readonly to: number } | null;
  readonly slotChosenAt: number;
  readonly reschedules: number;

  /** Number of the last booking at the carrier, and whether it stands. */
  readonly booking: number;
  readonly booked: boolean;
  readonly searches: number;
  readonly shipmentId: string | null;
  readonly carrier: string | null;
  readonly trackingNumber: string | null;
  readonly courierId: string | null;

  readonly otpSends: number;
  readonly otpTries: number;
  /** It was on its way back, or was recalled, when its trace was lost. */
  readonly goesBack: boolean;
  readonly seal: 'intact' | 'broken' | null;
}

export function newDelivery(input: DeliveryInput): DeliveryContext {
  const { at: _, ...facts } = input;
  return {
    ...facts,
    published: 0,
    attempt: 1,
    failures: 0,
    reason: null,
    slot: null,
    slotChosenAt: 0,
    reschedules: 0,
    booking: 0,
    booked: false,
    searches: 0,
    shipmentId: null,
    carrier: null,
    trackingNumber: null,
    courierId: null,
    otpSends: 0,
    otpTries: 0,
    goesBack: false,
    seal: null,
  };
}
