// Reading a context for the audit. The order of reads is what makes it safe beside a working system: first how far each
// shard's record goes, then the actors, then the journals, which therefore reach at least as far as both.

import { type Ledger, readLedger } from '../../actors/partners/ledger.ts';
import type { Client } from '../../runtime/client.ts';
import type { ActorId } from '../../runtime/ids.ts';
import type { JournalEntry } from '../../runtime/messages.ts';
import { CliFailure, EXIT } from '../failure.ts';
import { repeated } from '../reads.ts';
import type { ContextEvidence, StoredActor } from './evidence.ts';

const JOURNAL_PAGE = 1_000;
const SHARDS_AT_ONCE = 4;
const ACTORS_AT_ONCE = 64;
const REREADS_MAX = 20; // An actor that is stepped at every read of it has to rest for a moment at last.

/** Everything the checks need of one context. About three round trips per 64 actors and one per 1,000 entries. */
export async function readContext(context: string, client: Client): Promise<ContextEvidence> {
  const views = await client.shardViews();
  const actors = await portioned(views, ({ shard }) => readActors(client, shard));
  const journals = await portioned(views, ({ shard }) => readJournal(client, shard));
  const shards = views.map(({ shard, head }, index) => ({
    shard,
    head,
    entries: journals[index] ?? [],
    actors: actors[index] ?? [],
  }));
  return { context, shards, parked: await client.parked() };
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

/** The partners' ledger, asked for up to three times. Throws CliFailure, exit code 69, when nobody answers. */
export async function readPartners(url: string): Promise<Ledger> {
  try {
    return await repeated(() => readLedger(url), isUnanswered);
  } catch (error) {
    if (!isUnanswered(error)) throw error;
    throw new CliFailure(
      `The partners at ${url} do not answer, so their ledger cannot be read (emboss audit --no-ledger leaves it out)`,
      EXIT.unavailable,
    );
  }
}

/** A connection that failed, or an answer that did not come in time. */
const isUnanswered = (error: unknown): boolean =>
  error instanceof Error && (error.message === 'fetch failed' || error.name === 'DeadlinePassed');
