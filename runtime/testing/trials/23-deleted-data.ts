// Trial 23: an inbox stream, a journal, and then everything is deleted from Redis while the system works.

import type { ShardView } from '../../client.ts';
import { pause, systemClock } from '../../clock.ts';
import { OperatingError } from '../../errors.ts';
import { namespace } from '../../ids.ts';
import { shardKeys } from '../../redis/keys.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { ClusterWorker } from '../cluster/cluster-worker.ts';
import { askRedis } from '../redis-probe.ts';
import { waitUntil } from '../waiting.ts';
import type { Stage } from './stage.ts';
import type { Trial } from './trial.ts';

const FEW_ACTORS = 6; // So that some of the 16 shards have none.
const WATCHED_MS = 3_000;
const NOTICED_MS_MAX = 15_000; // A look every 5 s, and a busy machine.

export const deletedData: Trial = {
  number: 23,
  name: 'deleted-data',
  fault: 'DEL of an inbox, DEL of a journal, then FLUSHALL, under load',
  expects:
    'the shard stays closed and its worker is not healthy; after FLUSHALL every worker ends and clients are not ready; nothing is made anew',
  seconds: 45,
  async run(stage) {
    await streamsDeleted(stage);
    await allDeleted(stage);
  },
};

/**
 * Of shards without messages, so that what was deleted can be put back as it was: the others go on, and in the end everything
 * holds. What is accepted for a shard whose inbox is gone is lost with it; see docs/operating.md.
 */
async function streamsDeleted(stage: Stage): Promise<void> {
  const cluster = await stage.cluster();
  await stage.load(cluster, { actors: FEW_ACTORS });
  const { url } = cluster.server();
  for (const stream of ['inbox', 'journal'] as const) {
    const { shard, worker } = await aShard(cluster, (view) => view.actors === 0);
    const keys = shardKeys(namespace('one'), shard);
    await noticed(stage, worker, `${stream} of an idle shard deleted`, () =>
      askRedis(url, ['RENAME', keys[stream], `${keys[stream]}:kept`]),
    );
    await staysClosed(stage, cluster, shard, stream);
    await askRedis(url, ['RENAME', `${keys[stream]}:kept`, keys[stream]]);
    await cluster.until('the worker is healthy again', async () => (await worker.counters()).healthy);
    await cluster.owned();
  }
  // Readers are told that the journal they follow is not there; nothing that was acknowledged is missing.
  await stage.finish(cluster, { lossAllowed: [{ at: stage.recorder.now(), sinceMs: 0 }] });
  await cluster.close();
}

/** Measures how long the worker goes on calling itself healthy. */
async function noticed(stage: Stage, worker: ClusterWorker, what: string, hurt: () => Promise<unknown>): Promise<void> {
  const hurtAt = systemClock.monotonic();
  await hurt();
  await waitUntil('its worker is not healthy', async () => !(await worker.counters()).healthy, {
    deadlineMs: NOTICED_MS_MAX,
  });
  stage.measure(`false healthy, ${what}`, systemClock.monotonic() - hurtAt, 'ms');
  const said = worker.lines.some((line) => line.includes('stays closed'));
  stage.expect(said, `${worker.id} does not say why its shard stays closed: ${what}`);
}

async function staysClosed(stage: Stage, cluster: Cluster, shard: number, stream: string): Promise<void> {
  const tokenOf = async (): Promise<string | undefined> => (await cluster.client().shardViews())[shard]?.token;
  const token = await tokenOf();
  await pause(systemClock, WATCHED_MS);
  stage.expect((await tokenOf()) === token, `shard ${shard} was claimed although its ${stream} is gone`);
}

async function allDeleted(stage: Stage): Promise<void> {
  const cluster = await stage.cluster();
  const { load } = await stage.load(cluster);
  const { shard, worker } = await aShard(cluster, (view) => view.head > 10);
  const { inbox } = shardKeys(namespace('one'), shard);
  await noticed(stage, worker, 'inbox of a busy shard deleted', () => askRedis(cluster.server().url, ['DEL', inbox]));
  await staysClosed(stage, cluster, shard, 'inbox');
  const ends = cluster.workers.map((worker) => worker.ended());
  const deletedAt = systemClock.monotonic();
  await askRedis(cluster.server().url, ['FLUSHALL']);
  const answered = load.answered;
  const hows = await Promise.all(ends);
  stage.measure(
    'false healthy after FLUSHALL, until the last worker has ended',
    systemClock.monotonic() - deletedAt,
    'ms',
  );
  stage.expect(
    cluster.workers.every(({ lines }) =>
      lines.some((line) => line.includes('namespace-lost') || line.includes('is gone')),
    ),
    `workers ended with ${hows.join(', ')} and did not say why`,
  );
  const ready = await cluster
    .client()
    .ping()
    .then(() => 'ready')
    .catch((error: unknown) => (error instanceof OperatingError ? error.code : String(error)));
  stage.expect(ready === 'namespace-lost', `a client of an emptied namespace says: ${ready}`);
  const claims = (await cluster.client().shardViews()).filter(({ token }) => token !== undefined);
  stage.measure('shards made anew', claims.length, 'shards');
  stage.expect(claims.length === 0, `${claims.length} shards were claimed in the emptied namespace`);
  stage.measure('commands answered after FLUSHALL', load.answered - answered, 'commands');
}

/** A shard of this kind and the worker that owns it. */
async function aShard(
  cluster: Cluster,
  isMeant: (view: ShardView) => boolean,
): Promise<{ readonly shard: number; readonly worker: ClusterWorker }> {
  return await cluster.until('there is such a shard', async () => {
    const view = (await cluster.client().shardViews()).find((one) => one.owner !== undefined && isMeant(one));
    return view?.owner !== undefined && { shard: view.shard, worker: cluster.worker(view.owner) };
  });
}
