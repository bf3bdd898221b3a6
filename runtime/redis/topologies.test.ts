// Goal: behind a URL may stand a master that sentinels name, or a cluster, and nothing that holds on one server is different
// there: every function keeps to one slot, what was accepted and copied survives the loss of a master and the move of a slot
// once and in order, and whoever owned a shard there claims it anew. Method: real sentinels, a real cluster of six, TLS with an
// authority of its own; workers and a client at work while masters die and slots move.

import { readdirSync } from 'node:fs';
import { Redis } from 'ioredis';
import t, { type Test } from 'tap';
import { advance } from '../functions/advance.ts';
import { circuit } from '../functions/circuit.ts';
import { functionName, library, libraryFit, libraryName } from '../functions/library.ts';
import { limit } from '../functions/limit.ts';
import { dropFunctions, functionLibraries, loadFunctions } from '../functions/operator.ts';
import { resume } from '../functions/resume.ts';
import { swap } from '../functions/swap.ts';
import { travel } from '../functions/travel.ts';
import { trim } from '../functions/trim.ts';
import { trying } from '../functions/trying.ts';
import { type ActorId, actorId, shardIndex } from '../ids.ts';
import type { ShardLimits } from '../shards/limits.ts';
import { watchKeys } from '../testing/declared-keys.ts';
import { type RedisCluster, startCluster } from '../testing/redis-cluster.ts';
import { askRedis, mastersAt } from '../testing/redis-probe.ts';
import { startSentinel } from '../testing/redis-sentinel.ts';
import { freePort, type RedisServer, startRedis } from '../testing/redis-server.ts';
import { makeCertificates, startTlsRedis } from '../testing/redis-tls.ts';
import { runOn, TrialShard } from '../testing/trial-shard.ts';
import { quickLimits, TrialSpace } from '../testing/trial-space.ts';
import { waitUntil } from '../testing/waiting.ts';
import { type Connection, openServer } from './connection.ts';
import { connect } from './connector.ts';
import { type NamespaceKeys, namespaceKeys, shardKeys } from './keys.ts';
import { checkServer } from './server.ts';
import { slotOf } from './slot.ts';
import { textOf } from './target.ts';

const SHARDS = 8;
/** A lease outlives the failover: what makes a worker claim anew is then that its server is another one. */
const patientLimits: Partial<ShardLimits> = {
  ...quickLimits,
  ...{ leaseMs: 5_000, suspectMs: 4_000, deadMs: 8_000, heartbeatMs: 60 },
};

// Founding takes seconds of waiting for each other: all at once, and while the first tests run.
const certificates = await makeCertificates();
const founding = {
  sentinel: startSentinel(),
  cluster: startCluster({ spares: 1 }),
  tlsCluster: startCluster({ certificates, replicas: 0 }),
  tlsServer: startTlsRedis(certificates),
};
t.teardown(async () => {
  const founded = await Promise.allSettled(Object.values<Promise<{ stop(): Promise<void> }>>(founding));
  await Promise.all(founded.map((one) => (one.status === 'fulfilled' ? one.value.stop() : undefined)));
  certificates.remove();
});

/** An actor of each shard. */
function actorsOf(space: TrialSpace): readonly ActorId[] {
  const found = new Map<number, ActorId>();
  for (let i = 0; found.size < space.shards; i += 1) {
    const actor = actorId(`a${i}`);
    if (!found.has(space.client.shardOf(actor))) found.set(space.client.shardOf(actor), actor);
  }
  return [...found].sort(([a], [b]) => a - b).map(([, actor]) => actor);
}

/** Asks under one id until there is an answer: what every caller does whose reply was lost. */
async function askSurely(space: TrialSpace, actor: ActorId, id: string): Promise<void> {
  const asked = { actor, event: { type: 'ADD', id }, messageId: id };
  await waitUntil(
    `${actor} has answered ${id}`,
    () =>
      space.client.ask(asked, { timeoutMs: 1_000 }).then(
        (outcome) => outcome.kind === 'answered' && outcome.answer.kind === 'applied',
        () => false,
      ),
    { deadlineMs: 80_000 /* A sentinel in TILT waits 30 s. */, diagnose: () => space.lines.slice(-20) },
  );
}

