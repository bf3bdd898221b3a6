// Card guard: blocks the card of a stolen envelope at once, whatever the order is doing (4.6).
//
// The order blocks it as well. Both ask the issuer under one business key, card and reason, so it happens once; and closing
// is never given up: it is asked for again every hour, and an operator knows.

import { setup } from 'xstate';
import { HOUR } from '../durations.ts';
import { effect, told } from '../effect.ts';
import type { CardCloseReason } from './context.ts';

export interface CardGuardInput {
  readonly orderId: string;
  readonly cardId: string;
}

type CardGuardEvent =
  | { readonly type: 'DeliveryStolen'; readonly orderId: string; readonly at?: number }
  | { readonly type: 'RETRY'; readonly by: string; readonly at?: number };

const about = ({ context: { orderId } }: { readonly context: CardGuardInput }) => ({
  subject: orderId,
  orderId,
  task: 'card_block_overdue',
});

export const cardGuard = setup({
  types: {} as { context: CardGuardInput; events: CardGuardEvent; input: CardGuardInput },
  actors: {
    'card.close': effect<{ orderId: string; cardId: string; reason: CardCloseReason }, unknown>('card.close'),
  },
  actions: {
    openTask: told<{ subject: string; orderId: string; task: string }>(),
    closeTask: told<{ subject: string; orderId: string; task: string }>(),
  },
  delays: { closeAgain: HOUR },
}).createMachine({
  id: 'cardGuard',
  context: ({ input: { orderId, cardId } }) => ({ orderId, cardId }),
  initial: 'watching',
  states: {
    watching: { on: { DeliveryStolen: 'closing' } },
    closing: {
      invoke: {
        id: 'card.close',
        src: 'card.close',
        input: ({ context: { orderId, cardId } }) => ({ orderId, cardId, reason: 'stolen' as const }),
        onDone: 'closed',
        onError: 'closeRefused',
      },
    },
    closeRefused: {
      meta: { task: 'card_block_overdue' },
      entry: { type: 'openTask', params: about },
      exit: { type: 'closeTask', params: about },
      on: { RETRY: 'closing' },
      after: { closeAgain: 'closing' },
    },
    closed: { type: 'final' },
  },
});
