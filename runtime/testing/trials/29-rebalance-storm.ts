// Trial 29: a worker comes or goes every second.

import { pause, systemClock } from '../../clock.ts';
import { pick } from '../oracle.ts';
import { violationsOf } from './audit.ts';
import type { Trial } from './trial.ts';

const ROUNDS = 60;
const EVERY_MS = 1_000;
const WORKERS_MIN = 2;
const WORKERS_MAX = 5;

export const rebalanceStorm: Trial = {
  number: 29,
  name: 'rebalance-storm',
  fault: `a worker is added or removed every ${EVERY_MS / 1_000} s, ${ROUNDS} times, between ${WORKERS_MIN} and ${WORKERS_MAX}`,
  expects: 'each shard has one committing owner at most; I6 holds',
  seconds: 75,
  async run(stage) {
    const cluster = await stage.cluster();
    const { subscriber } = await stage.load(cluster);
    const before = subscriber.takeovers.length;
    const rounds = stage.rounds(ROUNDS);
    for (let round = 1; round <= rounds; round += 1) {
      const next = systemClock.monotonic() + EVERY_MS;
      const { length } = cluster.workers;
      const grows = length <= WORKERS_MIN || (length < WORKERS_MAX && stage.random() < 0.5);
      if (grows) await cluster.add();
      else {
        const how = await cluster.remove(pick(stage.random, cluster.workers).id);
        stage.expect(how === 0, `L4: a worker that was asked to stop ended with ${how}`);
      }
      if (round % 10 === 0) stage.say(`round ${round} of ${rounds}: ${cluster.workers.length} workers`);
      await pause(systemClock, next - systemClock.monotonic());
    }
    await cluster.owned();
    const moved = subscriber.takeovers.length - before;
    const report = await stage.finish(cluster);
    stage.measure('moved shards', moved, 'claims');
    stage.measure('two owners at once', violationsOf(report, 'I6'), 'commits');
    stage.measureSpread('a shard without owner, from its release to the next claim', subscriber.ownerlessMs, 'ms');
  },
};
