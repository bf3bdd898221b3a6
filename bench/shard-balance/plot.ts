// The pictures of the shard balance bench: one answer at a glance, then loads, moves and costs by number of workers.
//
// Ours is told apart by position and weight of type as well as by colour; shades are of one hue and every cell says its
// number, so that nothing rests on telling colours apart.

import { INK, type Panel, type Picture, panelTitle, plainAxis, save, titled } from '../picture.ts';
import { OURS } from './bounded.ts';
import { changeOf, type Findings, SHARDS, WEIGHTS } from './findings.ts';
import type { Weights } from './histories.ts';
import type { MeanAndWorst, Row } from './survey.ts';

const TEAL = '#0f766e';
const GREY = '#94a3b8';
const AT_A_GLANCE = { shards: 64, workers: 8 };
const POSSIBLE = 'best possible';

export async function draw(findings: Findings): Promise<void> {
  for (const [name, picture] of Object.entries(pictures(findings))) await save(name, picture);
}

/** By file name. Pure. */
export const pictures = (findings: Findings): Readonly<Record<string, Picture>> => ({
  'shard-balance': glance(findings),
  'shard-balance-load': loads(findings),
  'shard-balance-moves': moves(findings),
  'shard-balance-cost': cost(findings),
});

const count = (value: number): string => value.toLocaleString('en');
const names = ({ rows }: Findings): readonly string[] => {
  const all = [...new Set(rows.map(({ contender }) => contender))];
  return [OURS, ...all.filter((name) => name !== OURS)];
};

/** Contenders down the side, ours in bold. */
const down = (domain: readonly string[], labels = true) => ({
  field: 'contender',
  type: 'nominal' as const,
  sort: [...domain],
  title: null,
  axis: labels
    ? {
        labelFontSize: 13,
        labelLimit: 200,
        labelPadding: 8,
        ticks: false,
        domain: false,
        labelColor: { condition: { test: `datum.value == '${OURS}'`, value: TEAL }, value: INK },
        labelFontWeight: {
          condition: { test: `datum.value == '${OURS}'`, value: 'bold' as const },
          value: 'normal' as const,
        },
      }
    : null,
});

// --- At a glance -----------------------------------------------------------------------------------------------------

function glance(findings: Findings): Picture {
  const workers = findings.rows.some((row) => row.workers === AT_A_GLANCE.workers)
    ? AT_A_GLANCE.workers
    : (findings.rows[0]?.workers ?? 0);
  const rows = findings.rows.filter(
    (row) => row.shards === AT_A_GLANCE.shards && row.weights === 'equal' && row.workers === workers,
  );
  const ours = rows.find(({ contender }) => contender === OURS);
  const [load, moved] = [ours?.load.fullest.worst ?? 0, ours === undefined ? 0 : changeOf(ours).worst];
  return {
    title: titled(
      1_050,
      `${OURS}: the fullest of ${workers} workers had at most ${load.toFixed(2)} of its fair share, and a worker that came or went moved ${moved <= 1 ? 'no more than the least' : `at most ${moved.toFixed(2)} of the least`}`,
      `${AT_A_GLANCE.shards} shards, equal weights, ${findings.histories} random histories of joins and leaves around ${workers} workers (seed ${findings.seed}). Dot: mean; bar, and in brackets: worst`,
    ),
    hconcat: [
      dots(findings, rows, 'Fullest worker ÷ its fair share', (row) => row.load.fullest, 'linear', true),
      dots(findings, rows, 'Shards moved ÷ the theoretical least', changeOf, 'log', false),
    ],
    spacing: 48,
  };
}

function dots(
  findings: Findings,
  rows: readonly Row[],
  title: string,
  figure: (row: Row) => MeanAndWorst,
  type: 'linear' | 'log',
  labels: boolean,
): Panel {
  const values = rows.map((row) => {
    const { mean, worst } = figure(row);
    return { contender: row.contender, mean, worst, label: `${mean.toFixed(2)}  (${worst.toFixed(2)})` };
  });
  const most = Math.max(...values.map(({ worst }) => worst));
  const least = Math.min(0.9, ...values.map(({ mean }) => mean * 0.95));
  const domain = type === 'log' ? [least, most * 2.2] : [least, most * 1.3];
  const x = (field: string, axis: boolean) => ({
    field,
    type: 'quantitative' as const,
    scale: { type, domain, nice: false },
    axis: axis ? { ...plainAxis, title: null, values: [1, 2, 3, 4, 5, 6, 8, 10, 16, 32, 64] } : null,
  });
  const color = { condition: { test: `datum.contender == '${OURS}'`, value: TEAL }, value: GREY };
  const y = down(names(findings), labels);
  return {
    title: panelTitle(title),
    width: 400,
    height: 330,
    data: { values },
    layer: [
      {
        data: { values: [{ one: 1 }] },
        mark: { type: 'rule', color: INK, strokeDash: [4, 4] },
        encoding: { x: x('one', true) },
      },
      {
        mark: { type: 'rule', strokeWidth: 4, opacity: 0.55 },
        encoding: { y, x: x('mean', true), x2: { field: 'worst' }, color },
      },
      { mark: { type: 'tick', thickness: 4, size: 14 }, encoding: { y, x: x('worst', true), color } },
      { mark: { type: 'point', filled: true, size: 110, opacity: 1 }, encoding: { y, x: x('mean', true), color } },
      {
        mark: { type: 'text', align: 'left', dx: 9, fontSize: 12, color: INK },
        encoding: { y, x: x('worst', true), text: { field: 'label' } },
      },
    ],
  };
}

