// What a partner can be asked for: one operation per effect (and carrier), and what every act may bring about.
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

/** What an act leaves in the book. */
export interface Traces {
  readonly sets?: readonly SetRow[];
  readonly callbacks?: readonly Callback[];
  readonly withdraw?: readonly string[];
}

export interface Done extends Traces {
  readonly kind: 'done';
  /** A text is a file. */
  readonly body: JsonObject | string;
  readonly result?: string;
  /** Reaches the phones once the act is in the book. */
  readonly message?: { readonly recipients: readonly string[]; readonly message: PhoneMessage };
}
/** A definite no of the business, in the partner's word: stored under the idempotency key, and no act. */
export interface Refused {
  readonly kind: 'refused';
  readonly status: number;
  readonly code: string;
  readonly detail?: string;
}
/** No decision at all, this time and as long as it lasts: 503. */
export interface Unavailable {
  readonly kind: 'unavailable';
}
export type Decision = Done | Refused | Unavailable;

export interface Ask extends About {
  readonly effect: string;
  /** 1 for the first act under the business key; above 1 only for a partner that ignores business keys. */
  readonly act: number;
}

export interface Operation {
  readonly effect: string;
  /** Begins with the name of the partner's door. */
  readonly path: string;
  /** Of the body, as it is in JSON or after its file was taken apart. */
  readonly body: TSchema;
  readonly file?: true;
  /** Where the business key stands: the partner's own field for our reference. */
  readonly reference: string;
  /** What the act is for: the id under which overrides and the ledger know it, and its order. */
  readonly subject: (body: JsonObject) => string;
  readonly order: (body: JsonObject) => string;
  readonly product?: (body: JsonObject) => string | undefined;
  readonly decide: (body: JsonObject, ask: Ask, world: World) => Decision;
  /** Asked anew under another key: what happens besides the first answer coming again. Undefined: what was told is told anew. */
  readonly again?: (body: JsonObject, ask: Ask, world: World) => Traces | undefined;
  /** A no, as this partner writes it. */
  readonly fault: Fault;
}

export type Fault = (code: string, detail?: string) => JsonObject;

type Typed<B extends JsonObject> = Omit<Operation, 'decide' | 'subject' | 'order' | 'product' | 'again' | 'fault'> & {
  readonly subject: (body: B) => string;
  /** The subject itself by default. */
  readonly order?: (body: B) => string;
  readonly product?: (body: B) => string | undefined;
  readonly decide: (body: B, ask: Ask, world: World) => Decision;
  readonly again?: (body: B, ask: Ask, world: World) => Traces | undefined;
};

/** Makes operations of one partner, whose decisions see the body by its schema's type. */
export const partnerOf =
  (fault: Fault) =>
  <B extends JsonObject>(parts: Typed<B>): Operation =>
    // The desk checks every body against `body` before it hands it over.
    ({ ...parts, order: parts.order ?? parts.subject, fault }) as unknown as Operation;

export const done = (body: JsonObject | string, more: Omit<Done, 'kind' | 'body'> = {}): Done => ({
  kind: 'done',
  body,
  ...more,
});
export const refused = (code: string, status = 422, detail?: string): Refused => ({
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

export const HOUR = 60;

export interface Step {
  readonly name: string;
  /** Whose secret signs it. */
  readonly from: string;
  readonly path: string;
  readonly dueAt: number;
  /** A text is a file. */
  readonly body: JsonObject | string;
  /** The field of the body that names the event itself, where the partner has one. */
  readonly idField?: string;
  /** Given up after so many refusals. */
  readonly triesMax?: number;
}

/** The id that a step's telling has. */
const eventIdOf = (act: string, ...parts: readonly string[]): string => `evt_${opaque(20, act, ...parts)}`;

const bodyWith = (step: Pick<Step, 'body' | 'idField'>, eventId: string): JsonObject | string =>
  step.idField === undefined || typeof step.body === 'string' ? step.body : { ...step.body, [step.idField]: eventId };

/**
 * Callbacks of one act, each waiting for the one before it. Some are marked to come twice; some change places with their
 * successor, which then no longer waits for them.
 */
export function planned(world: World, ask: Ask, steps: readonly Step[], time = 0): readonly Callback[] {
  const { seed, duplicateCallbackRate, reorderCallbackRate } = world.faults;
  const act = `${ask.effect}|${ask.businessKey}`;
  const ids = steps.map((step) => eventIdOf(act, String(ask.act), step.name, ...(time === 0 ? [] : [String(time)])));
  const happens = (rate: number, what: string, eventId: string) => rate > 0 && draw(seed, what, eventId) < rate;
  const chances = ids.map((eventId) => happens(reorderCallbackRate, 'reorder', eventId));

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
      ...callbackOf(act, ask.subject, step, eventId),
      ...(after === undefined ? {} : { after }),
      ...(happens(duplicateCallbackRate, 'duplicate', eventId) ? { duplicate: true } : {}),
      ...(waits ? { reordered: true } : {}),
    };
  });
}

function callbackOf(act: string, subject: string, step: Step, eventId: string): Callback {
  const { from, path, dueAt, idField, triesMax } = step;
  return {
    eventId,
    act,
    subject,
    from,
    path,
    dueAt,
    body: bodyWith(step, eventId),
    ...(idField === undefined ? {} : { idField }),
    ...(triesMax === undefined ? {} : { triesMax }),
  };
}

/** One telling that follows from no ask: an operator of the simulator wished it. `nonce` makes it another one each time. */
export const wished = (act: string, subject: string, step: Step, nonce: string): Callback =>
  callbackOf(act, subject, step, eventIdOf(act, 'wished', step.name, nonce));

/** What was told of an act, to be told anew in the same order, under new event ids: another question, another answer. */
export function retold(told: readonly Callback[], time: number, now: number): readonly Callback[] {
  const ids = told.map(({ eventId }) => eventIdOf(eventId, 'again', String(time)));
  return told.map((first, index): Callback => {
    const { after: _after, duplicate: _duplicate, reordered: _reordered, ...same } = first;
    const before = ids[index - 1];
    const id = ids[index] as string; // One id per callback.
    const after = before === undefined ? {} : { after: { eventId: before, until: 'settled' as const } };
    return { ...same, eventId: id, body: bodyWith(first, id), dueAt: now, again: first.eventId, ...after };
  });
}

/** Whether callback `index` changes places with the next one; one that was already moved ahead does not move again. */
function swaps(chances: readonly boolean[], index: number): boolean {
  if (index < 0 || index + 1 >= chances.length || chances[index] !== true) return false;
  return !swaps(chances, index - 1);
}

/** Those of an act's callbacks that nobody has taken yet. */
export const pendingOf = (book: Book, act: string): readonly string[] =>
  book.callbacksOf(act).flatMap(({ state, callback }) => (state === 'pending' ? [callback.eventId] : []));
