// Goal: over real workers and a real server, a caller's command happens once and is answered as it was, and watchers miss nothing.
// Method: a private Redis, one ordering worker with a small chart in the order's place, the surfaces on free ports.

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { WebSocket } from 'ws';
import { assign, createMachine } from 'xstate';
import { loadCatalogue } from '../actors/contract/catalogue.ts';
import { openPeople } from '../actors/people/index.ts';
import { type Client, connect } from '../runtime/client.ts';
import { type Host, type Hosted, host } from '../runtime/index.ts';
import { connectRedis, type RedisServer, startRedis } from '../runtime/testing/index.ts';
import { createSurface } from './app.ts';
import { developmentTokens } from './auth/tokens.ts';
import { pause, systemTicker } from './client/clock.ts';
import { LiveClient, type LiveSocket, type LiveSubscription, RestClient, RestError } from './client/index.ts';
import { limits } from './limits.ts';
import { createHub } from './live/hub.ts';
import { createLog } from './log.ts';
import type { JsonObject, Parts } from './parts.ts';
import { picturesOf } from './pictures.ts';
import { createReadiness } from './readiness.ts';
import { goodOrder, handTicker } from './testing.ts';

const SECRET = 'a-secret-for-tests-only';
const SHARDS = 4;

/** A small order: the facts that the resource shows, and enough states for every answer. */
const small = createMachine({
  id: 'order',
  context: ({ input }: { input: unknown }) => ({
    ...(input as object),
    times: { created: (input as { at: number }).at, submitted: (input as { at: number }).at },
    card: null,
    delivery: { seq: 0, deliveryId: null, open: false, attempts: 0, slot: null },
    ticks: 0,
  }),
  initial: 'draft',
  states: {
    draft: { on: { SUBMIT: 'in_review' } },
    in_review: {
      on: {
        RETRY: { actions: assign({ ticks: ({ context }) => context.ticks + 1 }) },
        REVIEW_REQUIRED: 'approved',
        CANCEL: 'cancelling',
      },
    },
    approved: { on: { CANCEL: 'cancelling', RETRY: 'in_review' } },
    cancelling: { type: 'final' },
  },
});

const registered: Hosted = {
  machine: small,
  name: 'order',
  version: '1',
  stamp: true,
  // RETRY inside a state changes nothing that a customer sees.
  announce: (before, after) =>
    before?.value === after.value
      ? undefined
      : {
          type: 'order.changed',
          data: { owner: after.context.userId, status: String(after.value), statusGroup: 'in_progress' },
        },
  answer: (after) => ({ status: String(after.value), statusGroup: 'in_progress' }),
};

/** What a visitor of a topic heard, and where it stood when it left. */
interface Stay {
  readonly lines: readonly string[];
  readonly version: number | undefined;
  readonly cursor: LiveSubscription['cursor'];
}

interface World {
  readonly redis: RedisServer;
  readonly ordering: Client;
  worker(): Promise<Host>;
  /** A public and an internal surface with a hub of their own, as one api process has them. */
  api(port?: number): Promise<Api>;
}

interface Api {
  readonly publicUrl: string;
  readonly internalUrl: string;
  readonly port: number;
  readonly parts: Parts;
  close(): Promise<void>;
}

const tokens = developmentTokens(SECRET, systemTicker);
const token = async (subject: string, role: 'customer' | 'operator'): Promise<string> =>
  (await tokens.issue?.(subject, role, 600))?.token ?? '';

