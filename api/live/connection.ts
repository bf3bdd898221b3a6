// One WebSocket: its frames, its limits, its subscriptions.
//
//   P2  A subscription first listens, then reads its picture, then sends what it heard above the picture: no gap and no repeat.
//       What could not be sent in time is sent again from the last version that was, or as one snapshot. What the server lost
//       is followed by a gap and a fresh snapshot, whatever the versions say.
//
// Nothing is done inside the socket's callbacks but to check and enqueue; one chain of work per connection does the rest.

import type { Client } from '../../runtime/client.ts';
import type { Principal } from '../auth/tokens.ts';
import type { Ticker } from '../client/clock.ts';
import { ApiProblem, problemBody, problemOf } from '../errors.ts';
import { limits } from '../limits.ts';
import type { Feed, FeedItem } from './feed.ts';
import { type ClientFrame, closeCodes, parseClientFrame, type ServerFrame } from './protocol.ts';
import { gone, replayAll, replayOrder } from './replay.ts';
import {
  cursorOf,
  isLive,
  isUndone,
  type Picture,
  readPicture,
  type Subscription,
  subscriptionOf,
  told,
} from './subscription.ts';
import { type Pictures, type Topic, topicOf } from './topics.ts';

/** The part of a `ws` socket that is used. */
export interface Socket {
  readonly readyState: number;
  readonly bufferedAmount: number;
  send(text: string): void;
  close(code: number, reason: string): void;
  terminate(): void;
}

export interface ConnectionParts {
  readonly client: Client;
  readonly feed: Feed;
  readonly ticker: Ticker;
  readonly pictures: Pictures;
  /** Redeems a one-time ticket. */
  readonly redeem: (ticket: string) => Promise<Principal | undefined>;
  readonly failed: (error: unknown) => void;
  readonly newSessionId: () => string;
}

const OPEN = 1;
const POLL_MS = 100;
const DRAINED_BYTES = 64 * 1024;
const CLOSE_WAIT_MS = 2_000;

export class Connection {
  readonly #socket: Socket;
  readonly #parts: ConnectionParts;
  readonly #subscriptions = new Map<string, Subscription>();
  readonly #timers = new Set<() => void>();
  #principal: Principal | undefined;
  #greeted = false;
  #closed = false;
  #work: Promise<void> = Promise.resolve();
  #pending = 0;
  #missedHeartbeats = 0;
  #frameBudget: number = limits.framesBurst;
  #frameBudgetAt: number;
  #unacked: string[] = [];
  #laggingSince: number | undefined;
  #polling = false;
  #conflatedAt = 0;
  readonly #unlisten: () => void;

