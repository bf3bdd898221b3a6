// Goal: the laws through crashes. Method: workers in processes of their own that are killed, frozen and thawed at named
// points; beside them a worker in this process that takes over. The oracle is the calm run of the same messages.

import { existsSync } from 'node:fs';
import t, { type Test } from 'tap';
import { type Client, connect, type ParkedView } from './client.ts';
import type { Host } from './host.ts';
import { type ActorId, actorId } from './ids.ts';
import type { JsonObject } from './json.ts';
import type { Connection } from './redis/connection.ts';
import { connect as connectRedis } from './redis/connector.ts';
import { shardKeys } from './redis/keys.ts';
import { type CrashPoint, crashPoints } from './testing/crash-points.ts';
import { type RedisServer, startRedis } from './testing/redis-server.ts';
import { charts } from './testing/trial-chart.ts';
import { quickLimits } from './testing/trial-space.ts';
import { type WaitOptions, waitUntil } from './testing/waiting.ts';
import { startWorkerProcess, type WorkerProcess, type WorkerProcessOptions } from './testing/worker-process.ts';
import { host } from './worker.ts';

const server: RedisServer = await startRedis();
const raw: Connection = await connectRedis('query', server.url);
const { redis } = raw;
t.teardown(async () => {
  await raw.close();
  await server.stop();
});

const SHARDS = 2;
let spaces = 0;

/** A namespace of its own, with workers inside and outside of this process. */
class Space {
  readonly name = `x${++spaces}`;
  readonly #t: Test;
  readonly #ends: (() => Promise<unknown>)[] = [];
  #client: Promise<Client> | undefined;

  constructor(t: Test) {
    this.#t = t;
    t.teardown(async () => {
      await Promise.all(this.#ends.map((end) => end()));
      await (await this.#client)?.close();
    });
  }

  client(): Promise<Client> {
    const options = { namespace: this.name, url: server.url, secret: 'a secret of trials' };
    this.#client ??= connect({ ...options, config: { shards: SHARDS, timeScale: 1 } });
    return this.#client;
  }

  get #given() {
    return { url: server.url, ledger: `ledger:${this.name}` };
  }

  get #host() {
    return { namespace: this.name, url: server.url, shards: SHARDS, limits: quickLimits };
  }

