// Whether this process can do its work, for `/readyz`: both stores answer, and the tails bring what is committed.
//
// Answers to writes and live events come by tails of the journals. A tail that stands still looks from outside like one that
// has nothing to bring. So the position it has handed on is compared with where the journals stand: a head that a tail has
// not reached `tailLagMs` after it was seen there counts as a tail that is broken. One that stands still while nothing is
// committed misses nothing, and is not found out before.
//
// A look costs one ping per context, and at most one reading of the shards per context and `shardViewsKeptMs`, however many
// ask: a process has one readiness, which its surfaces share.

import type { Client, JournalPosition, ShardView } from '../runtime/client.ts';
import type { Ticker } from './client/clock.ts';
import { ApiProblem } from './errors.ts';
import { limits } from './limits.ts';
import type { Parts } from './parts.ts';

export interface Ready {
  readonly status: 'ready';
  readonly redis: { readonly orderingMs: number; readonly deliveryMs: number };
  /** How many shards have an owner, of how many: without one a shard takes messages and answers none. */
  readonly owned: { readonly ordering: string; readonly delivery: string };
  /** What an acknowledged write survives; `reached` is false while too few replicas follow, and writes are refused. */
  readonly durability: { readonly level: string; readonly reached: boolean };
}

export interface Readiness {
  /** Throws `store-unavailable` with the part that is away as `detail`, or `overloaded` when the process stops. */
  look(): Promise<Ready>;
}

/** What is looked at. */
type Watched = Pick<Parts, 'ordering' | 'delivery' | 'hub' | 'ticker' | 'accepting'>;

/** Holds nothing open, so there is nothing to close. The first look opens the tails that nobody has opened yet. */
export function createReadiness({ ordering, delivery, hub, ticker, accepting }: Watched): Readiness {
  const contexts = {
    ordering: contextOver('ordering', ordering, ticker),
    delivery: contextOver('delivery', delivery, ticker),
  };
  const live = createLag(ticker);

  return {
    async look() {
      if (!accepting()) throw new ApiProblem('overloaded', { detail: 'The process is stopping.' });
      const [ordered, delivered] = await Promise.all([contexts.ordering.look(), contexts.delivery.look()]);
      if (hub.feed.isFailing || live.isBehind(ordered.views, hub.feed.heads))
        throw away('the tail of the live events stands still');
      return {
        status: 'ready',
        redis: { orderingMs: ordered.ms, deliveryMs: delivered.ms },
        owned: { ordering: ownedOf(ordered.views), delivery: ownedOf(delivered.views) },
        durability: { level: ordering.durability, reached: ordering.reached && delivery.reached },
      };
    },
  };
}

const away = (detail: string, cause?: unknown): ApiProblem =>
  new ApiProblem('store-unavailable', { detail }, { cause: cause ?? new Error(detail) });

const ownedOf = (views: readonly ShardView[]): string =>
  `${views.filter(({ owner }) => owner !== undefined).length}/${views.length}`;

/** One context: per look a ping and the position of its tail; its shards as read at most `shardViewsKeptMs` ago. */
function contextOver(name: 'ordering' | 'delivery', client: Client, ticker: Ticker) {
  const answers = createLag(ticker);
  let read: Promise<readonly ShardView[]> | undefined;
  let readAt = 0;
  const shards = (): Promise<readonly ShardView[]> => {
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
      const [ms, views] = await Promise.all([client.ping(), shards()]).catch((error: unknown) => {
        // Its words name address and setting: they are for the log, where the problem's cause goes.
        const isWeak = (error as { code?: unknown }).code === 'durability-too-weak';
        throw away(isWeak ? `the store of ${name} is weaker than promised` : 'a store does not answer', error);
      });
      const heard = await client.heard().catch((error: unknown) => {
        throw away(`the tail of the answers of ${name} cannot be opened`, error);
      });
      if (answers.isBehind(views, heard)) throw away(`the tail of the answers of ${name} stands still`);
      return { ms, views };
    },
  };
}

/** Judges by looks: behind is who has not reached a head `tailLagMs` after it was seen. A rewound head is another one. */
export function createLag(ticker: Ticker) {
  const owed = new Map<number, { readonly head: number; readonly since: number }>();
  return {
    isBehind(views: readonly ShardView[], heads: ReadonlyMap<number, JournalPosition>): boolean {
      const now = ticker.now();
      for (const { shard, head } of views) {
        const heard = heads.get(shard)?.number ?? 0;
        const due = owed.get(shard);
        if (heard >= head) owed.delete(shard);
        else if (due === undefined || heard >= due.head || head < due.head) owed.set(shard, { head, since: now });
      }
      return [...owed.values()].some(({ since }) => now - since > limits.tailLagMs);
    },
  };
}
