// What the rounds came to: spreads of times, and answers per second around what happened, each reckoned once for the table,
// the line and the pictures.

import { median } from '../load.ts';
import type { Ending, Round } from './rounds.ts';

export interface Spread {
  readonly n: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  /** Percentiles 0 … 100. */
  readonly curve: readonly number[];
}

/** Bins of `BIN_MS` around what happened at 0: median over the rounds, and the slowest round, in answers per second. */
export interface Dip {
  readonly fromMs: number;
  readonly median: readonly number[];
  readonly least: readonly number[];
}

export interface OfEnding {
  /** From the signal to the first answer by the next owner: of the first shard per kill, and of every shard. ms */
  readonly first: Spread;
  readonly shards: Spread;
  /** Answers in the second after the signal by those in the second before; median of the rounds. */
  readonly ratio: number;
  readonly dip: Dip;
}

export interface Findings {
  readonly kills: number;
  /** Commands that were not answered within 20 s, or not applied. */
  readonly errors: number;
  readonly SIGKILL: OfEnding;
  readonly SIGTERM: OfEnding;
  /** Pause of each shard that moved back to a restarted worker. ms */
  readonly moved: Spread;
  readonly movedDip: Dip;
}

export const ENDINGS: readonly Ending[] = ['SIGKILL', 'SIGTERM'];
export const BIN_MS = 50;

/** Pure. */
export function findingsOf(rounds: readonly Round[], kills: number, errors: number): Findings {
  const of = (ending: Ending): OfEnding => {
    const own = rounds.filter((round) => round.ending === ending);
    return {
      first: spread(own.map(({ takeovers }) => Math.min(...takeovers))),
      shards: spread(own.flatMap(({ takeovers }) => takeovers)),
      ratio: Math.round(median(own.map(ratioOf)) * 100) / 100,
      dip: dipOf(own.map(({ signal }) => signal)),
    };
  };
  return {
    kills,
    errors,
    SIGKILL: of('SIGKILL'),
    SIGTERM: of('SIGTERM'),
    moved: spread(rounds.flatMap(({ pauses }) => pauses)),
    movedDip: dipOf(rounds.map(({ back }) => back)),
  };
}

/** Whole ms; nearest rank. Zeros for nothing. */
export function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number): number => Math.round(sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0);
  const curve = Array.from({ length: 101 }, (_, percent) => at(percent / 100));
  return { n: sorted.length, p50: at(0.5), p99: at(0.99), max: at(1), curve };
}

const PER_SECOND = 1_000;

function ratioOf({ signal }: Round): number {
  const within = (from: number, to: number): number =>
    signal.answers.filter((at) => at - signal.at >= from && at - signal.at < to).length;
  return within(0, PER_SECOND) / Math.max(1, within(-PER_SECOND, 0));
}

/** Answers around a moment. All of one Findings are cut to the same length, that of the shortest. */
export interface Around {
  readonly at: number;
  readonly beforeMs: number;
  readonly afterMs: number;
  /** Monotonic ms of the answers from `beforeMs` before to `afterMs` after. */
  readonly answers: readonly number[];
}

function dipOf(all: readonly Around[]): Dip {
  const beforeMs = Math.min(...all.map((around) => around.beforeMs));
  const bins = Math.floor((beforeMs + Math.min(...all.map(({ afterMs }) => afterMs))) / BIN_MS);
  const rates = all.map(({ at, answers }) => {
    const counts = new Array<number>(bins).fill(0);
    for (const answer of answers) {
      const bin = Math.floor((answer - at + beforeMs) / BIN_MS);
      if (bin >= 0 && bin < bins) counts[bin] = (counts[bin] ?? 0) + 1;
    }
    return counts.map((count) => count * (1_000 / BIN_MS));
  });
  const column = (bin: number): readonly number[] => rates.map((one) => one[bin] ?? 0);
  const each = Array.from({ length: bins }, (_, bin) => bin);
  return {
    fromMs: -beforeMs,
    median: each.map((bin) => median(column(bin))),
    least: each.map((bin) => Math.min(...column(bin))),
  };
}
