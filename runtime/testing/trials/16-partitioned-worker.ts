// Trial 16: one worker is parted from Redis for three leases: first silently, with its sockets open and what it sent arriving
// when the partition heals, then with its connections cut.

import { pause, systemClock } from '../../clock.ts';
import { shortName } from '../../functions/library.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { ClusterWorker } from '../cluster/cluster-worker.ts';
import { violationsOf } from './audit.ts';
import type { Subscriber } from './subscriber.ts';
import type { Trial } from './trial.ts';

const ROUNDS = 2;
const LEASE_MS = 3_000; // The product's; see SHARD_LIMITS.
const PARTED_MS = 3 * LEASE_MS;

export const partitionedWorker: Trial = {
  number: 16,
  name: 'partitioned-worker',
  fault: 'one worker is parted from Redis for three leases, silently and by a cut, and comes back',
  expects: 'the others take over, what it sent arrives late and is FENCED, I6 holds',
  seconds: 60,
  async run(stage) {
    const cluster = await stage.cluster();
    const { subscriber } = await stage.load(cluster);
    const silent: number[] = [];
    const cut: number[] = [];
    const rounds = stage.rounds(ROUNDS);
    for (let round = 1; round <= rounds; round += 1) {
      silent.push(...(await parted(cluster, subscriber, (worker) => fallsSilent(cluster, worker))));
      cut.push(...(await parted(cluster, subscriber, async (worker) => worker.cut())));
      stage.say(`round ${round} of ${rounds}`);
    }
    const report = await stage.finish(cluster);
    stage.measure('FENCED', cluster.fenced, 'replies');
    stage.expect(cluster.fenced >= rounds, `${cluster.fenced} replies FENCED, ${rounds} commits arrived late`);
    stage.measure('commits under a dead token', violationsOf(report, 'I6'), 'commits');
    stage.measureSpread('takeover of a shard after a silent partition', silent, 'ms');
    stage.measureSpread('takeover of a shard after a cut', cut, 'ms');
  },
};

async function parted(
  cluster: Cluster,
  subscriber: Subscriber,
  part: (worker: ClusterWorker) => Promise<void>,
): Promise<readonly number[]> {
  const worker = cluster.worker('one.1');
  const { shards } = await worker.counters();
  await part(worker);
  const partedAt = systemClock.monotonic();
  const takeovers = await cluster.until('others work on its shards', () => subscriber.workedAfter(partedAt, shards));
  await pause(systemClock, PARTED_MS - (systemClock.monotonic() - partedAt));
  worker.heal();
  await cluster.until('it owns shards again', async () => (await cluster.shardsOf(worker.id)).length > 0);
  await cluster.owned();
  return takeovers;
}

/** With a commit on its way, which arrives when the partition heals. */
async function fallsSilent(cluster: Cluster, worker: ClusterWorker): Promise<void> {
  const isCommit = ([, name = '']: readonly string[]): boolean => shortName(name) === 'commit';
  await worker
    .proxy(cluster.server())
    .addRule({ of: isCommit, times: 1, fault: { kind: 'half-open' } })
    .happened();
  worker.halfOpen();
}
