// Goal: what waits for a person is found, escalates, is taken and ends by itself; many are helped at once, never twice, and by
// two people where it counts. Method: a real server and worker with a small chart in the order's place and the product's own
// tasks, the surfaces on free ports, and the command line as a process that is killed in the middle.

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { assign, createMachine } from 'xstate';
import type { BulkSummary } from '../actors/contract/bulk.ts';
import { loadCatalogue } from '../actors/contract/catalogue.ts';
import type { Role } from '../actors/contract/dto.ts';
import { readSettings } from '../actors/contract/settings.ts';
import { openPeople } from '../actors/people/index.ts';
import { taskActions, taskChart } from '../actors/tasks.ts';
import { type Client, connect } from '../runtime/client.ts';
import { type Host, type Hosted, host } from '../runtime/index.ts';
import { type ActorId, startRedis, waitUntil } from '../runtime/testing/index.ts';
import { createSurface } from './app.ts';
import { developmentTokens } from './auth/tokens.ts';
import { systemTicker } from './client/clock.ts';
import { RestClient, RestError } from './client/index.ts';
import { createHub } from './live/hub.ts';
import { createLog } from './log.ts';
import type { JsonObject, Parts } from './parts.ts';
import { picturesOf } from './pictures.ts';
import { createReadiness } from './readiness.ts';
import type { TaskRow } from './routes/tasks.ts';

const SECRET = 'a-secret-for-tests-only';
const SHARDS = 4;
const TIME_SCALE = 36_000; // An hour, after which the task escalates, is a tenth of a second.
const DAY_MS = 24 * 3_600_000;

/** What the chart may not do until somebody mends it. */
const fault = { isMended: false };

const asked = (type: 'openTask' | 'closeTask') => ({
  type,
  params: ({ context }: { context: unknown }) => ({
    orderId: (context as { orderId: string }).orderId,
    task: 'card_record_refused',
  }),
});

/** An order that is stuck from its submission on, until somebody retries or cancels it. */
const stuck = createMachine({
  id: 'order',
  type: 'parallel',
  context: ({ input }: { input: unknown }) => ({
    ...(input as object),
    stage: { name: 'approved', since: 1 },
    reason: 'card_record_refused',
  }),
  states: {
    fulfilment: {
      initial: 'draft',
      states: {
        draft: { on: { SUBMIT: 'approved' } },
        approved: {
          initial: 'cardRefused',
          states: {
            cardRefused: { entry: asked('openTask'), exit: asked('closeTask'), on: { RETRY: 'awaitingBatch' } },
            awaitingBatch: { on: { PRINT_STARTED: 'cardRefused' } },
          },
          on: {
            CANCEL: 'cancelling',
            CORRECTED: { actions: assign({}) },
            REVIEW_APPROVED: { actions: assign({}) },
            FATAL: {
              actions: assign(() => {
                if (!fault.isMended) throw new Error('cannot do it');
                return {};
              }),
            },
          },
        },
        cancelling: {},
      },
    },
    hold: {
      initial: 'clear',
      states: {
        clear: {
          on: { HOLD: [{ guard: ({ event }) => event.kind === 'fraud', target: 'held.fraud' }, 'held.operator'] },
        },
        held: { initial: 'operator', states: { fraud: {}, operator: {} }, on: { RELEASE: 'clear' } },
      },
    },
    sla: { initial: 'breached', states: { breached: {} } },
  },
});

const order: Hosted = {
  machine: stuck,
  name: 'order',
  version: '1',
  stamp: true,
  actions: taskActions('ord'),
  announce: (_, after) => {
    const isOver = JSON.stringify(after.value).includes('cancelling');
    return {
      type: 'order.changed',
      data: { owner: 'usr_anna', status: isOver ? 'cancelling' : 'approved', allowedActions: isOver ? [] : ['cancel'] },
    };
  },
};

// --- The world ---

