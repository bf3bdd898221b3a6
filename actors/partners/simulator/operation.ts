// What a partner can be asked for: one operation per effect, and what every act may bring about.
//
// An operation is a pure decision over the world as it stands; desk.ts gives it idempotency, faults and the book.

import type { TSchema } from 'typebox';
import type { JsonObject } from '../../../runtime/json.ts';
import type { Book, Callback, SetRow } from './book.ts';
import { type About, draw, drawBetween, type Faults, opaque } from './faults.ts';

export interface World {
  readonly book: Book;
  readonly faults: Faults;
  /** Wall clock, ms. */
  readonly now: number;
  /** Divides every simulated time of processing. */
  readonly timeScale: number;
  readonly couriers: readonly string[];
}

export interface PhoneMessage {
  readonly id: string;
  readonly at: string;
  readonly channel: string;
  readonly template: string;
  readonly subject: string;
  readonly text: string;
  readonly code?: string;
}

export interface Done {
  readonly kind: 'done';
  readonly body: JsonObject;
  readonly result?: string;
  readonly sets?: readonly SetRow[];
  readonly callbacks?: readonly Callback[];
  readonly withdraw?: readonly string[];
  /** Reaches the phones once the act is in the book. */
  readonly message?: { readonly recipients: readonly string[]; readonly message: PhoneMessage };
}
/** A definite no of the business: stored under the idempotency key, and no act. */
export interface Refused {
  readonly kind: 'refused';
  readonly status: number;
  readonly code: string;
  readonly detail?: string;
}
export type Decision = Done | Refused;

export interface Ask extends About {
  readonly effect: string;
  /** 1 for the first act under the business key; above 1 only for a partner that ignores business keys. */
  readonly act: number;
}

export interface Operation {
  readonly effect: string;
  readonly path: string;
  /** Of the body, besides `businessKey`. */
  readonly body: TSchema;
  /** What the act is for: the id under which overrides and the ledger know it. */
  readonly subject: (body: JsonObject) => string;
  readonly product?: (body: JsonObject) => string | undefined;
  readonly decide: (body: JsonObject, ask: Ask, world: World) => Decision;
}

/** An operation whose decisions see the body by its schema's type. */
export function operation<B extends JsonObject>(
  parts: Omit<Operation, 'decide' | 'subject' | 'product'> & {
    readonly subject: (body: B) => string;
    readonly product?: (body: B) => string | undefined;
    readonly decide: (body: B, ask: Ask, world: World) => Decision;
  },
): Operation {
  return parts as unknown as Operation; // The desk checks every body against `body` before it hands it over.
}

export const done = (body: JsonObject, more: Omit<Done, 'kind' | 'body'> = {}): Done => ({
  kind: 'done',
  body,
  ...more,
});
export const refused = (code: string, detail?: string, status = 422): Refused => ({
  kind: 'refused',
  status,
  code,
  ...(detail === undefined ? {} : { detail }),
});

/** A new opaque id of something that this ask makes; the same ask makes the same id. */
export const idFor = (prefix: string, ask: Ask): string =>
  `${prefix}${opaque(18, ask.effect, ask.businessKey, String(ask.act))}`;

/** Simulated processing time in ms of our clock, drawn between bounds given in minutes. */
export const minutes = (world: World, ask: Ask, what: string, bounds: readonly [number, number]): number =>
  Math.ceil((drawBetween(world.faults.seed, bounds, what, ask.businessKey) * 60_000) / world.timeScale);

export interface Step {
  readonly name: string;
  readonly path: string;
  readonly dueAt: number;
  readonly body: JsonObject;
}

/**
 * Callbacks of one act, each waiting for the one before it. Some are marked to come twice; some change places with their
 * successor, which then no longer waits for them.
 */
export function planned(world: World, ask: Ask, steps: readonly Step[]): readonly Callback[] {
  const { seed, duplicateCallbackRate, reorderCallbackRate } = world.faults;
  const act = `${ask.effect}|${ask.businessKey}`;
  const ids = steps.map((step) => `evt_${opaque(20, act, String(ask.act), step.name)}`);
  const chances = ids.map((eventId) => draw(seed, 'reorder', eventId) < reorderCallbackRate);

  return steps.map((step, index): Callback => {
    const eventId = ids[index] as string; // One id per step.
    const jumpsAhead = index > 0 && swaps(chances, index - 1);
    const waits = swaps(chances, index) && index + 1 < steps.length;
    const before = ids[jumpsAhead ? index - 2 : index - 1];
    const after = waits
      ? { eventId: ids[index + 1] as string, until: 'tried' as const }
      : before === undefined
        ? undefined
        : { eventId: before, until: 'settled' as const };
    return {
      eventId,
      act,
      path: step.path,
      body: { eventId, ...step.body },
      dueAt: step.dueAt,
      ...(after === undefined ? {} : { after }),
      ...(draw(seed, 'duplicate', eventId) < duplicateCallbackRate ? { duplicate: true } : {}),
      ...(waits ? { reordered: true } : {}),
    };
  });
}

/** What was told of an act, to be told anew in the same order, under new event ids: another question, another answer. */
export function retold(told: readonly Callback[], time: number, now: number): readonly Callback[] {
  const ids = told.map(({ eventId }) => `evt_${opaque(20, eventId, 'again', String(time))}`);
  return told.map(({ eventId, act, path, body }, index): Callback => {
    const before = ids[index - 1];
    const id = ids[index] as string; // One id per callback.
    const after = before === undefined ? {} : { after: { eventId: before, until: 'settled' as const } };
    return { eventId: id, act, path, body: { ...body, eventId: id }, dueAt: now, again: eventId, ...after };
  });
}

/** Whether callback `index` changes places with the next one; one that was already moved ahead does not move again. */
function swaps(chances: readonly boolean[], index: number): boolean {
  if (index < 0 || index + 1 >= chances.length || chances[index] !== true) return false;
  return !swaps(chances, index - 1);
}
