// Goal: the laws, kept by real workers. Method: hosts and clients in this process on private servers, with short leases; a
// proxy that loses replies, charts that misbehave on request, and the counter-example of each law. Nothing waits for time.

import { cpSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { intake } from './client/intake.ts';
import { type ConnectOptions, connect } from './client.ts';
import { systemClock } from './clock.ts';
import { OperatingError, OutcomeUnknown } from './errors.ts';
import { library } from './functions/library.ts';
import { type ActorId, actorId, namespace, sequence, tokenCounter } from './ids.ts';
import { RawEntry } from './journal/entry.ts';
import type { Answer, JournalEntry, JournalPosition } from './messages.ts';
import type { Connection } from './redis/connection.ts';
import { type Connector, connect as connectRedis, redisConnector } from './redis/connector.ts';
import { namespaceKeys, shardKeys } from './redis/keys.ts';
import { armCrashPoint } from './testing/crash-points.ts';
import { startRedisProxy } from './testing/redis-proxy.ts';
import { type RedisServer, startRedis } from './testing/redis-server.ts';
import { trialChart } from './testing/trial-chart.ts';
import { quickLimits, TrialSpace } from './testing/trial-space.ts';
import { waitUntil } from './testing/waiting.ts';

const server: RedisServer = await startRedis();
const raw: Connection = await connectRedis('query', server.url);
const { redis } = raw;
t.teardown(async () => {
  await raw.close();
  await server.stop();
});

const open = (t: Test, options: Partial<ConnectOptions> & { shards?: number } = {}): Promise<TrialSpace> =>
  TrialSpace.open(t, redis, { url: server.url, ...options });

/** Every actor's sequences are gapless, and its snapshot is of the last one (C2). */
async function expectGapless(t: Test, space: TrialSpace, ...actors: readonly ActorId[]): Promise<void> {
  for (const actor of actors) {
    const entries = await space.client.history(actor, { limit: 1_000 });
    const moved = entries.filter(({ kind }) => kind === 'moved').map(({ sequence }) => Number(sequence));
    t.same(
      moved,
      moved.map((_, index) => index + 1),
      `the sequences of ${actor} are gapless`,
    );
    t.equal((await space.client.read(actor))?.version, moved.length);
  }
}

const A = actorId('act_a');
const B = actorId('act_b');
const ids = (count: number): readonly string[] => Array.from({ length: count }, (_, i) => String(i));

// --- Commits: C2 to C4 -------------------------------------------------------------------------------------------------

t.test('C3: a commit whose reply is lost is read back after a new claim, and its step is not done twice', async (t) => {
  const space = await open(t);
  const proxy = await startRedisProxy(server);
  t.teardown(() => proxy.close());
  await space.host(trialChart(), { url: proxy.url });
  await space.ask(A, { type: 'ADD', id: 'one' });
  const before = await redis.hget(space.keys(A).owner, 'token');
  const lost = proxy.loseReplyOf('emboss_v1_commit');
  t.match(await space.ask(A, { type: 'ADD', id: 'two' }), { kind: 'applied', version: 3 });
  await lost;
  await space.until(
    'the shard is claimed anew',
    async () => (await redis.hget(space.keys(A).owner, 'token')) !== before,
  );
  t.match(await space.ask(A, { type: 'ADD', id: 'three' }), { kind: 'applied', version: 4 });
  t.same(await space.seen(A), ['one', 'two', 'three']);
  await expectGapless(t, space, A);
});

t.test('C3: a commit that was held back arrives after the new claim, and meets a dead token', async (t) => {
  const space = await open(t);
  const proxy = await startRedisProxy(server);
  t.teardown(() => proxy.close());
  await space.host(trialChart(), { url: proxy.url });
  await space.ask(A, { type: 'ADD', id: 'one' });
  const held = proxy.holdBack('emboss_v1_commit');
  t.match(await space.ask(A, { type: 'ADD', id: 'two' }), { kind: 'applied', version: 3 });
  const { deliver, command } = await held;
  t.ok(
    command.some((word) => word.includes('"two"')),
    'it is the very step',
  );
  await space.settled();
  const before = await space.dump(A);
  t.equal(await deliver(), 'FENCED');
  t.same(await space.dump(A), before);
});

const slowBeat = { heartbeatMs: 4_000, goneMs: 8_000, suspectMs: 9_000, deadMs: 10_000 };
t.test(
  'L2: what was read from a server that then lost it is not committed; the place is free for the next message',
  async (t) => {
    const dir = mkdtempSync(join(tmpdir(), 'emboss-tail-'));
    const locks = await startRedis();
    let own = await startRedis({ dir });
    const there = await connectRedis('query', own.url);
    t.teardown(async () => {
      await there.close();
      await Promise.all([own.stop(), locks.stop()]);
      rmSync(dir, { recursive: true, force: true });
    });
    const space = await TrialSpace.open(t, there.redis, { url: own.url, shards: 1 });
    // With its lock master frozen the worker soon falls below the margin, and holds its lease for long: it reads, and waits.
    // It beats rarely, so that it is not by the look at the server's identity that it learns what happened.
    const limits = { ...quickLimits, leaseMs: 8_000, marginMs: 7_400, ...slowBeat };
    const worker = await space.host(trialChart(), { lockUrls: [locks.url], limits });
    await space.ask(A, { type: 'ADD', id: '1' });
    let inHand = 0;
    armCrashPoint((point) => {
      if (point === 'after-read') inHand += 1;
      if (point === 'after-step') inHand = 0;
    });
    t.teardown(() => armCrashPoint(undefined));
    locks.signal('SIGSTOP');
    const frozenAt = systemClock.monotonic();
    const workedMs = limits.leaseMs - limits.marginMs;
    await space.until('no lease has its margin left', () => systemClock.monotonic() - frozenAt > workedMs);
    const kept = join(dir, 'kept');
    cpSync(join(dir, 'appendonlydir'), kept, { recursive: true });
    await space.send(A, { type: 'ADD', id: 'lost' });
    await space.until('it is in hand', () => inHand > 0);

    await own.kill();
    rmSync(join(dir, 'appendonlydir'), { recursive: true });
    renameSync(kept, join(dir, 'appendonlydir'));
    own = await startRedis({ dir, port: own.port });
    await space.until('worker and client are back', async () => worker.healthy() && (await space.client.ping()) >= 0);
    locks.signal('SIGCONT');
    t.match(await space.ask(A, { type: 'ADD', id: '2' }), { kind: 'applied' });
    t.match(await space.ask(A, { type: 'ADD', id: '3' }), { kind: 'applied' });
    t.same(await space.seen(A), ['1', '2', '3']);
  },
);

t.test(
  'C2: a server that lost its tail is noticed by the head; the shard is claimed anew above all tokens seen',
  async (t) => {
    const space = await open(t, { shards: 1 });
    const worker = await space.host();
    await space.ask(A, { type: 'ADD', id: 'kept' });
    const older = await space.dump(A);
    for (const id of ['lost', 'lost too']) await space.ask(A, { type: 'ADD', id });
    const counter = tokenCounter((await redis.hget(space.keys(A).owner, 'token')) ?? '');
    await space.restore(A, older);
    for (const id of ['three', 'four', 'five']) await space.send(A, { type: 'ADD', id });
    await space.until('the messages are applied', async () => (await space.seen(A)).length === 4);
    t.same(await space.seen(A), ['kept', 'three', 'four', 'five'], 'on what the server has kept');
    t.equal(worker.counters.rewound, 1);
    t.ok(tokenCounter((await redis.hget(space.keys(A).owner, 'token')) ?? '') > counter);
    await expectGapless(t, space, A);
  },
);

t.test(
  'C3: a stale copy in memory is found by the commit, and the step is taken again on what is stored',
  async (t) => {
    const space = await open(t, { shards: 1 });
    await space.host();
    await space.ask(A, { type: 'ADD', id: 'one' });
    const { owner } = space.keys(A);
    const elsewhere = await space.dump(A);
    await space.ask(A, { type: 'ADD', id: 'two' });
    // Only the actor goes back, not the shard: the owner's copy is ahead of what is stored.
    for (const name of [space.keys(A).actor(A)]) await redis.restore(name, 0, elsewhere.get(name) ?? '', 'REPLACE');
    t.match(await space.ask(A, { type: 'ADD', id: 'three' }), { kind: 'applied', version: 3 });
    t.same(await space.seen(A), ['one', 'three']);
    t.ok(await redis.exists(owner));
  },
);

t.test('C4: messages that wait together are committed together, within 100 steps and 1 MB', async (t) => {
  const space = await open(t, { shards: 1 });
  const actors = ids(300).map((id) => actorId(`act_${id}`));
  for (const actor of actors) await space.send(actor, { type: 'ADD', id: 'x' });
  let commits = 0;
  armCrashPoint((point) => {
    if (point === 'before-commit') commits += 1;
  });
  t.teardown(() => armCrashPoint(undefined));
  await space.host();
  await space.settled();
  t.ok(commits >= 6 && commits <= 12, `${commits} commits for 300 creations of two steps each`);
  t.same(new Set(await Promise.all(actors.map((actor) => space.count(actor)))), new Set([1]));

  commits = 0;
  await Promise.all(
    actors.slice(0, 40).map((actor) => space.send(actor, { type: 'ADD', id: 'y', padding: 'x'.repeat(60_000) })),
  );
  await space.settled();
  t.ok(commits >= 3, `${commits} commits for 40 snapshots and events of 60 KB each`);
  t.same(new Set(await Promise.all(actors.slice(0, 40).map((actor) => space.count(actor)))), new Set([2]));
});

// --- Messages: M1 to M7 ------------------------------------------------------------------------------------------------

t.test(
  'M1: the same command at the same time runs once; who asked first hears the answer, the others that it runs',
  async (t) => {
    const space = await open(t);
    const command = {
      actor: A,
      event: { type: 'ADD', id: 'x' },
      messageId: 'same',
      create: { machine: 'tally', input: {} },
    };
    const asked = Array.from({ length: 20 }, () => space.client.ask(command, { timeoutMs: 5_000 }));
    await space.host();
    const kinds = (await Promise.all(asked)).map(({ kind }) => kind);
    t.equal(kinds.filter((kind) => kind === 'answered').length, 1);
    t.equal(kinds.filter((kind) => kind === 'running').length, 19);
    t.match(await space.client.ask(command), {
      kind: 'answered',
      replayed: true,
      answer: { kind: 'applied', version: 2 },
    });
    t.same(await space.client.ask({ ...command, event: { type: 'ADD', id: 'y' } }), { kind: 'key-reused' });
    t.equal(await space.count(A), 1);
  },
);

t.test(
  'M1: a lost reply to a send is repeated under the same id, and the caller hears the answer of its command',
  async (t) => {
    const proxy = await startRedisProxy(server);
    t.teardown(() => proxy.close());
    const space = await open(t, { url: proxy.url });
    await space.host(trialChart(), { url: server.url });
    await space.ask(A, { type: 'ADD', id: 'one' });
    const lost = proxy.loseReplyOf('emboss_v1_send');
    t.match(await space.ask(A, { type: 'ADD', id: 'two' }), { kind: 'applied', version: 3 });
    await lost;
    t.same(await space.seen(A), ['one', 'two']);
  },
);

t.test('M1: a client whose tail could not be opened at the first ask can ask when it can be', async (t) => {
  let tell: (entry: RawEntry) => void = () => undefined;
  let opened = 0;
  const door = intake({
    batch: { run: async <Reply>() => ({ kind: 'accepted', position: 1 }) as Reply },
    clock: systemClock,
    now: () => 0,
    keysOf: () => shardKeys(namespace('none'), 0),
    inboxLost: () => new OperatingError('namespace-lost', 'gone'),
    mailbox: undefined,
    async tail() {
      opened += 1;
      if (opened === 1) throw new OperatingError('redis-unavailable', 'away');
      return {
        listen(listener) {
          tell = (entry) => listener.entry(entry);
          return () => undefined;
        },
        positions: () => new Map(),
        close: async () => undefined,
      };
    },
  });
  const command = { actor: A, event: { type: 'ADD' }, messageId: 'm' };
  await t.rejects(door.ask(command, 1_000), { code: 'redis-unavailable' });
  const asked = door.ask(command, 1_000);
  await waitUntil('the tail is open', () => opened === 2);
  const answer: Answer = { kind: 'applied', version: sequence(1), counter: 1, at: 0 };
  tell(new RawEntry(0, ['0-1', ['h', `M 1:a 0 ${A} 1 m`, 'b', '{}', 'r', `1 ab12 ${JSON.stringify(answer)}`]]));
  t.same(await asked, { kind: 'answered', answer, replayed: false });
});

t.test(
  'C3: a full mailbox met by the repeat of a lost send says nothing of the first, which may yet arrive',
  async (t) => {
    let sent = 0;
    const door = intake({
      batch: {
        async run<Reply>() {
          sent += 1;
          if (sent === 1) throw new OutcomeUnknown('the reply was lost');
          return { kind: 'full', of: 'actor' } as Reply;
        },
      },
      clock: systemClock,
      now: () => 0,
      keysOf: () => shardKeys(namespace('none'), 0),
      inboxLost: () => new OperatingError('namespace-lost', 'gone'),
      mailbox: undefined,
      tail: async () => ({
        listen: () => () => undefined,
        positions: () => new Map(),
        close: async () => undefined,
      }),
    });
    const command = { actor: A, event: { type: 'ADD' }, messageId: 'm' };
    t.same(await door.ask(command, 100), { kind: 'unknown' });
    t.equal(sent, 2);
    t.match(
      await door.ask(command, 100),
      { kind: 'rejected', reason: 'mailbox-full' },
      'a reply to the first is its own',
    );
  },
);

t.test('M1: a full mailbox is told to callers only, and is empty again when its messages are handled', async (t) => {
  const space = await open(t, { mailbox: { perActorMax: 3, perShardMax: 5 }, shards: 1 });
  const kinds: string[] = [];
  for (const actor of [A, A, A, A, B, B, B]) kinds.push((await space.send(actor, { type: 'ADD', id: 'x' })).kind);
  t.same(kinds, ['accepted', 'accepted', 'accepted', 'rejected', 'accepted', 'accepted', 'rejected']);
  t.match(await space.send(A, { type: 'ADD', id: 'x' }), {
    kind: 'rejected',
    reason: 'mailbox-full',
    retryAfterMs: Number,
  });
  t.equal((await space.client.discard(A, 'operator')).kind, 'accepted');
  await space.host();
  await space.settled();
  t.equal((await space.send(A, { type: 'TELL', to: B, namespace: space.name, ids: ids(20) })).kind, 'accepted');
  await space.until('another actor is not limited', async () => (await space.count(B)) === 22);
  t.equal(await space.count(A), 3);
});

t.test(
  'M2: messages of an actor are applied in the order accepted while its shard moves from worker to worker',
  async (t) => {
    const space = await open(t, { shards: 4 });
    const actors = ids(8).map((id) => actorId(`act_${id}`));
    let stop = false;
    let last = -1;
    const sending = (async () => {
      while (!stop) {
        last += 1;
        await Promise.all(actors.map((actor) => space.send(actor, { type: 'ADD', id: String(last) })));
      }
    })();
    const workers = [await space.host()];
    for (let round = 0; round < 3; round += 1) {
      workers.push(await space.host());
      await workers[round]?.stop();
      const from = last;
      await space.until('it goes on', () => last > from + 5);
    }
    stop = true;
    await sending;
    await space.settled();
    for (const actor of actors)
      t.same(await space.seen(actor), ids(last + 1), `${last + 1} messages of ${actor}, each once and in order`);
    t.ok((await redis.keys(`{${space.name}:*}:inbox`)).length === 4);
    await expectGapless(t, space, ...actors.slice(0, 2));
  },
);

t.test(
  'M3: messages between namespaces on two servers arrive once and in order, also after the target was away',
  async (t) => {
    const far = await startRedis();
    let target = far;
    t.teardown(() => target.stop());
    const source = await open(t, { shards: 2 });
    const goal = await open(t, { shards: 3, url: far.url });
    const peers = { [goal.name]: { url: far.url, shards: 3 } };
    const told = async (from: ActorId, list: readonly string[]) =>
      source.ask(from, { type: 'TELL', to: B, namespace: goal.name, ids: list });
    await source.host(trialChart(), { peers });
    const waiting = await goal.host();
    await told(A, ['1', '2']);
    await goal.until('they arrive', async () => (await goal.seen(B)).length === 2);
    await waiting.stop();
    const { port } = far;
    await far.signal('SIGSTOP');
    await told(A, ['3', '4']);
    await told(A, ['5']);
    t.equal(await source.count(A), 0, 'the source goes on meanwhile');
    far.signal('SIGCONT');
    t.equal(port, target.port);
    target = far;
    await goal.host();
    await goal.until('what waited arrives', async () => (await goal.seen(B)).length === 5, { deadlineMs: 15_000 });
    t.same(await goal.seen(B), ['1', '2', '3', '4', '5']);
  },
);

t.test(
  "M3: a relay that begins anew below what was received goes on from the receiver's last, through several takeovers",
  async (t) => {
    const space = await open(t, { shards: 2 });
    const [from, to] = apart(space);
    let worker = await space.host();
    const expected: string[] = [];
    for (let round = 0; round < 4; round += 1) {
      const list = [`${round}a`, `${round}b`];
      expected.push(...list);
      await space.ask(from, { type: 'TELL', to, namespace: space.name, ids: list });
      await space.until('they arrive', async () => (await space.seen(to)).length === expected.length);
      // What the relay had delivered is noted now and then only: the next owner begins below.
      await redis.hdel(space.keys(from).owner, 'relayed');
      await worker.stop();
      worker = await space.host();
    }
    await space.ask(from, { type: 'TELL', to, namespace: space.name, ids: ['last'] });
    await space.until('the lane goes on', async () => (await space.seen(to)).length === expected.length + 1);
    t.same(await space.seen(to), [...expected, 'last']);
    t.same(
      space.lines.filter(({ level }) => level === 'error'),
      [],
      'and nobody was alarmed',
    );
  },
);

t.test('M3: a target that is away holds up its own lanes only, however much waits for it', async (t) => {
  const far = await startRedis();
  const source = await open(t, { shards: 2 });
  const goal = await open(t, { shards: 2, url: far.url });
  t.teardown(() => far.stop());
  const [from, near] = apart(source);
  await source.host(trialChart(), { peers: { [goal.name]: { url: far.url, shards: 2 } } });
  far.signal('SIGSTOP');
  const expected = ids(1_200);
  for (let i = 0; i < 12; i += 1) {
    const event = { type: 'TELL', to: B, namespace: goal.name, ids: expected.slice(100 * i, 100 * i + 100) };
    await source.ask(from, event);
  }
  await source.ask(from, { type: 'TELL', to: near, namespace: source.name, ids: ['near'] });
  await source.until('the near one hears of it', async () => (await source.count(near)) === 1);
  far.signal('SIGCONT');
  await goal.host();
  await goal.until('the far one, too', async () => (await goal.count(B)) === 1_200, { deadlineMs: 20_000 });
  t.same(await goal.seen(B), expected, 'all of it, in order');
});

t.test('M3: a source that lost its tail is taken on with an alarm; nothing of the new tail is lost', async (t) => {
  const space = await open(t, { shards: 2 });
  const [from, to] = apart(space);
  await space.host();
  await space.ask(from, { type: 'TELL', to, namespace: space.name, ids: ['1'] });
  await space.until('it arrives', async () => (await space.seen(to)).length === 1);
  const older = await space.dump(from);
  await space.ask(from, { type: 'TELL', to, namespace: space.name, ids: ['2', '3'] });
  await space.until('they arrive', async () => (await space.seen(to)).length === 3);
  await space.restore(from, older);
  for (let i = 0; i < 2; i += 1) await space.send(from, { type: 'TELL', to, namespace: space.name, ids: [`new ${i}`] });
  await space.until('the new tail arrives', async () => (await space.seen(to)).length === 5);
  t.same(await space.seen(to), ['1', '2', '3', 'new 0', 'new 1']);
  t.ok(
    space.lines.some(({ level, text }) => level === 'error' && text.startsWith('M3: source rewound')),
    'an operator hears of it',
  );
});

t.test('M3: a lane goes on whose end was lost while records of an older owner are sent again', async (t) => {
  const space = await open(t, { shards: 2 });
  const [from, to] = apart(space);
  const tell = (...list: string[]) => space.ask(from, { type: 'TELL', to, namespace: space.name, ids: list });
  const first = await space.host();
  await tell('1');
  await space.until('it arrives', async () => (await space.seen(to)).length === 1);
  await first.stop();
  const older = await space.dump(from);
  const second = await space.host();
  await tell('2', '3');
  await space.until('they arrive', async () => (await space.seen(to)).length === 3);
  await second.stop();
  await space.restore(from, older);
  await redis.hset(space.keys(from).owner, { counter: 10, relayed: 0 }); // Its next owner has seen more than is left.
  let sent = 0;
  armCrashPoint((point) => (sent += point === 'after-relay' ? 1 : 0));
  t.teardown(() => armCrashPoint(undefined));
  await space.host();
  await space.until('the first one is sent again', () => sent > 0);
  await space.send(from, { type: 'TELL', to, namespace: space.name, ids: ['new'] });
  await space.until('the new one arrives', async () => (await space.seen(to)).length === 4);
  t.same(await space.seen(to), ['1', '2', '3', 'new']);
  const alarms = space.lines.filter(({ level }) => level === 'error').map(({ text }) => text);
  t.same(alarms, ['M3: source rewound; records of the lost tail had been received']);
});

t.test('M3: a target that lost its tail is given it again, though nothing new is sent to it', async (t) => {
  const space = await open(t, { shards: 2 });
  const [from, to] = apart(space);
  const worker = await space.host();
  await space.ask(from, { type: 'TELL', to, namespace: space.name, ids: ['1'] });
  await space.until('it arrives', async () => (await space.seen(to)).length === 1);
  const older = await space.dump(to);
  await space.ask(from, { type: 'TELL', to, namespace: space.name, ids: ['2', '3'] });
  await space.until('they arrive', async () => (await space.seen(to)).length === 3);
  await worker.stop();
  await redis.hset(space.keys(from).owner, 'relayed', '3'); // As a trim notes it: the next owner does not send them by itself.
  await space.restore(to, older);
  t.same(await space.seen(to), ['1'], 'they are lost');
  await space.host();
  await space.until('they arrive again', async () => (await space.seen(to)).length === 3);
  t.same(await space.seen(to), ['1', '2', '3']);
  t.ok(
    space.lines.some(({ level, text }) => level === 'error' && text.startsWith('M3: target rewound')),
    'an operator hears of it',
  );
});

t.test('L2: a shard whose inbox is gone stays closed and its worker is not healthy until it is put back', async (t) => {
  const space = await open(t, { shards: 1 });
  const worker = await space.host();
  await space.ask(A, { type: 'ADD', id: '1' });
  const { inbox } = space.keys(A);
  await redis.rename(inbox, `${inbox}:kept`);
  await space.until('it is noticed', () => !worker.healthy(), { deadlineMs: 20_000 });
  await space.until('it is said', () => space.lines.some(({ text }) => text.includes('stays closed')));
  t.equal(await redis.exists(inbox), 0, 'it is not made anew');
  await redis.rename(`${inbox}:kept`, inbox);
  await space.until('it is healthy again', () => worker.healthy(), { deadlineMs: 20_000 });
  t.match(await space.ask(A, { type: 'ADD', id: '2' }), { kind: 'applied' });
});

t.test(
  'M1: nothing is accepted for an inbox that is gone: send and ask say so at once, and go on when it is back',
  async (t) => {
    const space = await open(t, { shards: 2 });
    const [here, there] = apart(space);
    await space.host();
    await space.ask(here, { type: 'ADD', id: '1' });
    const { inbox } = space.keys(here);
    await redis.rename(inbox, `${inbox}:kept`);
    const lost = { name: 'OperatingError', code: 'namespace-lost', retry: 'never', message: /nothing was accepted/ };
    await t.rejects(space.send(here, { type: 'ADD', id: '2' }, 'two'), lost);
    await t.rejects(space.ask(here, { type: 'ADD', id: '2' }, 'two'), lost, 'no answer is waited for');
    await t.rejects(space.client.redrive(here, 'operator'), lost);
    t.equal(await redis.exists(inbox), 0, 'it is not made anew');
    t.match(await space.ask(there, { type: 'ADD', id: 'x' }), { kind: 'applied' }, 'other shards go on');
    await redis.rename(`${inbox}:kept`, inbox);
    const told = await space.ask(here, { type: 'ADD', id: '2' }, 'two');
    t.match(told, { kind: 'applied', version: 3 }, 'the same message, which was not accepted before');
  },
);

t.test(
  'M3: a lane whose target has lost its inbox keeps its records, says so, and goes on when it is back',
  async (t) => {
    const far = await startRedis();
    t.teardown(() => far.stop());
    const source = await open(t, { shards: 1 });
    const goal = await open(t, { shards: 1, url: far.url });
    const farSide = await connectRedis('query', far.url);
    t.teardown(() => farSide.close());
    const told = async (...list: string[]) => source.ask(A, { type: 'TELL', to: B, namespace: goal.name, ids: list });
    await source.host(trialChart(), { peers: { [goal.name]: { url: far.url, shards: 1 } } });
    const waiting = await goal.host();
    await told('1', '2');
    await goal.until('they arrive', async () => (await goal.seen(B)).length === 2);
    await waiting.stop();
    const keys = goal.keys(B);
    // First the inbox alone, then all that the target knew of the lane, which must not be taken for a rewound one.
    for (const [round, names] of [[keys.inbox], [keys.inbox, keys.lanesIn]].entries()) {
      for (const name of names) await farSide.redis.rename(name, `${name}:kept`);
      const said = (what: RegExp) => source.lines.filter(({ text }) => what.test(text)).length;
      await told(`${round}a`, `${round}b`);
      await source.until('it is said', () => said(/inbox of the target is gone/) > round);
      t.equal(await farSide.redis.exists(...names), 0, 'nothing is made anew');
      for (const name of names) await farSide.redis.rename(`${name}:kept`, name);
      await source.until('the lane goes on', () => said(/inbox of the target is back/) > round);
    }
    await goal.host();
    await goal.until('all arrives', async () => (await goal.seen(B)).length === 6);
    t.same(await goal.seen(B), ['1', '2', '0a', '0b', '1a', '1b'], 'once and in order');
  },
);

t.test('M2: what lies in the inboxes of another server than that of the claims is not taken', async (t) => {
  const old = await startRedis();
  const place = { url: old.url, port: old.port };
  const proxy = await startRedisProxy(place);
  t.teardown(async () => {
    await proxy.close();
    await old.stop();
  });
  const connector: Connector = {
    open: (profile, url, options) => redisConnector.open(profile, profile === 'reader' ? proxy.url : url, options),
  };
  const past = await TrialSpace.open(t, undefined, { url: old.url, namespace: 'parted', shards: 1 });
  await past.send(A, { type: 'ADD', id: 'of another history' });
  const space = await open(t, { namespace: 'parted', shards: 1 });
  await space.host(undefined, { connector });
  await space.until('the reader knows', () => space.lines.some(({ text }) => text.startsWith('inboxes are not read')));
  place.port = server.port; // As a failover that this connection hears of later than the others.
  await space.ask(A, { type: 'ADD', id: 'accepted' });
  t.same(await space.seen(A), ['accepted']);
});

t.test('L1: a stranger in the membership hides nobody from an operator', async (t) => {
  const space = await open(t);
  await space.host();
  await redis.hset(namespaceKeys(space.client.namespace).members, 'stranger', 'no JSON');
  t.same(
    (await space.client.workerViews()).map(({ state }) => state),
    ['alive'],
  );
  await t.rejects(space.client.pin(0, 'stranger'), { code: 'worker-unknown' });
});

t.test('a worker that cannot start leaves no connection behind', async (t) => {
  const space = await open(t);
  const clients = async (): Promise<number> => Number(/connected_clients:(\d+)/.exec(await redis.info('clients'))?.[1]);
  const before = await clients();
  await t.rejects(space.host(undefined, { weight: 17 }), { code: 'bad-setting' });
  await space.until('all are closed', async () => (await clients()) === before);
});

t.test('L1: a worker whose namespace is deleted or founded anew ends, and its clients are not ready', async (t) => {
  for (const again of [false, true]) {
    const space = await open(t, { shards: 2 });
    const told: Error[] = [];
    const worker = await space.host(trialChart(), { onFatal: (error) => void told.push(error) });
    await space.ask(A, { type: 'ADD', id: '1' });
    await redis.del(await redis.keys(`*{${space.name}[:}]*`));
    if (again) {
      const config = { shards: 2, timeScale: 1 };
      const other = await connect({ namespace: space.name, url: space.url, secret: 'a secret of trials', config });
      await other.close();
    }
    await space.until('it says so', () => told.length > 0);
    t.match(told, [{ code: 'namespace-lost' }]);
    t.equal(worker.healthy(), false);
    await t.rejects(space.client.ping(), { code: 'namespace-lost' });
    t.same(await redis.keys(`{${space.name}:*}:owner`), [], 'no shard is claimed in what is there now');
  }
});

/** Two actors on different shards: what they tell each other travels by the outbox. */
function apart(space: TrialSpace): readonly [ActorId, ActorId] {
  const found = ids(50)
    .map((id) => actorId(`act_${id}`))
    .find((id) => space.client.shardOf(id) !== space.client.shardOf(A));
  return [A, found ?? B];
}

t.test(
  'M4: an event without a transition is refused with what is allowed; one with actions only is a move',
  async (t) => {
    const space = await open(t);
    const worker = await space.host();
    t.match(await space.ask(A, { type: 'TELL', to: B, namespace: space.name, ids: [] }), {
      kind: 'applied',
      version: 2,
    });
    const refused = await space.ask(A, { type: 'LEAVE' }, 'leave');
    t.match(refused, { kind: 'refused', reason: 'no-transition', version: 2 });
    t.ok(
      refused.kind === 'refused' &&
        refused.allowed.includes('ADD') &&
        !refused.allowed.some((type) => type.startsWith('xstate.')),
    );
    t.same(
      await space.client.ask({
        actor: A,
        event: { type: 'LEAVE' },
        messageId: 'leave',
        create: { machine: 'tally', input: {} },
      }),
      { kind: 'answered', answer: refused, replayed: true },
    );
    await space.ask(A, { type: 'CLOSE' });
    t.match(
      await space.ask(A, { type: 'ADD', id: 'x' }),
      { kind: 'refused', version: 3, allowed: [] },
      'a final state takes nothing',
    );
    t.same(await space.history(A), ['moved 1', 'moved 2', 'refused 2', 'moved 3', 'refused 3']);
    await space.until('they are counted', () => worker.counters.refused === 2);
    for (const type of ['xstate.after.fuse.tally.armed', 'xstate.init', 'emboss.late', ''])
      await t.rejects(space.send(A, { type }), { code: 'bad-command' }, `callers cannot send "${type}"`);
    for (const id of ['', 'x'.repeat(201), 'half \ud800'])
      await t.rejects(
        space.send(A, { type: 'ADD' }, id),
        { code: 'bad-command' },
        `nor under the id ${JSON.stringify(id)}`,
      );
    // A caller in JavaScript has no types to keep it from this.
    await t.rejects(space.client.redrive('x 5 abc' as ActorId, 'operator'), { code: 'bad-command' });
  },
);

t.test(
  'M5: a message that throws parks its actor alone; the others of its shard and its later messages are not harmed',
  async (t) => {
    const space = await open(t, { shards: 1 });
    await space.host();
    await space.ask(A, { type: 'ARM' });
    const parked = await space.ask(A, { type: 'THROW' }, 'bad');
    t.match(parked, { kind: 'parked', version: 2 });
    for (const id of ['1', '2']) await space.send(A, { type: 'ADD', id });
    t.match(await space.ask(B, { type: 'ADD', id: 'x' }), { kind: 'applied' }, 'the shard goes on');
    const [view] = await space.until('its messages wait', async () =>
      (await space.client.parked()).filter(({ waiting }) => waiting === 3),
    );
    t.match(view, {
      actor: A,
      cause: {
        event: 'THROW',
        error: { message: /this guard throws/, stack: /throws/ },
        states: ['armed'],
      },
    });
    t.match(await space.client.read(A), { parked: true, value: 'armed', version: 2 });
    await space.until(
      'its timer is due',
      async () => ((await space.client.timers())[0]?.dueAt ?? 0) < space.client.now(),
    );
    await space.ask(B, { type: 'ADD', id: 'y' });
    t.equal((await space.client.timers()).length, 1, 'a timer of a parked actor waits');

    await Promise.all([space.client.redrive(A, 'operator'), space.client.redrive(A, 'operator')]);
    await space.until(
      'it throws again',
      async () => (await space.history(A)).filter((one) => one === 'parked 2').length >= 2,
    );
    t.same((await space.client.parked())[0]?.waiting, 3, 'in its place');
    await space.client.discard(A, 'operator');
    await space.reaches(A, 'fired');
    t.match(await space.ask(A, { type: 'ADD', id: '3' }), { kind: 'applied', version: 4 });
    t.same(await space.seen(A), ['3'], 'what was discarded is gone');
    t.same(await space.client.parked(), []);
    await space.settled();
  },
);

t.test('M5: while a shard in single file tries a step, no other shard of its worker steps', async (t) => {
  const space = await open(t, { shards: 2 });
  const [suspect, other] = apart(space);
  const proxy = await startRedisProxy(server);
  t.teardown(() => proxy.close());
  await space.host(trialChart(), { url: proxy.url });
  await space.ask(other, { type: 'ADD', id: '1' });
  const sent = await space.send(suspect, { type: 'ADD', id: '1' });
  if (sent.kind !== 'accepted') throw new Error(`the message is ${sent.kind}`);
  await space.until('it is applied', async () => (await space.seen(suspect)).length === 1);

  // As two owners leave it that ended over the next entry. Fenced by it, the worker becomes the third.
  const tried = `0-${sent.position + 1}`;
  await redis.hset(space.keys(suspect).owner, { token: '100:ended', counter: 100, oldest: tried, tries: 2 });
  const noting = (words: readonly string[]): boolean => words.some((word) => word.startsWith('emboss_v1_trying'));
  const rule = proxy.addRule({ of: noting, fault: { kind: 'half-open' }, times: 1 });
  await space.send(suspect, { type: 'ADD', id: 'tried' });
  await rule.happened();
  const points: string[] = [];
  armCrashPoint((point) => void points.push(point));
  t.teardown(() => armCrashPoint(undefined));
  const answer = space.ask(other, { type: 'ADD', id: '2' });
  await space.until('the other one is in hand', () => points.includes('after-read'));
  for (let i = 0; i < 20; i += 1) await redis.ping(); // Longer than it would take to step it.
  t.notOk(points.includes('after-step'), 'it waits');
  proxy.heal();
  t.match(await answer, { kind: 'applied' });
  await space.until('so is the one that was tried', async () => (await space.seen(suspect)).length === 2);
});

t.test('M5: an inbox entry that is no message parks its actor, and the shard goes on', async (t) => {
  const space = await open(t, { shards: 1 });
  const worker = await space.host();
  await space.ask(A, { type: 'ADD', id: '1' });
  const token = await redis.hget(space.keys(A).owner, 'token');
  for (const [actor, body] of [
    [A, '{"kind":'],
    [actorId('act_new'), '[]'],
  ] as const) {
    // As `accept` writes it: who did this had the functions and no idea of messages.
    await redis.incr(space.keys(actor).backlog);
    await redis.hincrby(space.keys(actor).actor(actor), 'open', 1);
    await redis.xadd(
      space.keys(actor).inbox,
      '0-*',
      'h',
      `${Math.floor(space.client.now())} - ${actor}|stray`,
      'b',
      body,
    );
  }
  await space.until('both are parked', async () => (await space.client.parked()).length === 2);
  t.match(await space.ask(B, { type: 'ADD', id: '2' }), { kind: 'applied' });
  t.equal(await redis.hget(space.keys(A).owner, 'token'), token, 'nobody claimed anew');
  await space.client.discard(A, 'operator');
  t.match(await space.ask(A, { type: 'ADD', id: '3' }), { kind: 'applied', version: 3 });
  t.same(await space.seen(A), ['1', '3']);
  t.same(worker.shards(), [0]);
});

t.test(
  'M5: an operator’s act survives its owner: the next one redrives, or refuses and answers, what waits',
  async (t) => {
    for (const act of ['V', 'X'] as const) {
      const space = await open(t, { shards: 1 });
      const first = await space.host();
      await space.ask(A, { type: 'ARM' });
      await space.ask(A, { type: 'THROW' }, 'bad');
      let last = 0;
      for (const id of ['1', '2']) {
        const sent = await space.send(A, { type: 'ADD', id }, id);
        if (sent.kind === 'accepted') last = sent.position;
      }
      await space.until('they wait', async () => (await space.client.parked())[0]?.waiting === 3);
      await first.stop();
      // What the act's commit leaves, and an owner that ends before it has touched any of them: the first throws no more.
      const { parked, waiting } = space.keys(A);
      await redis.lpop(waiting(A));
      await redis.hset(
        parked,
        A,
        ((await redis.hget(parked, A)) ?? '').replace(/^P/, act === 'V' ? 'V' : `X${last + 1}`),
      );
      await space.send(A, { type: 'ADD', id: 'later' }, 'later');
      await space.host();
      await space.until('nobody is parked', async () => (await space.client.parked()).length === 0);
      await space.until('the later one is applied', async () => (await space.seen(A)).includes('later'));
      if (act === 'V') t.same(await space.seen(A), ['1', '2', 'later'], 'redriven, in order');
      else {
        t.match(await space.ask(A, { type: 'ADD', id: '1' }, '1'), {
          kind: 'refused',
          reason: 'discarded',
          version: 2,
        });
        t.match(await space.ask(A, { type: 'ADD', id: '2' }, '2'), { kind: 'refused', reason: 'discarded' });
      }
    }
  },
);

t.test('M5: a discard of an actor that a timer parked removes the timer too, so that it goes on', async (t) => {
  const space = await open(t, { shards: 1 });
  await space.host();
  await space.ask(A, { type: 'MINE' });
  const [view] = await space.until('its timer throws', async () => {
    const all = await space.client.parked();
    return all.length > 0 && all;
  });
  t.match(view, { waiting: 0, cause: { timer: { id: String, generation: String } } });
  t.equal((await space.client.timers()).length, 1, 'the row stays for a redrive');
  await space.client.discard(A, 'operator');
  await space.until('it goes on', async () => (await space.client.parked()).length === 0);
  t.same(await space.client.timers(), []);
  t.match(await space.ask(A, { type: 'ADD', id: 'x' }), { kind: 'applied' });
});

t.test(
  'M5: a version that is not hosted parks as stalled; hosted again, a redrive takes the messages in order',
  async (t) => {
    const space = await open(t, { shards: 1 });
    const first = await space.host();
    await space.ask(A, { type: 'ADD', id: '0' });
    await first.stop();
    const second = await space.host(trialChart({}, '2'));
    t.match(await space.ask(A, { type: 'ADD', id: '1' }, 'one'), { kind: 'parked', version: 2 });
    for (const id of ['2', '3', '4']) await space.send(A, { type: 'ADD', id });
    t.match((await space.client.parked())[0]?.cause, { error: { code: 'version-missing', message: /tally/ } });
    t.match(await space.ask(B, { type: 'ADD', id: 'x' }), { kind: 'applied' }, 'new actors live under the new one');
    await second.stop();
    await space.host();
    await Promise.all([space.client.redrive(A, 'operator'), space.send(A, { type: 'ADD', id: '5' })]);
    await space.until('all are applied', async () => (await space.seen(A)).length === 6);
    t.same(await space.seen(A), ids(6));
    t.same(await space.client.parked(), []);
    t.match(
      await space.client.send({
        actor: A,
        event: { type: 'ADD', id: '1' },
        messageId: 'one',
        create: { machine: 'tally', input: {} },
      }),
      {
        kind: 'duplicate',
        answer: { kind: 'applied', version: 3 },
      },
    );
  },
);

t.test('M6: the same key gives the same actor in every process, and a retry lands on the same answer', async (t) => {
  const space = await open(t);
  const options = { namespace: space.name, url: server.url, secret: 'a secret of trials' };
  const [other, stranger] = await Promise.all([
    connect(options),
    connect({ ...options, secret: 'another secret of trials' }),
  ]);
  t.teardown(() => Promise.all([other.close(), stranger.close()]));
  const id = space.client.derive('act', 'usr_1', 'POST /orders', 'key-1');
  t.equal(other.derive('act', 'usr_1', 'POST /orders', 'key-1'), id);
  t.match(id, /^act_[0-9a-z]{26}$/);
  const others = [
    other.derive('act', 'usr_2', 'POST /orders', 'key-1'),
    other.derive('act', 'usr_1', 'POST /orders', 'key-2'),
    other.derive('act', 'usr_1P', 'OST /orders', 'key-1'),
    stranger.derive('act', 'usr_1', 'POST /orders', 'key-1'),
  ];
  t.equal(new Set([id, ...others]).size, 5, 'another principal, key, division or secret gives another one');

  await space.host();
  const command = {
    actor: id,
    event: { type: 'ADD', id: 'x' },
    messageId: 'key-1',
    create: { machine: 'tally', input: { startAt: 5 } },
  };
  const first = await space.client.ask(command);
  const again = await other.ask(command);
  t.match(first, { kind: 'answered', replayed: false, answer: { kind: 'applied', version: 2, data: { count: 6 } } });
  t.match(again, { kind: 'answered', replayed: true });
  t.same(again.kind === 'answered' && again.answer, first.kind === 'answered' && first.answer, 'to the byte');
  t.same(await other.ask({ ...command, create: { machine: 'tally', input: {} } }), { kind: 'key-reused' });
});

t.test('M6: a create without an event of its own is answered too', async (t) => {
  const space = await open(t);
  await space.host();
  t.match(await space.ask(A, { type: 'emboss.create' }), { kind: 'applied', version: 1, data: { count: 0 } });
  t.match(await space.client.history(A), [
    { kind: 'moved', sequence: 1, input: {}, answer: { kind: 'applied', version: 1 } },
  ]);
  t.match(await space.ask(A, { type: 'emboss.create' }), { kind: 'refused', version: 1 });
  t.match(await space.ask(A, { type: 'ADD', id: 'x' }), { kind: 'applied', version: 2 });
});

t.test('M7: only a create message creates', async (t) => {
  const space = await open(t);
  await space.host();
  const bare = { actor: A, event: { type: 'ADD', id: 'x' }, messageId: 'bare' };
  t.match(await space.client.ask(bare), {
    kind: 'answered',
    answer: { kind: 'refused', reason: 'unknown-actor', version: 0, allowed: [] },
  });
  t.equal(await space.client.read(A), undefined);
  t.same(await space.client.history(A), []);
  t.match(
    await space.ask(A, { type: 'THROW' }),
    { kind: 'parked', version: 0 },
    'a creating message that throws creates nothing',
  );
  t.equal(await space.client.read(A), undefined);
  t.match(
    await space.client.ask({ ...bare, actor: B, create: { machine: 'none', input: {} } }),
    { answer: { kind: 'parked' } },
    'an unknown machine',
  );
});

// --- Reading: P2, P3; ownership: L2 to L4 ------------------------------------------------------------------------------

const standing = (entry: JournalEntry | undefined): JournalPosition => ({
  number: entry?.position ?? 0,
  token: entry?.token ?? '',
});

/** Cuts the socket on which the client follows the journals. */
async function cutTail(space: TrialSpace): Promise<unknown> {
  const own = new RegExp(`^id=(\\d+) .*name=emboss-tail-${space.name} `, 'm');
  const id = await space.until(
    'the tail is connected',
    async () => own.exec(String(await redis.call('CLIENT', 'LIST')))?.[1],
  );
  return await redis.call('CLIENT', 'KILL', 'ID', id);
}

t.test(
  'P2: a watch gives each entry once and in order per shard, also when the socket of its tail is cut',
  async (t) => {
    const space = await open(t, { shards: 2 });
    await space.host();
    const told: JournalEntry[] = [];
    const watch = space.client.watch();
    const watching = (async () => {
      for await (const entry of watch) told.push(entry);
    })();
    const actors = ids(6).map((id) => actorId(`act_${id}`));
    await space.ask(A, { type: 'ADD', id: 'x' }); // The tail listens from before this on.
    for (let round = 0; round < 30; round += 1) {
      await Promise.all(actors.map((actor) => space.send(actor, { type: 'ADD', id: String(round) })));
      if (round % 10 === 5) t.equal(await cutTail(space), 1);
    }
    await space.until(
      'all is told',
      () => told.filter(({ kind }) => kind === 'moved').length === 2 + actors.length * 31,
    );
    for (const shard of [0, 1]) {
      const positions = told.filter((entry) => entry.shard === shard).map(({ position }) => position);
      t.same(
        positions,
        positions.map((_, index) => (positions[0] ?? 0) + index),
        `shard ${shard}`,
      );
    }
    watch.close();
    await watching;

    const third = async (shard: number) => standing((await space.client.journal(shard, 2, 1))[0]);
    const from = new Map([[0, await third(0)] as const, [1, await third(1)] as const]);
    const again: JournalEntry[] = [];
    for await (const entry of space.client.watch({ from })) {
      again.push(entry);
      if (again.filter(({ shard }) => shard === 0).length > 2 && again.filter(({ shard }) => shard === 1).length > 2)
        break;
    }
    for (const shard of [0, 1])
      t.equal(again.find((entry) => entry.shard === shard)?.position, 4, 'from a position of the past on');
  },
);

t.test(
  'P2: a watch whose socket is cut while the server loses its tail is told so, and goes on from what is left',
  async (t) => {
    const space = await open(t, { shards: 1 });
    await space.host();
    await space.ask(A, { type: 'ADD', id: 'kept' });
    const older = await space.dump(A);
    const told: string[] = [];
    const watch = space.client.watch();
    const watching = (async () => {
      for await (const { kind, position } of watch) told.push(`${kind} ${position}`);
    })();
    await space.ask(A, { type: 'ADD', id: 'lost' });
    await space.until('it is told', () => told.length === 1);
    await space.restore(A, older);
    await cutTail(space);
    await space.until('the rewind is told', () => told.length === 2);
    // Two, since an owner that still runs has read past the place that the first one takes.
    for (const id of ['again', 'and again']) await space.send(A, { type: 'ADD', id });
    await space.until('what follows is told', () => told.length === 5);
    t.same(told, ['moved 4', 'rewound 3', 'claimed 4', 'moved 5', 'moved 6']);
    watch.close();
    await watching;
  },
);

t.test(
  'P2: a watch that was away while the server lost its tail and wrote past it is told so when it resumes',
  async (t) => {
    const space = await open(t, { shards: 1 });
    await space.host();
    await space.ask(A, { type: 'ADD', id: 'kept' });
    const older = await space.dump(A);
    const kept = await space.client.head(0);
    const lost = await space.ask(A, { type: 'ADD', id: 'lost' });
    const seen = await space.client.head(0);
    t.match([lost.version, kept.number, seen.number], [3, 3, 4]);
    await space.restore(A, older);
    // Two, since an owner that still runs has read past the place that the first one takes.
    for (const id of ['again', 'and again']) await space.send(A, { type: 'ADD', id });
    await space.until(
      'the journal is past the position',
      async () => (await space.client.head(0)).number > seen.number,
    );
    await space.settled();
    const head = await space.client.head(0);
    t.not((await space.client.journal(0, seen.number - 1, 1))[0]?.token, seen.token, 'another entry stands there');

    const told = async (from: JournalPosition): Promise<readonly string[]> => {
      const entries: string[] = [];
      await space.send(A, { type: 'ADD', id: `behind ${from.number}` });
      for await (const { kind, position } of space.client.watch({ from: new Map([[0, from]]) })) {
        entries.push(`${kind} ${position}`);
        if (kind === 'rewound') await space.send(A, { type: 'ADD', id: 'behind it' });
        if (position > head.number && kind === 'moved') break;
      }
      return entries;
    };
    const [first, ...others] = await told(seen);
    t.match(first, /^rewound /);
    t.same(
      others.filter((entry) => entry.startsWith('rewound')),
      [],
      'once',
    );
    t.match((await told(kept)).join(), /^claimed 4,moved 5,moved 6,moved 7/, 'what was not undone is gone on from');
  },
);

t.test('P2: each announcement names the one before it, and a client that follows them misses none', async (t) => {
  const space = await open(t);
  await space.host();
  for (const event of [{ type: 'ADD', id: '1' }, { type: 'ARM' }, { type: 'DISARM' }, { type: 'ADD', id: '2' }])
    await space.ask(A, event);
  const told = (await space.client.history(A)).filter((entry) => entry.announcement !== undefined);
  t.same(
    told.map(({ sequence, previous, announcement }) => [sequence, previous, announcement?.data]),
    [
      [1, 0, { count: 0 }],
      [2, 1, { count: 1 }],
      [5, 2, { count: 2 }],
    ],
  );
  t.match(await space.client.read(A), {
    version: 5,
    announced: 5,
    announcement: { type: 'counted', data: { count: 2 } },
  });
});

t.test('P3: a read with a floor waits for that version, and says what it saw when it does not come', async (t) => {
  const space = await open(t);
  await space.send(A, { type: 'ADD', id: 'x' });
  const reading = space.client.read(A, { floor: 2, waitMs: 5_000 });
  t.equal(await space.client.read(A, { floor: 1, waitMs: 0 }), undefined);
  await space.host();
  t.match(await reading, { version: 2, counter: 1, machine: 'tally', states: ['open'] });
  t.match(await space.client.read(A, { floor: 9, waitMs: 30 }), { version: 2 });
});

t.test('a step from cache and a step after a reload are the same step', async (t) => {
  const journals: unknown[] = [];
  for (const forgetful of [false, true]) {
    const space = await open(t, { shards: 1 });
    await space.host(trialChart(), { forgetful });
    for (const event of [
      { type: 'ADD', id: '1' },
      { type: 'WORK', id: 'x' },
    ])
      await space.ask(A, event);
    await space.reaches(A, 'worked');
    await space.ask(A, { type: 'UNDO' });
    await space.ask(A, { type: 'ARM' });
    await space.reaches(A, 'fired');
    journals.push(
      (await space.client.history(A)).map(({ event, sequence, snapshotHash, starts }) => ({
        event,
        sequence,
        snapshotHash,
        starts,
      })),
    );
  }
  t.same(journals[1], journals[0]);
});

t.test(
  'L2: an owner whose token is gone is fenced at its next write, drops the shard and claims it anew while it holds the lock',
  async (t) => {
    const space = await open(t, { shards: 1 });
    const worker = await space.host();
    await space.ask(A, { type: 'ADD', id: '1' });
    for (const id of ['2', '3']) {
      await redis.hset(space.keys(A).owner, 'token', `7${id}:somebody`);
      t.match(await space.ask(A, { type: 'ADD', id }), { kind: 'applied' });
    }
    t.equal(worker.counters.fenced, 2);
    t.same(await space.seen(A), ['1', '2', '3']);
    t.same(worker.shards(), [0]);
    const claims = (await space.client.journal(0, 0, 100)).filter(({ kind }) => kind === 'claimed');
    t.equal(claims.length, 3, 'one claim per doubt, and no more');
  },
);

t.test(
  'L4: a worker that stops drains what it has in hand, releases its shards and leaves nothing that runs',
  async (t) => {
    const space = await open(t, { shards: 2 });
    const worker = await space.host();
    const asked = ids(50).map((id) => space.ask(actorId(`act_${id}`), { type: 'ADD', id }));
    await Promise.all(asked.slice(0, 5));
    await worker.stop();
    const views = await space.client.shardViews();
    t.same(
      views.map(({ owner, token }) => [owner, /:free-/.test(token ?? '')]),
      [
        [undefined, true],
        [undefined, true],
      ],
    );
    const names = String(await redis.call('CLIENT', 'LIST'));
    t.notMatch(names, new RegExp(`name=emboss-${worker.worker}-\\w+ .*${space.name}`));
    t.same(worker.shards(), []);
    t.equal(worker.healthy(), false);
    await space.host();
    t.same(
      new Set((await Promise.all(asked)).map(({ kind }) => kind)),
      new Set(['applied']),
      'what it had not begun is done by the next',
    );
  },
);

t.test('a reply that no function gives ends the worker: its shard is not claimed again', async (t) => {
  const own = await startRedis();
  const there = await connectRedis('query', own.url);
  t.teardown(async () => {
    await there.close();
    await own.stop();
  });
  const space = await TrialSpace.open(t, there.redis, { url: own.url, shards: 1 });
  const told: Error[] = [];
  await space.host(trialChart(), { onFatal: (error) => void told.push(error) });
  await space.ask(A, { type: 'ADD', id: '1' });
  const { source } = await library();
  const register = "redis.register_function(named('commit'), commit)";
  t.ok(source.includes(register));
  const broken = source.replace(register, "redis.register_function(named('commit'), function() return 'NONSENSE' end)");
  await there.redis.call('FUNCTION', 'LOAD', 'REPLACE', broken);
  await space.send(A, { type: 'ADD', id: '2' });
  await space.until('it says so', () => told.length > 0);
  t.match(told, [{ name: 'InvariantBroken', message: /commit answered/ }]);
  t.same((await space.client.journal(0, 0, 100)).filter(({ kind }) => kind === 'claimed').length, 1);
});
