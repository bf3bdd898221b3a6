// The chart of trials of domain time: a calendar that waits day after day and marks when each thing happened to it.
//
// In a child process its partner notes each try in a list of Redis, and always fails: what is retried in real time shows there.

import { Redis } from 'ioredis';
import { assign, setup } from 'xstate';
import { effect, type Hosted } from '../hosting.ts';
import type { JsonObject } from '../json.ts';

export const DAY_MS = 86_400_000;

interface Calendar {
  readonly left: number;
  /** Domain time of each event, in the order in which they came. */
  readonly marks: readonly number[];
}

type CalendarEvent = ({ type: 'START'; days: number } | { type: 'MARK' | 'CALL' }) & { at?: number };

const calendar = setup({
  types: {} as { context: Calendar; events: CalendarEvent },
  delays: { day: DAY_MS },
  actions: {
    mark: assign(({ context, event }) => ({ marks: [...context.marks, event.at ?? 0] })),
    fill: assign({ left: ({ event, context }) => (event.type === 'START' ? event.days : context.left) }),
    tear: assign({ left: ({ context }) => context.left - 1 }),
    call: () => undefined,
  },
  guards: { isLast: ({ context }) => context.left <= 1 },
}).createMachine({
  id: 'calendar',
  context: { left: 0, marks: [] },
  initial: 'open',
  on: { MARK: { actions: 'mark' }, CALL: { actions: ['mark', 'call'] } },
  states: {
    open: { on: { START: { target: 'waiting', actions: ['fill', 'mark'] } } },
    waiting: {
      after: {
        day: [
          { guard: 'isLast', target: 'over', actions: ['tear', 'mark'] },
          { target: 'waiting', reenter: true, actions: ['tear', 'mark'] },
        ],
      },
    },
    over: {},
  },
});

/** `onCall`: told of each try of the partner, which fails for a minute of real time. */
export const calendarChart = (onCall: () => Promise<unknown> = async () => undefined): Hosted => ({
  machine: calendar,
  name: 'calendar',
  version: '1',
  stamp: true,
  actions: {
    call: effect(
      async () => {
        await onCall();
        return { kind: 'unknown', reason: 'trial' };
      },
      { policy: { timeoutMs: 2_000, firstDelayMs: 60_000, maxDelayMs: 60_000 } },
    ),
  },
});

/** For worker processes. */
export function charts({ url, ledger }: JsonObject): readonly Hosted[] {
  const redis = new Redis(String(url), { lazyConnect: true, retryStrategy: () => null });
  redis.on('error', () => undefined);
  redis.on('connect', () => redis.stream.unref()); // A worker that has stopped ends; this socket does not hold it.
  return [calendarChart(() => redis.rpush(String(ledger), 'call'))];
}
