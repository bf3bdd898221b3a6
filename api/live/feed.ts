// The feed: one reader of the journals per process, and everyone who listens to it.
//
//   P2  It follows the journals by position from a known place, so what is committed after `heads` was read comes by here,
//       in order per shard and once. A listener is told of an entry in the same turn in which `heads` moves past it. When the
//       server lost the tail of a journal, `heads` goes back to what is left, and who listens for rewinds is told the shard.
//
// It holds no truth: a listener that needs the past asks the client.

import type { Client, Watch } from '../../runtime/client.ts';
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
  readonly position: number;
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
  readonly heads: ReadonlyMap<number, number>;
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
  const { announcement, actor, sequence } = entry;
  if (entry.kind !== 'moved' || announcement === undefined || actor === undefined || sequence === undefined)
    return undefined;
  const { owner, ...data } = announcement.data;
  const counter = counterOf(entry.token);
  const eventId = `${actor}:${sequence}-${counter}`;
  const occurredAt = new Date(entry.at).toISOString();
  const event = { type: announcement.type, occurredAt, data };
  const previous = entry.previous ?? 0;
  const fields = { eventId, orderId: actor, version: sequence, previous, ...event, at: [entry.shard, entry.position] };
  return {
    orderId: actor,
    owner: ownerOf(owner, entry),
    version: sequence,
    previous,
    counter,
    shard: entry.shard,
    position: entry.position,
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
  const heads = new Map<number, number>();
  const tokens = new Map<number, string>();
  const listeners = new Map<string, Set<Listener>>();
  const rewinds = new Set<(shard: number) => void>();
  const stop = new AbortController();
  let watch: Watch | undefined;
  let running: Promise<void> = Promise.resolve();
  let failedAt: number | undefined;

  const tell = (key: string, item: FeedItem): void => {
    for (const listener of listeners.get(key) ?? []) listener(item);
  };
  const stand = (shard: number, position: number, token: string): void => {
    heads.set(shard, position);
    tokens.set(shard, token);
  };
  const rewound = (shard: number, position: number, token: string): void => {
    stand(shard, position, token);
    for (const listener of rewinds) listener(shard);
  };
  const take = (entry: JournalEntry): void => {
    const { shard, position, token } = entry;
    if (entry.kind === 'rewound') {
      rewound(shard, position, token);
      return;
    }
    // A position at or below the head is a repeat, unless a later owner wrote it: then the server lost its tail.
    if (position <= (heads.get(shard) ?? 0)) {
      if (counterOf(token) <= counterOf(tokens.get(shard))) return;
      rewound(shard, position, token);
    }
    stand(shard, position, token);
    const item = feedItem(entry);
    if (item === undefined) return;
    tell(`order:${item.orderId}`, item);
    if (item.owner !== undefined) tell(`owner:${item.owner}`, item);
    tell('all', item);
  };
  /** After a watch broke: what was lost meanwhile no watch tells, since the next one begins where this one stopped. */
  const lookBack = async (): Promise<void> => {
    for (const { shard, head, token } of await client.shardViews()) {
      const at = heads.get(shard) ?? 0;
      const [entry] = at === 0 ? [] : await client.journal(shard, at - 1, 1);
      const isThere = entry?.position === at && counterOf(entry.token) === counterOf(tokens.get(shard));
      const isTrimmed = entry !== undefined && entry.position > at; // The journal went on; nothing was undone.
      if (at > 0 && !isThere && !isTrimmed) rewound(shard, Math.min(at, head), token ?? '');
    }
  };
  const follow = async (): Promise<void> => {
    // Ends by `close` alone: whatever breaks the watch, the next one begins where this one stopped.
    while (!stop.signal.aborted) {
      try {
        if (failedAt !== undefined) await lookBack();
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
      for (const view of await client.shardViews()) {
        stand(view.shard, view.head, view.token ?? '');
      }
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
