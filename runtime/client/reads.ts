// Reads of actors: the record as last committed, the actor's own journal entries, the state index.

import type { ActorView, Standing } from '../client.ts';
import { actorLine, type StoredRecord } from '../commit/resident.ts';
import { command, pairsOf } from '../functions/call.ts';
import { type ActorId, type Sequence, streamId, tokenCounter } from '../ids.ts';
import { journalEntry, type StreamEntry, standingAt } from '../journal/entry.ts';
import type { Json, JsonObject } from '../json.ts';
import type { JournalEntry, JournalPosition } from '../messages.ts';
import type { Batch } from '../redis/batch.ts';
import type { NamespaceKeys, ShardKeys } from '../redis/keys.ts';

export interface ReadDoors {
  readonly batch: Batch;
  readonly shards: number;
  readonly names: NamespaceKeys;
  readonly shardKeys: readonly ShardKeys[];
  readonly shardOf: (actor: ActorId) => number;
}

/** XState's persisted snapshot, as far as readers look into it. */
interface StoredSnapshot {
  readonly machine: string;
  readonly version: string;
  readonly snapshot: { readonly value: Json; readonly context: JsonObject; readonly status: ActorView['status'] };
}

export async function readActor(doors: ReadDoors, actor: ActorId): Promise<ActorView | undefined> {
  const keys = doors.shardKeys[doors.shardOf(actor)] as ShardKeys;
  const [fields, token, parked] = await Promise.all([
    doors.batch.run(
      command(['HMGET', keys.actor(actor), 'line', 'snap', 'rec'], (reply) => reply as (string | null)[]),
    ),
    doors.batch.run(command(['HGET', keys.owner, 'token'], (reply) => (reply as string | null) ?? '')),
    doors.batch.run(command(['HEXISTS', keys.parked, actor], (reply) => reply === 1)),
  ]);
  const [line, snapshot, record] = fields;
  if (snapshot == null || record == null) return undefined;
  const stored = JSON.parse(snapshot) as StoredSnapshot;
  const { sequence, at: committedAt } = actorLine(line);
  const { states, at = committedAt, announced, announcement } = JSON.parse(record) as StoredRecord;
  return {
    actor,
    machine: stored.machine,
    machineVersion: stored.version,
    version: sequence as Sequence,
    counter: tokenCounter(token),
    value: stored.snapshot.value,
    context: stored.snapshot.context,
    status: stored.snapshot.status,
    states,
    parked,
    updatedAt: at,
    announced,
    announcement,
  };
}

export async function storedText(doors: ReadDoors, actor: ActorId): Promise<string | undefined> {
  const keys = doors.shardKeys[doors.shardOf(actor)] as ShardKeys;
  return await doors.batch.run(
    command(['HGET', keys.actor(actor), 'snap'], (reply) => (reply as string | null) ?? undefined),
  );
}

const HISTORY_MAX = 1_000;

/** By the actor's own list of positions: costs its entries, not the shard's (C2). Two round trips. */
export async function history(
  doors: ReadDoors,
  actor: ActorId,
  after: number,
  limit: number,
): Promise<readonly JournalEntry[]> {
  const shard = doors.shardOf(actor);
  const keys = doors.shardKeys[shard] as ShardKeys;
  const positions = await doors.batch.run(
    command(['LRANGE', keys.positions(actor), 0, -1], (reply) => reply as string[]),
  );
  const entries: JournalEntry[] = [];
  const most = Math.min(limit, HISTORY_MAX);
  const portion = 100;
  for (let at = 0; at < positions.length && entries.length < most; at += portion) {
    const read = await Promise.all(
      positions.slice(at, at + portion).map((position) => {
        const id = streamId(Number(position));
        return doors.batch.run(command(['XRANGE', keys.journal, id, id], (reply) => (reply as StreamEntry[])[0]));
      }),
    );
    for (const raw of read) {
      if (raw === undefined) continue; // Trimmed between the two reads.
      const entry = journalEntry(shard, raw);
      if ((entry.sequence ?? 0) > after) entries.push(entry);
    }
  }
  return entries.slice(0, most);
}