async function world(t: Test, mailbox?: { readonly perActorMax: number }): Promise<World> {
  const redis = await startRedis();
  const config = { shards: SHARDS, timeScale: 1 };
  const open = (namespace: string) =>
    connect({ namespace, url: redis.url, secret: SECRET, config, ...(mailbox === undefined ? {} : { mailbox }) });
  const [ordering, delivery] = await Promise.all([open('ord'), open('dlv')]);
  const running: { stop(): Promise<void> }[] = [];
  t.teardown(async () => {
    for (const each of running) await each.stop();
    await Promise.all([ordering.close(), delivery.close()]);
    await redis.stop();
  });

  return {
    redis,
    ordering,
    async worker() {
      const worker = await host({
        namespace: 'ord',
        worker: 'ordering.1',
        url: redis.url,
        shards: SHARDS,
        charts: [registered],
        watchdog: false,
      });
      running.push(worker);
      await until('the shards are open', () => worker.shards().length === SHARDS);
      return worker;
    },
    async api(port = 0) {
      const log = createLog({ level: 'silent' });
      const hub = createHub({
        client: ordering,
        ticker: systemTicker,
        pictures: picturesOf(ordering),
        failed: () => undefined,
      });
      await hub.start();
      const watched = { ordering, delivery, hub, ticker: systemTicker, accepting: () => true };
      const parts: Parts = {
        ...watched,
        readiness: createReadiness(watched),
        people: openPeople(ordering, {
          secret: SECRET,
          masterKeys: undefined,
          regions: ['*'],
          objects: undefined,
          dataDir: t.testdir(),
        }),
        catalogue: loadCatalogue(),
        tokens,
        log,
        callbackSecret: SECRET,
        origins: [],
      };
      const [open, internal] = await Promise.all([createSurface('public', parts), createSurface('internal', parts)]);
      const publicUrl = await open.listen({ host: '127.0.0.1', port });
      const internalUrl = await internal.listen({ host: '127.0.0.1', port: 0 });
      const close = async (): Promise<void> => {
        await hub.drain();
        await Promise.all([open.close(), internal.close()]);
      };
      running.push({ stop: close });
      return { publicUrl, internalUrl, port: Number(new URL(publicUrl).port), parts, close };
    },
  };
}

/** The error a call ends with. */
const refusal = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => 'no refusal',
    (error: unknown) => error,
  );

const DEADLINE_MS = 20_000;

async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const end = systemTicker.now() + DEADLINE_MS;
  while (!(await condition())) {
    if (systemTicker.now() > end) throw new Error(`still waiting: ${what}`);
    await pause(systemTicker, 10);
  }
}

t.test('M6: a client that loses every first response gets the same bytes, and one order', async (t) => {
  const { ordering, worker, api } = await world(t);
  await worker();
  const { publicUrl } = await api();
  const other = await api(); // Another api process: it kept nothing, and neither did the first.
  const lost = new Set<string>();
  /** Sends the request, lets the server answer, and drops the answer the first time. */
  const losing: typeof fetch = async (input, init) => {
    const response = await fetch(input, init);
    const key = new Headers(init?.headers).get('idempotency-key') ?? '';
    if (key === '' || lost.has(key)) return response;
    lost.add(key);
    await response.arrayBuffer();
    throw new TypeError('connection reset');
  };
  const bearer = await token('usr_anna', 'customer');
  const first = new RestClient({ baseUrl: publicUrl, token: bearer, fetch: losing });
  const second = new RestClient({ baseUrl: other.publicUrl, token: bearer });

  for (let i = 0; i < 5; i++) {
    const order = goodOrder({ clientReference: `app-${i}` });
    const placed = await first.createOrder(order, `key-${i}`);
    t.equal(placed.attempts, 2);
    t.equal(placed.replayed, true);
    const again = await second.createOrder(order, `key-${i}`);
    t.strictSame(
      [again.status, again.text, again.etag, again.location],
      [201, placed.text, placed.etag, placed.location],
    );
    const orderId = placed.body.orderId;
    const entries = await ordering.history(orderId as Parameters<Client['history']>[0]);
    t.same(
      entries.map(({ event }) => event?.type),
      ['emboss.create', 'SUBMIT'],
      'stepped once',
    );
    t.notMatch(JSON.stringify(entries), /Орехова|79161234567|Мясницкая/, 'the journal holds references');

    const read = await second.order(orderId, { minVersion: placed.body.version });
    t.ok(read.body.version >= placed.body.version, 'P3: never older than what was written');
    t.same(read.body, placed.body, 'and the same resource');

    const cancelled = await first.cancel(orderId, `cancel-${i}`, 'changed_mind');
    const repeated = await second.cancel(orderId, `cancel-${i}`, 'changed_mind');
    t.strictSame([repeated.status, repeated.text, repeated.etag], [202, cancelled.text, cancelled.etag]);
    t.match(await refusal(second.cancel(orderId, `cancel-other-${i}`)), {
      status: 409,
      slug: 'transition-not-allowed',
      problem: { allowedActions: [] },
    });
    t.match(await refusal(second.cancel(orderId, `cancel-${i}`, 'other')), {
      status: 422,
      slug: 'idempotency-key-reused',
    });
  }
  t.match(await refusal(second.createOrder(goodOrder({ clientReference: 'else' }), 'key-0')), { status: 422 });
});

