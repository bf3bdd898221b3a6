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
import { cardType, holdKind, method, paymentSystem, proof, reportKind, verification } from './words.ts';

// --- Order: created by the api with SUBMIT, or with SAVE for a draft ---

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
  /** A replacement or an additional card does not take the natural key. */
  replacementFor: Type.Optional(id),
  additionalFor: Type.Optional(id),
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
  /** The delivery could not be made as asked: another method or address. O-27. */
  METHOD_CHANGED: event('METHOD_CHANGED', {
    ...by,
    method,
    addressRef: Type.Optional(id),
    country: Type.Optional(country),
  }),
  /** The envelope came back; try once more. O-48. */
  REDELIVER: event('REDELIVER', { ...by, addressRef: Type.Optional(id), country: Type.Optional(country) }),
  /**
   * The card is in the customer's hand. With `last4` the chart compares; `app`, `otp` and `chip_pin` were proved to the
   * sender before. Wrong digits are counted; after five the activation is locked until ACTIVATION_UNLOCKED. O-36.
   */
  ACTIVATE: event('ACTIVATE', { ...by, proof, last4: Type.Optional(Type.String({ pattern: '^[0-9]{4}$' })) }),
  /** Lost, stolen or compromised closes the card, whatever else goes on. O-45, O-46. */
  REPORT: event('REPORT', { ...by, kind: reportKind }),
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

export const orderEvents = {
  ...customerEvents,
  ...staffEvents,
  ...screeningEvents,
  ...bureauEvents,
  ...applicantAnswers,
  ...batchAnswers,
  ...deliveryPublished,
} as const;
export type OrderEventType = keyof typeof orderEvents;
export type OrderMessage = EventOf<typeof orderEvents>;

// --- Applicant: one per person, created by the first RESERVE ---

export const applicantInput = closed({ userId: id });
export type ApplicantInput = Static<typeof applicantInput>;

export const applicantEvents = {
  /** By an order after SUBMIT. Answered with KEY_GRANTED or KEY_REFUSED; asking again gets the same answer. */
  RESERVE: event('RESERVE', { orderId: id, productCode: word }),
  /** By an order that ended. Of a key that another order holds: no change. */
  RELEASE_KEY: event('RELEASE_KEY', { orderId: id, productCode: word }),
} as const;
export type ApplicantMessage = EventOf<typeof applicantEvents>;

// --- Batch: one line, created by the first JOIN ---

export const batchInput = closed({ line: id });
export type BatchInput = Static<typeof batchInput>;

export const batchEvents = {
  /** By an order whose edit window is over. Answered with BATCH_CLOSED at cut-off, or when 200 have joined. */
  JOIN: event('JOIN', { orderId: id }),
  /** By an order that is cancelled or held before the cut-off. */
  LEAVE: event('LEAVE', { orderId: id }),
  /** By an operator: cut off now. */
  CLOSE_BATCH: event('CLOSE_BATCH', by),
} as const;
export type BatchMessage = EventOf<typeof batchEvents>;
