// What is still on its way in each shard, counted where it lies: for auditors. Reads only.

import type { Client, ShardLeftovers } from '../client.ts';
import { command, pairsOf } from '../functions/call.ts';
import type { ActorId } from '../ids.ts';
import { positionOf } from '../ids.ts';
import type { StreamEntry } from '../journal/entry.ts';
import type { ShardKeys } from '../redis/keys.ts';
import { actorsOf, type ReadDoors } from './reads.ts';

const ACTORS_AT_ONCE = 500;

export function leftovers(doors: ReadDoors): Pick<Client, 'leftovers'> {
  return {
    async leftovers() {
      const found: ShardLeftovers[] = [];
      // Shard by shard: nobody waits for an auditor, and a working system should not either.
      for (const [shard, keys] of doors.shardKeys.entries()) found.push(await leftoversOf(doors, keys, shard));
      return found;
    },
  };
}

async function leftoversOf(doors: ReadDoors, keys: ShardKeys, shard: number): Promise<ShardLeftovers> {
  const { batch } = doors;
  const size = (name: string, key: string): Promise<number> =>
    batch.run(command([name, key], (reply) => Number(reply)));
  const record = (key: string): Promise<Readonly<Record<string, string>>> =>
    batch.run(command(['HGETALL', key], (reply) => Object.fromEntries(pairsOf(reply))));
  const [group, hasInbox, last, backlog, due, rows, effects, attempts, lanesIn, lanesOut] = await Promise.all([
    batch.run(command(['HGET', keys.owner, 'group'], (reply) => (reply as string | null) ?? undefined)),
    size('EXISTS', keys.inbox),
    batch.run(command(['XREVRANGE', keys.inbox, '+', '-', 'COUNT', 1], (reply) => (reply as StreamEntry[])[0])),
    batch.run(command(['GET', keys.backlog], (reply) => Number(reply ?? 0))),
    size('ZCARD', keys.timers),
    size('HLEN', keys.rows),
    size('HLEN', keys.effects),
    size('HLEN', keys.attempts),
    record(keys.lanesIn),
    record(keys.lanesOut),
  ]);
  // XINFO of a stream that does not exist is an error.
  const groups = hasInbox === 1 ? await batch.run(command(['XINFO', 'GROUPS', keys.inbox], groupsOf)) : [];
  const read = groups.find(({ name }) => name === group)?.read ?? 0;
  return {
    shard,
    group,
    groups: groups.map(({ name, pending }) => ({ name, pending })),
    unread: last === undefined ? 0 : Math.max(0, positionOf(last[0]) - read),
    backlog,
    open: await openOf(doors, keys, shard),
    due,
    rows,
    effects,
    attempts,
    lanesIn,
    lanesOut,
  };
}

interface Group {
  readonly name: string;
  readonly pending: number;
  /** Position up to which it has read. */
  readonly read: number;
}

/** One group is a flat list of names and values. */
function groupsOf(reply: unknown): readonly Group[] {
  return (reply as readonly (readonly unknown[])[]).map((flat) => {
    const field = (name: string): unknown => flat[flat.indexOf(name) + 1];
    return {
      name: String(field('name')),
      pending: Number(field('pending')),
      read: positionOf(String(field('last-delivered-id'))),
    };
  });
}

/** Sum of the actors' own counters of messages accepted and not handled (M1). */
async function openOf(doors: ReadDoors, keys: ShardKeys, shard: number): Promise<number> {
  let open = 0;
  let portion: ActorId[] = [];
  const add = async (): Promise<void> => {
    const counts = await Promise.all(
      portion.map((actor) =>
        doors.batch.run(command(['HGET', keys.actor(actor), 'open'], (reply) => Number(reply ?? 0))),
      ),
    );
    for (const count of counts) open += count;
    portion = [];
  };
  for await (const actor of actorsOf(doors, shard)) {
    portion.push(actor);
    if (portion.length >= ACTORS_AT_ONCE) await add();
  }
  await add();
  return open;
}
