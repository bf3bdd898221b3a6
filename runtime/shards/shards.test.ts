// Goal: the laws of shard ownership. Method: pure parts against naive oracles and seeded histories; the rest on private
// Redis servers, with workers in this process whose connections are cut to crash them, and child processes for the watchdog.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import t from 'tap';
import { type Clock, pause, systemClock } from '../clock.ts';
import type { OperatingError } from '../errors.ts';
import { loadLibrary } from '../functions/library.ts';
import { type ActorId, namespace, type ShardIndex, shardIndex, workerId } from '../ids.ts';
import { type Connection, openConnection } from '../redis/connection.ts';
import { connect } from '../redis/connector.ts';
import { namespaceKeys, shardKeys } from '../redis/keys.ts';
import { seeded } from '../statechart/oracle.ts';
import { type RedisServer, startRedis } from '../testing/redis-server.ts';
import { type Assignment, planAssignment, withPin } from './assignment.ts';
import { agreeConfig, readConfig } from './config.ts';
import { type Detector, deadlineDetector, phiDetector } from './detector.ts';
import { createHasher } from './hash.ts';
import { createLeases } from './lease.ts';
import { SHARD_LIMITS, type ShardLimits } from './limits.ts';
import { createObserver } from './liveness.ts';
import type { MemberView } from './membership.ts';
import { createOwnership, type LostReason, type Ownership } from './ownership.ts';
import { connectLockMasters } from './redlock.ts';
import { createRing, type Placement, type RingMember } from './ring.ts';
import { createServerClock } from './server-clock.ts';

const hasher = await createHasher();
const seed = Number(process.env.SEED ?? 20_260_211);

const quick: ShardLimits = {
  ...SHARD_LIMITS,
  leaseMs: 900,
  renewMs: 200,
  marginMs: 150,
  heartbeatMs: 50,
  peekMs: 25,
  suspectMs: 300,
  deadMs: 700,
  lockRetryMs: 20,
  openRetryMs: 30,
  identityMs: 100,
  leaveMs: 5_000,
};

// --- Hash and ring ---------------------------------------------------------------------------------------------------

t.test('L1: the hash is xxHash64 with seed 0 and spreads 100,000 ids evenly over 64 shards', async (t) => {
  t.equal(hasher.hash64(''), 0xef46db3751d8e999n, 'the published test vector');
  const counts = new Array<number>(64).fill(0);
  for (let i = 0; i < 100_000; i += 1) {
    const shard = hasher.shardOf(`ord_${i.toString(36)}` as ActorId, 64);
    counts[shard] = (counts[shard] ?? 0) + 1;
  }
  const expected = 100_000 / 64;
  const chiSquare = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
  t.ok(chiSquare < 103.4, `chi-square ${chiSquare.toFixed(1)} over 63 degrees of freedom, below the 0.1 % bound`);
});

const member = (name: string, weight = 1): RingMember => ({ worker: workerId(name), weight });
const equalMembers = (count: number): RingMember[] =>
  Array.from({ length: count }, (_, i) => member(`ordering.${i + 1}`));
const loadsOf = ({ owners }: Placement, members: readonly RingMember[]): number[] =>
  members.map(({ worker }) => owners.filter((owner) => owner === worker).length);
const movedBetween = (a: Placement, b: Placement): number =>
  a.owners.filter((owner, i) => owner !== b.owners[i]).length;

t.test('L1: with 4 equal workers none owns more than 17 of 64, and every worker computes the same', async (t) => {
  const members = equalMembers(4);
  const placed = createRing(hasher.hash64).assign({ shards: 64, members });
  t.ok(Math.max(...loadsOf(placed, members)) <= 17, `loads ${loadsOf(placed, members)}`);
  const reversed = createRing(hasher.hash64).assign({ shards: 64, members: [...members].reverse() });
  t.same(reversed, placed, 'whatever order the members come in');
  t.notOk(placed.owners.includes(null));
});

t.test('L1: over 1,000 random histories a join or leave moves at most its share, rounded up, plus one', async (t) => {
  t.comment(`seed ${seed}`);
  const random = seeded(seed);
  const ring = createRing(hasher.hash64);
  const pick = (n: number): number => Math.floor(random() * n);
  const worst = { moves: 0, load: 0 };
  for (let history = 0; history < 1_000; history += 1) {
    let members = equalMembers(1 + pick(8));
    let placed = ring.assign({ shards: 64, members });
    for (let step = 0; step < 5; step += 1) {
      const joins = members.length === 1 || (members.length < 16 && random() < 0.5);
      const absent = equalMembers(16).filter(({ worker }) => !members.some((other) => other.worker === worker));
      const next = joins
        ? [...members, absent[pick(absent.length)] as RingMember]
        : members.toSpliced(pick(members.length), 1);
      const after = ring.assign({ shards: 64, members: next, previous: placed });
      const share = Math.ceil(64 / Math.max(members.length, next.length));
      const moves = movedBetween(placed, after) - share;
      const load = Math.max(...loadsOf(after, next)) - Math.ceil(64 / next.length);
      worst.moves = Math.max(worst.moves, moves);
      worst.load = Math.max(worst.load, load);
      if (moves > 1 || load > 1)
        return t.fail(`history ${history}, step ${step}: ${moves} moves and ${load} shards too many`);
      members = next;
      placed = after;
    }
  }
  t.pass(`at worst ${worst.moves} moves above the share and ${worst.load} shards above the fair load`);
});

t.test('L1: a worker that was gone gets its own shards back', async (t) => {
  const ring = createRing(hasher.hash64);
  for (const count of [2, 3, 4, 7]) {
    const members = equalMembers(count);
    const before = ring.assign({ shards: 64, members });
    for (const { worker } of members) {
      const without = ring.assign({
        shards: 64,
        members: members.filter((other) => other.worker !== worker),
        previous: before,
      });
      t.same(ring.assign({ shards: 64, members, previous: without }).owners, before.owners, `${worker} of ${count}`);
    }
  }
});

