// Tables for people: colours only on a terminal, widths from the content, and nothing but text anywhere else.

import Table from 'cli-table3';
import { environmentOf } from '../actors/contract/settings.ts';
import { projectRoot } from './project.ts';

export interface TableOptions {
  readonly head: readonly string[];
  readonly rows: readonly (readonly (string | number)[])[];
  /** Columns, from 0, that hold numbers. */
  readonly right?: readonly number[];
}

/** Whether `stream` shows colours: a terminal, and nobody said NO_COLOR. */
export const isColourful = (stream: { readonly isTTY?: boolean } = process.stdout): boolean =>
  stream.isTTY === true && !environmentOf(projectRoot).NO_COLOR;

/** The table as text, ending with a line break. */
export function table({ head, rows, right = [] }: TableOptions, colour = isColourful()): string {
  const drawn = new Table({
    head: [...head],
    colAligns: head.map((_, column) => (right.includes(column) ? 'right' : 'left')),
    style: { head: colour ? ['bold'] : [], border: colour ? ['grey'] : [], compact: true },
  });
  for (const row of rows) drawn.push(row.map(String));
  return `${drawn.toString()}\n`;
}

/** `1.2 s`, `3 min 5 s`, `3 h 20 min`, `2 d 4 h`: two parts at most. */
export function duration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1_000);
  if (seconds < 600) return joined(Math.floor(seconds / 60), 'min', seconds % 60, 's');
  const minutes = Math.round(ms / 60_000);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return joined(hours, 'h', minutes % 60, 'min');
  const wholeHours = Math.round(ms / 3_600_000);
  return joined(Math.floor(wholeHours / 24), 'd', wholeHours % 24, 'h');
}

const joined = (whole: number, unit: string, rest: number, small: string): string =>
  rest === 0 ? `${whole} ${unit}` : `${whole} ${unit} ${rest} ${small}`;

/** Numbers as ranges: `0-3, 7, 9-12`. */
export function ranges(numbers: readonly number[]): string {
  const sorted = [...new Set(numbers)].sort((a, b) => a - b);
  const parts: [number, number][] = [];
  for (const number of sorted) {
    const last = parts.at(-1);
    if (last !== undefined && number === last[1] + 1) last[1] = number;
    else parts.push([number, number]);
  }
  return parts.map(([from, to]) => (from === to ? String(from) : `${from}-${to}`)).join(', ');
}