t.test('M6: without a worker the outcome is unknown, and the repeat finds the first', async (t) => {
  const { worker, api } = await world(t, { perActorMax: 3 });
  const { publicUrl } = await api();
  const bearer = await token('usr_anna', 'customer');
  const once = new RestClient({ baseUrl: publicUrl, token: bearer, attemptsMax: 1 });
  const started = systemTicker.now();
  const error = await refusal(once.createOrder(goodOrder(), 'k'));
  t.ok(error instanceof RestError);
  t.match(error, { status: 503, slug: 'outcome-unknown', problem: { outcome: 'unknown', retryable: true } });
  t.ok(systemTicker.now() - started < 4_000, 'after two seconds');
  t.match(await refusal(once.createOrder(goodOrder(), 'k')), { status: 409, slug: 'idempotency-in-progress' });

  const retries: string[] = [];
  const patient = new RestClient({
    baseUrl: publicUrl,
    token: bearer,
    attemptsMax: 20,
    onRetry: ({ why }) => void retries.push(why),
  });
  const [placed] = await Promise.all([patient.createOrder(goodOrder(), 'k'), worker()]);
  t.equal(placed.status, 201);
  t.equal(placed.replayed, true);
});

t.test(
  'P2: a watcher sees each version once and in order through restarts of the api, of one order and of all',
  async (t) => {
    const { ordering, worker, api } = await world(t);
    await worker();
    let running = await api();
    const { port, publicUrl } = running;
    const customer = new RestClient({ baseUrl: publicUrl, token: await token('usr_anna', 'customer') });
    const operator = new RestClient({ baseUrl: publicUrl, token: await token('usr_op', 'operator') });
    const placed = await customer.createOrder(goodOrder(), 'watched');
    const orderId = placed.body.orderId as Parameters<Client['history']>[0];

    const seen: number[] = [];
    const all = new Map<string, number[]>();
    const url = `ws://127.0.0.1:${port}/api/v1/ws`;
    const dial = (to: string, protocol: string) => new WebSocket(to, protocol) as unknown as LiveSocket; // `ws` has the browser's interface.
    let primed = 0;
    const one = new LiveClient({ url, ticket: () => customer.ticket(), connect: dial });
    one.subscribe({
      topic: `order:${orderId}`,
      onSnapshot: ({ version }) => {
        primed++;
        seen.push(version);
      },
      onEvent: ({ version }) => void seen.push(version),
    });
    const many = new LiveClient({ url, ticket: () => operator.ticket(), connect: dial });
    many.subscribe({
      topic: 'ops.orders',
      onSnapshot: () => void primed++,
      onEvent: (event) => void all.set(event.orderId, [...(all.get(event.orderId) ?? []), event.version]),
    });
    await until('both pictures', () => primed === 2);

    let n = 0;
    const say = (type: string) =>
      ordering.ask({ actor: orderId, event: { type, by: 'usr_op', reason: 'test' }, messageId: `say-${n++}` });
    for (const restart of [false, true, true, false]) {
      for (let i = 0; i < 10; i++) {
        await say(i % 2 === 0 ? 'REVIEW_REQUIRED' : 'RETRY');
        if (i % 3 === 0) await say('RETRY'); // Steps that show nothing, and refusals.
        if (restart && i === 4) await running.close();
      }
      if (restart) running = await api(port);
    }
    const visible = (await ordering.history(orderId, { limit: 1_000 }))
      .filter(({ announcement }) => announcement !== undefined)
      .map(({ sequence }) => Number(sequence));
    const last = visible.at(-1) ?? 0;
    await until('both have the last version', () => seen.at(-1) === last && all.get(orderId)?.at(-1) === last);
    t.same(
      seen,
      visible.filter((version) => version >= placed.body.version),
      'one order',
    );
    t.same(
      all.get(orderId),
      visible.filter((version) => version > placed.body.version),
      'among all',
    );
    t.equal(primed, 2, 'resumed, never begun anew');
    const timeline = await customer.events(orderId);
    t.same(
      timeline.body.data.map(({ version }) => version),
      visible,
      'the timeline is the same',
    );
    await Promise.all([one.close(), many.close()]);
  },
);

