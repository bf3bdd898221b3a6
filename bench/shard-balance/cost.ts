// What a lookup and a reassignment cost. Contenders take turns, round by round, so that a drift of the machine meets all.

import { systemClock } from '../../runtime/index.ts';
import type { Contender, Key, Placed } from './contender.ts';
import type { CostCase } from './findings.ts';
import { memberOf } from './histories.ts';

export interface Cost {
  readonly contender: string;
  readonly work: string;
  /** One lookup among `workers` equal workers. */
  readonly lookupNs: number;
  readonly lookupsPerSecond: number;
  /** All shards placed anew after one worker left, and again after it came back: per change. */
  readonly reassignUs: number;
}

export interface CostRequest {
  readonly cases: readonly { readonly keys: readonly Key[]; readonly workers: number }[];
  /** Asked once per case: contenders of their own, so that no case finds what another left in memory. */
  readonly contendersOf: () => readonly Contender[];
  readonly rounds: number;
}

const LOOKUPS = 200_000; // Per round: some milliseconds, far above the clock's grain.
const CHANGES = 20; // Per round.
const WARM = 2; // Rounds: the compiler sees every contender twice before anything counts.

/** The fastest of the rounds: what else the machine does only adds. The first rounds warm the compiler, uncounted. */
export function costs({ cases, contendersOf, rounds }: CostRequest): readonly CostCase[] {
  const tries = cases.map(({ keys, workers }) => ({
    keys,
    all: Array.from({ length: workers }, (_, i) => memberOf(i + 1, 'equal')),
    each: contendersOf().map((contender) => ({ contender, lookups: [] as number[], changes: [] as number[] })),
  }));
  for (let round = -WARM; round < rounds; round += 1) {
    for (const { keys, all, each } of tries) {
      for (const { contender, lookups, changes } of each) {
        const placed = contender.prepare({ members: all, keys });
        const lookup = timed(() => lookUp(placed, keys)) / LOOKUPS;
        const change = timed(() => reassign(contender, keys, all)) / CHANGES;
        if (round < 0) continue;
        lookups.push(lookup);
        changes.push(change);
      }
    }
  }
  return tries.map(({ keys, all, each }) => ({
    shards: keys.length,
    workers: all.length,
    of: each.map(({ contender, lookups, changes }) => ({
      contender: contender.name,
      work: contender.work,
      lookupNs: Math.round(Math.min(...lookups) * 1e7) / 10,
      lookupsPerSecond: Math.round(1_000 / Math.min(...lookups)),
      reassignUs: Math.round(Math.min(...changes) * 1e4) / 10,
    })),
  }));
}

/** Milliseconds of one call. */
function timed(act: () => unknown): number {
  const start = systemClock.monotonic();
  act();
  return systemClock.monotonic() - start;
}

/** Counts something of each answer: a compiler may leave out work that nobody looks at. */
function lookUp({ lookup }: Placed, keys: readonly Key[]): number {
  let letters = 0;
  for (let i = 0; i < LOOKUPS; i += 1) letters += lookup(keys[i % keys.length] as Key).length;
  return letters;
}

function reassign(
  contender: Contender,
  keys: readonly Key[],
  all: Parameters<Contender['prepare']>[0]['members'],
): number {
  let placed = contender.prepare({ members: all, keys });
  let letters = 0;
  for (let i = 0; i < CHANGES; i += 1) {
    const members = i % 2 === 0 ? all.toSpliced((i * 7) % all.length, 1) : all;
    placed = contender.prepare({ members, keys, previous: placed });
    for (const key of keys) letters += placed.lookup(key).length;
  }
  return letters;
}
