// Batch: orders that go to the bureau together. It is cut off by the clock or when it is full, and then
// becomes a closed batch, which tells each member.
//
//   CO10 An order is in at most one open batch, and a closed batch is never changed: leaving it late is refused.

import { assertEvent, assign, not, setup } from 'xstate';
import { HOUR } from '../durations.ts';
import { told } from '../effect.ts';

/** A batch goes out when so many orders have joined: one message to each leaves in a single step. */
export const BATCH_MEMBERS_MAX = 200;

export interface BatchContext {
  readonly line: string;
  /** Number of the open batch, from 1. */
  readonly number: number;
  readonly members: readonly string[];
}

type BatchEvent =
  | { readonly type: 'JOIN' | 'LEAVE'; readonly orderId: string; readonly at?: number }
  | { readonly type: 'CLOSE_BATCH'; readonly by: string; readonly at?: number };

export const batch = setup({
  types: {} as { context: BatchContext; events: BatchEvent; input: { readonly line: string } },
  actions: {
    add: assign(({ context, event }) => {
      assertEvent(event, 'JOIN');
      return { members: [...context.members, event.orderId] };
    }),
    remove: assign(({ context, event }) => {
      assertEvent(event, 'LEAVE');
      return { members: context.members.filter((member) => member !== event.orderId) };
    }),
    closeBatch: told<{ line: string; number: number; members: readonly string[] }>(),
    startNext: assign(({ context }) => ({ number: context.number + 1, members: [] })),
  },
  guards: {
    isMember: ({ context, event }) => 'orderId' in event && context.members.includes(event.orderId),
    isFull: ({ context }) => context.members.length >= BATCH_MEMBERS_MAX,
    isEmpty: ({ context }) => context.members.length === 0,
  },
  delays: { cutOff: 4 * HOUR }, // After the first member joined.
}).createMachine({
  id: 'batch',
  context: ({ input }) => ({ line: input.line, number: 1, members: [] }),
  initial: 'empty',
  states: {
    empty: { on: { JOIN: { target: 'open', actions: 'add' } } },
    open: {
      always: [
        { guard: 'isFull', target: 'closing' },
        { guard: 'isEmpty', target: 'empty' },
      ],
      on: {
        JOIN: { guard: not('isMember'), actions: 'add' },
        LEAVE: { guard: 'isMember', actions: 'remove' },
        CLOSE_BATCH: 'closing',
      },
      after: { cutOff: 'closing' },
    },
    closing: {
      entry: [
        {
          type: 'closeBatch',
          params: ({ context: { line, number, members } }) => ({ line, number, members }),
        },
        'startNext',
      ],
      always: 'empty',
    },
  },
});
