// Privacy request: a person wants to see, to correct, or to have erased what is kept of him.
//
//   PD1 Nothing is destroyed before the person's open orders have ended, have refused, or the desk has said to go on.
//   PD2 The person is told, with the reasons, before the record goes by which he can be told anything.
//   PD3 What a duty keeps is destroyed when its time is over, without anybody asking again.
//   PD4 A request under a legal hold is refused, and nothing is destroyed.
//
// Which duties there are is not decided here: `privacy.classify` looks, and this chart keeps its answer for the person.

import { assertEvent, assign, setup } from 'xstate';
import { DAY } from '../durations.ts';
import { effect, told } from '../effect.ts';

export type PrivacyKind = 'access' | 'erasure' | 'rectification';

export interface PrivacyInput {
  readonly requestId: string;
  readonly userId: string;
  readonly kind: PrivacyKind;
  readonly locale: string;
  readonly at?: number;
}

export interface KeptClass {
  readonly dataClass: string;
  readonly duty: string;
  readonly until?: number;
}

/** How an open order has taken the wish. */
type Answer = 'asked' | 'accepted' | 'refused' | 'ended';

export interface PrivacyContext extends Omit<PrivacyInput, 'at'> {
  readonly createdAt: number;
  readonly personRef: string | null;
  readonly orders: { readonly [orderId: string]: Answer };
  /** Orders of the last look that nobody has asked yet. */
  readonly unasked: readonly string[];
  /** What a duty keeps, as last seen. */
  readonly kept: readonly KeptClass[];
  readonly reason: string | null;
  /** Counts looks at the vault. */
  readonly n: number;
  readonly waitMs: number;
  readonly objectId: string | null;
}

type PrivacyEvent = { readonly at?: number } & (
  | { readonly type: 'REQUEST'; readonly by: string }
  | { readonly type: 'ERASURE_ACCEPTED' | 'ORDER_ENDED'; readonly orderId: string }
  | { readonly type: 'ERASURE_REFUSED'; readonly orderId: string; readonly reason: string }
  | { readonly type: 'DECIDE'; readonly by: string; readonly decision: 'proceed' | 'retry' | 'refuse' }
);

interface Classified {
  readonly open: readonly string[];
  readonly legalHold: boolean;
  readonly kept: readonly KeptClass[];
  readonly personRef?: string;
}

interface Look {
  readonly requestId: string;
  readonly userId: string;
  readonly n: number;
}

const look = ({ context: { requestId, userId, n } }: { context: PrivacyContext }): Look => ({ requestId, userId, n });

const privacySetup = setup({
  types: {} as { context: PrivacyContext; events: PrivacyEvent; input: PrivacyInput },
  actors: {
    'privacy.classify': effect<Look, Classified>('privacy.classify'),
    'privacy.prune': effect<Look, { readonly kept: readonly KeptClass[]; readonly waitMs: number }>('privacy.prune'),
    'privacy.export': effect<
      { readonly requestId: string; readonly userId: string },
      { readonly objectId: string; readonly personRef?: string }
    >('privacy.export'),
    'people.erase': effect<{ readonly requestId: string; readonly userId: string }, { readonly erased: boolean }>(
      'people.erase',
    ),
    notify: effect<
      {
        readonly subject: string;
        readonly personRef: string;
        readonly locale: string;
        readonly template: string;
        readonly n: number;
      },
      object
    >('notify'),
  },
  actions: {
    askOrders: told<{ requestId: string; userId: string; orderIds: readonly string[] }>(),
    openTask: told<{ subject: string; orderId: string; task: string }>(),
    closeTask: told<{ subject: string; orderId: string; task: string }>(),
    noteAsked: assign(({ context }) => ({
      orders: {
        ...context.orders,
        ...Object.fromEntries(context.unasked.map((orderId) => [orderId, 'asked' as const])),
      },
      unasked: [],
    })),
    take: assign(({ context, event }, { answer }: { answer: Answer }) => {
      assertEvent(event, ['ERASURE_ACCEPTED', 'ERASURE_REFUSED', 'ORDER_ENDED']);
      return { orders: { ...context.orders, [event.orderId]: answer } };
    }),
    lookAgain: assign(({ context }) => ({ n: context.n + 1, orders: {} })),
    count: assign(({ context }) => ({ n: context.n + 1 })),
    refuse: assign((_, { reason }: { reason: string }) => ({ reason })),
  },
  guards: {
    isAccess: ({ context }) => context.kind === 'access',
    isErasure: ({ context }) => context.kind === 'erasure',
    hasUnasked: ({ context }) => context.unasked.length > 0,
    allAnswered: ({ context }) => Object.values(context.orders).every((one) => one === 'refused' || one === 'ended'),
    cannotBeTold: ({ context }) => context.personRef === null,
    isRefused: ({ context }) => context.reason !== null,
    isKnown: ({ context, event }) => 'orderId' in event && context.orders[event.orderId] !== undefined,
    says: ({ event }, { decision }: { decision: string }) => event.type === 'DECIDE' && event.decision === decision,
    isCorrection: ({ context }) => context.kind === 'rectification',
  },
  delays: {
    answersOverdue: DAY, // An order answers in its next step: a day is a partner's weekend, or an order that cannot be stepped.
    endingsOverdue: 21 * DAY, // Of the month that a person waits at most (GDPR art. 12(3)), a week is left for the desk.
    copyKept: 7 * DAY,
    due: ({ context }) => context.waitMs,
  },
});

