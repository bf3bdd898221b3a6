// The words of the order chart: its effects, messages, guards, updates and delays, by name and typed.
//
// The region files say when; this file names what. Updates and questions are pure functions in updates.ts and predicates.ts;
// the questions about states, and the lengths of time, stand here.

import { and, assign, not, or, setup, stateIn } from 'xstate';
import { DAY, HOUR, MINUTE } from '../durations.ts';
import { told } from '../effect.ts';
import {
  type HoldKind,
  type Method,
  type OrderContext,
  type OrderInput,
  STAGE_BUDGET_MS,
  type Stage,
  type Verification,
} from './context.ts';
import { sources } from './effects.ts';
import type { OrderEvent } from './events.ts';
import * as is from './predicates.ts';
import * as update from './updates.ts';

export { ACTIVATION_TRIES_MAX, jobIdOf } from './predicates.ts';
export { clockOf } from './updates.ts';

/** The list of the day; the partner dedupes screenings by order and list. */
const AML_LIST = 'current';
const AT_RISK_SHARE = 0.8; // Of a stage's budget.
const RESENDS_FAST = 6; // Commands repeated every 5 minutes before it becomes every 30.

/** What ordering commands a delivery to do; the host addresses it and adds the envelope. */
export type DeliveryOrder =
  | { readonly type: 'delivery.create'; readonly input: DeliveryFacts }
  | { readonly type: 'delivery.cancel'; readonly reason: string }
  | {
      readonly type: 'delivery.changeAddress';
      readonly by: string;
      readonly addressRef: string;
      readonly country: string;
    }
  | {
      readonly type: 'delivery.changeMethod';
      readonly by: string;
      readonly method: Method;
      readonly pickupPointId?: string;
      readonly addressRef?: string;
      readonly country?: string;
    }
  | { readonly type: 'delivery.reschedule'; readonly by: string; readonly role: 'customer' | 'operator' }
  | {
      readonly type: 'delivery.extendStorage' | 'delivery.retry' | 'delivery.markNotReceived';
      readonly by: string;
    }
  | { readonly type: 'delivery.markDelivered' | 'delivery.release' | 'delivery.restate' }
  | { readonly type: 'delivery.destroy'; readonly by: string; readonly witness: string };

/** What a delivery has to know of its order. */
export interface DeliveryFacts {
  readonly envelopeId: string;
  readonly cardId: string;
  readonly method: Method;
  readonly personRef: string;
  readonly addressRef: string;
  readonly country: string;
  readonly locale: string;
  readonly verification: Verification;
  readonly attemptsMax: number;
  readonly storageDays: number;
  readonly pickupPointId?: string;
  readonly service?: 'standard' | 'priority' | 'express';
}

export interface Notice {
  readonly subject: string;
  readonly personRef: string;
  readonly locale: string;
  readonly template: string;
  /** Tells repeats of one template apart. */
  readonly n: number;
}

/** A message to another actor of this context; without `to` there is nobody to tell. */
export interface Told<Type extends string> {
  readonly to: string | null;
  readonly orderId: string;
  readonly type: Type;
}

const budgetOf = ({ stage }: OrderContext): number => STAGE_BUDGET_MS[stage.name] ?? 0;
/** Time the running stage has left before `share` of its budget is used up, in ms; never negative. */
const budgetLeft = (context: OrderContext, share: number): number =>
  Math.max(0, budgetOf(context) * share - context.stage.spentMs);

const editable = [is.isFreshEdit, not(is.awaitsOldDesign), stateIn({ hold: 'clear' })] as const;
const preparing = (region: string, ...states: readonly string[]) =>
  or(states.map((state) => stateIn({ fulfilment: { approved: { awaitingBatch: { [region]: state } } } })));

