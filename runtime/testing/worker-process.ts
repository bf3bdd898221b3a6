// A worker in a process of its own, for trials that end, freeze and thaw it. The file is both sides: imported it starts
// children, run by `startWorkerProcess` it is one.
//
// The child imports a module that exports `charts`, hosts them, and answers questions over the channel to its parent. It
// ends as a real worker does: SIGTERM drains and exits with 0 (L4); when its parent is gone, it goes too.

import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../clock.ts';
import type { Counters } from '../commit/scene.ts';
import type { Host, HostOptions } from '../host.ts';
import type { Hosted } from '../hosting.ts';
import type { JsonObject } from '../json.ts';
import { host } from '../worker.ts';
import type { CrashPoint } from './crash-points.ts';
import { isStopped } from './process-state.ts';
import { waitUntil } from './waiting.ts';

export interface WorkerProcessOptions {
  /** URL of a module that exports `charts`: a list of registrations, or a function that makes one from `given`. */
  readonly module: string;
  readonly given?: JsonObject;
  readonly host: Omit<HostOptions, 'charts' | 'log' | 'onFatal'>;
  /** Where it ends (`kill`), freezes (`stop`) or exits, after `skip` passes. */
  readonly crash?: { readonly at: CrashPoint; readonly act: 'kill' | 'stop' | 'exit'; readonly skip?: number };
  /** Of another build: the path of its compiled worker-process.js. `module` must be of that build, too. Default: this one. */
  readonly program?: string;
  /** Its whole environment, apart from the crash point. */
  readonly env?: Readonly<Record<string, string>>;
}

export interface WorkerProcess {
  readonly pid: number;
  /** Resolves when it has joined; rejects when it ended before. */
  readonly ready: Promise<void>;
  /** Resolves with the exit code, or the signal's name. */
  readonly exited: Promise<number | NodeJS.Signals>;
  /** What it wrote to its log and to stderr, newest last, at most 100 lines. */
  readonly lines: readonly string[];
  /** Answered by its event loop: waits while it is frozen or stalled, and rejects when it ends. */
  counters(): Promise<WorkerCounters>;
  /** Its event loop stands still for `ms`, as in a long computation. Resolves when it has begun. At most 60,000. */
  stall(ms: number): Promise<void>;
  /** Linux: true while it is stopped by a signal. */
  isFrozen(): boolean;
  /** SIGTERM, and how it ended. */
  stop(): Promise<number | NodeJS.Signals>;
  /** SIGUSR2: it ends in order, and says that it comes back (decision 0015). How it ended. */
  goAway(): Promise<number | NodeJS.Signals>;
  kill(): Promise<void>;
  freeze(): Promise<void>;
  thaw(): void;
}

/** What a worker has done, what it holds, and what it costs. */
export interface WorkerCounters extends Counters {
  readonly shards: readonly number[];
  readonly residents: number;
  readonly rssBytes: number;
  /** Timers, sockets and the like that keep its loop. */
  readonly handles: number;
  /** What its wall clock shows, ms. Only trials that bend it ask. */
  readonly wallClock: number;
  readonly healthy: boolean;
}

const LINES_MAX = 100;
const STALL_MS_MAX = 60_000;
const OWN_FILE = fileURLToPath(import.meta.url);
const CHILD = 'emboss-worker-process';

