// Goal: timers fire once and never early, calls are made under one key until they are answered. Method: hosts and clients in
// this process, partners that answer on request, a wall clock that jumps, outages that are written into the owner's record.

import t, { type Test } from 'tap';
import type { ConnectOptions } from './client.ts';
import { type EffectCall, type EffectOutcome, effect } from './hosting.ts';
import { type ActorId, actorId } from './ids.ts';
import type { JsonObject } from './json.ts';
import { outageMs } from './limits.ts';
import type { Connection } from './redis/connection.ts';
import { connect as connectRedis } from './redis/connector.ts';
import { namespaceKeys } from './redis/keys.ts';
import { startRedisProxy } from './testing/redis-proxy.ts';
import { type RedisServer, startRedis } from './testing/redis-server.ts';
import { trialChart } from './testing/trial-chart.ts';
import { TrialSpace } from './testing/trial-space.ts';

const server: RedisServer = await startRedis();
const raw: Connection = await connectRedis('query', server.url);
const { redis } = raw;
t.teardown(async () => {
  await raw.close();
  await server.stop();
});

const open = (t: Test, options: Partial<ConnectOptions> & { shards?: number } = {}): Promise<TrialSpace> =>
  TrialSpace.open(t, redis, { url: server.url, ...options });

const A = actorId('act_a');
const B = actorId('act_b');
const ids = (count: number): readonly string[] => Array.from({ length: count }, (_, i) => String(i));

/** A partner whose calls are noted, and answered as told: by the number of the call, beginning with 1. */
function partner(answer: (call: EffectCall, number: number) => EffectOutcome | Promise<EffectOutcome>) {
  const calls: EffectCall[] = [];
  const registration = effect(
    async (call) => {
      calls.push(call);
      return await answer(call, calls.length);
    },
    { policy: { timeoutMs: 5_000, firstDelayMs: 10, maxDelayMs: 20, attempts: 6 } },
  );
  return { calls, registration };
}

