// Retention: looks every day for what has been kept for its time, and has it destroyed.
//
//   PD5 A day is passed over only once it was looked at: a look that failed begins again where it began.

import { assign, setup } from 'xstate';
import { DAY, HOUR } from '../durations.ts';
import { effect } from '../effect.ts';

export interface RetentionContext {
  /** Number of the domain day to look at next. */
  readonly nextDay: number;
  /** Records destroyed so far. */
  readonly destroyed: number;
}

export const retention = setup({
  types: {} as {
    context: RetentionContext;
    events: { readonly type: 'SWEEP'; readonly by: string; readonly at?: number };
    input: { readonly fromDay: number };
  },
  actors: {
    'retention.sweep': effect<{ readonly fromDay: number }, { readonly nextDay: number; readonly destroyed: number }>(
      'retention.sweep',
    ),
  },
  delays: { daily: DAY, again: HOUR },
}).createMachine({
  id: 'retention',
  context: ({ input }) => ({ nextDay: input.fromDay, destroyed: 0 }),
  initial: 'waiting',
  states: {
    waiting: { on: { SWEEP: 'sweeping' }, after: { daily: 'sweeping' } },
    sweeping: {
      invoke: {
        src: 'retention.sweep',
        input: ({ context }) => ({ fromDay: context.nextDay }),
        onDone: {
          target: 'waiting',
          actions: assign({
            nextDay: ({ event }) => event.output.nextDay,
            destroyed: ({ context, event }) => context.destroyed + event.output.destroyed,
          }),
        },
        onError: 'failed',
      },
    },
    failed: { on: { SWEEP: 'sweeping' }, after: { again: 'sweeping' } },
  },
});
