// Where no Redis server is installed, programs that start their own find the fetched one through PATH, like any other.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Failure, root } from './ground.mjs';

/** What to add to the environment; fetches the server where it must. Needs the build. */
export async function redisOnPath() {
  const { serverOnPath } = await import(pathToFileURL(join(root, 'build/cli/redis.js')).href);
  mkdirSync(join(root, '.cache'), { recursive: true });
  return serverOnPath().catch((error) => {
    // Its words say what to do; a stack would hide them.
    throw error.exitCode === undefined ? error : new Failure(error.message, error.exitCode);
  });
}
