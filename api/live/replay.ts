// Replay: what a subscriber missed, read from the journals. Each later version once and in order, or nothing but "gone" (P2).

import type { Client } from '../../runtime/client.ts';
import { limits } from '../limits.ts';
import type { ActorId } from '../parts.ts';
import { type FeedItem, feedItem } from './feed.ts';
import { type Cursor, counterOf } from './protocol.ts';

export type Replay = { readonly kind: 'items'; readonly items: readonly FeedItem[] } | { readonly kind: 'gone' };

/** Nothing can be replayed: a gap and a picture say where things stand. */
export const gone: Replay = { kind: 'gone' };

/**
 * The visible changes of one order above `since`, up to `head` (its last announced version) or later.
 * `gone` when the journal was trimmed, rewound, or is longer than a snapshot is worth.
 */
export async function replayOrder(
  client: Client,
  actor: ActorId,
  from: { readonly since: number; readonly head: number; readonly lastEventId?: string | undefined },
): Promise<Replay> {
  const { since, head, lastEventId } = from;
  if (since > head) return gone; // The server lost what the subscriber saw.
  if (lastEventId !== undefined && since > 0 && !(await isStillThere(client, actor, since, counterOf(lastEventId))))
    return gone;

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
      if (item.previous > expected) return gone;
      items.push(item);
      expected = item.version;
    }
    seen += page.length;
    if (page.length < limits.journalPage) break;
    if (seen >= limits.replayEntriesMax) return gone;
  }
  return expected < head ? gone : { kind: 'items', items };
}

/** The visible changes of all orders above a cursor, up to `heads`, for those that `wanted` picks. */
export async function replayAll(
  client: Client,
  cursor: Cursor,
  heads: ReadonlyMap<number, number>,
  wanted: (item: FeedItem) => boolean,
): Promise<Replay> {
  const items: FeedItem[] = [];
  let seen = 0;
  for (const [shard, head] of heads) {
    let at = cursor[String(shard)];
    if (at === undefined || at > head) return gone;
    while (at < head) {
      const page = await client.journal(shard, at, limits.journalPage);
      // Positions are gapless (C2): another first one means that the journal was trimmed beneath the cursor.
      if (page[0]?.position !== at + 1) return gone;
      for (const entry of page) {
        if (entry.position > head) break;
        at = entry.position;
        const item = feedItem(entry);
        if (item !== undefined && wanted(item)) items.push(item);
      }
      seen += page.length;
      if (seen > limits.replayEntriesMax) return gone;
    }
  }
  return { kind: 'items', items };
}

/** Whether the version the subscriber saw last is the one that stands there now. Trimmed counts as gone. */
async function isStillThere(client: Client, actor: ActorId, version: number, counter: number): Promise<boolean> {
  const page = await client.history(actor, { after: version - 1, limit: 50 });
  const entry = page.find((each) => each.kind === 'moved' && each.sequence === version);
  return entry !== undefined && (Number.parseInt(entry.token, 10) || 0) === counter;
}