t.test('L1: weights and pins are respected within the bound', async (t) => {
  const ring = createRing(hasher.hash64);
  const members = [member('ordering.1', 3), member('ordering.2', 1), member('ordering.3', 0.5)];
  const loads = loadsOf(ring.assign({ shards: 64, members }), members);
  for (const [i, share] of [(64 * 3) / 4.5, 64 / 4.5, 32 / 4.5].entries())
    t.ok((loads[i] ?? 99) <= Math.ceil(share) + 1, `load ${loads[i]} of share ${share}`);
  t.equal(
    loads.reduce((a, b) => a + b),
    64,
  );
  const four = equalMembers(4);
  const pins = new Map([
    [7, workerId('ordering.2')],
    [8, workerId('ordering.2')],
    [9, workerId('ordering.99')],
  ]);
  const pinned = ring.assign({ shards: 64, members: four, previous: ring.assign({ shards: 64, members: four }), pins });
  t.equal(pinned.owners[7], 'ordering.2');
  t.equal(pinned.owners[8], 'ordering.2');
  t.ok(Math.max(...loadsOf(pinned, four)) <= 18, 'a pin to a worker that is not there is ignored');
  const all = new Map(Array.from({ length: 64 }, (_, i) => [i, workerId('ordering.1')]));
  t.equal(loadsOf(ring.assign({ shards: 64, members: four, pins: all }), four)[0], 64, 'pins come before the bound');
});

// --- Time and liveness -----------------------------------------------------------------------------------------------

t.test(
  'T2: a wall clock that jumps by two hours moves neither the estimate of server time nor a judgement',
  async (t) => {
    const clock = fakeClock();
    const estimate = createServerClock(clock);
    t.throws(() => estimate.now(), /T2/);
    const server = 1_700_000_000_000;
    estimate.sample(server, clock.monotonic() - 2, clock.monotonic());
    const first = estimate.now();
    for (const jump of [7_200_000, -14_400_000, 7_200_000]) {
      clock.jumpWall(jump);
      clock.advance(1_000);
    }
    t.equal(estimate.now() - first, 3_000);

    const observer = createObserver(SHARD_LIMITS);
    const sign = { worker: 'ordering.1', mark: 'a:1', connection: 'open' } as const;
    observer.observe([sign], clock.monotonic());
    clock.jumpWall(7_200_000);
    clock.advance(250);
    t.equal(observer.observe([sign], clock.monotonic()).get('ordering.1')?.liveness, 'alive');
  },
);

t.test('T2: samples with a long round trip are put aside, unless none is better', async (t) => {
  const clock = fakeClock();
  const estimate = createServerClock(clock);
  estimate.sample(5_000, 900, 1_000);
  t.equal(estimate.quality, 'poor', 'better than nothing');
  estimate.sample(clock.monotonic() + 10_000, clock.monotonic() - 4, clock.monotonic());
  t.equal(estimate.quality, 'good');
  const good = estimate.now() - clock.monotonic();
  for (let i = 0; i < 7; i += 1)
    estimate.sample(clock.monotonic() + 99_999, clock.monotonic() - 100, clock.monotonic());
  t.equal(estimate.now() - clock.monotonic(), good, 'seven poor ones move nothing');
  estimate.sample(clock.monotonic() + 99_999, clock.monotonic() - 50, clock.monotonic());
  t.equal(estimate.quality, 'poor');
  t.not(estimate.now() - clock.monotonic(), good, 'after eight the best of them counts');
  const before = estimate.now();
  estimate.sample(before - 500, clock.monotonic(), clock.monotonic());
  t.equal(estimate.now(), before, 'a small correction never turns time back');
});

t.test('L1: a silent member is suspected, then dead; an observer that slept accuses nobody', async (t) => {
  const observer = createObserver(SHARD_LIMITS);
  const level = (mark: string, at: number): string | undefined =>
    observer.observe([{ worker: 'ordering.1', mark, connection: 'unknown' }], at).get('ordering.1')?.liveness;
  t.equal(level('a:1', 0), 'alive');
  t.equal(level('a:2', 250), 'alive');
  t.equal(level('a:2', 60_250), 'alive', 'our own pause of a minute counts as two beats');
  let at = 60_250;
  const heard: (string | undefined)[] = [];
  for (let i = 0; i < 12; i += 1) {
    at += 250;
    heard.push(level('a:2', at));
  }
  t.equal(heard[3], 'suspect');
  t.equal(heard.at(-1), 'dead');
  t.equal(level('b:1', at + 250), 'alive', 'a new process under the id is alive at once');

  const others = createObserver(SHARD_LIMITS).observe(
    [
      { worker: 'ordering.2', mark: 'x:9', connection: 'closed' },
      { worker: 'ordering.3', mark: 'y:9', connection: 'unknown' },
    ],
    0,
  );
  t.match(others.get('ordering.2'), { liveness: 'dead' }, 'the server knows that its connection is closed');
  t.match(others.get('ordering.3'), { liveness: 'alive', proven: false }, 'found, not heard');

  const closed = createObserver(SHARD_LIMITS);
  const seen = (mark: string, connection: 'open' | 'closed' | 'unknown', at: number) =>
    closed.observe([{ worker: 'ordering.1', mark, connection }], at).get('ordering.1');
  seen('a:1', 'open', 0);
  t.match(seen('a:2', 'unknown', 250), { liveness: 'alive', gone: false });
  t.match(seen('a:2', 'closed', 500), { liveness: 'alive', gone: false }, 'it may be about to reconnect');
  t.match(seen('a:2', 'closed', 750), { liveness: 'dead', gone: true });
  t.match(seen('a:3', 'unknown', 1_000), { liveness: 'alive', gone: false }, 'it did reconnect');
});

/** Pauses between beats of 250 ms, as machines make them: a little jitter, a busy one, one that collects garbage at length. */
const habits: { readonly [name: string]: (random: () => number) => number } = {
  calm: (random) => 250 * (0.9 + random() * 0.2),
  busy: (random) => 250 - 120 * Math.log(1 - random()),
  pausing: (random) => (random() < 0.004 ? 1_000 + random() * 1_700 : 250 * (0.9 + random() * 0.4)),
};

