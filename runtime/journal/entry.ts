// A journal entry between Redis and the readers. The body is JSON written once by the step; kind, token, actor and
// sequence stand beside it as fields, because the commit function writes them.

import type { ActorId, Sequence } from '../ids.ts';
import { positionOf } from '../ids.ts';
import type { JournalEntry } from '../messages.ts';

/** What the step puts into the body; the rest of the entry comes from the fields. */
export type JournalBody = Omit<JournalEntry, 'shard' | 'position' | 'token' | 'kind' | 'actor' | 'sequence' | 'worker'>;

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

/** Reads an entry. Hot at both ends: the fields are walked once, and the parsed body becomes the entry. */
export function journalEntry(shard: number, [id, fields]: StreamEntry): JournalEntry {
  let kind = '';
  let token = '';
  let actor: string | undefined;
  let sequence = 0;
  let worker: string | undefined;
  let at = 0;
  let body: string | undefined;
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const value = fields[i + 1] as string;
    switch (fields[i]) {
      case 'k':
        kind = value;
        break;
      case 't':
        token = value;
        break;
      case 'a':
        actor = value;
        break;
      case 'q':
        sequence = Number(value);
        break;
      case 'w':
        worker = value;
        break;
      case 'c':
        at = Number(value);
        break;
      case 'b':
        body = value;
        break;
    }
  }
  const entry = (body === undefined ? { at } : JSON.parse(body)) as {
    -readonly [name in keyof JournalEntry]: JournalEntry[name];
  };
  entry.shard = shard;
  entry.position = positionOf(id);
  entry.token = token;
  entry.kind = kinds[kind] ?? 'moved';
  if (actor !== undefined) {
    entry.actor = actor as ActorId;
    entry.sequence = sequence as Sequence;
  }
  if (worker !== undefined) entry.worker = worker;
  return entry;
}
