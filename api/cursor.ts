// Cursors: where a page of actors in a state ended, opaque to whoever carries it and signed, so that none can be made up (5.7).

import type { Client, Standing } from '../runtime/client.ts';
import { invalid } from './errors.ts';
import type { ActorId } from './parts.ts';

const SIGNATURE_CHARS = 16; // 64 bits: it keeps callers from guessing, and guards nothing.

export function cursorOf(client: Client, { since, actor }: Standing): string {
  const place = `${since}|${actor}`;
  return Buffer.from(`${place}|${signature(client, place)}`).toString('base64url');
}

/** The place a cursor names; undefined without one. Throws the problem for a text that is none of ours. */
export function placeOf(client: Client, cursor: string | undefined): Standing | undefined {
  if (cursor === undefined) return undefined;
  const [since = '', actor = '', signed] = Buffer.from(cursor, 'base64url').toString().split('|');
  if (signed !== signature(client, `${since}|${actor}`)) throw invalid('query:after', 'cursor');
  return { since: Number(since), actor: actor as ActorId }; // We signed it.
}

const signature = (client: Client, place: string): string => client.digest('cursor', place).slice(0, SIGNATURE_CHARS);

/** The first `limit` of several lists that are in order of standing each. */
export function merged<Row extends Standing>(lists: readonly (readonly Row[])[], limit: number): readonly Row[] {
  return lists
    .flat()
    .sort((a, b) => a.since - b.since || (a.actor < b.actor ? -1 : a.actor > b.actor ? 1 : 0))
    .slice(0, limit);
}
