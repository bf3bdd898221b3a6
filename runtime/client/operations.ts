// What operators look at: shards, workers, parked actors, timers, circuits. Reads only; costs grow with the fleet, not the load.

import type { Client, ParkedView, ShardView, TimerView, WorkerView } from '../client.ts';
import { causeOf, parkingOf } from '../commit/parking.ts';
import { command, pairsOf } from '../functions/call.ts';
import type { ActorId } from '../ids.ts';
import type { JsonObject } from '../json.ts';
import type { ShardKeys } from '../redis/keys.ts';
import type { ShardFacts } from '../shards/takeover.ts';
import type { ReadDoors } from './reads.ts';

export type Operations = Pick<Client, 'shardViews' | 'workerViews' | 'pin' | 'parked' | 'timers' | 'circuits'>;

export interface Membership {
  /** Owners by shard as last published, and what each worker says of its own shards. */
  placement(): Promise<Placed>;
  pin(shard: number, worker: string | undefined): Promise<boolean>;
  workers(): Promise<readonly WorkerView[]>;
}

export interface Placed {
  readonly owners: readonly (string | undefined)[];
  readonly pins: Readonly<Record<string, string>>;
  readonly facts: ReadonlyMap<string, readonly ShardFacts[]>;
}

export function operations(doors: ReadDoors, membership: Membership): Operations {
  const { batch } = doors;
  const size = (name: string, key: string): Promise<number> =>
    batch.run(command([name, key], (reply) => Number(reply)));

  async function shardView(shard: number, { owners, pins, facts }: Placed): Promise<ShardView> {
    const keys = doors.shardKeys[shard] as ShardKeys; // Asked for shards that there are.
    const [owner, lag, actors, timers, effects, parked] = await Promise.all([
      batch.run(
        command(['HMGET', keys.owner, 'worker', 'token', 'line', 'claimed'], (reply) => reply as (string | null)[]),
      ),
      batch.run(command(['GET', keys.backlog], (reply) => Number(reply ?? 0))),
      size('ZCARD', keys.actors),
      size('HLEN', keys.rows),
      size('HLEN', keys.effects),
      size('HLEN', keys.parked),
    ]);
    const [worker, token, line, claimedAt] = owner;
    const told = facts.get(worker ?? '')?.find((one) => one.shard === shard);
    return {
      shard,
      owner: worker === '' ? undefined : (worker ?? undefined),
      token: token ?? undefined,
      assigned: owners[shard],
      pinned: pins[shard],
      lag,
      head: Number.parseInt(line ?? '0', 10), // The line begins with it.
      actors,
      timers,
      effects,
      parked,
      claimedAt: Number(claimedAt ?? 0),
      leaseMs: told?.leaseMs,
      residents: told?.residents,
      takeover: told?.takeover,
    };
  }

  async function parkedOf(keys: ShardKeys, shard: number): Promise<readonly ParkedView[]> {
    const found = await batch.run(command(['HGETALL', keys.parked], pairsOf));
    return await Promise.all(
      found.map(async ([actor, why]) => {
        const cause = causeOf(why) as JsonObject & { at?: number };
        return {
          actor: actor as ActorId,
          shard,
          mode: parkingOf(why).mode,
          cause,
          waiting: await size('LLEN', keys.waiting(actor as ActorId)),
          at: cause.at ?? 0,
        };
      }),
    );
  }

  async function timersOf(keys: ShardKeys, shard: number, limit: number): Promise<readonly TimerView[]> {
    const rows = await batch.run(command(['ZRANGE', keys.timers, 0, limit - 1, 'WITHSCORES'], pairsOf));
    return rows.map(([member, due]) => {
      const [kind, second = '', ...rest] = member.split('|');
      const isTimer = kind === 't';
      return {
        actor: (isTimer ? second : second.split(':')[0]) as ActorId,
        shard,
        id: isTimer ? rest.join('|') : second,
        kind: isTimer ? 'timer' : 'effect',
        dueAt: Number(due),
      };
    });
  }

  return {
    async shardViews(only) {
      const placed = await membership.placement();
      const wanted = [...doors.shardKeys.keys()].filter((shard) => only === undefined || only.includes(shard));
      return await Promise.all(wanted.map((shard) => shardView(shard, placed)));
    },
    pin: (shard, worker) => membership.pin(shard, worker),
    workerViews: () => membership.workers(),
    async parked() {
      return (await Promise.all(doors.shardKeys.map(parkedOf))).flat().sort((a, b) => a.at - b.at);
    },
    async timers({ limit = 100 } = {}) {
      const all = await Promise.all(doors.shardKeys.map((keys, shard) => timersOf(keys, shard, limit)));
      return all
        .flat()
        .sort((a, b) => a.dueAt - b.dueAt)
        .slice(0, limit);
    },
    async circuits() {
      const names = await batch.run(command(['SMEMBERS', doors.names.circuits], (reply) => reply as string[]));
      return await Promise.all(
        names.map(async (name) => {
          const fields = await batch.run(
            command(
              ['HMGET', doors.names.circuit(name), 'state', 'bad', 'since'],
              (reply) => reply as (string | null)[],
            ),
          );
          return {
            name,
            state: (fields[0] ?? 'closed') as 'closed' | 'open' | 'half-open',
            failures: Number(fields[1] ?? 0),
            since: Number(fields[2] ?? 0),
          };
        }),
      );
    },
  };
}
