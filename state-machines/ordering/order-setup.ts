// The words of the order chart: its effects, messages, guards, updates and delays, by name and typed.
//
// The region files say when; this file says what. Every guard and update is pure over context and event, and time comes
// from the event's `at`.

import { and, assertEvent, assign, or, setup, stateIn } from 'xstate';
import { DAY, HOUR, MINUTE } from '../durations.ts';
import { effect, told } from '../effect.ts';
import {
  type CardCloseReason,
  type HoldKind,
  type Method,
  type Milestones,
  type OrderContext,
  type OrderInput,
  type Risk,
  STAGE_BUDGET_MS,
  type Stage,
  type Verification,
} from './context.ts';
import type { FromDelivery, OrderEvent } from './events.ts';

export const KYC_ATTEMPTS_MAX = 3; // A third bad set of documents is a rejection.
export const RESPINS_MAX = 3; // Then the bureau has a problem that more plastic does not solve.
export const REDELIVERIES_MAX = 2; // After three deliveries the address is the problem.
export const ACTIVATION_TRIES_MAX = 5;
/** The list of the day; the partner dedupes screenings by order and list. */
const AML_LIST = 'current';
const REQUIRED_CONSENTS = ['personal_data', 'contract'] as const;
const AT_RISK_SHARE = 0.8; // Of a stage's budget.
const RESENDS_FAST = 6; // Commands repeated every 5 minutes before it becomes every 30.

/** What ordering commands a delivery to do; the host addresses it and adds the envelope. */
export type DeliveryOrder =
  | { readonly type: 'delivery.create'; readonly input: DeliveryFacts }
  | { readonly type: 'delivery.cancel'; readonly reason: string }
  | { readonly type: 'delivery.release' }
  | { readonly type: 'delivery.destroy'; readonly by: string; readonly witness: string };

/** What a delivery has to know of its order. */
export interface DeliveryFacts {
  readonly envelopeId: string;
  readonly method: Method;
  readonly personRef: string;
  readonly addressRef: string;
  readonly country: string;
  readonly locale: string;
  readonly verification: Verification;
}

export interface Notice {
  readonly subject: string;
  readonly personRef: string;
  readonly locale: string;
  readonly template: string;
  /** Tells repeats of one template apart. */
  readonly n: number;
}

/** Clock reading of the step; steps caused by raised events keep the last one known. */
export const clockOf = (context: OrderContext, event: { readonly at?: number }): number =>
  event.at ?? context.stage.since;

const budgetOf = ({ stage }: OrderContext): number => STAGE_BUDGET_MS[stage.name] ?? 0;
/** Time the running stage has left before `share` of its budget is used up, in ms; never negative. */
const budgetLeft = (context: OrderContext, share: number): number =>
  Math.max(0, budgetOf(context) * share - context.stage.spentMs);

const isCurrent = (context: OrderContext, event: OrderEvent): boolean =>
  'seq' in event && event.seq === context.delivery.seq && event.deliveryVersion > context.delivery.version;

/** A milestone is passed once; a second passage changes nothing. */
const passed = (context: OrderContext, milestone: keyof Milestones, event: { readonly at?: number }): Milestones => ({
  [milestone]: clockOf(context, event),
  ...context.times,
});

/** The appointment that stands after a published event. */
function slotAfter(slot: OrderContext['delivery']['slot'], heard: FromDelivery): OrderContext['delivery']['slot'] {
  if (heard.type === 'AppointmentConfirmed') return { slotId: heard.slotId, from: heard.from, to: heard.to };
  return heard.type === 'DeliveryAttemptFailed' ||
    heard.type === 'DeliveryRescheduled' ||
    heard.type === 'DeliveryFound'
    ? null
    : slot;
}

