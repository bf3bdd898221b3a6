// Trial 1: workers are killed one after the other, at random, and started again under their ids.

import { pause, systemClock } from '../../clock.ts';
import { pick } from '../oracle.ts';
import { violationsOf } from './audit.ts';
import type { Trial } from './trial.ts';

const ROUNDS = 30;
const EVERY_MS = 2_000; // A takeover under the product's limits takes about one second, so the next kill meets a whole cluster.

export const killedWorkers: Trial = {
  number: 1,
  name: 'killed-workers',
  fault: `SIGKILL to a random worker every ${EVERY_MS / 1_000} s, ${ROUNDS} times; each is started again under its id`,
  expects: 'no commit is lost, I1 to I7 hold',
  seconds: 80,
  async run(stage) {
    const cluster = await stage.cluster();
    const { subscriber } = await stage.load(cluster);
    const recoveries: number[] = [];
    const rounds = stage.rounds(ROUNDS);
    for (let round = 1; round <= rounds; round += 1) {
      const next = systemClock.monotonic() + EVERY_MS;
      const victim = pick(stage.random, cluster.workers);
      const lost = (await victim.counters()).shards;
      const killedAt = systemClock.monotonic();
      await victim.kill();
      await victim.start();
      const back = (): readonly number[] | undefined => subscriber.workedAfter(killedAt, lost);
      recoveries.push(...(await cluster.until('each of its shards is at work again', back)));
      stage.say(`round ${round} of ${rounds}: ${victim.id} with ${lost.length} shards`);
      await pause(systemClock, next - systemClock.monotonic());
    }
    const report = await stage.finish(cluster);
    stage.measure('kills', rounds, 'kills');
    stage.measure('acknowledged commands lost', violationsOf(report, 'I1'), 'commands');
    stage.measureSpread('recovery of a shard, from the kill to the first step of its next owner', recoveries, 'ms');
  },
};