interface Watched {
  /** Times it was called dead and beat again, per 100,000 beats. */
  readonly falsely: number;
  /** Mean and longest time from the last beat to the verdict, over the runs. ms */
  readonly mean: number;
  readonly longest: number;
}

/** Runs of 3,000 beats, each ended by a crash, heard by an observer that looks every 250 ms, give or take a fifth. */
function watched(detectorOf: (limits: ShardLimits) => Detector, pauseOf: (random: () => number) => number): Watched {
  const [runs, beats] = [10, 3_000];
  const random = seeded(seed);
  const waits: number[] = [];
  let falsely = 0;
  for (let run = 0; run < runs; run += 1) {
    const observer = createObserver(SHARD_LIMITS, detectorOf);
    let [at, heard, beat, wasDead] = [0, pauseOf(random), 1, false];
    for (let crashedAt = 0; crashedAt === 0 || !wasDead; ) {
      at += 250 * (0.8 + random() * 0.4);
      for (; beat < beats && heard <= at; beat += 1) heard += pauseOf(random);
      if (beat === beats && crashedAt === 0) crashedAt = heard;
      const sign = { worker: 'ordering.1', mark: `a:${beat}`, connection: 'unknown' } as const;
      const isDead = observer.observe([sign], at).get('ordering.1')?.liveness === 'dead';
      if (isDead && !wasDead && crashedAt === 0) falsely += 1;
      wasDead = isDead;
      if (isDead && crashedAt > 0) waits.push(at - crashedAt);
    }
  }
  const mean = waits.reduce((a, b) => a + b) / waits.length;
  return { falsely: (falsely * 100_000) / (runs * beats), mean, longest: Math.max(...waits) };
}

t.test('L1: the learning detector is sooner than fixed deadlines, and knows a member by its pauses', async (t) => {
  t.comment(`seed ${seed}`);
  const tight = (limits: ShardLimits): Detector =>
    deadlineDetector({ ...limits, deadMs: limits.leaseMs - limits.renewMs });
  for (const [habit, pauseOf] of Object.entries(habits)) {
    const [learning, fixed, short] = [
      watched(phiDetector, pauseOf),
      watched(deadlineDetector, pauseOf),
      watched(tight, pauseOf),
    ];
    const words = ({ falsely, mean, longest }: Watched) =>
      `${falsely.toFixed(0)} false of 100,000 beats, dead after ${mean.toFixed(0)} ms, at most ${longest.toFixed(0)}`;
    for (const [name, one] of Object.entries({ learning, fixed, short })) t.comment(`${habit}, ${name}: ${words(one)}`);
    const latest = SHARD_LIMITS.deadMs + 2 * SHARD_LIMITS.heartbeatMs;
    t.ok(learning.longest <= latest, `${habit}: never later than the limit and a look`);
    if (habit === 'pausing') {
      t.ok(learning.falsely <= short.falsely / 2, 'of long pauses it has met it thinks of another one');
      continue;
    }
    t.equal(learning.falsely, 0, `${habit}: nobody alive is called dead`);
    t.ok(fixed.mean - learning.mean > 600, `${habit}: sooner by more than half a second`);
  }

  // A member heard for a minute, then silent: how the level grows with phi.
  const detector = phiDetector(SHARD_LIMITS);
  for (let beat = 0; beat < 240; beat += 1) detector.heard(beat % 2 === 0 ? 240 : 260);
  const grown = [250, 500, 1_000, 2_000, 2_300].map((silentMs) => detector.level(silentMs));
  t.same(grown, ['alive', 'alive', 'suspect', 'suspect', 'dead']);
  t.ok(detector.phi(250) < 1 && detector.phi(1_000) > 5 && detector.phi(60_000) === 99);
});

const view = (name: string, extra: Partial<MemberView> = {}): MemberView => ({
  ...{ worker: workerId(name), incarnation: name, seq: 1, state: 'active', weight: 1, startedAt: 0, version: '' },
  ...{ server: '', client: 0, stats: {}, liveness: 'alive', silentMs: 0, phi: 0, gone: false, proven: true },
  ...extra,
});

t.test(
  'L1: a pin moves its shard and at most one other, counts for the next assignments, and is freed again',
  async (t) => {
    const ring = createRing(hasher.hash64);
    const [one, two] = [workerId('ordering.1'), workerId('ordering.2')];
    const members = [view(one), view(two)];
    const plan = (current: Assignment | undefined, present = members): Assignment | undefined =>
      planAssignment({ ring, shards: 16, current, members: present, by: one, nonce: 'n' });
    const first = plan(undefined) as Assignment;
    const shard = first.owners.indexOf(one);
    const pinned = withPin(first, { shard, worker: two, by: one, nonce: 'p' }) as Assignment;
    t.equal(withPin(pinned, { shard, worker: two, by: one, nonce: 'q' }), undefined, 'twice is once');
    const moved = plan(pinned) as Assignment;
    t.equal(moved.owners[shard], two);
    const others = moved.owners.filter((owner, i) => i !== shard && owner !== first.owners[i]);
    t.ok(others.length <= 1, 'one may make room for it');
    const alone = plan(moved, [view('ordering.1')]) as Assignment;
    t.equal(alone.owners[shard], one, 'a pin to somebody who is not there holds nothing up');
    t.equal(plan(alone)?.owners[shard], two, 'it is back with its worker when that one is');
    const freed = withPin(moved, { shard, worker: undefined, by: one, nonce: 'f' }) as Assignment;
    t.same([freed.pins, freed.version], [{}, moved.version + 1]);
  },
);