/** The desk has to look: opened and closed with the state. */
const task = (name: string) => {
  const params = ({ context }: { context: PrivacyContext }) => ({
    subject: context.requestId,
    orderId: context.requestId,
    task: name,
  });
  return {
    entry: { type: 'openTask', params } as const,
    exit: { type: 'closeTask', params } as const,
  };
};

const notice = (template: (context: PrivacyContext) => string) =>
  ({
    src: 'notify',
    input: ({ context }: { context: PrivacyContext }) => ({
      subject: context.requestId,
      personRef: context.personRef ?? '',
      locale: context.locale,
      template: template(context),
      n: context.n,
    }),
  }) as const;

const proceed = { type: 'says', params: { decision: 'proceed' } } as const;
const retry = { type: 'says', params: { decision: 'retry' } } as const;
const refuse = { type: 'says', params: { decision: 'refuse' } } as const;

export const privacy = privacySetup.createMachine({
  id: 'privacy',
  context: ({ input: { at = 0, ...input } }) => ({
    ...input,
    createdAt: at,
    personRef: null,
    orders: {},
    unasked: [],
    kept: [],
    reason: null,
    n: 1,
    waitMs: 0,
    objectId: null,
  }),
  initial: 'received',
  on: {
    // An order may answer late, after the desk went on: its word is kept, and changes nothing.
    ERASURE_ACCEPTED: { guard: 'isKnown', actions: { type: 'take', params: { answer: 'accepted' } } },
    ERASURE_REFUSED: { guard: 'isKnown', actions: { type: 'take', params: { answer: 'refused' } } },
    ORDER_ENDED: { guard: 'isKnown', actions: { type: 'take', params: { answer: 'ended' } } },
  },
  states: {
    received: {
      on: {
        REQUEST: [
          { guard: 'isAccess', target: 'copying' },
          { guard: 'isErasure', target: 'erasing' },
          { target: 'correcting' },
        ],
      },
    },

    copying: {
      initial: 'making',
      states: {
        making: {
          invoke: {
            src: 'privacy.export',
            input: ({ context: { requestId, userId } }) => ({ requestId, userId }),
            onDone: {
              target: 'telling',
              actions: assign({
                objectId: ({ event }) => event.output.objectId,
                personRef: ({ event }) => event.output.personRef ?? null,
              }),
            },
            onError: 'stuck',
          },
        },
        telling: {
          always: { guard: 'cannotBeTold', target: 'ready' },
          invoke: { ...notice(() => 'privacy_copy_ready'), onDone: 'ready', onError: 'ready' },
        },
        ready: { after: { copyKept: '#privacy.done' } },
        stuck: {
          ...task('privacy_stuck'),
          on: {
            DECIDE: [
              { guard: retry, target: 'making', actions: 'count' },
              { guard: refuse, target: '#privacy.refused', actions: { type: 'refuse', params: { reason: 'desk' } } },
            ],
          },
        },
      },
    },

    correcting: {
      ...task('privacy_correction'),
      on: {
        DECIDE: [
          { guard: proceed, target: 'done' },
          { guard: refuse, target: 'refused', actions: { type: 'refuse', params: { reason: 'desk' } } },
        ],
      },
    },

    erasing: {
      initial: 'classifying',
      states: {
        classifying: {
          invoke: {
            src: 'privacy.classify',
            input: look,
            onDone: [
              {
                guard: ({ event }) => event.output.legalHold,
                target: 'telling',
                actions: assign({
                  reason: 'legal_hold',
                  kept: ({ event }) => event.output.kept,
                  personRef: ({ event }) => event.output.personRef ?? null,
                }),
              },
              {
                target: 'asking',
                actions: assign({
                  kept: ({ event }) => event.output.kept,
                  personRef: ({ event }) => event.output.personRef ?? null,
                  unasked: ({ context, event }) =>
                    event.output.open.filter((orderId) => context.orders[orderId] === undefined),
                }),
              },
            ],
            onError: 'stuck',
          },
        },
        asking: {
          always: [{ guard: 'hasUnasked', target: 'waiting' }, { target: 'telling' }],
        },
        waiting: {
          description: 'O-52',
          entry: [
            {
              type: 'askOrders',
              params: ({ context: { requestId, userId, unasked } }) => ({ requestId, userId, orderIds: unasked }),
            },
            'noteAsked',
          ],
          // What has ended is seen with its end only by another look, and so is an order that began meanwhile.
          always: { guard: 'allAnswered', target: 'classifying', actions: 'count' },
          after: {
            answersOverdue: {
              guard: ({ context }) => Object.values(context.orders).includes('asked'),
              target: 'stuck',
            },
            endingsOverdue: 'stuck',
          },
        },
        stuck: {
          ...task('privacy_stuck'),
          on: {
            DECIDE: [
              { guard: retry, target: 'classifying', actions: 'lookAgain' },
              { guard: proceed, target: 'telling' },
              { guard: refuse, target: 'telling', actions: { type: 'refuse', params: { reason: 'desk' } } },
            ],
          },
        },
        telling: {
          always: { guard: 'cannotBeTold', target: 'told' },
          invoke: { ...notice(({ reason, kept }) => verdict(reason, kept)), onDone: 'told', onError: 'told' },
        },
        told: { always: [{ guard: 'isRefused', target: '#privacy.refused' }, { target: 'pruning' }] },
        pruning: {
          invoke: {
            src: 'privacy.prune',
            input: look,
            onDone: [
              {
                guard: ({ event }) => event.output.kept.length === 0,
                target: 'destroying',
                actions: assign({ kept: [] }),
              },
              {
                target: 'keeping',
                actions: assign({ kept: ({ event }) => event.output.kept, waitMs: ({ event }) => event.output.waitMs }),
              },
            ],
            onError: 'stuck',
          },
        },
        keeping: { after: { due: { target: 'pruning', actions: 'count' } } },
        destroying: {
          invoke: {
            src: 'people.erase',
            input: ({ context: { requestId, userId } }) => ({ requestId, userId }),
            onDone: '#privacy.done',
            onError: 'stuck',
          },
        },
      },
    },

    done: { type: 'final' },
    refused: { type: 'final' },
  },
});

const verdict = (reason: string | null, kept: readonly KeptClass[]): string =>
  reason !== null ? 'privacy_refused' : kept.length > 0 ? 'privacy_partly_erased' : 'privacy_erased';

/** What the person is told of his request. */
export function privacyStatus(value: unknown): 'received' | 'in_progress' | 'ready' | 'partly' | 'done' | 'refused' {
  if (typeof value === 'string')
    return value === 'received' || value === 'done' || value === 'refused' ? value : 'in_progress';
  const { copying, erasing } = value as { readonly copying?: string; readonly erasing?: string };
  if (copying === 'ready') return 'ready';
  return erasing === 'keeping' ? 'partly' : 'in_progress';
}
