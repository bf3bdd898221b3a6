// Slot: one window of one zone on one day, and the places in it.
//
//   DL8  A place is given in this actor's own step: however many ask at once, no more are told yes than there are places.
//
// What its window and capacity are, it asks the catalogue once, when the first delivery asks for a place. Asking again is
// answered again; the place belongs to the delivery until it gives it back.

import { assign, setup } from 'xstate';
import { DAY } from '../durations.ts';
import { effect, told } from '../effect.ts';

/** Asks that may wait while the terms are fetched: more than any slot has places, so that none stays free for nothing. */
const WAITING_MAX = 60;
/** Looks whether the window is over: after a day, then each time twice as late, to a thousand years. */
const LOOKS_MAX = 18;

interface Ask {
  readonly deliveryId: string;
  readonly turn: number;
}

/** A window as the catalogue has it; `offered` is false for one that it does not have. */
export interface SlotTerms {
  readonly offered: boolean;
  readonly from?: number;
  readonly to?: number;
  readonly capacity?: number;
  readonly leadMs?: number;
}

export interface SlotContext {
  readonly slotId: string;
  readonly from: number;
  readonly to: number;
  readonly capacity: number;
  /** How long before its beginning it can still be booked. */
  readonly leadMs: number;
  /** Turn of its asking, by delivery. */
  readonly taken: { readonly [deliveryId: string]: number };
  readonly waiting: readonly Ask[];
  readonly looks: number;
}

type SlotEvent = { readonly at?: number } & ({ readonly type: 'TAKE' | 'FREE' } & Ask);

export interface SlotAnswer extends Ask {
  readonly type: 'SLOT_TAKEN' | 'SLOT_FULL';
  readonly slotId: string;
  readonly from: number;
  readonly to: number;
}

const booking = setup({
  types: {} as { context: SlotContext; events: SlotEvent; input: { readonly slotId: string } },
  actors: { 'slot.terms': effect<{ slotId: string }, SlotTerms>('slot.terms') },
  actions: {
    answerDelivery: told<SlotAnswer>(),
    noteTerms: assign((_, { from, to, capacity, leadMs }: SlotTerms) => ({
      ...{ from: from ?? 0, to: to ?? 0, capacity: capacity ?? 0, leadMs: leadMs ?? 0 },
    })),
    remember: assign(({ context, event }) => ({
      waiting: [
        ...context.waiting.filter(({ deliveryId }) => deliveryId !== event.deliveryId),
        { deliveryId: event.deliveryId, turn: event.turn },
      ],
    })),
    noteTaken: assign((_, { taken }: Pick<SlotContext, 'taken'>) => ({ taken, waiting: [] })),
    giveBack: assign(({ context, event }) => {
      const { [event.deliveryId]: turn, ...others } = context.taken;
      const keeps = turn !== undefined && turn > event.turn; // Asked for once more since: that asking stands.
      return {
        taken: keeps ? context.taken : others,
        waiting: context.waiting.filter((ask) => ask.deliveryId !== event.deliveryId || ask.turn > event.turn),
      };
    }),
    countLook: assign(({ context }) => ({ looks: Math.min(context.looks + 1, LOOKS_MAX) })),
  },
  guards: {
    isOffered: (_, { offered }: SlotTerms) => offered,
    mayWait: ({ context }) => context.waiting.length < WAITING_MAX,
    isPast: ({ context, event }) => (event.at ?? 0) > context.to,
  },
  delays: { windowOver: ({ context }) => DAY * 2 ** context.looks, termsOverdue: DAY },
});

/** Answers who asks, in the order of asking, and keeps the books: one pass, one step (DL8). */
const decide = booking.enqueueActions(({ context, event, enqueue }) => {
  const { slotId, from, to, capacity, leadMs } = context;
  const isInTime = (event.at ?? 0) + leadMs <= from;
  const now = event.type === 'TAKE' ? [{ deliveryId: event.deliveryId, turn: event.turn }] : [];
  const taken: { [deliveryId: string]: number } = { ...context.taken };
  for (const { deliveryId, turn } of [...context.waiting, ...now]) {
    const has = taken[deliveryId] !== undefined;
    const granted = has || (isInTime && Object.keys(taken).length < capacity);
    if (granted) taken[deliveryId] = Math.max(turn, taken[deliveryId] ?? 0);
    const type = granted ? 'SLOT_TAKEN' : 'SLOT_FULL';
    enqueue({ type: 'answerDelivery', params: { type, deliveryId, turn, slotId, from, to } });
  }
  enqueue({ type: 'noteTaken', params: { taken } });
});

export const slot = booking.createMachine({
  id: 'slot',
  context: ({ input }) => ({
    ...{ slotId: input.slotId, from: 0, to: 0, capacity: 0, leadMs: 0, taken: {}, waiting: [], looks: 0 },
  }),
  initial: 'opening',
  on: { FREE: { description: 'D-06', actions: 'giveBack' } },
  states: {
    opening: {
      invoke: {
        id: 'slot.terms',
        src: 'slot.terms',
        input: ({ context }) => ({ slotId: context.slotId }),
        onDone: [
          {
            description: 'D-04',
            guard: { type: 'isOffered', params: ({ event }) => event.output },
            target: 'open',
            actions: { type: 'noteTerms', params: ({ event }) => event.output },
          },
          { description: 'D-04', target: 'shut' },
        ],
        onError: { description: 'D-04', target: 'shut' },
      },
      on: {
        TAKE: [
          { description: 'D-04', guard: 'mayWait', actions: 'remember' },
          {
            description: 'D-04',
            actions: {
              type: 'answerDelivery',
              params: ({ context: { slotId, from, to }, event: { deliveryId, turn } }) => ({
                ...{ type: 'SLOT_FULL' as const, deliveryId, turn, slotId, from, to },
              }),
            },
          },
        ],
      },
    },
    open: {
      entry: decide,
      on: { TAKE: { description: 'D-04', actions: decide } },
      after: {
        windowOver: [
          { description: 'D-04', guard: 'isPast', target: 'over' },
          { description: 'D-04', target: 'open', reenter: true, actions: 'countLook' },
        ],
      },
    },
    /** The catalogue has no such window, or could not be asked: whoever asks next makes it look again. */
    shut: {
      entry: decide,
      on: { TAKE: { description: 'D-04', target: 'opening', actions: 'remember' } },
      after: { termsOverdue: { description: 'D-04', target: 'over' } },
    },
    over: { type: 'final' },
  },
});
