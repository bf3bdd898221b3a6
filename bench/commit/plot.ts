// The picture of the commit bench: product beside floor, by number of clients. SVG for people, PNG for pages that cannot.

import type { Small, Summary } from '../commit.ts';
import { INK, PALE, type Panel, type Picture, save } from '../picture.ts';

const EMBOSS = 'Emboss, every law switched on';
const FLOOR = 'floor: the same chart and snapshot, no guard';
const DOMAIN = [EMBOSS, FLOOR];
const COLORS = ['#0f766e', '#cbd5e1'];

export const draw = (summaries: readonly Summary[], small: Small): Promise<void> =>
  save('commit', pictureOf(summaries, small));

function pictureOf(summaries: readonly Summary[], { snapshotBytes }: Small): Picture {
  return {
    title: {
      text: 'Durable, answered transitions per second',
      subtitle: `real order chart, snapshot ${snapshotBytes} bytes, one worker, 64 shards, AOF everysec; in brackets the share of the floor`,
      anchor: 'start',
      fontSize: 18,
      subtitleFontSize: 12,
      offset: 16,
    },
    data: { values: summaries.flatMap(rowsOf) },
    hconcat: [rates, latencies],
  };
}

function rowsOf({ clients, emboss, floor, ratio }: Summary) {
  const rate = (value: number): string => value.toLocaleString('en');
  const row = { clients: String(clients) };
  return [
    {
      ...row,
      what: EMBOSS,
      rate: emboss.perSecond,
      label: `${rate(emboss.perSecond)}  (${ratio.toFixed(2)})`,
      p50: emboss.p50Ms,
      p99: emboss.p99Ms,
    },
    { ...row, what: FLOOR, rate: floor.perSecond, label: rate(floor.perSecond), p50: floor.p50Ms, p99: floor.p99Ms },
  ];
}

const scale = { domain: DOMAIN, range: COLORS };
const color = {
  field: 'what',
  type: 'nominal' as const,
  title: null,
  scale,
  legend: { orient: 'top' as const, labelLimit: 400, symbolType: 'square' },
};
const rowOf = (title: string | null) => ({
  y: {
    field: 'clients',
    type: 'nominal' as const,
    sort: null,
    title,
    axis: { labelFontSize: 13, ticks: false, domain: false },
  },
  yOffset: { field: 'what', sort: DOMAIN },
  color,
});

const rates: Panel = {
  width: 520,
  height: 300,
  encoding: {
    ...rowOf('clients'),
    x: {
      field: 'rate',
      type: 'quantitative',
      title: 'transitions per second',
      axis: { gridColor: PALE, domain: false, ticks: false },
    },
  },
  layer: [
    { mark: { type: 'bar', cornerRadiusEnd: 3 } },
    {
      mark: { type: 'text', align: 'left', dx: 5, fontSize: 11 },
      encoding: { text: { field: 'label' }, color: { value: INK } },
    },
  ],
};

const latency = {
  type: 'quantitative' as const,
  scale: { type: 'log' as const },
  title: 'latency in ms: p50 as a dot, p99 as a bar',
};
const latencies: Panel = {
  width: 260,
  height: 300,
  encoding: rowOf(null),
  layer: [
    {
      mark: { type: 'rule', strokeWidth: 3, opacity: 0.5 },
      encoding: { x: { field: 'p50', ...latency }, x2: { field: 'p99' } },
    },
    { mark: { type: 'point', filled: true, size: 70 }, encoding: { x: { field: 'p50', ...latency } } },
    { mark: { type: 'tick', thickness: 3, size: 12 }, encoding: { x: { field: 'p99', ...latency } } },
  ],
};
