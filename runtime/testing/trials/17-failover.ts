// Trial 17: a master dies whose replica had been cut off, and the replica takes its place: what was written meanwhile is gone.
// Two namespaces on servers of their own, of which one loses its tail, and then the other. With `memory` a worker dies meanwhile: who claims
// its shards is given counters that the replica, once promoted, gives again.

import { pause, systemClock } from '../../clock.ts';
import type { DeclaredLoss } from '../audit/evidence.ts';
import type { ClusterServer } from '../cluster/cluster-server.ts';
import { askRedis } from '../redis-probe.ts';
import { type RedisProxy, startRedisProxy } from '../redis-proxy.ts';
import { type RedisServer, startRedis } from '../redis-server.ts';
import { waitUntil } from '../waiting.ts';
import { type Claim, claimsOf, countedTwice, namedTwice } from './claims.ts';
import type { Stage, StageLoad } from './stage.ts';
import type { Trial } from './trial.ts';

const MODES = ['memory', 'replicas:1'] as const;
const NAMESPACES = ['one', 'two'] as const;
/** Here the heir dies, too: nobody remembers its counters. In the other namespace it lives on, with what it believes. */
const FORGETFUL = 'one';
const CUT_MS = 1_500;
const BEHIND_MS = 500; // A replica may have been so far behind when it was cut off, on a busy machine.
const QUICK = ['--repl-diskless-sync-delay', '0', '--repl-ping-replica-period', '1'];

export const failover: Trial = {
  number: 17,
  name: 'failover',
  fault: `a replica is cut off for ${CUT_MS / 1_000} s and more, in which, with memory, a worker is killed; its master is killed, and it is promoted at the master's address; two servers in turn`,
  expects:
    'memory: lost is what the replica never had; replicas:1: nothing acknowledged is lost; no token twice; readers are told; I1 to I8 hold',
  seconds: 60,
  async run(stage) {
    for (const durability of MODES) await failingOver(stage, durability);
  },
};

async function failingOver(stage: Stage, durability: (typeof MODES)[number]): Promise<void> {
  const copies = new Map<ClusterServer, Copy>();
  const cluster = await stage.cluster({
    ...{ durability, namespaces: NAMESPACES, servers: 'apart', workers: 2 },
    prepared: async (server) => void copies.set(server, await copyOf(stage, server)),
  });
  const loads: StageLoad[] = [];
  for (const namespace of NAMESPACES) loads.push(await stage.load(cluster, { namespace }));
  const losses: DeclaredLoss[] = [];
  const claims: Claim[] = [];
  for (const namespace of NAMESPACES) {
    const server = cluster.server(namespace);
    const copy = copies.get(server) as Copy; // Each has one.
    const [victim, heir] = [cluster.worker(`${namespace}.1`), cluster.worker(`${namespace}.2`)];
    losses.push(
      await failOver(stage, server, copy, durability, async () => {
        if (durability !== 'memory') return; // Without its replica the server is sent no claim.
        await victim.kill();
        await cluster.until('another claims its shards', async () => (await cluster.shardsOf(victim.id)).length === 0);
        claims.push(...(await claimsOf(cluster.client(namespace))));
        if (namespace === FORGETFUL) await heir.kill();
      }),
    );
    for (const worker of [victim, heir]) if (worker.state === 'ended') await worker.start();
    const answered = loads.map(({ load }) => load.answered);
    await cluster.until('answers come again', () => loads.every(({ load }, i) => load.answered > (answered[i] ?? 0)));
    await cluster.owned();
    stage.say(`${durability}: the replica of ${server.name} took its place`);
  }
  const report = await stage.finish(cluster, { lossAllowed: losses });
  stage.measure(`acknowledged commands lost, ${durability}`, report.lost.commands, 'commands');
  stage.measure(`greatest age of a lost one, ${durability}`, report.lost.ageMsMax, 'ms');
  for (const namespace of NAMESPACES) claims.push(...(await claimsOf(cluster.client(namespace))));
  const [tokens, counters] = [namedTwice(claims), countedTwice(claims)];
  stage.measure(`tokens issued twice, ${durability}`, tokens, 'tokens');
  stage.measure(`counters given again, ${durability}`, counters, 'counters');
  if (durability === 'memory')
    stage.expect(counters > 0, 'no counter was given again: the nonces had nothing to tell apart');
  stage.expect(tokens === 0, `${tokens} tokens name two claims`);
  const rewinds = loads.flatMap(({ subscriber }) => subscriber.entries.filter(({ kind }) => kind === 'rewound'));
  stage.measure(`rewinds told to readers, ${durability}`, rewinds.length, 'shards');
  if (durability !== 'memory')
    stage.expect(report.lost.commands === 0, `${report.lost.commands} commands acknowledged at ${durability} are lost`);
  await cluster.close();
}

interface Copy {
  readonly replica: RedisServer;
  readonly link: RedisProxy;
}

async function copyOf(stage: Stage, server: ClusterServer): Promise<Copy> {
  const link = await startRedisProxy(server);
  const replica = await following(stage, server.url, Number(new URL(link.url).port));
  stage.atEnd(() => link.close());
  return { replica, link };
}

/** A replica that has what its master has. Ends with the trial. */
async function following(stage: Stage, master: string, port: number): Promise<RedisServer> {
  const replica = await startRedis({ args: [...QUICK, '--replicaof', '127.0.0.1', String(port)] });
  stage.atEnd(() => replica.kill());
  await waitUntil('the replica is in step', async () =>
    /slave0:.*state=online/.test(String(await askRedis(master, ['INFO', 'replication']))),
  );
  return replica;
}

async function failOver(
  stage: Stage,
  server: ClusterServer,
  { replica, link }: Copy,
  durability: (typeof MODES)[number],
  meanwhile: () => Promise<void>,
): Promise<DeclaredLoss> {
  const cutAt = stage.recorder.now();
  link.cut();
  await meanwhile();
  await pause(systemClock, CUT_MS - (stage.recorder.now() - cutAt));
  await server.kill();
  const at = stage.recorder.now();
  await askRedis(replica.url, ['REPLICAOF', 'NO', 'ONE']);
  await askRedis(replica.url, ['CONFIG', 'SET', 'port', String(server.port)]);
  await following(stage, server.url, server.port); // replicas:1 is kept again.
  return { at, sinceMs: durability === 'memory' ? at - cutAt + BEHIND_MS : 0 };
}
