// Goal: who tests may move time and wish something of the partners, and nobody else finds the routes. Method: real workers of
// both contexts with a chart that waits for days, the partner simulator as a process, the internal surface over them.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { createMachine } from 'xstate';
import { loadCatalogue } from '../actors/contract/catalogue.ts';
import type { Role } from '../actors/contract/dto.ts';
import { readSettings } from '../actors/contract/settings.ts';
import { openPeople } from '../actors/people/index.ts';
import { type Client, connect } from '../runtime/client.ts';
import { actorId, type Hosted, host } from '../runtime/index.ts';
import { type RedisServer, startRedis } from '../runtime/testing/index.ts';
import { createSurface } from './app.ts';
import { developmentTokens } from './auth/tokens.ts';
import { pause, systemTicker } from './client/clock.ts';
import { createHub } from './live/hub.ts';
import { createLog } from './log.ts';
import { partnerControls } from './partner-controls.ts';
import type { Parts } from './parts.ts';
import { picturesOf } from './pictures.ts';
import { createReadiness } from './readiness.ts';

const SECRET = 'a-secret-for-tests-only';
const DAY_MS = 86_400_000;
const SHARDS = 2;

/** Waits for two days, one after the other. */
const waiting = createMachine({
  id: 'order',
  initial: 'today',
  states: { today: { after: { [DAY_MS]: 'tomorrow' } }, tomorrow: { after: { [DAY_MS]: 'later' } }, later: {} },
});
const chart: Hosted = { machine: waiting, name: 'order', version: '1', stamp: true };
const tokens = developmentTokens(SECRET, systemTicker);

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  for (let waited = 0; waited < 15_000; waited += 20) {
    if (await holds()) return;
    await pause(systemTicker, 20);
  }
  throw new Error(`not within 15 s: ${what}`);
}

/** The simulated partners in a process of their own; its URL. */
async function partners(t: Test): Promise<string> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as { port: number }; // A TCP listener's address is never a text.
  probe.close();
  const folder = mkdtempSync(join(tmpdir(), 'emboss-simulators-'));
  const main = fileURLToPath(new URL('../actors/partners/simulator/main.js', import.meta.url));
  const env = {
    ...process.env,
    EMBOSS_SIMULATOR_PORT: String(port),
    EMBOSS_DATA_DIR: folder,
    EMBOSS_LOG_LEVEL: 'error',
  };
  const child: ChildProcess = spawn(process.execPath, [main], { env, stdio: 'ignore' });
  t.teardown(async () => {
    child.kill('SIGTERM');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    rmSync(folder, { recursive: true, force: true });
  });
  const url = `http://127.0.0.1:${port}`;
  await until('the partners listen', () =>
    fetch(`${url}/readyz`).then(
      ({ ok }) => ok,
      () => false,
    ),
  );
  return url;
}

interface Stage {
  readonly ordering: Client;
  readonly delivery: Client;
  call(role: Role, method: 'GET' | 'POST' | 'PUT', path: string, body?: object, key?: string): Promise<Heard>;
}
interface Heard {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: JSON of many shapes, looked into by the tests.
  readonly json: any;
}

const redis: RedisServer = await startRedis();
t.teardown(() => redis.stop());
let stages = 0;

async function stage(t: Test, time: { timeScale: number; virtualTime: boolean }, url?: string): Promise<Stage> {
  stages += 1;
  const open = (name: string) =>
    connect({ namespace: `${name}${stages}`, url: redis.url, secret: SECRET, config: { shards: SHARDS, ...time } });
  const [ordering, delivery] = await Promise.all([open('ord'), open('dlv')]);
  const hub = createHub({
    client: ordering,
    ticker: systemTicker,
    pictures: picturesOf(ordering),
    failed: () => undefined,
  });
  const watched = { ordering, delivery, hub, ticker: systemTicker, accepting: () => true };
  const parts: Parts = {
    ...watched,
    readiness: createReadiness(watched),
    people: openPeople(ordering, readSettings({})),
    catalogue: loadCatalogue(),
    tokens,
    log: createLog({ level: 'silent' }),
    callbackSecret: SECRET,
    origins: [],
    controls: url === undefined ? undefined : partnerControls(url),
  };
  const app = await createSurface('internal', parts);
  t.teardown(async () => {
    await app.close();
    await Promise.all([ordering.close(), delivery.close()]);
  });
  return {
    ordering,
    delivery,
    async call(role, method, path, body, key = `k-${path}`) {
      const issued = await tokens.issue?.('usr_op', role, 600);
      const answer = await app.inject({
        method,
        url: `/simulators/v1${path}`,
        headers: {
          authorization: `Bearer ${issued?.token}`,
          'idempotency-key': key.replaceAll(/[^a-z0-9-]/g, '-'),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { payload: JSON.stringify(body) }),
      });
      return { status: answer.statusCode, json: answer.body === '' ? undefined : JSON.parse(answer.body) };
    },
  };
}

const VIRTUAL = { timeScale: 1, virtualTime: true };

