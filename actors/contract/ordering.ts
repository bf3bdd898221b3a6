// What travels to the actors of the ordering context, and what creates them.
//
// Every event here is refused by the chart wherever section "From" of state-machines/README.md does not list it (M4).
// The runtime adds `at`, the clock reading of the step; no sender does. `by` is the principal who acts, for the journal
// and for four-eyes rules. No event holds a name, an address, a phone or a document number: only references. A `reason` is a
// word of a closed list (reasons.ts). What a desk gives in another's place carries the desk's word: as `reason` where the
// event has one and was not given its own, else as `note`, which no chart reads.

import { type Static, Type } from 'typebox';
import { deliveryPublished } from './published.ts';
import { bureauReasons, cancellationReasons, commandReasons, reviewReasons, screeningReasons } from './reasons.ts';
import { closed, count, country, type EventOf, event, id, oneOf, word } from './schema.ts';
import {
  cardType,
  holdKind,
  method,
  paymentSystem,
  proof,
  replacementReason,
  reportKind,
  verification,
} from './words.ts';

// --- Order: created by the api with SUBMIT, or with SAVE for a draft ---

/** The product's terms when the application was made; later changes of the product do not touch the order. */
const terms = closed({
  /** Integer minor units of the currency, as text; '0' is none. */
  feeMinor: Type.String({ pattern: '^[0-9]{1,12}$' }),
  editMinutes: Type.Integer({ minimum: 60, maximum: 10_080 }),
  attemptsMax: Type.Integer({ minimum: 1, maximum: 10 }),
  storageDays: Type.Integer({ minimum: 1, maximum: 60 }),
});
export type Terms = Static<typeof terms>;

/** What guards and effects of an order need to know, and references to the rest. Under 1 KB as JSON. */
export const orderInput = closed({
  orderId: id,
  userId: id,
  /** Person and address records of `actors/people`; immutable, so a correction is another reference. */
  personRef: id,
  addressRef: id,
  productCode: word,
  cardType,
  paymentSystem,
  designId: word,
  currency: Type.String({ pattern: '^[A-Z]{3}$' }),
  /** Where the card goes, and where the applicant lives for the rules that depend on it. */
  country,
  ageYears: Type.Integer({ minimum: 0, maximum: 150 }),
  method,
  verification,
  /** `personal_data` and `contract` are required to submit. */
  consents: Type.Array(word, { maxItems: 8 }),
  phoneVerified: Type.Boolean(),
  locale: word,
  pickupPointId: Type.Optional(id),
  service: Type.Optional(oneOf('standard', 'priority', 'express')),
  guardian: Type.Optional(Type.Boolean()),
  /** Card that this one takes the place of, the order it came from, and why. Holds the key of that card, not the product's. */
  replacementFor: Type.Optional(id),
  replaces: Type.Optional(id),
  replacementReason: Type.Optional(replacementReason),
  reissueOf: Type.Optional(id),
  generation: Type.Optional(Type.Integer({ minimum: 0, maximum: 16 })),
  /** An additional card takes no key. */
  additionalFor: Type.Optional(id),
  terms: Type.Optional(terms),
});
export type OrderInput = Static<typeof orderInput>;

const by = { by: id };
const deskReason = oneOf(...commandReasons);
const screeningReason = oneOf(...screeningReasons, ...commandReasons);
const bureauReason = oneOf(...bureauReasons, ...commandReasons);

