// The Redis of a running system: found once, and a private one started again on the same port and data when it dies.

import { join } from 'node:path';
import type { Settings } from '../actors/contract/settings.ts';
import { CliFailure, EXIT } from './failure.ts';
import { type ProvidedRedis, provideRedis } from './redis.ts';
import { pause } from './time.ts';

const RESTARTS_MAX = 20;
const RESTART_PAUSE_MS = 200;

export interface KeptRedis {
  readonly url: string;
  readonly kind: 'given' | 'private';
  /** Process id of the private server, as it is now. */
  readonly pid: number | undefined;
  stop(): Promise<void>;
}

/** Rejects with CliFailure, exit code 69, where there is none, and 78 where a private one cannot keep what is promised. `stop` ends a private server and leaves its data. */
export async function keepRedis(settings: Settings, say: (line: string) => void): Promise<KeptRedis> {
  if (!settings.redisUrlGiven && settings.durability.startsWith('replicas:'))
    throw new CliFailure(
      `EMBOSS_DURABILITY=${settings.durability} needs a Redis with replicas: give its REDIS_URL, or choose fsync or memory`,
      EXIT.settings,
    );
  const wish = {
    url: settings.redisUrlGiven ? settings.redisUrl : undefined,
    source: settings.redis,
    dir: join(settings.dataDir, 'redis'),
    appendfsync: settings.durability === 'fsync' ? 'always' : 'everysec',
    say,
  } as const;
  let current = await provideRedis(wish);
  let stopped = false;
  const { url, kind } = current;
  const watch = async (server: ProvidedRedis): Promise<void> => {
    for (let restarts = 1; ; restarts++) {
      const code = await server.exited;
      if (stopped) return;
      if (restarts > RESTARTS_MAX) return say('the private Redis died too often and stays down');
      say(`the private Redis ended (${code === null ? 'signal' : `exit code ${code}`}); starting it again on its data`);
      await pause(RESTART_PAUSE_MS);
      server = await provideRedis({ ...wish, port: Number(new URL(url).port) });
      current = server;
      if (stopped) return server.stop();
    }
  };
  if (kind === 'private') {
    void watch(current).catch((error: unknown) => say(`the private Redis cannot be started again: ${String(error)}`));
  }
  return {
    url,
    kind,
    get pid() {
      return current.pid;
    },
    async stop() {
      stopped = true;
      await current.stop();
    },
  };
}
