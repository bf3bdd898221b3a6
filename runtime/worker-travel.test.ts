// Goal: domain time moves for all charts of a namespace at once, and for nothing else. Method: real workers, in this process and
// in their own, that are killed while a travel is under way; the oracle is the calendar: each day is one day after the last.

import t, { type Test } from 'tap';
import { type Client, type ConnectOptions, connect } from './client.ts';
import type { HostOptions } from './host.ts';
import { type ActorId, actorId } from './ids.ts';
import type { Connection } from './redis/connection.ts';
import { connect as connectRedis } from './redis/connector.ts';
import { namespaceKeys, shardKeys } from './redis/keys.ts';
import { agreeConfig } from './shards/config.ts';
import { charts as compileCharts } from './statechart/charts.ts';
import { replay } from './statechart/replay.ts';
import { calendarChart, DAY_MS } from './testing/calendar-chart.ts';
import { type RedisServer, startRedis } from './testing/redis-server.ts';
import { quickLimits, TrialSpace } from './testing/trial-space.ts';
import { waitUntil } from './testing/waiting.ts';
import { startWorkerProcess, type WorkerProcess, type WorkerProcessOptions } from './testing/worker-process.ts';
import { domainClock } from './timers/domain-clock.ts';

const server: RedisServer = await startRedis();
const raw: Connection = await connectRedis('query', server.url);
const { redis } = raw;
t.teardown(async () => {
  await raw.close();
  await server.stop();
});

const SHARDS = 4;
const SECRET = 'a secret of trials';
const ACTORS = ['a', 'b', 'c', 'd', 'e', 'f'].map((letter) => actorId(`cal_${letter}`));
const [A = actorId('cal_a'), B = A] = ACTORS;
let spaces = 0;

/** A namespace of virtual time, its client, and workers that a trial starts in this process or in their own. */
class Space {
  readonly name = `t${++spaces}`;
  readonly space: TrialSpace;
  readonly #t: Test;

  static async open(t: Test, config: Partial<ConnectOptions['config']> = {}): Promise<Space> {
    const name = `t${spaces + 1}`;
    const whole = { shards: SHARDS, timeScale: 1, virtualTime: true, ...config };
    const space = await TrialSpace.open(t, redis, { url: server.url, namespace: name, shards: SHARDS, config: whole });
    return new Space(t, space);
  }

  private constructor(t: Test, space: TrialSpace) {
    this.#t = t;
    this.space = space;
  }

  get client(): Client {
    return this.space.client;
  }

  host(more: Partial<HostOptions> = {}, onCall?: () => Promise<unknown>) {
    return this.space.host(calendarChart(onCall), { virtualTime: true, ...more });
  }

  start(worker: string, crash?: WorkerProcessOptions['crash']): WorkerProcess {
    const { name, url, shards } = this.space;
    const started = startWorkerProcess({
      module: new URL('./testing/calendar-chart.js', import.meta.url).href,
      given: { url, ledger: `ledger:${name}` },
      host: { namespace: name, url, shards, worker, virtualTime: true, limits: quickLimits },
      ...(crash === undefined ? {} : { crash }),
    });
    this.#t.teardown(() => started.kill());
    return started;
  }

  async ask(actor: ActorId, event: { type: string; [field: string]: unknown }, messageId: string): Promise<number> {
    const create = { machine: 'calendar', input: {} };
    const asked = await this.client.ask(
      { actor, event: event as { type: string }, messageId, create },
      { timeoutMs: 8_000 },
    );
    if (asked.kind !== 'answered' || asked.answer.kind !== 'applied') throw new Error(JSON.stringify(asked));
    return asked.answer.at;
  }

  async marks(actor: ActorId): Promise<readonly number[]> {
    return ((await this.client.read(actor))?.context.marks ?? []) as readonly number[];
  }

  /** Waits until so many things have happened to each of the actors. */
  async marked(count: number, actors: readonly ActorId[] = ACTORS): Promise<void> {
    for (const actor of actors)
      await this.space.until(`${actor} has ${count} marks`, async () => (await this.marks(actor)).length >= count);
  }

  /** What must hold of every journal: no actor goes back in time, and a replay gives what is stored. */
  async checkJournals(actors: readonly ActorId[] = ACTORS): Promise<void> {
    const behaviour = compileCharts([calendarChart()]).byName('calendar');
    for (const actor of actors) {
      const entries = (await this.client.history(actor)).filter(({ kind }) => kind === 'moved');
      const ats = entries.map(({ at }) => at);
      this.#t.same(
        ats,
        ats.toSorted((a, b) => a - b),
        `${actor} never goes back`,
      );
      const replayed = [...replay(behaviour, actor, entries)].map(({ hash }) => hash);
      this.#t.same(
        replayed,
        entries.map(({ snapshotHash }) => snapshotHash),
        `${actor} is replayed as it was`,
      );
    }
  }
}

