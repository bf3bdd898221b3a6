// Closed batch: what the bureau was sent at one cut-off, and what became of each card in it.
//
//   CO10 A closed batch is never changed: members stay, and of each one the first result counts.
//   CO12 It is over when every member has a result: the sum of the results is the sum of the jobs. What stays open for
//        ten business days is an operator's.

import { assertEvent, assign, setup } from 'xstate';
import { businessDays } from '../durations.ts';
import { told } from '../effect.ts';

export interface ClosedBatchContext {
  readonly batchId: string;
  readonly members: readonly string[];
  /** By order. */
  readonly results: { readonly [orderId: string]: string };
}

type ClosedBatchEvent =
  | { readonly type: 'CUT_OFF'; readonly at?: number }
  | { readonly type: 'BATCH_RESULT'; readonly orderId: string; readonly result: string; readonly at?: number }
  | { readonly type: 'RECONCILED'; readonly by: string; readonly at?: number };

const missing = ({ context: { batchId } }: { readonly context: ClosedBatchContext }) => ({
  subject: batchId,
  orderId: batchId,
  task: 'batch_unreconciled',
});

export const closedBatch = setup({
  types: {} as {
    context: ClosedBatchContext;
    events: ClosedBatchEvent;
    input: { readonly batchId: string; readonly members: readonly string[] };
  },
  actions: {
    note: assign(({ context, event }) => {
      assertEvent(event, 'BATCH_RESULT');
      return { results: { ...context.results, [event.orderId]: event.result } };
    }),
    tellMembers: told<{ batchId: string; members: readonly string[] }>(),
    openTask: told<{ subject: string; orderId: string; task: string }>(),
    closeTask: told<{ subject: string; orderId: string; task: string }>(),
  },
  guards: {
    isOpenMember: ({ context, event }) =>
      event.type === 'BATCH_RESULT' &&
      context.members.includes(event.orderId) &&
      context.results[event.orderId] === undefined,
    isWhole: ({ context }) => Object.keys(context.results).length === context.members.length,
  },
  delays: { overdue: businessDays(10) }, // Production and one correction fit in it twice.
}).createMachine({
  id: 'closedBatch',
  context: ({ input }) => ({ batchId: input.batchId, members: input.members, results: {} }),
  initial: 'created',
  states: {
    created: {
      on: {
        // Told from here, so that no result can come before there is a batch to take it.
        CUT_OFF: {
          target: 'open',
          actions: {
            type: 'tellMembers',
            params: ({ context: { batchId, members } }) => ({ batchId, members }),
          },
        },
      },
    },
    open: { after: { overdue: 'overdue' } },
    overdue: {
      meta: { task: 'batch_unreconciled' },
      entry: { type: 'openTask', params: missing },
      exit: { type: 'closeTask', params: missing },
      on: { RECONCILED: 'reconciled' },
    },
    reconciled: { type: 'final' },
  },
  on: { BATCH_RESULT: { guard: 'isOpenMember', actions: 'note' } },
  always: { guard: 'isWhole', target: '.reconciled' },
});