// --- By number of workers --------------------------------------------------------------------------------------------

interface Cell {
  /** Instead of the value. */
  readonly label?: string;
  readonly contender: string;
  readonly workers: string;
  readonly value: number;
}

const weightsText = (weights: Weights): string => (weights === 'equal' ? 'equal weights' : 'half weigh 2');
const rowsOf = ({ rows }: Findings, shards: number, weights: Weights): readonly Row[] =>
  rows.filter((row) => row.shards === shards && row.weights === weights);
const cellsOf = (rows: readonly Row[], value: (row: Row) => number): readonly Cell[] =>
  rows.map((row) => ({ contender: row.contender, workers: String(row.workers), value: value(row) }));

function loads(findings: Findings): Picture {
  const best = (rows: readonly Row[]): readonly Cell[] =>
    cellsOf(
      rows.filter(({ contender }) => contender === OURS),
      (row) => row.possible.mean,
    ).map((cell) => ({
      ...cell,
      contender: POSSIBLE,
    }));
  const order = [POSSIBLE, ...names(findings)];
  const line = (weights: Weights): Panel[] => [
    ...SHARDS.map((shards, at) => {
      const rows = rowsOf(findings, shards, weights);
      const cells = [...best(rows), ...cellsOf(rows, (row) => row.load.fullest.mean)];
      return heat(`${count(shards)} shards, ${weightsText(weights)}`, cells, order, [1, 3], at === 0);
    }),
    ordersIn(findings, weights, order),
  ];
  const away = (weights: Weights): string => {
    const ours = findings.rows.filter((row) => row.contender === OURS && row.weights === weights);
    const percent = (Math.max(1, ...ours.map((row) => row.load.fullest.mean / row.possible.mean)) - 1) * 100;
    return percent < 0.05
      ? 'as even as whole shards allow'
      : `within ${percent.toFixed(1)} % of what whole shards allow`;
  };
  return {
    title: titled(
      1_150,
      `With equal weights ${OURS} is ${away('equal')}; where half of the workers have weight 2, ${away('half double')}`,
      'Load of the fullest worker ÷ its fair share, mean over random histories. 1.00 is perfect; best possible: the same with whole shards, if any number of them could move',
    ),
    ...{ vconcat: WEIGHTS.map((weights) => ({ hconcat: line(weights), spacing: 24 })), spacing: 28 },
  };
}

function ordersIn(findings: Findings, weights: Weights, order: readonly string[]): Panel {
  const rows = rowsOf(findings, SHARDS[0], weights);
  const blank = rows.filter(({ contender }) => contender === OURS).map((row) => ({ ...row, contender: POSSIBLE }));
  const cells = [
    ...cellsOf(blank, () => 1).map((cell) => ({ ...cell, label: '–' })), // Not computed: it would be a puzzle of its own.
    ...cellsOf(rows, (row) => row.orders?.fullest.mean ?? 0),
  ];
  return heat(`${count(findings.orders)} orders, ${SHARDS[0]} shards`, cells, order, [1, 3], false);
}

function moves(findings: Findings): Picture {
  const line = (weights: Weights): Panel[] =>
    SHARDS.flatMap((shards, at) => {
      const rows = rowsOf(findings, shards, weights);
      const title = `${count(shards)} shards, ${weightsText(weights)}`;
      return [
        heat(
          title,
          cellsOf(rows, (row) => changeOf(row).mean),
          names(findings),
          [1, 10],
          at === 0,
        ),
        heat(
          'the same: worst',
          cellsOf(rows, (row) => changeOf(row).worst),
          names(findings),
          [1, 10],
          false,
        ),
      ];
    });
  const most = Math.max(...findings.rows.filter(({ contender }) => contender === OURS).map(({ tooMany }) => tooMany));
  return {
    title: titled(
      1_480,
      `With ${OURS} a join or leave moved at most ${most <= 0 ? 'the theoretical least' : `${most} above the theoretical least`}; a ring at times several times that, modulo and jump many times`,
      'Shards moved ÷ the share, rounded up, of the worker that came or went; mean over random histories, and worst. Below 1: that worker had less than its share. Jump is made for rows that change only at their end; here any worker may come and go',
    ),
    ...{ vconcat: WEIGHTS.map((weights) => ({ hconcat: line(weights), spacing: 24 })), spacing: 28 },
  };
}

