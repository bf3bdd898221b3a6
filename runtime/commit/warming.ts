// Warming: the actors that moved last in a shard, read while its lock is waited for, so that the first steps after the claim
// load nothing.
//
// Nobody has to publish who was hot: the tail of the journal names them. It also says what became stale, since every step that
// changes a snapshot or a record is an entry of it: whoever the journal names after the tail was read is left out, by one read
// after the claim, when the owner before can write no more (L3). A rewound server is known by the entry at the tail (C2).
// Everything here is a belief like any other resident: a commit on a stale copy changes nothing (C3).

import { command } from '../functions/call.ts';
import { type ActorId, streamId } from '../ids.ts';
import { RawEntry, type StreamEntry, tokenOf } from '../journal/entry.ts';
import { warmActorsMax, warmMs, warmShardsMax, warmStaleMax } from '../limits.ts';
import type { Batch } from '../redis/batch.ts';
import { type ShardKeys, shardKeys } from '../redis/keys.ts';
import { loadResidents, type Resident } from './resident.ts';
import type { Scene } from './scene.ts';

export interface WarmActors {
  /** The journal's last entry when they were read. */
  readonly tail: { readonly position: number; readonly token: string };
  /** The one that moved last stands last. */
  readonly residents: readonly Resident[];
}

const PORTION = 50; // Read and restored at a time: what is served meanwhile waits for a few ms at most.

export class Warming {
  readonly #scene: Pick<Scene, 'namespace' | 'charts' | 'clock'>;
  readonly #batch: Batch;
  /** By shard, of a bounded number: when it was begun, and what came of it. */
  readonly #warm = new Map<number, { readonly at: number; read: WarmActors | undefined }>();

  /** `batch` of a connection for reads: the commits of other shards do not wait for them. */
  constructor(scene: Pick<Scene, 'namespace' | 'charts' | 'clock'>, batch: Batch) {
    this.#scene = scene;
    this.#batch = batch;
  }

  /**
   * Reads ahead, once until `take`, or does nothing where enough shards are warm: after a death many are waited for at
   * once, and reading for all of them would hold up the first.
   */
  begin(shard: number): void {
    const now = this.#scene.clock.monotonic();
    for (const [other, { at }] of this.#warm) if (now - at > warmMs) this.#warm.delete(other); // It went elsewhere.
    if (this.#warm.has(shard) || this.#warm.size >= warmShardsMax) return;
    const place: { readonly at: number; read: WarmActors | undefined } = { at: now, read: undefined };
    this.#warm.set(shard, place);
    readAhead(this.#scene, this.#batch, shard).then(
      (read) => {
        place.read = read;
      },
      () => undefined, // Then the first steps load what they need.
    );
  }

  /** What was read by now: nobody waits for it. Undefined where nothing was, or is not ready. */
  take(shard: number): WarmActors | undefined {
    const read = this.#warm.get(shard)?.read;
    this.#warm.delete(shard);
    return read;
  }
}

/** The actors that moved last, as committed. Undefined for a shard without a journal. Two round trips, more past a portion. */
export async function readAhead(
  { namespace, charts }: Pick<Scene, 'namespace' | 'charts'>,
  batch: Batch,
  shard: number,
): Promise<WarmActors | undefined> {
  const keys = shardKeys(namespace, shard);
  const tail = await batch.run(
    command(['XREVRANGE', keys.journal, '+', '-', 'COUNT', warmActorsMax], (reply) => reply as StreamEntry[]),
  );
  const entries = tail.map((entry) => new RawEntry(shard, entry));
  const [last] = entries;
  if (last === undefined) return undefined;
  const moved = entries.filter(({ kind }) => kind === 'M' || kind === 'C').map(({ who }) => who as ActorId);
  const actors = [...new Set(moved)].reverse();
  const residents: Resident[] = [];
  for (let i = 0; i < actors.length; i += PORTION)
    residents.push(...(await loadResidents(batch, keys, charts, actors.slice(i, i + PORTION))));
  return { tail: { position: last.position, token: last.token }, residents };
}

/**
 * Those that are as they were read: not named by the journal since, up to the claim's own entry at `head`. None after a
 * rewind, and none where too much happened. One round trip.
 */
export async function stillWarm(
  batch: Batch,
  keys: ShardKeys,
  { tail, residents }: WarmActors,
  head: number,
): Promise<readonly Resident[]> {
  if (tail.position >= head || head - tail.position > warmStaleMax) return [];
  const since = command(
    ['XRANGE', keys.journal, streamId(tail.position), streamId(head)],
    (reply) => reply as StreamEntry[],
  );
  const [before, ...later] = await batch.run(since);
  if (before === undefined || tokenOf(before) !== tail.token || later.length !== head - tail.position) return [];
  const changed = new Set(later.map((entry) => new RawEntry(0, entry).who));
  return residents.filter(({ actor }) => !changed.has(actor));
}