/** By the customer, through the api. */
export const customerEvents = {
  /** Creates a draft and leaves it one, or touches an existing one. O-01. */
  SAVE: event('SAVE', by),
  /** Sends the application in. The natural key is asked for, then the five checks start. O-02. */
  SUBMIT: event('SUBMIT', by),
  /** Throws a draft away. O-03. */
  DISCARD: event('DISCARD', by),
  /** New documents are in the vault after a request for them; the identity check starts again. */
  KYC_RESUBMITTED: event('KYC_RESUBMITTED', { ...by, personRef: Type.Optional(id) }),
  /** Another address while screening waits for one; it is validated again. */
  ADDRESS_CORRECTED: event('ADDRESS_CORRECTED', { ...by, addressRef: id, country, method: Type.Optional(method) }),
  OFFER_ACCEPTED: event('OFFER_ACCEPTED', by),
  OFFER_DECLINED: event('OFFER_DECLINED', by),
  /** The rest of the edit window is not needed; the order joins the batch at once. */
  EDIT_WAIVED: event('EDIT_WAIVED', by),
  /** Stops the order and undoes what was done. Also by an operator. O-41. */
  CANCEL: event('CANCEL', { ...by, reason: oneOf(...cancellationReasons, ...commandReasons) }),
  /**
   * While the order waits for its batch: another name on the card (a new person record), design, address, method or pickup
   * point. `basis` is the count of edits the editor saw; of two edits of one version the second is refused. O-14.
   */
  EDIT: event('EDIT', {
    ...by,
    basis: Type.Optional(Type.Integer({ minimum: 0 })),
    personRef: Type.Optional(id),
    designId: Type.Optional(word),
    addressRef: Type.Optional(id),
    country: Type.Optional(country),
    method: Type.Optional(method),
    pickupPointId: Type.Optional(id),
  }),
  /** In production taken at once; in delivery passed on, and answered by a published event. O-35. */
  CHANGE_ADDRESS: event('CHANGE_ADDRESS', { ...by, addressRef: id, country }),
  /** The same; and the way out when the delivery could not be made as asked. O-27, O-35. */
  CHANGE_METHOD: event('CHANGE_METHOD', {
    ...by,
    method,
    pickupPointId: Type.Optional(id),
    addressRef: Type.Optional(id),
    country: Type.Optional(country),
  }),
  RESCHEDULE: event('RESCHEDULE', { ...by, role: oneOf('customer', 'operator') }),
  EXTEND_STORAGE: event('EXTEND_STORAGE', by),
  /** After a refusal at the door, or with new documents: another try. */
  RETRY_DELIVERY: event('RETRY_DELIVERY', by),
  /** What was reported as not received has come after all. O-46. */
  CARD_FOUND: event('CARD_FOUND', by),
  /** The envelope came back; try once more. O-48. */
  REDELIVER: event('REDELIVER', { ...by, addressRef: Type.Optional(id), country: Type.Optional(country) }),
  /**
   * The card is in the customer's hand. With `last4` the chart compares; `app`, `otp` and `chip_pin` were proved to the
   * sender before. Wrong digits are counted; after five the activation is locked until ACTIVATION_UNLOCKED. O-36.
   */
  ACTIVATE: event('ACTIVATE', { ...by, proof, last4: Type.Optional(Type.String({ pattern: '^[0-9]{4}$' })) }),
  /** Lost, stolen or compromised closes the card, whatever else goes on. O-45, O-46. */
  REPORT: event('REPORT', { ...by, kind: reportKind }),
  /** Another card in this one's place, of a completed order. O-53. */
  REPLACE: event('REPLACE', {
    ...by,
    reason: replacementReason,
    personRef: Type.Optional(id),
    designId: Type.Optional(word),
  }),
} as const;

/** By reviewers and operators, through the internal api. */
export const staffEvents = {
  /** Takes the decision away from the automatic checks at once. O-06. */
  REVIEW_REQUIRED: event('REVIEW_REQUIRED', { ...by, reason: deskReason }),
  /** A reviewer's verdict. With high risk or an AML hit, two different reviewers have to agree. O-09, O-10. */
  REVIEW_APPROVED: event('REVIEW_APPROVED', { ...by, reason: Type.Optional(oneOf(...reviewReasons.approve)) }),
  REVIEW_REJECTED: event('REVIEW_REJECTED', { ...by, reason: Type.Optional(oneOf(...reviewReasons.reject)) }),
  AML_CLEARED: event('AML_CLEARED', by),
  AML_CONFIRMED: event('AML_CONFIRMED', by),
  ADDRESS_OVERRIDDEN: event('ADDRESS_OVERRIDDEN', by),
  /** Stops every new side effect but compensations, until RELEASE. O-51. */
  HOLD: event('HOLD', { ...by, kind: holdKind }),
  RELEASE: event('RELEASE', by),
  /** Tries again what a partner refused for too long: card record, print job, cancellation. */
  RETRY: event('RETRY', by),
  /** Ends a stuck cancellation without its missing parts; two different operators have to say it. O-43. */
  FORCE: event('FORCE', by),
  /** What the bureau rejected was put right; a new job of the same order follows. O-20. */
  CORRECTED: event('CORRECTED', { ...by, personRef: Type.Optional(id), designId: Type.Optional(word) }),
  /** A returned envelope shall be destroyed. O-49. */
  DESTROY: event('DESTROY', by),
  /** The act of destruction, signed by two people. */
  DESTROYED: event('DESTROYED', { ...by, witness: id }),
  ACTIVATION_UNLOCKED: event('ACTIVATION_UNLOCKED', by),
  /** Nothing was wrong with a card that was suspended: it wakes up. */
  CARD_CLEARED: event('CARD_CLEARED', by),
  /** Gives the order up: everything is undone, and it ends as failed. O-50. */
  FATAL: event('FATAL', { ...by, reason: deskReason }),
} as const;

