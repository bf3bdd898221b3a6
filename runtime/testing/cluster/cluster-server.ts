// A Redis server of a cluster: a process that is frozen, killed and started again where it was, with the data it kept.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isStopped } from '../process-state.ts';
import { type RedisServer, startRedis } from '../redis-server.ts';
import { waitUntil } from '../waiting.ts';

export class ClusterServer {
  readonly name: string;
  readonly dir: string;
  readonly url: string;
  readonly port: number;
  readonly #args: readonly string[];
  #process: RedisServer | undefined;

  /** Starts a server with an append-only file in a folder of its own, removed by `close`. `args` come after ours. */
  static async start(name: string, args: readonly string[] = []): Promise<ClusterServer> {
    const dir = mkdtempSync(join(tmpdir(), `emboss-${name}-`));
    return new ClusterServer(name, dir, args, await startRedis({ dir, args }));
  }

  /** State that others start, hurt and end, such as a master that sentinels name: of our verbs none does anything to it. */
  static outside(name: string, url: string): ClusterServer {
    return new ClusterServer(name, '', [], { url, port: 0 });
  }

  private constructor(
    name: string,
    dir: string,
    args: readonly string[],
    started: RedisServer | { readonly url: string; readonly port: 0 },
  ) {
    this.name = name;
    this.dir = dir;
    this.url = started.url;
    this.port = started.port;
    this.#args = args;
    this.#process = 'pid' in started ? started : undefined;
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  get state(): 'running' | 'frozen' | 'ended' {
    if (this.#isOutside) return 'running'; // As far as we know.
    if (this.#process === undefined) return 'ended';
    return isStopped(this.#process.pid) ? 'frozen' : 'running';
  }

  /** Starts it again on its port with what its folder holds. Rejects as `startRedis` does. Nothing when it runs. */
  async start(): Promise<void> {
    if (this.#isOutside) return;
    this.#process ??= await startRedis({ dir: this.dir, port: this.port, args: this.#args });
  }

  /** SIGTERM: it writes out what it holds. */
  stop(): Promise<void> {
    return this.#end((server) => server.stop());
  }

  /** SIGKILL: what was handed to the kernel stays. */
  kill(): Promise<void> {
    return this.#end((server) => server.kill());
  }

  /** SIGSTOP. Resolves when it stands still: its sockets stay open and take what fits into the kernel's buffers. */
  async freeze(): Promise<void> {
    if (this.#isOutside) return;
    this.#process?.signal('SIGSTOP');
    await waitUntil(`${this.name} stands still`, () => this.state === 'frozen');
  }

  thaw(): void {
    this.#process?.signal('SIGCONT');
  }

  /** Kills it and removes its folder. */
  async close(): Promise<void> {
    await this.kill();
    if (!this.#isOutside) rmSync(this.dir, { recursive: true, force: true });
  }

  get #isOutside(): boolean {
    return this.dir === '';
  }

  async #end(how: (server: RedisServer) => Promise<void>): Promise<void> {
    const ending = this.#process;
    this.#process = undefined;
    if (ending !== undefined) await how(ending);
  }
}