interface World {
  readonly ordering: Client;
  readonly redisUrl: string;
  worker(): Promise<Host>;
  /** The internal surface, and a client of it for a person in a role. */
  api(): Promise<{ readonly url: string; readonly as: (subject: string, role?: Role) => Promise<RestClient> }>;
  /** Orders that wait for their card, in order of their numbers. */
  orders(count: number, from?: number): Promise<readonly ActorId[]>;
  /** Sends, and does not wait. */
  say(actor: ActorId, event: { readonly type: string; readonly [field: string]: string }): Promise<void>;
}

const tokens = developmentTokens(SECRET, systemTicker);

async function world(t: Test): Promise<World> {
  const redis = await startRedis();
  const config = { shards: SHARDS, timeScale: TIME_SCALE };
  const open = (namespace: string) => connect({ namespace, url: redis.url, secret: SECRET, config });
  const [ordering, delivery] = await Promise.all([open('ord'), open('dlv')]);
  const running: { stop(): Promise<void> }[] = [];
  t.teardown(async () => {
    for (const each of running.reverse()) await each.stop();
    await Promise.all([ordering.close(), delivery.close()]);
    await redis.stop();
  });
  let said = 0;
  const say: World['say'] = async (actor, event) => {
    await ordering.send({ actor, event, messageId: `t.${said++}` });
  };
  return {
    ordering,
    redisUrl: redis.url,
    async worker() {
      const worker = await host({
        ...{ namespace: 'ord', worker: 'ordering.1', url: redis.url, shards: SHARDS, timeScale: TIME_SCALE },
        ...{ charts: [order, taskChart], watchdog: false },
      });
      running.push(worker);
      await waitUntil('the shards are open', () => worker.shards().length === SHARDS, { deadlineMs: 20_000 });
      return worker;
    },
    async api() {
      const pictures = picturesOf(ordering);
      const hub = createHub({ client: ordering, ticker: systemTicker, pictures, failed: () => undefined });
      await hub.start();
      const watched = { ordering, delivery, hub, ticker: systemTicker, accepting: () => true };
      const parts: Parts = {
        ...watched,
        ...{
          readiness: createReadiness(watched),
          people: openPeople(ordering, readSettings({})),
          catalogue: loadCatalogue(),
          tokens,
          origins: [],
        },
        ...{ log: createLog({ level: 'silent' }), callbackSecret: SECRET },
      };
      const internal = await createSurface('internal', parts);
      const url = await internal.listen({ host: '127.0.0.1', port: 0 });
      running.push({ stop: async () => void (await Promise.all([hub.drain(), internal.close()])) });
      const as = async (subject: string, role: Role = 'operator') => {
        const token = (await tokens.issue?.(subject, role, 600))?.token ?? '';
        return new RestClient({ baseUrl: url, token, attemptsMax: 4 });
      };
      return { url, as };
    },
    async orders(count, from = 0) {
      const ids = Array.from({ length: count }, (_, i) => `ord_${String(from + i).padStart(4, '0')}` as ActorId);
      await Promise.all(
        ids.map((actor, i) =>
          ordering.ask(
            {
              actor,
              event: { type: 'SUBMIT' },
              messageId: 'submit',
              create: {
                machine: 'order',
                input: { orderId: actor, userId: 'usr_anna', method: (from + i) % 2 === 0 ? 'courier' : 'post' },
              },
            },
            { timeoutMs: 20_000 },
          ),
        ),
      );
      return ids;
    },
    say,
  };
}

const read = async <Body = JsonObject>(client: RestClient, path: string): Promise<Body> =>
  (await client.call<Body>('GET', `/internal/v1/${path}`)).body;
const post = (client: RestClient, path: string, body: object | undefined, key: string) =>
  client.call<JsonObject>('POST', `/internal/v1/${path}`, {
    ...(body === undefined ? {} : { body }),
    idempotencyKey: key,
  });
const statusOf = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => 'done',
    (error: unknown) => (error instanceof RestError ? error.status : error),
  );

interface TaskPage {
  readonly data: readonly TaskRow[];
  readonly page: { readonly next?: string; readonly hasMore: boolean };
}

