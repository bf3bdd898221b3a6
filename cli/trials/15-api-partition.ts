// Trial 15, run by the runtime's runner (docs/trials.md): the api's way to Redis goes through a proxy that is cut, and then
// stands still. Workers of both contexts and the partners are outside of it. All are processes started from the built files.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type InvariantId,
  type RedisProxy,
  startRedis,
  startRedisProxy,
  type TrialStage,
  waitUntil,
} from '../../runtime/testing/index.ts';
import { audit } from '../audit/audit.ts';
import { type Clients, openClients } from '../found.ts';
import { projectRoot } from '../project.ts';
import { type System, startSystem } from '../supervisor.ts';
import { monotonic, pause } from '../time.ts';
import { type Told, Writers } from './writers.ts';

const PARTED_MS = 8_000;
const ANSWER_MS_MAX = 5_000;
const READY_MS_MAX = 30_000;
const WRITERS = 12;
const TIME_SCALE = 3_600; // A business day in 24 s: partners and couriers have something to do meanwhile.
const NOT_READY_MS_MAX = 5_000; // A look of the api waits for a reply as long as any call.

const UNSEEN: readonly (readonly [InvariantId, string])[] = [
  ['I5', 'nobody followed the orders live: a client of the api would have been parted with it'],
  ['I7', 'an order moves by its partners, too, so a history of customers alone says nothing'],
  ['I8', 'orders live on for minutes: nothing is ever at rest'],
];

/** How the api is parted: connections end; nothing passes; what it sends arrives, and no reply comes. */
const WAYS = {
  cut: (line: RedisProxy) => line.cut(),
  silent: (line: RedisProxy) => line.halfOpen(),
  'replies lost': (line: RedisProxy) => line.halfOpen('replies'),
};

interface Parting {
  readonly from: number;
  readonly to: number;
}

export async function partApi(stage: TrialStage): Promise<void> {
  const redis = await startRedis();
  stage.atEnd(() => redis.kill());
  const line = await startRedisProxy(redis, { seed: stage.seed });
  stage.atEnd(() => line.close());
  await stage.servedBy(redis.url);
  const system = await systemBehind(stage, redis.url, line.url);
  const { settings } = system;
  const clients = await openClients({ settings, orderingRedisUrl: redis.url, deliveryRedisUrl: redis.url });
  stage.atEnd(() => clients.close());
  const writers = new Writers({ urls: system.urls, seed: stage.seed, writers: WRITERS });
  stage.atEnd(() => writers.stop());
  await waitUntil('orders are placed', () => writers.acks.length > 5 * WRITERS, { deadlineMs: READY_MS_MAX });

  const partings: Parting[] = [];
  const rounds = stage.rounds(1);
  for (let round = 1; round <= rounds; round += 1) {
    for (const how of Object.keys(WAYS) as (keyof typeof WAYS)[])
      partings.push(await parted(stage, { system, clients, line, how }));
    stage.say(`round ${round} of ${rounds}`);
  }
  const answered = writers.acks.length;
  await waitUntil('writes are answered', () => writers.acks.length > answered + 2 * WRITERS, {
    deadlineMs: READY_MS_MAX,
  });
  await writers.stop();
  judge(stage, writers, partings);
  await audited(stage, system, clients, writers);
}

/** Starts the processes of the Procfile's kinds, the api with a way to Redis of its own. Ends with the trial. */
async function systemBehind(stage: TrialStage, redisUrl: string, apiRedisUrl: string): Promise<System> {
  const folder = mkdtempSync(join(tmpdir(), 'emboss-parted-'));
  stage.atEnd(async () => rmSync(folder, { recursive: true, force: true }));
  const run = (file: string): string => `node "${join(projectRoot, 'build', file)}"`;
  const api = `EMBOSS_ORDERING_REDIS_URL=${apiRedisUrl} EMBOSS_DELIVERY_REDIS_URL=${apiRedisUrl}`;
  const types = [
    `api: ${api} ${run('api/main.js')}`,
    `ordering: ${run('actors/ordering/main.js')}`,
    `delivery: ${run('actors/delivery/main.js')}`,
    `partners: ${run('actors/partners/simulator/main.js')}`,
  ];
  writeFileSync(join(folder, 'Procfile'), `${types.join('\n')}\n`);
  const system = await startSystem({
    folder,
    dataDir: join(folder, 'data'),
    ports: 'free',
    scale: { api: 1, ordering: 2, delivery: 1, partners: 1 },
    env: {
      ...{ REDIS_URL: redisUrl, EMBOSS_ORDERING_REDIS_URL: '', EMBOSS_DELIVERY_REDIS_URL: '', LOCK_REDIS_URLS: '' },
      ...{ EMBOSS_DURABILITY: 'memory', EMBOSS_TIME_SCALE: String(TIME_SCALE), EMBOSS_LOG_LEVEL: 'warn' },
    },
    say: (words) => stage.say(words),
  });
  stage.atEnd(() => system.stop());
  return system;
}