const tokensOf = async (space: TrialSpace): Promise<readonly (string | undefined)[]> =>
  (await space.client.shardViews()).map(({ token }) => token);

/** Timers, effects and messages between the shards, all at once. */
async function workload(t: Test, space: TrialSpace, actors: readonly ActorId[]): Promise<void> {
  const ring = actors.map((actor, i) => [actor, actors[(i + 1) % actors.length] as ActorId] as const);
  await Promise.all(
    ring.map(async ([actor, next]) => {
      for (const id of ['1', '2', '3']) await space.ask(actor, { type: 'ADD', id });
      await space.send(actor, { type: 'TELL', to: next, namespace: space.name, ids: ['told-1', 'told-2'] });
      await space.ask(actor, { type: 'WORK', id: 'w' });
      await space.reaches(actor, 'worked');
      await space.ask(actor, { type: 'UNDO' });
      await space.ask(actor, { type: 'ARM' });
      await space.reaches(actor, 'fired');
      await space.ask(actor, { type: 'DISARM' });
    }),
  );
  await space.settled();
  for (const actor of actors) {
    const seen = await space.seen(actor);
    t.same([...seen].sort(), ['1', '2', '3', 'told-1', 'told-2'], `${actor}: each once`);
    t.ok(seen.indexOf('told-1') < seen.indexOf('told-2'), `${actor}: in order`);
    t.equal(await space.count(actor), 7, `${actor}: an effect and a timer, once each`);
  }
}

/** Everything that was acknowledged so far stands at `count` replicas of the server: they have whatever it wrote before. */
async function inSync(server: RedisServer, count = 1): Promise<void> {
  const redis = new Redis(server.url, { lazyConnect: true, retryStrategy: () => null });
  await redis.connect();
  await redis.call('PUBLISH', 'a mark in the stream', '').catch(() => undefined);
  await waitUntil('the replicas confirm', async () => Number(await redis.wait(count, 1_000)) >= count);
  redis.disconnect();
}

t.test(
  'L2: a master that sentinels watch dies and comes back: all is there once, every shard claimed anew',
  async (t) => {
    const sentinel = await founding.sentinel;
    const [master, replica] = sentinel.servers as readonly [RedisServer, RedisServer];
    const space = await TrialSpace.open(t, undefined, { url: sentinel.url, shards: SHARDS });
    await Promise.all([space.host(), space.host()]);
    const actors = actorsOf(space);
    await workload(t, space, actors);
    await inSync(master);
    const first = await tokensOf(space);
    const load = actors.map((actor) => askSurely(space, actor, 'under-way'));
    await master.kill();
    await allClaimedAnew(space, first);
    await Promise.all(load);
    t.equal(await sentinel.masterPort(), replica.port);

    // It still believes itself to be the master, for as long as the sentinels let it: nobody may listen to it.
    const back = await startRedis({ port: master.port });
    t.teardown(() => back.kill());
    const late = await connect('writer', sentinel.url);
    t.teardown(() => late.close());
    await late.call('SET', (redis) => redis.set('where', 'here'));
    await Promise.all(actors.map((actor) => askSurely(space, actor, 'afterwards')));
    t.equal(await askRedis(replica.url, ['GET', 'where']), 'here');
    t.equal(await askRedis(back.url, ['DBSIZE']), 0, 'nothing was written there');
    for (const actor of actors) {
      const seen = await space.seen(actor);
      t.same([...seen].sort(), ['1', '2', '3', 'afterwards', 'told-1', 'told-2', 'under-way'], `${actor}: each once`);
      t.same(seen.slice(-2), ['under-way', 'afterwards'], `${actor}: in order`);
    }
  },
);

