// A master, its replicas and the sentinels that watch them: real processes on loopback, gone with us.

import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { askRedis } from './redis-probe.ts';
import { freePort, type RedisServer, startRedis } from './redis-server.ts';
import { waitUntil } from './waiting.ts';

export interface RedisSentinel {
  /** `redis+sentinel://…` with all sentinels and the name of the master. */
  readonly url: string;
  /** Master first, as it was at the start. A server that was killed may be started again on its port and folder. */
  readonly servers: readonly RedisServer[];
  readonly sentinels: readonly RedisServer[];
  /** Port of the master, as most sentinels know it. */
  masterPort(): Promise<number>;
  stop(): Promise<void>;
}

export interface RedisSentinelOptions {
  readonly replicas?: number;
  /** Silence after which a sentinel calls the master down. Default 800: a busy machine must not look like a dead one. */
  readonly downAfterMs?: number;
  /** Further arguments of master and replicas. */
  readonly args?: readonly string[];
  /** Gives the port at which replicas and sentinels see the master, such as that of a proxy. Default: its own. */
  readonly sight?: (master: RedisServer) => Promise<number>;
}

export const MASTER_NAME = 'mymaster';
const SENTINELS = 3;
/** A sentinel syncs its configuration to the disk, and one that stands still for 2 s does nothing for the next 30 (TILT). */
const MEMORY_FOLDER = '/dev/shm';
const FOUND_MS_MAX = 20_000; // Sentinels greet each other every two seconds.
/** Starts at once instead of after five seconds, in which other replicas might come. */
export const QUICK_COPY = ['--repl-diskless-sync', 'yes', '--repl-diskless-sync-delay', '0'] as const;

/** Resolves when every sentinel knows the others and the replicas, and the replicas have what the master has. */
export async function startSentinel(options: RedisSentinelOptions = {}): Promise<RedisSentinel> {
  const { replicas = 1, downAfterMs = 800, args = [] } = options;
  const dir = mkdtempSync(join(existsSync(MEMORY_FOLDER) ? MEMORY_FOLDER : tmpdir(), 'emboss-sentinel-'));
  const master = await startRedis({ args: [...QUICK_COPY, ...args] });
  const seenAt = (await options.sight?.(master)) ?? master.port;
  const copy = { args: [...QUICK_COPY, ...args, '--replicaof', '127.0.0.1', String(seenAt)] };
  const copies = await Promise.all(Array.from({ length: replicas }, () => startRedis(copy)));
  await waitUntil('the replicas are in step', () => inStep(master.url, replicas));
  const sentinels = await Promise.all(
    Array.from({ length: SENTINELS }, (_, i) => startOne(join(dir, String(i)), seenAt, downAfterMs)),
  );
  const all = [master, ...copies, ...sentinels];
  await waitUntil(
    'the sentinels have found each other',
    async () => (await Promise.all(sentinels.map(({ url }) => knows(url, replicas)))).every(Boolean),
    { deadlineMs: FOUND_MS_MAX, everyMs: 50 },
  );
  return {
    url: `redis+sentinel://${sentinels.map(({ port }) => `127.0.0.1:${port}`).join(',')}/${MASTER_NAME}`,
    servers: [master, ...copies],
    sentinels,
    async masterPort() {
      const told = await Promise.all(sentinels.map(({ url }) => masterBy(url).catch(() => 0)));
      return told.find((port) => told.filter((other) => other === port).length * 2 > SENTINELS) ?? 0;
    },
    async stop() {
      await Promise.all(all.map((server) => server.kill()));
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

async function startOne(dir: string, masterPort: number, downAfterMs: number): Promise<RedisServer> {
  const port = await freePort();
  const config = `${dir}.conf`; // The sentinel rewrites it.
  const lines = [
    `port ${port}`,
    'bind 127.0.0.1',
    `dir ${tmpdir()}`,
    'loglevel warning',
    `sentinel monitor ${MASTER_NAME} 127.0.0.1 ${masterPort} 2`,
    `sentinel down-after-milliseconds ${MASTER_NAME} ${downAfterMs}`,
    `sentinel failover-timeout ${MASTER_NAME} 5000`,
  ];
  writeFileSync(config, `${lines.join('\n')}\n`);
  return await startRedis({ port, config, args: ['--sentinel'] });
}

async function masterBy(sentinel: string): Promise<number> {
  const answer = await askRedis(sentinel, ['SENTINEL', 'get-master-addr-by-name', MASTER_NAME], 500);
  return Number((answer as readonly string[])[1]);
}

async function knows(sentinel: string, replicas: number): Promise<boolean> {
  const flat = (await askRedis(sentinel, ['SENTINEL', 'MASTER', MASTER_NAME])) as readonly string[];
  const field = (name: string): number => Number(flat[flat.indexOf(name) + 1]);
  return field('num-other-sentinels') === SENTINELS - 1 && field('num-slaves') === replicas;
}

/** True when `count` replicas follow the server and are sent its writes as they come. */
export async function inStep(url: string, count: number): Promise<boolean> {
  const info = String(await askRedis(url, ['INFO', 'replication']));
  return (info.match(/^slave\d+:.*state=online/gm) ?? []).length === count;
}
