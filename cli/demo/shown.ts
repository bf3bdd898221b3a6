// The demo's report for people: outcomes, stages, kills, and the audit.

import { shownAudit } from '../audit/shown.ts';
import { duration, isColourful, ranges, table } from '../table.ts';
import type { RunReport } from './run.ts';

const TROUBLES_SHOWN_MAX = 20;

export function shownRun(report: RunReport, colour = isColourful()): string {
  const { orders, wallMs, timeScale, seed, writes, faults } = report;
  const head = `${orders} orders in ${duration(wallMs)}, ${timeScale} times as fast as real time, seed ${seed}`;
  const outcomes = Object.entries(report.outcomes)
    .sort(([, a], [, b]) => b - a)
    .map(([outcome, count]) => [outcome, count, `${((100 * count) / orders).toFixed(1)} %`]);
  const stages = report.stages.map(({ stage, count, wallMs: wall, domainMs }) => [
    stage,
    count,
    ...(count === 0 ? ['', '', '', ''] : [duration(domainMs.p50), duration(domainMs.p99), wall.p50, wall.p99]),
  ]);
  const lines = [
    '',
    head,
    table({ head: ['outcome', 'orders', ''], rows: outcomes, right: [1, 2] }, colour).trimEnd(),
    table(
      { head: ['stage', 'orders', 'p50', 'p99', 'p50 wall ms', 'p99 wall ms'], rows: stages, right: [1, 2, 3, 4, 5] },
      colour,
    ).trimEnd(),
    `${writes.total} commands sent, ${writes.repeats} requests repeated, ${writes.refused} refused because the order had moved on`,
  ];
  if (faults.lose > 0 || faults.duplicate > 0)
    lines.push(
      `partners lost ${100 * faults.lose} % of their replies and doubled ${100 * faults.duplicate} % of their callbacks`,
    );
  for (const { worker, pid, atMs, inFlight, shards } of report.kills)
    lines.push(
      `killed ${worker} (process ${pid}) after ${duration(atMs)} with ${inFlight} orders in flight; shards ${ranges(shards)}`,
    );
  if (report.killsMissed > 0)
    lines.push(`${report.killsMissed} kills were asked for and not made: too few orders were in flight`);
  for (const { orderId, outcome, words } of report.troubles.slice(0, TROUBLES_SHOWN_MAX))
    lines.push(`${outcome}: ${orderId ?? 'no order'}: ${words}`);
  lines.push('', shownAudit(report.audit, colour).trimEnd(), '', verdict(report), '');
  return lines.join('\n');
}

function verdict({ ok, troubles, audit, killsMissed }: RunReport): string {
  if (ok) return 'Every order ended well or was properly refused, and the audit is clean.';
  const faults = [
    troubles.length > 0 ? `${troubles.length} orders did not end well` : '',
    audit.clean ? '' : 'the audit is not clean',
    audit.parked.length > 0 ? `${audit.parked.length} actors are parked` : '',
    audit.failed.length > 0 ? `${audit.failed.length} orders failed` : '',
    killsMissed > 0 ? 'not all kills were made' : '',
  ];
  return `Not well: ${faults.filter((fault) => fault !== '').join('; ') || 'not all orders were played'}.`;
}