t.test('C3: a master that became a replica refuses what it is sent, and is connected to anew', async (t) => {
  const [first, second] = await Promise.all([startRedis(), startRedis()]);
  const writer = await connect('writer', first.url);
  t.teardown(() => Promise.all([writer.close(), first.kill(), second.kill()]));
  await askRedis(first.url, ['REPLICAOF', '127.0.0.1', String(second.port)]);
  const refused = writer.call('RPUSH', (redis) => redis.rpush('list', 'a'));
  await t.rejects(refused, { code: 'redis-unavailable', retry: 'here', message: /READONLY/ });
  await waitUntil('connected again', () => writer.ready && writer.generation > 1);
  await askRedis(first.url, ['REPLICAOF', 'NO', 'ONE']);
  t.equal(await writer.call('RPUSH', (redis) => redis.rpush('list', 'b')), 1, 'what was refused is not sent again');
});

async function allClaimedAnew(space: TrialSpace, before: readonly (string | undefined)[]): Promise<void> {
  await space.until(
    'every shard is claimed anew',
    async () => (await tokensOf(space)).every((token, shard) => token !== before[shard]),
    { deadlineMs: 80_000 /* A sentinel in TILT waits 30 s. */ },
  );
}

t.test('TLS: one server and a cluster; who is not vouched for is not spoken to', async (t) => {
  const [server, cluster] = await Promise.all([founding.tlsServer, founding.tlsCluster]);
  for (const url of [server.url, cluster.url]) {
    const space = await TrialSpace.open(t, undefined, { url, shards: 4 });
    await space.host();
    await workload(t, space, actorsOf(space));
    t.notMatch((await connectAndClose(url)).printable, /pem|ca=/, 'files are not for people');
  }
  const bare = server.url.replace(/\?.*/, '');
  await t.rejects(
    connectAndClose(bare),
    { code: 'redis-unavailable', message: /certificate/ },
    'nobody vouches for it',
  );
  const unknown = `${bare}?ca=${certificates.ca}`;
  await t.rejects(connectAndClose(unknown), { code: 'redis-unavailable' }, 'we show no certificate');
});

async function connectAndClose(url: string): Promise<Connection> {
  const connection = await connect('query', url, { readyWithinMs: 1_000 });
  await connection.call('PING', (redis) => redis.ping());
  await connection.close();
  return connection;
}

t.test('a URL of the wrong kind is refused with the right one', async (t) => {
  const server = await startRedis();
  const member = await startRedis({ args: ['--cluster-enabled', 'yes', '--cluster-port', String(await freePort())] });
  t.teardown(() => Promise.all([server.kill(), member.kill()]));
  const address = server.url.replace('redis://', '');
  await t.rejects(connectAndClose(`redis+cluster://${address}`), {
    message: /is no cluster; give its URL as redis:\/\//,
  });
  await t.rejects(connectAndClose(`redis+sentinel://${address}/mymaster`), {
    code: 'redis-unavailable',
    message: /sentinel/i,
  });
  const connection = await connect('query', member.url);
  t.teardown(() => connection.close());
  const right = member.url.replace('redis://', 'redis+cluster://');
  await t.rejects(checkServer(connection, { kind: 'memory' }), { code: 'redis-url', message: right });
});

t.test('cluster', async (t) => {
  const cluster = await founding.cluster;

  await t.test('an operator loads and drops the functions on every master of a cluster', (t) =>
    operatorActs(t, cluster),
  );
  await t.test('a replica of a cluster, as after a failover, is refused for now: its successor will be known', (t) =>
    demoted(t, cluster),
  );
  await t.test('C1: on a cluster every function declares the keys it touches, and all of one slot', (t) =>
    everyFunction(t, cluster),
  );
  await t.test('L2: a slot that moves under load takes its shard along: nothing is lost, doubled or reordered', (t) =>
    slotMoves(t, cluster),
  );
  await t.test(
    'L2: a master of a cluster dies: what was copied is there once, its shards are claimed anew, others not',
    (t) => masterDies(t, cluster),
  );
});

