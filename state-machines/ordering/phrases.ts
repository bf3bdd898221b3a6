// Phrases of the order chart: actions with their params, as the region files say them.

import { type EventObject, raise as raiseEvent } from 'xstate';
import type {
  CardCloseReason,
  HoldKind,
  Milestones,
  OrderContext,
  OrderInput,
  ReplacementReason,
  Stage,
} from './context.ts';
import type { OrderEvent } from './events.ts';
import { type DeliveryOrder, type Notice, ordering } from './order-setup.ts';
import { mayBeReplaced } from './predicates.ts';
import { replacementIdOf } from './updates.ts';

/** One region tells the others. */
export const raise = (event: OrderEvent) =>
  raiseEvent<OrderContext, EventObject, OrderEvent, undefined, never, never>(event);

type Scope = { readonly context: OrderContext };
type Heard = Scope & { readonly event: OrderEvent };

/** A message to the customer. `n` tells repeats apart; 1 where there is only one. */
export const notice = (template: string, n: (context: OrderContext) => number = () => 1) =>
  ({
    type: 'notify',
    params: ({ context }: Scope): Notice => ({
      subject: context.orderId,
      personRef: context.personRef,
      locale: context.locale,
      template,
      n: n(context),
    }),
  }) as const;

// --- People of the bank ---

const about =
  (task: string) =>
  ({ context: { orderId } }: Scope) => ({ subject: orderId, orderId, task });
/** Work for somebody, with no state behind it: he closes it himself. */
export const task = (name: string) => ({ type: 'openTask', params: about(name) }) as const;
/** A state that a person has to lead out of: the task is open while the state is. CO8. */
export const needs = <const A extends readonly unknown[]>(name: string, ...entry: A) =>
  ({
    meta: { task: name },
    entry: [...entry, task(name)],
    exit: { type: 'closeTask', params: about(name) },
  }) as const;

// --- Actors of this context ---

const keyOf = ({ productCode, replacementFor }: OrderContext): string =>
  replacementFor === undefined ? productCode : `replacement.${replacementFor}`;
export const reserveKey = {
  type: 'askApplicant',
  params: ({ context }: Scope) => ({
    userId: context.userId,
    orderId: context.orderId,
    key: keyOf(context),
    ask: 'RESERVE' as const,
  }),
} as const;
/** Says nothing when the key was never held. */
export const releaseKey = {
  type: 'askApplicant',
  params: ({ context }: Scope) => ({
    userId: context.userId,
    orderId: context.orderId,
    key: keyOf(context),
    ask: context.holdsKey ? ('RELEASE_KEY' as const) : ('nothing' as const),
  }),
} as const;

export const reservePlastic = [
  'askForPlastic',
  {
    type: 'askStock',
    params: ({ context: { orderId, designId } }: Scope) => ({ orderId, designId, ask: 'RESERVE' as const }),
  },
] as const;
const settlePlastic = (ask: 'RELEASE' | 'USE') =>
  [
    {
      type: 'askStock',
      params: ({ context: { orderId, plastic } }: Scope) => ({
        orderId,
        designId: plastic?.designId ?? '',
        ask: plastic?.held === true ? ask : ('nothing' as const),
      }),
    },
    'forgetPlastic',
  ] as const;
/** Says nothing where none is held. */
export const releasePlastic = settlePlastic('RELEASE');
export const usePlastic = settlePlastic('USE');

export const joinBatch = { type: 'joinBatch', params: ({ context }: Scope) => ({ orderId: context.orderId }) } as const;
export const leaveBatch = {
  type: 'leaveBatch',
  params: ({ context }: Scope) => ({ orderId: context.orderId }),
} as const;
/** What became of the order's place in a closed batch. */
export const tellBatch = (result: string) =>
  ({
    type: 'tellBatch',
    params: ({ context, event }: Scope & { readonly event: { readonly type: string; readonly batchId?: string } }) => ({
      orderId: context.orderId,
      batchId: event.batchId ?? context.batchId,
      result,
    }),
  }) as const;

/** A command to the order's current delivery. */
export const command = (build: (context: OrderContext) => DeliveryOrder) =>
  ({
    type: 'commandDelivery',
    params: ({ context }: Scope) => ({ orderId: context.orderId, seq: context.delivery.seq, command: build(context) }),
  }) as const;

// --- The chain of cards ---

/** Another order for the same person: of its own card, or of one more plastic of the old card. */
export const beginReplacement = (reason: (heard: Heard) => ReplacementReason, how: 'draft' | 'submitted') =>
  [
    {
      type: 'beginOrder',
      params: ({ context, event }: Heard) => ({
        orderId: replacementIdOf(context),
        by: context.userId,
        submit: how === 'submitted',
        input: replacementInput(context, event, reason({ context, event })),
      }),
    },
    'noteReplacement',
  ] as const;

const SAME_NUMBER: ReadonlySet<ReplacementReason> = new Set(['damaged', 'expired', 'name_change', 'design_change']);