  /** A worker in a process of its own. */
  start(worker: string, more: Omit<Partial<WorkerProcessOptions>, 'host'> = {}): WorkerProcess {
    const module = new URL('./testing/trial-chart.js', import.meta.url).href;
    const started = startWorkerProcess({ module, given: this.#given, host: { ...this.#host, worker }, ...more });
    this.#ends.push(() => started.kill());
    return started;
  }

  /** A worker in this process. */
  async host(worker: string): Promise<Host> {
    const started = await host({ ...this.#host, worker, charts: charts(this.#given), watchdog: false });
    this.#ends.push(() => started.stop());
    return started;
  }

  async send(actor: ActorId, event: JsonObject & { type: string }, messageId: string): Promise<void> {
    const client = await this.client();
    const sent = await client.send({ actor, event, messageId, create: { machine: 'tally', input: {} } });
    this.#t.equal(sent.kind, 'accepted');
  }

  /** Tries that the partner has noted. */
  async ledger(): Promise<readonly { readonly key: string; readonly attempt: number }[]> {
    return (await redis.lrange(this.#given.ledger, 0, -1)).map(
      (text) => JSON.parse(text) as { key: string; attempt: number },
    );
  }

  async seen(actor: ActorId): Promise<readonly string[]> {
    return ((await (await this.client()).read(actor))?.context.seen ?? []) as readonly string[];
  }

  async value(actor: ActorId): Promise<unknown> {
    return (await (await this.client()).read(actor))?.value;
  }

  async until<T>(what: string, look: () => T | Promise<T>, options: WaitOptions = {}): ReturnType<typeof waitUntil<T>> {
    const client = await this.client();
    const diagnose = async () => ({
      shards: await client.shardViews(),
      timers: await client.timers(),
      parked: await client.parked(),
    });
    return await waitUntil(`${this.name}: ${what}`, look, { diagnose, deadlineMs: 20_000, ...options });
  }

  async settled(): Promise<void> {
    const client = await this.client();
    await this.until('all is quiet', async () =>
      (await client.shardViews()).every(({ lag, effects, timers }) => lag === 0 && effects === 0 && timers === 0),
    );
  }
}

/** A worker that is started again whenever it was killed. */
class Mortal {
  readonly #space: Space;
  readonly #client: Client;
  readonly #between: (deaths: number) => Promise<void>;
  #worker: WorkerProcess;
  deaths = 0;

  /** `between` runs after each death. */
  constructor(space: Space, client: Client, between = async (_deaths: number): Promise<void> => undefined) {
    this.#space = space;
    this.#client = client;
    this.#between = between;
    this.#worker = space.start('trial.1');
  }

  /** Dies until an actor is parked so. */
  parks(isMeant: (parked: ParkedView) => boolean): Promise<ParkedView> {
    const look = async (): Promise<ParkedView | undefined> => {
      const told = await Promise.race([this.#worker.exited, this.#client.parked()]);
      if (Array.isArray(told)) return (told as readonly ParkedView[]).find(isMeant);
      if (told !== 'SIGKILL') throw new Error(`the worker ended with ${String(told)}`);
      this.deaths += 1;
      await this.#between(this.deaths);
      this.#worker = this.#space.start('trial.1');
      return undefined;
    };
    return this.#space.until('an actor is parked', look, { everyMs: 30 });
  }

  stop(): ReturnType<WorkerProcess['stop']> {
    return this.#worker.stop();
  }
}

const A = actorId('act_a');
const OTHERS = ['b', 'c', 'd', 'e', 'f'].map((letter) => actorId(`act_${letter}`));
const [WORKS = A, TELLS = A, WAITS = A, POSTS = A] = OTHERS;
/** On the other shard of two than TELLS: what it hears came by the outbox. */
const HEARS = actorId('act_g');

/** Something of everything: creation, a call, messages to another shard, a timer, an action with its effect, a refusal. */
async function sendAll(space: Space): Promise<void> {
  await space.send(A, { type: 'ADD', id: '1' }, 'a1');
  await space.send(A, { type: 'LEAVE' }, 'a2');
  await space.send(A, { type: 'ADD', id: '2' }, 'a3');
  await space.send(WORKS, { type: 'WORK', id: 'x' }, 'w1');
  await space.send(TELLS, { type: 'TELL', to: HEARS, namespace: space.name, ids: ['1', '2', '3'] }, 't1');
  await space.send(WAITS, { type: 'ARM' }, 'f1');
  await space.send(POSTS, { type: 'POST', id: 'y' }, 'p1');
}

async function allDone(space: Space): Promise<void> {
  await space.until('everything has happened', async () => {
    const [works, waits, heard, two] = [
      await space.value(WORKS),
      await space.value(WAITS),
      await space.seen(HEARS),
      await space.seen(A),
    ];
    return works === 'worked' && waits === 'fired' && heard.length === 3 && two.length === 2;
  });
  await space.settled();
}

/** What must not depend on crashes: per actor what happened in which order, and which keys the partner has heard. */
async function outcome(space: Space): Promise<string> {
  const client = await space.client();
  const histories = await Promise.all(
    [A, ...OTHERS, HEARS].map(async (actor) =>
      (await client.history(actor)).map(
        ({ kind, sequence, event, states, starts, snapshotHash, announcement, previous }) => ({
          kind,
          sequence,
          event,
          states,
          starts,
          snapshotHash,
          announcement,
          previous,
        }),
      ),
    ),
  );
  const keys = [...new Set((await space.ledger()).map(({ key }) => key))].sort();
  const timers = await client.timers();
  return JSON.stringify({ histories, keys, timers }, undefined, 1).replaceAll(`"${space.name}"`, '"own"');
}

t.test(
  'C1: a worker killed at any named point loses nothing and doubles nothing: same journal, same effect keys as the calm run',
  async (t) => {
    const calm = new Space(t);
    t.not(
      (await calm.client()).shardOf(TELLS),
      (await calm.client()).shardOf(HEARS),
      'what they tell travels by the outbox',
    );
    await sendAll(calm);
    await calm.host('trial.1');
    await allDone(calm);
    const expected = await outcome(calm);
    t.equal((await calm.ledger()).length, 2);

    async function crashedAt(point: CrashPoint, index: number): Promise<void> {
      const space = new Space(t);
      await sendAll(space);
      const doomed = space.start('trial.1', { crash: { at: point, act: 'kill' } });
      t.equal(await doomed.exited, 'SIGKILL', `${point}: it was passed`);
      await space.host(index % 2 === 0 ? 'trial.1' : 'trial.2');
      await allDone(space);
      t.equal(await outcome(space), expected, point);
      const client = await space.client();
      const answers = await Promise.all(
        (
          [
            ['a1', A],
            ['a2', A],
            ['w1', WORKS],
            ['f1', WAITS],
          ] as const
        ).map(([id, actor]) => {
          const { dedupe } = shardKeys(client.namespace, client.shardOf(actor));
          return redis.hget(dedupe, `${actor}|${id}`);
        }),
      );
      t.notOk(
        answers.some((answer) => answer === null || answer.endsWith(' ')),
        `${point}: every accepted command has its answer`,
      );
    }
    // Those of a travel are passed by none here: worker-travel.test.ts kills at them.
    const waiting = [...crashPoints.entries()].filter(([, point]) => !point.endsWith('-advance'));
    const lane = async (): Promise<void> => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) await crashedAt(next[1], next[0]);
    };
    await Promise.all([lane(), lane(), lane()]);
  },
);

t.test(
  'L3: a worker frozen before its commit for three leases commits nothing when it thaws; the order goes on',
  async (t) => {
    const space = new Space(t);
    const client = await space.client();
    await client.send({
      actor: A,
      event: { type: 'ADD', id: '1' },
      messageId: 'm1',
      create: { machine: 'tally', input: {} },
    });
    const zombie = space.start('trial.1', { crash: { at: 'before-commit', act: 'stop' } });
    await space.until('it stands still', () => zombie.isFrozen());
    const frozenAt = client.now();
    const { owner } = shardKeys(client.namespace, client.shardOf(A));
    const deadToken = await redis.hget(owner, 'token');
    await space.host('trial.2');
    const answer = await client.ask(
      { actor: A, event: { type: 'ADD', id: '2' }, messageId: 'm2', create: { machine: 'tally', input: {} } },
      { timeoutMs: 10_000 },
    );
    t.match(answer, { kind: 'answered', answer: { kind: 'applied', version: 3 } });
    await space.until('three leases have passed', () => client.now() - frozenAt > 3 * 600);
    t.ok(zombie.isFrozen());
    const before = await client.history(A);
    zombie.thaw();
    const counters = await space.until('it has found out', async () => {
      const told = await zombie.counters();
      return told.fenced > 0 && told;
    });
    t.equal(counters.fenced, 1, 'FENCED is counted');
    t.equal(counters.steps, 0);
    t.same(await client.history(A), before, 'and nothing was written');
    t.notOk(before.some(({ token }) => token === deadToken));
    t.same(await space.seen(A), ['1', '2']);
    t.match(await client.ask({ actor: A, event: { type: 'ADD', id: '3' }, messageId: 'm3' }, { timeoutMs: 10_000 }), {
      answer: { kind: 'applied', version: 4 },
    });
    t.equal(await zombie.stop(), 0);
  },
);

t.test(
  'M2: messages are applied once and in order while the workers that own them are killed one after the other',
  async (t) => {
    const space = new Space(t);
    const client = await space.client();
    const actors = Array.from({ length: 6 }, (_, i) => actorId(`act_${i}`));
    const workers = [space.start('trial.1'), space.start('trial.2')];
    await Promise.all(workers.map(({ ready }) => ready));
    let stop = false;
    let last = -1;
    const sending = (async () => {
      while (!stop) {
        last += 1;
        await Promise.all(
          actors.map((actor) =>
            client.send({
              actor,
              event: { type: 'ADD', id: String(last) },
              messageId: `m${last}`,
              create: { machine: 'tally', input: {} },
            }),
          ),
        );
        await space.until('somebody keeps up', async () => (await client.shardViews()).every(({ lag }) => lag < 300), {
          everyMs: 5,
        });
      }
    })();
    for (const [index, worker] of workers.entries()) {
      const from = last;
      await space.until(
        'it goes on',
        async () => last > from + 20 && (await space.seen(actors[index] as ActorId)).length > from + 5,
      );
      await worker.kill();
      if (index === 0) workers[0] = space.start('trial.3');
      else await space.host('trial.4');
    }
    stop = true;
    await sending;
    await space.settled();
    const expected = Array.from({ length: last + 1 }, (_, i) => String(i));
    for (const actor of actors) {
      t.same(await space.seen(actor), expected, `${actor}: ${last + 1} messages`);
      const sequences = (await client.history(actor, { limit: 1_000 })).map(({ sequence }) => Number(sequence));
      t.same(
        sequences,
        sequences.map((_, i) => i + 1),
      );
    }
    for (let shard = 0; shard < SHARDS; shard += 1) {
      const owners = (await client.journal(shard, 0, 10_000)).map(({ token }) => Number.parseInt(token, 10));
      t.same(
        owners,
        [...owners].sort((a, b) => a - b),
        'no token of an earlier owner writes after a later one',
      );
    }
  },
);

t.test(
  'M5: a message whose step ends the process is found out, parked unstepped, and its neighbours are served',
  async (t) => {
    const space = new Space(t);
    const client = await space.client();
    const neighbour = [...OTHERS].find((actor) => client.shardOf(actor) === client.shardOf(A)) as ActorId;
    await space.send(neighbour, { type: 'ADD', id: '1' }, 'n1');
    await space.send(A, { type: 'ADD', id: '1' }, 'm1');
    for (const id of ['2', '3']) await space.send(neighbour, { type: 'ADD', id }, `n${id}`);
    await space.send(A, { type: 'KILL', id: 'now' }, 'm2');
    await space.send(A, { type: 'ADD', id: '2' }, 'm3');
    await space.send(neighbour, { type: 'ADD', id: '4' }, 'n4');
    const mortal = new Mortal(space, client);
    const parked = await mortal.parks(({ waiting }) => waiting === 2);
    t.match(parked, { actor: A, cause: { event: 'KILL', error: { code: 'crashed' } } });
    t.equal(mortal.deaths, 4, 'two in a batch, one that finds it, one that makes sure');
    await space.until('its neighbour is served', async () => (await space.seen(neighbour)).length === 4);
    // M5: a redrive survives its owner, but not a message that ends every owner.
    await client.redrive(A, 'operator');
    const again = await mortal.parks(({ mode }) => mode === 'parked' && mortal.deaths > 4);
    t.match(again, { actor: A, waiting: 2 });
    t.equal(mortal.deaths, 7, 'the owner that redrove it, and two that went on');
    t.match(await client.ask({ actor: neighbour, event: { type: 'ADD', id: '5' }, messageId: 'n5' }), {
      answer: { kind: 'applied' },
    });
    await client.discard(A, 'operator');
    await space.until('it goes on', async () => (await client.parked()).length === 0);
    t.match(await client.ask({ actor: A, event: { type: 'ADD', id: '3' }, messageId: 'm4' }), {
      answer: { kind: 'applied' },
    });
    t.same(await space.seen(A), ['1', '3']);
    t.equal(await mortal.stop(), 0);
  },
);

t.test('M5: a timer whose step ends the process is found out and parked, and its neighbours are served', async (t) => {
  const space = new Space(t);
  const client = await space.client();
  const neighbour = [...OTHERS].find((actor) => client.shardOf(actor) === client.shardOf(A)) as ActorId;
  await space.send(neighbour, { type: 'ADD', id: '1' }, 'n1');
  await space.send(A, { type: 'BOMB' }, 'm1');
  // Its shard goes on between two deaths, and the timer is found out all the same.
  const mortal = new Mortal(space, client, (deaths) =>
    space.send(neighbour, { type: 'ADD', id: `d${deaths}` }, `d${deaths}`),
  );
  const parked = await mortal.parks(() => true);
  const { deaths } = mortal;
  t.match(parked, { actor: A, mode: 'parked', cause: { error: { code: 'crashed' }, timer: { generation: String } } });
  t.ok(deaths <= 6, `${deaths} deaths: the one at arming, two in a batch, one that finds it, one that makes sure`);
  await space.until('its neighbour is served', async () => (await space.seen(neighbour)).length === deaths + 1);
  await client.discard(A, 'operator');
  await space.until('it goes on', async () => (await client.parked()).length === 0);
  t.match(await client.ask({ actor: A, event: { type: 'DISARM' }, messageId: 'm2' }), { answer: { kind: 'applied' } });
  t.equal(await space.value(A), 'open');
  t.equal(await mortal.stop(), 0);
});

t.test(
  'L4: SIGTERM drains, releases and exits with 0; a second process under one id refuses, and ends by itself',
  async (t) => {
    const space = new Space(t);
    const client = await space.client();
    const first = space.start('trial.1');
    await first.ready;
    const second = space.start('trial.1');
    await t.rejects(second.ready, /another live process is worker trial\.1/);
    t.equal(await second.exited, 1);
    const asked = Array.from({ length: 40 }, (_, i) =>
      client.ask(
        {
          actor: actorId(`act_${i}`),
          event: { type: 'WORK', id: 'x' },
          messageId: 'm',
          create: { machine: 'tally', input: {} },
        },
        { timeoutMs: 10_000 },
      ),
    );
    await Promise.race(asked);
    t.equal(await first.stop(), 0);
    const views = await client.shardViews();
    t.same(
      views.map(({ owner }) => owner),
      [undefined, undefined],
      'released',
    );
    const third = space.start('trial.1');
    t.same(new Set((await Promise.all(asked)).map(({ kind }) => kind)), new Set(['answered']));
    await space.settled();
    const ledger = await space.ledger();
    t.equal(new Set(ledger.map(({ key }) => key)).size, 40, 'E2: each call under one key, whoever made it');
    t.equal(await third.stop(), 0);
  },
);

t.test('T1: a timer armed before all processes are stopped fires once after they start again', async (t) => {
  const space = new Space(t);
  const client = await space.client();
  const first = space.start('trial.1');
  await first.ready;
  t.match(
    await client.ask({ actor: A, event: { type: 'ARM' }, messageId: 'm', create: { machine: 'tally', input: {} } }),
    { kind: 'answered' },
  );
  t.equal(await first.stop(), 0);
  const second = [space.start('trial.1'), space.start('trial.2')];
  await Promise.all(second.map(({ ready }) => ready));
  await space.until('it fires', async () => (await space.value(A)) === 'fired');
  t.same(
    (await client.history(A)).map(({ event }) => event?.type),
    ['emboss.create', 'ARM', 'xstate.after.fuse.tally.armed'],
  );
  t.same(await Promise.all(second.map((one) => one.stop())), [0, 0]);
});

const FAKETIME = '/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1';

t.test(
  'T2: in a process whose wall clock is two hours off nothing fires early, late or twice',
  { skip: existsSync(FAKETIME) ? false : 'libfaketime is not installed' },
  async (t) => {
    for (const [index, offset] of ['+2h', '-2h'].entries()) {
      const space = new Space(t);
      const client = await space.client();
      const actor = OTHERS[index] as ActorId;
      const worker = space.start('trial.1', {
        env: { LD_PRELOAD: FAKETIME, FAKETIME: offset, FAKETIME_DONT_FAKE_MONOTONIC: '1' },
      });
      await worker.ready;
      await client.ask({ actor, event: { type: 'ARM' }, messageId: 'm', create: { machine: 'tally', input: {} } });
      const [row] = await client.timers();
      await space.until('it fires', async () => (await space.value(actor)) === 'fired');
      const [armed, fired] = (await client.history(actor)).slice(-2);
      t.ok((fired?.at ?? 0) >= (row?.dueAt ?? 0) && (fired?.at ?? 0) - (armed?.at ?? 0) < 5_000, offset);
      t.equal((await client.history(actor)).length, 3);
      await worker.stop();
    }
  },
);
