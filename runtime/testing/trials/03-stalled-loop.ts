// Trial 3: the event loop of an owner stands still for 5 s, as in a long computation: once where the watchdog ends the
// process, once where it is off, so that a deposed owner comes back to what it believed.

import { systemClock } from '../../clock.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { ClusterWorker } from '../cluster/cluster-worker.ts';
import { violationsOf } from './audit.ts';
import type { Subscriber } from './subscriber.ts';
import type { Trial } from './trial.ts';

const ROUNDS = 3;
const STALL_MS = 5_000; // Longer than the lease, 3 s, and than the silence after which a worker is dead.

export const stalledLoop: Trial = {
  number: 3,
  name: 'stalled-loop',
  fault: `a busy loop of ${STALL_MS / 1_000} s in a worker, with and without its watchdog`,
  expects:
    'others take over meanwhile; the watchdog ends the process, and without it no stale commit is written; I6 holds',
  seconds: 60,
  async run(stage) {
    const cluster = await stage.cluster();
    const { subscriber } = await stage.load(cluster);
    const takeovers: number[] = [];
    const rounds = stage.rounds(ROUNDS);
    for (let round = 1; round <= rounds; round += 1) {
      takeovers.push(...(await stalledWithout(cluster, subscriber)));
      const how = await stalledWith(cluster);
      stage.say(`round ${round} of ${rounds}: without a watchdog it came back, with one it ended with ${how}`);
    }
    const report = await stage.finish(cluster);
    stage.measure('stale commits', violationsOf(report, 'I6'), 'commits');
    stage.measure('FENCED', cluster.fenced, 'replies');
    stage.measureSpread('takeover of a shard, from the stall to the first step of its next owner', takeovers, 'ms');
  },
};

async function stalledWithout(cluster: Cluster, subscriber: Subscriber): Promise<readonly number[]> {
  const worker = cluster.worker('one.1');
  await worker.restart({ watchdog: false });
  await shardsOf(cluster, worker);
  await cluster.owned();
  const { shards } = await worker.counters();
  const stalledAt = systemClock.monotonic();
  await worker.stall(STALL_MS);
  const takeovers = await cluster.until('others work on its shards', () => subscriber.workedAfter(stalledAt, shards));
  await worker.counters(); // Its loop runs again.
  await cluster.owned();
  return takeovers;
}

async function stalledWith(cluster: Cluster): Promise<string> {
  const worker = cluster.worker('one.2');
  await shardsOf(cluster, worker);
  const ended = worker.ended();
  await worker.stall(STALL_MS);
  const how = await ended;
  await cluster.until('it is gone', () => worker.state === 'ended');
  await worker.start();
  await cluster.owned();
  return String(how);
}

function shardsOf(cluster: Cluster, worker: ClusterWorker): Promise<readonly number[]> {
  return cluster.until('it owns shards', async () => {
    const { shards } = await worker.counters();
    return shards.length > 0 && shards;
  });
}
