// Trial 26: the mailbox says things twice and out of order. Commands are sent five times at once, records between shards are
// received again, the youngest first, an intruder claims pending and long acknowledged entries of the owners' groups and moves
// the groups back to their beginning, entries are written again under their ids, and owners change.
//
// An entry written by hand under an id of its own is another message, not a repeat: intake decides what is one (M1, M3).

import type { Client } from '../../client.ts';
import { type LaneRecord, receive } from '../../functions/receive.ts';
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
  fault: `commands sent ${COPIES} times at once, records of other shards received again backwards, old entries claimed and read again`,
  expects: 'DUPLICATE: each is applied once, in the order accepted',
  seconds: 40,
  async run(stage) {
    const cluster = await stage.cluster();
    const clients: Client[] = []; // Before the load, so that their connections are none that stayed behind.
    for (let i = 0; i < COPIES; i += 1) clients.push(await cluster.connect('one'));
    const { load } = await stage.load(cluster);
    const sums = { sent: 0, received: 0, claimed: 0, read: 0 };
    const rounds = stage.rounds(ROUNDS);
    for (let round = 1; round <= rounds; round += 1) {
      sums.sent += await sentAtOnce(stage, clients, round);
      for (const { shard } of await cluster.client().shardViews()) {
        sums.received += await receivedAgain(stage, cluster, shard);
        await writtenAgain(stage, cluster, shard);
        sums.claimed += await claimedBack(cluster, shard);
        if (stage.random() < 0.5) sums.read += await movedBack(cluster, shard);
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
    stage.measure('records received again', sums.received, 'records');
    stage.expect(sums.received > 0, 'no record was received again: nothing was tried');
    stage.measure('groups moved back to their beginning', sums.read, 'groups');
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
      const command = {
        actor,
        event: { type: 'ADD', id: messageId },
        messageId,
        create: { machine: 'tally', input: {} },
      };
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

/** What other shards sent lately, once more and the youngest first. It is known, or no successor of the lane's last: never taken. */
async function receivedAgain(stage: Stage, cluster: Cluster, source: number): Promise<number> {
  const client = cluster.client();
  const { outbox } = shardKeys(client.namespace, source);
  const { url } = cluster.server();
  const command = ['XREVRANGE', outbox, '+', '-', 'COUNT', String(LAST_ENTRIES)];
  const records = (await askRedis(url, command)) as readonly RedisReply[] as readonly Entry[];
  let repeated = 0;
  for (const [, fields] of records) {
    const record = recordOf(fields);
    const target = shardKeys(client.namespace, Number(record.lane.slice(record.lane.lastIndexOf(':') + 1)));
    const [token, n] = String(await askRedis(url, ['HGET', target.lanesIn, record.lane])).split('|');
    if (token !== record.token || Number(n) < record.n) continue; // Perhaps still on its way: it may be the first time.
    const { command: words, decode } = receive(target, record, '');
    const told = decode(await askRedis(url, words.map(String)));
    stage.expect(
      told.kind === 'duplicate' || told.kind === 'gap',
      `${record.lane} took ${record.messageId} again: ${JSON.stringify(told)}`,
    );
    repeated += 1;
  }
  return repeated;
}

/** A record of an outbox as functions/commit.lua writes it. */
function recordOf(fields: readonly string[]): LaneRecord {
  const field = (name: string): string => fields[fields.indexOf(name) + 1] ?? '';
  return {
    lane: field('l'),
    token: field('t'),
    n: Number(field('n')),
    previous: field('p'),
    actor: actorId(field('a')),
    messageId: field('m'),
    body: field('b'),
  };
}

/** An entry under its old id: the server itself refuses it. */
async function writtenAgain(stage: Stage, cluster: Cluster, shard: number): Promise<void> {
  const { inbox } = shardKeys(cluster.client().namespace, shard);
  const [entry] = await lastEntries(cluster, shard);
  if (entry === undefined) return;
  const words = await askRedis(cluster.server().url, ['XADD', inbox, entry[0], ...entry[1]]).catch(String);
  stage.expect(String(words).includes('equal or smaller'), `${inbox} took ${entry[0]} again: ${JSON.stringify(words)}`);
}

async function groupOf(cluster: Cluster, inbox: string): Promise<string> {
  const groups = (await askRedis(cluster.server().url, [
    'XINFO',
    'GROUPS',
    inbox,
  ])) as readonly (readonly RedisReply[])[];
  return String(groups[0]?.[1] ?? '');
}

/** The owner is given everything that the inbox still has once more. */
async function movedBack(cluster: Cluster, shard: number): Promise<number> {
  const { inbox } = shardKeys(cluster.client().namespace, shard);
  const group = await groupOf(cluster, inbox);
  const command = ['XGROUP', 'SETID', inbox, group, '0'];
  return (await askRedis(cluster.server().url, command).catch(nobodysGroup)) === undefined ? 0 : 1;
}

/** An intruder takes entries into its own pending list, acknowledged ones too, in the owner's group. */
async function claimedBack(cluster: Cluster, shard: number): Promise<number> {
  const { inbox } = shardKeys(cluster.client().namespace, shard);
  const group = await groupOf(cluster, inbox);
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
