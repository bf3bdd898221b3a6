// Trial 6: the lock of a shard is deleted under its owner, or is somebody else's at once.

import { namespace } from '../../ids.ts';
import { shardKeys } from '../../redis/keys.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { askRedis } from '../redis-probe.ts';
import { violationsOf } from './audit.ts';
import type { Trial } from './trial.ts';

const ROUNDS = 20;
const STRANGER_MS = 3_000; // As long as a lease of the product.

export const lockLost: Trial = {
  number: 6,
  name: 'lock-lost',
  fault: 'DEL of the lock of a random shard under its owner; every second time a stranger holds it for 3 s',
  expects: 'the owner goes on until another claims; nothing is committed twice; I6 holds',
  seconds: 45,
  async run(stage) {
    const cluster = await stage.cluster();
    const { subscriber } = await stage.load(cluster);
    const rounds = stage.rounds(ROUNDS);
    let claims = 0;
    for (let round = 1; round <= rounds; round += 1) {
      const shard = Math.floor(stage.random() * cluster.shards);
      const { lock } = shardKeys(namespace('one'), shard);
      const before = subscriber.takeovers.length;
      const head = await headOf(cluster, shard);
      await askRedis(cluster.server().url, ['DEL', lock]);
      const isStrange = round % 2 === 0;
      if (isStrange) await askRedis(cluster.server().url, ['SET', lock, 'a stranger', 'PX', String(STRANGER_MS)]);
      await cluster.until('somebody holds it again', async () => {
        const value = await askRedis(cluster.server().url, ['GET', lock]);
        return typeof value === 'string' && value !== 'a stranger';
      });
      await cluster.until('the shard goes on', async () => (await headOf(cluster, shard)) > head);
      claims += subscriber.takeovers.length - before;
      stage.say(`round ${round} of ${rounds}: shard ${shard}${isStrange ? ', with a stranger' : ''}`);
    }
    const report = await stage.finish(cluster);
    stage.measure('double commits', violationsOf(report, 'I3', 'I6'), 'commits');
    stage.measure('claims that followed', claims, 'claims');
  },
};

const headOf = async (cluster: Cluster, shard: number): Promise<number> =>
  (await cluster.client().shardViews())[shard]?.head ?? 0;
