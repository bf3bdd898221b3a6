// When all is at rest: no message waits, no effect is open, every lane is delivered, no timer is due, no actor parked.
// Asked of the server behind the simulation directly, so that looking changes nothing.

import { namespace } from '../../ids.ts';
import { type ShardKeys, shardKeys } from '../../redis/keys.ts';
import type { Site } from './cluster.ts';
import type { Executor, Reply, Word } from './executor.ts';
import { EPOCH_MS } from './simulated-process.ts';

/** What is left to do, in words; empty when all is at rest. `parked` names actors that wait for an operator. */
export interface Leftover {
  readonly words: readonly string[];
  readonly parked: readonly (readonly [site: Site, actor: string])[];
}

/** One round trip. */
export async function leftover(executor: Executor, sites: readonly Site[], now: number): Promise<Leftover> {
  const places = sites.flatMap((site) =>
    Array.from({ length: site.shards }, (_, shard) => ({
      site,
      shard,
      keys: shardKeys(namespace(site.namespace), shard),
    })),
  );
  const asked = places.map(({ keys }) => questions(keys, Math.floor(EPOCH_MS + now)));
  const { replies } = await executor.run(asked.flat());
  const words: string[] = [];
  const parked: (readonly [Site, string])[] = [];
  const sent = new Map<string, string>();
  const received = new Map<string, string>();
  for (const [index, { site, shard }] of places.entries()) {
    const [backlog, effects, due, stopped, lanesOut, lanesIn] = replies.slice(6 * index, 6 * index + 6) as Reply[];
    const at = `${site.namespace}:${shard}`;
    if (Number(backlog ?? 0) !== 0) words.push(`${at} backlog ${String(backlog)}`);
    if (effects !== 0) words.push(`${at} effects ${String(effects)}`);
    if (due !== 0) words.push(`${at} due ${String(due)}`);
    for (const actor of stopped as string[]) parked.push([site, actor]);
    for (const [lane, last] of pairs(lanesOut)) sent.set(lane, last);
    for (const [lane, last] of pairs(lanesIn)) received.set(lane, last);
  }
  for (const [lane, last] of sent)
    if (received.get(lane) !== last) words.push(`lane ${lane} sent ${last}, received ${received.get(lane)}`);
  for (const [, actor] of parked) words.push(`parked ${actor}`);
  return { words, parked };
}

const questions = (keys: ShardKeys, now: number): readonly (readonly Word[])[] => [
  ['GET', keys.backlog],
  ['HLEN', keys.effects],
  ['ZCOUNT', keys.timers, '-inf', now - 50],
  ['HKEYS', keys.parked],
  ['HGETALL', keys.lanesOut],
  ['HGETALL', keys.lanesIn],
];

function pairs(reply: Reply | undefined): readonly (readonly [string, string])[] {
  const flat = reply as readonly string[];
  return Array.from({ length: flat.length / 2 }, (_, index) => [flat[2 * index] ?? '', flat[2 * index + 1] ?? '']);
}
