// The demo's run: opens the doors, plays all orders with bounded concurrency, kills who is to be killed, then audits.

import { randomBytes } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { type AuditReport, check, type Evidence, gather } from '../audit/audit.ts';
import { CliFailure, EXIT } from '../failure.ts';
import { monotonic, pause, wallTime } from '../time.ts';
import type { AckLog } from './acks.ts';
import { application } from './application.ts';
import { Cast } from './cast.ts';
import { Chance } from './chance.ts';
import { setControls } from './controls.ts';
import { fate, partnerOutcomes } from './fate.ts';
import { type Following, following } from './following.ts';
import type { Ground } from './ground.ts';
import { type Killed, type KillWish, killWorkers } from './kills.ts';
import { type Played, play } from './play.ts';
import { progress, tally } from './progress.ts';
import { type StageRow, stageTable, timesOf } from './stages.ts';

export interface RunOptions {
  readonly orders: number;
  /** Orders in flight at once. */
  readonly concurrency: number;
  readonly seed: string;
  readonly kills: readonly KillWish[];
  readonly lose: number;
  readonly duplicate: number;
  readonly log: AckLog;
  readonly deadlineMs: number;
  readonly quiet: boolean;
  readonly signal: AbortSignal;
}

export interface RunReport {
  readonly ok: boolean;
  readonly seed: string;
  readonly orders: number;
  readonly timeScale: number;
  readonly system: 'own' | 'running';
  readonly wallMs: number;
  readonly outcomes: { readonly [outcome: string]: number };
  readonly stages: readonly StageRow[];
  readonly kills: readonly Killed[];
  readonly killsMissed: number;
  readonly faults: { readonly lose: number; readonly duplicate: number };
  readonly writes: {
    readonly total: number;
    readonly repeats: number;
    readonly refused: number;
    readonly acknowledged: number;
  };
  readonly live: { readonly events: number; readonly reconnections: number };
  /** Orders that did not end well: which, and why. */
  readonly troubles: readonly {
    readonly orderId: string | undefined;
    readonly outcome: string;
    readonly words: string;
  }[];
  readonly audit: AuditReport;
}

/** Ends that count: the order was carried out, or properly refused or given up. */
const GOOD_ENDS = new Set(['completed', 'rejected', 'cancelled', 'expired', 'undeliverable', 'lost']);
const ORDER_WALL_MS = 30_000; // Of an order at the usual scale, for planning kills.
const ARRIVALS_APART_MS = 80; // Customers do not all come through the door at once.
const SETTLE_MS_MAX = 20_000;
const SETTLE_LOOK_MS = 250;

export async function run(ground: Ground, options: RunOptions): Promise<RunReport> {
  setMaxListeners(0, options.signal); // One per order that waits; all are taken off again.
  const { log } = options;
  const cast = new Cast(ground.urls, log);
  const restore = await setControls(ground.urls.simulator, {
    seed: `demo-${options.seed}`,
    outcomes: partnerOutcomes,
    loseReplyRate: options.lose,
    duplicateCallbackRate: options.duplicate,
  });
  const feed = following(ground.urls.public, await cast.client('public', 'ops.operator', 'operator'));
  const begun = monotonic();
  try {
    const { played, kills } = await playAll(ground, options, cast, feed);
    if (options.signal.aborted) throw new CliFailure('the demo was ended before its time', EXIT.interrupted);
    await settled(ground);
    const wallMs = Math.round(monotonic() - begun);
    const evidence = await gather({
      ...ground.clients,
      ledgerUrl: ground.urls.simulator,
      acks: log.acks,
    });
    return report({ ground, options, cast, feed, played, kills, wallMs, evidence, log });
  } finally {
    await feed.close();
    await restore().catch(() => undefined); // The partners of an own system may be gone.
  }
}