export const ordering = setup({
  types: {} as { context: OrderContext; events: OrderEvent; input: OrderInput },

  // Effects whose answer a state waits for.
  actors: {
    'kyc.start': effect<{ orderId: string; attempt: number; personRef: string }, { verificationId: string }>(
      'kyc.start',
    ),
    'aml.screen': effect<
      { orderId: string; personRef: string; listVersion: string },
      { result: 'clear' | 'potential_match' | 'confirmed_match' }
    >('aml.screen'),
    'eligibility.check': effect<
      { orderId: string; productCode: string; country: string; ageYears: number },
      { eligible: boolean; reason?: string; risk: Risk }
    >('eligibility.check'),
    'address.validate': effect<
      { orderId: string; addressRef: string; method: Method; country: string },
      { result: 'likely_deliverable' | 'likely_undeliverable' | 'indeterminate'; inZone: boolean }
    >('address.validate'),
    'credit.decide': effect<
      { orderId: string; personRef: string; productCode: string; currency: string },
      { decision: 'approved' | 'declined' | 'counter_offered'; limitMinor?: string }
    >('credit.decide'),
    'card.create': effect<
      {
        orderId: string;
        personRef: string;
        productCode: string;
        paymentSystem: string;
        designId: string;
        currency: string;
      },
      { cardId: string; last4: string; expiry: string }
    >('card.create'),
    'card.activate': effect<{ orderId: string; cardId: string; n: number }, unknown>('card.activate'),
    'card.suspend': effect<{ orderId: string; cardId: string; n: number }, unknown>('card.suspend'),
    'card.resume': effect<{ orderId: string; cardId: string; n: number }, unknown>('card.resume'),
    'card.close': effect<{ orderId: string; cardId: string; reason: CardCloseReason }, unknown>('card.close'),
    'bureau.submit': effect<
      {
        orderId: string;
        jobId: string;
        batchId: string;
        cardId: string;
        personRef: string;
        productCode: string;
        designId: string;
      },
      unknown
    >('bureau.submit'),
    'bureau.withdraw': effect<{ orderId: string; jobId: string }, { outcome: 'withdrawn' | 'intercepted' | 'shipped' }>(
      'bureau.withdraw',
    ),
  },

  actions: {
    // Told to the world, without an answer: effects and messages of the host.
    notify: told<Notice>(),
    openTask: told<{ subject: string; orderId: string; task: string }>(),
    closeTask: told<{ subject: string; orderId: string; task: string }>(),
    askApplicant: told<{
      userId: string;
      orderId: string;
      productCode: string;
      ask: 'RESERVE' | 'RELEASE_KEY' | 'nothing';
    }>(),
    joinBatch: told<{ orderId: string }>(),
    leaveBatch: told<{ orderId: string }>(),
    commandDelivery: told<{ orderId: string; seq: number; command: DeliveryOrder }>(),

    // Stages and milestones.
    startStage: assign(({ context, event }, { stage }: { stage: Stage }) => ({
      stage: { name: stage, since: clockOf(context, event), spentMs: 0 },
    })),
    pauseStage: assign(({ context, event }) => ({
      stage: {
        ...context.stage,
        spentMs: context.stage.spentMs + Math.max(0, clockOf(context, event) - context.stage.since),
      },
    })),
    resumeStage: assign(({ context, event }) => ({ stage: { ...context.stage, since: clockOf(context, event) } })),
    pass: assign(({ context, event }, { milestone }: { milestone: keyof Milestones }) => ({
      times: passed(context, milestone, event),
    })),
    giveReason: assign((_, { reason }: { reason: string | null }) => ({ reason })),

    // Screening and review.
    noteVerdict: assign(({ context, event }) => {
      assertEvent(event, 'KYC_APPROVED');
      return { risk: event.risk ?? context.risk, nameMismatch: event.nameMatch === false };
    }),
    noteRisk: assign(({ context }, { risk }: { risk: Risk }) => ({ risk: risk === 'low' ? context.risk : risk })),
    noteAmlHit: assign({ amlHit: true }),
    nextKycAttempt: assign(({ context, event }) => {
      assertEvent(event, 'KYC_RESUBMITTED');
      return { kycAttempt: context.kycAttempt + 1, personRef: event.personRef ?? context.personRef, reason: null };
    }),
    correctAddress: assign(({ context, event }) => {
      assertEvent(event, ['ADDRESS_CORRECTED', 'METHOD_CHANGED', 'REDELIVER']);
      return {
        addressRef: event.addressRef ?? context.addressRef,
        country: event.country ?? context.country,
        method: ('method' in event ? event.method : undefined) ?? context.method,
        reason: null,
      };
    }),
    noteOpinion: assign(({ event }) => {
      assertEvent(event, ['REVIEW_APPROVED', 'REVIEW_REJECTED']);
      return {
        firstOpinion: {
          by: event.by,
          verdict: event.type === 'REVIEW_APPROVED' ? ('approve' as const) : ('reject' as const),
        },
      };
    }),
    forgetOpinion: assign({ firstOpinion: null }),
    noteKey: assign({ holdsKey: true }),
    noteExisting: assign(({ event }) => {
      assertEvent(event, 'KEY_REFUSED');
      return { existing: event.existing, reason: 'duplicate', holdsKey: false };
    }),

    // Card.
    noteCard: assign((_, card: { cardId: string; last4: string; expiry: string }) => ({ card })),
    noteCardClosing: assign(({ event }) => {
      assertEvent(event, ['CLOSE_CARD', 'REPORT']);
      return { cardClosedFor: event.type === 'CLOSE_CARD' ? event.reason : (event.kind as CardCloseReason) }; // Guarded: never `not_received`.
    }),
    noteCardExpired: assign({ cardClosedFor: 'expired' as const }),
    countSuspension: assign(({ context }) => ({ suspensions: context.suspensions + 1 })),
    countActivation: assign(({ context }) => ({ activations: context.activations + 1 })),
    countWrongTry: assign(({ context }) => ({ wrongTries: context.wrongTries + 1 })),
    forgiveTries: assign({ wrongTries: 0 }),

    // Production.
    takeBatch: assign(({ context, event }) => {
      assertEvent(event, 'BATCH_CLOSED');
      return { batchId: event.batchId, job: context.job + 1 };
    }),
    respin: assign(({ context }) => ({ job: context.job + 1, respins: context.respins + 1 })),
    nextJob: assign(({ context }) => ({ job: context.job + 1 })),
    correctOrder: assign(({ context, event }) => {
      assertEvent(event, 'CORRECTED');
      return {
        personRef: event.personRef ?? context.personRef,
        designId: event.designId ?? context.designId,
        reason: null,
      };
    }),
    noteEnvelope: assign(({ event }) => {
      assertEvent(event, 'PRINTED');
      return { envelopeId: event.envelopeId };
    }),

    // Delivery.
    nextDelivery: assign(({ context }) => ({
      delivery: {
        ...context.delivery,
        seq: context.delivery.seq + 1,
        deliveryId: null,
        version: 0,
        open: true,
        resends: 0,
        attempts: 0,
        slot: null,
      },
    })),
    countResend: assign(({ context }) => ({
      delivery: { ...context.delivery, resends: context.delivery.resends + 1 },
    })),
    hear: assign(({ context, event }) => {
      const heard = event as FromDelivery; // Used on events of the delivery context only.
      return {
        delivery: {
          ...context.delivery,
          deliveryId: heard.deliveryId,
          version: heard.deliveryVersion,
          slot: slotAfter(context.delivery.slot, heard),
          attempts: heard.type === 'DeliveryAttemptFailed' ? heard.attempt : context.delivery.attempts,
        },
      };
    }),
    deliveryOver: assign(({ context }) => ({ delivery: { ...context.delivery, open: false } })),

    // Endings.
    noteStop: assign(({ event }) => {
      assertEvent(event, ['CANCEL', 'FATAL', 'REPORT']);
      return {
        reason: event.type === 'REPORT' ? event.kind : event.reason,
        ending: event.type === 'FATAL' ? ('failed' as const) : ('cancelled' as const),
      };
    }),
    endAsFailed: assign({ ending: 'failed' as const }),
    noteForce: assign(({ event }) => {
      assertEvent(event, 'FORCE');
      return { forcedBy: event.by };
    }),
  },

  guards: {
    notHeld: stateIn({ hold: 'clear' }),

    // Submission.
    maySubmit: and([
      ({ context }) => REQUIRED_CONSENTS.every((consent) => context.consents.includes(consent)),
      ({ context }) => context.phoneVerified,
      stateIn({ hold: 'clear' }),
    ]),
    takesNoKey: ({ context }) => context.replacementFor !== undefined || context.additionalFor !== undefined,

    // Screening: each check ends positive, negative, or referred to a person.
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
      ({ context }) => context.nameMismatch || context.risk === 'high',
    ]),
    checksEnded: and([
      or([
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
    isCurrentAttempt: ({ context, event }) =>
      !('attempt' in event) || event.attempt === undefined || event.attempt === context.kycAttempt,
    mayResubmit: ({ context }) => context.kycAttempt < KYC_ATTEMPTS_MAX,
    isCredit: ({ context }) => context.cardType === 'credit',
    screenedAs: ({ event }, { result }: { result: string }) =>
      'output' in event && (event.output as { result?: string }).result === result,
    decided: ({ event }, { decision }: { decision: string }) =>
      'output' in event && (event.output as { decision?: string }).decision === decision,
    isEligible: ({ event }) => 'output' in event && (event.output as { eligible?: boolean }).eligible === true,
    isOutOfZone: ({ event }) => 'output' in event && (event.output as { inZone?: boolean }).inZone === false,

    // Review: two people for high risk and for AML hits (four eyes).
    needsFourEyes: ({ context }) => context.amlHit || context.risk === 'high',
    isSecondPerson: ({ context, event }) =>
      'by' in event && context.firstOpinion !== null && event.by !== context.firstOpinion.by,
    firstSaidYes: ({ context }) => context.firstOpinion?.verdict === 'approve',
    firstSaidNo: ({ context }) => context.firstOpinion?.verdict === 'reject',

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
    wasActivated: ({ context }) => context.times.activated !== undefined,
    isWaitingForActivation: stateIn({ fulfilment: { handedOver: 'awaitingActivation' } }),
    closesCard: ({ event }) => event.type === 'REPORT' && event.kind !== 'not_received',

    // Production.
    isCurrentJob: ({ context, event }) => 'jobId' in event && event.jobId === jobIdOf(context),
    isFixable: ({ context, event }) =>
      event.type === 'BUREAU_REJECTED' && event.fixable && event.jobId === jobIdOf(context),
    mayRespin: ({ context, event }) =>
      'jobId' in event && event.jobId === jobIdOf(context) && context.respins < RESPINS_MAX,
    hasNoJob: ({ context }) => context.job === 0,
    jobIsDead: ({ context }) => context.reason === 'bureau_rejected' || context.reason === 'respins_exhausted',
    shippedUnasked: ({ context, event }) =>
      'output' in event && (event.output as { outcome?: string }).outcome === 'shipped' && !context.delivery.open,

    // Delivery.
    isNews: ({ context, event }) => isCurrent(context, event),
    isIdMismatch: ({ context, event }) =>
      event.type === 'DeliveryAttemptFailed' && event.reason === 'id_mismatch' && isCurrent(context, event),
    hasNoDelivery: ({ context }) => !context.delivery.open,
    mayRedeliver: and([
      ({ context }) => context.delivery.seq <= REDELIVERIES_MAX,
      stateIn({ card: 'inactive' }),
      stateIn({ hold: 'clear' }),
    ]),

    // Activation.
    proofHolds: ({ context, event }) =>
      event.type === 'ACTIVATE' &&
      (event.proof === 'last4' ? event.last4 === context.card?.last4 : event.proof !== undefined),
    hasTriesLeft: ({ context }) => context.wrongTries < ACTIVATION_TRIES_MAX,
    consentIsAsked: ({ context }) => context.country === 'IN' && context.cardType === 'credit',

    // Hold, SLA, endings.
    isHold: ({ event }, { kind }: { kind: HoldKind }) => event.type === 'HOLD' && event.kind === kind,
    stopsTheClock: ({ event }) => event.type === 'HOLD' && (event.kind === 'customer' || event.kind === 'legal'),
    hasBudget: ({ context }) => STAGE_BUDGET_MS[context.stage.name] !== undefined,
    inStage: ({ context }, { stage }: { stage: Stage }) => context.stage.name === stage,
    isCompleted: stateIn({ fulfilment: 'completed' }),
    endsAsFailed: ({ context }) => context.ending === 'failed',
    isSecondForce: ({ context, event }) =>
      event.type === 'FORCE' && context.forcedBy !== null && context.forcedBy !== event.by,
    isWitnessed: ({ event }) => event.type === 'DESTROYED' && event.witness !== event.by,
  },

  delays: {
    draftExpires: 30 * DAY,
    customerSilent: 14 * DAY,
    firstReminder: 24 * HOUR,
    secondReminder: 72 * HOUR,
    hitUnresolved: 15 * MINUTE,
    cardRecordOverdue: 4 * HOUR,
    editWindow: HOUR, // Never less, whatever the batch does.
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
  return Math.max(0, Date.UTC(year, month, 1) - clockOf(context, event));
}

/** Same text as the contract's `jobIdOf`: the bureau knows the job by it before it has answered. */
export const jobIdOf = ({ orderId, job }: OrderContext): string =>
  `job_${orderId.slice(orderId.indexOf('_') + 1)}_${job}`;

export const amlInput = ({ context }: { context: OrderContext }) => ({
  orderId: context.orderId,
  personRef: context.personRef,
  listVersion: AML_LIST,
});