t.test('L1: observers that disagree on a death do not publish back and forth', async (t) => {
  const ring = createRing(hasher.hash64);
  const plan = (current: Assignment | undefined, members: MemberView[]): Assignment | undefined =>
    planAssignment({ ring, shards: 64, current, members, by: workerId('ordering.1'), nonce: 'n' });

  const first = plan(undefined, [view('ordering.1'), view('ordering.2')]);
  t.match(first, { version: 1 });
  t.equal(plan(first, [view('ordering.2'), view('ordering.1')]), undefined, 'the same members: nothing to publish');
  const struck = plan(first, [view('ordering.1'), view('ordering.2', { liveness: 'dead' })]);
  t.equal(struck?.owners.filter((owner) => owner === 'ordering.1').length, 64);
  t.equal(plan(struck, [view('ordering.1'), view('ordering.2')]), undefined, 'whoever heard nothing newer agrees');
  let back = struck;
  for (let next = struck, steps = 0; next !== undefined; steps += 1) {
    const moved = next.owners.filter((owner, shard) => owner !== back?.owners[shard]).length;
    t.ok(moved <= 4 && steps <= 8, 'few shards move at a time');
    back = next;
    next = plan(next, [view('ordering.1'), view('ordering.2', { seq: 2 })]);
  }
  t.same(back?.owners, first?.owners, 'a newer sign of life brings it back, to its own shards');
  t.equal(
    plan(first, [view('ordering.1'), view('ordering.2'), view('ordering.9', { proven: false })]),
    undefined,
    'a found entry gains nothing',
  );
  t.equal(plan(first, [view('ordering.1'), view('ordering.2', { proven: false })]), undefined, 'and keeps what it has');
  t.equal(
    plan(first, [view('ordering.1', { state: 'leaving' }), view('ordering.2', { state: 'leaving' })]),
    undefined,
    'with nobody left it stays written',
  );
  t.notOk(
    plan(first, [view('ordering.1', { state: 'leaving' }), view('ordering.2')])?.owners.includes(
      workerId('ordering.1'),
    ),
  );
});

t.test('L1: a worker that is away keeps its shards and gains none, however long it asks for', async (t) => {
  const ring = createRing(hasher.hash64);
  const plan = (current: Assignment | undefined, members: MemberView[]): Assignment | undefined =>
    planAssignment({ ring, shards: 12, current, members, by: workerId('ordering.1'), nonce: 'n' });
  const [one, two, three] = [view('ordering.1'), view('ordering.2'), view('ordering.3')];
  const away = view('ordering.2', { state: 'away', holdMs: 5_000 });
  const first = plan(undefined, [one, two, three]) as Assignment;
  const of = (worker: string, { owners }: Assignment) => owners.flatMap((owner, i) => (owner === worker ? [i] : []));
  t.equal(plan(first, [one, away, three]), undefined, 'nothing moves');
  const orphaned = plan(first, [one, away, { ...three, liveness: 'dead' }]) as Assignment;
  t.same(of('ordering.2', orphaned), of('ordering.2', first));
  t.equal(of('ordering.1', orphaned).length, 8, 'orphans go to whoever is there');
  const given = plan(first, [one, { ...away, liveness: 'dead' }, three]) as Assignment;
  t.same(of('ordering.2', given), []);
  t.equal(plan(given, [one, away, three]), undefined, 'who has not counted to the end yet agrees');
  t.equal(plan(first, [{ ...one, state: 'leaving' }, away]), undefined, 'nobody is there: it stays written');
  const joined = plan(first, [one, away, three, view('ordering.4')]) as Assignment | undefined;
  t.same(of('ordering.2', joined ?? first), of('ordering.2', first), 'a newcomer takes none of them');

  const observer = createObserver(SHARD_LIMITS);
  const level = (holdMs: number, at: number) =>
    observer.observe([{ worker: 'ordering.2', mark: 'a:1', connection: 'closed', holdMs }], at).get('ordering.2');
  t.match(level(60_000, 0), { liveness: 'alive', gone: false }, 'a newcomer counts from when it came');
  for (let at = 250; at < SHARD_LIMITS.restartMs; at += 250) t.match(level(60_000, at), { liveness: 'alive' });
  t.match(level(60_000, SHARD_LIMITS.restartMs), { liveness: 'dead', gone: true });
});

// --- On a real server ------------------------------------------------------------------------------------------------

const server = await startRedis();
const admin = await connect('query', server.url);
await loadLibrary(admin.redis);
t.teardown(async () => {
  await admin.close();
  await server.stop();
});

t.test('L1: shards, hash and time scale are recorded at first start; another number refuses to start', async (t) => {
  const ns = namespace('cfg');
  t.equal(await readConfig(admin, ns), undefined);
  await Promise.all([
    agreeConfig(admin, ns, { shards: 64, timeScale: 1 }),
    agreeConfig(admin, ns, { shards: 64, timeScale: 1 }),
  ]);
  await agreeConfig(admin, ns, { shards: 64, timeScale: 1 });
  t.match(await readConfig(admin, ns), { shards: 64, timeScale: 1 });
  await t.rejects(agreeConfig(admin, ns, { shards: 32, timeScale: 1 }), {
    code: 'config-mismatch',
    message: /shards 64.*shards 32/,
  });
  await t.rejects(agreeConfig(admin, ns, { shards: 64, timeScale: 60 }), {
    code: 'config-mismatch',
    message: /timeScale 1.*timeScale 60/,
  });
  await t.rejects(agreeConfig(admin, ns, { shards: 0, timeScale: 1 }), { code: 'bad-setting' });
});

