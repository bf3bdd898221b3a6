// Goal: shards that move lose nothing, wait for nobody in vain, and say why they moved. Method: workers in processes of their
// own that are killed, stopped and told to come back, beside workers in this process; lock masters that freeze and end.

import t, { type Test } from 'tap';
import { systemClock } from './clock.ts';
import { loadResidents } from './commit/resident.ts';
import { readAhead, stillWarm, type WarmActors, Warming } from './commit/warming.ts';
import { actorId, namespace } from './ids.ts';
import { type Batch, batchOver } from './redis/batch.ts';
import type { Connection } from './redis/connection.ts';
import { connect as connectRedis } from './redis/connector.ts';
import { shardKeys } from './redis/keys.ts';
import { factsText, parseFacts, takeoverOf } from './shards/takeover.ts';
import { charts } from './statechart/charts.ts';
import { startRedisProxy } from './testing/redis-proxy.ts';
import { type RedisServer, startRedis } from './testing/redis-server.ts';
import { trialChart } from './testing/trial-chart.ts';
import { quickLimits, TrialSpace } from './testing/trial-space.ts';
import { startWorkerProcess, type WorkerProcess } from './testing/worker-process.ts';

const server: RedisServer = await startRedis();
const raw: Connection = await connectRedis('query', server.url);
const { redis } = raw;
t.teardown(async () => {
  await raw.close();
  await server.stop();
});

const [A, B, C] = [actorId('act_a'), actorId('act_b'), actorId('act_c')];
const opened = (t: Test, shards: number): Promise<TrialSpace> => TrialSpace.open(t, redis, { url: server.url, shards });

/** A worker of the space in a process of its own. */
function child(t: Test, space: TrialSpace, worker: string, lockUrls?: readonly string[]): WorkerProcess {
  const started = startWorkerProcess({
    module: new URL('./testing/trial-chart.js', import.meta.url).href,
    given: { url: server.url, ledger: `ledger:${space.name}` },
    host: {
      ...{ namespace: space.name, worker, url: server.url, shards: space.shards, limits: quickLimits },
      ...(lockUrls === undefined ? {} : { lockUrls }),
    },
  });
  t.teardown(() => started.kill());
  return started;
}

const takeovers = async (space: TrialSpace) =>
  (await space.client.shardViews()).map(({ owner, takeover }) => `${owner}: ${takeover?.cause} ${takeover?.from}`);

t.test(
  'L2: an owner says why a shard came to it: first, released, gone; and holds it for its next process',
  async (t) => {
    const space = await opened(t, 1);
    const says = (what: string) => space.until(what, async () => (await takeovers(space))[0] === what);
    const first = child(t, space, 'trial.1');
    await says('trial.1: first undefined');
    await space.ask(A, { type: 'ADD', id: 'one' });
    const [view] = await space.client.shardViews([0]);
    t.ok((view?.leaseMs ?? 0) > 0 && (view?.leaseMs ?? 0) <= 600, `${view?.leaseMs} ms are left of its lease`);
    await space.until('its residents are told', async () => (await space.client.shardViews())[0]?.residents === 1);

    const second = child(t, space, 'trial.2');
    await second.ready;
    t.equal(await first.stop(), 0);
    await says('trial.2: released trial.1');
    await second.kill();
    const third = child(t, space, 'trial.3');
    await says('trial.3: gone trial.2');
    await space.ask(A, { type: 'ADD', id: 'two' });

    const other = child(t, space, 'trial.4');
    await other.ready;
    t.equal(await third.goAway(), 0, 'SIGUSR2 ends it in order');
    const away = await space.client.workerViews();
    t.match(
      away.find(({ worker }) => worker === 'trial.3'),
      { state: 'away', shards: [0] },
    );
    const waiting = space.ask(A, { type: 'ADD', id: 'three' });
    const again = child(t, space, 'trial.3');
    await again.ready;
    await says('trial.3: released trial.3');
    t.match(await waiting, { kind: 'applied', version: 4 }, 'what was sent meanwhile is answered by its next process');
    t.same(await space.seen(A), ['one', 'two', 'three']);
    t.equal((await other.counters()).shards.length, 0, 'nobody else took it');
  },
);