async function operatorActs(t: Test, { url, masters }: RedisCluster): Promise<void> {
  const listed = async (): Promise<readonly number[]> =>
    await Promise.all(
      masters.map(async (master) => ((await askRedis(master.url, ['FUNCTION', 'LIST'])) as readonly unknown[]).length),
    );
  const { hash } = await loadFunctions(url);
  t.same(await listed(), [1, 1, 1]);
  const [found, ...others] = await functionLibraries(url, []);
  t.same(others, []);
  t.match(found, { library: libraryName, hash: hash.slice(0, 8), functions: Number, workers: [] });
  t.equal(await dropFunctions(url, libraryName, []), true);
  t.same(await listed(), [0, 0, 0]);
  t.equal(await dropFunctions(url, libraryName, []), false);
}

async function demoted(t: Test, { url, replicas }: RedisCluster): Promise<void> {
  const [{ port }] = replicas as readonly [RedisServer];
  const address = { host: '127.0.0.1', port };
  const connection = openServer('query', { options: address, printable: `${url} (${textOf(address)})` }, {});
  t.teardown(() => connection.close());
  await connection.untilReady(5_000);
  await t.rejects(checkServer(connection, { kind: 'memory' }), { code: 'redis-unavailable', retry: 'here' });
}

async function everyFunction(t: Test, cluster: RedisCluster): Promise<void> {
  const watch = await watchKeys(cluster.masters.map(({ url }) => url));
  const space = await TrialSpace.open(t, undefined, { url: cluster.url, shards: SHARDS });
  const worker = await space.host(undefined, { limits: patientLimits });
  await workload(t, space, actorsOf(space));
  t.equal((await space.client.population('tally')).get('open'), SHARDS, 'reads over all shards are put together');
  t.equal((await space.client.inState('tally', 'open')).length, SHARDS);
  t.equal((await space.client.workerViews())[0]?.shards.length, SHARDS);
  t.equal(await space.client.putRecord('r', 'x'), 'stored');
  t.ok((await space.client.ping()) >= 0);
  await rareFunctions(t, cluster, namespaceKeys(space.client.namespace));
  await worker.stop();
  await watch.caughtUp();
  watch.end();
  t.same([...watch.findings], [], 'no key that was not declared, and one slot each');
  const files = readdirSync(new URL('../functions/', import.meta.url)).flatMap(
    (file) => /^(\w+)\.lua$/.exec(file)?.[1] ?? [],
  );
  t.same(
    [...watch.called].sort(),
    files
      .filter((name) => name !== 'common')
      .map(functionName)
      .sort(),
    'every function',
  );
}

/** Those that a calm workload does not call. */
async function rareFunctions(t: Test, cluster: RedisCluster, names: NamespaceKeys): Promise<void> {
  const writer = await connect('writer', cluster.url, { fit: libraryFit });
  t.teardown(() => writer.close());
  const shard = new TrialShard(writer);
  const { token } = await shard.own();
  t.equal(await runOn(writer, trying(shard.keys, token, '0-1')), true);
  t.equal(await runOn(writer, resume(shard.keys, token, actorId('nobody'), 3)), 'gone');
  const nothing = { relayedTo: 0, outboxFrom: 0, journalFrom: 0, cursor: '0', actors: [actorId('nobody')] };
  t.equal(await runOn(writer, trim(shard.keys, token, nothing, '')), '0');
  t.equal(await runOn(writer, advance(shard.keys, token, 1_000, 1)), 1_000);
  t.match(await runOn(writer, travel(names, 'm1', 1_000, 'op')), { kind: 'real' });
  t.match(await runOn(writer, swap(names.sheet('s'), { set: { a: '1' } })), { kind: 'swapped', revision: 1 });
  t.match(await runOn(writer, circuit(names, 'partner', 'ok', '')), { pass: true });
  t.match(await runOn(writer, limit(names.limit('k'), { count: 1, perMs: 1_000, burst: 1 }, '')), { allowed: true });
}