async function playAll(ground: Ground, options: RunOptions, cast: Cast, feed: Following) {
  const { orders, seed, signal } = options;
  // An own system is empty: the seed alone names everything. On a running one, people of an earlier run are other people.
  const runName = ground.kind === 'own' ? seed : `${seed}-${randomBytes(4).toString('hex')}`;
  const chance = new Chance(seed);
  const played: Played[] = [];
  let inFlight = 0;
  const shown = progress(
    () => `${played.length}/${orders} ended, ${inFlight} in flight: ${tally([...feed.statuses.values()])}`,
    { quiet: options.quiet },
  );
  const over = new AbortController();
  const killing = killWorkers({
    wishes: options.kills,
    fleet: ground.fleet,
    inFlight: () => inFlight,
    expectedMs: ORDER_WALL_MS * Math.max(1, orders / options.concurrency),
    signal: AbortSignal.any([over.signal, signal]),
    onKill: ({ worker, pid, shards, inFlight: hit }) =>
      shown.say(`killed ${worker} (process ${pid}) with shards ${shards.join(' ')}, ${hit} orders in flight`),
  });

  const one = async (index: number): Promise<void> => {
    inFlight += 1;
    const own = chance.of(`order ${index}`);
    const name = `${runName} ${index}`;
    const result = await play({
      stage: { cast, urls: ground.urls },
      userId: `usr_${runName.replace(/[^A-Za-z0-9]/g, '')}x${index}`.slice(0, 60),
      applicant: application(own.of('person'), index, Date.parse(wallTime())),
      fate: fate(own.of('fate')),
      name,
      deadlineMs: options.deadlineMs,
      signal,
      woken: feed.woken,
      placed: feed.follow,
    });
    inFlight -= 1;
    played.push(result);
    if (!GOOD_ENDS.has(result.outcome) && !signal.aborted)
      shown.say(`${result.orderId ?? name}: ${result.outcome}. ${result.words ?? ''}`);
  };

  let next = 0;
  const lane = async (number: number): Promise<void> => {
    await pause(number * ARRIVALS_APART_MS, signal);
    while (next < orders && !signal.aborted) {
      const index = next;
      next += 1;
      await one(index);
    }
  };
  try {
    await Promise.all(Array.from({ length: Math.min(options.concurrency, orders) }, (_, number) => lane(number)));
  } finally {
    over.abort();
    shown.stop();
  }
  return { played, kills: await killing };
}

/** Waits until nothing is on its way between actors and partners, or for 20 s. */
async function settled({ clients }: Ground): Promise<void> {
  const deadline = monotonic() + SETTLE_MS_MAX;
  while (monotonic() < deadline) {
    const views = (await Promise.all([clients.ordering.shardViews(), clients.delivery.shardViews()])).flat();
    if (views.every(({ lag, effects }) => lag === 0 && effects === 0)) return;
    await pause(SETTLE_LOOK_MS);
  }
}

interface Finished {
  readonly ground: Ground;
  readonly options: RunOptions;
  readonly cast: Cast;
  readonly feed: Following;
  readonly played: readonly Played[];
  readonly kills: readonly Killed[];
  readonly wallMs: number;
  readonly evidence: Evidence;
  readonly log: AckLog;
}

function report({ ground, options, cast, feed, played, kills, wallMs, evidence, log }: Finished): RunReport {
  const audit = check(evidence);
  const troubles = played
    .filter(({ outcome }) => !GOOD_ENDS.has(outcome))
    .map(({ orderId, outcome, words = '' }) => ({ orderId, outcome, words }));
  const killsMissed = options.kills.reduce((sum, { count }) => sum + count, 0) - kills.length;
  const isWhole = played.length === options.orders && troubles.length === 0 && killsMissed === 0;
  return {
    ok: isWhole && audit.clean && audit.parked.length === 0 && audit.failed.length === 0,
    seed: options.seed,
    orders: options.orders,
    timeScale: ground.timeScale,
    system: ground.kind,
    wallMs,
    outcomes: counted(played.map(({ outcome }) => outcome)),
    stages: stagesOf(evidence, played, ground.timeScale),
    kills,
    killsMissed,
    faults: { lose: options.lose, duplicate: options.duplicate },
    writes: {
      total: cast.writes,
      repeats: [...cast.retries.values()].reduce((sum, count) => sum + count, 0),
      refused: played.reduce((sum, { refusals }) => sum + refusals, 0),
      acknowledged: log.acks.length,
    },
    live: { events: feed.events, reconnections: feed.reconnections },
    troubles,
    audit,
  };
}

function stagesOf({ contexts }: Evidence, played: readonly Played[], timeScale: number): readonly StageRow[] {
  const shards = contexts.flatMap((context) => context.shards);
  const deliveries = new Map<string, string[]>();
  for (const { actor, view } of shards.flatMap((shard) => shard.actors)) {
    if (view?.machine !== 'delivery') continue;
    const orderId = String(view.context.orderId);
    deliveries.set(orderId, [...(deliveries.get(orderId) ?? []), actor]);
  }
  const orderIds = played.flatMap(({ orderId }) => (orderId === undefined ? [] : [orderId]));
  const entries = shards.flatMap((shard) => shard.entries);
  return stageTable(
    timesOf(orderIds, entries, (orderId) => deliveries.get(orderId) ?? []),
    timeScale,
  );
}

function counted(words: readonly string[]): { readonly [word: string]: number } {
  const counts: { [word: string]: number } = {};
  for (const word of [...words].sort()) counts[word] = (counts[word] ?? 0) + 1;
  return counts;
}
