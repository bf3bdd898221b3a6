// The detector: whether the silence of one member is unusual, judged by the pauses it made before.
//
// phi is minus the decimal logarithm of the chance that its next beat is still to come: at 1 every tenth pause is as long,
// at 5 one in 100,000. The level follows phi between two bounds, so that a learned habit can shorten a judgement and never
// makes it unsound:
//   - dead not before `leaseMs - renewMs`: until then its locks stand, and calling it dead would win nothing;
//   - dead at `deadMs` and suspected at `suspectMs`, whatever was learned.
// Source: N. Hayashibara, X. Défago, R. Yared, T. Katayama, "The φ Accrual Failure Detector" (2004). The normal curve of the
// paper gives no room to rare long pauses (garbage collection, a machine held up), so the longest one is remembered as well.
// What it wins over fixed deadlines, and what it costs: decision 0016.

import type { ShardLimits } from './limits.ts';

export type Liveness = 'alive' | 'suspect' | 'dead';

/** Judges the silence of one process. */
export interface Detector {
  /** A beat came `intervalMs` of counted time after the one before. */
  heard(intervalMs: number): void;
  level(silentMs: number): Liveness;
  /** How unusual the silence is: 0 … 99. */
  phi(silentMs: number): number;
}

/** Fixed deadlines from the limits: what the learning one is measured against. */
export const deadlineDetector = ({ suspectMs, deadMs }: ShardLimits): Detector => ({
  heard: () => undefined,
  phi: () => 0,
  level: (silentMs) => (silentMs >= deadMs ? 'dead' : silentMs >= suspectMs ? 'suspect' : 'alive'),
});

const WINDOW = 1_000; // Intervals remembered: four minutes of beats, long enough for rare pauses, short enough to forget a bad hour.
const INTERVALS_MIN = 20; // With fewer nothing is known yet, and the fixed deadlines judge.
const SUSPECT_PHI = 5;
const DEAD_PHI = 10;
const LONGEST_SHARE = 1.5; // A pause half as long again as the longest survived one may still be of that kind.
const PHI_MAX = 99; // Past it the number says nothing new, and would fill a column.

/** Phi between the bounds of the limits. O(1) per beat, O(window) only when the longest pause leaves the window. */
export function phiDetector(limits: ShardLimits): Detector {
  const { heartbeatMs, goneMs, suspectMs, deadMs, leaseMs, renewMs } = limits;
  const deadMsMin = Math.min(deadMs, Math.max(suspectMs, leaseMs - renewMs));
  // We look once a beat, so an interval is known to within half of one.
  const spreadMin = heartbeatMs / 2;
  const intervals: number[] = [];
  let next = 0;
  let sum = 0;
  let squares = 0;
  let longest = 0;

  function phi(silentMs: number): number {
    const count = intervals.length;
    const mean = count < INTERVALS_MIN ? heartbeatMs : sum / count;
    const spread = count < INTERVALS_MIN ? heartbeatMs : Math.sqrt(Math.max(0, squares / count - mean * mean));
    return Math.min(PHI_MAX, phiOf((silentMs - mean) / Math.max(spreadMin, spread)));
  }

  return {
    phi,
    heard(intervalMs) {
      const oldest = intervals.length === WINDOW ? (intervals[next] ?? 0) : 0;
      intervals[next] = intervalMs;
      next = (next + 1) % WINDOW;
      sum += intervalMs - oldest;
      squares += intervalMs ** 2 - oldest ** 2;
      longest = oldest === longest ? Math.max(...intervals) : Math.max(longest, intervalMs);
    },
    level(silentMs) {
      const isLearned = intervals.length >= INTERVALS_MIN;
      if (silentMs >= deadMs) return 'dead';
      if (isLearned && silentMs >= deadMsMin && silentMs > longest * LONGEST_SHARE && phi(silentMs) >= DEAD_PHI)
        return 'dead';
      if (silentMs >= suspectMs || (isLearned && silentMs >= goneMs && phi(silentMs) >= SUSPECT_PHI)) return 'suspect';
      return 'alive';
    },
  };
}

/** Of a silence so many standard deviations above the mean; the tail of the normal curve by its logistic approximation. */
function phiOf(deviations: number): number {
  const exponent = deviations * (1.5976 + 0.070566 * deviations ** 2); // Off by less than 0.02 % of the curve's height.
  return exponent > 30 ? exponent * Math.LOG10E : Math.log10(1 + Math.exp(exponent)); // Beyond 30 the 1 has no weight.
}