/** A promise to be resolved from outside. */
function gate<T = void>(): { readonly opened: Promise<T>; open(value: T): void } {
  let open: (value: T) => void = () => undefined;
  const opened = new Promise<T>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

// --- Time: T1, T2 ------------------------------------------------------------------------------------------------------

t.test('T1: a timer armed before all workers stopped fires once after they start again', async (t) => {
  const space = await open(t);
  const first = await space.host();
  await space.ask(A, { type: 'ARM' });
  const [row] = await space.client.timers();
  await first.stop();
  await space.until('it is overdue', () => space.client.now() > (row?.dueAt ?? 0));
  t.equal((await space.client.read(A))?.value, 'armed');
  await Promise.all([space.host(), space.host()]);
  await space.reaches(A, 'fired');
  t.same(await space.history(A), ['moved 1', 'moved 2', 'moved 3']);
  t.equal(await space.count(A), 1);
  const fired = (await space.client.history(A)).at(-1);
  t.ok((fired?.at ?? 0) >= (row?.dueAt ?? 0), 'and not early');
});

t.test(
  'T1: overdue timers of many actors fire once each, in portions, and messages get their turn in between',
  async (t) => {
    const space = await open(t, { shards: 1 });
    const actors = ids(150).map((id) => actorId(`act_${id}`));
    const first = await space.host();
    await Promise.all(actors.map((actor) => space.ask(actor, { type: 'ARM' })));
    await first.stop();
    await space.until(
      'all are overdue',
      async () => ((await space.client.timers({ limit: 1_000 })).at(-1)?.dueAt ?? 0) < space.client.now(),
    );
    const overdue = (await space.client.timers({ limit: 1_000 })).length;
    const second = await space.host();
    const answer = await space.ask(B, { type: 'ADD', id: 'x' });
    t.equal(answer.kind, 'applied');
    await space.until('all have fired', async () => (await space.client.timers()).length === 0);
    await space.until('they are counted', () => second.counters.timers >= overdue);
    t.equal(second.counters.timers, overdue);
    t.same(new Set(await Promise.all(actors.map((actor) => space.count(actor)))), new Set([1]));
  },
);

t.test('T1: a timer that is cancelled or armed again fires by its last arming only', async (t) => {
  const space = await open(t);
  await space.host();
  await space.ask(A, { type: 'ARM' });
  await space.ask(A, { type: 'DISARM' });
  await space.ask(B, { type: 'ARM' });
  await space.ask(B, { type: 'ARM' });
  const [row, ...others] = await space.client.timers();
  t.same(others, [], 'one is armed');
  await space.reaches(B, 'fired');
  const fired = (await space.client.history(B)).at(-1);
  t.ok((fired?.at ?? 0) >= (row?.dueAt ?? 0));
  t.equal(await space.count(B), 1);
  t.match(await space.client.read(A), { value: 'open', context: { count: 0 } });
});

t.test(
  'T1: a timer that arms itself again goes on, and a delayed raise leaves nothing behind when it has fired',
  async (t) => {
    const space = await open(t);
    await space.host();
    await space.ask(A, { type: 'TICK' });
    await space.until('it ticks', async () => Number(await space.count(A)) >= 3);
    await space.ask(A, { type: 'DISARM' });
    t.same(await space.client.timers(), []);
    await space.ask(B, { type: 'REMIND' });
    await space.until('it chimes', async () => (await space.count(B)) === 1);
    const stored = JSON.parse((await redis.hget(space.keys(B).actor(B), 'rec')) ?? '{}') as JsonObject;
    t.same(stored.timers, {}, 'the record forgets it');
    await space.ask(B, { type: 'REMIND' });
    await space.until('it chimes again', async () => (await space.count(B)) === 2);
  },
);

t.test(
  'T1: after an outage a timer keeps its deadline, what remained of it, or begins again, as its delay says',
  async (t) => {
    const space = await open(t, { shards: 1 });
    const actors = { deadline: actorId('act_1'), remaining: actorId('act_2'), restart: actorId('act_3') };
    const first = await space.host();
    await space.ask(actors.deadline, { type: 'WAIT' });
    await space.ask(actors.remaining, { type: 'NAP' });
    await space.ask(actors.restart, { type: 'REST' });
    const dues = async () => new Map((await space.client.timers()).map(({ actor, dueAt }) => [actor, dueAt]));
    const before = await dues();
    await first.stop();
    const { owner } = space.keys(A);
    const line = ((await redis.hget(owner, 'line')) ?? '').split(' '); // Head, last call, read, parked, alive.
    line[4] = String(Number(line[4]) - outageMs - 5_000); // As if nobody had been there for so long.
    await redis.hset(owner, 'line', line.join(' '));
    const started = space.client.now();
    await space.host();
    const after = await dues();
    const moved = (actor: ActorId): number => (after.get(actor) ?? 0) - (before.get(actor) ?? 0);
    t.equal(moved(actors.deadline), 0);
    t.ok(moved(actors.remaining) >= outageMs + 5_000, `moved by ${moved(actors.remaining)} ms`);
    t.ok((after.get(actors.restart) ?? 0) >= started + 60_000 - 50, 'a whole delay from now on');
  },
);

t.test('T2: a wall clock that jumps by two hours makes no timer early, late or double', async (t) => {
  const space = await open(t);
  const worker = await space.host();
  const wall = Date as { now: () => number }; // Everything in this process sees the jump, the server does not.
  const honest = wall.now;
  t.teardown(() => {
    wall.now = honest;
  });
  for (const [index, jump] of [7_200_000, -7_200_000].entries()) {
    const actor = actorId(`act_${index}`);
    await space.ask(actor, { type: 'ARM' });
    const [row] = await space.client.timers();
    wall.now = () => honest() + jump;
    await space.reaches(actor, 'fired');
    const fired = (await space.client.history(actor)).at(-1)?.at ?? 0;
    t.ok(
      fired >= (row?.dueAt ?? 0) && fired < (row?.dueAt ?? 0) + 5_000,
      `fired ${fired - (row?.dueAt ?? 0)} ms after it was due`,
    );
    await space.ask(actor, { type: 'DISARM' });
    t.equal(await space.count(actor), 1);
  }
  t.equal(worker.shards().length, 2, 'and no shard was lost over it');
});

// --- Effects: E1 to E3 -------------------------------------------------------------------------------------------------

t.test(
  'E1: an outcome that is unknown is asked again under the same key, and is never taken for a failure',
  async (t) => {
    const space = await open(t);
    const { calls, registration } = partner(async ({ key, attempt, actor }, number) => {
      const stored = await redis.hget(space.keys(actor).attempts, key);
      if (stored !== `${attempt}r`) throw new Error(`attempt ${attempt} is not written: ${stored}`);
      if (number === 1) return { kind: 'unknown', reason: 'the reply was lost' };
      if (number === 2) throw new Error('the handler broke');
      return { kind: 'done', output: 'card-1' };
    });
    await space.host(trialChart({ partner: registration }));
    await space.ask(A, { type: 'WORK', id: 'x' });
    await space.reaches(A, 'worked');
    t.same(
      calls.map(({ attempt }) => attempt),
      [1, 2, 3],
      'written before each call is made',
    );
    t.same(new Set(calls.map(({ key }) => key)).size, 1);
    t.match(calls[0]?.key, /^act_a:2:0:[0-9a-f]{12}$/, 'E2: actor, sequence, index, digest');
    t.same(await space.history(A), ['moved 1', 'moved 2', 'moved 3']);
  },
);

t.test('E1: a clear no and an exhausted policy are told to the chart, once', async (t) => {
  const space = await open(t);
  const { calls, registration } = partner(({ actor }) =>
    actor === A ? { kind: 'failed', error: { code: 'no' } } : { kind: 'unknown', reason: 'no answer' },
  );
  await space.host(trialChart({ partner: registration }));
  await Promise.all([space.ask(A, { type: 'WORK', id: 'x' }), space.ask(B, { type: 'WORK', id: 'y' })]);
  await Promise.all([space.reaches(A, 'failed'), space.reaches(B, 'failed')]);
  t.equal(calls.filter(({ actor }) => actor === A).length, 1);
  t.equal(calls.filter(({ actor }) => actor === B).length, 6, 'as often as the policy says');
  t.match((await space.client.history(B)).at(-1)?.event, { error: { code: 'exhausted', attempts: 6 } });
});

t.test(
  'E1: a call whose state was left runs to its outcome, which is late: journaled, and followed up by its handler',
  async (t) => {
    const space = await open(t, { shards: 1 });
    const answer = gate<EffectOutcome>();
    const undone: JsonObject[] = [];
    const { calls, registration } = partner(() => answer.opened);
    const post = effect(async ({ input }) => {
      undone.push(input);
      return { kind: 'done' };
    });
    const late = {
      ...registration,
      onLate: (_: EffectOutcome, input: JsonObject) => ({ effect: 'post', input: { id: `undo ${input.id}` } }),
    };
    await space.host(trialChart({ partner: late, post }));
    await space.ask(A, { type: 'WORK', id: 'x' });
    await space.until('it is called', () => calls.length === 1);
    await space.ask(A, { type: 'LEAVE' });
    answer.open({ kind: 'done', output: 'card-1' });
    await space.until('the follow-up ran', () => undone.length === 1);
    t.same(undone, [{ id: 'undo x' }]);
    await space.settled();
    t.match(await space.client.read(A), { value: 'open', version: 3 });
    t.same(await space.history(A), ['moved 1', 'moved 2', 'moved 3', 'late 3']);
    t.same(await redis.exists(space.keys(A).attempts), 0);
  },
);

t.test('E1: a late outcome may be told to its actor as an event', async (t) => {
  const space = await open(t, { shards: 1 });
  const answer = gate<EffectOutcome>();
  const { calls, registration } = partner(() => answer.opened);
  await space.host(trialChart({ partner: { ...registration, onLate: () => ({ event: { type: 'POSTED' } }) } }));
  await space.ask(A, { type: 'WORK', id: 'x' });
  await space.until('it is called', () => calls.length === 1);
  await space.ask(A, { type: 'LEAVE' });
  answer.open({ kind: 'failed', error: { code: 'no' } });
  await space.until('it hears of it', async () => (await space.count(A)) === 1);
  t.same(await space.history(A), ['moved 1', 'moved 2', 'moved 3', 'late 3', 'moved 4']);
});

t.test('E1: an outcome of an earlier call is not taken for the one that the state waits for now', async (t) => {
  const space = await open(t, { shards: 1 });
  const [first, second] = [gate<EffectOutcome>(), gate<EffectOutcome>()];
  const { calls, registration } = partner((_, number) => (number === 1 ? first.opened : second.opened));
  await space.host(trialChart({ partner: registration }));
  await space.ask(A, { type: 'WORK', id: '1' });
  await space.until('it is called', () => calls.length === 1);
  await space.ask(A, { type: 'WORK', id: '2' }); // Leaves and enters the state again.
  await space.until('it is called again', () => calls.length === 2);
  t.not(calls[0]?.key, calls[1]?.key);
  first.open({ kind: 'done', output: 'old' });
  await space.until('it is late', async () => (await space.history(A)).includes('late 3'));
  t.equal((await space.client.read(A))?.value, 'working');
  second.open({ kind: 'done', output: 'new' });
  await space.reaches(A, 'worked');
  t.equal(await space.count(A), 1);
});

t.test(
  'E2: a call that a stopped worker left open is made again by the next owner at once, under the same key',
  async (t) => {
    const space = await open(t);
    const { calls, registration } = partner((_, number) =>
      number === 1 ? new Promise(() => undefined) : { kind: 'done', output: '' },
    );
    const first = await space.host(trialChart({ partner: registration }));
    await space.ask(A, { type: 'WORK', id: 'x' });
    await space.until('it is called', () => calls.length === 1);
    await first.stop();
    t.ok(calls[0]?.signal.aborted, 'who waits for the partner is told to give up');
    await space.host(trialChart({ partner: registration }));
    await space.reaches(A, 'worked');
    t.same(
      calls.map(({ attempt }) => attempt),
      [1, 2],
    );
    t.equal(calls[0]?.key, calls[1]?.key);
  },
);

t.test('E2: a worker that claims its own shard anew takes up its open calls again, under the same key', async (t) => {
  const space = await open(t, { shards: 1 });
  const { calls, registration } = partner((_, number) =>
    number === 1 ? new Promise(() => undefined) : { kind: 'done', output: '' },
  );
  const proxy = await startRedisProxy(server);
  t.teardown(() => proxy.close());
  await space.host(trialChart({ partner: registration }), { url: proxy.url });
  await space.ask(A, { type: 'WORK', id: 'x' });
  await space.until('it is called', () => calls.length === 1);
  const lost = proxy.loseReplyOf('emboss_v1_commit');
  await space.ask(B, { type: 'ADD', id: 'x' });
  await lost;
  await space.until('it is called again', () => calls.length === 2, { deadlineMs: 2_000 });
  await space.reaches(A, 'worked');
  t.equal(calls[0]?.key, calls[1]?.key);
});

t.test(
  'E2: an action and its outcome belong to their own chart, where two charts of a host use one name',
  async (t) => {
    const space = await open(t, { shards: 1 });
    const ran: string[] = [];
    const noted = (chart: string) =>
      effect(
        async () => {
          ran.push(chart);
          return { kind: 'done' };
        },
        { onDone: () => ({ type: 'POSTED' }) },
      );
    const other = { ...trialChart({ post: noted('other') }), name: 'other' };
    await space.host(trialChart({ post: noted('tally') }), { charts: [trialChart({ post: noted('tally') }), other] });
    await space.ask(A, { type: 'POST', id: 'x' });
    await space.client.ask({
      actor: B,
      event: { type: 'POST', id: 'y' },
      messageId: 'b',
      create: { machine: 'other', input: {} },
    });
    await space.until('both hear of it', async () => (await space.count(A)) === 1 && (await space.count(B)) === 1);
    t.same(ran.sort(), ['other', 'tally']);
  },
);

t.test(
  'E3: a dependency that fails is left alone by all workers; its calls wait, and nobody else waits with them',
  async (t) => {
    const space = await open(t, { shards: 1 });
    let up = false;
    const answer = gate<EffectOutcome>();
    const { calls, registration } = partner(() => (up ? answer.opened : { kind: 'unknown', reason: 'down' }));
    const guarded = { ...registration, circuit: 'bureau', policy: { ...registration.policy, attempts: 100 } };
    await space.host(trialChart({ partner: guarded }));
    const actors = ids(150).map((id) => actorId(`act_${id}`));
    await Promise.all(actors.map((actor) => space.ask(actor, { type: 'WORK', id: 'x' })));
    await space.until('it opens', async () => (await space.client.circuits())[0]?.state === 'open');
    let last = -1;
    const isSame = (): boolean => {
      const same = last === calls.length;
      last = calls.length;
      return same;
    };
    await space.until('the calls under way have ended', isSame, { everyMs: 300 });
    const before = calls.length;
    await space.ask(B, { type: 'ARM' });
    await space.reaches(B, 'fired');
    t.equal(calls.length, before, 'nobody called it meanwhile');
    t.same(
      new Set((await space.client.readMany(actors)).map((view) => view?.value)),
      new Set(['working']),
      'they wait',
    );

    const { timers } = space.keys(A);
    up = true;
    await redis.hset(namespaceKeys(space.client.namespace).circuit('bureau'), 'since', '1', 'probe', '1'); // Its rest is over.
    for (const member of await redis.zrange(timers, '0', '-1')) await redis.zadd(timers, '1', member);
    await space.ask(B, { type: 'ARM' }); // The next look at what is due.
    await space.until('each was looked at', async () => (await redis.zcount(timers, '-inf', '1')) === 0);
    await space.until('the probe is under way', () => calls.length > before);
    t.equal(calls.length, before + 1, 'one probe goes through, however many wait');
    answer.open({ kind: 'done', output: '' });
    await space.until('its good end closes it', async () => (await space.client.circuits())[0]?.state === 'closed');
  },
);
