// Real time for the command line: processes are started, watched and given up by the wall, whatever time the business runs in.

import { setTimeout as sleep } from 'node:timers/promises';

/** Milliseconds on a monotonic clock. */
export const monotonic = (): number => performance.now();

/** The present moment in ISO 8601, for records and log lines. */
export const wallTime = (): string => new Date().toISOString();

/** Resolves after `ms`, or at once when `signal` is aborted. Never rejects. */
export async function pause(ms: number, signal?: AbortSignal): Promise<void> {
  await sleep(ms, undefined, signal === undefined ? {} : { signal }).catch(() => {});
}

/** True when `task` settled within `ms`. Its result and its failure are left to others. */
export async function settledWithin(task: Promise<unknown>, ms: number): Promise<boolean> {
  const over = new AbortController();
  const settled = task.then(
    () => true,
    () => true,
  );
  const inTime = await Promise.race([settled, pause(ms, over.signal).then(() => false)]);
  over.abort();
  return inTime;
}
