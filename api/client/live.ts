// The live client: follows orders over the WebSocket through restarts of everything. Browser-safe.
//
//   P2  Each version of each order is handed on once and in order, or replaced by a snapshot that says so. What is at or below
//       the last one is dropped; an event whose `previous` is not the last one makes it ask again from there.
//
// It reconnects with full jitter, says hello with a fresh ticket, and resumes every subscription where it stood.

import type { Problem } from '../../actors/contract/problems.ts';
import {
  CURSOR_SHARDS_MAX,
  type Cursor,
  closeCodes,
  type EventFrame,
  type Mark,
  parseServerFrame,
  type ServerFrame,
  type SnapshotFrame,
  SUBPROTOCOL,
} from '../live/protocol.ts';
import { pause, systemTicker, type Ticker } from './clock.ts';

/** What of a WebSocket is used: the browser's and that of `ws` have it. */
export interface LiveSocket {
  readonly readyState: number;
  send(text: string): void;
  close(code?: number, reason?: string): void;
  addEventListener(type: 'open' | 'error', listener: () => void): void;
  addEventListener(type: 'message', listener: (event: { readonly data: unknown }) => void): void;
  addEventListener(type: 'close', listener: (event: { readonly code: number; readonly reason: string }) => void): void;
}

export interface LiveOptions {
  /** For example `ws://127.0.0.1:8080/api/v1/ws`. */
  readonly url: string;
  /** Fetches a one-time ticket; called before every connection. */
  readonly ticket: () => Promise<string>;
  /** Makes a socket; the global WebSocket by default. */
  readonly connect?: (url: string, protocol: string) => LiveSocket;
  readonly ticker?: Ticker;
  /** Told of state changes, for displays and logs. */
  readonly onState?: (state: LiveState, detail: string) => void;
}

/** `closed`: by the caller, or for good by a server that cannot read our frames (4400); trying again would not change that. */
export type LiveState = 'connecting' | 'live' | 'waiting' | 'closed';

export type LiveEvent = EventFrame;
export type LiveSnapshot = SnapshotFrame & {
  /** Versions between the last one handed on and this one were not seen. */ readonly gap: boolean;
};

export interface SubscriptionOptions {
  readonly topic: string;
  /**
   * One order: only what comes after this version. Without it, the first thing handed on is a snapshot. Above 0 it takes the
   * cursor that was kept with it: a number alone does not say whether that version was undone, and a snapshot comes.
   */
  readonly since?: number;
  /** From a cursor kept before. */
  readonly cursor?: Cursor;
  readonly onEvent?: (event: LiveEvent) => void;
  readonly onSnapshot?: (snapshot: LiveSnapshot) => void;
  /** The server refused it for good, for example because the order is not there for this caller. */
  readonly onRefused?: (problem: Problem) => void;
}

export interface LiveSubscription {
  readonly topic: string;
  /** One order: last version handed on. */
  readonly version: number | undefined;
  /** Where it stands, to be kept and passed again; of one order, with the version. */
  readonly cursor: Cursor | undefined;
  close(): void;
}

interface Followed extends SubscriptionOptions {
  readonly id: string;
  last: number | undefined;
  positions: Record<string, Mark> | undefined;
  /** Many orders: last version per order. */
  readonly versions: Map<string, number>;
  gap: boolean;
}

interface Ended {
  readonly welcomed: boolean;
  readonly reason: string;
  /** Trying again is of no use without a change on this side. */
  readonly isFinal: boolean;
}

const OPEN = 1;
const SILENCE_MS_MAX = 60_000; // Two heartbeats of 25 s, and room for a slow network.
const FIRST_DELAY_MS = 100;
const MAX_DELAY_MS = 5_000;
const ACK_EVERY = 50;
const ACK_AFTER_MS = 1_000;

export class LiveClient {
  readonly #options: LiveOptions;
  readonly #ticker: Ticker;
  readonly #followed = new Map<string, Followed>();
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  #socket: LiveSocket | undefined;
  #welcome = false;
  #nextId = 1;
  #unacked = 0;
  #lastEventId: string | undefined;
  #ackTimer: (() => void) | undefined;
  #reconnectAfterMs: number | undefined;