t.test('P2: a watcher that was away while the server lost its tail and wrote past it gets one picture', async (t) => {
  const { redis, ordering, worker, api } = await world(t);
  await worker();
  const running = await api();
  const customer = new RestClient({ baseUrl: running.publicUrl, token: await token('usr_anna', 'customer') });
  const operator = new RestClient({ baseUrl: running.publicUrl, token: await token('usr_op', 'operator') });
  const placed = await customer.createOrder(goodOrder(), 'away');
  const orderId = placed.body.orderId as Parameters<Client['history']>[0];
  const topics = [
    [customer, `order:${orderId}`],
    [operator, 'ops.orders'],
  ] as const;
  /** Follows both topics from where `from` stood until it is said to be enough; then goes away. */
  const visit = async (port: number, from: readonly Stay[], enough: (lines: readonly string[]) => Promise<void>) => {
    const url = `ws://127.0.0.1:${port}/api/v1/ws`;
    const stays: Stay[] = [];
    for (const [index, [rest, topic]] of topics.entries()) {
      const dial = (to: string, protocol: string) => new WebSocket(to, protocol) as unknown as LiveSocket; // As above.
      const live = new LiveClient({ url, ticket: () => rest.ticket(), connect: dial });
      const lines: string[] = [];
      const { version, cursor } = from[index] ?? {};
      const subscription = live.subscribe({
        topic,
        ...(version === undefined ? {} : { since: version }),
        ...(cursor === undefined ? {} : { cursor }),
        onSnapshot: ({ gap, state }) => void lines.push(`${gap ? 'gap, ' : ''}picture ${state.status ?? ''}`.trim()),
        onEvent: ({ version, data }) => void lines.push(`${version} ${data.status}`),
      });
      await enough(lines);
      stays.push({ lines: [...lines], version: subscription.version, cursor: subscription.cursor });
      await live.close();
    }
    return stays;
  };
  let n = 0;
  const say = (type: string) =>
    ordering.ask({ actor: orderId, event: { type, by: 'usr_op', reason: 'test' }, messageId: `say-${n++}` });
  const first = await visit(running.port, [], (lines) => until('the picture', () => lines.length === 1));
  t.same(
    first.map(({ lines }) => lines),
    [['picture in_review'], ['picture']],
  );

  const beside = await connectRedis('query', redis.url);
  t.teardown(() => beside.close());
  const { redis: connection } = beside;
  const keys = async () => await connection.keys(`{ord:${ordering.shardOf(orderId)}}:*`);
  const older = new Map<string, Buffer>();
  for (const key of await keys()) older.set(key, await connection.dumpBuffer(key));
  await say('REVIEW_REQUIRED'); // Version 3: approved.
  const second = await visit(running.port, first, (lines) => until('version 3', () => lines.includes('3 approved')));
  t.same(
    second.map(({ lines }) => lines),
    [['3 approved'], ['3 approved']],
  );
  const restored = connection.multi().del(...(await keys()));
  for (const [key, bytes] of older) restored.restore(key, 0, bytes);
  await restored.exec();
  for (let i = 0; i < 6; i++) await say(i % 2 === 0 ? 'RETRY' : 'REVIEW_REQUIRED').catch(() => undefined);
  await until('written past it', async () => ((await ordering.read(orderId))?.announced ?? 0) > 3);

  await running.close();
  const next = await api(running.port); // It never saw what was lost.
  const third = await visit(next.port, second, (lines) => until('the picture', () => lines.length > 0));
  t.match(
    third.map(({ lines }) => lines),
    [[/^gap, picture /], [/^gap, picture/]],
    'not a version that goes on from 3',
  );
});

