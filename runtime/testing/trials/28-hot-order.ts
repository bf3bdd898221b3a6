// Trial 28: one actor gets half of all commands, then one shard does. The others must not wait for them.

import { pause, systemClock } from '../../clock.ts';
import { type ActorId, actorId } from '../../ids.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { violationsOf } from './audit.ts';
import type { LoadClient } from './load.ts';
import type { Stage, StageLoad } from './stage.ts';
import type { Trial } from './trial.ts';

const PHASE_MS = 12_000;
const CLIENTS = 12; // That command the hot actors, each as soon as it has its answer.
const HOT_ACTORS = 20; // Of the hot shard.
const ASK = { timeoutMs: 10_000 };

export const hotOrder: Trial = {
  number: 28,
  name: 'hot-order',
  fault: `half of all commands go to one actor, then to one shard, ${PHASE_MS / 1_000} s each`,
  expects: 'the others are answered as before, I3 holds',
  seconds: 55,
  async run(stage) {
    const cluster = await stage.cluster();
    // Before the load, and each has asked once: then all their connections are there, and none is one that stayed behind.
    const hot = actorId('one.hot');
    const clients: LoadClient[] = [];
    for (let i = 0; i < CLIENTS; i += 1) {
      const client = stage.recorder.process(`hot-${i}`, await cluster.connect('one'));
      await client.ask(added(hot, `first-${i}`), ASK);
      clients.push(client);
    }
    const started = await stage.load(cluster);
    const { load } = started;

    await pause(systemClock, PHASE_MS);
    stage.measureSpread('the others, with nothing hot', load.latencies.slice(), 'ms');
    await phase(stage, started, clients, 'one hot actor', [hot]);
    await phase(stage, started, clients, 'one hot shard', actorsOf(cluster, cluster.client().shardOf(hot)));
    const report = await stage.finish(cluster);
    stage.measure('gaps and repeats', violationsOf(report, 'I3'), 'versions');
    stage.expect(stage.counts.rejected === 0, `${stage.counts.rejected} commands of the others were rejected`);
  },
};

const added = (actor: ActorId, id: string) => ({
  actor,
  event: { type: 'ADD', id },
  messageId: id,
  create: { machine: 'tally', input: {} },
});

/** Actors of one shard; what the name adds to them decides the shard. */
function actorsOf(cluster: Cluster, shard: number): readonly ActorId[] {
  const found: ActorId[] = [];
  for (let i = 0; found.length < HOT_ACTORS; i += 1) {
    const actor = actorId(`one.s${i}`);
    if (cluster.client().shardOf(actor) === shard) found.push(actor);
  }
  return found;
}

async function phase(
  stage: Stage,
  { load }: StageLoad,
  clients: readonly LoadClient[],
  name: string,
  actors: readonly ActorId[],
): Promise<void> {
  const until = systemClock.monotonic() + PHASE_MS;
  const [before, first] = [load.answered, load.latencies.length];
  const others = (): number => load.answered - before;
  const hot: number[] = [];
  let asked = 0;
  const loop = async (client: LoadClient): Promise<void> => {
    while (systemClock.monotonic() < until) {
      if (asked > others()) {
        await pause(systemClock, 2); // Half of all, not more.
        continue;
      }
      asked += 1;
      const id = `${name.replaceAll(' ', '-')}-${asked}`;
      const actor = actors[asked % actors.length] as ActorId; // Of a list that is not empty.
      const begun = systemClock.monotonic();
      const told = await client.ask(added(actor, id), ASK);
      hot.push(systemClock.monotonic() - begun);
      stage.expect(told.kind === 'answered', `${actor} answered ${JSON.stringify(told)}`);
    }
  };
  await Promise.all(clients.map(loop));
  stage.measure(`${name}, its share`, (100 * asked) / (asked + others()), '%');
  stage.measureSpread(`the others, beside ${name}`, load.latencies.slice(first), 'ms');
  stage.measureSpread(`${name} itself`, hot, 'ms');
  stage.expect(
    asked > 0.8 * others(),
    `${name}: ${asked} of ${asked + others()} commands are no half: nothing was tried`,
  );
  stage.expect(load.latencies.length > first, `${name}: the others got no answer`);
}
