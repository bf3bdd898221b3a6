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

/** Tried again with a new appointment, up to the limit. */
export const RETRYABLE: ReadonlySet<string> = new Set<AttemptReason>([
  'no_show',
  'access_problem',
  'customer_asked_later',
  'id_missing',
  'otp_locked',
  'weather_or_force_majeure',
  'courier_fault',
]);
/** Tried again once the address is another one. */
export const AFTER_CORRECTION: ReadonlySet<string> = new Set<AttemptReason>(['wrong_address', 'customer_moved']);
/** Tried again when the order says so: the customer was asked, or has a new document. */
export const AFTER_DECISION: ReadonlySet<string> = new Set<AttemptReason>(['refused', 'id_expired']);
/** Nobody's fault at the door: such a try does not count against the limit. */
export const NOT_COUNTED: ReadonlySet<string> = new Set<AttemptReason>(['weather_or_force_majeure', 'courier_fault']);

export interface DeliveryInput {
  readonly deliveryId: string;
  readonly orderId: string;
  readonly seq: number;
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
  /** Whose card lies in it: told to the guard of cards when the envelope is stolen. */
  readonly cardId?: string;
  readonly at?: number;
}

/** An address, method or pickup point that shall stand in place of the present one. */
export interface Wish {
  readonly method: Method;
  readonly addressRef: string;
  readonly country: string;
  readonly pickupPointId?: string;
}

/** What the catalogue says of an address and a method (`zone.check`). */
export interface ZoneVerdict {
  readonly zoneId?: string;
  readonly allowed: boolean;
  readonly alternatives: readonly Method[];
  readonly carriers?: readonly string[];
  readonly pickupPointId?: string;
  readonly stopsPerRun?: number;
  readonly distanceMetres?: number;
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
  /** Clock reading of the last step from which a delay is counted. */
  readonly asOf: number;

  /** What the catalogue said of the address that stands: zone, carriers of the method, places in a courier's run. */
  readonly zoneId: string | null;
  readonly carriers: readonly string[];
  readonly stopsPerRun: number;
  /** Asked for and not decided yet. */
  readonly wish: Wish | null;

  /** The appointment that stands; null while the customer has to choose. */
  readonly slot: { readonly slotId: string; readonly from: number; readonly to: number } | null;
  readonly slotChosenAt: number;
  /** The slot that was asked for a place and has not answered; `turn` counts the askings. */
  readonly asked: string | null;
  readonly turn: number;
  readonly reschedules: number;

  /** Number of the last booking at the carrier, whether it stands, and which of the carriers it was asked of. */
  readonly booking: number;
  readonly booked: boolean;
  readonly carrierTry: number;
  readonly searches: number;
  readonly shipmentId: string | null;
  readonly carrier: string | null;
  readonly trackingNumber: string | null;
  readonly courierId: string | null;
  /** The courier's day that has, or was asked for, a place for this envelope. */
  readonly runId: string | null;

  /** The last scan that counted (4.8), and the last exception: older scans than that say nothing any more. */
  readonly rank: number;
  readonly scannedAt: number;
  readonly exceptionAt: number;
  /** Until when the pickup point keeps it; null while none has it. */
  readonly storageUntil: number | null;
  readonly extended: boolean;

  /** Sendings of the code of this attempt, and how many of them failed: each failure takes the next channel. */
  readonly otpSends: number;
  readonly otpFailures: number;
  readonly otpTries: number;
  /** It was on its way back, or was recalled, when its trace was lost. */
  readonly goesBack: boolean;
  /** Who had it when its trace was lost: there it goes on when it is found. Null: at the hub. */
  readonly lostFrom: 'carrier' | 'point' | null;
  /** It has arrived because the card was activated, or a carrier that asks for no proof said so. */
  readonly implied: boolean;
  /** Somebody was on his way for it when it was cancelled. */
  readonly late: boolean;
  readonly seal: 'intact' | 'broken' | null;
}

export function newDelivery(input: DeliveryInput): DeliveryContext {
  const { at = 0, ...facts } = input;
  return {
    ...facts,
    ...{ published: 0, attempt: 1, failures: 0, reason: null, asOf: at },
    ...{ zoneId: null, carriers: [], stopsPerRun: 1, wish: null },
    ...{ slot: null, slotChosenAt: 0, asked: null, turn: 0, reschedules: 0 },
    ...{ booking: 0, booked: false, carrierTry: 0, searches: 0, shipmentId: null, carrier: null, trackingNumber: null },
    ...{ courierId: null, runId: null },
    ...{ rank: 0, scannedAt: 0, exceptionAt: 0, storageUntil: null, extended: false },
    ...{ otpSends: 0, otpFailures: 0, otpTries: 0 },
    ...{ goesBack: false, lostFrom: null, implied: false, late: false, seal: null },
  };
}

/** What a failed delivery waits for, in the words of the contract. */
export type Next = 'appointment' | 'address' | 'decision' | 'pickup_point' | 'nothing';

/** What follows a failed attempt (D-23, D-24 and the list of reasons below them). */
export function nextAfter({ method, reason, failures, attemptsMax }: DeliveryContext): Next {
  const why = reason ?? '';
  if (AFTER_DECISION.has(why)) return 'decision';
  const isRetryable = RETRYABLE.has(why) || AFTER_CORRECTION.has(why);
  if (!isRetryable) return 'nothing';
  if (method !== 'courier') return 'nothing'; // A carrier or a point tries again by itself, or sends it back.
  if (failures >= attemptsMax) return 'pickup_point';
  return AFTER_CORRECTION.has(why) ? 'address' : 'appointment';
}

/** A courier's day: `slt_de_20261126T0900-1300` and `usr_c1` make `run_c1_20261126`. */
export function runIdOf(courierId: string, slotId: string): string {
  const tail = courierId.startsWith('usr_') ? courierId.slice(4) : `.${courierId}`;
  return `run_${tail}_${/_(\d{8})T/.exec(slotId)?.[1] ?? 'day'}`;
}