interface Scene {
  readonly system: System;
  readonly clients: Clients;
  readonly line: RedisProxy;
  readonly how: keyof typeof WAYS;
}

async function parted(stage: TrialStage, { system, clients, line, how }: Scene): Promise<Parting> {
  const readyz = `${system.urls.public}/readyz`;
  const before = await steps(clients);
  const from = monotonic();
  WAYS[how](line);
  await waitUntil('the api is not ready', async () => (await fetch(readyz)).status === 503, {
    deadlineMs: NOT_READY_MS_MAX,
  });
  stage.measure(`not ready after, ${how}`, monotonic() - from, 'ms');
  await pause(PARTED_MS - (monotonic() - from));
  stage.expect((await fetch(readyz)).status === 503, `${how}: the api said that it was ready`);
  const done = (await steps(clients)) - before;
  stage.measure(`journal entries meanwhile, ${how}`, done, 'entries');
  stage.expect(done > 0, `${how}: the workers stood still, too`);
  const to = monotonic();
  line.heal();
  await waitUntil('the api is ready', async () => (await fetch(readyz)).ok, { deadlineMs: READY_MS_MAX, everyMs: 20 });
  stage.measure(`ready again after, ${how}`, monotonic() - to, 'ms');
  return { from, to };
}

/** How far all journals go, as somebody outside of the partition sees them. */
async function steps({ ordering, delivery }: Clients): Promise<number> {
  const views = await Promise.all([ordering.shardViews(), delivery.shardViews()]);
  return views.flat().reduce((sum, { head }) => sum + head, 0);
}

function judge(
  stage: TrialStage,
  { told, faults, resolved, doneUnheard, acks }: Writers,
  partings: readonly Parting[],
): void {
  const within = ({ sentAt, ms }: Told): boolean => partings.some(({ from, to }) => sentAt > from && sentAt + ms < to);
  const meanwhile = told.filter(within);
  const early = meanwhile.filter(({ status }) => status < 500 && status !== 0);
  const silent = told.filter(({ status }) => status === 0);
  const odd = meanwhile.filter(({ status, hasRetryAfter }) => status !== 503 || !hasRetryAfter);
  const slowest = Math.max(...told.map(({ ms }) => ms));
  stage.measure('writes answered meanwhile', meanwhile.length, 'answers');
  for (const slug of new Set(meanwhile.map((one) => one.slug)))
    stage.measure(`of these ${slug}`, meanwhile.filter((one) => one.slug === slug).length, 'answers');
  stage.measure('slowest answer', slowest, 'ms');
  stage.measure('writes retried to one answer', resolved, 'writes');
  stage.measure('of these carried out when nobody knew', doneUnheard, 'writes');
  stage.measure('answers about nothing that was committed, meanwhile', early.length, 'answers');
  stage.expect(meanwhile.length > 0, 'nothing was asked meanwhile');
  stage.expect(resolved > 0, 'no write was unanswered and then answered');
  stage.expect(silent.length === 0, `${silent.length} writes had no answer at all`);
  stage.expect(odd.length === 0, `answered otherwise than 503 with Retry-After: ${JSON.stringify(odd.slice(0, 5))}`);
  stage.expect(slowest <= ANSWER_MS_MAX, `an answer took ${Math.round(slowest)} ms`);
  for (const fault of faults) stage.violated(fault);
  for (const { status } of acks) stage.told[status < 400 ? 'ok' : 'refused'] += 1;
  for (const { slug, status } of told) {
    if (slug === 'outcome-unknown' || status === 0) stage.told.unknown += 1;
    else if (status >= 429) stage.told.rejected += 1;
  }
  stage.evidence.set('told', () => told);
  stage.evidence.set('acks', () => acks);
}

async function audited(stage: TrialStage, system: System, clients: Clients, { acks }: Writers): Promise<void> {
  stage.say('auditing');
  const report = await audit({ ...clients, acks, ledgerUrl: system.urls.simulator });
  stage.evidence.set('audit', () => report);
  for (const { id, checked, violations, undecided } of report.invariants)
    stage.invariants.set(id, { checked, violations, undecided });
  for (const [id, notLookedAt] of UNSEEN) stage.invariants.set(id, { notLookedAt });
  for (const { invariant, where, words } of report.violations) stage.violated(`${invariant}: ${where}: ${words}`);
  const wrong = report.invariants.find(({ id }) => id === 'I1')?.violations ?? 0;
  stage.measure('wrong 2xx: its step is in no journal', wrong, 'answers');
}
