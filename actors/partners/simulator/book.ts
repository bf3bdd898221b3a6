// The book of the partners' world: an append-only file of what happened, and the state that follows from it.
//
//   - Every line is one whole happening: call, answer, changed rows and planned callbacks stand or fall together.
//   - Memory changes only by applying a line that is in the file, in the running process and after a restart alike.
//   - A line is handed to the operating system before its answer leaves: a killed process loses nothing.
//
// A loss of power may cost the last lines; the partners' own durability is not what is under test here. Keys are kept as
// long as the book, which is longer than any retry deadline (policies.ts). No personal data: requests are kept as digests.

import { closeSync, ftruncateSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import type { JsonObject } from '../../../runtime/json.ts';

/** A row of the partners' world: a card, a print job, an envelope, a shipment. `undefined` fields are not kept. */
export interface SetRow {
  readonly table: Table;
  readonly id: string;
  readonly row: JsonObject;
}
export type Table = (typeof tables)[number];
/** `latest` points from an order or delivery to what was last made for it. */
const tables = [
  'applicants',
  'cards',
  'cardRefs',
  'credits',
  'fees',
  'jobs',
  'envelopes',
  'shipments',
  'latest',
] as const;

/** Something a partner will tell the api. `eventId` is the same however often it is tried. */
export interface Callback {
  readonly eventId: string;
  /** The act it follows from, `effect|businessKey`. */
  readonly act: string;
  /** The order or delivery that it is about. */
  readonly subject: string;
  /** The partner whose secret signs it. */
  readonly from: string;
  readonly path: string;
  /** A text is a file. */
  readonly body: JsonObject | string;
  readonly dueAt: number;
  /** The field of the body that names the event itself, where the partner has one. */
  readonly idField?: string;
  /** Given up after so many refusals. */
  readonly triesMax?: number;
  /** Another callback that goes first: until it has been taken (or given up), or only until it has been tried. */
  readonly after?: { readonly eventId: string; readonly until: 'settled' | 'tried' };
  readonly duplicate?: boolean;
  readonly reordered?: boolean;
  /** Event id of the callback that this one tells anew, since its act was asked for anew. */
  readonly again?: string;
}

export interface StoredAnswer {
  readonly status: number;
  readonly body: JsonObject | string;
}

export interface CallLine {
  readonly kind: 'call';
  readonly at: number;
  readonly effect: string;
  readonly businessKey: string;
  readonly subject: string;
  readonly key: string;
  readonly how: 'act' | 'refused' | 'repeat' | 'business-repeat' | 'error';
  readonly lost?: boolean;
  /** Digest of the request, with the first call under a key. */
  readonly digest?: string;
  readonly answer?: StoredAnswer;
  /** What the act made. */
  readonly result?: string;
  readonly sets?: readonly SetRow[];
  readonly callbacks?: readonly Callback[];
  readonly withdraw?: readonly string[];
}

export interface ToldLine {
  readonly kind: 'told';
  readonly at: number;
  readonly eventId: string;
  readonly how: 'delivered' | 'abandoned' | 'duplicate';
  readonly tries: number;
  readonly detail?: string;
}

/** An operator of the simulator wished that something happens now. */
export interface WishLine {
  readonly kind: 'wish';
  readonly at: number;
  readonly sets?: readonly SetRow[];
  readonly callbacks?: readonly Callback[];
  readonly withdraw?: readonly string[];
}

export type Line = CallLine | ToldLine | WishLine;

export interface CallbackState {
  readonly callback: Callback;
  state: 'pending' | 'delivered' | 'abandoned' | 'withdrawn';
  duplicates: number;
}

/** Everything that is known of one business key of one effect. */
export interface ActState {
  readonly effect: string;
  readonly businessKey: string;
  readonly subject: string;
  readonly keys: Set<string>;
  readonly results: string[];
  answer: StoredAnswer | undefined;
  acts: number;
  calls: number;
  repeats: number;
  businessRepeats: number;
  refused: number;
  errors: number;
  lostReplies: number;
  readonly firstAt: number;
  lastAt: number;
}

export interface KeyState {
  digest: string | undefined;
  answer: StoredAnswer | undefined;
  calls: number;
}

const LINES_MAX = 2_000_000; // About 1 GB of file; far beyond any run, and said openly when reached.

export class Book {
  readonly #path: string;
  #file: number;
  #lines = 0;
  #closed = false;
  readonly #acts = new Map<string, ActState>();
  readonly #keys = new Map<string, KeyState>();
  readonly #rows = new Map<Table, Map<string, JsonObject>>(tables.map((table) => [table, new Map()]));
  readonly #callbacks = new Map<string, CallbackState>();
  readonly #byAct = new Map<string, string[]>();

  /** Opens the book at `path`, made when absent. Throws for a file that is no book, naming the line. */
  constructor(path: string) {
    this.#path = path;
    mkdirSync(dirname(path), { recursive: true });
    this.#file = openSync(path, 'a+');
    this.#load();
  }

  /** Writes a happening and lets it count. */
  append(line: Line): void {
    if (this.#closed) throw new Error('the book is closed'); // The number of the file may be another file's by now.
    if (this.#lines >= LINES_MAX) throw new Error(`the partners' book ${this.#path} is full: start with a fresh one`);
    writeSync(this.#file, `${JSON.stringify(line)}\n`);
    this.#apply(line);
  }

  act(effect: string, businessKey: string): ActState | undefined {
    return this.#acts.get(`${effect}|${businessKey}`);
  }
  /** What is known of an idempotency key. Keys of different effects are different keys. */
  key(effect: string, key: string): KeyState | undefined {
    return this.#keys.get(`${effect}|${key}`);
  }
  row(table: Table, id: string): JsonObject | undefined {
    return this.#rows.get(table)?.get(id);
  }
  rows(table: Table): Iterable<readonly [string, JsonObject]> {
    return this.#rows.get(table) ?? [];
  }
  callback(eventId: string): CallbackState | undefined {
    return this.#callbacks.get(eventId);
  }
  callbacks(): Iterable<CallbackState> {
    return this.#callbacks.values();
  }
  /** In the order they were planned. */
  callbacksOf(act: string): readonly CallbackState[] {
    return (this.#byAct.get(act) ?? []).flatMap((eventId) => this.#callbacks.get(eventId) ?? []);
  }
  acts(): Iterable<ActState> {
    return this.#acts.values();
  }

  /** Puts the file aside under another name and starts an empty one. */
  reset(suffix: string): void {
    closeSync(this.#file);
    renameSync(this.#path, `${this.#path}.${suffix}`);
    this.#file = openSync(this.#path, 'a+');
    for (const state of [this.#acts, this.#keys, this.#callbacks, this.#byAct, ...this.#rows.values()]) state.clear();
    this.#lines = 0;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    closeSync(this.#file);
  }

  #load(): void {
    const text = readFileSync(this.#path, 'utf8');
    const whole = text.lastIndexOf('\n') + 1;
    // The writer died inside a line: its answer never left, so the call will come again.
    if (whole < text.length) ftruncateSync(this.#file, Buffer.byteLength(text.slice(0, whole)));
    for (const line of text.slice(0, whole).split('\n')) {
      if (line === '') continue;
      this.#apply(parsed(this.#path, this.#lines + 1, line));
    }
  }

  #apply(line: Line): void {
    this.#lines += 1;
    if (line.kind === 'told') {
      this.#applyTold(line);
      return;
    }
    if (line.kind === 'call') {
      this.#count(line);
      this.#applyKey(line);
    }
    for (const { table, id, row } of line.sets ?? []) this.#rows.get(table)?.set(id, row);
    for (const callback of line.callbacks ?? []) this.#plan(callback);
    for (const eventId of line.withdraw ?? []) this.#move(eventId, 'withdrawn');
  }

  #applyTold(line: ToldLine): void {
    const state = this.#callbacks.get(line.eventId);
    if (state !== undefined && line.how === 'duplicate') state.duplicates += 1;
    else if (line.how !== 'duplicate') this.#move(line.eventId, line.how);
  }

  #plan(callback: Callback): void {
    const state: CallbackState = { callback, state: 'pending', duplicates: 0 };
    this.#callbacks.set(callback.eventId, state);
    const siblings = this.#byAct.get(callback.act);
    if (siblings === undefined) this.#byAct.set(callback.act, [callback.eventId]);
    else siblings.push(callback.eventId);
  }

  #move(eventId: string, to: Exclude<CallbackState['state'], 'pending'>): void {
    const state = this.#callbacks.get(eventId);
    if (state !== undefined) state.state = to;
  }

  #count(line: CallLine): void {
    const act = this.#actFor(line);
    act.calls += 1;
    act.lastAt = line.at;
    act.keys.add(line.key);
    if (line.lost) act.lostReplies += 1;
    switch (line.how) {
      case 'act':
        act.acts += 1;
        if (line.result !== undefined) act.results.push(line.result);
        act.answer ??= line.answer;
        break;
      case 'refused':
        act.refused += 1;
        break;
      case 'repeat':
        act.repeats += 1;
        break;
      case 'business-repeat':
        act.businessRepeats += 1;
        break;
      case 'error':
        act.errors += 1;
    }
  }

  #actFor(line: CallLine): ActState {
    const name = `${line.effect}|${line.businessKey}`;
    const known = this.#acts.get(name);
    if (known !== undefined) return known;
    const { effect, businessKey, subject, at } = line;
    const counts = { acts: 0, calls: 0, repeats: 0, businessRepeats: 0, refused: 0, errors: 0, lostReplies: 0 };
    const fresh: ActState = {
      effect,
      businessKey,
      subject,
      keys: new Set(),
      results: [],
      answer: undefined,
      ...counts,
      firstAt: at,
      lastAt: at,
    };
    this.#acts.set(name, fresh);
    return fresh;
  }

  #applyKey(line: CallLine): void {
    const name = `${line.effect}|${line.key}`;
    const state = this.#keys.get(name) ?? { digest: undefined, answer: undefined, calls: 0 };
    state.calls += 1;
    state.digest ??= line.digest;
    state.answer ??= line.answer;
    this.#keys.set(name, state);
  }
}

function parsed(path: string, number: number, text: string): Line {
  try {
    const line = JSON.parse(text) as Line; // Written by `append` alone.
    if (line.kind === 'call' || line.kind === 'told' || line.kind === 'wish') return line;
  } catch {
    // Falls through to the one error below.
  }
  throw new Error(`${path}: line ${number} is not a line of the partners' book`);
}