export async function journal(
  doors: ReadDoors,
  shard: number,
  after: number,
  limit: number,
): Promise<readonly JournalEntry[]> {
  const keys = doors.shardKeys[shard] as ShardKeys;
  const range = command(
    ['XRANGE', keys.journal, `(${streamId(after)}`, '+', 'COUNT', limit],
    (reply) => reply as StreamEntry[],
  );
  return (await doors.batch.run(range)).map((raw) => journalEntry(shard, raw));
}

export function head(doors: ReadDoors, shard: number): Promise<JournalPosition> {
  const keys = doors.shardKeys[shard] as ShardKeys;
  return doors.batch.run(
    command(['XREVRANGE', keys.journal, '+', '-', 'COUNT', 1], (reply) => standingAt((reply as StreamEntry[])[0])),
  );
}

export async function* actorsOf(doors: ReadDoors, shard: number): AsyncIterable<ActorId> {
  const keys = doors.shardKeys[shard] as ShardKeys;
  let cursor = '0';
  const seen = new Set<string>(); // A scan may give a member twice.
  do {
    const scan = command(['ZSCAN', keys.actors, cursor, 'COUNT', 500], (reply) => reply as [string, string[]]);
    const [next, flat] = await doors.batch.run(scan);
    for (let i = 0; i < flat.length; i += 2) {
      const actor = flat[i] as ActorId;
      if (seen.has(actor)) continue;
      seen.add(actor);
      yield actor;
    }
    cursor = next;
  } while (cursor !== '0');
}

export async function inState(
  doors: ReadDoors,
  machine: string,
  state: string,
  limit: number,
  after?: Standing,
): Promise<readonly Standing[]> {
  const perShard = await Promise.all(
    doors.shardKeys.map((keys) => standing(doors.batch, keys.state(machine, state), limit, after)),
  );
  return perShard.flat().sort(byStanding).slice(0, limit);
}

/** Redis sorts members of one score by their bytes, as ids compare here: all of them are ASCII. */
const byStanding = (a: Standing, b: Standing): number =>
  a.since - b.since || (a.actor < b.actor ? -1 : a.actor > b.actor ? 1 : 0);

/** At least the first `limit` of one shard's set behind `after`. Ends with the set at the latest: each round reads further in it. */
async function standing(batch: Batch, key: string, limit: number, after: Standing | undefined): Promise<Standing[]> {
  const from = after === undefined ? '-inf' : after.since;
  const found: Standing[] = [];
  for (let offset = 0; ; offset += limit) {
    const range = ['ZRANGE', key, from, '+inf', 'BYSCORE', 'LIMIT', offset, limit, 'WITHSCORES'] as const;
    const rows = await batch.run(command([...range], pairsOf));
    for (const [actor, since] of rows) {
      const row = { actor: actor as ActorId, since: Number(since) };
      if (after === undefined || byStanding(row, after) > 0) found.push(row);
    }
    if (rows.length < limit || found.length >= limit) return found; // Those passed over lie in one millisecond.
  }
}

/** The state index is exact per shard, and a sum over shards is of one moment each (C1). One round trip per 500 sets. */
export async function population(doors: ReadDoors, machine: string): Promise<ReadonlyMap<string, number>> {
  const text = await doors.batch.run(
    command(['HGET', doors.names.machines, machine], (reply) => reply as string | null),
  );
  const leaves = text === null ? [] : (JSON.parse(text) as { readonly leaves: readonly string[] }).leaves;
  const counts = new Map<string, number>();
  for (const leaf of leaves) {
    const sizes = await Promise.all(
      doors.shardKeys.map((keys) =>
        doors.batch.run(command(['ZCARD', keys.state(machine, leaf)], (reply) => Number(reply))),
      ),
    );
    const sum = sizes.reduce((total, size) => total + size, 0);
    if (sum > 0) counts.set(leaf, sum);
  }
  return counts;
}
