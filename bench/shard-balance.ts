// Question: how evenly do ways of placing shards spread them, and the orders in them, over workers, and how many shards
// move when a worker joins or leaves? Ours is the runtime's ring, set beside the textbook's ways over the same histories.
//
// Not measured: anything live. How long a moved shard pauses under load is the question of takeover.ts.
// Placements and moves follow from the seed alone and are the same on every machine; only the costs are measured.

import { createHasher } from '../runtime/shards/hash.ts';
import { type BenchOptions, facts, record, say } from './report.ts';
import { keysOf } from './shard-balance/contender.ts';
import { contenders } from './shard-balance/contenders.ts';
import { costs } from './shard-balance/cost.ts';
import { columns, type Findings, SHARDS, WEIGHTS } from './shard-balance/findings.ts';
import { ordersPerShard } from './shard-balance/orders.ts';
import { draw } from './shard-balance/plot.ts';
import { type Row, survey } from './shard-balance/survey.ts';
import { report } from './shard-balance/tables.ts';

export interface ShardBalanceOptions extends BenchOptions {
  readonly histories: number;
  readonly workers: readonly number[];
  readonly orders: number;
  readonly rounds: number;
  readonly seed: number;
  readonly all: boolean;
}

const COST_WORKERS = [8, 64]; // A common size, and one at which O(workers) shows.

export async function shardBalanceBench(options: ShardBalanceOptions): Promise<void> {
  const { seed, histories, orders } = options;
  say(`seed ${seed}: --seed ${seed} repeats every placement`);
  const hasher = await createHasher();
  const perShard = ordersPerShard(orders, SHARDS[0], seed, hasher);
  say(
    `${orders.toLocaleString('en')} order ids on ${SHARDS[0]} shards: ${Math.min(...perShard)} to ${Math.max(...perShard)} each`,
  );

  const rows: Row[] = [];
  for (const shards of SHARDS)
    for (const weights of WEIGHTS)
      for (const workers of options.workers) {
        rows.push(
          ...survey({
            contenders: contenders(hasher.hash64), // Anew: what a contender keeps is bounded by one scene.
            keys: keysOf(shards, hasher.hash64),
            orders: shards === SHARDS[0] ? perShard : undefined,
            scene: { shards, weights, workers },
            histories,
            seed,
          }),
        );
        say(`${shards} shards, ${weights} weights, ${workers} workers: placed`);
      }
  say(`costs: ${options.rounds} rounds`);
  const measured = costs({
    cases: SHARDS.flatMap((shards) =>
      COST_WORKERS.map((workers) => ({ workers, keys: keysOf(shards, hasher.hash64) })),
    ),
    contendersOf: () => contenders(hasher.hash64),
    rounds: options.rounds,
  });

  const findings: Findings = { seed, histories, orders, rows, costs: measured };
  const line = { bench: 'shard-balance', ...(await facts()), ...findings, rows: columns(rows) };
  if (!options.dry) {
    await record('shard-balance', line);
    await draw(findings);
  }
  process.stdout.write(options.json ? `${JSON.stringify(line)}\n` : `${report(findings, options.all)}\n`);
}
