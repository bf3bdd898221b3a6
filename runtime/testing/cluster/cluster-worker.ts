// A worker of a cluster: a process under a static id, behind proxies of its own, one for each server that it speaks to.

import type { CrashPoint } from '../crash-points.ts';
import type { RedisProxy } from '../redis-proxy.ts';
import {
  startWorkerProcess,
  type WorkerCounters,
  type WorkerProcess,
  type WorkerProcessOptions,
} from '../worker-process.ts';
import type { ClusterServer } from './cluster-server.ts';

/** How one life of a worker differs from the others. */
export interface LifeOptions {
  /** Where it ends or freezes by itself, after `skip` passes. */
  readonly crash?: { readonly at: CrashPoint; readonly act: 'kill' | 'stop' | 'exit'; readonly skip?: number };
  /** Default true: the watchdog ends it when its loop stands still longer than a lease (L4). */
  readonly watchdog?: boolean;
  /** Another build that it is a process of: the path of its compiled worker-process.js, and its own module of charts. */
  readonly build?: { readonly program: string; readonly module: string };
  /** Its whole environment, apart from the crash point. Default: empty. */
  readonly env?: Readonly<Record<string, string>>;
}

export type WorkerState = 'running' | 'frozen' | 'ended';

export class ClusterWorker {
  readonly id: string;
  readonly namespace: string;
  readonly #options: WorkerProcessOptions;
  readonly #proxies: ReadonlyMap<ClusterServer, RedisProxy>;
  #process: WorkerProcess | undefined;
  #lives = 0;
  #fenced = 0;

  /** Made by a cluster. `proxies` is empty where the worker speaks to its servers directly. */
  constructor(namespace: string, options: WorkerProcessOptions, proxies: ReadonlyMap<ClusterServer, RedisProxy>) {
    this.id = options.host.worker;
    this.namespace = namespace;
    this.#options = options;
    this.#proxies = proxies;
    for (const proxy of proxies.values()) proxy.tap((_, reply) => (this.#fenced += isFenced(reply) ? 1 : 0));
  }

  /**
   * Replies *fenced* that servers sent to it, in all its lives, through its proxies. Its own counter is less: a worker that
   * was frozen longer than the deadline of a call counts that call as unknown before it looks at the reply.
   */
  get fenced(): number {
    return this.#fenced;
  }

  get state(): WorkerState {
    if (this.#process === undefined) return 'ended';
    return this.#process.isFrozen() ? 'frozen' : 'running';
  }

  /** How often it was started. */
  get lives(): number {
    return this.#lives;
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** What its present or last process wrote, newest last, at most 100 lines. */
  lines: readonly string[] = [];

  /**
   * Starts a process under the id and resolves when it has joined: within 300 ms on an idle machine, later where the
   * predecessor's end must be noticed first. Rejects when it ended before, and when one runs already.
   */
  async start({ crash, watchdog, build, env }: LifeOptions = {}): Promise<void> {
    await this.launch({
      ...(crash === undefined ? {} : { crash }),
      ...(watchdog === undefined ? {} : { watchdog }),
      ...(build === undefined ? {} : { build }),
      ...(env === undefined ? {} : { env }),
    }).ready;
  }

  /** As `start`, and does not wait for it to join: for one that is meant to crash before. */
  launch({ crash, watchdog, build, env }: LifeOptions = {}): WorkerProcess {
    if (this.#process !== undefined) throw new Error(`${this.id} runs already`);
    const { host, ...rest } = this.#options;
    const started = startWorkerProcess({
      ...rest,
      ...build,
      host: { ...host, watchdog: watchdog ?? host.watchdog ?? true },
      ...(crash === undefined ? {} : { crash }),
      ...(env === undefined ? {} : { env }),
    });
    this.#process = started;
    this.#lives += 1;
    this.lines = started.lines;
    void started.exited.then(() => {
      if (this.#process === started) this.#process = undefined;
    });
    return started;
  }

  /** SIGTERM, and how it ended: 0 after a drain (L4). A frozen one is thawed, since it could not hear. */
  async stop(): Promise<number | NodeJS.Signals | undefined> {
    const ending = this.#process;
    if (ending?.isFrozen()) ending.thaw();
    const how = await ending?.stop();
    await this.#gone(ending);
    return how;
  }

  /** SIGKILL. Resolves when it is gone. */
  async kill(): Promise<void> {
    const ending = this.#process;
    await ending?.kill();
    await this.#gone(ending);
  }

  /** SIGSTOP: it keeps its sockets and all it believes. Resolves when it stands still. */
  async freeze(): Promise<void> {
    await this.#running().freeze();
  }

  thaw(): void {
    this.#process?.thaw();
  }

  /** Its event loop stands still for `ms` while its other threads run. Resolves when that has begun. */
  async stall(ms: number): Promise<void> {
    await this.#running().stall(ms);
  }

  /** SIGTERM and a new process under the same id. */
  async restart(options: LifeOptions = {}): Promise<void> {
    await this.stop();
    await this.start(options);
  }

  /** Resolves with the exit code or the signal's name; undefined when none runs. */
  async ended(): Promise<number | NodeJS.Signals | undefined> {
    return await this.#process?.exited;
  }

  /** Rejects when it ends; waits while it is frozen. */
  async counters(): Promise<WorkerCounters> {
    return await this.#running().counters();
  }

  /** Cuts its connections to one server, or to all, and refuses new ones until `heal`. */
  cut(server?: ClusterServer): void {
    for (const proxy of this.#proxiesTo(server)) proxy.cut();
  }

  /** As `cut`, with both sides' sockets open: nobody is told. What was sent meanwhile arrives at `heal`. */
  halfOpen(server?: ClusterServer): void {
    for (const proxy of this.#proxiesTo(server)) proxy.halfOpen();
  }

  heal(server?: ClusterServer): void {
    for (const proxy of this.#proxiesTo(server)) proxy.heal();
  }

  /** Its proxy in front of a server: for rules. Throws where it speaks to that server directly, or not at all. */
  proxy(server: ClusterServer): RedisProxy {
    const proxy = this.#proxies.get(server);
    if (proxy === undefined) throw new Error(`${this.id} has no proxy in front of ${server.name}`);
    return proxy;
  }

  /** Kills it and closes its proxies. */
  async close(): Promise<void> {
    await this.kill();
    await Promise.all([...this.#proxies.values()].map((proxy) => proxy.close()));
  }

  #running(): WorkerProcess {
    if (this.#process === undefined) throw new Error(`${this.id} is not running: ${this.lines.slice(-3).join(' | ')}`);
    return this.#process;
  }

  #proxiesTo(server: ClusterServer | undefined): readonly RedisProxy[] {
    if (this.#proxies.size === 0) throw new Error(`${this.id} has no proxies: start the cluster with proxied: true`);
    return server === undefined ? [...this.#proxies.values()] : [this.proxy(server)];
  }

  async #gone(process: WorkerProcess | undefined): Promise<void> {
    await process?.exited;
    if (this.#process === process) this.#process = undefined;
  }
}

/** The word is the reply, or its first element. */
const isFenced = (reply: Buffer): boolean => reply.subarray(0, 24).includes('FENCED');
