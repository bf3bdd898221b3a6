// Trial 7: lock masters stand still or die, a minority of them and a majority, where there are 1, 3 and 5.

import { systemClock } from '../../clock.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { Stage, StageLoad } from './stage.ts';
import type { Trial } from './trial.ts';

const MASTERS = [3, 5, 1] as const;
const ROUNDS = 2; // With each number of masters.
const STILL_MS = 1_500; // Nothing committed for so long: it pauses. The load commits every few milliseconds.

export const lockMasters: Trial = {
  number: 7,
  name: 'lock-masters',
  fault:
    'of 3 and of 5 lock masters a minority is frozen and a worker killed; of 1, 3 and 5 a majority is killed and comes back',
  expects: 'takeovers go on without a minority; without a majority all pauses and goes on later; I1 to I8 hold',
  seconds: 120,
  async run(stage) {
    const takeovers: number[] = [];
    const pauses: number[] = [];
    const back: number[] = [];
    for (const masters of MASTERS) {
      const cluster = await stage.cluster({ lockMasters: masters });
      const started = await stage.load(cluster);
      const rounds = stage.rounds(ROUNDS);
      for (let round = 1; round <= rounds; round += 1) {
        if (masters > 1) takeovers.push(...(await withoutMinority(cluster, started)));
        const told = await withoutMajority(stage, cluster);
        pauses.push(told.pausedMs);
        back.push(told.backMs);
        stage.say(`${masters} masters, round ${round} of ${rounds}: paused for ${Math.round(told.pausedMs)} ms`);
      }
      await stage.finish(cluster);
      await cluster.close();
    }
    stage.measureSpread('takeover of a shard without a minority of masters', takeovers, 'ms');
    stage.measureSpread('pause without a majority, from its death to the first commit after its return', pauses, 'ms');
    stage.measureSpread('from the return of the majority to the first commit', back, 'ms');
  },
};

/** A worker is killed while a minority stands still: its shards are locked by others, or by its next process. */
async function withoutMinority(cluster: Cluster, { subscriber }: StageLoad): Promise<readonly number[]> {
  const frozen = cluster.lockServers.slice(0, Math.floor(cluster.lockServers.length / 2));
  await Promise.all(frozen.map((server) => server.freeze()));
  const victim = cluster.worker('one.1');
  const { shards } = await victim.counters();
  const killedAt = systemClock.monotonic();
  await victim.kill();
  const worked = (): readonly number[] | undefined => subscriber.workedAfter(killedAt, shards);
  const takeovers = await cluster.until('others work on its shards', worked);
  for (const server of frozen) server.thaw();
  await victim.start();
  await cluster.owned();
  return takeovers;
}

async function withoutMajority(
  stage: Stage,
  cluster: Cluster,
): Promise<{ readonly pausedMs: number; readonly backMs: number }> {
  const { lockServers } = cluster;
  const dead = lockServers.slice(-(Math.floor(lockServers.length / 2) + 1));
  const diedAt = systemClock.monotonic();
  await Promise.all(dead.map((server) => server.kill()));
  let heads = await headsOf(cluster);
  let since = systemClock.monotonic();
  await cluster.until('nothing is committed any more', async () => {
    const now = await headsOf(cluster);
    if (now !== heads) since = systemClock.monotonic();
    heads = now;
    return systemClock.monotonic() - since > STILL_MS;
  });
  stage.say(`without a majority of ${lockServers.length} all pauses`);
  const backAt = systemClock.monotonic();
  await Promise.all(dead.map((server) => server.start()));
  await cluster.until('commits go on', async () => (await headsOf(cluster)) !== heads);
  const goesOnAt = systemClock.monotonic();
  await cluster.owned();
  return { pausedMs: goesOnAt - diedAt, backMs: goesOnAt - backAt };
}

const headsOf = async (cluster: Cluster): Promise<string> =>
  (await cluster.client().shardViews()).map(({ head }) => head).join();