t.test(
  'M1: a first start makes every inbox before it records the namespace; one that ends in between does no harm',
  async (t) => {
    const ns = namespace('born');
    const config = { shards: 1_200, timeScale: 1 }; // More than are made at once.
    const inboxes = Array.from({ length: config.shards }, (_, shard) => shardKeys(ns, shard).inbox);
    const made = (): Promise<number> => admin.redis.exists(...inboxes);
    // The process ends at the very write that records the namespace.
    const ending: Connection = {
      ...admin,
      call: (what, run) => (what === 'founding' ? Promise.reject(new Error('ended')) : admin.call(what, run)),
    };
    await t.rejects(agreeConfig(ending, ns, config), { message: 'ended' });
    t.equal(await readConfig(admin, ns), undefined, 'nothing is recorded');
    t.equal(await made(), config.shards, 'and the inboxes are there');
    await admin.redis.del(...inboxes.slice(700)); // As if it had ended half-way.
    await Promise.all([agreeConfig(admin, ns, config), agreeConfig(admin, ns, config), agreeConfig(admin, ns, config)]);
    t.equal(await made(), config.shards, 'who starts next goes on, others at the same time');
    for (const inbox of [inboxes[0], inboxes[1_199]]) {
      t.same(await admin.redis.xinfo('GROUPS', inbox ?? ''), [], 'without a trace of how they were made');
      t.equal(await admin.redis.xadd(inbox ?? '', 'NOMKSTREAM', '0-*', 'h', 'x'), '0-1', 'the first entry is 0-1');
    }
    await agreeConfig(admin, ns, config);
    t.equal(await admin.redis.xlen(inboxes[0] ?? ''), 1, 'a later start leaves them as they are');
    await admin.redis.del(inboxes[5] ?? '');
    await agreeConfig(admin, ns, config);
    t.equal(await made(), config.shards - 1, 'and makes none anew that was lost since');
  },
);

const asker = { holder: 'here', gone: [] };

t.test('L2: a lock of a process that is known to be gone is taken over, any other is waited for', async (t) => {
  const masters = await connectLockMasters([server.url]);
  t.teardown(() => masters.close());
  const [gone, alive] = [
    await masters.tryLock('lock:g', 2_000, asker),
    await masters.tryLock('lock:h', 2_000, { holder: 'her', gone: [] }),
  ];
  t.match([gone, alive], [{ kind: 'granted' }, { kind: 'granted' }]);
  const rival = { holder: 'there', gone: ['nobody', 'here'] };
  t.match(await masters.tryLock('lock:h', 2_000, rival), { kind: 'held' }, 'a name that only begins alike is another');
  t.match(await masters.tryLock('lock:g', 2_000, { ...rival, gone: [] }), { kind: 'held' });
  t.match(await masters.tryLock('lock:g', 2_000, rival), { kind: 'granted' });
  if (gone.kind !== 'granted') return;
  t.equal(await masters.extend(gone.hold, 2_000), 'lost', 'who was taken for gone and is not hears of it');
});

t.test('L2: the lock tells granted, held, lost and unknown apart', async (t) => {
  const masters = await connectLockMasters([server.url]);
  const rival = await connectLockMasters([server.url]);
  t.teardown(() => Promise.all([masters.close(), rival.close()]));
  const granted = await masters.tryLock('lock:a', 2_000, asker);
  if (granted.kind !== 'granted') return t.fail(`got ${granted.kind}`);
  t.match(await rival.tryLock('lock:a', 2_000, asker), { kind: 'held' });
  t.equal(await masters.extend(granted.hold, 2_000), 'extended');

  const wall = Date.now;
  Date.now = () => wall() + 7_200_000;
  const jumped = await masters.extend(granted.hold, 2_000).finally(() => {
    Date.now = wall;
  });
  t.equal(jumped, 'extended', 'T2: a wall clock two hours ahead loses no lock');

  await admin.redis.del('lock:a');
  t.equal(await masters.extend(granted.hold, 2_000), 'extended', 'a master that lost the lock gets it again');
  t.match(await rival.tryLock('lock:a', 2_000, asker), { kind: 'held' });
  await admin.redis.set('lock:a', 'somebody', 'PX', 60_000);
  t.equal(await masters.extend(granted.hold, 2_000), 'lost');
  t.equal(await masters.unlock(granted.hold), false);
  t.equal(await admin.redis.get('lock:a'), 'somebody');
});

t.test(
  'L2: one frozen lock master of three costs a bounded time; without a majority the outcome is unknown',
  async (t) => {
    const servers = await Promise.all([startRedis(), startRedis(), startRedis()]);
    const masters = await connectLockMasters(servers.map(({ url }) => url));
    t.teardown(async () => {
      await masters.close();
      await Promise.all(servers.map((each) => each.kill()));
    });
    servers[0]?.signal('SIGSTOP');
    const started = systemClock.monotonic();
    const granted = await masters.tryLock('lock:b', 3_000, asker);
    if (granted.kind !== 'granted') return t.fail(`got ${granted.kind}`);
    t.equal(await masters.extend(granted.hold, 3_000), 'extended');
    const took = systemClock.monotonic() - started;
    t.ok(took < 1_000, `granted and extended in ${took.toFixed(0)} ms`);

    await servers[1]?.kill();
    t.equal(await masters.extend(granted.hold, 3_000), 'unknown', 'too few answers to say lost');
    t.match(await masters.tryLock('lock:c', 3_000, asker), { kind: 'unknown' });
    t.equal(await askValue(servers[2], 'lock:b'), true, 'a failed extension does not unlock');
    servers[0]?.signal('SIGCONT');
    await until('the majority is back', async () => (await masters.extend(granted.hold, 3_000)) === 'extended');
  },
);

t.test(
  'L2: a lock master under two addresses is refused, and so are replicas without a majority beside them',
  async (t) => {
    const { port } = new URL(server.url);
    const copy = await startRedis({ args: ['--replicaof', '127.0.0.1', port] });
    t.teardown(() => copy.stop());
    const other = await startRedis();
    t.teardown(() => other.stop());
    const named = (ballot: string, ...urls: readonly string[]) =>
      connectLockMasters(urls, { ballot: `lock:{twins:${ballot}}`, readyWithinMs: 5_000 });
    await t.rejects(named('a', server.url, other.url, `redis://localhost:${port}`), {
      code: 'bad-setting',
      message: /localhost:\d+\/0 is one of those before it under another address/,
    });
    await t.rejects(named('b', copy.url), { code: 'redis-not-master', message: /names replicas/ });
    const masters = await named('d', server.url, other.url, 'redis://127.0.0.1:1');
    await masters.close();
  },
);