/** Days between what happened, in order. */
const days = (marks: readonly number[]): readonly number[] =>
  marks.slice(1).map((at, index) => (at - (marks[index] as number)) / DAY_MS);

t.test('T2: a travel moves timers, stamps and clocks of all shards at once, and nothing of real time', async (t) => {
  const space = await Space.open(t);
  const { client } = space;
  const watcher = await connect({ namespace: space.space.name, url: server.url, secret: SECRET });
  t.teardown(() => watcher.close());
  let calls = 0;
  await space.host({}, async () => calls++);
  await space.host();
  await space.space.until('the shards are shared out', async () =>
    (await client.shardViews()).every(({ owner, assigned }) => owner === assigned),
  );
  const claims = async () => await Promise.all((await client.shardViews()).map(({ token }) => token));
  for (const actor of ACTORS) await space.ask(actor, { type: 'START', days: 3 }, 's');
  await space.ask(B, { type: 'CALL' }, 'c');
  await space.space.until('the partner was asked', () => calls === 1);
  const due = async () => (await client.timers()).filter(({ kind }) => kind === 'effect').map(({ dueAt }) => dueAt);
  await space.space.until('it will be asked again in a minute', async () =>
    (await due()).some((at) => at > client.now() + 5_000),
  );
  const before = { tokens: await claims(), due: await due(), now: client.domainNow() };

  const gone = await client.travel(2.5 * DAY_MS, 'op_1', { messageId: 'first' });
  t.same(gone, { kind: 'travelled', totalMs: 2.5 * DAY_MS, arrived: true });
  t.ok(client.domainNow() - before.now >= 2.5 * DAY_MS, 'whoever travels is there at once');
  const at = await space.ask(A, { type: 'MARK' }, 'm1');
  t.ok(at - before.now >= 2.5 * DAY_MS, 'what comes after it counts from the new time');
  t.ok(at - client.now() < 2.5 * DAY_MS + 60_000, 'and is no further than that');
  await space.marked(
    3,
    ACTORS.filter((actor) => actor !== A && actor !== B),
  );
  await space.marked(4, [A, B]); // Two days and a mark, two days and a call.
  await waitUntil('another client hears of it', () => watcher.domainNow() - watcher.now() >= 2.5 * DAY_MS);

  for (const actor of ACTORS.slice(2)) t.same(days(await space.marks(actor)), [1, 1], `${actor}: each day at its time`);
  t.same(
    (await client.timers()).filter(({ kind }) => kind === 'timer').length,
    ACTORS.length,
    'the third day is to come',
  );
  t.same(
    { tokens: await claims(), due: await due() },
    { tokens: before.tokens, due: before.due },
    'no lease, no retry',
  );
  t.equal(calls, 1);
  await space.checkJournals();

  t.same(await client.travel(2.5 * DAY_MS, 'op_1', { messageId: 'first' }), { ...gone, kind: 'same' });
  t.same(await client.travel(DAY_MS, 'op_1', { messageId: 'first' }), { kind: 'key-reused' });
  t.same(
    await redis.hget(namespaceKeys(client.namespace).config, 'travelled'),
    String(2.5 * DAY_MS),
    'a repeat moves nothing',
  );
  await t.rejects(client.travel(0, 'op_1'), { code: 'bad-setting' });
  await t.rejects(client.travel(-DAY_MS, 'op_1'), { code: 'bad-setting' }, 'nobody goes back');
  await t.rejects(client.travel(100 * 365.25 * DAY_MS, 'op_1'), { code: 'travel-too-far' });
});

t.test('T2: only a namespace founded with virtual time travels, and its mode is recorded', async (t) => {
  const real = await TrialSpace.open(t, redis, { url: server.url });
  await t.rejects(real.client.travel(DAY_MS, 'op_1'), { code: 'not-virtual', message: /founded with real time/ });
  t.equal(await redis.exists(namespaceKeys(real.client.namespace).travels), 0);
  await t.rejects(agreeConfig(raw, real.client.namespace, { shards: 2, timeScale: 1, virtualTime: true }), {
    code: 'config-mismatch',
    message: /virtualTime false.*virtualTime true/,
  });
  const space = await Space.open(t);
  await t.rejects(agreeConfig(raw, space.client.namespace, { shards: SHARDS, timeScale: 1 }), {
    code: 'config-mismatch',
    message: /virtualTime true.*virtualTime false/,
  });
  await redis.hdel(namespaceKeys(real.client.namespace).config, 'virtualTime', 'origin');
  const before = await agreeConfig(raw, real.client.namespace, { shards: 2, timeScale: 1 });
  t.match(before, { virtualTime: false, origin: Number }, 'one of before there was such a mode is as it was');
});

