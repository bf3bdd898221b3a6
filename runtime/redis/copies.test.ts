// Goal: at `replicas:n` nothing is told that fewer than n replicas hold, and at every level a server that got weaker is told no
// more. Method: a real master and a real replica, which is frozen, cut off and promoted under a worker and its client.

import t, { type Test } from 'tap';
import type { ConnectOptions } from '../client.ts';
import { systemClock } from '../clock.ts';
import { OutcomeUnknown } from '../errors.ts';
import { command, durable } from '../functions/call.ts';
import { loadLibrary } from '../functions/library.ts';
import { send } from '../functions/send.ts';
import { type EffectCall, effect } from '../hosting.ts';
import { type ActorId, actorId } from '../ids.ts';
import { startRedisProxy } from '../testing/redis-proxy.ts';
import { type RedisServer, startRedis } from '../testing/redis-server.ts';
import { trialChart } from '../testing/trial-chart.ts';
import { TrialShard, trialCommand } from '../testing/trial-shard.ts';
import { TrialSpace } from '../testing/trial-space.ts';
import { waitUntil } from '../testing/waiting.ts';
import type { Connection } from './connection.ts';
import { connect as connectRedis } from './connector.ts';
import { checkReplicas, checkServer, serverIdentity } from './server.ts';
import { trustedBatch } from './trusted.ts';

const ONE = { kind: 'replicas', count: 1 } as const;
const A = actorId('act_a');
const add = (id: string) => ({ type: 'ADD', id });

const QUICK_REPLICATION = ['--repl-diskless-sync-delay', '0', '--repl-ping-replica-period', '1'];

interface Pair {
  readonly master: RedisServer;
  readonly replica: RedisServer;
  readonly raw: Connection;
}

/** A master and its replica, which follows it from `port`, the master's own unless something stands between. */
async function pair(t: Test, between?: (master: RedisServer) => Promise<number>): Promise<Pair> {
  const master = await startRedis({ args: QUICK_REPLICATION });
  const port = (await between?.(master)) ?? master.port;
  const replica = await startRedis({ args: ['--replicaof', '127.0.0.1', String(port)] });
  const raw = await connectRedis('query', master.url);
  t.teardown(async () => {
    await raw.close();
    await Promise.all([master.kill(), replica.kill()]);
  });
  await waitUntil('the replica follows', async () => (await serverIdentity(raw)).replicasOnline === 1, { everyMs: 20 });
  return { master, replica, raw };
}

const open = (t: Test, { raw, master }: Pair, more: Partial<ConnectOptions> = {}): Promise<TrialSpace> =>
  TrialSpace.open(t, raw.redis, { url: master.url, durability: 'replicas:1', ...more });

async function writerTo(t: Test, url: string): Promise<Connection> {
  const connection = await connectRedis('writer', url);
  t.teardown(() => connection.close());
  await loadLibrary(connection.redis);
  return connection;
}

t.test(
  'C3: a write that too few replicas confirm is unknown; what follows is refused unsent until they have it',
  async (t) => {
    const servers = await pair(t);
    const { master, replica, raw } = servers;
    t.same(checkReplicas(await checkServer(raw, ONE), ONE, ''), undefined);
    const two = { kind: 'replicas', count: 2 } as const;
    const identity = await serverIdentity(raw);
    t.throws(() => checkReplicas(identity, two, 'x'), {
      code: 'replicas-missing',
      message: /1 of the 2 replicas online/,
    });

    const changes: boolean[] = [];
    const trust = { clock: systemClock, durability: ONE, onCopies: (reached: boolean) => changes.push(reached) };
    const connection = await writerTo(t, master.url);
    const batch = trustedBatch({ ...trust, connection });
    const { keys } = await TrialShard.founded(raw);
    const set = (value: string) => batch.run(durable(command(['SET', keys.backlog, value], String)));
    const get = () => batch.run(command(['GET', keys.backlog], String));
    const accept = (through = batch) => through.run(send(keys, trialCommand(A, 'm1')));
    t.same(await Promise.all([set('1'), get(), set('2')]), ['OK', '1', 'OK']);
    t.match(await accept(), { kind: 'accepted' });

    replica.signal('SIGSTOP');
    const [written, read] = await Promise.allSettled([set('3'), get()]);
    t.match(written, { status: 'rejected', reason: OutcomeUnknown });
    t.match(read, { status: 'rejected' }, 'who read beside it has seen what is in the balance');
    t.equal(batch.reached, false);
    await t.rejects(set('4'), { code: 'redis-unavailable', retry: 'here', message: /nothing was sent/ });
    t.equal(await get(), '3', 'it was written, and the refused one was not');

    // A repeat on a connection that has written nothing: WAIT is documented for the writes of its own connection only.
    const other = trustedBatch({ ...trust, connection: await writerTo(t, master.url) });
    await t.rejects(accept(other), OutcomeUnknown, 'a repeat that writes nothing is not known to be kept');

    replica.signal('SIGCONT');
    await waitUntil('the replica has caught up', () => set('5').catch(() => false));
    t.match(await accept(), { kind: 'duplicate' });
    t.same([batch.reached, changes.at(-1)], [true, true]);
  },
);