t.test('L2: a worker starts with a minority of lock masters away, and not without a majority', async (t) => {
  const masters = await connectLockMasters([server.url, 'redis://127.0.0.1:1', server.url], { readyWithinMs: 2_000 });
  await masters.close();
  const none = connectLockMasters(['redis://127.0.0.1:1', 'redis://127.0.0.1:1', server.url], { readyWithinMs: 300 });
  await t.rejects(none, { code: 'redis-unavailable' });
});

t.test(
  'L4: no work starts with less than the margin left, and a lease that cannot be renewed is lost in time',
  async (t) => {
    const own = await startRedis();
    const masters = await connectLockMasters([own.url]);
    const lost: string[] = [];
    const leases = createLeases({
      masters,
      limits: quick,
      clock: systemClock,
      lockKey: (shard) => `lock:${shard}`,
      asker: () => asker,
      onLost: (shard, why) => lost.push(`${shard} ${why}`),
    });
    t.teardown(async () => {
      await leases.close();
      await masters.close();
      await own.kill();
    });
    const [a, b] = [shardIndex(1), shardIndex(2)];
    t.equal(leases.mayWork(a), false);
    t.equal(await leases.acquire(a), 'granted');
    t.equal(await leases.acquire(b), 'granted');
    t.equal(leases.mayWork(a), true);
    const end = systemClock.monotonic() + quick.leaseMs;
    await until('renewed past the first lease', () => systemClock.monotonic() > end && leases.mayWork(a));
    t.equal(await leases.confirm(a), true);
    await leases.release(b);
    t.equal(leases.remainingMs(b), 0);

    own.signal('SIGSTOP');
    let marginSeen = false;
    await until(
      'the lease is lost',
      () => {
        marginSeen ||= leases.remainingMs(a) > 0 && !leases.mayWork(a);
        return lost.length > 0;
      },
      3_000,
      1,
    );
    t.same(lost, ['1 lease-ended'], 'told once');
    t.ok(marginSeen, 'work stopped before the lease did');
    own.signal('SIGCONT');
    await until('the lock is granted anew', async () => (await leases.acquire(a)) === 'granted');
  },
);

/** A worker of the test: a host that records, and connections of its own that can be cut. */
interface Worker {
  readonly ownership: Ownership;
  readonly open: Set<number>;
  readonly log: string[];
  readonly lost: { shard: number; why: LostReason }[];
  readonly displaced: OperatingError[];
  /** As SIGKILL: nothing is released, nothing is told. */
  crash(): Promise<void>;
  stop(): Promise<void>;
}

interface Arena {
  worker(
    name: string,
    options?: { open?: (shard: ShardIndex) => Promise<'open' | 'failed'>; start?: boolean },
  ): Promise<Worker>;
  /** Shards open at two workers at once, ever. */
  readonly overlaps: string[];
}

function arena(
  t: { teardown(fn: () => Promise<void>): void },
  url: string,
  ns: string,
  shards: number,
  lockUrls: readonly string[] = [url],
  limits: ShardLimits = quick,
): Arena {
  const all: Worker[] = [];
  const overlaps: string[] = [];
  t.teardown(async () => {
    await Promise.all(all.map((each) => each.stop()));
  });

  return {
    overlaps,
    async worker(name, { open: opening, start = true } = {}) {
      const connection = await connect('writer', url, { name });
      const masters = await connectLockMasters(lockUrls);
      const open = new Set<number>();
      const log: string[] = [];
      const lost: Worker['lost'] = [];
      const displaced: OperatingError[] = [];
      const ownership = createOwnership({
        namespace: namespace(ns),
        worker: workerId(name),
        shards,
        connection,
        masters,
        hasher,
        limits,
        onDisplaced: (error) => displaced.push(error),
        host: {
          async open(shard) {
            const answer = (await opening?.(shard)) ?? 'open';
            if (answer === 'failed') return answer;
            for (const other of all) if (other.open.has(shard)) overlaps.push(`${shard} at ${name}`);
            open.add(shard);
            log.push(`open ${shard}`);
            return answer;
          },
          async shut(shard) {
            await Promise.resolve(); // A drain takes at least a turn.
            open.delete(shard);
            log.push(`shut ${shard}`);
          },
          lost(shard, why) {
            open.delete(shard);
            lost.push({ shard, why });
            log.push(`lost ${shard}`);
          },
        },
      });
      const cut = async (): Promise<void> => {
        await connection.close();
        await masters.close();
      };
      const worker: Worker = {
        ...{ ownership, open, log, lost, displaced },
        async crash() {
          open.clear();
          await cut();
        },
        async stop() {
          if (connection.ready) await ownership.leave();
          else stopWithoutServer(ownership);
          await cut();
        },
      };
      if (start) await ownership.start();
      all.push(worker);
      return worker;
    },
  };
}

t.test(
  'L1: workers share the shards, only moved ones pause, a leaving one hands over and its return brings them back',
  async (t) => {
    const { worker, overlaps } = arena(t, server.url, 'flow', 16);
    const a = await worker('ordering.1');
    await until('a owns all', () => a.open.size === 16);
    const b = await worker('ordering.2');
    await until('the two share', () => a.open.size === 8 && b.open.size === 8);
    t.equal(a.log.filter((line) => line.startsWith('shut')).length, 8, 'only the moved shards were shut');
    t.ok(
      [...b.open].every((shard) => b.ownership.mayWork(shardIndex(shard))),
      'L4: with a lease',
    );
    t.match(a.ownership.members(), [{ liveness: 'alive' }, { liveness: 'alive' }]);
    const own = [...b.open].sort();

    await b.ownership.leave();
    t.equal(b.open.size, 0);
    await until('a owns all again', () => a.open.size === 16, 2_000);
    t.equal(await admin.redis.hexists(namespaceKeys(namespace('flow')).members, 'ordering.2'), 0, 'it left');

    const again = await worker('ordering.2');
    await until('the two share again', () => a.open.size === 8 && again.open.size === 8);
    t.same([...again.open].sort(), own, 'its own shards');
    t.same(overlaps, [], 'no shard was ever open at two workers');
    t.same(a.lost, []);
  },
);