t.test(
  'C3: actors are read ahead of a claim; whoever moved since is left out, and after a rewind everybody',
  async (t) => {
    const space = await opened(t, 1);
    await space.host();
    for (const actor of [A, B, C]) await space.ask(actor, { type: 'ADD', id: 'one' });
    const older = await space.dump(A);
    const compiled = charts([trialChart()]);
    const batch = batchOver(raw, systemClock, 2_000);
    const keys = shardKeys(namespace(space.name), 0);
    const head = async () => (await space.client.shardViews())[0]?.head ?? 0;
    const warmed = async () =>
      (await readAhead({ namespace: namespace(space.name), charts: compiled }, batch, 0)) as WarmActors;
    const before = await warmed();
    t.same(
      before.residents.map(({ actor }) => actor),
      [A, B, C],
      'who moved last stands last',
    );
    t.same(before.residents, await loadResidents(batch, keys, compiled, [A, B, C]), 'as loading gives them');
    await space.ask(B, { type: 'ADD', id: 'two' });
    await space.ask(C, { type: 'NOTHING' });
    t.same(
      (await stillWarm(batch, keys, before, await head())).map(({ actor }) => actor),
      [A],
    );
    const after = await warmed();
    t.same(await stillWarm(batch, keys, after, (await head()) + 600), [], 'too much happened');
    await space.restore(A, older);
    t.same(await stillWarm(batch, keys, after, await head()), [], 'the entry at the tail is gone');
  },
);

t.test('L2: of many shards that are waited for at once, as after a death, few are read ahead', async (t) => {
  let [reads, now] = [0, 0];
  const counting: Batch = {
    run() {
      reads += 1;
      return new Promise(() => undefined);
    },
  };
  const clock = { ...systemClock, monotonic: () => now };
  const warming = new Warming({ namespace: namespace('many'), charts: charts([trialChart()]), clock }, counting);
  for (let tries = 0; tries < 3; tries += 1) for (let shard = 0; shard < 32; shard += 1) warming.begin(shard);
  t.equal(reads, 4, 'and none twice');
  t.equal(warming.take(0), undefined, 'nobody waits for one that is not read yet');
  for (let shard = 0; shard < 32; shard += 1) warming.begin(shard);
  t.equal(reads, 5, 'another one has its turn');
  now = 6_000;
  for (let shard = 0; shard < 32; shard += 1) warming.begin(shard);
  t.equal(reads, 9, 'what went elsewhere is forgotten');
});

t.test('L2: a shard whose lock is waited for is served from what was read ahead', async (t) => {
  const space = await opened(t, 1);
  const first = await space.host();
  for (const actor of [A, B, C]) await space.ask(actor, { type: 'ADD', id: 'one' });
  await first.stop();
  const { lock } = shardKeys(namespace(space.name), 0);
  await redis.set(lock, 'somebody');
  const proxy = await startRedisProxy(server);
  t.teardown(() => proxy.close());
  const read = new Set<string | undefined>();
  proxy.tap(([word, key]) => {
    if (word?.toUpperCase() === 'HMGET') read.add(key);
  });
  const starting = space.host(trialChart(), { url: proxy.url });
  await space.until('all are read ahead', () => [A, B, C].every((actor) => read.has(space.keys(actor).actor(actor))));
  await redis.del(lock);
  const second = await starting;
  await space.until('it serves, before anybody has sent anything', () => second.residents() > 0);
  t.equal(second.counters.warmed, 3);
  t.equal(second.residents(), 3);
  t.match(await space.ask(B, { type: 'ADD', id: 'two' }), { kind: 'applied', version: 3 });
  t.same(await space.seen(B), ['one', 'two']);
});