  /** Connects at once and for as long as it is not closed. The state says when it gives up (`LiveState`). */
  constructor(options: LiveOptions) {
    this.#options = options;
    this.#ticker = options.ticker ?? systemTicker;
    this.#running = this.#run();
  }

  /** Follows a topic until the returned subscription is closed. Callbacks must not throw. */
  subscribe(options: SubscriptionOptions): LiveSubscription {
    const followed: Followed = {
      ...options,
      id: `s${this.#nextId++}`,
      last: options.since,
      positions: options.cursor === undefined ? undefined : { ...options.cursor },
      versions: new Map(),
      gap: false,
    };
    this.#followed.set(followed.id, followed);
    if (this.#welcome) this.#ask(followed);
    return {
      topic: options.topic,
      get version() {
        return followed.last;
      },
      get cursor() {
        return followed.positions;
      },
      close: () => {
        if (!this.#followed.delete(followed.id)) return;
        if (this.#welcome) this.#send({ kind: 'unsubscribe', id: followed.id });
      },
    };
  }

  /** Ends everything; resolves when the socket is gone. */
  async close(): Promise<void> {
    this.#stop.abort();
    this.#socket?.close(1000, 'done');
    await this.#running;
  }

  // --- Connections, one after the other ---

  async #run(): Promise<void> {
    let failures = 0;
    while (!this.#stop.signal.aborted) {
      this.#options.onState?.('connecting', this.#options.url);
      const ended = await this.#once();
      failures = ended.welcomed ? 0 : failures + 1;
      if (this.#stop.signal.aborted) break;
      if (ended.isFinal) return this.#options.onState?.('closed', ended.reason);
      const ceiling = Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** failures);
      const wait = (this.#reconnectAfterMs ?? 0) + Math.round(this.#ticker.random() * ceiling);
      this.#reconnectAfterMs = undefined;
      this.#options.onState?.('waiting', ended.reason);
      await pause(this.#ticker, wait, this.#stop.signal);
    }
    this.#options.onState?.('closed', '');
  }

  /** One connection from ticket to close. Never rejects. */
  async #once(): Promise<Ended> {
    let ticket: string;
    let socket: LiveSocket;
    try {
      ticket = await this.#options.ticket();
      if (this.#stop.signal.aborted) return { welcomed: false, reason: 'closed', isFinal: false };
      socket = this.#open();
    } catch (error) {
      return { welcomed: false, reason: error instanceof Error ? error.message : 'no ticket', isFinal: false };
    }

    return new Promise((resolve) => {
      let welcomed = false;
      let stopListening = (): void => undefined;
      this.#socket = socket;
      const ended = (reason: string, code?: number): void => {
        stopListening();
        this.#welcome = false;
        this.#socket = undefined;
        this.#ackTimer?.();
        this.#ackTimer = undefined;
        this.#unacked = 0;
        resolve({ welcomed, reason, isFinal: code === closeCodes.badFrame });
      };
      // A network that was cut says nothing: two missed heartbeats of the hub are the end of the connection.
      const heard = (): void => {
        stopListening();
        stopListening = this.#ticker.after(SILENCE_MS_MAX, () => {
          socket.close();
          ended('silence');
        });
      };
      heard();
      socket.addEventListener('open', () => socket.send(JSON.stringify({ kind: 'hello', ticket })));
      socket.addEventListener('error', () => undefined); // A close follows.
      socket.addEventListener('message', ({ data }) => {
        if (this.#socket !== socket) return; // Given up meanwhile.
        heard();
        const frame = typeof data === 'string' ? parseServerFrame(data) : undefined;
        if (frame?.kind === 'welcome') welcomed = true;
        if (frame !== undefined) this.#take(frame);
      });
      socket.addEventListener('close', ({ code, reason }) => {
        if (this.#socket === socket) ended(`${code} ${reason}`, code);
      });
    });
  }

  #open(): LiveSocket {
    const { url, connect } = this.#options;
    if (connect !== undefined) return connect(url, SUBPROTOCOL);
    const Global = (globalThis as { WebSocket?: new (url: string, protocol: string) => LiveSocket }).WebSocket;
    if (Global === undefined) throw new TypeError('There is no global WebSocket here: pass `connect`.');
    return new Global(url, SUBPROTOCOL);
  }

  // --- Frames ---

  #take(frame: ServerFrame): void {
    switch (frame.kind) {
      case 'welcome':
        this.#welcome = true;
        this.#options.onState?.('live', frame.sessionId);
        for (const followed of this.#followed.values()) this.#ask(followed);
        return;
      case 'event':
        this.#event(frame);
        return;
      case 'snapshot':
        this.#snapshot(frame);
        return;
      case 'gap': {
        const followed = this.#followed.get(frame.id);
        if (followed !== undefined) followed.gap = true;
        return;
      }
      case 'ping':
        this.#send({ kind: 'pong', t: frame.t });
        return;
      case 'goaway':
        this.#reconnectAfterMs = frame.reconnectAfterMs;
        this.#socket?.close(1000, 'goaway');
        return;
      case 'error':
        this.#refused(frame.id, frame.problem);
        return;
      case 'pong':
        return;
    }
  }

  #event(frame: EventFrame): void {
    this.#acknowledge(frame.eventId);
    const followed = this.#followed.get(frame.id);
    if (followed === undefined) return;
    const isOne = followed.topic.startsWith('order:');
    const last = isOne ? followed.last : followed.versions.get(frame.orderId);
    const [shard, ...mark] = frame.at;
    if (!isOne && followed.positions !== undefined) followed.positions[String(shard)] = mark;
    if (last !== undefined && frame.version <= last) return;
    if (isOne && last !== undefined && frame.previous > last) {
      this.#again(followed);
      return;
    }

    if (isOne) {
      followed.last = frame.version;
      followed.positions = { [String(shard)]: mark };
    } else {
      followed.versions.set(frame.orderId, frame.version);
    }
    followed.onEvent?.(frame);
  }

  #snapshot(frame: SnapshotFrame): void {
    const followed = this.#followed.get(frame.id);
    if (followed === undefined) return;
    const isOne = followed.topic.startsWith('order:');
    const gap = followed.gap || (isOne && followed.last !== undefined && frame.version > followed.last);
    followed.gap = false;
    followed.positions = frame.cursor === undefined ? undefined : { ...frame.cursor };
    if (isOne) followed.last = frame.version;
    else followed.versions.clear();
    followed.onSnapshot?.({ ...frame, gap });
  }

  #refused(id: string | undefined, problem: Problem): void {
    const followed = id === undefined ? undefined : this.#followed.get(id);
    if (followed === undefined) return;
    if (problem.retryable) {
      this.#ticker.after(FIRST_DELAY_MS * 5, () => {
        if (this.#welcome && this.#followed.has(followed.id)) this.#ask(followed);
      });
      return;
    }
    this.#followed.delete(followed.id);
    followed.onRefused?.(problem);
  }

  #ask(followed: Followed): void {
    const { id, topic, last, positions } = followed;
    const isKept = positions !== undefined && Object.keys(positions).length <= CURSOR_SHARDS_MAX;
    followed.gap ||= positions !== undefined && !isKept;
    this.#send({
      kind: 'subscribe',
      id,
      topic,
      ...(topic.startsWith('order:') && last !== undefined ? { since: last } : {}),
      ...(isKept ? { cursor: positions } : {}),
    });
  }

  /** Something is missing in between: begins anew under another id, from the last version handed on. */
  #again(followed: Followed): void {
    this.#send({ kind: 'unsubscribe', id: followed.id });
    this.#followed.delete(followed.id);
    const next = Object.assign(followed, { id: `s${this.#nextId++}` });
    this.#followed.set(next.id, next);
    this.#ask(next);
  }

  /** Every 50 events, or a second after one: enough for the server to know that somebody reads. */
  #acknowledge(eventId: string): void {
    this.#lastEventId = eventId;
    this.#unacked++;
    const ack = (): void => {
      this.#ackTimer?.();
      this.#ackTimer = undefined;
      if (this.#unacked === 0 || this.#lastEventId === undefined) return;
      this.#unacked = 0;
      this.#send({ kind: 'ack', eventId: this.#lastEventId });
    };
    if (this.#unacked >= ACK_EVERY) {
      ack();
      return;
    }
    this.#ackTimer ??= this.#ticker.after(ACK_AFTER_MS, ack);
  }

  #send(frame: object): void {
    if (this.#socket?.readyState === OPEN) this.#socket.send(JSON.stringify(frame));
  }
}
