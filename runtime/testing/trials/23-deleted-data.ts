// Trial 23: an inbox stream, a journal, and then everything is deleted from Redis while the system works.

import type { Client, ShardView } from '../../client.ts';
import { pause, systemClock } from '../../clock.ts';
import { OperatingError, OutcomeUnknown } from '../../errors.ts';
import { type ActorId, actorId, namespace } from '../../ids.ts';
import { shardKeys } from '../../redis/keys.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { ClusterWorker } from '../cluster/cluster-worker.ts';
import { askRedis } from '../redis-probe.ts';
import { waitUntil } from '../waiting.ts';
import type { Stage } from './stage.ts';
import type { Trial } from './trial.ts';

const FEW_ACTORS = 6; // So that some of the 16 shards have none.
const WATCHED_MS = 3_000;
const PROBED_EVERY_MS = 10;
const PROBES_MAX = 6_000; // A minute and more: a trial that broke off ends all the same.
const NOTICED_MS_MAX = 15_000; // A look every 5 s, and a busy machine.

export const deletedData: Trial = {
  number: 23,
  name: 'deleted-data',
  fault: 'DEL of an inbox, DEL of a journal, then FLUSHALL, under load',
  expects:
    'nothing is accepted any more; the shard stays closed and its worker is not healthy; after FLUSHALL every worker ends and clients are not ready; nothing is made anew',
  seconds: 45,
  async run(stage) {
    await streamsDeleted(stage);
    await allDeleted(stage);
  },
};

/**
 * Of shards without messages, so that what was deleted can be put back as it was: the others go on, and in the end everything
 * holds.
 */
async function streamsDeleted(stage: Stage): Promise<void> {
  const cluster = await stage.cluster();
  await stage.load(cluster, { actors: FEW_ACTORS });
  const { url } = cluster.server();
  for (const stream of ['inbox', 'journal'] as const) {
    const { shard, worker } = await aShard(cluster, (view) => view.actors === 0);
    const keys = shardKeys(namespace('one'), shard);
    const hurt = () => askRedis(url, ['RENAME', keys[stream], `${keys[stream]}:kept`]);
    const what = `${stream} of an idle shard deleted`;
    const begun = (): Probe | undefined => (stream === 'inbox' ? new Probe(cluster, [shard]) : undefined);
    const probe = await noticed(stage, worker, what, hurt, begun);
    await staysClosed(stage, cluster, shard, stream);
    await probe?.end(stage, what);
    await askRedis(url, ['RENAME', `${keys[stream]}:kept`, keys[stream]]);
    await cluster.until('the worker is healthy again', async () => (await worker.counters()).healthy);
    await cluster.owned();
  }
  // Readers are told that the journal they follow is not there; nothing that was acknowledged is missing.
  await stage.finish(cluster, { lossAllowed: [{ at: stage.recorder.now(), sinceMs: 0 }] });
  await cluster.close();
}

/**
 * Callers of shards that have lost their data, one send after the other from when it is made. *False healthy* is how long
 * one of them was still told that something was accepted, or that it had been before.
 */
class Probe {
  readonly #begun = systemClock.monotonic();
  readonly #shards: readonly number[];
  readonly #callers: readonly Promise<void>[];
  #last = this.#begun;
  #sends = 0;
  #refused = 0;
  #ended = false;

  constructor(cluster: Cluster, shards: readonly number[]) {
    const client = cluster.client();
    this.#shards = shards;
    this.#callers = shards.map((shard) => this.#call(client, actorIn(client, shard)));
  }

  /** Judges what they were told. */
  async end(stage: Stage, what: string): Promise<void> {
    this.#ended = true;
    await Promise.all(this.#callers);
    const ms = this.#last - this.#begun;
    stage.measure(`false healthy, ${what}`, ms, 'ms');
    stage.measure(`sends refused, ${what}`, this.#refused, 'commands');
    stage.expect(ms === 0, `something was accepted ${Math.ceil(ms)} ms after the loss: ${what}`);
    stage.expect(
      this.#refused >= this.#shards.length,
      `only ${this.#refused} of ${this.#sends} sends were refused: ${what}`,
    );
  }

  async #call(client: Client, actor: ActorId): Promise<void> {
    for (let n = 0; n < PROBES_MAX && !this.#ended; n += 1) {
      this.#sends += 1;
      const command = { actor, event: { type: 'ADD', id: `${n}` }, messageId: `probe-${n}` };
      const told = await client.send({ ...command, create: { machine: 'tally', input: {} } }).catch(lost);
      if (told === undefined) this.#refused += 1;
      else if (told !== 'unknown') this.#last = systemClock.monotonic();
      await pause(systemClock, PROBED_EVERY_MS);
    }
  }
}

/** Undefined: refused since the data are gone. Whatever else went wrong, nobody was told *accepted*. */
function lost(error: unknown): 'unknown' | undefined {
  if (error instanceof OperatingError) return error.code === 'namespace-lost' ? undefined : 'unknown';
  if (error instanceof OutcomeUnknown) return 'unknown';
  throw error;
}

/** An actor that nobody else commands. */
function actorIn(client: Client, shard: number): ActorId {
  for (let n = 0; ; n += 1) {
    const actor = actorId(`one.probe${n}`);
    if (client.shardOf(actor) === shard) return actor;
  }
}

/** Measures how long the worker goes on calling itself healthy. `begun` is made when the hurt is done. */
async function noticed(
  stage: Stage,
  worker: ClusterWorker,
  what: string,
  hurt: () => Promise<unknown>,
  begun: () => Probe | undefined,
): Promise<Probe | undefined> {
  const hurtAt = systemClock.monotonic();
  await hurt();
  const probe = begun();
  await waitUntil('its worker is not healthy', async () => !(await worker.counters()).healthy, {
    deadlineMs: NOTICED_MS_MAX,
  });
  stage.measure(`until its owner noticed, ${what}`, systemClock.monotonic() - hurtAt, 'ms');
  const said = worker.lines.some((line) => line.includes('stays closed'));
  stage.expect(said, `${worker.id} does not say why its shard stays closed: ${what}`);
  return probe;
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
  const what = 'inbox of a busy shard deleted';
  const hurt = () => askRedis(cluster.server().url, ['DEL', inbox]);
  const probe = await noticed(stage, worker, what, hurt, () => new Probe(cluster, [shard]));
  await staysClosed(stage, cluster, shard, 'inbox');
  await probe?.end(stage, what);
  const ends = cluster.workers.map((worker) => worker.ended());
  const deletedAt = systemClock.monotonic();
  await askRedis(cluster.server().url, ['FLUSHALL']);
  const everywhere = new Probe(
    cluster,
    Array.from({ length: cluster.client().shards }, (_, index) => index),
  );
  const answered = load.answered;
  const hows = await Promise.all(ends);
  stage.measure('until the last worker has ended, after FLUSHALL', systemClock.monotonic() - deletedAt, 'ms');
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
  await everywhere.end(stage, 'FLUSHALL');
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
