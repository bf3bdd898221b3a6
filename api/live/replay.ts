// Replay: what a subscriber missed, read from the journals. Each later version once and in order, or nothing but "gone" (P2).
//
// What the subscriber saw last is compared with what stands there by now, in the same read as what follows or after it: a server
// that loses its tail in between has then lost what was read, too.

import type { Client, JournalPosition } from '../../runtime/client.ts';
import { limits } from '../limits.ts';
import type { ActorId, JournalEntry } from '../parts.ts';
import { type FeedItem, feedItem } from './feed.ts';
import { counterOf } from './protocol.ts';

export type Replay = { readonly kind: 'items'; readonly items: readonly FeedItem[] } | { readonly kind: 'gone' };

/** Nothing can be replayed: a gap and a picture say where things stand. */
export const gone: Replay = { kind: 'gone' };

/** What a subscriber of one order saw last, and how it says so: by position, else by the event's id. */
export interface Seen {
  readonly since: number;
  readonly position?: JournalPosition | undefined;
  readonly lastEventId?: string | undefined;
}

/**
 * The visible changes of one order above what was seen, up to `head` (its last announced version) or later.
 * `gone` when the journal was trimmed, rewound, or is longer than a snapshot is worth, and when nothing says which version
 * `since` was.
 */
export async function replayOrder(client: Client, actor: ActorId, seen: Seen, head: number): Promise<Replay> {
  if (seen.since > head) return gone; // The server lost what the subscriber saw.
  const items = await changesAbove(client, actor, seen.since, head);
  return items !== undefined && (await isStillThere(client, actor, seen)) ? { kind: 'items', items } : gone;
}

async function changesAbove(
  client: Client,
  actor: ActorId,
  since: number,
  head: number,
): Promise<readonly FeedItem[] | undefined> {
  const items: FeedItem[] = [];
  let expected = since;
  let after = since;
  let seen = 0;
  while (expected < head) {
    const page = await client.history(actor, { after, limit: limits.journalPage });
    for (const entry of page) {
      after = Math.max(after, entry.sequence ?? after);
      const item = feedItem(entry);
      if (item === undefined || item.version <= expected) continue;
      if (item.previous > expected) return undefined;
      items.push(item);
      expected = item.version;
    }
    seen += page.length;
    if (page.length < limits.journalPage) break;
    if (seen >= limits.replayEntriesMax) return undefined;
  }
  return expected < head ? undefined : items;
}

/** Whether what the subscriber saw last is what stands there now. Trimmed counts as gone. */
async function isStillThere(client: Client, actor: ActorId, { since, position, lastEventId }: Seen): Promise<boolean> {
  if (since === 0) return true; // Nothing was seen that could be undone.
  if (position !== undefined) return (await entriesFrom(client, client.shardOf(actor), position, 1)) !== undefined;
  if (lastEventId === undefined) return false;
  const page = await client.history(actor, { after: since - 1, limit: 50 });
  const entry = page.find((each) => each.kind === 'moved' && each.sequence === since);
  return entry !== undefined && (Number.parseInt(entry.token, 10) || 0) === counterOf(lastEventId);
}

/** The visible changes of all orders above the positions `from`, up to `heads`, for those that `wanted` picks. */
export async function replayAll(
  client: Client,
  from: ReadonlyMap<number, JournalPosition>,
  heads: ReadonlyMap<number, JournalPosition>,
  wanted: (item: FeedItem) => boolean,
): Promise<Replay> {
  const items: FeedItem[] = [];
  let seen = 0;
  for (const [shard, head] of heads) {
    let at = from.get(shard);
    if (at === undefined || at.number > head.number) return gone;
    if (at.number === head.number && at.token !== head.token) return gone;
    while (at.number < head.number) {
      const entries: readonly JournalEntry[] | undefined = await entriesFrom(client, shard, at, limits.journalPage);
      if (entries === undefined || entries.length === 0) return gone; // The head was undone as well.
      for (const entry of entries) {
        if (entry.position > head.number) break;
        const item = feedItem(entry);
        if (item !== undefined && wanted(item)) items.push(item);
        at = { number: entry.position, token: entry.token };
      }
      seen += entries.length;
      if (seen > limits.replayEntriesMax) return gone;
    }
  }
  return { kind: 'items', items };
}

/**
 * At most `limit` entries of a journal above a position, one fewer behind the first. Undefined where the entry at the position
 * is not there any more: the journal was trimmed beneath it, or rewound.
 */
async function entriesFrom(
  client: Client,
  shard: number,
  { number, token }: JournalPosition,
  limit: number,
): Promise<readonly JournalEntry[] | undefined> {
  const page = await client.journal(shard, Math.max(0, number - 1), limit);
  // Positions are gapless (C2), so the first of all is 1.
  if (number === 0) return page[0]?.position === 1 ? page : undefined;
  const [there, ...later] = page;
  return there?.position === number && there.token === token ? later : undefined;
}
