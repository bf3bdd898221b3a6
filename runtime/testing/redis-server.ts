// A private Redis server: a process of its own on a free loopback port, durable unless told otherwise, gone with us.
//
// There is no in-memory stand-in: tests, demo and `emboss up` all run the real functions on a real server. Each test
// file starts its own (about 50 ms), so that files run side by side and none has to clean up after another.

import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { pause, systemClock } from '../clock.ts';
import { mendTail } from './aof-tail.ts';
import { askRedis } from './redis-probe.ts';

const START_MS_MAX = 60_000; // Loading a large append-only file counts as starting.
const STOP_MS_MAX = 10_000;
const PORT_TRIES_MAX = 5;

export interface RedisServerOptions {
  /** Data folder; kept. Default: a new folder under the system's temporary one, removed by `stop` and `kill`. */
  readonly dir?: string;
  /** Loopback port. Default: a free one. */
  readonly port?: number;
  /** Further arguments, after ours, for example `['--appendfsync', 'always']`. */
  readonly args?: readonly string[];
  /** Arguments that name the port, behind those. */
  readonly argsAt?: (port: number) => readonly string[];
  /** A configuration file in place of our arguments: for sentinels. It has to name `dir` and `port`. */
  readonly config?: string;
  /** What reaches the server at its port. Default: `redis://127.0.0.1:<port>`. */
  readonly url?: (port: number) => string;
  /** Path of the server. Default: `redis-server`, else `valkey-server`, from PATH. */
  readonly binary?: string;
}

export interface RedisServer {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  readonly dir: string;
  /** Resolves with the exit code, or null after a signal. */
  readonly exited: Promise<number | null>;
  /** SIGTERM, which writes out what is buffered; SIGKILL after 10 s. Safe to call twice. */
  stop(): Promise<void>;
  /** SIGKILL: what a crash of the machine's process leaves behind. A given `dir` stays, to start on again. */
  kill(): Promise<void>;
  /** Sends a signal and does not wait: SIGSTOP and SIGCONT for tests of a server that hangs. */
  signal(name: NodeJS.Signals): void;
}

/** No Redis server can be started; the message says what was tried. */
export class NoRedisServer extends Error {
  override readonly name = 'NoRedisServer';
}

/** Starts a server and resolves when it answers PING. Rejects with NoRedisServer, quoting the server's last words. */
export async function startRedis(options: RedisServerOptions = {}): Promise<RedisServer> {
  const binary = options.binary ?? findRedisServer();
  if (binary === undefined) throw new NoRedisServer('neither redis-server nor valkey-server is on PATH');
  for (let attempt = 1; ; attempt++) {
    const port = options.port ?? (await freePort());
    const started = await startOn(binary, port, options);
    if (started.kind === 'ready') return started.server;
    // Between choosing the port and using it, another process may have taken it.
    const taken = /Address already in use/.test(started.words);
    if (!taken || options.port !== undefined || attempt === PORT_TRIES_MAX) {
      throw new NoRedisServer(`${binary} did not start: ${started.words.trim() || 'it said nothing'}`);
    }
  }
}

