// Sweep: every quarter of an hour the orders that have a delivery are compared with it, and what was missed is said again.
//
// Between the contexts nothing is lost or doubled (M3), unless a server lost its tail or a lane was stopped. Then an order may
// stand behind its delivery for good; the sweep finds it by the counts of both, and asks the delivery to restate.

import { assign, setup } from 'xstate';
import { effect, told } from '../effect.ts';

export interface SweepContext {
  readonly everyMs: number;
  readonly round: number;
}

type SweepEvent =
  | { readonly type: 'BEGIN'; readonly at?: number }
  | { readonly type: 'SWEEP_NOW'; readonly by: string; readonly at?: number };

const about = { subject: 'swp_main', orderId: 'swp_main', task: 'sweep_failed' };

export const sweep = setup({
  types: {} as { context: SweepContext; events: SweepEvent; input: { readonly everyMs: number } },
  actors: {
    'deliveries.compare': effect<{ round: number }, { compared: number; restated: number }>('deliveries.compare'),
  },
  actions: {
    count: assign(({ context }) => ({ round: context.round + 1 })),
    openTask: told<{ subject: string; orderId: string; task: string }>(),
  },
  delays: { quarter: ({ context }: { context: SweepContext }) => context.everyMs },
}).createMachine({
  id: 'sweep',
  context: ({ input }) => ({ everyMs: input.everyMs, round: 0 }),
  initial: 'waiting',
  states: {
    waiting: {
      on: { BEGIN: {}, SWEEP_NOW: 'comparing' },
      after: { quarter: 'comparing' },
    },
    comparing: {
      entry: 'count',
      invoke: {
        id: 'deliveries.compare',
        src: 'deliveries.compare',
        input: ({ context: { round } }) => ({ round }),
        onDone: 'waiting',
        onError: { target: 'waiting', actions: { type: 'openTask', params: about } },
      },
    },
  },
});
