// Finds a Redis server for `emboss up`, the demo and the tests: the one given by REDIS_URL, else a private one whose
// program comes from PATH, else the same from packages fetched without root (Debian, Ubuntu).

import { mkdirSync } from 'node:fs';
import { delimiter, dirname } from 'node:path';
import { mastersAt, type RedisPlace } from '../runtime/testing/redis-probe.ts';
import { findRedisServer, NoRedisServer, startRedis } from '../runtime/testing/redis-server.ts';
import { CliFailure, EXIT } from './failure.ts';
import { fetchedServer, fetchServer } from './redis-fetch.ts';

export const REDIS_MAJOR_MIN = 7;

export interface RedisWish {
  /** What REDIS_URL says, if it is set. */
  readonly url?: string | undefined;
  readonly source: 'auto' | 'fetch';
  /** Folder of the private server's data. It is made when missing, and stays. */
  readonly dir: string;
  /** `always` for durability `fsync`. */
  readonly appendfsync?: 'everysec' | 'always';
  /** Port of the private server. Default: a free one. */
  readonly port?: number;
  /** Told each step worth knowing, in a sentence. */
  readonly say: (line: string) => void;
}

export interface ProvidedRedis {
  readonly url: string;
  readonly kind: 'given' | 'private';
  readonly version: string;
  /** Process id of the private server. */
  readonly pid?: number;
  /** Stops the private server; does nothing to a given one. */
  stop(): Promise<void>;
  /** Resolves when the private server ends; never for a given one. */
  readonly exited: Promise<number | null>;
}

/** Rejects with CliFailure, exit code 69, when there is none or it is too old; the words say what to do. */
export async function provideRedis(wish: RedisWish): Promise<ProvidedRedis> {
  if (wish.url !== undefined) return given(wish.url);
  const binary = await serverProgram(wish);
  mkdirSync(wish.dir, { recursive: true });
  try {
    const server = await startRedis({
      binary,
      dir: wish.dir,
      args: ['--appendfsync', wish.appendfsync ?? 'everysec'],
      ...(wish.port === undefined ? {} : { port: wish.port }),
    });
    const version = await versionAt(server.url);
    requireVersion(version, binary);
    wish.say(`private Redis ${version} at ${server.url}, data in ${wish.dir}`);
    return { url: server.url, kind: 'private', version, pid: server.pid, stop: server.stop, exited: server.exited };
  } catch (error) {
    if (error instanceof NoRedisServer) throw new CliFailure(error.message, EXIT.unavailable);
    throw error;
  }
}

/** For a test run: an addition to the environment with which `redis-server` is found on PATH. Fetches if it must. */
export async function serverOnPath(environment: NodeJS.ProcessEnv = process.env): Promise<{ PATH?: string }> {
  const source = environment.EMBOSS_REDIS === 'fetch' ? 'fetch' : 'auto';
  if (source === 'auto' && findRedisServer(environment.PATH) !== undefined) return {};
  const binary = await serverProgram({ source, say: (line) => process.stderr.write(`emboss: ${line}\n`) });
  return { PATH: `${dirname(binary)}${delimiter}${environment.PATH ?? ''}` };
}

async function serverProgram({ source, say }: Pick<RedisWish, 'source' | 'say'>): Promise<string> {
  const installed = source === 'auto' ? findRedisServer() : undefined;
  return installed ?? fetchedServer() ?? fetchServer(say);
}

async function given(url: string): Promise<ProvidedRedis> {
  let version: string;
  try {
    version = await versionAt(url);
  } catch (error) {
    const words = error instanceof Error ? error.message : String(error);
    throw new CliFailure(
      `REDIS_URL is set, but that server does not answer: ${words}\n` +
        'Start it, correct REDIS_URL, or unset it and a private server is used.',
      EXIT.unavailable,
    );
  }
  requireVersion(version, 'the server of REDIS_URL');
  return { url, kind: 'given', version, stop: async () => {}, exited: new Promise(() => {}) };
}

/** Version of the server at `url`, for example `7.0.15`; of a cluster the lowest of its masters'. One round trip to each. */
export async function versionAt(url: string): Promise<string> {
  const versions = await Promise.all((await mastersAt(url)).map(versionOf));
  return versions.sort((a, b) => Number.parseFloat(a) - Number.parseFloat(b))[0] ?? 'unknown';
}

async function versionOf(place: RedisPlace): Promise<string> {
  const info = await place.ask(['INFO', 'server']);
  return /^redis_version:(\S+)/m.exec(String(info))?.[1] ?? 'unknown';
}

function requireVersion(version: string, where: string): void {
  if (Number.parseInt(version, 10) >= REDIS_MAJOR_MIN) return;
  throw new CliFailure(
    `Redis ${REDIS_MAJOR_MIN}.0 or newer is needed; ${where} is ${version}.\n` +
      'Upgrade it, or run the command with EMBOSS_REDIS=fetch (Debian, Ubuntu).',
    EXIT.unavailable,
  );
}
