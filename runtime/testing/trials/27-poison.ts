// Trial 27: messages and timers that no process survives, or no chart: a guard that throws, a step that kills its process, an
// inbox entry that is no message, a timer whose step kills its process. Workers that end are started again.

import { type ActorId, actorId } from '../../ids.ts';
import { shardKeys } from '../../redis/keys.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { askRedis } from '../redis-probe.ts';
import { violationsOf } from './audit.ts';
import type { Stage, StageLoad } from './stage.ts';
import { startEnded } from './supervised.ts';
import type { Trial } from './trial.ts';

const ROUNDS = 2;
const PARKED_MS = 120_000; // Six deaths of a worker and as many takeovers, on a busy machine.
const DEATHS_MAX = 8; // Of one poison; see docs/laws.md, M5.

type Poison = 'throws' | 'kills' | 'no-message' | 'kills-by-timer';

/** What its parking must say. */
const POISONS: { readonly [poison in Poison]: string } = {
  throws: 'this guard throws',
  kills: 'crashed',
  'no-message': 'unreadable',
  'kills-by-timer': 'crashed',
};

export const poison: Trial = {
  number: 27,
  name: 'poison',
  fault: `${Object.keys(POISONS).join(', ')}: one message or timer each, ${ROUNDS} times; ended workers are started again`,
  expects: 'each parks its actor alone, after few deaths; its neighbours go on',
  seconds: 90,
  async run(stage) {
    const cluster = await stage.cluster();
    const started = await stage.load(cluster);
    const calm = started.load.latencies.length;
    const deaths: number[] = [];
    const poisoned: ActorId[] = [];
    const rounds = stage.rounds(ROUNDS);
    for (let round = 1; round <= rounds; round += 1) {
      for (const kind of Object.keys(POISONS) as Poison[]) {
        const actor = actorId(`one.p${round}-${kind}`);
        poisoned.push(actor);
        const died = await swallowed(stage, cluster, actor, kind);
        deaths.push(died);
        stage.expect(died <= DEATHS_MAX, `${kind}: ${died} workers ended over it`);
        stage.expect(
          died > 0 === kind.startsWith('kills'),
          `${kind}: ${died} workers ended, so something else was tried`,
        );
        stage.say(`round ${round} of ${rounds}: ${kind} is parked after ${died} deaths`);
      }
      await neighboursGoOn(stage, cluster, started, poisoned);
    }
    const latencies = started.load.latencies.slice(calm);
    for (const actor of poisoned) await discarded(stage, cluster, actor);
    await startEnded(cluster);
    await cluster.owned();
    const report = await stage.finish(cluster);
    stage.measure('poisons', poisoned.length, 'messages and timers');
    stage.measure('deaths over one of them, most', Math.max(...deaths), 'processes');
    stage.measure('acknowledged commands lost', violationsOf(report, 'I1'), 'commands');
    stage.measureSpread('neighbours, from ask to answer', latencies, 'ms');
  },
};

/** Gives the poison and waits until its actor is parked for it. Gives the workers that ended. */
async function swallowed(stage: Stage, cluster: Cluster, actor: ActorId, kind: Poison): Promise<number> {
  await given(cluster, actor, kind);
  let died = 0;
  const parked = await cluster.until(
    `${actor} is parked`,
    async () => {
      died += await startEnded(cluster);
      return (await cluster.client().parked()).find((one) => one.actor === actor);
    },
    { deadlineMs: PARKED_MS, everyMs: 50 },
  );
  stage.expect(
    JSON.stringify(parked.cause).includes(POISONS[kind]),
    `${actor} is parked for ${JSON.stringify(parked.cause)}`,
  );
  return died;
}

async function given(cluster: Cluster, actor: ActorId, kind: Poison): Promise<void> {
  const client = cluster.client();
  const create = { machine: 'tally', input: {} };
  await client.ask({ actor, event: { type: 'ADD', id: 'before' }, messageId: 'before', create }, { timeoutMs: 10_000 });
  if (kind === 'throws') await client.send({ actor, event: { type: 'THROW' }, messageId: kind });
  if (kind === 'kills') await client.send({ actor, event: { type: 'KILL', id: 'now' }, messageId: kind });
  if (kind === 'kills-by-timer') await client.send({ actor, event: { type: 'BOMB' }, messageId: kind });
  if (kind !== 'no-message') return;
  // As `accept` of functions/common.lua writes and counts it, by somebody with no idea of messages.
  const { url } = cluster.server();
  const keys = shardKeys(client.namespace, client.shardOf(actor));
  await askRedis(url, ['INCR', keys.backlog]);
  await askRedis(url, ['HINCRBY', keys.actor(actor), 'open', '1']);
  await askRedis(url, [
    'XADD',
    keys.inbox,
    '0-*',
    'h',
    `${Math.floor(client.now())} - ${actor}|${kind}`,
    'b',
    '{"kind":',
  ]);
}

/** In each shard with a parked actor another one is commanded. */
async function neighboursGoOn(
  stage: Stage,
  cluster: Cluster,
  { load }: StageLoad,
  poisoned: readonly ActorId[],
): Promise<void> {
  const client = stage.recorder.process('neighbour', cluster.client());
  const shardOf = (actor: ActorId): number => cluster.client().shardOf(actor);
  for (const [index, actor] of poisoned.entries()) {
    const neighbour = load.counting.find((one) => shardOf(one) === shardOf(actor));
    if (neighbour === undefined) continue;
    const id = `neighbour-${poisoned.length}-${index}`;
    const command = { actor: neighbour, event: { type: 'ADD', id }, messageId: id };
    await cluster.until(`${neighbour}, in the shard of ${actor}, answers`, async () => {
      await startEnded(cluster);
      return (await client.ask({ ...command, create: { machine: 'tally', input: {} } })).kind === 'answered';
    });
  }
}

/** An operator's act, after which the actor serves again. */
async function discarded(stage: Stage, cluster: Cluster, actor: ActorId): Promise<void> {
  const client = cluster.client();
  await client.discard(actor, 'operator');
  await cluster.until(`${actor} goes on`, async () => {
    await startEnded(cluster);
    return !(await client.parked()).some((one) => one.actor === actor);
  });
  const command = { actor, event: { type: 'ADD', id: 'after' }, messageId: 'after' };
  const told = await client.ask(command, { timeoutMs: 10_000 });
  stage.expect(
    told.kind === 'answered' && told.answer.kind === 'applied',
    `${actor} was discarded and then answered ${JSON.stringify(told)}`,
  );
}
