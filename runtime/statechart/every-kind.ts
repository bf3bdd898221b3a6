// One chart with every kind of node, transition and action that a host must carry: the oracle's first witness.

import { and, assign, cancel, emit, enqueueActions, fromPromise, log, not, raise, setup, stateIn } from 'xstate';
import { pick, type Trial } from './oracle.ts';

interface Context {
  readonly count: number;
  readonly limit: number;
  readonly notes: readonly string[];
  readonly last: { readonly output?: unknown; readonly at?: number } | null;
}

type Events =
  | {
      readonly type:
        | 'START'
        | 'STEP'
        | 'BACK'
        | 'PAUSE'
        | 'RESUME'
        | 'RESUME_DEEP'
        | 'POKE'
        | 'AGAIN'
        | 'FINISH'
        | 'SNOOZE'
        | 'HUSH'
        | 'LOST';
    }
  | { readonly type: 'note.add' | 'note.drop'; readonly text: string };

const NOTES_MAX = 6; // Enough to tell orders of actions apart.

export const everyKind = setup({
  types: {} as {
    context: Context;
    events: Events;
    input: { readonly limit: number };
    emitted: { type: 'TOLD'; count: number };
  },
  actors: {
    fetch: fromPromise<{ readonly size: number }, { readonly count: number }>(async () => ({ size: 0 })),
    print: fromPromise<number>(async () => 0),
  },
  actions: {
    tell: (_, _params: { readonly text: string; readonly count: number }) => {},
    ring: () => {},
    count: assign({ count: ({ context }) => context.count + 1 }),
    note: assign({
      notes: ({ context }, { text }: { readonly text: string }) => [...context.notes, text].slice(-NOTES_MAX),
    }),
  },
  guards: {
    below: ({ context }, { by }: { readonly by: number }) => context.count + by < context.limit,
    odd: ({ context }) => context.count % 2 === 1,
  },
  delays: { pace: 100, backoff: ({ context }) => 50 * (1 + context.count) },
}).createMachine({
  id: 'every',
  context: ({ input }) => ({ count: 0, limit: input.limit, notes: [], last: null }),
  output: ({ context }) => ({ count: context.count, notes: context.notes }),
  initial: 'idle',
  on: {
    FINISH: '.closing',
    'note.*': {
      actions: [
        { type: 'note', params: { text: 'note' } },
        emit(({ context }) => ({ type: 'TOLD', count: context.count })),
      ],
    },
    '*': { actions: log('something else') },
  },
  states: {
    idle: {
      entry: [{ type: 'note', params: { text: 'idle' } }, 'ring'],
      exit: { type: 'tell', params: ({ context }) => ({ text: 'leaving idle', count: context.count }) },
      on: { START: 'work' },
    },
    work: {
      type: 'parallel',
      entry: 'count',
      exit: { type: 'note', params: { text: 'left work' } },
      onDone: { target: 'idle', actions: { type: 'note', params: { text: 'work done' } } },
      after: { pace: { actions: [{ type: 'note', params: { text: 'pace' } }, 'ring'], guard: 'odd' }, 900: 'paused' },
      on: { PAUSE: 'paused', AGAIN: { target: 'work', reenter: true }, BACK: undefined },
      states: {
        left: {
          initial: 'one',
          onDone: { actions: { type: 'note', params: { text: 'left done' } } },
          states: {
            one: {
              on: { STEP: 'two' },
              invoke: {
                src: 'fetch',
                id: 'load',
                input: ({ context }) => ({ count: context.count }),
                onDone: { target: 'two', actions: assign({ last: ({ event }) => ({ output: event.output }) }) },
                onError: { actions: { type: 'note', params: { text: 'failed' } } },
              },
            },
            two: {
              initial: 'inner',
              always: {
                guard: and(['odd', not({ type: 'below', params: { by: 1 } })]),
                target: 'three',
                actions: 'count',
              },
              on: {
                STEP: [
                  { guard: stateIn({ work: { right: 'loud' } }), target: 'three' },
                  { target: '.deeper', actions: 'count' },
                ],
              },
              states: {
                inner: { on: { POKE: 'deeper' } },
                deeper: { entry: raise({ type: 'POKE' }), on: { POKE: { actions: 'count' } } },
              },
            },
            three: { type: 'final', output: ({ context }) => context.count },
            recall: { type: 'history', history: 'deep' },
          },
        },
        right: {
          initial: 'quiet',
          states: {
            quiet: {
              on: {
                POKE: { guard: { type: 'below', params: { by: 0 } }, target: 'loud', actions: 'count' },
                SNOOZE: {
                  actions: [
                    raise({ type: 'STEP' }, { delay: 'backoff', id: 'snooze' }),
                    raise({ type: 'POKE' }, { delay: 30 }),
                  ],
                },
                HUSH: { actions: cancel('snooze') },
              },
            },
            loud: {
              entry: enqueueActions(({ enqueue, check, context }) => {
                enqueue('count');
                if (check('odd')) enqueue.raise({ type: 'STEP' }, { id: 'snooze', delay: 'pace' });
                else enqueue.cancel('snooze');
                enqueue({ type: 'tell', params: { text: 'loud', count: context.count } });
                enqueue.emit({ type: 'TOLD', count: context.count });
              }),
              invoke: { src: 'print', onDone: 'still', onError: [{ guard: 'odd', target: 'quiet' }] },
              after: { backoff: 'quiet' },
              on: { LOST: { target: 'quiet', reenter: true } },
            },
            still: { type: 'final' },
            recall: { type: 'history', history: 'shallow', target: 'loud' },
          },
        },
        third: {
          initial: 'on',
          states: { on: { invoke: { src: 'print', onDone: 'off' }, on: { STEP: 'off' } }, off: { type: 'final' } },
        },
      },
    },
    paused: {
      on: {
        RESUME: '#every.recall',
        RESUME_DEEP: ['work.left.recall', 'work.right.recall'].map((path) => `#every.${path}`) as never, // One transition, two targets.
        BACK: 'idle',
      },
      after: { backoff: { target: 'work', actions: { type: 'note', params: { text: 'back by itself' } } } },
    },
    recall: { type: 'history', history: 'shallow' },
    closing: { entry: raise({ type: 'LOST' }), on: { LOST: 'closed' } },
    closed: { type: 'final', entry: ['ring', raise({ type: 'STEP' }, { delay: 10 })] },
  },
});

const TYPES = [
  'START',
  'STEP',
  'BACK',
  'PAUSE',
  'RESUME',
  'RESUME_DEEP',
  'POKE',
  'AGAIN',
  'SNOOZE',
  'HUSH',
  'LOST',
  'note.add',
  'UNKNOWN',
];

export const everyKindTrial: Trial = {
  machine: everyKind,
  input: (random) => ({ limit: 3 + Math.floor(random() * 6) }),
  event: (random, allowed) => {
    const type =
      random() < 0.01
        ? 'FINISH'
        : random() < 0.5 && allowed.length > 0
          ? pick(
              random,
              allowed.filter((one) => one !== 'FINISH'),
            )
          : pick(random, TYPES);
    return { type, text: 'x' };
  },
  output: (random) => ({ size: Math.floor(random() * 9) }),
};
