// Trial 14: the Redis server stands still for 10 s with all sockets open. Every promise is settled meanwhile.

import { pause, systemClock } from '../../clock.ts';
import type { Trial } from './trial.ts';

const ROUNDS = 2;
const FROZEN_MS = 10_000;
const PENDING_MS_MAX = 5_000;

export const frozenRedis: Trial = {
  number: 14,
  name: 'frozen-redis',
  fault: `SIGSTOP to the Redis server for ${FROZEN_MS / 1_000} s, then SIGCONT`,
  expects: `no promise of a client is pending for more than ${PENDING_MS_MAX / 1_000} s; what is executed late is told once`,
  seconds: 45,
  async run(stage) {
    const cluster = await stage.cluster();
    const { load } = await stage.load(cluster);
    const rounds = stage.rounds(ROUNDS);
    for (let round = 1; round <= rounds; round += 1) {
      await cluster.server().freeze();
      await pause(systemClock, FROZEN_MS);
      const pending = load.longestPendingMs;
      cluster.server().thaw();
      const answered = load.answered;
      await cluster.until('answers come again', () => load.answered > answered + 20);
      await cluster.owned();
      stage.say(`round ${round} of ${rounds}: nothing was pending for more than ${Math.round(pending)} ms`);
    }
    await stage.finish(cluster);
    const longest = load.longestPendingMs;
    stage.expect(longest <= PENDING_MS_MAX, `a promise was pending for ${Math.round(longest)} ms`);
    stage.measure('longest pending promise', longest, 'ms');
    stage.measure('promises pending for more than 5 s', longest > PENDING_MS_MAX ? 1 : 0, 'promises at least');
  },
};
