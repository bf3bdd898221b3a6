// The findings as tables for a terminal.

import { table } from '../report.ts';
import { changeOf, type Findings, SHARDS, WEIGHTS } from './findings.ts';
import type { Weights } from './histories.ts';
import type { MeanAndWorst, Row } from './survey.ts';

const DETAIL_WORKERS = 8; // Shown with all measures; the other numbers of workers with the two that matter most.

export function report(findings: Findings, all: boolean): string {
  const scenes = SHARDS.flatMap((shards) => WEIGHTS.map((weights) => ({ shards, weights })));
  const parts = scenes
    .filter((_, at) => all || at === 0)
    .flatMap(({ shards, weights }) => sceneTables(findings, shards, weights));
  const more = all ? [] : ['With --all: 1,024 shards, and weights. All figures are in the line of --json.'];
  return [
    `Shard balance: seed ${findings.seed}, ${findings.histories} random histories of joins and leaves per number of workers`,
    ...parts,
    ...costTables(findings),
    ...more,
  ].join('\n\n');
}

function sceneTables({ rows, orders }: Findings, shards: number, weights: Weights): string[] {
  const here = rows.filter((row) => row.shards === shards && row.weights === weights);
  const workers = [...new Set(here.map((row) => row.workers))];
  const detail = workers.includes(DETAIL_WORKERS) ? DETAIL_WORKERS : (workers[0] ?? 0);
  const scene = `${shards.toLocaleString('en')} shards, ${weights === 'equal' ? 'equal weights' : 'half of the workers with weight 2'}`;
  return [
    titled(
      `${scene}: fullest worker by its fair share, mean (worst). 1 is perfect`,
      byWorkers(
        here,
        workers,
        (row) => both(row.load.fullest),
        (row) => both(row.possible),
      ),
    ),
    ...(here.some((row) => row.orders !== undefined)
      ? [
          titled(
            `${orders.toLocaleString('en')} orders in ${scene}: fullest worker by its fair share, mean (worst)`,
            byWorkers(here, workers, (row) => (row.orders === undefined ? '' : both(row.orders.fullest))),
          ),
        ]
      : []),
    titled(
      `${scene}: shards moved by the theoretical least when a worker joins or leaves, mean (worst). 1 is the least`,
      byWorkers(here, workers, (row) => both(changeOf(row))),
    ),
    titled(`${scene}, ${detail} workers, every measure`, details(here.filter((row) => row.workers === detail))),
  ];
}

const both = ({ mean, worst }: MeanAndWorst): string => `${mean.toFixed(2)} (${worst.toFixed(2)})`;
const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;
const titled = (title: string, drawn: string): string => `${title}\n${drawn}`;

/** One row per contender; with `floor`, one more for what is possible at all. */
function byWorkers(
  rows: readonly Row[],
  workers: readonly number[],
  cell: (row: Row) => string,
  floor?: (row: Row) => string,
): string {
  const line = (name: string, of: readonly Row[], show: (row: Row) => string): string[] => [
    name,
    ...workers.map((count) => of.filter((row) => row.workers === count).map(show)[0] ?? ''),
  ];
  const names = [...new Set(rows.map(({ contender }) => contender))];
  return table(
    ['workers', ...workers.map(String)],
    [
      ...names.map((name) =>
        line(
          name,
          rows.filter(({ contender }) => contender === name),
          cell,
        ),
      ),
      ...(floor === undefined ? [] : [line('best possible', rows, floor)]),
    ],
  );
}

const details = (rows: readonly Row[]): string =>
  table(
    ['', 'fullest', 'std dev', 'above share + 1', 'join', 'leave', 'most above least', 'needless moves'],
    rows.map((row) => [
      row.contender,
      both(row.load.fullest),
      row.load.deviation.toFixed(3),
      percent(row.load.above),
      both(row.join),
      both(row.leave),
      String(row.tooMany),
      percent(row.needless),
    ]),
  );

const costTables = ({ costs }: Findings): string[] => [
  titled(
    'One lookup: ns (million per second)',
    table(
      [
        '',
        ...costs.map(({ shards, workers }) => `${shards.toLocaleString('en')} shards, ${workers} workers`),
        'a lookup is',
      ],
      (costs[0]?.of ?? []).map(({ contender, work }, at) => [
        contender,
        ...costs.map(
          ({ of }) => `${(of[at]?.lookupNs ?? 0).toFixed(0)} (${((of[at]?.lookupsPerSecond ?? 0) / 1e6).toFixed(1)})`,
        ),
        work,
      ]),
    ),
  ),
  titled(
    'One reassignment of all shards: microseconds',
    table(
      ['', ...costs.map(({ shards, workers }) => `${shards.toLocaleString('en')} shards, ${workers} workers`)],
      (costs[0]?.of ?? []).map(({ contender }, at) => [
        contender,
        ...costs.map(({ of }) => Math.round(of[at]?.reassignUs ?? 0).toLocaleString('en')),
      ]),
    ),
  ),
];