// --- Tasks ---

t.test(
  'R-10, TK1: a stuck order asks for a person; the task outlives its worker, escalates, is taken, and closes by itself',
  async (t) => {
    const { ordering, worker, api, orders } = await world(t);
    const first = await worker();
    const { as } = await api();
    const anna = await as('ops.anna');
    const [id] = await orders(1);
    const mine = async (state = 'active') => (await read<TaskPage>(anna, `tasks?orderId=${id}&state=${state}`)).data[0];
    await waitUntil('the task is there', () => mine());
    await first.stop(); // Whoever comes next has the timer.
    await worker();
    const late = await waitUntil('it escalates', () => mine('escalated'));
    t.match(late, {
      ...{ task: 'card_record_refused', desk: 'operations', state: 'open', escalated: true, subject: id, orderId: id },
      ...{ claimedBy: null, asked: 1, openings: 1, ends: 'state', verbs: ['RETRY', 'CANCEL', 'FATAL'] },
    });
    t.equal(Date.parse(late.dueAt) - Date.parse(late.openedAt), 3_600_000, 'the hour of the table');
    t.ok(late.openForMs >= 3_600_000, 'which has passed in business time');

    const task = `tasks/${late.taskId}`;
    t.equal(
      await statusOf(post(await as('rev.rita', 'reviewer'), `${task}/claim`, undefined, 'c')),
      403,
      'another desk’s',
    );
    t.equal(await statusOf(post(await as('aud.it', 'auditor'), `${task}/claim`, undefined, 'c')), 403);
    t.match((await post(anna, `${task}/claim`, undefined, 'c')).body, {
      data: { state: 'claimed', claimedBy: 'ops.anna' },
    });
    t.equal(await statusOf(post(await as('ops.ben'), `${task}/claim`, undefined, 'c')), 409, 'it is taken');
    t.equal(await statusOf(post(await as('ops.ben'), `${task}/unclaim`, undefined, 'u')), 409, 'and not his');
    t.equal(await statusOf(post(anna, `${task}/done`, { reason: 'mended' }, 'd')), 409, 'a state stands behind it');
    t.equal(await statusOf(post(anna, `${task}/done`, { reason: 'Anna called' }, 'd')), 400);
    const lead = await as('ops.lead', 'admin');
    t.match((await post(lead, `${task}/unclaim`, undefined, 'u')).body, { data: { state: 'open' } }, 'in her name');
    await post(anna, `${task}/claim`, undefined, 'again');

    await post(anna, `orders/${id}/commands`, { type: 'RETRY', reason: 'partner_outage' }, 'r');
    const closed = await waitUntil('it closes by itself', () => mine('closed'));
    t.match(closed, { state: 'closed', claimedBy: 'ops.anna', openings: 1 });
    t.match(await read(anna, `tasks?orderId=${id}`), { data: [] });
    const entries = await ordering.history(late.taskId as ActorId);
    const acts = entries.filter(({ kind, event }) => kind === 'moved' && !event?.type.startsWith('xstate'));
    t.same(
      acts
        .map(({ event, from }) => `${event?.type} ${from?.replace(/:[0-9a-f]+$/, '') ?? ''}`.trim())
        .filter((each) => !each.startsWith('emboss')),
      [
        'OPEN ord_0000',
        'CLAIM operator:ops.anna',
        'UNCLAIM admin:ops.lead',
        'CLAIM operator:ops.anna',
        'CLOSE ord_0000',
      ],
      'the journal says who did what',
    );
    t.match(entries.flatMap(({ announcement }) => announcement?.type ?? []).slice(0, 2), [
      'task.open',
      'task.escalated',
    ]);
  },
);

