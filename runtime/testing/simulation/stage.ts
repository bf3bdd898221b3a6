// What simulated runs are played on: a private Redis server with the functions of the product, told the time by us.

import { join } from 'node:path';
import { createHasher } from '../../shards/hash.ts';
import { startRedis } from '../redis-server.ts';
import { Executor } from './executor.ts';
import { loadVirtualLibrary } from './library.ts';

export interface Stage {
  readonly executor: Executor;
  close(): Promise<void>;
}

const SOCKET = 'socket';
// Redis orders what is hashed by a seed that each server draws for itself; what is packed stands as it was put in.
const PACKED = [
  '--hash-max-listpack-entries',
  '--hash-max-listpack-value',
  '--zset-max-listpack-entries',
  '--zset-max-listpack-value',
];
const PACKED_MAX = '1000000';

/** Starts the server, about 100 ms. */
export async function openStage(): Promise<Stage> {
  const packed = PACKED.flatMap((name) => [name, PACKED_MAX]);
  const redis = await startRedis({ args: ['--appendonly', 'no', '--unixsocket', SOCKET, ...packed] });
  const executor = await Executor.open(join(redis.dir, SOCKET));
  await loadVirtualLibrary(executor);
  await createHasher(); // Compiled now: WebAssembly is the one thing that a worker waits for outside of the simulation.
  return {
    executor,
    async close() {
      executor.close();
      await redis.stop();
    },
  };
}
