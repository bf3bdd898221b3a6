// Time and chance for the API room, on both sides of the wire. Browser-safe; everything else here takes a Ticker.

export interface Ticker {
  /** Milliseconds of the wall clock: display, token times and latencies; no decision of the runtime rests on it. */
  now(): number;
  /** Runs `task` once after `ms`; the returned function cancels it. */
  after(ms: number, task: () => void): () => void;
  /** A number in [0, 1), for jitter. */
  random(): number;
}

export const systemTicker: Ticker = {
  now: () => Date.now(),
  after(ms, task) {
    const timer: unknown = setTimeout(task, Math.max(0, ms));
    return () => clearTimeout(timer as Parameters<typeof clearTimeout>[0]);
  },
  random: () => Math.random(),
};

/** Resolves after `ms`, or at once when `signal` is aborted. Never rejects. */
export function pause(ticker: Ticker, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) return resolve();
    const cancel = ticker.after(ms, done);
    function done(): void {
      cancel();
      signal?.removeEventListener('abort', done);
      resolve();
    }
    signal?.addEventListener('abort', done, { once: true });
  });
}