t.test(
  'tasks come longest open first, in pages, and by desk and name; late orders by stage; own edits are not approved',
  async (t) => {
    const { ordering, worker, api, orders, say } = await world(t);
    await worker();
    const { as } = await api();
    const anna = await as('ops.anna');
    const ids = await orders(13);
    await waitUntil('all tasks are there', async () => (await read<TaskPage>(anna, 'tasks')).data.length === 13);
    const whole = (await read<TaskPage>(anna, 'tasks')).data;
    t.same(
      whole.map(({ since }) => since),
      [...whole].map(({ since }) => since).sort(),
    );
    t.same(whole.map(({ orderId }) => orderId).sort(), ids);
    const paged: TaskRow[] = [];
    for (let next: string | undefined = ''; next !== undefined; ) {
      const after = next === '' ? '' : `&after=${next}`;
      const page: TaskPage = await read<TaskPage>(
        anna,
        `tasks?limit=5&desk=operations&name=card_record_refused${after}`,
      );
      paged.push(...page.data);
      next = page.page.next;
    }
    t.same(
      paged.map(({ taskId }) => taskId),
      whole.map(({ taskId }) => taskId),
      'each once, in the same order',
    );
    t.match(await read(anna, 'tasks?desk=review'), { data: [], page: { hasMore: false } });
    t.equal(await statusOf(read(anna, 'tasks?after=bm90IG91cnM')), 400, 'a cursor of ours, or none');
    t.equal(await statusOf(read(anna, 'tasks?desk=nowhere')), 400);
    t.match(await read(anna, 'population'), { data: { task: { 'work.open': 13 } } });

    const late = { count: 13, counted: 13, byStage: { approved: 13 }, oldest: { length: 3 } };
    t.match(await read(anna, 'sla?limit=3'), { breached: late, atRisk: { count: 0, oldest: [] } });

    const [id] = ids as readonly [ActorId];
    await post(anna, `orders/${id}/commands`, { type: 'CORRECTED', reason: 'data_corrected' }, 'e');
    const verdict = { decision: 'approve', reason: 'data_confirmed' };
    t.equal(
      await statusOf(post(await as('ops.anna', 'reviewer'), `orders/${id}/reviews`, verdict, 'v')),
      403,
      'her own edit',
    );
    t.equal(await statusOf(post(await as('rev.rita', 'reviewer'), `orders/${id}/reviews`, verdict, 'v')), 'done');
    const commanded = async (role: Role, type: string) =>
      statusOf(post(await as('ops.x', role), `orders/${id}/commands`, { type, reason: 'other' }, `${role}.${type}`));
    t.equal(await commanded('operator', 'AML_CLEARED'), 403, 'the reviewers decide about sanctions');
    t.equal(await commanded('reviewer', 'RETRY'), 403);
    t.equal(await commanded('dispatcher', 'RETRY'), 403, 'of an order');
    await say(id, { type: 'HOLD', kind: 'fraud' });
    await waitUntil('it is held', async () => (await ordering.read(id))?.states.includes('hold.held.fraud'));
    t.equal(await commanded('operator', 'RELEASE'), 403, 'fraud is not the operator’s to lift');
    const release = { action: 'release', kind: 'operator', reason: 'cleared' };
    t.equal(
      await statusOf(post(await as('rev.rita', 'reviewer'), `orders/${id}/holds`, release, 'h')),
      409,
      'held for another reason',
    );
    t.equal(await commanded('reviewer', 'RELEASE'), 'done');
  },
);

// --- Bulk ---

const CLI = fileURLToPath(new URL('../cli/main.js', import.meta.url));

