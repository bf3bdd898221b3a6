// What the order chart asks itself: pure questions over context and event. Questions about states stand with the setup.

import { DAY } from '../durations.ts';
import type { OrderContext } from './context.ts';
import type { OrderEvent } from './events.ts';
import { clockOf, type Scope } from './updates.ts';

export const KYC_ATTEMPTS_MAX = 3; // A third bad set of documents is a rejection.
export const RESPINS_MAX = 3; // Then the bureau has a problem that more plastic does not solve.
export const REDELIVERIES_MAX = 2; // After three deliveries the address is the problem.
export const ACTIVATION_TRIES_MAX = 5;
export const GENERATIONS_MAX = 8; // Plastics of one chain; as many as processors allow of one card.
const REQUIRED_CONSENTS = ['personal_data', 'contract'] as const;
const NOT_RECEIVED_AFTER_MS = 2 * DAY; // Past the promised day: before it, it is simply not there yet.
/** The bureau's own envelopes go by post; what it prints on them cannot be changed from here. */
const MAILED_BY_BUREAU = 'post';

type Ask = (scope: Scope) => boolean;

// --- Submission, screening and review ---

export const consentsGiven: Ask = ({ context }) =>
  REQUIRED_CONSENTS.every((consent) => context.consents.includes(consent)) && context.phoneVerified;
export const takesNoKey: Ask = ({ context }) => context.additionalFor !== undefined;
/** A customer whose card is replaced was identified for the first one. */
export const isKnownPerson: Ask = ({ context }) => context.replaces !== undefined;
export const isCurrentAttempt: Ask = ({ context, event }) =>
  !('attempt' in event) || event.attempt === undefined || event.attempt === context.kycAttempt;
export const mayResubmit: Ask = ({ context }) => context.kycAttempt < KYC_ATTEMPTS_MAX;
export const isCredit: Ask = ({ context }) => context.cardType === 'credit' && context.replaces === undefined;
export const isDoubtful: Ask = ({ context }) => context.nameMismatch || context.risk === 'high';
export const needsFourEyes: Ask = ({ context }) => context.amlHit || context.risk === 'high';
export const isSecondPerson: Ask = ({ context, event }) =>
  'by' in event && context.firstOpinion !== null && event.by !== context.firstOpinion.by;

type Output = { readonly [field: string]: unknown };
const outputOf = (event: OrderEvent): Output => ('output' in event ? (event.output as Output) : {});
export const screenedAs = ({ event }: Scope, { result }: { result: string }): boolean =>
  outputOf(event).result === result;
export const decided = ({ event }: Scope, { decision }: { decision: string }): boolean =>
  outputOf(event).decision === decision;
export const isEligible: Ask = ({ event }) => outputOf(event).eligible === true;
export const isOutOfZone: Ask = ({ event }) => outputOf(event).inZone === false;

// --- Edits ---

/** Made on what stands now: of two edits of one version the second is refused. */
export const isFreshEdit: Ask = ({ context, event }) =>
  event.type === 'EDIT' && (event.basis === undefined || event.basis === context.edits);
export const changesDesign: Ask = ({ context, event }) =>
  event.type === 'EDIT' && event.designId !== undefined && event.designId !== context.designId;
/** While the stock has not answered for the old design, nobody knows what there is to give back. */
export const awaitsOldDesign: Ask = (scope) => changesDesign(scope) && awaitsPlastic(scope);
export const changesPlace: Ask = ({ context, event }) =>
  event.type === 'EDIT' &&
  ((event.addressRef !== undefined && event.addressRef !== context.addressRef) ||
    (event.method !== undefined && event.method !== context.method) ||
    (event.pickupPointId !== undefined && event.pickupPointId !== context.pickupPointId));
export const shipsFromHub: Ask = ({ context }) => context.method !== MAILED_BY_BUREAU;

// --- Card, plastic and money ---

export const isThisPlastic: Ask = ({ context, event }) =>
  (event.type === 'PLASTIC_RESERVED' || event.type === 'STOCK_OUT') &&
  event.designId === context.plastic?.designId &&
  !context.plastic.held;
export const hasPlastic: Ask = ({ context }) =>
  context.plastic?.held === true && context.plastic.designId === context.designId;
/** Of a design that was corrected since. */
export const hasOtherPlastic: Ask = ({ context }) =>
  context.plastic !== null && context.plastic.designId !== context.designId;
export const awaitsPlastic: Ask = ({ context }) => context.plastic?.held === false;
export const takesFee: Ask = ({ context }) => context.terms.feeMinor !== '0' && context.replaces === undefined;
export const feeIsAsked: Ask = ({ context }) => context.asked.fee;
/** Nothing was printed, and nobody was on his way for it: then it costs nothing (4.7). */
export const feeIsReturned: Ask = ({ context }) =>
  context.asked.fee && context.envelopeId === null && !context.delivery.late;
