// Whether namespaces have come to rest: nothing accepted and not handled, no effect open, no message between shards.

import type { Client } from '../../client.ts';
import { namespace } from '../../ids.ts';
import { connect } from '../../redis/connection.ts';
import { shardKeys } from '../../redis/keys.ts';

export interface QuietSource {
  readonly name: string;
  readonly url: string;
}

/** A timer due later than this is none that a trial waits for. ms */
const SOON_MS = 2_000;

/** One look. Effects that wait for a retry count as work; timers count when they are due within 2 s. */
export async function isQuiet(sources: readonly QuietSource[], clients: ReadonlyMap<string, Client>): Promise<boolean> {
  for (const client of clients.values()) {
    const views = await client.shardViews();
    if (views.some(({ lag, effects }) => lag > 0 || effects > 0)) return false;
    const [first] = await client.timers({ limit: 1 });
    if (first !== undefined && first.dueAt < client.now() + SOON_MS) return false;
  }
  return await lanesAreEmpty(sources, clients);
}

/** M3: what each shard sent last is what its target received last. */
async function lanesAreEmpty(sources: readonly QuietSource[], clients: ReadonlyMap<string, Client>): Promise<boolean> {
  const sent = new Map<string, string>();
  const received = new Map<string, string>();
  for (const { name, url } of sources) {
    const connection = await connect('query', url);
    try {
      for (let shard = 0; shard < (clients.get(name)?.shards ?? 0); shard += 1) {
        const keys = shardKeys(namespace(name), shard);
        const [out, into] = await connection.call('HGETALL lanes', (redis) =>
          Promise.all([redis.hgetall(keys.lanesOut), redis.hgetall(keys.lanesIn)]),
        );
        for (const [lane, last] of Object.entries(out)) sent.set(lane, last);
        for (const [lane, last] of Object.entries(into)) received.set(lane, last);
      }
    } finally {
      await connection.close();
    }
  }
  return [...sent].every(([lane, last]) => received.get(lane) === last);
}