t.test(
  'L4: shards wait for a worker that ended with the word that it comes back, and are given away when it does not',
  async (t) => {
    const limits = { ...quick, restartMs: 1_500 };
    const { worker, overlaps } = arena(t, server.url, 'return', 8, [server.url], limits);
    const a = await worker('ordering.1');
    const b = await worker('ordering.2');
    await until('the two share', () => a.open.size === 4 && b.open.size === 4);
    const own = [...b.open].sort();
    const seen = () => a.ownership.members().find((member) => member.worker === 'ordering.2');

    await b.ownership.leave({ restart: true });
    const locks = own.map((shard) => shardKeys(namespace('return'), shard).lock);
    t.equal(await admin.redis.exists(...locks), 0, 'the locks are free for its next process');
    await until('it is silent for longer than the dead limit', () => (seen()?.silentMs ?? 0) > limits.deadMs);
    t.match(seen(), { state: 'away', liveness: 'alive' });
    t.equal(a.open.size, 4, 'nobody took them');
    const again = await worker('ordering.2');
    await until('its own shards, at once', () => again.open.size === 4);
    t.same([...again.open].sort(), own);
    t.equal(a.log.filter((line) => line.startsWith('open')).length, 8, 'they went straight back');

    await again.ownership.leave({ restart: true });
    const left = systemClock.monotonic();
    await until('given away', () => a.open.size === 8);
    t.ok(systemClock.monotonic() - left > limits.restartMs - limits.heartbeatMs, 'not before the hold was over');
    t.match(seen(), { state: 'away', liveness: 'dead', gone: true });
    t.same(overlaps, []);
  },
);

t.test('L1: the shards of a crashed worker go to the others once it is dead, and come back to its id', async (t) => {
  const { worker, overlaps } = arena(t, server.url, 'crash', 12);
  const workers = await Promise.all(['ordering.1', 'ordering.2', 'ordering.3'].map((name) => worker(name)));
  await until('all share', () => workers.every(({ open }) => open.size === 4));
  const [a, b, c] = workers as [Worker, Worker, Worker];
  const own = [...c.open].sort();
  const started = systemClock.monotonic();
  await c.crash();
  await until('the others take over', () => a.open.size + b.open.size === 12);
  t.comment(`takeover in ${(systemClock.monotonic() - started).toFixed(0)} ms with a dead limit of ${quick.deadMs} ms`);
  t.ok(a.ownership.members().some(({ worker: name, liveness }) => name === 'ordering.3' && liveness === 'dead'));

  const before = systemClock.monotonic();
  const again = await worker('ordering.3');
  t.ok(
    systemClock.monotonic() - before < quick.deadMs,
    'a restart does not wait for the dead limit: its connection is known to be closed',
  );
  await until('all share again', () => a.open.size === 4 && b.open.size === 4 && again.open.size === 4);
  t.same([...again.open].sort(), own, 'its own shards');
  t.same(overlaps, []);
});

t.test(
  'L2: a crash that the server saw is waited for neither by dead limit nor by lease, also by the same id',
  async (t) => {
    const slow = { ...quick, leaseMs: 120_000, suspectMs: 60_000, deadMs: 120_000, goneMs: 100 };
    const { worker, overlaps } = arena(t, server.url, 'gone', 8, [server.url], slow);
    const a = await worker('ordering.1');
    const b = await worker('ordering.2');
    await until('the two share', () => a.open.size === 4 && b.open.size === 4);
    const own = [...b.open].sort();
    await b.crash();
    await until('the other takes over', () => a.open.size === 8);
    const again = await worker('ordering.2');
    await until('the two share again', () => a.open.size === 4 && again.open.size === 4);
    t.same([...again.open].sort(), own);
    await again.crash();
    const third = await worker('ordering.2'); // Before anybody missed it: nothing moves.
    await until('its own shards, at once', () => third.open.size === 4);
    t.same([...third.open].sort(), own);
    t.same(overlaps, []);
  },
);

t.test(
  'L1: a second live process under one id refuses to start; one that loses its id gives everything up',
  async (t) => {
    const { worker } = arena(t, server.url, 'twins', 4);
    const first = await worker('ordering.1');
    await until('open', () => first.open.size === 4);
    const second = await worker('ordering.1', { start: false });
    await t.rejects(second.ownership.start(), { code: 'worker-id-taken' });
    t.equal(first.displaced.length, 0);

    const members = namespaceKeys(namespace('twins')).members;
    await admin.redis.hset(members, 'ordering.1', '{"incarnation":"other","seq":1}');
    await until('displaced', () => first.displaced.length === 1);
    t.match(first.displaced[0], { code: 'worker-id-taken' });
    t.equal(first.open.size, 0);
    t.ok(first.lost.some(({ why }) => why === 'displaced'));
  },
);

