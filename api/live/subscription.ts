// A subscription of one connection: what it follows, and up to where it was told.

import type { ActorView, Client, JournalPosition } from '../../runtime/client.ts';
import type { Principal } from '../auth/tokens.ts';
import type { ActorId } from '../parts.ts';
import type { FeedItem } from './feed.ts';
import type { ClientFrame, Cursor } from './protocol.ts';
import type { Pictures, Topic } from './topics.ts';

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
  /**
   * Position per shard up to which everything was sent: of many orders all shards, of one order its own, where the entry of the
   * last version stands or a later one.
   */
  positions: Map<number, JournalPosition> | undefined;
  /** Rewinds that concern it, and how many of them the last picture sent was read after. */
  rewinds: number;
  rewindsShown: number;
  unlisten: () => void;
}

/** An order as read, the head of its journal then, and how many rewinds the subscription knew of before the reading. */
export interface Picture {
  readonly view: ActorView;
  readonly head: JournalPosition;
  readonly state: { readonly [field: string]: unknown };
  readonly rewinds: number;
}

/** Undefined when the order is not there, or not theirs. Asked in one turn, the head stands at or above what the view shows. */
export async function readPicture(
  { client, pictures }: { readonly client: Client; readonly pictures: Pictures },
  { rewinds }: Subscription,
  actor: ActorId,
  principal: Principal,
): Promise<Picture | undefined> {
  const [view, head] = await Promise.all([client.read(actor), client.head(client.shardOf(actor))]);
  const state = pictures.order(view, principal);
  return view === undefined || state === undefined ? undefined : { view, head, state, rewinds };
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
    positions: cursor === undefined ? undefined : positionsOf(cursor),
    rewinds: 0,
    rewindsShown: 0,
    unlisten: () => undefined,
  };
}

/** A bare number names no entry: only the place before the first is known without a token. */
function positionsOf(cursor: Cursor): Map<number, JournalPosition> {
  const place = (mark: Cursor[string]): JournalPosition => {
    const [number, token] = typeof mark === 'number' ? [mark, ''] : mark;
    return { number, token };
  };
  return new Map(Object.entries(cursor).map(([shard, mark]) => [Number(shard), place(mark)]));
}

export const cursorOf = (positions: ReadonlyMap<number, JournalPosition>): Cursor =>
  Object.fromEntries([...positions].map(([shard, { number, token }]) => [shard, [number, token]]));

/** This change was sent. */
export function told(subscription: Subscription, { version, counter, eventId, shard, position }: FeedItem): void {
  if (subscription.topic.kind !== 'order') {
    subscription.positions?.set(shard, position);
    return;
  }
  subscription.positions = new Map([[shard, position]]);
  subscription.last = version;
  subscription.counter = Math.max(subscription.counter, counter);
  subscription.lastEventId = eventId;
}

/** What was sent may have been undone since: versions and positions say nothing then, and only a picture does. */
export const isUndone = ({ rewinds, rewindsShown }: Subscription): boolean => rewinds !== rewindsShown;

/** Asked through a function, since sending may change the phase behind the compiler's back. */
export const isLive = (subscription: Subscription): boolean => subscription.phase === 'live';