function heat(
  title: string,
  cells: readonly Cell[],
  order: readonly string[],
  domain: readonly number[],
  labels: boolean,
): Panel {
  const [low = 1, high = 1] = domain;
  const dark = Math.sqrt(low * high); // Half way on the logarithmic scale: from here on the letters are white.
  const values = cells.map((cell) => ({ ...cell, label: cell.label ?? cell.value.toFixed(cell.value < 10 ? 2 : 0) }));
  const encoding = {
    y: down(order, labels),
    x: {
      field: 'workers',
      type: 'nominal' as const,
      sort: null,
      title: 'workers',
      axis: { ...plainAxis, labelAngle: 0 },
    },
  };
  return {
    title: panelTitle(title),
    width: 7 * 44,
    height: order.length * 26,
    data: { values },
    encoding,
    layer: [
      {
        mark: { type: 'rect', stroke: 'white', strokeWidth: 2 },
        encoding: {
          color: {
            field: 'value',
            type: 'quantitative',
            scale: { type: 'log', domain: [low, high], range: ['#f0f9ff', '#0c4a6e'], clamp: true },
            legend: null,
          },
        },
      },
      {
        mark: { type: 'text', fontSize: 11.5 },
        encoding: {
          text: { field: 'label' },
          color: { condition: { test: `datum.value > ${dark}`, value: 'white' }, value: '#0f172a' },
        },
      },
    ],
  };
}

// --- Costs -----------------------------------------------------------------------------------------------------------

function cost(findings: Findings): Picture {
  const cases = findings.costs.filter(({ shards }) => shards === SHARDS[0]);
  const values = cases.flatMap(({ workers, of }) =>
    of.map(({ contender, lookupNs, reassignUs }) => ({
      contender,
      workers: `${workers} workers`,
      lookupNs,
      reassignUs,
    })),
  );
  const slowest = Math.max(...values.filter(({ contender }) => contender === OURS).map(({ reassignUs }) => reassignUs));
  const panel = (title: string, field: 'lookupNs' | 'reassignUs', labels: boolean): Panel => {
    const shown = values.map((value) => ({ ...value, label: count(Math.round(value[field])) }));
    const all = values.map((value) => value[field]);
    const x = {
      field,
      type: 'quantitative' as const,
      scale: { type: 'log' as const, domain: [Math.min(...all) / 1.5, Math.max(...all) * 2.5], nice: false },
      axis: { ...plainAxis, title: null, values: [1, 10, 100, 1_000, 10_000, 100_000] },
    };
    const y = down(names(findings), labels);
    const yOffset = { field: 'workers', type: 'nominal' as const, sort: null };
    const color = {
      field: 'workers',
      type: 'nominal' as const,
      sort: null,
      title: null,
      scale: { range: [TEAL, '#d97706'] },
      legend: { orient: 'top' as const, labelFontSize: 13 },
    };
    const shape = {
      field: 'workers',
      type: 'nominal' as const,
      sort: null,
      title: null,
      scale: { range: ['circle', 'diamond'] },
    };
    return {
      title: panelTitle(title),
      width: 400,
      height: 400,
      data: { values: shown },
      layer: [
        { mark: { type: 'point', filled: true, size: 90, opacity: 1 }, encoding: { y, yOffset, x, color, shape } },
        {
          mark: { type: 'text', align: 'left', dx: 9, fontSize: 11, color: INK },
          encoding: { y, yOffset, x, text: { field: 'label' } },
        },
      ],
    };
  };
  return {
    title: titled(
      1_050,
      `A lookup with ${OURS} reads a table; placing ${SHARDS[0]} shards anew takes it ${(slowest / 1_000).toFixed(1)} ms at most, once per change of workers`,
      `Fastest of the interleaved rounds, ${SHARDS[0]} shards, equal weights; logarithmic scales`,
    ),
    hconcat: [
      panel('One lookup, nanoseconds', 'lookupNs', true),
      panel('One reassignment of all shards, microseconds', 'reassignUs', false),
    ],
    spacing: 48,
  };
}