t.test('L1: of two processes that start under one id at the same time, one refuses', async (t) => {
  const { worker } = arena(t, server.url, 'race', 4);
  const both = await Promise.all([1, 2].map(() => worker('ordering.1', { start: false })));
  const started = await Promise.allSettled(both.map(({ ownership }) => ownership.start()));
  t.same(started.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
});

t.test('L2: reclaim is allowed only with the lock held and the assignment naming us', async (t) => {
  const { worker } = arena(t, server.url, 'claims', 2);
  const a = await worker('ordering.1');
  await until('open', () => a.open.size === 2);
  const [zero, one] = [shardIndex(0), shardIndex(1)];
  t.equal(await a.ownership.reclaim(zero), true);

  // Somebody else has the lock: no claim, and the shard comes back through open.
  await admin.redis.set(shardKeys(namespace('claims'), 0).lock, 'somebody', 'PX', 100);
  const opened = a.log.length;
  t.equal(await a.ownership.reclaim(zero), false);
  await until('opened again', () => a.log.slice(opened).includes('open 0'));

  // The assignment names somebody else.
  const { assignment } = namespaceKeys(namespace('claims'));
  const text = (await admin.redis.get(assignment)) ?? '';
  const wrong = text.replace('"owners":["ordering.1","ordering.1"]', '"owners":["ordering.1","ordering.7"]');
  t.not(wrong, text);
  // The worker mends it at its next look, so it may be right again before it is asked: then once more.
  await until('denied', async () => {
    await admin.redis.set(assignment, wrong);
    const [named, unnamed] = await Promise.all([a.ownership.reclaim(zero), a.ownership.reclaim(one)]);
    return named && !unnamed;
  });
  await until('published right again', () => a.log.slice(opened).includes('open 1'));
});

t.test('L2: a lock lost under its owner is told at once; a shard that fails to open is tried again', async (t) => {
  let failures = 2;
  const { worker } = arena(t, server.url, 'locks', 2);
  const a = await worker('ordering.1', { open: async (shard) => (shard === 0 && failures-- > 0 ? 'failed' : 'open') });
  await until('open in spite of failures', () => a.open.size === 2);
  t.ok(failures < 0);
  await admin.redis.set(shardKeys(namespace('locks'), 1).lock, 'somebody', 'PX', 300);
  await until('lost', () => a.lost.some(({ shard, why }) => shard === 1 && why === 'lock-lost'));
  t.ok(a.open.has(0), 'the other shard goes on');
  await until('back once the other lock ended', () => a.open.size === 2);
});

t.test('L2: after a restart of the server every shard is claimed anew', async (t) => {
  const dir = t.testdir();
  const first = await startRedis({ dir });
  let current: RedisServer = first;
  t.teardown(() => current.kill());
  const setup = await connect('query', first.url);
  await loadLibrary(setup.redis);
  await setup.close();
  // Locks elsewhere: only the identity of the server that holds the shards changes.
  const { worker } = arena(t, first.url, 'again', 4, [server.url]);
  const a = await worker('ordering.1');
  await until('open', () => a.open.size === 4);
  const opened = a.log.length;
  await first.kill();
  current = await startRedis({ dir, port: first.port });
  await until('claimed anew', () => [0, 1, 2, 3].every((shard) => a.log.slice(opened).includes(`open ${shard}`)));
  t.ok(a.lost.length >= 4 && a.lost.every(({ why }) => why === 'server-changed' || why === 'no-heartbeat'));
});

t.test('L4: a worker cut off from its server for as long as others wait gives its shards up', async (t) => {
  const own = await startRedis();
  t.teardown(() => own.kill());
  const setup = await connect('query', own.url);
  await loadLibrary(setup.redis);
  await setup.close();
  const { worker } = arena(t, own.url, 'cut', 4, [server.url]);
  const a = await worker('ordering.1');
  await until('open', () => a.open.size === 4);
  own.signal('SIGSTOP');
  await until('given up', () => a.open.size === 0, 6_000);
  t.ok(
    a.lost.every(({ why }) => why === 'no-heartbeat'),
    'although the locks, elsewhere, were held',
  );
  own.signal('SIGCONT');
  await until('back', () => a.open.size === 4, 8_000);
});

t.test(
  'L4: the watchdog ends a process whose loop stands still, and spares one that was frozen as a whole',
  async (t) => {
    const stuck = child('startWatchdog(300); console.log("ready"); setTimeout(() => { for (;;) {} }, 20);');
    t.teardown(async () => void stuck.kill('SIGKILL'));
    const frozen = child('startWatchdog(300); setInterval(() => console.log("alive"), 20);');
    t.teardown(async () => void frozen.kill('SIGKILL'));
    const [[code, signal]] = await Promise.all([once(stuck, 'exit'), heard(frozen, 'alive')]);
    t.same([code, signal], [null, 'SIGKILL']);

    frozen.kill('SIGSTOP');
    await pause(systemClock, 900); // Three stalls: the freeze itself is what is tested.
    frozen.kill('SIGCONT');
    for (let i = 0; i < 20; i += 1) await heard(frozen, 'alive');
    t.equal(frozen.exitCode ?? frozen.signalCode, null, 'still there');
  },
);

// --- Tools -----------------------------------------------------------------------------------------------------------

async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  deadlineMs = 5_000,
  everyMs = 5,
): Promise<void> {
  const deadline = systemClock.monotonic() + deadlineMs;
  while (!(await holds())) {
    if (systemClock.monotonic() > deadline) throw new Error(`not within ${deadlineMs} ms: ${what}`);
    await pause(systemClock, everyMs);
  }
}

/** A leave that cannot speak to its server: bounded by its own deadline, so nobody waits for it here. */
function stopWithoutServer(ownership: Ownership): void {
  ownership.leave().catch(() => undefined);
}

async function askValue(server: RedisServer | undefined, key: string): Promise<boolean> {
  if (server === undefined) return false;
  const connection: Connection = openConnection('query', server.url);
  await connection.untilReady(2_000);
  const found = await connection.call('EXISTS', (redis) => redis.exists(key));
  await connection.close();
  return found === 1;
}

function child(code: string): ChildProcess {
  const source = `import { startWatchdog } from ${JSON.stringify(new URL('./watchdog.js', import.meta.url).href)}; ${code}`;
  return spawn(process.execPath, ['--input-type=module', '-e', source], {
    stdio: ['ignore', 'pipe', 'ignore'],
    env: {},
  });
}

function heard(process: ChildProcess, word: string): Promise<void> {
  return new Promise((resolve) => {
    const listen = (chunk: Buffer): void => {
      if (!chunk.includes(word)) return;
      process.stdout?.off('data', listen);
      resolve();
    };
    process.stdout?.on('data', listen);
  });
}

function fakeClock(): Clock & { advance(ms: number): void; jumpWall(ms: number): void } {
  let monotonic = 1_000;
  let wall = 1_700_000_000_000;
  return {
    ...systemClock,
    monotonic: () => monotonic,
    wall: () => wall,
    advance(ms) {
      monotonic += ms;
      wall += ms;
    },
    jumpWall(ms) {
      wall += ms;
    },
  };
}