/** By the screening partner's callbacks, through the partner api. `attempt` is the one of `kyc.start`, if the partner knows it. */
export const screeningEvents = {
  KYC_IN_REVIEW: event('KYC_IN_REVIEW', { attempt: Type.Optional(count) }),
  /** `nameMatch: false` or high risk sends the order to manual review. */
  KYC_APPROVED: event('KYC_APPROVED', {
    attempt: Type.Optional(count),
    nameMatch: Type.Optional(Type.Boolean()),
    risk: Type.Optional(oneOf('low', 'medium', 'high')),
  }),
  KYC_REJECTED: event('KYC_REJECTED', { attempt: Type.Optional(count), reason: screeningReason }),
  /** The documents were not good enough; the third time it is a rejection. O-07. */
  KYC_RESUBMIT: event('KYC_RESUBMIT', { attempt: Type.Optional(count), reason: screeningReason }),
  KYC_EXPIRED: event('KYC_EXPIRED', { attempt: Type.Optional(count) }),
} as const;

/**
 * By the bureau's callbacks, through the partner api. They may come twice and in any order: a later stage implies the
 * earlier ones, and a job that is not the current one is refused.
 */
export const bureauEvents = {
  BUREAU_ACK: event('BUREAU_ACK', { jobId: id }),
  /** `fixable: false` needs an operator at once. O-19. */
  BUREAU_REJECTED: event('BUREAU_REJECTED', { jobId: id, reason: bureauReason, fixable: Type.Boolean() }),
  PRINT_STARTED: event('PRINT_STARTED', { jobId: id }),
  /** The card lies in an envelope; its barcode follows it to the end. O-22. */
  PRINTED: event('PRINTED', { jobId: id, envelopeId: word }),
  PRINT_SPOILED: event('PRINT_SPOILED', { jobId: id, reason: bureauReason }),
} as const;

/** By the applicant actor, in answer to RESERVE. */
export const applicantAnswers = {
  KEY_GRANTED: event('KEY_GRANTED', {}),
  /** Another unfinished order holds the key; this one is rejected as a duplicate. */
  KEY_REFUSED: event('KEY_REFUSED', { existing: id }),
} as const;

/** By the batch actor, to each member at cut-off. O-16. */
export const batchAnswers = {
  BATCH_CLOSED: event('BATCH_CLOSED', { batchId: id }),
} as const;

/** By the stock actor of a design, in answer to RESERVE. O-12, O-15. */
export const stockAnswers = {
  PLASTIC_RESERVED: event('PLASTIC_RESERVED', { designId: word }),
  STOCK_OUT: event('STOCK_OUT', { designId: word }),
} as const;

/** Between the orders of one chain of cards. */
export const chainEvents = {
  /** By the order that took this one's place: its card is in use, and this one's is closed. O-37, O-46. */
  REPLACEMENT_ACTIVATED: event('REPLACEMENT_ACTIVATED', { orderId: id }),
  /** The same order came to nothing; another one may be begun. O-53. */
  REPLACEMENT_ENDED: event('REPLACEMENT_ENDED', { orderId: id }),
  /** By the order that was to be replaced: its card has turned up and is in use. O-46. */
  ORIGINAL_ACTIVATED: event('ORIGINAL_ACTIVATED', { orderId: id }),
} as const;

/** By a request for erasure. Answered with ERASURE_ACCEPTED or ERASURE_REFUSED, and ORDER_ENDED at the end. O-52. */
export const privacyDemands = {
  SUBJECT_ERASURE: event('SUBJECT_ERASURE', { ...by, requestId: id }),
} as const;

export const orderEvents = {
  ...customerEvents,
  ...staffEvents,
  ...screeningEvents,
  ...bureauEvents,
  ...applicantAnswers,
  ...batchAnswers,
  ...stockAnswers,
  ...chainEvents,
  ...privacyDemands,
  ...deliveryPublished,
} as const;
export type OrderEventType = keyof typeof orderEvents;
export type OrderMessage = EventOf<typeof orderEvents>;

