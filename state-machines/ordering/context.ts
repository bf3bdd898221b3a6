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

export type ReplacementReason =
  | 'lost'
  | 'stolen'
  | 'damaged'
  | 'expired'
  | 'compromised'
  | 'not_received'
  | 'name_change'
  | 'design_change';

/** The product's terms at the time of the application; later changes of the product do not touch the order. */
export interface Terms {
  /** Fee in minor units of the card's currency, as text; '0' is none. */
  readonly feeMinor: string;
  readonly editMinutes: number;
  readonly attemptsMax: number;
  readonly storageDays: number;
}
export const USUAL_TERMS: Terms = { feeMinor: '0', editMinutes: 60, attemptsMax: 3, storageDays: 7 };

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
  readonly pickupPointId?: string;
  readonly service?: 'standard' | 'priority' | 'express';
  /** Somebody answers for the minor who gets the card. */
  readonly guardian?: boolean;
  /** Card that this one takes the place of, the order it came from, and why. */
  readonly replacementFor?: string;
  readonly replaces?: string;
  readonly replacementReason?: ReplacementReason;
  /** Another plastic of the old card: same number. */
  readonly reissueOf?: string;
  /** How many cards of this chain came before. */
  readonly generation?: number;
  readonly additionalFor?: string;
  readonly terms?: Terms;
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

export interface OrderContext extends Omit<OrderInput, 'at' | 'terms'> {
  readonly terms: Terms;
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
  /** Asked of a partner, and to be taken back if the order ends early. */
  readonly asked: { readonly kyc: boolean; readonly credit: boolean; readonly fee: boolean };
  readonly risk: Risk;
  readonly nameMismatch: boolean;
  readonly amlHit: boolean;
  /** The first of two reviewers, and what he said. */
  readonly firstOpinion: { readonly by: string; readonly verdict: 'approve' | 'reject' } | null;

  readonly card: { readonly cardId: string; readonly last4: string; readonly expiry: string } | null;
  readonly cardClosedFor: CardCloseReason | null;
  readonly suspensions: number;

  /** When it was promised to be there, in ms; 0 before approval. */
  readonly promisedBy: number;
  /** Counts the customer's edits: an edit names the one it was made on (O-14). */
  readonly edits: number;
  /** The plastic the stock was asked for; held once it said yes, until it is printed on or given back (CO11). */
  readonly plastic: { readonly designId: string; readonly held: boolean } | null;
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
    /** After a failed attempt: what it waits for. */
    readonly next: 'appointment' | 'address' | 'decision' | 'pickup_point' | 'nothing' | null;
    /** It was called off when somebody was on his way for it already. */
    readonly late: boolean;
    readonly storageUntil: number | null;
    readonly slot: { readonly slotId: string; readonly from: number; readonly to: number } | null;
  };

  readonly activations: number;
  readonly wrongTries: number;
  /** What a cancellation ends as, and the first operator who wants to force it. */
  readonly ending: 'cancelled' | 'failed';
  readonly forcedBy: string | null;
  /** The order that takes this one's place, while it is open; how many were begun. */
  readonly replacedBy: string | null;
  readonly replacements: number;
  /** The privacy request that ends it. */
  readonly erasure: string | null;
}

export const NO_DELIVERY: OrderContext['delivery'] = {
  seq: 0,
  deliveryId: null,
  version: 0,
  open: false,
  resends: 0,
  attempts: 0,
  next: null,
  late: false,
  storageUntil: null,
  slot: null,
};

export function newOrder(input: OrderInput): OrderContext {
  const { at = 0, terms = USUAL_TERMS, ...facts } = input;
  return {
    ...facts,
    terms,
    times: { created: at },
    stage: { name: 'draft', since: at, spentMs: 0 },
    reason: null,
    holdsKey: false,
    existing: null,
    kycAttempt: 1,
    asked: { kyc: false, credit: false, fee: false },
    risk: 'low',
    nameMismatch: false,
    amlHit: false,
    firstOpinion: null,
    card: null,
    cardClosedFor: null,
    suspensions: 0,
    promisedBy: 0,
    edits: 0,
    plastic: null,
    batchId: null,
    job: 0,
    respins: 0,
    envelopeId: null,
    delivery: NO_DELIVERY,
    activations: 0,
    wrongTries: 0,
    ending: 'cancelled',
    forcedBy: null,
    replacedBy: null,
    replacements: 0,
    erasure: null,
  };
}