export const wasActivated: Ask = ({ context }) => context.times.activated !== undefined;
export const closesCard: Ask = ({ event }) => event.type === 'REPORT' && event.kind !== 'not_received';

// --- Production ---

export const wasBatched: Ask = ({ context }) => context.job > 0;
export const isCurrentJob: Ask = ({ context, event }) => 'jobId' in event && event.jobId === jobIdOf(context);
export const isFixable: Ask = (scope) =>
  scope.event.type === 'BUREAU_REJECTED' && scope.event.fixable && isCurrentJob(scope);
export const mayRespin: Ask = (scope) => isCurrentJob(scope) && scope.context.respins < RESPINS_MAX;
export const hasNoJob: Ask = ({ context }) => context.job === 0;
export const jobIsDead: Ask = ({ context }) =>
  context.reason === 'bureau_rejected' || context.reason === 'respins_exhausted';
export const shippedUnasked: Ask = ({ context, event }) =>
  outputOf(event).outcome === 'shipped' && !context.delivery.open;

// --- Delivery ---

/** O-29: of the current delivery, and not heard before. */
export const isNews: Ask = ({ context, event }) =>
  'seq' in event && event.seq === context.delivery.seq && event.deliveryVersion > context.delivery.version;
export const isIdMismatch: Ask = (scope) =>
  scope.event.type === 'DeliveryAttemptFailed' && scope.event.reason === 'id_mismatch' && isNews(scope);
export const saysStatus = (scope: Scope, { status }: { status: readonly string[] }): boolean =>
  scope.event.type === 'DeliveryStatus' && status.includes(scope.event.status) && isNews(scope);
/** Every proof that the product asks for. */
export const proofsComplete: Ask = ({ context, event }) =>
  event.type === 'DeliveryHandedOver' &&
  (['idCheck', 'otp', 'signature', 'photo'] as const).every(
    (proof) => !context.verification[proof] || event.proofs[proof],
  );
export const hasDelivery: Ask = ({ context }) => context.delivery.open;
export const hasNoDelivery: Ask = ({ context }) => !context.delivery.open;
export const hasRedeliveriesLeft: Ask = ({ context }) => context.delivery.seq <= REDELIVERIES_MAX;
/** What comes back broken is not sent again. */
export const isUnfit: Ask = ({ context }) => context.reason === 'damaged' || context.reason === 'seal_broken';
export const sealIsBroken: Ask = (scope) =>
  scope.event.type === 'DeliveryReturned' && scope.event.seal === 'broken' && isNews(scope);
/** O-46: it should have been there for two days. */
export const isMissed: Ask = ({ context, event }) =>
  event.type === 'REPORT' &&
  event.kind === 'not_received' &&
  context.promisedBy > 0 &&
  clockOf(context, event) >= context.promisedBy + NOT_RECEIVED_AFTER_MS;

// --- Activation and replacement ---

export const hasTriesLeft: Ask = ({ context }) => context.wrongTries < ACTIVATION_TRIES_MAX;
export const proofHolds: Ask = ({ context, event }) =>
  event.type === 'ACTIVATE' &&
  (event.proof === 'last4' || event.proof === 'last4_otp' ? event.last4 === context.card?.last4 : true);
/** O-54: only the card itself shows this. */
export const proofIsStrong: Ask = ({ event }) =>
  event.type === 'ACTIVATE' && (event.proof === 'chip_pin' || event.proof === 'last4_otp');
/** Nobody scans it on its way; so what the customer shows is the only word of its arrival. */
export const isUntracked: Ask = ({ context }) => context.method === 'post';
export const consentIsAsked: Ask = ({ context }) => context.country === 'IN' && context.cardType === 'credit';
export const mayBeReplaced: Ask = ({ context }) =>
  context.replacedBy === null && (context.generation ?? 0) + context.replacements < GENERATIONS_MAX;
export const endsCardAtOnce: Ask = ({ event }) =>
  event.type === 'REPLACE' && ['lost', 'stolen', 'compromised'].includes(event.reason);
export const isOwnReplacement: Ask = ({ context, event }) => 'orderId' in event && event.orderId === context.replacedBy;

export const isOriginal: Ask = ({ context, event }) => 'orderId' in event && event.orderId === context.replaces;

// --- Hold and endings ---

export const stopsTheClock: Ask = ({ event }) =>
  event.type === 'HOLD' && (event.kind === 'customer' || event.kind === 'legal');
export const endsAsFailed: Ask = ({ context }) => context.ending === 'failed';
export const isSecondForce: Ask = ({ context, event }) =>
  event.type === 'FORCE' && context.forcedBy !== null && context.forcedBy !== event.by;
export const isWitnessed: Ask = ({ event }) => event.type === 'DESTROYED' && event.witness !== event.by;

/** Same text as the contract's `jobIdOf`: the bureau knows the job by it before it has answered. */
export const jobIdOf = ({ orderId, job }: OrderContext): string =>
  `job_${orderId.slice(orderId.indexOf('_') + 1)}_${job}`;
