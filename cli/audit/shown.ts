// The audit's report for people: a table of invariants, then the first violations in words.

import { isColourful, table } from '../table.ts';
import type { AuditReport } from './audit.ts';

const SHOWN_MAX = 10;
const RED = 31;
const GREEN = 32;

export function shownAudit(report: AuditReport, colour = isColourful()): string {
  const mark = (checked: number, violations: number, undecided: number): string => {
    if (violations > 0) return painted(`${violations} violated`, RED, colour);
    if (undecided > 0) return painted(`${undecided} not decided`, RED, colour);
    return checked === 0 ? 'nothing to check' : painted('holds', GREEN, colour);
  };
  const rows = report.invariants.map(({ id, title, checked, unit, violations, undecided }) => [
    id,
    title,
    `${checked} ${unit}`,
    mark(checked, violations, undecided),
  ]);
  const { actors, entries, claims, refused } = report.counts;
  const lines = [
    table({ head: ['', 'invariant', 'checked', ''], rows }, colour).trimEnd(),
    `${actors} actors, ${entries} journal entries (${claims} claims, ${refused} refusals)`,
  ];
  for (const { invariant, where, words } of [...report.violations, ...report.undecided].slice(0, SHOWN_MAX))
    lines.push(`  ${invariant} ${where}: ${words}`);
  const more = report.violations.length - SHOWN_MAX;
  if (more > 0) lines.push(`  … and ${more} more (--json has the first 20 of each)`);
  for (const { actor, words } of report.parked.slice(0, SHOWN_MAX)) lines.push(`  parked: ${actor}: ${words}`);
  if (report.failed.length > 0) lines.push(`  failed orders: ${report.failed.slice(0, SHOWN_MAX).join(' ')}`);
  for (const remark of report.remarks.slice(0, SHOWN_MAX)) lines.push(`  note: ${remark}`);
  return `${lines.join('\n')}\n`;
}

const painted = (text: string, code: number, colour: boolean): string =>
  colour ? `\u001b[${code}m${text}\u001b[0m` : text;