export const ordering = setup({
  types: {} as { context: OrderContext; events: OrderEvent; input: OrderInput },
  actors: sources,

  actions: {
    // Told to the world, without an answer: effects and messages of the host.
    notify: told<Notice>(),
    openTask: told<{ subject: string; orderId: string; task: string }>(),
    closeTask: told<{ subject: string; orderId: string; task: string }>(),
    askApplicant: told<{ userId: string; orderId: string; key: string; ask: 'RESERVE' | 'RELEASE_KEY' | 'nothing' }>(),
    askStock: told<{ orderId: string; designId: string; ask: 'RESERVE' | 'RELEASE' | 'USE' | 'nothing' }>(),
    joinBatch: told<{ orderId: string }>(),
    leaveBatch: told<{ orderId: string }>(),
    tellBatch: told<{ orderId: string; batchId: string | null; result: string }>(),
    commandDelivery: told<{ orderId: string; seq: number; command: DeliveryOrder }>(),
    beginOrder: told<{ orderId: string; by: string; submit: boolean; input: OrderInput }>(),
    tellOrder: told<Told<'REPLACEMENT_ACTIVATED' | 'REPLACEMENT_ENDED' | 'ORIGINAL_ACTIVATED'>>(),
    tellPrivacy: told<Told<'ERASURE_ACCEPTED' | 'ERASURE_REFUSED' | 'ORDER_ENDED'> & { readonly reason?: string }>(),
    'kyc.cancel': told<{ orderId: string; attempt: number }>(),
    'credit.withdraw': told<{ orderId: string }>(),
    'documents.shred': told<{ orderId: string; userId: string; why: string }>(),

    startStage: assign(update.startStage),
    pauseStage: assign(update.pauseStage),
    resumeStage: assign(update.resumeStage),
    pass: assign(update.pass),
    promise: assign(update.promise),
    giveReason: assign((_, { reason }: { reason: string | null }) => ({ reason })),

    noteKey: assign({ holdsKey: true }),
    noteExisting: assign(update.noteExisting),
    noteAsked: assign(update.noteAsked),
    noteVerdict: assign(update.noteVerdict),
    noteRisk: assign(update.noteRisk),
    noteAmlHit: assign({ amlHit: true }),
    nextKycAttempt: assign(update.nextKycAttempt),
    noteOpinion: assign(update.noteOpinion),
    forgetOpinion: assign({ firstOpinion: null }),
    noteEdit: assign(update.noteEdit),
    notePlace: assign(update.notePlace),

    noteCard: assign((_, card: { cardId: string; last4: string; expiry: string }) => ({ card })),
    noteCardClosing: assign(update.noteCardClosing),
    noteCardExpired: assign({ cardClosedFor: 'expired' as const }),
    countSuspension: assign(update.countSuspension),
    countActivation: assign(update.countActivation),
    countWrongTry: assign(update.countWrongTry),
    forgiveTries: assign({ wrongTries: 0 }),
    askForPlastic: assign(update.askForPlastic),
    holdPlastic: assign(update.holdPlastic),
    forgetPlastic: assign({ plastic: null }),

    takeBatch: assign(update.takeBatch),
    respin: assign(update.respin),
    nextJob: assign(update.nextJob),
    correctOrder: assign(update.correctOrder),
    noteEnvelope: assign(update.noteEnvelope),

    nextDelivery: assign(update.nextDelivery),
    countResend: assign(update.countResend),
    hear: assign(update.hear),
    deliveryOver: assign(update.deliveryOver),

    noteStop: assign(update.noteStop),
    noteErasure: assign(update.noteErasure),
    endAsFailed: assign({ ending: 'failed' as const }),
    noteForce: assign(update.noteForce),
    noteReplacement: assign(update.noteReplacement),
    forgetReplacement: assign({ replacedBy: null }),
  },

  guards: {
    notHeld: stateIn({ hold: 'clear' }),

    maySubmit: and([is.consentsGiven, stateIn({ hold: 'clear' })]),
    takesNoKey: is.takesNoKey,
    isKnownPerson: is.isKnownPerson,
    isCurrentAttempt: is.isCurrentAttempt,
    mayResubmit: is.mayResubmit,
    isCredit: is.isCredit,
    screenedAs: is.screenedAs,
    decided: is.decided,
    isEligible: is.isEligible,
    isOutOfZone: is.isOutOfZone,
    // Each check ends positive, negative, or referred to a person.
    checkFailed: or([
      stateIn({ fulfilment: { screening: { identity: 'rejected' } } }),
      stateIn({ fulfilment: { screening: { identity: 'expired' } } }),
      stateIn({ fulfilment: { screening: { aml: 'confirmedMatch' } } }),
      stateIn({ fulfilment: { screening: { eligibility: 'ineligible' } } }),
      stateIn({ fulfilment: { screening: { credit: 'declined' } } }),
    ]),
    needsReview: or([
      stateIn({ fulfilment: { screening: { identity: 'referred' } } }),
      stateIn({ fulfilment: { screening: { aml: 'referred' } } }),
      stateIn({ fulfilment: { screening: { eligibility: 'referred' } } }),
      stateIn({ fulfilment: { screening: { credit: 'referred' } } }),
      is.isDoubtful,
    ]),
    checksEnded: and([
      or([
        stateIn({ fulfilment: { screening: { identity: 'notRequired' } } }),
        stateIn({ fulfilment: { screening: { identity: 'approved' } } }),
        stateIn({ fulfilment: { screening: { identity: 'referred' } } }),
      ]),
      or([
        stateIn({ fulfilment: { screening: { aml: 'clear' } } }),
        stateIn({ fulfilment: { screening: { aml: 'referred' } } }),
      ]),
      or([
        stateIn({ fulfilment: { screening: { eligibility: 'eligible' } } }),
        stateIn({ fulfilment: { screening: { eligibility: 'referred' } } }),
      ]),
      or([
        stateIn({ fulfilment: { screening: { address: 'deliverable' } } }),
        stateIn({ fulfilment: { screening: { address: 'overridden' } } }),
      ]),
      or([
        stateIn({ fulfilment: { screening: { credit: 'notRequired' } } }),
        stateIn({ fulfilment: { screening: { credit: 'approved' } } }),
        stateIn({ fulfilment: { screening: { credit: 'accepted' } } }),
        stateIn({ fulfilment: { screening: { credit: 'referred' } } }),
      ]),
    ]),

    // Review: two people for high risk and for AML hits (four eyes).
    needsFourEyes: is.needsFourEyes,
    isSecondPerson: is.isSecondPerson,
    firstSaidYes: ({ context }) => context.firstOpinion?.verdict === 'approve',
    firstSaidNo: ({ context }) => context.firstOpinion?.verdict === 'reject',

    // Edits and the batch.
    mayEdit: and(editable),
    changesDesign: and([...editable, is.changesDesign]),
    changesPlace: and([...editable, is.changesPlace]),
    mayMoveEnvelope: and([is.shipsFromHub, stateIn({ hold: 'clear' })]),
    wasBatched: is.wasBatched,
    isThisPlastic: is.isThisPlastic,
    hasPlastic: is.hasPlastic,
    hasOtherPlastic: is.hasOtherPlastic,
    awaitsPlastic: is.awaitsPlastic,
    takesFee: is.takesFee,
    feeIsAsked: is.feeIsAsked,
    feeIsReturned: is.feeIsReturned,
    isReadyForBatch: and([
      preparing('window', 'over'),
      preparing('plastic', 'reserved'),
      preparing('address', 'valid'),
      preparing('fee', 'notRequired', 'charged', 'owed'),
      stateIn({ hold: 'clear' }),
    ]),

    // Card.
    hasNoCard: stateIn({ card: 'none' }),
    cardIsInactive: stateIn({ card: 'inactive' }),
    cardIsQuiet: or([
      stateIn({ card: 'suspended' }),
      stateIn({ card: 'closing' }),
      stateIn({ card: 'closeRefused' }),
      stateIn({ card: 'closed' }),
    ]),
    cardHasEnded: or([stateIn({ card: 'closed' }), stateIn({ card: 'unissued' })]),
    isUnwanted: stateIn({ card: { suspending: 'unwanted' } }),
    wasActivated: is.wasActivated,
    mayBeCleared: or([
      stateIn({ fulfilment: { handedOver: 'awaitingActivation' } }),
      stateIn({ fulfilment: 'completed' }),
      stateIn({ fulfilment: 'delivery' }),
    ]),
    isWaitingForActivation: stateIn({ fulfilment: { handedOver: 'awaitingActivation' } }),
    /** There is a card to report, and the report ends it. */
    closesCard: and([
      is.closesCard,
      or([
        stateIn({ card: 'inactive' }),
        stateIn({ card: 'active' }),
        stateIn({ card: 'suspending' }),
        stateIn({ card: 'suspended' }),
        stateIn({ card: 'resuming' }),
      ]),
    ]),

    // Production.
    isCurrentJob: is.isCurrentJob,
    isFixable: is.isFixable,
    mayRespin: is.mayRespin,
    hasNoJob: is.hasNoJob,
    jobIsDead: is.jobIsDead,
    shippedUnasked: is.shippedUnasked,

    // Delivery.
    isNews: is.isNews,
    isIdMismatch: is.isIdMismatch,
    saysStatus: is.saysStatus,
    isProvenHandover: and([is.isNews, is.proofsComplete]),
    hasNoDelivery: is.hasNoDelivery,
    mayCommandDelivery: and([is.hasDelivery, stateIn({ hold: 'clear' })]),
    mayRedeliver: and([is.hasRedeliveriesLeft, stateIn({ card: 'inactive' }), stateIn({ hold: 'clear' })]),
    sealIsBroken: is.sealIsBroken,
    isUnfit: is.isUnfit,
    isMissed: is.isMissed,

    // Activation and replacement.
    mayActivate: and([is.hasTriesLeft, is.proofHolds, stateIn({ card: 'inactive' }), stateIn({ hold: 'clear' })]),
    mayTryToActivate: and([is.hasTriesLeft, stateIn({ card: 'inactive' }), stateIn({ hold: 'clear' })]),
    provesArrival: and([
      is.isUntracked,
      is.proofIsStrong,
      is.hasTriesLeft,
      is.proofHolds,
      stateIn({ card: 'inactive' }),
      stateIn({ hold: 'clear' }),
    ]),
    triesToProveArrival: and([
      is.isUntracked,
      is.proofIsStrong,
      is.hasTriesLeft,
      stateIn({ card: 'inactive' }),
      stateIn({ hold: 'clear' }),
    ]),
    consentIsAsked: is.consentIsAsked,
    mayBeReplaced: and([is.mayBeReplaced, stateIn({ fulfilment: 'completed' }), stateIn({ hold: 'clear' })]),
    endsCardAtOnce: is.endsCardAtOnce,
    isOwnReplacement: is.isOwnReplacement,
    isOriginal: is.isOriginal,

    // Hold, SLA, endings.
    isHold: ({ event }, { kind }: { kind: HoldKind }) => event.type === 'HOLD' && event.kind === kind,
    stopsTheClock: is.stopsTheClock,
    hasBudget: ({ context }) => STAGE_BUDGET_MS[context.stage.name] !== undefined,
    inStage: ({ context }, { stage }: { stage: Stage }) => context.stage.name === stage,
    isCompleted: stateIn({ fulfilment: 'completed' }),
    endsAsFailed: is.endsAsFailed,
    isSecondForce: is.isSecondForce,
    isWitnessed: is.isWitnessed,
    isErasable: or([
      stateIn({ hold: 'clear' }),
      stateIn({ hold: { held: 'fraud' } }),
      stateIn({ hold: { held: 'customer' } }),
      stateIn({ hold: { held: 'operator' } }),
    ]),
  },

  delays: {
    draftExpires: 30 * DAY,
    customerSilent: 14 * DAY,
    firstReminder: 24 * HOUR,
    secondReminder: 72 * HOUR,
    partnerSilent: 24 * HOUR, // As long as a person may take: then one looks.
    hitUnresolved: 15 * MINUTE,
    cardRecordOverdue: 4 * HOUR,
    /** Never less than the terms say, whatever the batch does. */
    editWindow: ({ context }: { context: OrderContext }) => context.terms.editMinutes * MINUTE,
    stockAgain: 6 * HOUR,
    bureauSilent: 4 * HOUR,
    deliverySilent: ({ context }: { context: OrderContext }) =>
      (context.delivery.resends < RESENDS_FAST ? 5 : 30) * MINUTE,
    recallOverdue: 30 * DAY,
    decisionOverdue: 30 * DAY,
    activationReminder1: 3 * DAY,
    activationReminder2: 10 * DAY,
    activationReminder3: 25 * DAY,
    activationConsent: 30 * DAY,
    activationExpires: 180 * DAY,
    pageOnCall: MINUTE,
    closeAgain: HOUR,
    cardExpires: ({ context, event }: { context: OrderContext; event: OrderEvent }) => untilExpiry(context, event),
    slaAtRisk: ({ context }: { context: OrderContext }) => budgetLeft(context, AT_RISK_SHARE),
    slaSpent: ({ context }: { context: OrderContext }) =>
      Math.min(budgetLeft(context, 1), budgetOf(context) * (1 - AT_RISK_SHARE)),
  },
});

/** Until the end of the month printed on the card, in ms. */
function untilExpiry(context: OrderContext, event: { readonly at?: number }): number {
  const [year = 0, month = 0] = (context.card?.expiry ?? '').split('-').map(Number);
  return Math.max(0, Date.UTC(year, month, 1) - update.clockOf(context, event));
}

interface Inputs {
  readonly context: OrderContext;
}
export const amlInput = ({ context }: Inputs) => ({
  orderId: context.orderId,
  personRef: context.personRef,
  listVersion: AML_LIST,
});
export const placeInput = ({ context: { orderId, addressRef, method, country, pickupPointId } }: Inputs) => ({
  orderId,
  addressRef,
  method,
  country,
  ...(pickupPointId === undefined ? {} : { pickupPointId }),
});
export const feeInput = ({ context: { orderId, userId, terms, currency } }: Inputs) => ({
  orderId,
  userId,
  feeType: 'issue' as const,
  amountMinor: terms.feeMinor,
  currency,
});
