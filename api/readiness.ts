// Whether this process can do its work, for `/readyz`: both stores answer, and the tails bring what is committed.
//
// Answers to writes and live events come by tails of the journals. A tail that stands still looks from outside like one that
// has nothing to bring, and the client does not say how its tails are. So what was heard is compared with where the journals
// stand: a head that a tail has not reached `tailLagMs` after it was seen there counts as a tail that is broken. One that stands
// still while nothing is committed misses nothing, and is not found out before.
//
// Looks cost at most one reading of the shards per context and `shardViewsKeptMs`, however many ask.

import type { Client, ShardView } from '../runtime/client.ts';
import { pause, type Ticker } from './client/clock.ts';
import { ApiProblem } from './errors.ts';
import { limits } from './limits.ts';
import type { Parts } from './parts.ts';

export interface Ready {
  readonly status: 'ready';
  readonly redis: { readonly orderingMs: number; readonly deliveryMs: number };
  /** How many shards have an owner, of how many: without one a shard takes messages and answers none. */
  readonly owned: { readonly ordering: string; readonly delivery: string };
}

export interface Readiness {
  /** Throws `store-unavailable` with the part that is away as `detail`, or `overloaded` when the process stops. */
  look(): Promise<Ready>;
  close(): void;
}

/** Follows nothing before the first look. */
export function createReadiness(parts: Parts): Readiness {
  const { ticker, hub } = parts;
  const stop = new AbortController();
  const contexts = { ordering: contextOver(parts.ordering, ticker), delivery: contextOver(parts.delivery, ticker) };
  const live = createLag(ticker);
  let answers: { readonly [name in keyof typeof contexts]: Tail } | undefined;

  return {
    async look() {
      if (!parts.accepting()) throw new ApiProblem('overloaded', { detail: 'The process is stopping.' });
      const [ordering, delivery] = await Promise.all([contexts.ordering.look(), contexts.delivery.look()]).catch(
        (error: unknown) => {
          throw away('a store does not answer', error);
        },
      );
      answers ??= {
        ordering: followTail(parts.ordering, ordering.views, parts, stop.signal),
        delivery: followTail(parts.delivery, delivery.views, parts, stop.signal),
      };
      if (answers.ordering.isBroken(ordering.views)) throw away('the tail of the answers of ordering stands still');
      if (answers.delivery.isBroken(delivery.views)) throw away('the tail of the answers of delivery stands still');
      if (hub.feed.isFailing || live.isBehind(ordering.views, hub.feed.heads))
        throw away('the tail of the live events stands still');
      return {
        status: 'ready',
        redis: { orderingMs: ordering.ms, deliveryMs: delivery.ms },
        owned: { ordering: ownedOf(ordering.views), delivery: ownedOf(delivery.views) },
      };
    },
    close: () => stop.abort(),
  };
}

const away = (detail: string, cause?: unknown): ApiProblem =>
  new ApiProblem('store-unavailable', { detail }, { cause: cause ?? new Error(detail) });

const ownedOf = (views: readonly ShardView[]): string =>
  `${views.filter(({ owner }) => owner !== undefined).length}/${views.length}`;

/** One context: a ping per look, and its shards as read at most `shardViewsKeptMs` ago. */
function contextOver(client: Client, ticker: Ticker) {
  let read: Promise<readonly ShardView[]> | undefined;
  let readAt = 0;
  const views = (): Promise<readonly ShardView[]> => {
    if (read !== undefined && ticker.now() - readAt < limits.shardViewsKeptMs) return read;
    const reading = client.shardViews();
    read = reading;
    readAt = ticker.now();
    reading.catch(() => {
      if (read === reading) read = undefined;
    });
    return reading;
  };
  return {
    async look(): Promise<{ readonly ms: number; readonly views: readonly ShardView[] }> {
      const [ms, shards] = await Promise.all([client.ping(), views()]);
      return { ms, views: shards };
    },
  };
}

// --- Tails ---

interface Tail {
  isBroken(views: readonly ShardView[]): boolean;
}

const RETRY_MS = 500;

/** Listens to the tail through which this client hears the answers to its commands: one entry more to hand on, no read more. */
function followTail(
  client: Client,
  views: readonly ShardView[],
  { ticker, log }: Pick<Parts, 'ticker' | 'log'>,
  signal: AbortSignal,
): Tail {
  const heads = new Map(views.map(({ shard, head }) => [shard, head])); // It begins at the present.
  const lag = createLag(ticker);
  const follow = async (): Promise<void> => {
    while (!signal.aborted) {
      try {
        for await (const { shard, position } of client.watch({ signal })) heads.set(shard, position);
      } catch (error) {
        if (!signal.aborted) log.warn({ err: error }, 'the tail of the answers'); // It brings nothing: the comparison finds that.
      }
      await pause(ticker, RETRY_MS, signal);
    }
  };
  void follow();
  return { isBroken: (now) => lag.isBehind(now, heads) };
}

/** Judges by looks: behind is who has not reached a head `tailLagMs` after it was seen. A rewound head is another one. */
export function createLag(ticker: Ticker) {
  const owed = new Map<number, { readonly head: number; readonly since: number }>();
  return {
    isBehind(views: readonly ShardView[], heads: ReadonlyMap<number, number>): boolean {
      const now = ticker.now();
      for (const { shard, head } of views) {
        const heard = heads.get(shard) ?? 0;
        const due = owed.get(shard);
        if (heard >= head) owed.delete(shard);
        else if (due === undefined || heard >= due.head || head < due.head) owed.set(shard, { head, since: now });
      }
      return [...owed.values()].some(({ since }) => now - since > limits.tailLagMs);
    },
  };
}