t.test('T1: workers that are killed while a travel is under way fire each timer once, each at its time', async (t) => {
  for (const point of ['before-advance', 'after-advance'] as const) {
    const space = await Space.open(t);
    const dying = space.start('trial.1', { at: point, act: 'kill', skip: 1 });
    const other = space.start('trial.2');
    await Promise.all([dying.ready, other.ready]);
    for (const actor of ACTORS) await space.ask(actor, { type: 'START', days: 4 }, 's');
    const gone = space.client.travel(3.5 * DAY_MS, 'op_1');
    t.equal(await dying.exited, 'SIGKILL', `${point}: one of its shards has travelled, the other has not`);
    t.same(await gone, { kind: 'travelled', totalMs: 3.5 * DAY_MS, arrived: true }, 'the other worker takes it on');
    await space.marked(4);
    await other.kill();
    t.match(
      await space.client.travel(DAY_MS, 'op_1', { waitMs: 0 }),
      { kind: 'travelled', arrived: false },
      'nobody is there',
    );

    const again = space.start('trial.1');
    await again.ready;
    await space.marked(5);
    for (const actor of ACTORS) t.same(days(await space.marks(actor)), [1, 1, 1, 1], `${point}: ${actor}`);
    const at = await space.ask(A, { type: 'MARK' }, 'm');
    t.ok(at - space.client.now() > 4.5 * DAY_MS - 60_000, 'a restart keeps the time');
    t.same(await space.client.timers(), [], 'nothing is left');
    await space.checkJournals();
    t.equal(await again.stop(), 0);
  }
});

t.test('T2: a shard stays where it is in time, also where the note of its travels was lost', async (t) => {
  const space = await Space.open(t);
  const first = space.start('trial.1');
  await first.ready;
  await space.ask(A, { type: 'START', days: 3 }, 's');
  t.match(await space.client.travel(2 * DAY_MS, 'op_1'), { arrived: true });
  await space.marked(3, [A]);
  t.equal(await first.stop(), 0);
  await redis.hdel(namespaceKeys(space.client.namespace).config, 'travelled');
  const next = space.start('trial.1');
  await next.ready;
  for (const [actor, shard] of ACTORS.map((one) => [one, space.client.shardOf(one)] as const)) {
    if (shard !== space.client.shardOf(A)) continue;
    const at = await space.ask(actor, { type: 'MARK' }, `m${shard}`);
    t.ok(at - space.client.now() > 2 * DAY_MS - 60_000, `${actor}: what happened stays in the past`);
  }
  const timers = await space.client.timers();
  t.ok((timers[0]?.dueAt ?? 0) - space.client.now() > DAY_MS - 60_000, 'what comes stays in the future');
  await space.checkJournals([A]);
  t.equal(await next.stop(), 0);
});

t.test(
  'T1: no timer of a travel is early by the domain clock, however small the steps and whatever the scale',
  async (t) => {
    const space = await Space.open(t, { timeScale: 7 });
    await space.host({ timeScale: 7 });
    await space.ask(A, { type: 'START', days: 1 }, 's');
    const steps = 40; // Together a day but 14 seconds; what is left passes in two.
    for (let step = 1; step <= steps; step++)
      await space.client.travel(DAY_MS / steps - 350 - (step % 3), 'op_1', { waitMs: 0 });
    await space.marked(2, [A]);
    const [started = 0, fired = 0] = await space.marks(A);
    t.ok(fired - started >= DAY_MS, `after ${fired - started} ms`);
    t.ok(fired - started < DAY_MS + 7 * 2, 'and not late by more than the rounding of the set');
    await space.checkJournals([A]);
  },
);

t.test('T2: where time is scaled, stamps and delays are of one clock, in two contexts with one origin', async (t) => {
  const timeOrigin = Number((await redis.time())[0]) * 1_000 - 5_000;
  const scale = 864_000; // A day in a tenth of a second.
  const config = { timeScale: scale, virtualTime: false, timeOrigin };
  const [one, two] = [await Space.open(t, config), await Space.open(t, config)];
  await one.host({ virtualTime: false, timeScale: scale, timeOrigin: 1 });
  await one.ask(A, { type: 'START', days: 2 }, 's');
  await one.marked(3, [A]);
  for (const length of days(await one.marks(A))) t.ok(length >= 1 && length < 60, `a day took ${length} days`);
  t.ok(Math.abs(one.client.domainNow() - two.client.domainNow()) < 100 * scale, 'dates agree');
  const clock = domainClock({ timeScale: scale, origin: timeOrigin, virtualTime: false });
  t.ok(one.client.domainNow() <= clock.at(one.client.now() + 1, 0), 'the origin of the first start counts');
  t.equal(new Date(clock.at(Number.MAX_SAFE_INTEGER, 0)).toISOString(), '9999-12-31T23:59:59.999Z', 'there dates end');
  const [entry] = await one.client.history(A);
  t.ok((entry?.committedAt ?? 0) <= one.client.now(), 'the journal tells both');
  await one.checkJournals([A]);
  t.equal(await redis.hget(shardKeys(one.client.namespace, 0).owner, 'travelled'), null);
});
