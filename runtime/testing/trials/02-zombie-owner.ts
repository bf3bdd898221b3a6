// Trial 2: an owner is frozen for three leases at the worst moment, another takes over, and it thaws: once with its next
// commit built and not sent, once while its blocked read waits at the server.

import { systemClock } from '../../clock.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { ClusterWorker } from '../cluster/cluster-worker.ts';
import { askRedis } from '../redis-probe.ts';
import { violationsOf } from './audit.ts';
import type { Stage } from './stage.ts';
import type { Trial } from './trial.ts';

const ROUNDS = 3;
const LEASE_MS = 3_000; // The product's; see SHARD_LIMITS.
const FROZEN_MS = 3 * LEASE_MS;
const WARM_COMMITS = 20;

export const zombieOwner: Trial = {
  number: 2,
  name: 'zombie-owner',
  fault: 'SIGSTOP to an owner for three leases, before its commit and inside its blocked read, then SIGCONT',
  expects: 'the next owner commits, the zombie gets FENCED and writes nothing, I6 holds',
  seconds: 75,
  async run(stage) {
    const cluster = await stage.cluster();
    await stage.load(cluster);
    const rounds = stage.rounds(ROUNDS);
    for (let round = 1; round <= rounds; round += 1) {
      await frozenBeforeCommit(stage, cluster);
      await frozenInRead(cluster);
      stage.say(`round ${round} of ${rounds}: FENCED ${cluster.fenced} times so far`);
    }
    const report = await stage.finish(cluster);
    stage.measure('FENCED', cluster.fenced, 'replies');
    stage.measure('commits under a dead token', violationsOf(report, 'I6'), 'commits');
    stage.expect(cluster.fenced >= 1, 'no zombie was fenced: nothing was tried');
  },
};

/** A worker that is started to freeze at the crash point, after it has committed for a while. Its next write must be fenced. */
async function frozenBeforeCommit(stage: Stage, cluster: Cluster): Promise<void> {
  const worker = cluster.worker('one.1');
  const before = worker.fenced;
  await worker.stop();
  const skip = WARM_COMMITS + Math.floor(stage.random() * 100);
  worker.launch({ crash: { at: 'before-commit', act: 'stop', skip } });
  await cluster.until('it stands still before its commit', () => worker.state === 'frozen');
  await thawedLater(cluster, worker);
  await cluster.until('the commit that it had built is fenced', () => worker.fenced > before);
}

/**
 * The server says whether its read is blocked there, and has something for it later: what it is given then, it hears when it
 * thaws. Nothing of its own needs to be fenced; it may find out by its lease alone.
 */
async function frozenInRead(cluster: Cluster): Promise<void> {
  const worker = cluster.worker('one.2');
  const isBlocked = async (): Promise<boolean> =>
    String(await askRedis(cluster.server().url, ['CLIENT', 'LIST']))
      .split('\n')
      .some((line) => line.includes(` name=emboss-${worker.id}-reader `) && / flags=\S*b/.test(line));
  await cluster.until('it stands still in its blocked read', async () => {
    await worker.freeze();
    if (await isBlocked()) return true;
    worker.thaw(); // Between two reads, or it was given something at once.
    return false;
  });
  await thawedLater(cluster, worker);
}

/** Others own everything meanwhile; then it thaws, and is given shards again. */
async function thawedLater(cluster: Cluster, worker: ClusterWorker): Promise<void> {
  const until = systemClock.monotonic() + FROZEN_MS;
  await cluster.owned(); // By workers that run.
  await cluster.until('three leases have passed', () => systemClock.monotonic() > until);
  worker.thaw();
  await cluster.until('it owns shards again', async () => (await cluster.shardsOf(worker.id)).length > 0);
  await cluster.owned();
}
