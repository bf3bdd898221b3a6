// The server of every bench: a private one, durable as in production, without snapshots in between.

import { type RedisServer, startRedis } from '../runtime/testing/index.ts';

/** Append-only file on, `appendfsync everysec`. The caller stops it. */
export const startBenchRedis = (): Promise<RedisServer> =>
  startRedis({ args: ['--appendonly', 'yes', '--appendfsync', 'everysec', '--save', ''] });