// --- Applicant: one per person, created by the first RESERVE ---

export const applicantInput = closed({ userId: id });
export type ApplicantInput = Static<typeof applicantInput>;

export const applicantEvents = {
  /** By an order after SUBMIT. Answered with KEY_GRANTED or KEY_REFUSED; asking again gets the same answer. */
  RESERVE: event('RESERVE', { orderId: id, key: word }),
  /** By an order that ended. Of a key that another order holds: no change. */
  RELEASE_KEY: event('RELEASE_KEY', { orderId: id, key: word }),
} as const;
export type ApplicantMessage = EventOf<typeof applicantEvents>;

// --- Batch: one line, created by the first JOIN ---

export const batchInput = closed({ line: id });
export type BatchInput = Static<typeof batchInput>;

export const batchEvents = {
  /** By an order that is ready. Answered with BATCH_CLOSED at cut-off, or when 200 have joined. */
  JOIN: event('JOIN', { orderId: id }),
  /** By an order that is cancelled or edited before the cut-off. */
  LEAVE: event('LEAVE', { orderId: id }),
  /** By an operator: cut off now. */
  CLOSE_BATCH: event('CLOSE_BATCH', by),
} as const;
export type BatchMessage = EventOf<typeof batchEvents>;

// --- Closed batch: created by its line at the cut-off, and never changed ---

export const closedBatchInput = closed({ batchId: id, members: Type.Array(id, { minItems: 1, maxItems: 200 }) });
export type ClosedBatchInput = Static<typeof closedBatchInput>;

export const closedBatchEvents = {
  /** By its line, with the creation: tells each member BATCH_CLOSED. O-16. */
  CUT_OFF: event('CUT_OFF', {}),
  /** What became of a member's place: printed, rejected, withdrawn, shipped or held. The first word counts. */
  BATCH_RESULT: event('BATCH_RESULT', {
    orderId: id,
    result: oneOf('printed', 'rejected', 'withdrawn', 'shipped', 'held', 'given_up'),
  }),
  /** By an operator: the missing results were looked up. */
  RECONCILED: event('RECONCILED', by),
} as const;
export type ClosedBatchMessage = EventOf<typeof closedBatchEvents>;

// --- Stock of one design, created by the first RESERVE ---

/** `received`: what lies at the bureau when the count begins. */
export const stockInput = closed({ designId: word, received: Type.Integer({ minimum: 0 }) });
export type StockInput = Static<typeof stockInput>;

export const stockEvents = {
  /** By an order with a card record. Answered with PLASTIC_RESERVED or STOCK_OUT. */
  RESERVE_PLASTIC: event('RESERVE_PLASTIC', { orderId: id }),
  /** By an order that held one and does not need it any more. */
  RELEASE_PLASTIC: event('RELEASE_PLASTIC', { orderId: id }),
  /** By an order whose card was printed. */
  USE_PLASTIC: event('USE_PLASTIC', { orderId: id }),
  /** By an operator: a delivery of blank plastic arrived; a negative number takes back what was booked wrongly. */
  RECEIVE_PLASTIC: event('RECEIVE_PLASTIC', {
    ...by,
    quantity: Type.Integer({ minimum: -1_000_000, maximum: 1_000_000 }),
  }),
} as const;
export type StockMessage = EventOf<typeof stockEvents>;

// --- Card guard: created by a delivery whose envelope was stolen ---

export const cardGuardInput = closed({ orderId: id, cardId: id });
export type CardGuardInput = Static<typeof cardGuardInput>;

export const cardGuardEvents = {
  /** The same event that the order hears; whichever blocks first, the other finds it done (4.6). */
  DeliveryStolen: deliveryPublished.DeliveryStolen,
  RETRY: event('RETRY', by),
} as const;
export type CardGuardMessage = EventOf<typeof cardGuardEvents>;

// --- Sweep between the contexts: one, begun by the first ordering worker ---

export const sweepInput = closed({ everyMs: Type.Integer({ minimum: 60_000 }) });
export type SweepInput = Static<typeof sweepInput>;

export const sweepEvents = {
  /** With the creation. Said again by each worker that starts, and changes nothing then. */
  BEGIN: event('BEGIN', {}),
  /** By an operator: do not wait for the quarter. */
  SWEEP_NOW: event('SWEEP_NOW', by),
} as const;
export type SweepMessage = EventOf<typeof sweepEvents>;
