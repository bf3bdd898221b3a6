// The feed: one reader of the journals per process, and everyone who listens to it.
//
//   P2  It follows the journals by position from a known place, so what is committed after `heads` was read comes by here,
//       in order per shard and once. A listener is told of an entry in the same turn in which `heads` moves past it. When the
//       server lost the tail of a journal, also while it could not be followed, `heads` goes to what is there, and who listens
//       for rewinds is told the shard.
//
// It holds no truth: a listener that needs the past asks the client.

import type { Client, JournalPosition, Watch } from '../../runtime/client.ts';
import { pause, type Ticker } from '../client/clock.ts';
import type { JournalEntry } from '../parts.ts';

/** One visible change of one order. */
export interface FeedItem {
  readonly orderId: string;
  readonly owner: string | undefined;
  readonly version: number;
  readonly previous: number;
  readonly counter: number;
  readonly shard: number;
  /** Where its entry stands in the shard's journal. */
  readonly position: JournalPosition;
  readonly eventId: string;
  /** The event's fields from `eventId` on as JSON text without braces, made once for all who listen. */
  readonly tail: string;
  readonly event: {
    readonly type: string;
    readonly occurredAt: string;
    readonly data: { readonly [field: string]: unknown };
  };
}

export type Listener = (item: FeedItem) => void;

export interface Feed {
  /** Position handled per shard. Complete once `start` has resolved. */
  readonly heads: ReadonlyMap<number, JournalPosition>;
  /** The journals could not be followed a moment ago. */
  readonly isFailing: boolean;
  /** Reads where the journals stand and follows them from there. Throws when the store cannot be reached. */
  start(): Promise<void>;
  /** Keys: `order:<id>`, `owner:<user>`, `all`. Returns what ends it. */
  listen(key: string, listener: Listener): () => void;
  /** Calls `listener` with each shard whose journal lost entries that may have been told of. Returns what ends it. */
  listenRewinds(listener: (shard: number) => void): () => void;
  close(): Promise<void>;
}

const RETRY_MS = 500;
const FAILING_MS = 10_000; // Longer than a tail takes to find that it cannot be opened, and to be tried again.

/** The visible part of a journal entry, or undefined when it shows nothing. `announcement.data.owner` is taken off here. */
export function feedItem(entry: JournalEntry): FeedItem | undefined {
  const { announcement, actor, sequence, shard, token } = entry;
  if (entry.kind !== 'moved' || announcement === undefined || actor === undefined || sequence === undefined)
    return undefined;
  const { owner, ...data } = announcement.data;
  const counter = counterOf(token);
  const eventId = `${actor}:${sequence}-${counter}`;
  const occurredAt = new Date(entry.at).toISOString();
  const event = { type: announcement.type, occurredAt, data };
  const previous = entry.previous ?? 0;
  const at = [shard, entry.position, token];
  const fields = { eventId, orderId: actor, version: sequence, previous, ...event, at };
  return {
    orderId: actor,
    owner: ownerOf(owner, entry),
    version: sequence,
    previous,
    counter,
    shard,
    position: { number: entry.position, token },
    eventId,
    tail: JSON.stringify(fields).slice(1, -1),
    event,
  };
}

/** The counter of an owner's token: it grows with each owner of the shard. */
const counterOf = (token: string | undefined): number => Number.parseInt(token ?? '', 10) || 0;

/** From the announcement; of a creation also from its input. */
function ownerOf(announced: unknown, { input }: JournalEntry): string | undefined {
  if (typeof announced === 'string') return announced;
  return typeof input?.userId === 'string' ? input.userId : undefined;
}

export function createFeed(client: Client, ticker: Ticker, failed: (error: unknown) => void): Feed {
  const heads = new Map<number, JournalPosition>();
  const listeners = new Map<string, Set<Listener>>();
  const rewinds = new Set<(shard: number) => void>();
  const stop = new AbortController();
  let watch: Watch | undefined;
  let running: Promise<void> = Promise.resolve();
  let failedAt: number | undefined;

  const tell = (key: string, item: FeedItem): void => {
    for (const listener of listeners.get(key) ?? []) listener(item);
  };
  const take = (entry: JournalEntry): void => {
    const { shard, position, token } = entry;
    heads.set(shard, { number: position, token });
    if (entry.kind === 'rewound') {
      for (const listener of rewinds) listener(shard);
      return;
    }
    const item = entry.actor?.startsWith('tsk_') === true ? undefined : feedItem(entry); // Topics are about orders.
    if (item === undefined) return;
    tell(`order:${item.orderId}`, item);
    if (item.owner !== undefined) tell(`owner:${item.owner}`, item);
    tell('all', item);
  };
  const follow = async (): Promise<void> => {
    // Ends by `close` alone: whatever breaks the watch, the next one begins where this one stopped.
    while (!stop.signal.aborted) {
      try {
        watch = client.watch({ from: new Map(heads), signal: stop.signal });
        for await (const entry of watch) take(entry);
      } catch (error) {
        if (stop.signal.aborted) break;
        failedAt = ticker.now();
        failed(error);
      }
      await pause(ticker, RETRY_MS, stop.signal);
    }
  };

  return {
    heads,
    get isFailing() {
      return failedAt !== undefined && ticker.now() - failedAt < FAILING_MS;
    },
    async start() {
      for (const [shard, position] of await client.heard()) heads.set(shard, position);
      running = follow();
    },
    listen(key, listener) {
      const set = listeners.get(key) ?? new Set();
      set.add(listener);
      listeners.set(key, set);
      return () => {
        set.delete(listener);
        if (set.size === 0 && listeners.get(key) === set) listeners.delete(key);
      };
    },
    listenRewinds(listener) {
      rewinds.add(listener);
      return () => void rewinds.delete(listener);
    },
    async close() {
      stop.abort();
      watch?.close();
      await running;
    },
  };
}