t.test('T2: both contexts and the partners travel together, once under a key, and up to a moment', async (t) => {
  const url = await partners(t);
  const { ordering, delivery, call } = await stage(t, VIRTUAL, url);
  const actor = actorId('ord_1');
  for (const client of [ordering, delivery]) {
    const { namespace } = client;
    const worker = await host({
      namespace,
      worker: 'w.1',
      url: redis.url,
      shards: SHARDS,
      charts: [chart],
      virtualTime: true,
      watchdog: false,
    });
    t.teardown(() => worker.stop());
    await client.ask({
      actor,
      messageId: 'c',
      event: { type: 'emboss.create' },
      create: { machine: 'order', input: {} },
    });
  }
  const states = async () => [(await ordering.read(actor))?.value, (await delivery.read(actor))?.value];
  const partnersTravelled = async () =>
    ((await (await fetch(`${url}/control/time`)).json()) as { travelledMs: number }).travelledMs;

  const gone = await call('operator', 'POST', '/time/travel', { ms: DAY_MS + 5_000 }, 'one');
  t.match(gone, {
    status: 200,
    json: { ordering: { travelledMs: DAY_MS + 5_000, arrived: true }, delivery: { arrived: true } },
  });
  await until('a day is over in both', async () => (await states()).every((value) => value === 'tomorrow'));
  t.equal(await partnersTravelled(), DAY_MS + 5_000);
  t.match(
    (await call('operator', 'POST', '/time/travel', { ms: DAY_MS + 5_000 }, 'one')).json.ordering.travelledMs,
    DAY_MS + 5_000,
    'a repeat',
  );
  t.match(await call('operator', 'POST', '/time/travel', { ms: 1 }, 'one'), { status: 422, json: { code: 'P-05' } });

  const moment = new Date(ordering.domainNow() + DAY_MS).toISOString();
  const there = await call('service', 'POST', '/time/travel', { until: moment });
  t.equal(there.status, 200);
  t.ok(there.json.ordering.now >= moment && there.json.delivery.now >= moment, 'each context is there');
  await until('two days are over in both', async () => (await states()).every((value) => value === 'later'));
  const before = ordering.travelledMs;
  t.equal((await call('service', 'POST', '/time/travel', { until: moment })).status, 200, 'it is later already');
  t.equal(ordering.travelledMs, before, 'which moves nothing');

  t.equal((await call('operator', 'POST', '/time/travel', { ms: 0 })).status, 400);
  t.equal((await call('operator', 'POST', '/time/travel', { until: 'tomorrow' })).status, 400);
  t.match(await call('operator', 'POST', '/time/travel', { ms: 36_525 * DAY_MS }, 'far'), {
    status: 400,
    json: { detail: /travelled/ },
  });
  t.equal((await call('customer', 'POST', '/time/travel', { ms: 1 })).status, 403);
});

t.test('wishes go to the partners, and what they answer comes back', async (t) => {
  const { call } = await stage(t, VIRTUAL, await partners(t));
  t.match(await call('operator', 'GET', '/profile'), { status: 200, json: { seed: String, errorRate: 0 } });
  t.match(await call('admin', 'PUT', '/profile', { faults: { errorRate: 0.25 } }), {
    status: 200,
    json: { errorRate: 0.25 },
  });
  t.match(await call('operator', 'GET', '/profile'), { json: { errorRate: 0.25 } });
  t.match(await call('admin', 'PUT', '/profile', { faults: { errorRate: 7 } }), {
    status: 400,
    json: { detail: /errorRate/ },
  });
  t.equal((await call('operator', 'POST', '/shipments/dlv_none/advance', { status: 'delivered' })).status, 404);
  t.equal((await call('operator', 'POST', '/kyc/ord_none/result', { outcome: 'approved' })).status, 404);
  t.equal((await call('operator', 'POST', '/bureau/ord_none/result', { outcome: 'printed' })).status, 404);
  t.equal(
    (await call('operator', 'POST', '/shipments/ord_1/advance', { status: 'delivered' })).status,
    400,
    'no delivery',
  );
  const away = await stage(t, VIRTUAL, 'http://127.0.0.1:1');
  t.match(await away.call('operator', 'GET', '/profile'), { status: 502, json: { code: 'P-35' } });
});

t.test(
  'in real time and in production there are no simulators; where time is only scaled nobody travels',
  async (t) => {
    const real = await stage(t, { timeScale: 1, virtualTime: false });
    for (const [method, path] of [
      ['GET', '/profile'],
      ['POST', '/time/travel'],
      ['POST', '/kyc/ord_1/result'],
    ] as const)
      t.equal((await real.call('admin', method, path, method === 'GET' ? undefined : { ms: 1 })).status, 404, path);
    const scaled = await stage(t, { timeScale: 60, virtualTime: false }, 'http://127.0.0.1:1');
    t.equal((await scaled.call('admin', 'POST', '/time/travel', { ms: 1 })).status, 404);
    t.equal((await scaled.call('admin', 'GET', '/profile')).status, 502, 'partners may be played with');
  },
);
