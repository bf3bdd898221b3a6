// Trial 18: a master is parted from its replica and from all sentinels, together with clients and a worker, who go on with
// it. The others go on with the replica, which the sentinels promote. What the old master took meanwhile is discarded
// when the partition heals.
//
// Sentinels, replica and the majority see the master through one proxy, at whose port it is announced; the minority has a
// door of its own that leads to the old master until the partition heals, and to whom the sentinels name from then on.

import type { Client } from '../../client.ts';
import { pause, systemClock } from '../../clock.ts';
import { type ActorId, actorId } from '../../ids.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { askRedis } from '../redis-probe.ts';
import { type RedisProxy, startRedisProxy } from '../redis-proxy.ts';
import { inStep, QUICK_COPY, type RedisSentinel, startSentinel } from '../redis-sentinel.ts';
import { type RedisServer, startRedis } from '../redis-server.ts';
import { waitUntil } from '../waiting.ts';
import { claimsOf, namedTwice } from './claims.ts';
import type { Stage } from './stage.ts';
import type { Trial } from './trial.ts';

const MODES = ['memory', 'replicas:1'] as const;
type Mode = (typeof MODES)[number];
const MINORITY = 4; // Clients.
const ACTORS = 60;
const MAX_LAG_S = 1;
/** A lag counts in whole seconds and is looked at every second: with a lag of 1 s that is 3 s at most; the rest is for a busy machine. */
const WINDOW_MS = 1_000 * (MAX_LAG_S + 2) + 500;
const BEHIND_MS = 500; // A replica may have been so far behind when it was cut off.
const DOWN_AFTER_MS = 5_000; // Above the window: nobody is promoted while the minority may still be heard.
const FAILOVER_MS_MAX = 40_000; // A vote that fails is held again after 10 s.
const PARTED_AFTERWARDS_MS = 3_000; // The majority goes on for a lease before the partition heals.
const GUARD = ['--min-replicas-to-write', '1', '--min-replicas-max-lag', String(MAX_LAG_S)];

export const splitBrain: Trial = {
  number: 18,
  name: 'split-brain',
  fault: `a master is parted from replica and sentinels together with ${MINORITY} clients and a worker; min-replicas-max-lag ${MAX_LAG_S}`,
  expects: `the old master acknowledges for ${WINDOW_MS / 1_000} s at most; only that is discarded, at replicas:1 nothing; no token twice; I1 to I8 hold`,
  seconds: 70,
  async run(stage) {
    for (const durability of MODES) await splitting(stage, durability);
  },
};

interface Sides {
  readonly sentinel: RedisSentinel;
  readonly master: RedisServer;
  readonly replica: RedisServer;
  /** What lies between the old master and everybody but the minority. */
  readonly line: RedisProxy;
  /** Where the minority finds its master. */
  readonly door: RedisProxy;
  /** From here on the minority's new connections reach whom the sentinels name. */
  join(): void;
}

async function splitting(stage: Stage, durability: Mode): Promise<void> {
  const sides = await sidesOf(stage);
  const { sentinel, master, line, door } = sides;
  const cluster = await stage.cluster({ durability, outside: sentinel.url, workers: 2 });
  const apart = await cluster.prepare('one', door.url);
  await apart.start();
  await cluster.owned();
  await stage.load(cluster, { name: 'majority' });
  const own = await actorsOwnedBy(cluster, apart.id);
  // The old master answers reads until it is told that it is none: they are counted below, and no history is made of them.
  const minority = { name: 'minority', url: door.url, clients: MINORITY, among: own, reads: false };
  const { subscriber } = await stage.load(cluster, { ...minority, subscriberResumes: false });
  const witness = await cluster.connect('one', master);

  const cutAt = stage.recorder.now();
  line.halfOpen();
  await promoted(cluster, sides);
  const promotedAt = stage.recorder.now();
  const others = answersOf(stage, 'majority').length;
  await cluster.until('the majority goes on', () => answersOf(stage, 'majority').length > others + 20);
  await pause(systemClock, PARTED_AFTERWARDS_MS);
  const discarded = await claimsOf(witness);
  const old = await olderAt(witness, cluster.client(), own);
  const lastAt = answersOf(stage, 'minority').at(-1)?.returnedAt ?? cutAt;

  const healedAt = stage.recorder.now();
  sides.join();
  line.heal();
  await reunited(stage, cluster, apart.id, sides);
  stage.say(`${durability}: everybody is at the new master`);

  const sinceMs = durability === 'memory' ? WINDOW_MS + BEHIND_MS : 0;
  const report = await stage.finish(cluster, { lossAllowed: [{ at: cutAt + WINDOW_MS, sinceMs }] });
  stage.measure(`the old master acknowledged for, ${durability}`, Math.max(0, lastAt - cutAt), 'ms');
  stage.expect(
    lastAt - cutAt <= WINDOW_MS,
    `the old master acknowledged ${Math.round(lastAt - cutAt)} ms after it was parted`,
  );
  stage.measure(`promoted after, ${durability}`, promotedAt - cutAt, 'ms');
  stage.measure(`parted for, ${durability}`, healedAt - cutAt, 'ms');
  stage.measure(`acknowledged commands discarded, ${durability}`, report.lost.commands, 'commands');
  stage.measure(`actors that it showed older than they were, ${durability}`, old, `of ${own.length} actors`);
  const rewinds = subscriber.entries.filter(({ kind }) => kind === 'rewound').length;
  stage.measure(`rewinds told to the minority, ${durability}`, rewinds, 'shards');
  const twice = namedTwice([...discarded, ...(await claimsOf(cluster.client()))]);
  stage.measure(`tokens issued twice, ${durability}`, twice, 'tokens');
  stage.expect(twice === 0, `${twice} tokens name two claims`);
  await cluster.close();
}

