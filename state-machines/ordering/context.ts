// What an order remembers: facts for guards and effects, references to the rest. At most 1.5 KB as JSON.

import { businessDays, HOUR, MINUTE } from '../durations.ts';

export interface Verification {
  readonly idCheck: boolean;
  readonly otp: boolean;
  readonly signature: boolean;
  readonly photo: boolean;
}

export type Method = 'courier' | 'pickup_point' | 'parcel_locker' | 'branch' | 'post' | 'bulk';
export type Risk = 'low' | 'medium' | 'high';
export type HoldKind = 'fraud' | 'aml' | 'legal' | 'customer' | 'operator';
export type CardCloseReason =
  | 'lost'
  | 'stolen'
  | 'compromised'
  | 'damaged'
  | 'expired'
  | 'cancelled'
  | 'undeliverable'
  | 'replaced'
  | 'failed';

export interface OrderInput {
  readonly orderId: string;
  readonly userId: string;
  readonly personRef: string;
  readonly addressRef: string;
  readonly productCode: string;
  readonly cardType: 'debit' | 'credit' | 'prepaid';
  readonly paymentSystem: 'mir' | 'visa' | 'mastercard' | 'unionpay';
  readonly designId: string;
  readonly currency: string;
  readonly country: string;
  readonly ageYears: number;
  readonly method: Method;
  readonly verification: Verification;
  readonly consents: readonly string[];
  readonly phoneVerified: boolean;
  readonly locale: string;
  readonly replacementFor?: string;
  readonly additionalFor?: string;
  /** Clock reading at creation, in ms; the host adds it. */
  readonly at?: number;
}

/** When the milestones were passed, in ms. */
export interface Milestones {
  readonly created: number;
  readonly submitted?: number;
  readonly approved?: number;
  readonly produced?: number;
  readonly shipped?: number;
  readonly delivered?: number;
  readonly activated?: number;
  readonly closed?: number;
}

export type Stage = 'draft' | 'screening' | 'review' | 'approved' | 'production' | 'delivery' | 'activation' | 'ending';

/** Budget of a stage; a stage without one is not measured. Source: the service level of the product. */
export const STAGE_BUDGET_MS: { readonly [stage in Stage]?: number } = {
  screening: 15 * MINUTE,
  review: 24 * HOUR,
  production: businessDays(3),
  delivery: businessDays(5),
};

export interface OrderContext extends Omit<OrderInput, 'at'> {
  readonly times: Milestones;
  /** The running stage: since when it counts, and what it had used up before. */
  readonly stage: { readonly name: Stage; readonly since: number; readonly spentMs: number };
  /** Why the order needs somebody, or why it ended. A word, never free text. */
  readonly reason: string | null;
  /** The natural key was asked for, and not refused: it has to be given back (CO5). */
  readonly holdsKey: boolean;
  /** The unfinished order that holds the natural key, when this one is a duplicate. */
  readonly existing: string | null;

  readonly kycAttempt: number;
  readonly risk: Risk;
  readonly nameMismatch: boolean;
  readonly amlHit: boolean;
  /** The first of two reviewers, and what he said. */
  readonly firstOpinion: { readonly by: string; readonly verdict: 'approve' | 'reject' } | null;

  readonly card: { readonly cardId: string; readonly last4: string; readonly expiry: string } | null;
  readonly cardClosedFor: CardCloseReason | null;
  readonly suspensions: number;

  readonly batchId: string | null;
  /** Number of the bureau's job; 0 before the first. */
  readonly job: number;
  readonly respins: number;
  readonly envelopeId: string | null;

  readonly delivery: {
    /** Number of the delivery; 0 before the first. */
    readonly seq: number;
    readonly deliveryId: string | null;
    /** Count of the last published event heard of it (O-29). */
    readonly version: number;
    /** It was asked for, and has not ended. */
    readonly open: boolean;
    readonly resends: number;
    readonly attempts: number;
    readonly slot: { readonly slotId: string; readonly from: number; readonly to: number } | null;
  };

  readonly activations: number;
  readonly wrongTries: number;
  /** What a cancellation ends as, and the first operator who wants to force it. */
  readonly ending: 'cancelled' | 'failed';
  readonly forcedBy: string | null;
}

export function newOrder(input: OrderInput): OrderContext {
  const { at = 0, ...facts } = input;
  return {
    ...facts,
    times: { created: at },
    stage: { name: 'draft', since: at, spentMs: 0 },
    reason: null,
    holdsKey: false,
    existing: null,
    kycAttempt: 1,
    risk: 'low',
    nameMismatch: false,
    amlHit: false,
    firstOpinion: null,
    card: null,
    cardClosedFor: null,
    suspensions: 0,
    batchId: null,
    job: 0,
    respins: 0,
    envelopeId: null,
    delivery: { seq: 0, deliveryId: null, version: 0, open: false, resends: 0, attempts: 0, slot: null },
    activations: 0,
    wrongTries: 0,
    ending: 'cancelled',
    forcedBy: null,
  };
}