/** `emboss` as a process beside the world. Resolves with what it said, and how it ended. */
function emboss(
  t: Test,
  world: { url: string; redisUrl: string },
  args: readonly string[],
  started?: (child: ChildProcess) => void,
) {
  const dataDir = mkdtempSync(join(tmpdir(), 'emboss-ops-'));
  t.teardown(() => rmSync(dataDir, { recursive: true, force: true }));
  const env = {
    ...{ PATH: process.env.PATH, NO_COLOR: '1', EMBOSS_DATA_DIR: dataDir, REDIS_URL: world.redisUrl },
    ...{ EMBOSS_INTERNAL_PORT: new URL(world.url).port, EMBOSS_API_URL: world.url },
  };
  const child = spawn(process.execPath, [CLI, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  t.teardown(() => child.kill('SIGKILL'));
  const said = { out: '', err: '' };
  child.stdout.on('data', (chunk: Buffer) => {
    said.out += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    said.err += chunk.toString();
    started?.(child);
  });
  return new Promise<{ out: string; err: string; code: number | string | null }>((resolve) =>
    child.once('close', (code, signal) => resolve({ ...said, code: signal ?? code })),
  );
}

t.test(
  'a bulk cancellation is looked at, agreed to by a second one, killed in the middle, and done once',
  async (t) => {
    const { ordering, redisUrl, worker, api, orders } = await world(t);
    await worker();
    const { url, as } = await api();
    const anna = await as('ops.anna');
    const ids = await orders(110);
    const posted = ids.filter((_, i) => i % 2 === 1);
    const base = 'bulk-operations';
    const filter = { machine: 'order', state: 'fulfilment.approved.*', method: 'post' };
    const body = { act: 'cancel', filter, reason: 'incident' };

    for (const [wrong, status] of [
      [{ ...body, filter: { machine: 'order' } }, 400],
      [{ ...body, filter: { machine: 'order', method: 'post' } }, 400],
      [{ ...body, filter: { machine: 'delivery', state: 'transport.*' } }, 400],
      [{ ...body, reason: 'because I say so' }, 400],
    ] as const)
      t.equal(await statusOf(post(anna, base, wrong, 'wrong')), status, JSON.stringify(wrong.filter));
    t.equal(await statusOf(post(await as('rev.rita', 'reviewer'), base, body, 'k')), 403);

    const looked = (await post(anna, base, { ...body, dryRun: true }, 'look')).body;
    t.match(looked, { count: posted.length, isComplete: true, needsApproval: true, judged: 55, refused: {} });
    t.equal((looked.sample as unknown[]).length, 20);
    const old = { ...body, filter: { ...filter, olderThanMs: 1_000 * DAY_MS }, dryRun: true };
    t.match((await post(anna, base, old, 'old')).body, { count: 0 }, 'none is so old');

    const args = [
      'bulk',
      'cancel',
      '--filter',
      'state=fulfilment.approved.* method=post',
      '--reason',
      'incident',
      '--as',
      'ops.anna',
      '--key',
      'storm',
      '--json',
    ];
    const requested = await emboss(t, { url, redisUrl }, args);
    t.equal(requested.code, 0, requested.err);
    const { bulkId, total } = JSON.parse(requested.out) as { bulkId: string; total: number };
    t.equal(total, posted.length);
    t.equal(await statusOf(post(anna, `${base}/${bulkId}/runs`, { from: 0 }, 'early')), 403, 'nobody has agreed yet');
    t.equal(await statusOf(post(anna, `${base}/${bulkId}/approvals`, undefined, 'own')), 403, 'not with herself');
    t.match((await post(await as('ops.ben'), `${base}/${bulkId}/approvals`, undefined, 'ok')).body, {
      approvedBy: 'ops.ben',
    });

    // What comes into the state now was not agreed to.
    const [stranger] = await orders(1, 1_001);
    const killed = await emboss(t, { url, redisUrl }, ['bulk', 'run', bulkId, '--as', 'ops.anna'], (child) =>
      child.kill('SIGKILL'),
    );
    t.equal(killed.code, 'SIGKILL', killed.err);
    t.match(killed.err, `${bulkId}: 25 of 55`);
    const resumed = await emboss(t, { url, redisUrl }, args); // The same key is the same operation, agreed to as it is.
    t.equal(resumed.code, 0, resumed.err);
    t.match(JSON.parse(resumed.out), { bulkId, total, summary: { applied: total, refused: {}, unknown: {} } });

    const cancels = async (id: ActorId) => (await ordering.history(id)).filter(({ event }) => event?.type === 'CANCEL');
    for (const id of posted) {
      const found = await cancels(id);
      t.equal(found.length, 1, id);
      t.match(found[0], {
        kind: 'moved',
        event: { reason: 'incident', by: 'ops.anna' },
        from: `operator:ops.anna+ops.ben/${bulkId}`,
      });
    }
    for (const id of ids.filter((each) => !posted.includes(each))) t.same(await cancels(id), [], 'another method');
    t.same(await cancels(stranger as ActorId), [], 'it came after the choice');
    t.equal(
      await statusOf(post(anna, base, { ...body, reason: 'other' }, 'storm')),
      422,
      'another operation under its key',
    );
  },
);

t.test(
  'holds in bulk are lifted where the role may, retries are forecast by their tasks, parked actors are redriven once',
  async (t) => {
    const { ordering, redisUrl, worker, api, orders, say } = await world(t);
    await worker();
    const { url, as } = await api();
    const anna = await as('ops.anna');
    const ids = await orders(8);
    for (const [i, id] of ids.slice(0, 5).entries())
      await say(id, { type: 'HOLD', kind: i < 3 ? 'fraud' : 'operator' });
    await waitUntil('they are held', async () => (await ordering.inState('order', 'hold.clear')).length === 3);
    const bulk = async (body: object, key: string) => (await post(anna, 'bulk-operations', body, key)).body;
    const release = { act: 'release', filter: { machine: 'order', state: 'hold.held.*' }, reason: 'incident' };
    t.match(await bulk({ ...release, dryRun: true }, 'd'), {
      count: 5,
      needsApproval: false,
      refused: { 'hold-fraud': 3 },
    });
    const run = async (bulkId: unknown) =>
      (await post(anna, `bulk-operations/${String(bulkId)}/runs`, { from: 0 }, String(bulkId))).body as unknown as {
        summary: BulkSummary;
      };
    const { bulkId } = await bulk(release, 'r');
    t.same((await run(bulkId)).summary, { applied: 2, refused: { 'hold-fraud': 3 }, unknown: {} });
    t.same((await run(bulkId)).summary, { applied: 2, refused: { 'hold-fraud': 3 }, unknown: {} }, 'and again');

    const retry = {
      act: 'retry',
      filter: { machine: 'order', state: 'fulfilment.approved.*' },
      reason: 'partner_outage',
    };
    await say(ids[7] as ActorId, { type: 'RETRY' });
    await waitUntil('its task is closed', async () => (await read<TaskPage>(anna, 'tasks')).data.length === 7);
    t.match(await bulk({ ...retry, dryRun: true }, 'd2'), { count: 8, refused: { 'nothing-to-retry': 1 } });
    const { bulkId: retryId } = await bulk(retry, 'r2');
    const { summary } = await run(retryId);
    t.equal(summary.applied, 7);
    t.equal(
      Object.values(summary.refused).reduce((all, n) => all + n, 0),
      1,
      'as was foreseen',
    );

    for (const id of ids.slice(0, 3)) await say(id, { type: 'FATAL' });
    await waitUntil('they are parked', async () => (await ordering.parked()).length === 3);
    fault.isMended = true;
    t.teardown(() => {
      fault.isMended = false;
    });
    const args = [
      'bulk',
      'redrive',
      '--filter',
      'machine=order reason=FATAL',
      '--as',
      'ops.anna',
      '--json',
      '--key',
      'mend',
    ];
    const first = await emboss(t, { url, redisUrl }, args);
    t.match([first.code, JSON.parse(first.out)], [0, { total: 3, summary: { applied: 3 } }]);
    await waitUntil('they go on', async () => (await ordering.parked()).length === 0);
    t.match(JSON.parse((await emboss(t, { url, redisUrl }, args)).out), { total: 3, summary: { applied: 3 } });
    const redriven = (await ordering.history(ids[0] as ActorId)).filter(({ kind }) => kind === 'redriven');
    t.equal(redriven.length, 1, 'a repeat is the same act');
    const wrong = await emboss(t, { url, redisUrl }, ['bulk', 'redrive', '--filter', 'older-than=soon']);
    t.match([wrong.code, wrong.err], [2, /write 30s, 15m, 4h or 2d/]);
  },
);