function replacementInput(context: OrderContext, event: OrderEvent, reason: ReplacementReason): OrderInput {
  const { card, userId, personRef, addressRef, productCode, cardType, paymentSystem, designId, currency } = context;
  const { country, ageYears, method, verification, consents, phoneVerified, locale, pickupPointId, service } = context;
  const { guardian, terms, orderId, generation = 0 } = context;
  const cardId = card?.cardId;
  const asked: { personRef?: string; designId?: string } = event.type === 'REPLACE' ? event : {};
  return {
    ...{ orderId: replacementIdOf(context), userId, addressRef, productCode, cardType, paymentSystem, currency },
    ...{ country, ageYears, method, verification, consents, phoneVerified, locale, terms },
    personRef: asked.personRef ?? personRef,
    designId: asked.designId ?? designId,
    ...(pickupPointId === undefined ? {} : { pickupPointId }),
    ...(service === undefined ? {} : { service }),
    ...(guardian === undefined ? {} : { guardian }),
    replaces: orderId,
    replacementReason: reason,
    generation: generation + 1,
    ...(cardId === undefined ? {} : { replacementFor: cardId }),
    ...(cardId !== undefined && SAME_NUMBER.has(reason) ? { reissueOf: cardId } : {}),
  };
}

/** The offer after a loss: an application that lies ready, for the customer to send in or to leave (O-32). */
export const offerReplacement = (reason: ReplacementReason) =>
  ordering.enqueueActions(({ context, event, enqueue }) => {
    if (!mayBeReplaced({ context, event })) return;
    const [begin, note] = beginReplacement(() => reason, 'draft');
    enqueue({ type: begin.type, params: begin.params({ context, event }) });
    enqueue(note);
    const { type, params } = notice('replacement_offered');
    enqueue({ type, params: params({ context }) });
  });

const toOrder = (
  type: 'REPLACEMENT_ACTIVATED' | 'REPLACEMENT_ENDED' | 'ORIGINAL_ACTIVATED',
  to: (context: OrderContext) => string | undefined | null,
) =>
  ({
    type: 'tellOrder',
    params: ({ context }: Scope) => ({ to: to(context) ?? null, orderId: context.orderId, type }),
  }) as const;
/** To the order whose card this one takes the place of; to nobody when there is none. */
export const tellOriginal = (type: 'REPLACEMENT_ACTIVATED' | 'REPLACEMENT_ENDED') =>
  toOrder(type, ({ replaces }) => replaces);
/** To the order that was to take this one's place. */
export const tellReplacement = toOrder('ORIGINAL_ACTIVATED', ({ replacedBy }) => replacedBy);

// --- Erasure ---

export const answerErasure = (type: 'ERASURE_ACCEPTED' | 'ERASURE_REFUSED', reason?: string) =>
  ({
    type: 'tellPrivacy',
    params: ({ context, event }: Heard) => ({
      to: event.type === 'SUBJECT_ERASURE' ? event.requestId : null,
      orderId: context.orderId,
      type,
      ...(reason === undefined ? {} : { reason }),
    }),
  }) as const;
/** The request that ended the order hears that it is over; without one nobody does. */
const reportEnd = {
  type: 'tellPrivacy',
  params: ({ context }: Scope) => ({ to: context.erasure, orderId: context.orderId, type: 'ORDER_ENDED' as const }),
} as const;
export const shredDocuments = (why: string) =>
  ({
    type: 'documents.shred',
    params: ({ context: { orderId, userId } }: Scope) => ({ orderId, userId, why }),
  }) as const;

// --- Stages and endings ---

export const because = (reason: string | null) => ({ type: 'giveReason', params: { reason } }) as const;
export const milestone = (name: keyof Milestones) => ({ type: 'pass', params: { milestone: name } }) as const;

/** The chart holds itself. */
export const raiseHold = (kind: HoldKind) => raise({ type: 'HOLD' as const, by: 'system', kind });

/** Entry of a stage: its clock starts anew. */
export const stage = (name: Stage) => [
  { type: 'startStage', params: { stage: name } } as const,
  raise({ type: 'STAGE_CHANGED' }),
];

/** What was asked of the partners of screening and is not wanted any more (4.6, step 2). */
const withdrawScreening = ordering.enqueueActions(({ context: { orderId, kycAttempt, asked }, enqueue }) => {
  if (asked.kyc) enqueue({ type: 'kyc.cancel', params: { orderId, attempt: kycAttempt } });
  if (asked.credit) enqueue({ type: 'credit.withdraw', params: { orderId } });
});

/** Entry of a negative end: nothing stays asked for, the key is free, the card is closed, the other regions end too. */
export const ended = (reason: CardCloseReason) => [
  milestone('closed'),
  withdrawScreening,
  ...releasePlastic,
  releaseKey,
  tellOriginal('REPLACEMENT_ENDED'),
  reportEnd,
  raise({ type: 'CLOSE_CARD' as const, reason }),
  raise({ type: 'ENDED' as const }),
];

/** A stop from outside before the handover. A report stops what has a card; an erasure what no law keeps. */
export const stoppable = <const A extends readonly unknown[]>(...before: A) => {
  const target = '#order.fulfilment.cancelling';
  return {
    CANCEL: { description: 'O-41', target, actions: [...before, 'noteStop'] },
    ...givenUp(...before),
    REPORT: { description: 'O-45', guard: 'closesCard', target, actions: [...before, 'noteStop'] },
    // The card that this one was to replace was found, and is in use.
    ORIGINAL_ACTIVATED: {
      description: 'O-46',
      guard: 'isOriginal',
      target,
      actions: [...before, because('not_needed')],
    },
  } as const;
};

/** Given up by an operator, or by the person's right to be forgotten: where nothing is left to cancel, too. */
export const givenUp = <const A extends readonly unknown[]>(...before: A) => {
  const target = '#order.fulfilment.cancelling';
  return {
    FATAL: { description: 'O-50', target, actions: [...before, 'noteStop'] },
    SUBJECT_ERASURE: {
      description: 'O-52',
      guard: 'isErasable',
      target,
      actions: [...before, 'noteErasure', because('erasure'), answerErasure('ERASURE_ACCEPTED')],
    },
  } as const;
};
