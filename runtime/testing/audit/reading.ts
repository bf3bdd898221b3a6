// Reading a namespace for the audit, through the public client. The order of reads is what makes it safe beside a working system: first how far each
// shard's record goes, then the actors, then the journals, which therefore reach at least as far as both.

import type { Client } from '../../client.ts';
import type { ActorId } from '../../ids.ts';
import type { JournalEntry } from '../../messages.ts';
import type { NamespaceEvidence, StoredActor } from './evidence.ts';

const JOURNAL_PAGE = 1_000;
const SHARDS_AT_ONCE = 4;
const ACTORS_AT_ONCE = 64;
const REREADS_MAX = 20; // An actor that is stepped at every read of it has to rest for a moment at last.

/** Everything the checks need of one namespace. About three round trips per 64 actors and one per 1,000 entries. */
export async function readNamespace(client: Client): Promise<NamespaceEvidence> {
  const views = await client.shardViews();
  const actors = await portioned(views, ({ shard }) => readActors(client, shard));
  const journals = await portioned(views, ({ shard }) => readJournal(client, shard));
  const shards = views.map(({ shard, head }, index) => ({
    shard,
    head,
    entries: journals[index] ?? [],
    actors: actors[index] ?? [],
  }));
  const [parked, leftovers] = await Promise.all([client.parked(), client.leftovers()]);
  return { namespace: client.namespace, shards, parked, leftovers };
}

/** A few shards at a time: all at once would put megabytes of replies under the deadline of one call. */
async function portioned<T, U>(items: readonly T[], read: (item: T) => Promise<U>): Promise<readonly U[]> {
  const results: U[] = [];
  for (let at = 0; at < items.length; at += SHARDS_AT_ONCE) {
    results.push(...(await Promise.all(items.slice(at, at + SHARDS_AT_ONCE).map(read))));
  }
  return results;
}

async function readActors(client: Client, shard: number): Promise<readonly StoredActor[]> {
  const ids: ActorId[] = [];
  for await (const actor of client.actorsOf(shard)) ids.push(actor);
  const found: StoredActor[] = [];
  for (let at = 0; at < ids.length; at += ACTORS_AT_ONCE) {
    const read = await Promise.all(ids.slice(at, at + ACTORS_AT_ONCE).map((actor) => readActor(client, actor)));
    found.push(...read.filter((one) => one !== undefined));
  }
  return found;
}

/** The stored text between two reads of the same version: so it is of that version. */
async function readActor(client: Client, actor: ActorId): Promise<StoredActor | undefined> {
  let before = await client.read(actor);
  for (let read = 0; read < REREADS_MAX; read += 1) {
    const stored = await client.stored(actor);
    const after = await client.read(actor);
    if (before === undefined || after === undefined || stored === undefined) return undefined;
    if (before.version === after.version) return { actor, version: after.version, stored, view: after };
    before = after;
  }
  throw new Error(`${actor} changes faster than it can be read`);
}

async function readJournal(client: Client, shard: number): Promise<readonly JournalEntry[]> {
  const entries: JournalEntry[] = [];
  for (;;) {
    const page = await client.journal(shard, entries.at(-1)?.position ?? 0, JOURNAL_PAGE);
    entries.push(...page);
    if (page.length < JOURNAL_PAGE) return entries;
  }
}
