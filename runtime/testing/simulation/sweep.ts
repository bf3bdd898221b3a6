// Many seeds, one after another on one stage: what came of each, and what they covered together.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type RunOptions, type RunResult, simulate } from './run.ts';
import type { Stage } from './stage.ts';

export interface SweepOptions extends Omit<RunOptions, 'seed'> {
  /** Each seed is run a second time, and must have the same fingerprint. */
  readonly twice: boolean;
}

/** One seed, twice where asked. A simulation that fails itself is a violation, too. */
export async function play(stage: Stage, seed: number, { twice, ...options }: SweepOptions): Promise<RunResult> {
  const first = await attempt(stage, { seed, ...options });
  if (!twice) return first;
  const second = await attempt(stage, { seed, ...options });
  if (first.fingerprint === second.fingerprint) return first;
  const words = `not deterministic: fingerprint ${first.fingerprint}, then ${second.fingerprint}`;
  return { ...first, violations: [...first.violations, words] };
}

async function attempt(stage: Stage, options: RunOptions): Promise<RunResult> {
  try {
    return await simulate(stage.executor, options);
  } catch (error) {
    const nothing = { fingerprint: '', steps: 0, happened: 0, virtualMs: 0, operations: 0, entries: 0 };
    return {
      seed: options.seed,
      ...nothing,
      ...{ faults: {}, answers: {}, outcomes: {}, invariants: [] },
      violations: [`the simulation failed: ${String(error)}`],
    };
  }
}

/** The command that plays a seed again and shows every step. */
export const replay = (seed: number, steps: number): string =>
  `npm run simulate -- --seed ${seed} --steps ${steps} --trace`;

const TRACE_LINES_MAX = 200_000; // About 50 MB.
const LINE_CHARS_MAX = 2_000;

/** Plays a seed once more and writes what happened into a file of `folder`. Returns its path. */
export async function writeTrace(stage: Stage, folder: string, options: RunOptions): Promise<string> {
  const lines: string[] = [];
  const onStep = (line: string): void => {
    if (lines.length < TRACE_LINES_MAX) lines.push(line.slice(0, LINE_CHARS_MAX));
  };
  await attempt(stage, { ...options, onStep });
  mkdirSync(folder, { recursive: true });
  const path = join(folder, `seed-${options.seed}.txt`);
  writeFileSync(path, `${lines.join('\n')}\n`);
  return path;
}

/** Sums over many runs. */
export class Tally {
  seeds = 0;
  steps = 0;
  operations = 0;
  entries = 0;
  virtualMs = 0;
  readonly faults = new Map<string, number>();
  readonly answers = new Map<string, number>();
  readonly outcomes = new Map<string, number>();
  /** Per invariant how much was looked at, in all runs. */
  readonly checked = new Map<string, number>();
  readonly failed: RunResult[] = [];

  add(result: RunResult): void {
    this.seeds += 1;
    this.steps += result.steps;
    this.operations += result.operations;
    this.entries += result.entries;
    this.virtualMs += result.virtualMs;
    addTo(this.faults, result.faults);
    addTo(this.answers, result.answers);
    addTo(this.outcomes, result.outcomes);
    addTo(this.checked, Object.fromEntries(result.invariants.map(({ id, checked }) => [id, checked])));
    if (result.violations.length > 0) this.failed.push(result);
  }

  /** Plain JSON. */
  report() {
    const { seeds, steps, operations, entries, virtualMs, failed } = this;
    const [faults, answers] = [sorted(this.faults), sorted(this.answers)];
    const [outcomes, checked] = [sorted(this.outcomes), sorted(this.checked)];
    return { seeds, steps, operations, entries, virtualMs, faults, answers, outcomes, checked, failed };
  }
}

function addTo(sums: Map<string, number>, counts: Readonly<Record<string, number>>): void {
  for (const [name, count] of Object.entries(counts)) sums.set(name, (sums.get(name) ?? 0) + count);
}

const sorted = (counts: ReadonlyMap<string, number>): Readonly<Record<string, number>> =>
  Object.fromEntries([...counts].sort(([a], [b]) => (a < b ? -1 : 1)));