t.test('readiness: what is committed while the first look runs is heard, and an idle api stays ready', async (t) => {
  const { ordering, worker, api } = await world(t);
  await worker();
  const { publicUrl, parts } = await api();
  const customer = new RestClient({ baseUrl: publicUrl, token: await token('usr_anna', 'customer') });
  let n = 0;
  const place = async (): Promise<void> => {
    for (let i = 0; i < 8; i++) await customer.createOrder(goodOrder({ clientReference: `app-${n}` }), `key-${n++}`);
  };
  const shardViews = async () => {
    const views = await ordering.shardViews();
    if (n < 16) await place();
    return views;
  };
  const heard = async () => {
    if (n < 16) await place();
    return ordering.heard();
  };
  const ticker = handTicker();
  const readiness = createReadiness({ ...parts, ticker, ordering: { ...ordering, shardViews, heard } });
  t.match(await readiness.look(), { status: 'ready', owned: { ordering: `${SHARDS}/${SHARDS}` } });
  t.equal(n, 16);
  const isAbreast = async (): Promise<boolean> => {
    const heads = await ordering.shardViews();
    return heads.every(({ shard, head }) => (parts.hub.feed.heads.get(shard)?.number ?? 0) >= head);
  };
  await until('the live events are heard', isAbreast);
  for (let look = 0; look < 3; look++) {
    ticker.advance(limits.tailLagMs * 2);
    t.match(await readiness.look(), { status: 'ready' }, 'nothing more was committed');
  }
});

t.test('a start that no restart mends ends with exit code 2, and its reason is the last line of stderr', async (t) => {
  const { redis } = await world(t);
  const env = { REDIS_URL: redis.url, EMBOSS_SHARDS: String(SHARDS * 2) }; // Founded with other shards; no port is opened.
  const main = fileURLToPath(new URL('./main.js', import.meta.url));
  const ended = spawnSync(process.execPath, [main], { env, encoding: 'utf8', timeout: DEADLINE_MS });
  t.equal(ended.status, 2, ended.stdout);
  t.match(ended.stdout, /"code":"config-mismatch"/);
  t.match(ended.stderr.trimEnd().split('\n').at(-1), /shards/);
});

t.test('operators see the runtime; a store that is gone is 503 on every path, and nothing hangs', async (t) => {
  const { redis, worker, api } = await world(t);
  await worker();
  const { publicUrl, internalUrl } = await api();
  const operator = new RestClient({ baseUrl: internalUrl, token: await token('usr_op', 'operator'), attemptsMax: 1 });
  const customer = new RestClient({ baseUrl: publicUrl, token: await token('usr_anna', 'customer'), attemptsMax: 1 });
  const placed = await customer.createOrder(goodOrder(), 'k');
  const read = async (path: string) => (await operator.call<JsonObject>('GET', `/internal/v1/${path}`)).body;
  const full = await read(`orders/${placed.body.orderId}`);
  t.match(full, { machine: 'order', value: 'in_review', parked: false, context: { userId: 'usr_anna' } });
  t.match(await read(`orders/${placed.body.orderId}/events`), { data: [{ sequence: 1 }, { sequence: 2 }] });
  t.equal(((await read('shards')).data as unknown[]).length, 2 * SHARDS);
  t.match(await read('workers'), { data: [{ context: 'ordering', worker: 'ordering.1', state: 'alive' }] });
  t.match(await read('parked'), { data: [] });
  t.match(await read('timers'), { data: [] });
  t.match(await read('circuits'), { data: [] });
  t.match(await read('population'), { data: { order: { in_review: 1 } } });
  t.match(await read('actors?state=in_review'), { data: [{ actor: placed.body.orderId }] });
  const acted = await operator.call<JsonObject>('POST', `/internal/v1/orders/${placed.body.orderId}/commands`, {
    body: { type: 'REVIEW_REQUIRED', reason: 'test' },
    idempotencyKey: 'c',
  });
  t.match(acted.body, { version: 3, data: { status: 'approved' } });

  await redis.kill();
  const started = systemTicker.now();
  t.match(await refusal(customer.order(placed.body.orderId)), { status: 503 });
  t.match(await refusal(customer.createOrder(goodOrder(), 'k2')), { status: 503 });
  t.equal((await fetch(`${publicUrl}/readyz`)).status, 503);
  t.equal((await fetch(`${publicUrl}/livez`)).status, 200);
  t.ok(systemTicker.now() - started < 15_000, `answered after ${systemTicker.now() - started} ms`);
});
