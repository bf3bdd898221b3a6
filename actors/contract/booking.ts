// What travels between a delivery and the two shared things it books: a place in a slot, and a place in a courier's run.
//
// Both are actors, so that "one more" is decided in one step (DL8). Asking again is answered again; `turn` counts the
// askings of one delivery, so that an answer to an earlier one is told from the one that is waited for.

import { type Static, Type } from 'typebox';
import { closed, count, type EventOf, event, id, ms } from './schema.ts';

/** Created by the first delivery that asks. What its window is, it asks the catalogue itself. */
export const slotInput = closed({ slotId: id });
export type SlotInput = Static<typeof slotInput>;

/** By deliveries. */
export const slotEvents = {
  /** Answered with SLOT_TAKEN or SLOT_FULL. */
  TAKE: event('TAKE', { deliveryId: id, turn: count }),
  /** Gives the place of that turn or an earlier one back. Of a place that was never taken: done. */
  FREE: event('FREE', { deliveryId: id, turn: count }),
} as const;
export type SlotMessage = EventOf<typeof slotEvents>;

/** By slots, to the delivery that asked. */
export const slotAnswers = {
  SLOT_TAKEN: event('SLOT_TAKEN', { slotId: id, turn: count, from: ms, to: ms }),
  /** No place is left, or it is too late for it, or there is no such window. */
  SLOT_FULL: event('SLOT_FULL', { slotId: id, turn: count }),
} as const;

/** A courier's day. `until`: when it is over at the latest. */
export const runInput = closed({
  runId: id,
  courierId: id,
  capacity: Type.Integer({ minimum: 1, maximum: 30 }),
  until: ms,
});
export type RunInput = Static<typeof runInput>;

export const runEvents = {
  /** Answered with BOARDED or RUN_FULL. */
  BOARD: event('BOARD', { deliveryId: id, turn: count }),
  /** The courier has scanned the envelope, and answers for it from now on. */
  HELD: event('HELD', { deliveryId: id }),
  /** He did something about it: a sign of life. */
  SEEN: event('SEEN', { deliveryId: id }),
  /** It is not his any more. */
  LEAVE: event('LEAVE', { deliveryId: id }),
} as const;
export type RunMessage = EventOf<typeof runEvents>;

/** By runs, to the deliveries on them. */
export const runAnswers = {
  BOARDED: event('BOARDED', { runId: id, turn: count }),
  RUN_FULL: event('RUN_FULL', { runId: id, turn: count }),
  /** Half an hour without a sign of life from the courier who holds this envelope. D-41. */
  COURIER_OFFLINE: event('COURIER_OFFLINE', { courierId: id }),
} as const;
