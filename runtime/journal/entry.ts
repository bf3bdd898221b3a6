// A journal entry between Redis and the readers: `h`, the facts that the commit function wrote, apart by a space; `b`, the body
// as JSON, written once by the step; `r`, the dedupe record with what a caller is answered.

import type { ActorId, Sequence } from '../ids.ts';
import { positionOf } from '../ids.ts';
import type { Answer, JournalEntry, JournalPosition } from '../messages.ts';

/** What the step puts into the body; the rest of the entry comes from the fields. */
export type JournalBody = Omit<
  JournalEntry,
  'shard' | 'position' | 'token' | 'kind' | 'actor' | 'sequence' | 'worker' | 'messageId' | 'answer'
>;

const kinds: { readonly [letter: string]: JournalEntry['kind'] } = {
  C: 'moved',
  M: 'moved',
  R: 'refused',
  P: 'parked',
  V: 'redriven',
  X: 'discarded',
  L: 'late',
  claimed: 'claimed',
  released: 'released',
};

/** A stream entry as ioredis gives it: id and flat fields. */
export type StreamEntry = readonly [id: string, fields: readonly string[]];

export function fieldsOf([, fields]: StreamEntry): Map<string, string> {
  const map = new Map<string, string>();
  for (let i = 0; i + 1 < fields.length; i += 2) map.set(fields[i] as string, fields[i + 1] as string);
  return map;
}

/**
 * The reply of XREAD and XREADGROUP as pairs of key and entries. Through `call` the client gives RESP3's map as one flat
 * list, through its own methods as pairs; null means that there is nothing.
 */
export function streamsOf(reply: unknown): readonly (readonly [key: string, entries: readonly StreamEntry[]])[] {
  const list = (reply ?? []) as readonly unknown[];
  if (Array.isArray(list[0])) return list as readonly (readonly [string, readonly StreamEntry[]])[];
  const pairs: (readonly [string, readonly StreamEntry[]])[] = [];
  for (let i = 0; i + 1 < list.length; i += 2) pairs.push([list[i] as string, list[i + 1] as readonly StreamEntry[]]);
  return pairs;
}

/** Token of a journal entry, by which its position is known again. */
export const tokenOf = ([, fields]: StreamEntry): string => fields[1]?.split(' ')[1] ?? '';

/** The position of a reader for whom this entry is the last one; without an entry, before the first. */
export const standingAt = (entry: StreamEntry | undefined): JournalPosition =>
  entry === undefined ? { number: 0, token: '' } : { number: positionOf(entry[0]), token: tokenOf(entry) };

/** An entry as it was read, its JSON untouched: most readers look for a few entries among many. */
export class RawEntry {
  readonly shard: number;
  readonly position: number;
  readonly kind: string;
  readonly token: string;
  readonly at: number;
  /** The actor, or the worker of a claim or release. */
  readonly who: string;
  readonly sequence: number;
  /** Of the message that caused it; '' where none did. */
  readonly messageId: string;
  /** What its caller is answered, as JSON. */
  readonly answer: string | undefined;
  readonly #body: string | undefined;
  #whole: JournalEntry | undefined;

  constructor(shard: number, [id, fields]: StreamEntry) {
    const head = fields[1] as string; // Kind, token, time, who, sequence, message id: apart by a space, the last may hold some.
    const one = head.indexOf(' ');
    const two = head.indexOf(' ', one + 1);
    const three = head.indexOf(' ', two + 1);
    const four = head.indexOf(' ', three + 1);
    const five = head.indexOf(' ', four + 1);
    this.shard = shard;
    this.position = positionOf(id);
    this.kind = head.slice(0, one);
    this.token = head.slice(one + 1, two);
    this.at = Number(head.slice(two + 1, three));
    this.who = head.slice(three + 1, four);
    this.sequence = Number(head.slice(four + 1, five < 0 ? undefined : five));
    this.messageId = five < 0 ? '' : head.slice(five + 1);
    this.#body = fields[3];
    // The dedupe record is `time digest answer`.
    const record = fields[5];
    this.answer = record?.slice(record.indexOf(' ', record.indexOf(' ') + 1) + 1);
  }

  /** The entry as readers know it. Parsed once, however many listeners ask. */
  whole(): JournalEntry {
    this.#whole ??= this.#parsed();
    return this.#whole;
  }

  #parsed(): JournalEntry {
    const entry = (this.#body === undefined ? { at: this.at } : JSON.parse(this.#body)) as {
      -readonly [name in keyof JournalEntry]: JournalEntry[name];
    };
    entry.shard = this.shard;
    entry.position = this.position;
    entry.token = this.token;
    entry.kind = kinds[this.kind] ?? 'moved';
    if (this.kind === 'claimed' || this.kind === 'released') {
      entry.worker = this.who;
      return entry;
    }
    entry.actor = this.who as ActorId;
    entry.sequence = this.sequence as Sequence;
    if (this.messageId !== '') entry.messageId = this.messageId;
    if (this.answer !== undefined) entry.answer = JSON.parse(this.answer) as Answer;
    return entry;
  }
}

export const journalEntry = (shard: number, raw: StreamEntry): JournalEntry => new RawEntry(shard, raw).whole();
