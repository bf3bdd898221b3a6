// Stock: the blank plastic of one design at the bureau.
//
//   CO11 reserved + used ≤ received. The decision is this actor's step, so no two orders are promised the last one; each
//        order holds at most one, and gives it back or uses it once.
//
// Only counts are kept, since an order's messages come exactly once and in order (M3), and it asks again only after a no.
// A spoiled plastic is the bureau's loss and is not counted here.

import { assertEvent, assign, setup } from 'xstate';
import { told } from '../effect.ts';

export interface StockContext {
  readonly designId: string;
  readonly received: number;
  readonly reserved: number;
  readonly used: number;
}

type StockEvent =
  | {
      readonly type: 'RESERVE_PLASTIC' | 'RELEASE_PLASTIC' | 'USE_PLASTIC';
      readonly orderId: string;
      readonly at?: number;
    }
  | { readonly type: 'RECEIVE_PLASTIC'; readonly by: string; readonly quantity: number; readonly at?: number };

type Answer = { readonly orderId: string; readonly designId: string; readonly type: 'PLASTIC_RESERVED' | 'STOCK_OUT' };
const answerWith =
  (type: Answer['type']) =>
  ({ context, event }: { readonly context: StockContext; readonly event: StockEvent }): Answer => ({
    orderId: 'orderId' in event ? event.orderId : '',
    designId: context.designId,
    type,
  });

export const stock = setup({
  types: {} as {
    context: StockContext;
    events: StockEvent;
    input: { readonly designId: string; readonly received: number };
  },
  actions: {
    reserve: assign(({ context }) => ({ reserved: context.reserved + 1 })),
    release: assign(({ context }) => ({ reserved: context.reserved - 1 })),
    use: assign(({ context }) => ({ reserved: context.reserved - 1, used: context.used + 1 })),
    receive: assign(({ context, event }) => {
      assertEvent(event, 'RECEIVE_PLASTIC');
      return { received: context.received + event.quantity };
    }),
    answerOrder: told<Answer>(),
  },
  guards: {
    isLeft: ({ context }) => context.reserved + context.used < context.received,
    isReserved: ({ context }) => context.reserved > 0,
    /** What was received stays at least what is promised or gone. */
    isBookable: ({ context, event }) =>
      event.type === 'RECEIVE_PLASTIC' && context.received + event.quantity >= context.reserved + context.used,
  },
}).createMachine({
  id: 'stock',
  context: ({ input }) => ({ designId: input.designId, received: input.received, reserved: 0, used: 0 }),
  initial: 'kept',
  states: {
    kept: {
      on: {
        RESERVE_PLASTIC: [
          { guard: 'isLeft', actions: ['reserve', { type: 'answerOrder', params: answerWith('PLASTIC_RESERVED') }] },
          { actions: { type: 'answerOrder', params: answerWith('STOCK_OUT') } },
        ],
        RELEASE_PLASTIC: { guard: 'isReserved', actions: 'release' },
        USE_PLASTIC: { guard: 'isReserved', actions: 'use' },
        RECEIVE_PLASTIC: { guard: 'isBookable', actions: 'receive' },
      },
    },
  },
});
