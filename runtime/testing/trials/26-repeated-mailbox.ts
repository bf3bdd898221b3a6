// Trial 26: the mailbox says things twice and out of order. Commands are sent five times at once, entries of the inbox are
// written again by hand, an intruder claims pending and long acknowledged entries of the owners' groups, and owners change.

import type { Client } from '../../client.ts';
import { type ActorId, actorId } from '../../ids.ts';
import { shardKeys } from '../../redis/keys.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { pick } from '../oracle.ts';
import { askRedis, type RedisReply } from '../redis-probe.ts';
import { violationsOf } from './audit.ts';
import type { Stage } from './stage.ts';
import type { Trial } from './trial.ts';

const ROUNDS = 8;
const COPIES = 5;
const ACTORS = 12;
const LAST_ENTRIES = 12;

export const repeatedMailbox: Trial = {
  number: 26,
  name: 'repeated-mailbox',
  fault: `each command sent ${COPIES} times at once, inbox entries written again by hand, backwards; old ids claimed back (XCLAIM)`,
  expects: 'DUPLICATE: each is applied once, in the order accepted',
  seconds: 40,
  async run(stage) {
    const cluster = await stage.cluster();
    const { load } = await stage.load(cluster);
    const clients: Client[] = [];
    for (let i = 0; i < COPIES; i += 1) clients.push(await cluster.connect('one'));
    const sums = { sent: 0, rewritten: 0, claimed: 0 };
    const rounds = stage.rounds(ROUNDS);
    for (let round = 1; round <= rounds; round += 1) {
      sums.sent += await sentAtOnce(stage, clients, round);
      for (const { shard } of await cluster.client().shardViews()) {
        sums.rewritten += await rewritten(cluster, shard);
        sums.claimed += await claimedBack(cluster, shard);
      }
      // Whatever is pending again is read again by the next owner.
      const victim = pick(stage.random, cluster.workers);
      if (round % 2 === 0) await victim.kill();
      else await victim.stop();
      await victim.start();
      await cluster.owned();
      stage.say(`round ${round} of ${rounds}: ${JSON.stringify(sums)}`);
    }
    await load.stop();
    // What the intruder holds goes with the group that it holds it in.
    for (const worker of cluster.workers) await worker.restart();
    await cluster.owned();
    const report = await stage.finish(cluster);
    const actors = [...load.counting, ...load.hearing, ...own];
    const twice = await appliedTwice(cluster.client(), actors);
    stage.measure('copies of commands sent', sums.sent, 'sends');
    stage.measure('entries written again', sums.rewritten, 'entries');
    stage.measure('entries claimed back', sums.claimed, 'entries');
    stage.measure('duplicates applied', twice.length + violationsOf(report, 'I1'), 'commands');
    for (const words of twice) stage.violated(words);
    await inOrder(stage, cluster.client(), rounds);
  },
};

const own: readonly ActorId[] = Array.from({ length: ACTORS }, (_, i) => actorId(`one.r${i}`));

/** Each actor gets one command from every client at once, under one message id. Gives the copies. */
async function sentAtOnce(stage: Stage, clients: readonly Client[], round: number): Promise<number> {
  await Promise.all(
    own.map(async (actor) => {
      const messageId = `r${round}`;
      const command = { actor, event: { type: 'ADD', id: messageId }, messageId, create: { machine: 'tally', input: {} } };
      const answers = await Promise.all(
        clients.map((client, i) => stage.recorder.process(`copy-${i}`, client).ask(command, { timeoutMs: 10_000 })),
      );
      const versions = answers.flatMap((told) =>
        told.kind === 'answered' && told.answer.kind === 'applied' ? [told.answer.version] : [],
      );
      stage.expect(
        versions.length > 0 && new Set(versions).size === 1,
        `${actor} answered copies of one command with ${JSON.stringify(answers)}`,
      );
    }),
  );
  return own.length * clients.length;
}

type Entry = readonly [id: string, fields: readonly string[]];

async function lastEntries(cluster: Cluster, shard: number): Promise<readonly Entry[]> {
  const { inbox } = shardKeys(cluster.client().namespace, shard);
  const command = ['XREVRANGE', inbox, '+', '-', 'COUNT', String(LAST_ENTRIES)];
  return (await askRedis(cluster.server().url, command)) as readonly RedisReply[] as readonly Entry[];
}

/** The last entries once more, the youngest first, each twice: as an intake that repeats itself would write them. */
async function rewritten(cluster: Cluster, shard: number): Promise<number> {
  const { inbox } = shardKeys(cluster.client().namespace, shard);
  const entries = await lastEntries(cluster, shard);
  for (const [, fields] of [...entries, ...entries])
    await askRedis(cluster.server().url, ['XADD', inbox, '0-*', ...fields]);
  return 2 * entries.length;
}

/** An intruder takes entries into its own pending list, acknowledged ones too, in the owner's group. */
async function claimedBack(cluster: Cluster, shard: number): Promise<number> {
  const { inbox } = shardKeys(cluster.client().namespace, shard);
  const groups = (await askRedis(cluster.server().url, ['XINFO', 'GROUPS', inbox])) as readonly (readonly RedisReply[])[];
  const group = String(groups[0]?.[1] ?? '');
  const ids = (await lastEntries(cluster, shard)).map(([id]) => id);
  if (group === '' || ids.length === 0) return 0;
  const command = ['XCLAIM', inbox, group, 'intruder', '0', ...ids, 'FORCE', 'JUSTID'];
  const claimed = await askRedis(cluster.server().url, command).catch(nobodysGroup);
  return Array.isArray(claimed) ? claimed.length : 0;
}

/** The shard has changed hands since we looked. */
function nobodysGroup(error: unknown): undefined {
  if (!String(error).includes('NOGROUP')) throw error;
  return undefined;
}

async function appliedTwice(client: Client, actors: readonly ActorId[]): Promise<readonly string[]> {
  const found: string[] = [];
  for (const actor of actors) {
    const { context } = (await client.read(actor)) ?? {};
    const seen = (context?.seen ?? []) as readonly string[];
    const twice = seen.filter((id, at) => seen.indexOf(id) !== at);
    if (twice.length > 0) found.push(`${actor} applied ${twice.join(', ')} again`);
  }
  return found;
}

async function inOrder(stage: Stage, client: Client, rounds: number): Promise<void> {
  const wanted = Array.from({ length: rounds }, (_, i) => `r${i + 1}`).join(' ');
  for (const actor of own) {
    const seen = ((await client.read(actor))?.context.seen ?? []) as readonly string[];
    stage.expect(seen.join(' ') === wanted, `${actor} applied ${seen.join(' ')}, accepted was ${wanted}`);
  }
}
