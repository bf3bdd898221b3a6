// An estimate of the Redis server's clock, carried on by the monotonic clock (T2): a wall clock that jumps moves nothing.
//
// A sample says: between sending and receiving, the server's clock stood there. Its error is at most half the round trip,
// so samples over 20 ms are put aside; where none is better (a far or busy server), the best of the last few is used and
// the estimate says so.

import type { Clock } from '../clock.ts';
import { InvariantBroken } from '../errors.ts';
import type { Connection } from '../redis/connection.ts';

export interface ServerClock {
  /** Milliseconds since 1970 by the server's clock. Throws InvariantBroken before the first sample. */
  now(): number;
  /** Feeds one sample: the server's reading in ms, and our monotonic readings before and after. */
  sample(serverMs: number, sentAt: number, receivedAt: number): void;
  /** `good`: off by at most 10 ms when last sampled. `poor`: every recent round trip was over 20 ms. */
  readonly quality: 'none' | 'good' | 'poor';
}

const ROUND_TRIP_MS_MAX = 20;
const POOR_SAMPLES_KEPT = 8; // Without a good one for this long (about 2 s), the best of these is better than an old one.
const STEP_BACK_MS_MAX = 1_000; // Corrections up to this never turn time back; a larger one is the server's own jump.

export function createServerClock(clock: Clock): ServerClock {
  let offset: number | undefined; // Server minus monotonic.
  let quality: ServerClock['quality'] = 'none';
  let poor: { readonly offset: number; readonly roundTrip: number }[] = [];
  let last = Number.NEGATIVE_INFINITY;

  return {
    now() {
      if (offset === undefined) throw new InvariantBroken('T2: the server clock was asked before its first sample');
      const estimate = Math.floor(clock.monotonic() + offset);
      last = last - estimate > STEP_BACK_MS_MAX ? estimate : Math.max(last, estimate);
      return last;
    },
    sample(serverMs, sentAt, receivedAt) {
      const roundTrip = receivedAt - sentAt;
      const sampled = serverMs - (sentAt + receivedAt) / 2;
      if (roundTrip <= ROUND_TRIP_MS_MAX) {
        offset = sampled;
        quality = 'good';
        poor = [];
        return;
      }
      poor = [...poor, { offset: sampled, roundTrip }].slice(-POOR_SAMPLES_KEPT);
      if (quality === 'good' && poor.length < POOR_SAMPLES_KEPT) return;
      offset = poor.reduce((best, next) => (next.roundTrip < best.roundTrip ? next : best)).offset;
      quality = 'poor';
    },
    get quality() {
      return quality;
    },
  };
}

const SAMPLES_AT_START = 3; // The first call on a connection is often slow.

/** Takes samples by TIME: for start-up, and for processes without heartbeats. At most three round trips. */
export async function sampleServerClock(serverClock: ServerClock, connection: Connection, clock: Clock): Promise<void> {
  for (let i = 0; i < SAMPLES_AT_START; i += 1) {
    const sentAt = clock.monotonic();
    const [seconds, micros] = await connection.call('TIME', (redis) => redis.time());
    serverClock.sample(Number(seconds) * 1_000 + Number(micros) / 1_000, sentAt, clock.monotonic());
    if (serverClock.quality === 'good') return;
  }
}
