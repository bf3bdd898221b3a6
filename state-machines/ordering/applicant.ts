// Applicant: one person, and the unfinished order he has of each product, and of each card that is to be replaced.
//
//   CO9  Of all orders of a person that ask for one product, or to replace one card, one at a time holds the key. The decision is this actor's
//        step, so two of them can never both be told yes.
//
// Asking again is answered again. Giving back a key that another order holds is refused.

import { assertEvent, assign, setup } from 'xstate';
import { told } from '../effect.ts';

export interface ApplicantContext {
  readonly userId: string;
  /** Order that holds the key, by key: a product code, or `replacement.` and a card. */
  readonly active: { readonly [key: string]: string };
}

type KeyEvent = {
  readonly type: 'RESERVE' | 'RELEASE_KEY';
  readonly orderId: string;
  readonly key: string;
  readonly at?: number;
};

export const applicant = setup({
  types: {} as { context: ApplicantContext; events: KeyEvent; input: { readonly userId: string } },
  actions: {
    take: assign(({ context, event }) => ({ active: { ...context.active, [event.key]: event.orderId } })),
    giveBack: assign(({ context, event }) => {
      assertEvent(event, 'RELEASE_KEY');
      const { [event.key]: _, ...others } = context.active;
      return { active: others };
    }),
    answer: told<{ orderId: string; granted: true } | { orderId: string; granted: false; existing: string }>(),
  },
  guards: {
    isFree: ({ context, event }) => {
      const holder = context.active[event.key];
      return holder === undefined || holder === event.orderId;
    },
    isHolder: ({ context, event }) => context.active[event.key] === event.orderId,
  },
}).createMachine({
  id: 'applicant',
  context: ({ input }) => ({ userId: input.userId, active: {} }),
  initial: 'known',
  states: {
    known: {
      on: {
        RESERVE: [
          {
            guard: 'isFree',
            actions: ['take', { type: 'answer', params: ({ event }) => ({ orderId: event.orderId, granted: true }) }],
          },
          {
            actions: {
              type: 'answer',
              params: ({ context, event }) => ({
                orderId: event.orderId,
                granted: false,
                existing: context.active[event.key] ?? event.orderId,
              }),
            },
          },
        ],
        RELEASE_KEY: { guard: 'isHolder', actions: 'giveBack' },
      },
    },
  },
});