/** First of `redis-server` and `valkey-server` on a PATH, or undefined. */
export function findRedisServer(path: string | undefined = process.env.PATH): string | undefined {
  for (const name of ['redis-server', 'valkey-server']) {
    const found = findOnPath(name, path);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** A loopback port nobody listens on at this moment. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}

type Started =
  | { readonly kind: 'ready'; readonly server: RedisServer }
  | { readonly kind: 'died'; readonly words: string };

async function startOn(binary: string, port: number, options: RedisServerOptions): Promise<Started> {
  const dir = options.dir ?? mkdtempSync(join(tmpdir(), 'emboss-redis-'));
  mendTail(dir);
  const given = options.config === undefined ? serverArguments(dir, port) : [options.config];
  const child = launch(binary, [...given, ...(options.args ?? []), ...(options.argsAt?.(port) ?? [])]);
  let words = '';
  const listen = (chunk: Buffer): void => {
    words = (words + chunk.toString()).slice(-2_000);
  };
  child.stdout?.on('data', listen);
  child.stderr?.on('data', listen);
  const exited = new Promise<number | null>((resolve) => {
    child.once('error', (error) => {
      words += error.message;
      resolve(127);
    });
    child.once('close', (code) => resolve(code));
  });
  const url = options.url?.(port) ?? `redis://127.0.0.1:${port}`;
  const server = describe(child, { dir, port, url, ownDir: options.dir === undefined, exited });
  if (await answers(server.url, exited)) {
    release(child);
    return { kind: 'ready', server };
  }
  await server.kill();
  return { kind: 'died', words };
}

function serverArguments(dir: string, port: number): string[] {
  return [
    ...['--port', String(port), '--bind', '127.0.0.1', '--dir', dir, '--daemonize', 'no', '--loglevel', 'warning'],
    ...['--appendonly', 'yes', '--appendfsync', 'everysec', '--save', '', '--maxmemory-policy', 'noeviction'],
  ];
}

/**
 * In a process group of its own, so that a Ctrl-C meant for us does not stop it before those who still need it. On
 * Linux the kernel ends it when this process dies in any way; elsewhere only a normal end of ours does.
 */
function launch(binary: string, args: readonly string[]): ChildProcess {
  const setpriv = process.platform === 'linux' ? findOnPath('setpriv', process.env.PATH) : undefined;
  const command = setpriv === undefined ? [binary, ...args] : [setpriv, '--pdeathsig', 'TERM', binary, ...args];
  return spawn(command[0] ?? binary, command.slice(1), { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
}

interface Facts {
  readonly dir: string;
  readonly port: number;
  readonly url: string;
  readonly ownDir: boolean;
  readonly exited: Promise<number | null>;
}

function describe(child: ChildProcess, { dir, port, url, ownDir, exited }: Facts): RedisServer {
  const onExit = (): void => {
    child.kill('SIGTERM');
    child.kill('SIGCONT'); // One that a trial has frozen hears of it only then.
  };
  process.once('exit', onExit);
  void exited.then(() => process.off('exit', onExit));
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    child.kill(signal);
    const cancel = systemClock.after(STOP_MS_MAX, () => child.kill('SIGKILL'));
    await exited;
    cancel();
    if (ownDir) rmSync(dir, { recursive: true, force: true });
  };
  return {
    url,
    port,
    dir,
    exited,
    pid: child.pid ?? 0,
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
    signal: (name) => void child.kill(name),
  };
}

/** Polls with PING until the server answers; false when it exited or the time is up. */
async function answers(url: string, exited: Promise<unknown>): Promise<boolean> {
  let gone = false;
  void exited.then(() => {
    gone = true;
  });
  const deadline = systemClock.monotonic() + START_MS_MAX;
  while (!gone && systemClock.monotonic() < deadline) {
    const reply = await askRedis(url, ['PING'], 1_000).catch(() => undefined);
    if (reply === 'PONG') return !gone;
    await pause(systemClock, 5);
  }
  return false;
}

/** A server that a test forgot to stop must not keep the test's process alive. */
function release(child: ChildProcess): void {
  child.unref();
  for (const stream of [child.stdout, child.stderr]) {
    (stream as unknown as { unref?: () => void } | null)?.unref?.(); // A pipe is a socket here; the type does not say so.
  }
}

/** The first file of that name on a PATH that may be executed, or undefined. */
export function findOnPath(name: string, path: string | undefined): string | undefined {
  for (const folder of (path ?? '').split(delimiter)) {
    if (folder === '') continue;
    const file = join(folder, name);
    try {
      accessSync(file, constants.X_OK);
      return file;
    } catch {
      // Not in this folder.
    }
  }
  return undefined;
}
