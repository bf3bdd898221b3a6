// Trial 4: all workers are frozen for 10 s while messages go on being accepted, and thaw at once.

import { systemClock } from '../../clock.ts';
import { actorId } from '../../ids.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { Stage } from './stage.ts';
import type { Trial } from './trial.ts';

const ROUNDS = 3;
const FROZEN_MS = 10_000;
const BACKLOG = 3_000; // Of each round.
const ACTORS = 100;
const AT_ONCE = 100;
const DRAINED_BELOW = 20; // What the load itself keeps on its way.

export const allFrozen: Trial = {
  number: 4,
  name: 'all-frozen',
  fault: `SIGSTOP to all workers for ${FROZEN_MS / 1_000} s while ${BACKLOG} messages are accepted, then SIGCONT to all at once`,
  expects: 'all of it is handled, once and in order; I1 to I6 hold',
  seconds: 50,
  async run(stage) {
    const cluster = await stage.cluster();
    await stage.load(cluster);
    const drains: number[] = [];
    const rounds = stage.rounds(ROUNDS);
    for (let round = 1; round <= rounds; round += 1) {
      const thawAt = systemClock.monotonic() + FROZEN_MS;
      await Promise.all(cluster.workers.map((worker) => worker.freeze()));
      await accept(cluster, round);
      await cluster.until('the time is up', () => systemClock.monotonic() > thawAt, { deadlineMs: 2 * FROZEN_MS });
      const thawedAt = systemClock.monotonic();
      for (const worker of cluster.workers) worker.thaw();
      await cluster.until('the backlog is drained', async () => (await lag(cluster)) < DRAINED_BELOW);
      drains.push(systemClock.monotonic() - thawedAt);
      await cluster.owned();
      stage.say(`round ${round} of ${rounds}: drained in ${Math.round(drains.at(-1) ?? 0)} ms`);
    }
    await stage.finish(cluster);
    await compare(stage, cluster, rounds);
    stage.measureSpread(`time to drain a backlog of ${BACKLOG}, from the thaw`, drains, 'ms');
  },
};

const backlogOf = (round: number): readonly { readonly actor: string; readonly id: string }[] =>
  Array.from({ length: BACKLOG }, (_, i) => ({ actor: `one.b${i % ACTORS}`, id: `${round}-${i}` }));

/** Each is durable when this resolves. In order per actor. */
async function accept(cluster: Cluster, round: number): Promise<void> {
  const client = cluster.client();
  const messages = backlogOf(round);
  for (let at = 0; at < messages.length; at += AT_ONCE) {
    const sent = messages.slice(at, at + AT_ONCE).map(({ actor, id }) =>
      client.send({
        actor: actorId(actor),
        event: { type: 'ADD', id },
        messageId: id,
        create: { machine: 'tally', input: {} },
      }),
    );
    for (const { kind } of await Promise.all(sent))
      if (kind !== 'accepted') throw new Error(`a message of the backlog was not accepted: ${kind}`);
  }
}

const lag = async (cluster: Cluster): Promise<number> =>
  (await cluster.client().shardViews()).reduce((sum, view) => sum + view.lag, 0);

async function compare(stage: Stage, cluster: Cluster, rounds: number): Promise<void> {
  const expected = new Map<string, string[]>();
  for (let round = 1; round <= rounds; round += 1)
    for (const { actor, id } of backlogOf(round)) expected.set(actor, [...(expected.get(actor) ?? []), id]);
  for (const [actor, ids] of expected) {
    const seen = (await cluster.client().read(actorId(actor)))?.context.seen;
    stage.expect(
      JSON.stringify(seen) === JSON.stringify(ids),
      `I1: ${actor} did not apply its backlog once and in order`,
    );
  }
}
