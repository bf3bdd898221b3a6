// The live pictures of shard balance: how long shards are without an answer, and what the whole service feels of it.

import { INK, type Panel, type Picture, panelTitle, plainAxis, save, titled } from '../picture.ts';
import { BIN_MS, type Dip, type Findings, type Spread } from './findings.ts';

const COLORS = ['#b91c1c', '#0f766e', '#1d4ed8'];
const DASHES = [
  [1, 0],
  [6, 3],
  [2, 2],
];

export async function draw(findings: Findings): Promise<void> {
  for (const [name, picture] of Object.entries(pictures(findings))) await save(name, picture);
}

/** By file name. Pure. */
export const pictures = (findings: Findings): Readonly<Record<string, Picture>> => ({
  'shard-balance-takeover': times(findings),
  'shard-balance-dip': dips(findings),
});

const axisOf = (title: string | null) => ({ ...plainAxis, titleFontSize: 12.5, title });
const METHOD = 'two workers, 64 shards, steady load on every shard, defaults, one machine';

// --- How long a shard is without an answer ---------------------------------------------------------------------------

function times({ kills, SIGKILL, SIGTERM, moved }: Findings): Picture {
  const said = (what: string, { n, p50, p99, max }: Spread): string =>
    `${what}: p50 ${p50}, p99 ${p99}, max ${max} ms (${n.toLocaleString('en')})`;
  const curves = [
    { kind: said('after SIGKILL', SIGKILL.shards), curve: SIGKILL.shards.curve },
    { kind: said('after SIGTERM', SIGTERM.shards), curve: SIGTERM.shards.curve },
    { kind: said('moving to a restarted worker', moved), curve: moved.curve },
  ];
  const domain = curves.map(({ kind }) => kind);
  const values = curves.flatMap(({ kind, curve }) =>
    curve.map((ms, percent) => ({ kind, percent, ms: Math.max(1, ms) })),
  );
  const legend = {
    orient: 'top' as const,
    direction: 'vertical' as const,
    labelFontSize: 13,
    labelLimit: 700,
    symbolSize: 500,
  };
  const byKind = { field: 'kind', type: 'nominal' as const, sort: domain, title: null, legend };
  return {
    title: titled(
      760,
      `A shard of a killed worker answers again after ${SIGKILL.shards.p50} ms, of a stopped one after ${SIGTERM.shards.p50} ms`,
      `${kills} kills and ${kills} stops, in brackets the number of shards; ${METHOD}`,
    ),
    width: 760,
    height: 360,
    data: { values },
    mark: { type: 'line', strokeWidth: 3 },
    encoding: {
      x: {
        field: 'ms',
        type: 'quantitative',
        scale: { type: 'log', domain: [20, 3_000], nice: false, clamp: true },
        axis: {
          ...axisOf('milliseconds, logarithmic'),
          values: [20, 50, 100, 200, 500, 1_000, 2_000, 3_000],
        },
      },
      y: {
        field: 'percent',
        type: 'quantitative',
        axis: axisOf('% of the shards that have answered again'),
      },
      color: { ...byKind, scale: { domain, range: COLORS } },
      strokeDash: { ...byKind, scale: { domain, range: DASHES } },
      order: { field: 'percent' },
    },
  };
}

// --- What the service feels of it ------------------------------------------------------------------------------------

function dips({ kills, SIGKILL, SIGTERM, movedDip }: Findings): Picture {
  const most = Math.max(...[SIGKILL.dip, SIGTERM.dip, movedDip].flatMap((dip) => dip.median)) * 1.15;
  const panels = [
    dip('A worker is killed at 0', SIGKILL.dip, COLORS[0] ?? INK, most, true),
    dip('A worker is stopped at 0', SIGTERM.dip, COLORS[1] ?? INK, most, false),
    dip('Half of the shards move from 0 on', movedDip, COLORS[2] ?? INK, most, false),
  ];
  return {
    title: titled(
      1_250,
      `The second after a kill sees ${percent(SIGKILL.ratio)} of the answers of the second before, after a stop ${percent(SIGTERM.ratio)}`,
      `Answers per second in steps of ${BIN_MS} ms, median of the rounds; pale: the slowest round of ${kills}. Half of the shards are the lost worker's; ${METHOD}`,
    ),
    hconcat: panels,
    spacing: 28,
  };
}

const percent = (share: number): string => `${Math.round(share * 100)} %`;

function dip(title: string, { fromMs, median, least }: Dip, color: string, most: number, labels: boolean): Panel {
  const values = median.map((rate, bin) => ({ ms: fromMs + (bin + 0.5) * BIN_MS, rate, least: least[bin] ?? 0 }));
  const x = {
    field: 'ms',
    type: 'quantitative' as const,
    scale: { nice: false },
    axis: { ...axisOf('ms'), grid: false, tickCount: 6 },
  };
  const y = (field: string) => ({
    field,
    type: 'quantitative' as const,
    scale: { domain: [0, most], nice: false },
    axis: labels ? axisOf('answers per second') : { ...axisOf(null), labels: false },
  });
  return {
    title: panelTitle(title),
    width: 330,
    height: 260,
    data: { values },
    layer: [
      { mark: { type: 'area', opacity: 0.16, color }, encoding: { x, y: y('rate') } },
      { mark: { type: 'line', strokeWidth: 1.5, opacity: 0.45, color }, encoding: { x, y: y('least') } },
      { mark: { type: 'line', strokeWidth: 2.5, color }, encoding: { x, y: y('rate') } },
      {
        data: { values: [{ zero: 0 }] },
        mark: { type: 'rule', color: INK, strokeDash: [4, 4] },
        encoding: { x: { field: 'zero', type: 'quantitative' } },
      },
    ],
  };
}
