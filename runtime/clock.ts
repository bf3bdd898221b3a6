// The one place where time, timers, randomness and ids enter (T2). Everything else takes a Clock.

import { randomBytes } from 'node:crypto';
import { performance } from 'node:perf_hooks';

/** Cancels what it was returned for. Safe to call twice. */
export type Cancel = () => void;

export interface Clock {
  /** Milliseconds on a monotonic clock: leases, deadlines and durations. Means nothing across processes. */
  monotonic(): number;
  /** Milliseconds of the wall clock: log lines and first guesses only; no decision rests on it (T2). */
  wall(): number;
  /** Runs `task` once after `ms` (0 or more). The task must not throw. */
  after(ms: number, task: () => void): Cancel;
  /** `size` random bytes as lower-case hex. */
  nonce(size: number): string;
  /** A number in [0, 1), for jitter only. */
  random(): number;
}

export const systemClock: Clock = {
  monotonic: () => performance.now(),
  wall: () => Date.now(),
  after(ms, task) {
    const timer = setTimeout(task, Math.max(0, ms));
    return () => clearTimeout(timer);
  },
  nonce: (size) => randomBytes(size).toString('hex'),
  random: () => Math.random(),
};

/** Resolves after `ms`, or at once when `signal` is aborted. Never rejects. */
export function pause(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const cancel = clock.after(ms, done);
    function done(): void {
      cancel();
      signal?.removeEventListener('abort', done);
      resolve();
    }
    signal?.addEventListener('abort', done, { once: true });
  });
}
