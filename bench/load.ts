// Closed-loop load: each client sends, waits for its answer and sends again. Latency is from send to answer, in the client.

import { build as buildHistogram, type Histogram } from 'hdr-histogram-js';
import { systemClock } from '../runtime/index.ts';

export interface Measured {
  readonly clients: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly maxMs: number;
  readonly transitions: number;
  readonly errors: number;
}

/** One turn of one client; resolves when the transition is durable and answered. Turns of a client are in order. */
export type Turn = (client: number, turn: number) => Promise<void>;

/** Runs `clients` loops for `warmMs` uncounted and `measureMs` counted milliseconds. Bounded in time by both. */
export async function measure(clients: number, turn: Turn, warmMs: number, measureMs: number): Promise<Measured> {
  const clock = systemClock;
  const histogram: Histogram = buildHistogram({
    lowestDiscernibleValue: 1,
    highestTrackableValue: 60_000_000,
    numberOfSignificantValueDigits: 3,
    useWebAssembly: false,
  });
  const start = clock.monotonic() + warmMs;
  const end = start + measureMs;
  let errors = 0;
  let counted = 0;

  async function loop(client: number): Promise<void> {
    for (let n = 0; clock.monotonic() < end; n += 1) {
      const sentAt = clock.monotonic();
      try {
        await turn(client, n);
      } catch {
        errors += 1;
        continue;
      }
      const now = clock.monotonic();
      if (sentAt < start || now > end) continue;
      counted += 1;
      histogram.recordValue(Math.max(1, Math.round((now - sentAt) * 1_000)));
    }
  }

  await Promise.all(Array.from({ length: clients }, (_, client) => loop(client)));
  const at = (percentile: number): number => histogram.getValueAtPercentile(percentile) / 1_000;
  return {
    clients,
    perSecond: Math.round((counted * 1_000) / measureMs),
    p50Ms: at(50),
    p99Ms: at(99),
    p999Ms: at(99.9),
    maxMs: histogram.maxValue / 1_000,
    transitions: counted,
    errors,
  };
}

export const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1
    ? (sorted[middle] as number)
    : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
};
