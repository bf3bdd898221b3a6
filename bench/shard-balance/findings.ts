// What a run found: what tables, pictures and the line are made of.

import type { Cost } from './cost.ts';
import type { Weights } from './histories.ts';
import type { MeanAndWorst, Row } from './survey.ts';

export const SHARDS = [64, 1_024] as const;
export const WEIGHTS: readonly Weights[] = ['equal', 'half double'];

export interface Findings {
  readonly seed: number;
  readonly histories: number;
  readonly orders: number;
  readonly rows: readonly Row[];
  readonly costs: readonly CostCase[];
}

export interface CostCase {
  readonly shards: number;
  readonly workers: number;
  readonly of: readonly Cost[];
}

/** Joins and leaves together. */
export const changeOf = ({ join, leave }: Row): MeanAndWorst => ({
  mean: (join.mean + leave.mean) / 2,
  worst: Math.max(join.worst, leave.worst),
});

/** The rows as the line keeps them: columns over the numbers of workers, pairs as [mean, worst], three decimals. */
export function columns(rows: readonly Row[]): readonly object[] {
  return [...grouped(rows).values()].map((group) => {
    const [first] = group;
    return {
      shards: first?.shards,
      weights: first?.weights,
      contender: first?.contender,
      workers: group.map(({ workers }) => workers),
      possible: group.map(({ possible }) => pair(possible)),
      fullest: group.map(({ load }) => pair(load.fullest)),
      deviation: group.map(({ load }) => short(load.deviation)),
      above: group.map(({ load }) => short(load.above)),
      ...(first?.orders === undefined
        ? {}
        : {
            ordersFullest: group.map(({ orders }) => orders && pair(orders.fullest)),
            ordersDeviation: group.map(({ orders }) => orders && short(orders.deviation)),
          }),
      join: group.map(({ join }) => pair(join)),
      leave: group.map(({ leave }) => pair(leave)),
      tooMany: group.map(({ tooMany }) => tooMany),
      needless: group.map(({ needless }) => short(needless)),
    };
  });
}

function grouped(rows: readonly Row[]): ReadonlyMap<string, readonly Row[]> {
  const groups = new Map<string, Row[]>();
  for (const row of rows) {
    const key = `${row.shards} ${row.weights} ${row.contender}`;
    groups.set(key, [...(groups.get(key) ?? []), row]);
  }
  return groups;
}

const short = (value: number): number => Number(value.toFixed(3));
const pair = ({ mean, worst }: MeanAndWorst): readonly number[] => [short(mean), short(worst)];
