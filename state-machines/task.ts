// Task: work that waits for a person. One actor per subject and kind of work, so that asking again is counted and not queued.
//
//   TK1  A task is opened by its subject alone, and closed by it; a person says `done` only where no state of the subject
//        stands behind the task.
//   TK2  An open task escalates once when it is due, claimed or not, and is told of again daily, seven times at most. Claiming
//        stops no clock: somebody who sits on it is what escalation is for.
//
// Who did what is the journal. The terms come with OPEN, from the table (tasks.ts), so that a reopened task has those of today.

import { assertEvent, assign, raise, setup } from 'xstate';
import { DAY } from './durations.ts';

export const REMINDERS_MAX = 7; // Then everybody who could know knows.

export interface TaskInput {
  readonly taskId: string;
  readonly subject: string;
  readonly orderId: string;
  readonly task: string;
  readonly at?: number;
}

export interface TaskContext {
  readonly taskId: string;
  readonly subject: string;
  readonly orderId: string;
  readonly task: string;
  readonly desk: string;
  readonly ends: 'state' | 'person';
  readonly dueMs: number;
  /** Clock reading in ms, of the last opening. */
  readonly openedAt: number;
  /** How often it was asked for since it was opened, from 1; and how often it was opened. */
  readonly asked: number;
  readonly openings: number;
  readonly claimedBy: string | null;
  /** Since the last opening: 1 is the escalation itself, the rest are reminders. */
  readonly escalations: number;
  readonly closedBy: string | null;
  readonly reason: string | null;
}

type E<T extends string, Fields = unknown> = { readonly type: T; readonly at?: number } & Readonly<Fields>;
type TaskEvent =
  | E<'OPEN', { desk: string; dueMs: number; ends: 'state' | 'person' }>
  | E<'CLOSE', { by?: string; reason?: string }>
  | E<'CLAIM', { by: string }>
  /** `holder`: in whose place it is given back, when that one cannot. */
  | E<'UNCLAIM', { by: string; holder?: string }>
  | E<'DONE', { by: string; reason: string }>
  | E<'OPENED' | 'CLOSED'>; // Raised: the clock follows the work.

const tasking = setup({
  types: {} as { context: TaskContext; events: TaskEvent; input: TaskInput },
  actions: {
    start: assign(({ context, event }) => {
      assertEvent(event, 'OPEN');
      const { desk, dueMs, ends } = event;
      return {
        ...{ desk, dueMs, ends, openedAt: event.at ?? 0, asked: 1, openings: context.openings + 1 },
        ...{ claimedBy: null, escalations: 0, closedBy: null, reason: null },
      };
    }),
    countAsking: assign(({ context }) => ({ asked: context.asked + 1 })),
    take: assign(({ event }) => {
      assertEvent(event, 'CLAIM');
      return { claimedBy: event.by };
    }),
    giveBack: assign({ claimedBy: null }),
    note: assign(({ event }) => {
      assertEvent(event, ['CLOSE', 'DONE']);
      return { closedBy: event.by ?? null, reason: event.reason ?? null };
    }),
    escalate: assign(({ context }) => ({ escalations: context.escalations + 1 })),
    clockRuns: raise({ type: 'OPENED' }),
    clockStops: raise({ type: 'CLOSED' }),
  },
  guards: {
    endsByPerson: ({ context }) => context.ends === 'person',
    isHolders: ({ context, event }) => event.type === 'UNCLAIM' && (event.holder ?? event.by) === context.claimedBy,
    mayRemind: ({ context }) => context.escalations <= REMINDERS_MAX,
  },
  delays: {
    due: ({ context }) => context.dueMs,
    again: DAY,
  },
});

const endings = {
  CLOSE: { target: 'closed', actions: ['note', 'clockStops'] },
  DONE: { guard: 'endsByPerson', target: 'closed', actions: ['note', 'clockStops'] },
} as const;

export const task = tasking.createMachine({
  id: 'task',
  context: ({ input }) => ({
    taskId: input.taskId,
    subject: input.subject,
    orderId: input.orderId,
    task: input.task,
    desk: '',
    ends: 'state',
    dueMs: 0,
    openedAt: 0,
    asked: 0,
    openings: 0,
    claimedBy: null,
    escalations: 0,
    closedBy: null,
    reason: null,
  }),
  type: 'parallel',
  states: {
    work: {
      initial: 'closed',
      states: {
        open: {
          on: { OPEN: { actions: 'countAsking' }, CLAIM: { target: 'claimed', actions: 'take' }, ...endings },
        },
        claimed: {
          on: {
            OPEN: { actions: 'countAsking' },
            UNCLAIM: { guard: 'isHolders', target: 'open', actions: 'giveBack' },
            ...endings,
          },
        },
        closed: { on: { OPEN: { target: 'open', actions: ['start', 'clockRuns'] } } },
      },
    },
    clock: {
      initial: 'stopped',
      states: {
        stopped: { on: { OPENED: 'running' } },
        running: { after: { due: 'escalated' } },
        /** Told of by the announcement of each entry; its last reminder is followed by silence. */
        escalated: {
          entry: 'escalate',
          after: { again: { guard: 'mayRemind', target: 'escalated', reenter: true } },
        },
      },
      on: { CLOSED: '.stopped' },
    },
  },
});
