// Phrases of the order chart: actions with their params, as the region files say them.

import { type EventObject, raise as raiseEvent } from 'xstate';
import type { CardCloseReason, HoldKind, Milestones, OrderContext, Stage } from './context.ts';
import type { OrderEvent } from './events.ts';
import type { DeliveryOrder, Notice } from './order-setup.ts';

/** One region tells the others. */
export const raise = (event: OrderEvent) =>
  raiseEvent<OrderContext, EventObject, OrderEvent, undefined, never, never>(event);

type Scope = { readonly context: OrderContext };

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

const asked =
  (task: string) =>
  ({ context: { orderId } }: Scope) => ({ subject: orderId, orderId, task });
/** Work for an operator: a name of tasks.ts, opened on entry of the state that needs somebody, and closed on its exit. */
export const task = (name: string) => ({ type: 'openTask', params: asked(name) }) as const;
export const closeTask = (name: string) => ({ type: 'closeTask', params: asked(name) }) as const;

export const reserveKey = {
  type: 'askApplicant',
  params: ({ context: { userId, orderId, productCode } }: Scope) => ({
    userId,
    orderId,
    productCode,
    ask: 'RESERVE' as const,
  }),
} as const;
/** Says nothing when the key was never held. */
export const releaseKey = {
  type: 'askApplicant',
  params: ({ context: { userId, orderId, productCode, holdsKey } }: Scope) => ({
    userId,
    orderId,
    productCode,
    ask: holdsKey ? ('RELEASE_KEY' as const) : ('nothing' as const),
  }),
} as const;

export const joinBatch = { type: 'joinBatch', params: ({ context }: Scope) => ({ orderId: context.orderId }) } as const;
export const leaveBatch = {
  type: 'leaveBatch',
  params: ({ context }: Scope) => ({ orderId: context.orderId }),
} as const;

/** A command to the order's current delivery. */
export const command = (build: (context: OrderContext) => DeliveryOrder) =>
  ({
    type: 'commandDelivery',
    params: ({ context }: Scope) => ({ orderId: context.orderId, seq: context.delivery.seq, command: build(context) }),
  }) as const;

export const because = (reason: string | null) => ({ type: 'giveReason', params: { reason } }) as const;
export const milestone = (name: keyof Milestones) => ({ type: 'pass', params: { milestone: name } }) as const;

/** The chart holds itself. */
export const raiseHold = (kind: HoldKind) => raise({ type: 'HOLD' as const, by: 'system', kind });

/** Entry of a stage: its clock starts anew. */
export const stage = (name: Stage) => [
  { type: 'startStage', params: { stage: name } } as const,
  raise({ type: 'STAGE_CHANGED' }),
];

/** Entry of a negative end: the key is free, the card is closed, and the other regions end too. */
export const ended = (reason: CardCloseReason) => [
  milestone('closed'),
  releaseKey,
  raise({ type: 'CLOSE_CARD' as const, reason }),
  raise({ type: 'ENDED' as const }),
];

/** A stop from outside before the handover: CANCEL, FATAL, and a report that the card's data is in wrong hands. */
export const stoppable = <const A extends readonly unknown[]>(...before: A) =>
  ({
    CANCEL: { description: 'O-41', target: '#order.fulfilment.cancelling', actions: [...before, 'noteStop'] },
    FATAL: { description: 'O-50', target: '#order.fulfilment.cancelling', actions: [...before, 'noteStop'] },
    REPORT: {
      description: 'O-45',
      guard: 'closesCard',
      target: '#order.fulfilment.cancelling',
      actions: [...before, 'noteStop'],
    },
  }) as const;
