// Run: the day of one courier, and the envelopes he has in it.
//
//   DL8  A place in the run is given in this actor's own step, and never more than the courier can carry.
//
// Each delivery tells what the courier does about it, so half an hour without a word from any of them, while he holds
// envelopes, is half an hour without a sign of life (D-41).

import { assign, setup } from 'xstate';
import { DAY, MINUTE } from '../durations.ts';
import { told } from '../effect.ts';
import type { Task } from './delivery-setup.ts';

const LOOKS_MAX = 18; // As with slots: a day, then each time twice as late.

export interface RunInput {
  readonly runId: string;
  readonly courierId: string;
  readonly capacity: number;
  /** When the day is over at the latest, ms since 1970 UTC. */
  readonly until: number;
}

export interface RunContext extends RunInput {
  /** Deliveries with a place; true: he has scanned the envelope. */
  readonly stops: { readonly [deliveryId: string]: boolean };
  readonly looks: number;
}

type RunEvent = { readonly at?: number; readonly deliveryId: string } & (
  | { readonly type: 'BOARD'; readonly turn: number }
  | { readonly type: 'HELD' | 'SEEN' | 'LEAVE' }
);

export interface RunAnswer {
  readonly type: 'BOARDED' | 'RUN_FULL';
  readonly runId: string;
  readonly deliveryId: string;
  readonly turn: number;
}

const task = ({ context: { runId } }: { readonly context: RunContext }): Task => ({
  ...{ subject: runId, orderId: runId, task: 'courier_offline' },
});

const driving = setup({
  types: {} as { context: RunContext; events: RunEvent; input: RunInput & { readonly at?: number } },
  actions: {
    answerDelivery: told<RunAnswer>(),
    tellStops: told<{ courierId: string; stops: readonly string[] }>(),
    openTask: told<Task>(),
    closeTask: told<Task>(),
    add: assign(({ context: { stops }, event }) => ({
      stops: { ...stops, [event.deliveryId]: stops[event.deliveryId] ?? false },
    })),
    hold: assign(({ context, event }) => ({ stops: { ...context.stops, [event.deliveryId]: true } })),
    remove: assign(({ context, event }) => {
      const { [event.deliveryId]: _, ...others } = context.stops;
      return { stops: others };
    }),
    countLook: assign(({ context }) => ({ looks: Math.min(context.looks + 1, LOOKS_MAX) })),
  },
  guards: {
    hasPlace: ({ context, event }) =>
      event.deliveryId in context.stops || Object.keys(context.stops).length < context.capacity,
    isStop: ({ context, event }) => event.deliveryId in context.stops,
    holds: ({ context }) => Object.values(context.stops).includes(true),
    holdsNothing: ({ context }) => !Object.values(context.stops).includes(true),
    isPast: ({ context, event }) => (event.at ?? 0) > context.until && Object.keys(context.stops).length === 0,
  },
  delays: { courierSilent: 30 * MINUTE, dayOver: ({ context }) => DAY * 2 ** context.looks },
});

const answer = (type: RunAnswer['type']) =>
  ({
    type: 'answerDelivery',
    params: ({ context, event }: { readonly context: RunContext; readonly event: RunEvent }): RunAnswer => ({
      ...{ type, runId: context.runId, deliveryId: event.deliveryId, turn: event.type === 'BOARD' ? event.turn : 0 },
    }),
  }) as const;

/** Signs of life: half an hour begins anew. */
const alive = {
  HELD: { description: 'D-41', target: '.carrying', reenter: true, actions: 'hold' },
  SEEN: { description: 'D-41', guard: 'isStop', target: '.carrying', reenter: true },
} as const;

export const run = driving.createMachine({
  id: 'run',
  context: ({ input: { runId, courierId, capacity, until } }) => ({
    ...{ runId, courierId, capacity, until, stops: {}, looks: 0 },
  }),
  initial: 'quiet',
  on: {
    BOARD: [
      { description: 'D-07', guard: 'hasPlace', actions: ['add', answer('BOARDED')] },
      { description: 'D-08', actions: answer('RUN_FULL') },
    ],
    LEAVE: { description: 'D-10', actions: 'remove' },
    ...alive,
  },
  states: {
    /** He holds nothing: nobody worries. */
    quiet: {
      always: { description: 'D-41', guard: 'holds', target: 'carrying' },
      after: {
        dayOver: [
          { description: 'D-10', guard: 'isPast', target: 'over' },
          { description: 'D-10', target: 'quiet', reenter: true, actions: 'countLook' },
        ],
      },
    },
    carrying: {
      always: { description: 'D-10', guard: 'holdsNothing', target: 'quiet' },
      after: { courierSilent: { description: 'D-41', target: 'silent' } },
    },
    silent: {
      entry: [
        {
          type: 'tellStops',
          params: ({ context: { courierId, stops } }) => ({
            ...{ courierId, stops: Object.keys(stops).filter((stop) => stops[stop] === true) },
          }),
        },
        { type: 'openTask', params: task },
      ],
      exit: { type: 'closeTask', params: task },
      always: { description: 'D-10', guard: 'holdsNothing', target: 'quiet' },
    },
    over: { type: 'final' },
  },
});
