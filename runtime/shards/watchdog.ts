// The watchdog: ends a process whose main loop stands still longer than the lease (L4).
//
// Renewal lives on the event loop. A loop that is stuck in a step cannot give its shards up in an orderly way, and its
// lease ends: the process should end too, so that the supervisor starts a fresh one. A thread watches a counter that the
// loop moves. It counts its own waits, not the time: a process that was frozen as a whole (SIGSTOP, a paused machine) gets
// as many waits after it thaws as anybody, since the fence makes it harmless (L3).

import { writeSync } from 'node:fs';
import { url as inspectorUrl } from 'node:inspector';
import { isMainThread, Worker, workerData } from 'node:worker_threads';
import { type Cancel, systemClock } from '../clock.ts';

export interface Watchdog {
  stop(): Promise<void>;
}

interface Post {
  readonly watchdog: 'emboss';
  readonly shared: SharedArrayBuffer;
  readonly waitMs: number;
  readonly waits: number;
}

const WAITS = 10; // The longer a single wait, the longer a loop stands still unnoticed; the shorter, the more wake-ups.
const BEAT = 0;
const PAUSED = 1;
const STOPPED = 2;

/**
 * Starts the thread; about 10 wake-ups per `stallMs` on either side. Off while a debugger is attached. Keeps the process
 * alive until `stop`. Always on the real clock: what it guards against is a real loop that stands still.
 */
export function startWatchdog(stallMs: number): Watchdog {
  const shared = new SharedArrayBuffer(3 * Int32Array.BYTES_PER_ELEMENT);
  const cells = new Int32Array(shared);
  const waitMs = Math.max(1, Math.floor(stallMs / WAITS));
  const post: Post = { watchdog: 'emboss', shared, waitMs, waits: WAITS };
  const thread = new Worker(new URL(import.meta.url), { workerData: post, env: {}, execArgv: [] });
  thread.unref();
  let cancel: Cancel = () => undefined;
  const beat = (): void => {
    cancel = systemClock.after(waitMs, beat);
    Atomics.store(cells, PAUSED, inspectorUrl() === undefined ? 0 : 1); // A breakpoint is no stall.
    Atomics.add(cells, BEAT, 1);
  };
  beat();
  return {
    async stop() {
      cancel();
      Atomics.store(cells, STOPPED, 1);
      Atomics.notify(cells, STOPPED);
      await thread.terminate();
    },
  };
}

function watch({ shared, waitMs, waits }: Post): void {
  const cells = new Int32Array(shared);
  let last = Atomics.load(cells, BEAT);
  let still = 0;
  while (Atomics.load(cells, STOPPED) === 0) {
    Atomics.wait(cells, STOPPED, 0, waitMs);
    const beat = Atomics.load(cells, BEAT);
    still = beat === last && Atomics.load(cells, PAUSED) === 0 ? still + 1 : 0;
    last = beat;
    if (still < waits || Atomics.load(cells, STOPPED) !== 0) continue;
    writeSync(2, `L4: the event loop stood still for ${waits * waitMs} ms, longer than the lease; this process ends\n`);
    process.kill(process.pid, 'SIGKILL'); // `process.exit` in a thread ends only the thread.
  }
}

if (!isMainThread && (workerData as Partial<Post> | null)?.watchdog === 'emboss') watch(workerData as Post);