async function sidesOf(stage: Stage): Promise<Sides> {
  let line: RedisProxy | undefined;
  const sentinel = await startSentinel({
    downAfterMs: DOWN_AFTER_MS,
    args: GUARD,
    async sight(master) {
      line = await startRedisProxy(master);
      return portOf(line);
    },
  });
  const [master, replica] = sentinel.servers as readonly [RedisServer, RedisServer];
  stage.atEnd(() => sentinel.stop());
  const parted = line as unknown as RedisProxy; // Made by `sight`.
  stage.atEnd(() => parted.close());
  // Follows the replica, so that it has one to write for when it is promoted; the master does not know of it.
  const second = await startRedis({
    args: [...QUICK_COPY, ...GUARD, '--replicaof', '127.0.0.1', String(replica.port)],
  });
  stage.atEnd(() => second.kill());
  await waitUntil('the replica has a replica', () => inStep(replica.url, 1));
  let target = master;
  const door = await startRedisProxy({
    get url() {
      return target.url;
    },
    get port() {
      return target.port;
    },
  });
  stage.atEnd(() => door.close());
  const join = (): void => {
    target = replica;
  };
  return { sentinel, master, replica, line: parted, door, join };
}

const promoted = (cluster: Cluster, { sentinel, replica }: Sides): Promise<boolean> =>
  cluster.until('the sentinels promote the replica', async () => (await sentinel.masterPort()) === replica.port, {
    deadlineMs: FAILOVER_MS_MAX,
  });

/** Resolves when the old master, the minority's clients and its worker are with the new master. */
async function reunited(stage: Stage, cluster: Cluster, worker: string, { master, replica }: Sides): Promise<void> {
  await cluster.until('the old master follows the new one', () => follows(master, replica), {
    deadlineMs: FAILOVER_MS_MAX,
  });
  const heard = answersOf(stage, 'minority').length;
  await cluster.until('the minority is answered again', () => answersOf(stage, 'minority').length > heard + 10);
  await cluster.owned();
  await cluster.until(`${worker} owns shards`, async () => (await cluster.shardsOf(worker)).length > 0);
}

const follows = async (one: RedisServer, other: RedisServer): Promise<boolean> =>
  new RegExp(`role:slave[^]*master_port:${other.port}\\b[^]*master_link_status:up`).test(
    String(await askRedis(one.url, ['INFO', 'replication'])),
  );

/** Actors of the worker's shards: the others' stand still where the others are away. */
async function actorsOwnedBy(cluster: Cluster, worker: string): Promise<readonly ActorId[]> {
  const client = cluster.client();
  const own = new Set(await cluster.shardsOf(worker));
  const actors = Array.from({ length: ACTORS }, (_, i) => actorId(`one.c${i}`)); // As load.ts names them.
  return actors.filter((actor) => own.has(client.shardOf(actor)));
}

async function olderAt(one: Client, other: Client, actors: readonly ActorId[]): Promise<number> {
  let older = 0;
  for (const actor of actors) {
    const [there, here] = await Promise.all([one.read(actor), other.read(actor)]);
    if ((there?.version ?? 0) < (here?.version ?? 0)) older += 1;
  }
  return older;
}

/** Commands of one side's clients that were answered, as the history has them. */
function answersOf(stage: Stage, side: 'majority' | 'minority') {
  return stage.recorder.history.filter(
    ({ kind, process, outcome }) =>
      kind === 'command' && (outcome.kind === 'applied' || outcome.kind === 'refused') && process.startsWith(side),
  );
}

const portOf = ({ url }: RedisProxy): number => Number(new URL(url).port);
