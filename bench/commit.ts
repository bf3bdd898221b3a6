// Question: how many transitions of the real order chart become durable and answered per second, how long does one take,
// and how far is that from a floor that does the same work without a single guard?
//
// Not measured: networks, other machines, effects, more than one worker, the HTTP api. Client, worker and Redis share the
// cores of this machine. Contenders are interleaved, product and floor in turn, so that a drift of the machine meets both;
// the ratio is taken pair by pair.

import { type Contender, startEmboss, startFloor } from './commit/contenders.ts';
import { microscopes } from './commit/microscopes.ts';
import { draw } from './commit/plot.ts';
import { profile } from './commit/profile.ts';
import { type Measured, measure, median } from './load.ts';
import { startBenchRedis } from './redis.ts';
import { type BenchOptions, facts, record, redisVersion, say, table } from './report.ts';

export interface CommitOptions extends BenchOptions {
  readonly pairs: number;
  readonly seconds: number;
  readonly clients: readonly number[];
  readonly profile: boolean;
}

interface Pair {
  readonly clients: number;
  readonly emboss: Measured;
  readonly floor: Measured;
  readonly ratio: number;
}

export interface Summary {
  readonly clients: number;
  readonly pairs: number;
  readonly emboss: Measured;
  readonly floor: Measured;
  /** Median of the pairs' ratios. */
  readonly ratio: number;
}

export async function commitBench(options: CommitOptions): Promise<void> {
  const pairs: Pair[] = [];
  for (let pair = 1; pair <= options.pairs; pair += 1) {
    pairs.push(...(await onePair(pair, options)));
    say(
      `pair ${pair}/${options.pairs}: ${pairs
        .slice(-options.clients.length)
        .map((one) => `${one.clients}: ${one.emboss.perSecond}/s, ${one.ratio.toFixed(2)} of the floor`)
        .join(' · ')}`,
    );
  }
  const summaries = options.clients.map((clients) =>
    summarise(
      clients,
      pairs.filter((one) => one.clients === clients),
    ),
  );
  const small = await microscopes(options);
  const where = options.profile ? await profile(options) : undefined;

  const line = {
    bench: 'commit',
    ...(await facts()),
    redis: redisVersion(),
    appendfsync: 'everysec',
    workers: 1,
    shards: 64,
    pairs: options.pairs,
    secondsEach: options.seconds,
    summaries,
    ...small,
    ...(where === undefined ? {} : { profile: where.shares }),
  };
  if (!options.dry) {
    await record('commit', line);
    await draw(summaries, small);
    if (where !== undefined) await where.write();
  }
  if (options.json) process.stdout.write(`${JSON.stringify(line)}\n`);
  else process.stdout.write(`${report(summaries, small, where?.text)}\n`);
}

/** Product and floor over the same load, each on a fresh server of its own; which goes first alternates. */
async function onePair(pair: number, options: CommitOptions): Promise<Pair[]> {
  const order = pair % 2 === 1 ? (['emboss', 'floor'] as const) : (['floor', 'emboss'] as const);
  const results = new Map<string, readonly Measured[]>();
  for (const name of order) results.set(name, await contest(name, `p${pair}`, options));
  return options.clients.map((clients, index) => {
    const emboss = results.get('emboss')?.[index] as Measured;
    const floor = results.get('floor')?.[index] as Measured;
    return { clients, emboss, floor, ratio: emboss.perSecond / floor.perSecond };
  });
}

async function contest(name: 'emboss' | 'floor', run: string, options: CommitOptions): Promise<readonly Measured[]> {
  const redis = await startBenchRedis();
  let contender: Contender | undefined;
  try {
    contender = name === 'emboss' ? await startEmboss(redis.url, run) : await startFloor(redis.url, run);
    const measured: Measured[] = [];
    for (const clients of options.clients) {
      measured.push(await measure(clients, contender.turn, options.seconds * 400, options.seconds * 1_000));
    }
    return measured;
  } finally {
    await contender?.close();
    await redis.stop();
  }
}

function summarise(clients: number, pairs: readonly Pair[]): Summary {
  const middle = (all: readonly Measured[]): Measured => {
    const rates = all.map((one) => one.perSecond);
    const value = median(rates);
    return [...all].sort((a, b) => Math.abs(a.perSecond - value) - Math.abs(b.perSecond - value))[0] as Measured;
  };
  return {
    clients,
    pairs: pairs.length,
    emboss: middle(pairs.map((pair) => pair.emboss)),
    floor: middle(pairs.map((pair) => pair.floor)),
    ratio: median(pairs.map((pair) => pair.ratio)),
  };
}

export type Small = Awaited<ReturnType<typeof microscopes>>;

function report(summaries: readonly Summary[], small: Small, where: string | undefined): string {
  const rows = summaries.map((one) => [
    String(one.clients),
    one.emboss.perSecond.toLocaleString('en'),
    one.floor.perSecond.toLocaleString('en'),
    one.ratio.toFixed(2),
    one.emboss.p50Ms.toFixed(2),
    one.emboss.p99Ms.toFixed(2),
    one.floor.p50Ms.toFixed(2),
    String(one.emboss.errors + one.floor.errors),
  ]);
  const head = ['clients', 'transitions/s', 'floor/s', 'ratio', 'p50 ms', 'p99 ms', 'floor p50', 'errors'];
  const more = Object.entries(small.perSecond).map(([what, rate]) => [what, Math.round(rate).toLocaleString('en')]);
  return [
    `Commit: median of ${summaries[0]?.pairs ?? 0} interleaved pairs, AOF everysec, snapshot ${small.snapshotBytes} bytes`,
    table(head, rows),
    table(['in one process', 'per second'], more),
    ...(where === undefined ? [] : [where]),
  ].join('\n');
}