  constructor(socket: Socket, parts: ConnectionParts) {
    this.#socket = socket;
    this.#parts = parts;
    this.#frameBudgetAt = parts.ticker.now();
    this.#later(limits.helloWaitMs, () => {
      if (this.#principal === undefined) this.close(closeCodes.unauthenticated, 'no hello');
    });
    this.#unlisten = parts.feed.listenRewinds((shard) => this.#rewound(shard));
    this.#heartbeat();
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** A message of the client. `text` is undefined for a binary one. */
  receive(text: string | undefined): void {
    if (this.#closed) return;
    this.#missedHeartbeats = 0;
    if (!this.#spendFrame() || this.#pending > limits.framesWaitingMax) {
      this.close(closeCodes.tooMany, 'too many frames');
      return;
    }
    const frame = text === undefined ? undefined : parseClientFrame(text);
    if (frame === undefined) {
      this.close(closeCodes.badFrame, 'bad frame');
      return;
    }

    if (frame.kind === 'hello') {
      if (this.#greeted) {
        this.close(closeCodes.badFrame, 'second hello');
        return;
      }
      this.#greeted = true;
      this.#enqueue(() => this.#hello(frame.ticket));
      return;
    }
    if (!this.#greeted) {
      this.close(closeCodes.unauthenticated, 'hello comes first');
      return;
    }
    this.#take(frame);
  }

  /** Ends it. The reason is for people who debug a client. */
  close(code: number, reason: string): void {
    if (this.#closed) return;
    this.ended();
    this.#socket.close(code, reason);
    this.#parts.ticker.after(CLOSE_WAIT_MS, () => this.#socket.terminate());
  }

  /** The socket is gone: lets go of everything. */
  ended(): void {
    this.#closed = true;
    this.#unlisten();
    for (const cancel of this.#timers) cancel();
    for (const subscription of this.#subscriptions.values()) this.#end(subscription);
    this.#subscriptions.clear();
  }

  goaway(reconnectAfterMs: number): void {
    this.#send({ kind: 'goaway', reconnectAfterMs });
  }

  // --- Frames ---

  #take(frame: Exclude<ClientFrame, { kind: 'hello' }>): void {
    switch (frame.kind) {
      case 'subscribe':
        this.#enqueue(() => this.#subscribe(frame));
        return;
      case 'unsubscribe':
        this.#enqueue(async () => {
          const subscription = this.#subscriptions.get(frame.id);
          if (subscription !== undefined) this.#end(subscription);
          this.#subscriptions.delete(frame.id);
        });
        return;
      case 'ack': {
        const index = this.#unacked.lastIndexOf(frame.eventId);
        if (index >= 0) this.#unacked.splice(0, index + 1);
        return;
      }
      case 'ping':
        this.#send({ kind: 'pong', t: frame.t });
        return;
      case 'pong':
        return;
    }
  }

  async #hello(ticket: string): Promise<void> {
    const { ticker } = this.#parts;
    const principal = await this.#parts.redeem(ticket);
    if (principal === undefined || principal.expiresAt <= ticker.now())
      return this.close(closeCodes.unauthenticated, 'ticket is not valid');
    if (this.#closed) return;
    this.#principal = principal;
    this.#later(Math.min(principal.expiresAt - ticker.now(), 0x7fffffff), () =>
      this.close(closeCodes.unauthenticated, 'token expired'),
    );
    this.#send({
      kind: 'welcome',
      sessionId: this.#parts.newSessionId(),
      heartbeatMs: limits.heartbeatMs,
      resumeWindowMs: limits.resumeWindowMs,
      serverTime: new Date(ticker.now()).toISOString(),
    });
  }

  async #subscribe(frame: Extract<ClientFrame, { kind: 'subscribe' }>): Promise<void> {
    const principal = this.#principal;
    if (principal === undefined) return; // The ticket was refused; the socket is closing.
    if (this.#subscriptions.has(frame.id))
      return this.#refuse(
        frame.id,
        new ApiProblem('validation-failed', { errors: [{ pointer: '/id', code: 'in-use' }] }),
      );
    if (this.#subscriptions.size >= limits.subscriptionsMax)
      return this.close(closeCodes.tooMany, 'too many subscriptions');
    const topic = topicOf(frame.topic, principal);
    if (topic === 'unknown') return this.#refuse(frame.id, new ApiProblem('not-found'));
    if (topic === 'forbidden') return this.#refuse(frame.id, new ApiProblem('forbidden'));

    const subscription = subscriptionOf(frame, topic);
    subscription.unlisten = this.#parts.feed.listen(topic.key, (item) => this.#offer(subscription, item));
    this.#subscriptions.set(frame.id, subscription);
    await this.#prime(subscription, principal);
  }

  // --- Subscriptions ---

  /** What the feed brings. Runs inside the feed's turn: checks, sends or queues, never waits. */
  #offer(subscription: Subscription, item: FeedItem): void {
    if (subscription.phase === 'priming') {
      subscription.queue.push(item);
      if (subscription.queue.length > limits.primingEventsMax) this.#stale(subscription);
    } else if (subscription.phase === 'live') {
      this.#deliver(subscription, item);
    } else {
      subscription.missed = true;
    }
  }

  /** Inside the feed's turn: what was sent of this shard may have been undone, so its pictures are read anew. */
  #rewound(shard: number): void {
    for (const subscription of this.#subscriptions.values()) {
      const { topic } = subscription;
      if (topic.kind === 'order' && this.#parts.client.shardOf(topic.actor) !== shard) continue;
      this.#undo(subscription);
    }
  }

  #undo(subscription: Subscription): void {
    subscription.rewinds++;
    subscription.missed = true;
    this.#stale(subscription);
  }

  #deliver(subscription: Subscription, item: FeedItem): void {
    if (subscription.topic.kind === 'order' && item.version <= (subscription.last ?? 0)) {
      // A version seen before, written by a later owner: the server lost its tail and went on.
      if (item.counter > subscription.counter) this.#undo(subscription);
      return;
    }
    if (this.#sendEvent(subscription, item)) told(subscription, item);
  }

  #stale(subscription: Subscription): void {
    subscription.phase = 'stale';
    subscription.missed ||= subscription.queue.length > 0;
    subscription.queue = [];
    this.#poll();
  }

  /** Reads what the subscription needs first, sends it, then what was heard meanwhile. */
  async #prime(subscription: Subscription, principal: Principal): Promise<void> {
    subscription.missed = false;
    try {
      const sent =
        subscription.topic.kind === 'order'
          ? await this.#primeOrder(subscription, subscription.topic, principal)
          : await this.#primeMany(subscription, subscription.topic, principal);
      subscription.missed ||= !sent;
      if (!sent || subscription.phase !== 'priming') return;
      const queue = subscription.queue;
      subscription.queue = [];
      subscription.phase = 'live';
      for (const item of queue) {
        if (isLive(subscription)) this.#deliver(subscription, item);
      }
    } catch (error) {
      // A store that lost its tail may be coming back: a client sent away now would ask again from versions that are undone.
      if (isUndone(subscription)) return this.#stale(subscription);
      this.#parts.failed(error);
      this.#refuse(subscription.id, problemOf(error));
    }
  }

  async #primeOrder(
    subscription: Subscription,
    topic: Extract<Topic, { kind: 'order' }>,
    principal: Principal,
  ): Promise<boolean> {
    const { client } = this.#parts;
    const picture = await readPicture(this.#parts, subscription, topic.actor, principal);
    if (picture === undefined) {
      this.#refuse(subscription.id, new ApiProblem('not-found'));
      return false;
    }
    const { counter, announced } = picture.view;
    const { last: since, lastEventId, positions } = subscription;
    if (since !== undefined) {
      const seen = { since, lastEventId, position: positions?.get(client.shardOf(topic.actor)) };
      const replay = isUndone(subscription) ? gone : await replayOrder(client, topic.actor, seen, announced);
      if (replay.kind === 'items') {
        subscription.counter = Math.max(subscription.counter, counter);
        return this.#sendAll(subscription, replay.items);
      }
    }
    return this.#sendSnapshot(subscription, picture, since);
  }

  /** An order as it stands, with a gap before it when what was sent before, up to `gapFrom`, does not lead there. */
  #sendSnapshot(subscription: Subscription, { view, state, head, rewinds }: Picture, gapFrom?: number): boolean {
    const { id, topic } = subscription;
    const gap = { kind: 'gap', id, topic: topic.name, from: gapFrom ?? 0, to: view.announced } as const;
    if (gapFrom !== undefined && !this.#send(gap)) return false;
    const positions = new Map([[this.#parts.client.shardOf(view.actor), head]]);
    const cursor = cursorOf(positions);
    if (!this.#send({ kind: 'snapshot', id, topic: topic.name, version: view.announced, state, cursor })) return false;
    subscription.positions = positions;
    subscription.last = view.announced;
    subscription.counter = view.counter;
    subscription.rewindsShown = rewinds;
    subscription.lastEventId = undefined; // The counter of a snapshot is that of the reading, not of the writing.
    return true;
  }

  /** For a client that does not acknowledge: the latest picture instead of every change, where there was one. */
  async #conflate(subscription: Subscription, principal: Principal): Promise<void> {
    const { topic } = subscription;
    if (subscription.phase !== 'stale' || !subscription.missed) return;
    subscription.missed = false;
    if (topic.kind !== 'order') {
      if (!(await this.#sendMany(subscription, topic, principal))) subscription.missed = true;
      return;
    }
    const picture = await readPicture(this.#parts, subscription, topic.actor, principal);
    if (picture === undefined) return this.#refuse(subscription.id, new ApiProblem('not-found'));
    const undoneFrom = isUndone(subscription) ? subscription.last : undefined;
    if (picture.view.announced === subscription.last && undoneFrom === undefined) return;
    if (!this.#sendSnapshot(subscription, picture, undoneFrom)) subscription.missed = true;
  }

  async #primeMany(
    subscription: Subscription,
    topic: Exclude<Topic, { kind: 'order' }>,
    principal: Principal,
  ): Promise<boolean> {
    const { client, feed } = this.#parts;
    if (subscription.positions === undefined || isUndone(subscription))
      return this.#sendMany(subscription, topic, principal);
    const heads = new Map(feed.heads); // What lies above comes by the feed; the subscription listens already.
    subscription.queue = [];
    const wanted = (item: FeedItem): boolean => topic.kind === 'all' || item.owner === topic.owner;
    const replay = await replayAll(client, subscription.positions, heads, wanted);
    if (replay.kind === 'gone') return this.#sendMany(subscription, topic, principal);
    const sent = this.#sendAll(subscription, replay.items);
    if (sent) for (const [shard, head] of heads) subscription.positions.set(shard, head);
    return sent;
  }

  /** The picture of many orders as they stand, with a gap before it when something else was sent before. */
  async #sendMany(
    subscription: Subscription,
    topic: Exclude<Topic, { kind: 'order' }>,
    principal: Principal,
  ): Promise<boolean> {
    const { feed, pictures } = this.#parts;
    const { id, rewinds, positions: before } = subscription;
    const heads = new Map(feed.heads);
    subscription.queue = [];
    const state = topic.kind === 'all' ? await pictures.all() : await pictures.mine(principal);
    const cursor = cursorOf(heads);
    if (before !== undefined && !this.#send({ kind: 'gap', id, topic: topic.name, from: 0, to: 0 })) return false;
    if (!this.#send({ kind: 'snapshot', id, topic: topic.name, version: 0, state, cursor })) return false;
    subscription.positions = heads;
    subscription.rewindsShown = rewinds;
    return true;
  }

  /** Sends a replay; false when the socket could not take all of it, and then the rest is read again later. */
  #sendAll(subscription: Subscription, items: readonly FeedItem[]): boolean {
    for (const item of items) {
      if (!this.#sendEvent(subscription, item)) return false;
      told(subscription, item);
    }
    return true;
  }

  #end(subscription: Subscription): void {
    subscription.phase = 'ended';
    subscription.queue = [];
    subscription.unlisten();
  }

  #refuse(id: string, problem: ApiProblem): void {
    const subscription = this.#subscriptions.get(id);
    if (subscription !== undefined && problem.slug !== 'validation-failed') {
      this.#end(subscription);
      this.#subscriptions.delete(id);
    }
    this.#send({ kind: 'error', id, problem: problemBody(problem, 'ws') });
  }

  // --- Sending, and what follows when the other side is slow ---

  #sendEvent(subscription: Subscription, item: FeedItem): boolean {
    if (subscription.phase === 'stale' || subscription.phase === 'ended') return false;
    const text = `{"kind":"event","id":${JSON.stringify(subscription.id)},"topic":${JSON.stringify(subscription.topic.name)},${item.tail}}`;
    if (this.#unacked.length >= limits.unackedMax || !this.#fits(text)) {
      subscription.missed = true;
      for (const each of this.#subscriptions.values()) if (each.phase !== 'ended') this.#stale(each);
      return false;
    }
    this.#unacked.push(item.eventId);
    this.#socket.send(text);
    return true;
  }

  /** False when the socket cannot take it: everything that is subscribed is then read again later. */
  #send(frame: ServerFrame): boolean {
    if (this.#closed || this.#socket.readyState !== OPEN) return false;
    const text = JSON.stringify(frame);
    if (frame.kind === 'snapshot' && !this.#fits(text)) {
      for (const each of this.#subscriptions.values()) if (each.phase !== 'ended') this.#stale(each);
      return false;
    }
    this.#socket.send(text);
    return true;
  }

  #fits(text: string): boolean {
    if (this.#socket.readyState !== OPEN) return false;
    return this.#socket.bufferedAmount + Buffer.byteLength(text) < limits.bufferedBytesMax;
  }

  /** Waits until the socket has drained and the client has acknowledged, then reads the stale subscriptions again. */
  #poll(): void {
    if (this.#polling || this.#closed) return;
    this.#polling = true;
    this.#later(POLL_MS, () => {
      this.#polling = false;
      const now = this.#parts.ticker.now();
      if (this.#socket.bufferedAmount > DRAINED_BYTES) {
        this.#laggingSince ??= now;
        if (now - this.#laggingSince > limits.slowConsumerMs)
          return this.close(closeCodes.slowConsumer, 'slow consumer');
        return this.#poll();
      }
      this.#laggingSince = undefined;
      const principal = this.#principal;
      if (principal === undefined) return;
      // Half of the room, so that a client on the edge does not switch at every event.
      if (this.#unacked.length > limits.unackedMax / 2) {
        if (now - this.#conflatedAt >= limits.conflateMs) {
          this.#conflatedAt = now;
          for (const subscription of this.#subscriptions.values())
            this.#enqueue(() => this.#conflate(subscription, principal));
        }
        return this.#poll();
      }
      for (const subscription of this.#subscriptions.values()) {
        this.#enqueue(async () => {
          if (subscription.phase !== 'stale') return;
          subscription.phase = 'priming';
          await this.#prime(subscription, principal);
        });
      }
    });
  }

  #heartbeat(): void {
    this.#later(limits.heartbeatMs, () => {
      if (this.#missedHeartbeats >= 2) return this.close(closeCodes.heartbeat, 'no heartbeat');
      this.#missedHeartbeats++;
      this.#send({ kind: 'ping', t: this.#parts.ticker.now() });
      this.#heartbeat();
    });
  }

  // --- The chain of work, timers, the budget of frames ---

  #enqueue(task: () => Promise<void>): void {
    this.#pending++;
    this.#work = this.#work.then(async () => {
      this.#pending--;
      if (this.#closed) return;
      try {
        await task();
      } catch (error) {
        this.#parts.failed(error);
        this.close(closeCodes.restart, 'try again');
      }
    });
  }

  #later(ms: number, task: () => void): void {
    const cancel = this.#parts.ticker.after(ms, () => {
      this.#timers.delete(cancel);
      if (!this.#closed) task();
    });
    this.#timers.add(cancel);
  }

  #spendFrame(): boolean {
    const now = this.#parts.ticker.now();
    const refill = ((now - this.#frameBudgetAt) / 1000) * limits.framesPerSecond;
    this.#frameBudget = Math.min(limits.framesBurst, this.#frameBudget + Math.max(0, refill)) - 1;
    this.#frameBudgetAt = now;
    return this.#frameBudget >= 0;
  }
}