/** Starts a worker; at most 300 ms until it joins. The caller ends it. */
export function startWorkerProcess(options: WorkerProcessOptions): WorkerProcess {
  const { crash } = options;
  const point = crash === undefined ? {} : { EMBOSS_CRASH_POINT: `${crash.at}:${crash.act}:${crash.skip ?? 0}` };
  const child = fork(options.program ?? OWN_FILE, [CHILD], {
    env: { ...options.env, ...point },
    execArgv: [],
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  const lines: string[] = [];
  const note = (text: string): void => {
    lines.push(...text.trimEnd().split('\n'));
    lines.splice(0, lines.length - LINES_MAX);
  };
  child.stderr?.on('data', (chunk: Buffer) => note(chunk.toString()));
  child.stdout?.on('data', (chunk: Buffer) => note(chunk.toString()));
  const exited = new Promise<number | NodeJS.Signals>((resolve) => {
    child.once('exit', (code, signal) => resolve(signal ?? code ?? 1));
  });
  const end = (): void => void child.kill('SIGKILL');
  process.once('exit', end);
  void exited.then(() => process.off('exit', end));
  const { module, given, host: hostOptions } = options;
  child.send({ module, given: given ?? {}, host: hostOptions } satisfies Start);
  return verbs(child, exited, lines);
}

function verbs(child: ChildProcess, exited: Promise<number | NodeJS.Signals>, lines: readonly string[]): WorkerProcess {
  const ready = new Promise<void>((resolve, reject) => {
    child.on('message', (told) => told === 'joined' && resolve());
    void exited.then((how) => reject(new Error(`the worker ended with ${how} before it joined: ${lines.join('\n')}`)));
  });
  ready.catch(() => undefined); // Whoever does not wait for it does not want to hear of it.
  const isFrozen = (): boolean => isStopped(child.pid ?? 0);
  const ask = questionsTo(child, exited);
  return {
    pid: child.pid ?? 0,
    ready,
    exited,
    lines,
    isFrozen,
    counters: async () => (await ask({ what: 'counters' })) as WorkerCounters, // As the child below answers it.
    async stall(ms) {
      if (!(ms >= 0 && ms <= STALL_MS_MAX)) throw new TypeError(`a stall takes 0 to ${STALL_MS_MAX} ms, not ${ms}`);
      await ask({ what: 'stall', ms });
    },
    stop() {
      child.kill('SIGTERM');
      return exited;
    },
    goAway() {
      child.kill('SIGUSR2');
      return exited;
    },
    async kill() {
      child.kill('SIGKILL');
      await exited;
    },
    async freeze() {
      child.kill('SIGSTOP');
      await waitUntil('the process stands still', isFrozen);
    },
    thaw: () => void child.kill('SIGCONT'),
  };
}

interface Question {
  readonly what: 'counters' | 'stall';
  readonly ms?: number;
}

/** Answers come by number, in whatever order. Rejects when the child is gone. */
function questionsTo(child: ChildProcess, exited: Promise<unknown>): (question: Question) => Promise<unknown> {
  const waiting = new Map<
    number,
    { readonly resolve: (answer: unknown) => void; readonly reject: (why: Error) => void }
  >();
  let asked = 0;
  child.on('message', (told) => {
    if (typeof told !== 'object' || told === null) return;
    const { number, answer } = told as { readonly number: number; readonly answer: unknown }; // All objects a child sends.
    waiting.get(number)?.resolve(answer);
    waiting.delete(number);
  });
  void exited.then((how) => {
    for (const { reject } of waiting.values()) reject(new Error(`the worker ended with ${String(how)}`));
  });
  return (question) =>
    new Promise((resolve, reject) => {
      asked += 1;
      waiting.set(asked, { resolve, reject });
      child.send({ number: asked, ...question }, (error) => error && reject(error));
    });
}

// --- The child -------------------------------------------------------------------------------------------------------

interface Start {
  readonly module: string;
  readonly given: JsonObject;
  readonly host: Omit<HostOptions, 'charts'>;
}

interface ChartModule {
  readonly charts: readonly Hosted[] | ((given: JsonObject) => readonly Hosted[]);
}

async function serve({ module, given, host: options }: Start): Promise<void> {
  const { charts } = (await import(module)) as ChartModule; // Named by the one who started us.
  const say = (level: string) => (fields: object, text: string) =>
    console.log(`${level} ${text} ${JSON.stringify(fields)}`);
  const worker = await host({
    ...options,
    charts: typeof charts === 'function' ? charts(given) : charts,
    log: { info: () => undefined, warn: say('warn'), error: say('error') },
    onFatal: (error) => {
      console.error(error);
      process.exit(1);
    },
  });
  process.on('message', (asked) => {
    const { number, what, ms = 0 } = asked as Question & { readonly number: number }; // As the parent above asks.
    if (what === 'stall') process.send?.({ number, answer: null }, () => standStill(ms));
    else process.send?.({ number, answer: countersOf(worker) });
  });
  const end = (how: { readonly restart: boolean }): void => {
    process.off('disconnect', orphaned);
    void worker.stop(how).then(() => process.disconnect()); // Nothing is left that keeps the process: it exits with 0.
  };
  process.once('SIGTERM', () => end({ restart: false }));
  process.once('SIGUSR2', () => end({ restart: true }));
  process.send?.('joined');
}

const countersOf = (worker: Host): WorkerCounters => ({
  ...worker.counters,
  shards: worker.shards(),
  residents: worker.residents(),
  rssBytes: process.memoryUsage.rss(),
  handles: process.getActiveResourcesInfo().length,
  wallClock: systemClock.wall(),
  healthy: worker.healthy(),
});

/** Keeps the loop busy: nothing else of this process runs meanwhile but its threads. */
function standStill(ms: number): void {
  const until = systemClock.monotonic() + ms;
  while (systemClock.monotonic() < until);
}

function orphaned(): void {
  process.exit(1);
}

if (process.argv[2] === CHILD && process.send !== undefined) {
  process.once('disconnect', orphaned);
  process.once('message', (start) => {
    serve(start as Start).catch((error: unknown) => {
      console.error(error);
      process.exit(1);
    });
  });
}