t.test(
  'L2: with a minority of lock masters frozen or gone shards move on; without a majority they pause, and nothing breaks',
  async (t) => {
    const masters = await Promise.all([startRedis(), startRedis(), startRedis()]);
    t.teardown(() => Promise.all(masters.map((master) => master.kill())));
    const [one, two, three] = masters as [RedisServer, RedisServer, RedisServer];
    const lockUrls = masters.map(({ url }) => url);
    const space = await opened(t, 4);
    const workers = ['trial.1', 'trial.2'].map((id) => child(t, space, id, lockUrls));
    const [first, second] = workers as [WorkerProcess, WorkerProcess];
    const shardsOf = async (worker: WorkerProcess) => (await worker.counters()).shards.length;
    await Promise.all(workers.map(({ ready }) => ready));
    await space.until('the two share', async () => (await shardsOf(first)) === 2 && (await shardsOf(second)) === 2);
    const actors = Array.from({ length: 8 }, (_, i) => actorId(`act_${i}`));
    const round = (id: string) => Promise.all(actors.map((actor) => space.ask(actor, { type: 'ADD', id })));
    await round('calm');

    one.signal('SIGSTOP');
    await round('one frozen');
    await second.kill();
    await space.until('a takeover with one frozen', async () => (await shardsOf(first)) === 4);
    await round('taken over');
    await one.kill();
    await round('one gone');

    await two.kill();
    await space.until('a pause without a majority', async () => (await shardsOf(first)) === 0);
    const late = actors.map((actor) => space.ask(actor, { type: 'ADD', id: 'paused' }));
    const back = await startRedis({ port: two.port });
    t.teardown(() => back.kill());
    for (const answer of await Promise.all(late)) t.match(answer, { kind: 'applied' });
    await space.until('it goes on by itself', async () => (await shardsOf(first)) === 4);
    for (const actor of actors) {
      t.same(await space.seen(actor), ['calm', 'one frozen', 'taken over', 'one gone', 'paused']);
      const moved = (await space.client.history(actor)).filter(({ kind }) => kind === 'moved');
      t.same(
        moved.map(({ sequence }) => Number(sequence)),
        moved.map((_, i) => i + 1),
        'gapless',
      );
    }
    await three.kill();
  },
);

t.test('L2: the account of a takeover follows from what stood there before', async (t) => {
  const member = (liveness: 'alive' | 'dead', gone: boolean) => ({ worker: 'w.2', liveness, gone, silentMs: 900 });
  const account = (more: object, before: object) =>
    takeoverOf({
      ...{ self: 'w.1', at: 5_000, isBehind: false, lost: undefined, members: [], ...more },
      before: { token: '3:ab', worker: 'w.2', alive: 2_000, releasedBy: undefined, ...before },
    } as unknown as Parameters<typeof takeoverOf>[0]);
  t.match(account({}, { token: '', worker: '' }), { cause: 'first', withoutMs: 0 });
  t.match(
    account({ isBehind: true }, { token: '', worker: '' }),
    { cause: 'rewound' },
    'the server has forgotten us all',
  );
  t.match(account({}, { token: '3:free-ab', worker: '', releasedBy: 'w.2', alive: 4_990 }), {
    ...{ cause: 'released', from: 'w.2', withoutMs: 10 },
  });
  t.match(account({ members: [member('dead', true)] }, {}), { cause: 'gone', from: 'w.2', withoutMs: 900 });
  t.match(account({ members: [member('dead', false)] }, {}), { cause: 'dead', from: 'w.2', withoutMs: 900 });
  t.match(account({ members: [member('alive', false)] }, {}), { cause: 'doubt' }, 'it lost its lock and lives');
  t.match(
    account({}, { worker: 'w.1' }),
    { cause: 'gone', from: 'w.1', withoutMs: 3_000 },
    'our process before this one',
  );
  const lost = { isRewound: false, agoMs: 60 };
  t.match(account({ lost }, { worker: 'w.1' }), { cause: 'doubt', withoutMs: 60 });
  t.match(account({ lost: { ...lost, isRewound: true } }, { worker: 'w.1' }), { cause: 'rewound', withoutMs: 60 });

  const takeover = account({ members: [member('dead', true)] }, {});
  const facts = [
    { shard: 7, leaseMs: 2_731, residents: 15, takeover },
    { shard: 8, leaseMs: 0, residents: 0, takeover: undefined },
  ];
  t.same(parseFacts(factsText(facts)), facts, 'what is told is read');
  t.same(parseFacts(undefined), []);
  t.match(parseFacts('9/1/2/zz/3/whatever/w.2'), [{ shard: 9, takeover: undefined }], 'a cause of a later version');
  const many = Array.from({ length: 1_000 }, (_, shard) => ({ shard, leaseMs: 1, residents: 1, takeover }));
  t.ok(factsText(many).length < 6_000, 'and stays small');
});