async function slotMoves(t: Test, cluster: RedisCluster): Promise<void> {
  const space = await TrialSpace.open(t, undefined, { url: cluster.url, shards: SHARDS });
  await space.host(undefined, { limits: patientLimits });
  const actors = actorsOf(space);
  await Promise.all(actors.map((actor) => space.ask(actor, { type: 'ADD', id: 'first' })));
  const before = await tokensOf(space);
  const slot = slotOf(shardKeys(space.client.namespace, shardIndex(3)).owner);
  const [to] = cluster.spares as readonly [RedisServer];
  let moving = true;
  t.teardown(() => {
    moving = false;
  });
  const load = actors.map(async (actor) => {
    const ids: string[] = [];
    while (moving || ids.length < 5) {
      const id = `${actor}-${ids.length}`;
      await askSurely(space, actor, id);
      ids.push(id);
    }
    return ids;
  });
  const move = await cluster.openMove(slot, to);
  t.ok((await move.keys(3)) > 0, 'the shard is torn in two for a while');
  await space.until('others go on meanwhile', async () => (await space.seen(actors[0] as ActorId)).length > 5);
  while ((await move.keys(10)) > 0);
  await move.end();
  await space.until('claimed anew', async () => (await tokensOf(space))[3] !== before[3]);
  moving = false;
  const sent = await Promise.all(load);
  for (const [i, actor] of actors.entries()) {
    t.same(await space.seen(actor), ['first', ...(sent[i] ?? [])], `${actor}: each once, in order`);
  }
  const after = await tokensOf(space);
  const kept = after.filter((token, shard) => token === before[shard]).length;
  t.ok(kept >= 1, 'shards elsewhere are not touched');
  t.equal(
    (await mastersAt(cluster.url)).length,
    4,
    'a master that joined later was given the functions when it was called',
  );
  t.equal(await askRedis(to.url, ['FCALL', functionName('meta'), '0']), (await library()).hash);
}

async function masterDies(t: Test, cluster: RedisCluster): Promise<void> {
  const space = await TrialSpace.open(t, undefined, { url: cluster.url, shards: SHARDS });
  await Promise.all([
    space.host(undefined, { limits: patientLimits }),
    space.host(undefined, { limits: patientLimits }),
  ]);
  const actors = actorsOf(space);
  const keys = actors.map((actor) => space.keys(actor));
  await Promise.all(actors.map((actor) => space.ask(actor, { type: 'ADD', id: 'copied' })));
  await space.settled();
  const home = await cluster.holderOf(slotOf(namespaceKeys(space.client.namespace).members));
  const holders = await Promise.all(keys.map(({ owner }) => cluster.holderOf(slotOf(owner))));
  const victim = holders.find((holder) => holder !== home && cluster.masters.includes(holder)) as RedisServer;
  const others = [...new Set(holders)].filter((holder) => holder !== victim);
  await inSync(victim);
  const before = await tokensOf(space);

  const load = actors.map((actor) => askSurely(space, actor, 'under-way'));
  await victim.kill();
  await space.until(
    'the replica was promoted, and shards are claimed anew',
    async () => {
      const now = await tokensOf(space);
      return holders.every((holder, shard) => holder !== victim || now[shard] !== before[shard]);
    },
    { deadlineMs: 80_000 /* A sentinel in TILT waits 30 s. */ },
  );
  await Promise.all(load);
  for (const actor of actors) t.same(await space.seen(actor), ['copied', 'under-way'], `${actor}: each once, in order`);
  const after = await tokensOf(space);
  for (const [shard, holder] of holders.entries()) {
    if (others.includes(holder)) t.equal(after[shard], before[shard], `shard ${shard}: its server is the same`);
    else t.not(after[shard], before[shard], `shard ${shard}: its server is another one`);
  }
}
