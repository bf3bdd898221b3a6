// Trial 22: the Redis server's memory is full: `maxmemory` is set just above what is in use, under load.

import { systemClock } from '../../clock.ts';
import { OperatingError } from '../../errors.ts';
import { actorId } from '../../ids.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { askRedis } from '../redis-probe.ts';
import { violationsOf } from './audit.ts';
import type { Stage, StageLoad } from './stage.ts';
import type { Trial } from './trial.ts';

const ROUNDS = 3;
const VICTIM = 'one.1'; // Started again when there is room: its start writes what it hosts.
const ROOM_BYTES = 128 * 1024; // A few seconds of load, and less than the server's buffers come and go.
const FULL_MS = 5_000; // Longer than a lease: ownership has to be kept without memory, too.

export const memoryFull: Trial = {
  number: 22,
  name: 'memory-full',
  fault: `maxmemory is set ${ROOM_BYTES / 1_024} KB above what is in use, and lifted after ${FULL_MS / 1_000} s of a full server; a worker is killed meanwhile`,
  expects:
    'calls are refused before they write anything, reads and claims work, all goes on when there is room; I1 to I8 hold',
  seconds: 60,
  async run(stage) {
    const cluster = await stage.cluster();
    const started = await stage.load(cluster);
    const refusals: number[] = [0];
    for (const worker of cluster.workers)
      worker
        .proxy(cluster.server())
        .tap((_, reply) => (refusals[0] = (refusals[0] ?? 0) + (reply.subarray(0, 8).includes('-OOM') ? 1 : 0)));
    const back: number[] = [];
    const rounds = stage.rounds(ROUNDS);
    for (let round = 1; round <= rounds; round += 1) {
      await full(stage, cluster, started);
      const liftedAt = systemClock.monotonic();
      const { answered } = started.load;
      await askRedis(cluster.server().url, ['CONFIG', 'SET', 'maxmemory', '0']);
      await cluster.worker(VICTIM).start();
      await cluster.until('answers come again', () => started.load.answered > answered + 20);
      back.push(systemClock.monotonic() - liftedAt);
      await cluster.owned();
      stage.say(`round ${round} of ${rounds}: full, and back after ${Math.round(back.at(-1) ?? 0)} ms`);
    }
    const report = await stage.finish(cluster);
    stage.measure('calls of workers refused with OOM', refusals[0] ?? 0, 'replies');
    stage.measure('partial commits', violationsOf(report, 'I2', 'I3', 'I8'), 'commits');
    stage.measureSpread('until answers come again when there is room', back, 'ms');
  },
};

/** Until callers are refused; then for longer than a lease, in which a worker dies and another claims its shards. */
async function full(stage: Stage, cluster: Cluster, { load }: StageLoad): Promise<void> {
  const { url } = cluster.server();
  const used = Number(/used_memory:(\d+)/.exec(String(await askRedis(url, ['INFO', 'memory'])))?.[1] ?? 0);
  const { rejected } = load.counts;
  await askRedis(url, ['CONFIG', 'SET', 'maxmemory', String(used + ROOM_BYTES)]);
  await cluster.until('callers are refused', () => load.counts.rejected > rejected);
  const fullSince = systemClock.monotonic();
  await expectRefused(stage, cluster);
  const [actor = actorId('one.c0')] = load.counting;
  stage.expect((await cluster.client().read(actor)) !== undefined, 'a full server does not let us read');
  const victim = cluster.worker(VICTIM);
  await victim.kill();
  await cluster.owned();
  await cluster.until('it has been full for longer than a lease', () => systemClock.monotonic() - fullSince > FULL_MS);
  await cluster.owned();
}

/** With nothing left, what a caller sends is refused by a name, and no part of it is done. */
async function expectRefused(stage: Stage, cluster: Cluster): Promise<void> {
  const client = cluster.client();
  const actor = actorId('one.refused');
  await cluster.until('a message is refused', async () => {
    const told = await client
      .send({ actor, event: { type: 'ADD', id: 'x' }, messageId: `refused-${systemClock.nonce(8)}` })
      .catch((error: unknown) => (error instanceof OperatingError ? error.code : String(error)));
    if (typeof told === 'string') stage.expect(told === 'redis-full', `a full server is called ${told}`);
    return typeof told === 'string';
  });
}