t.test(
  'C3: with a frozen replica no answer is given and no effect begins; thawed, the same command is answered',
  async (t) => {
    const servers = await pair(t);
    const space = await open(t, servers);
    const calls: EffectCall[] = [];
    const partner = effect(async (call) => {
      calls.push(call);
      return { kind: 'done', output: null };
    });
    await space.host(trialChart({ partner }), { durability: 'replicas:1' });
    t.equal(space.client.durability, 'replicas:1');
    t.match(await space.ask(A, add('1'), 'first'), { kind: 'applied' });
    const order = (id: string) => ({ actor: A, event: { type: 'WORK', id }, messageId: id });

    servers.replica.signal('SIGSTOP');
    t.same(await space.client.ask(order('w1'), { timeoutMs: 300 }), { kind: 'unknown' });
    await space.until('the worker has noticed', () => space.lines.some(({ text }) => /too few replicas/.test(text)));
    await t.rejects(space.client.send(order('w2')), { code: 'redis-unavailable' });
    t.same(calls, [], 'what it asked for has not begun');

    servers.replica.signal('SIGCONT');
    const answer = await space.until('the answer', async () => {
      const outcome = await space.client.ask(order('w1')).catch(() => undefined);
      return outcome?.kind === 'answered' && outcome;
    });
    t.match(answer, { answer: { kind: 'applied' }, replayed: true });
    await space.reaches(A, 'worked');
    t.equal(calls.length, 1);
    t.match(await space.ask(A, add('1'), 'first'), { kind: 'applied' }, 'an answer of before is replayed');
  },
);

t.test('C3: a promoted replica has every command that was answered', async (t) => {
  let cut = (): void => undefined;
  const servers = await pair(t, async (master) => {
    const proxy = await startRedisProxy(master);
    t.teardown(() => proxy.close());
    cut = () => proxy.cut();
    return Number(new URL(proxy.url).port);
  });
  const space = await open(t, servers);
  await space.host(trialChart(), { durability: 'replicas:1' });
  const answered: { readonly actor: ActorId; readonly messageId: string }[] = [];
  const told = new Set<string>();
  let stopped = false;
  const caller = async (number: number): Promise<void> => {
    const actor = actorId(`act_${number}`);
    for (let i = 0; !stopped; i += 1) {
      const messageId = `${number}.${i}`;
      const create = { machine: 'tally', input: {} };
      const outcome = await space.client
        .ask(
          { actor, event: { type: 'ADD', id: messageId } as { type: string }, messageId, create },
          { timeoutMs: 200 },
        )
        .catch((error: { code?: string }) => ({ kind: error.code ?? 'error' }));
      told.add(outcome.kind);
      if (outcome.kind === 'answered') answered.push({ actor, messageId });
    }
  };
  const callers = Array.from({ length: 8 }, (_, i) => caller(i));
  await space.until('some are answered', () => answered.length > 100);
  cut();
  await space.until('no more can be', () => told.has('redis-unavailable'));
  stopped = true;
  await Promise.all(callers);
  await servers.master.kill();

  const promoted = await connectRedis('query', servers.replica.url);
  t.teardown(() => promoted.close());
  await promoted.redis.call('REPLICAOF', 'NO', 'ONE');
  const lost: string[] = [];
  for (const { actor, messageId } of answered) {
    const record = await promoted.redis.hget(space.keys(actor).dedupe, `${actor}|${messageId}`);
    if (!/"kind":"applied"/.test(record ?? '')) lost.push(messageId);
  }
  t.same(lost, []);
  t.same([...told].sort(), ['answered', 'redis-unavailable', 'unknown'], 'nobody was told that it failed');
});

t.test(
  'L2: a client notices with each reconnection that its server has become weaker, and gives no answer',
  async (t) => {
    const dir = t.testdir();
    const strong = await startRedis({ dir, args: ['--appendfsync', 'always'] });
    const raw = await connectRedis('query', strong.url);
    t.teardown(() => raw.close());
    const space = await TrialSpace.open(t, raw.redis, { url: strong.url, durability: 'fsync' });
    const order = { actor: A, event: { type: 'ADD' }, messageId: 'm1', create: { machine: 'tally', input: {} } };
    t.match(await space.client.send(order), { kind: 'accepted' });
    await strong.stop();
    const weak = await startRedis({ dir, port: strong.port });
    t.teardown(() => weak.kill());
    const refused = await waitUntil('it is looked at', async () => {
      const error = await space.client.send(order).then(
        () => ({ code: 'accepted' }),
        (reason: { code?: string }) => reason,
      );
      return error.code !== 'redis-unavailable' && error;
    });
    t.match(refused, { code: 'durability-too-weak', message: /appendfsync always/ });
    await t.rejects(space.client.ping(), { code: 'durability-too-weak' }, 'which makes its api unready');
  },
);
