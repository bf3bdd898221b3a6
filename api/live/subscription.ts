// A subscription of one connection: what it follows, and up to where it was told.

import type { ActorView } from '../../runtime/client.ts';
import type { FeedItem } from './feed.ts';
import type { ClientFrame } from './protocol.ts';
import type { Topic } from './topics.ts';

export interface Subscription {
  readonly id: string;
  readonly topic: Topic;
  /** `priming` queues what it hears; `stale` drops it and is read again later. */
  phase: 'priming' | 'live' | 'stale' | 'ended';
  queue: FeedItem[];
  /** Something may have been dropped since the last picture. */
  missed: boolean;
  /** One order: last version sent and the counter it was written under. */
  last: number | undefined;
  counter: number;
  lastEventId: string | undefined;
  /** Many orders: position per shard up to which everything was sent. */
  positions: Map<number, number> | undefined;
  /** Rewinds that concern it, and how many of them the last picture sent was read after. */
  rewinds: number;
  rewindsShown: number;
  unlisten: () => void;
}

/** An order as read, and how many rewinds the subscription knew of before the reading. */
export interface Picture {
  readonly view: ActorView;
  readonly state: { readonly [field: string]: unknown };
  readonly rewinds: number;
}

export function subscriptionOf(frame: Extract<ClientFrame, { kind: 'subscribe' }>, topic: Topic): Subscription {
  const { id, since, lastEventId, cursor } = frame;
  return {
    id,
    topic,
    phase: 'priming',
    queue: [],
    missed: false,
    last: since,
    counter: 0,
    lastEventId,
    positions:
      cursor === undefined ? undefined : new Map(Object.entries(cursor).map(([shard, at]) => [Number(shard), at])),
    rewinds: 0,
    rewindsShown: 0,
    unlisten: () => undefined,
  };
}

/** One order: this version was sent. */
export function told(subscription: Subscription, { version, counter, eventId }: FeedItem): void {
  subscription.last = version;
  subscription.counter = Math.max(subscription.counter, counter);
  subscription.lastEventId = eventId;
}

/** What was sent may have been undone since: versions and positions say nothing then, and only a picture does. */
export const isUndone = ({ rewinds, rewindsShown }: Subscription): boolean => rewinds !== rewindsShown;

/** Asked through a function, since sending may change the phase behind the compiler's back. */
export const isLive = (subscription: Subscription): boolean => subscription.phase === 'live';
