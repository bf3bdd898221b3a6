// The client door: everything the api, the command line and the benches may do to a namespace.
//
// A client holds no truth and no lock. Every write is intake (L3) or an operator's message; every read says which
// version it saw. Created by `connect`; `close` ends its connections and open watches.

import type { Clock } from './clock.ts';
import type { SheetChange, Swapped } from './functions/swap.ts';
import type { ActorId, Namespace, Sequence } from './ids.ts';
import type { Event, Json, JsonObject } from './json.ts';
import type { Answer, JournalEntry, JournalPosition } from './messages.ts';
import type { Connector } from './redis/connector.ts';
import type { Takeover } from './shards/takeover.ts';

export { connect } from './client/connect.ts';
export { OperatingError, OutcomeUnknown } from './errors.ts';
export type { SheetChange, SheetFields, Swapped } from './functions/swap.ts';
export type { JournalPosition } from './messages.ts';
export type { Takeover, TakeoverCause } from './shards/takeover.ts';

export interface Command {
  readonly actor: ActorId;
  readonly event: Event;
  /** Identifies the command per actor: a repeat with the same id is the same command (M1). 1–200 characters. */
  readonly messageId: string;
  /** Text whose digest tells a repeat from another command under the same id; default: the JSON of event and create. */
  readonly fingerprint?: string;
  readonly create?: { readonly machine: string; readonly input: JsonObject };
  /** Who sends it, for the journal. No personal data. */
  readonly from?: string;
  readonly trace?: string;
}

export type SendOutcome =
  | { readonly kind: 'accepted'; readonly position: number }
  | { readonly kind: 'duplicate'; readonly answer: Answer | undefined } // undefined: accepted before and still running.
  | { readonly kind: 'key-reused' }
  | { readonly kind: 'rejected'; readonly reason: 'mailbox-full'; readonly retryAfterMs: number };

export type AskOutcome =
  | { readonly kind: 'answered'; readonly answer: Answer; readonly replayed: boolean }
  | { readonly kind: 'running' } // A repeat whose first sending has not been answered yet.
  | { readonly kind: 'key-reused' }
  | { readonly kind: 'rejected'; readonly reason: 'mailbox-full'; readonly retryAfterMs: number }
  | { readonly kind: 'unknown' }; // Accepted, or perhaps accepted; no answer in time. Safe to repeat under the same id.

export type TravelOutcome =
  | {
      /** `same`: noted before, under this message id. */
      readonly kind: 'travelled' | 'same';
      /** Domain time that the namespace had travelled in all with this one. */
      readonly totalMs: number;
      /** False: some shard is not there yet, for want of an owner. It will be before its next step. */
      readonly arrived: boolean;
    }
  | { readonly kind: 'key-reused' }; // Other ms under the message id.

export interface ActorView {
  readonly actor: ActorId;
  readonly machine: string;
  readonly machineVersion: string;
  readonly version: Sequence;
  /** Counter of the owner's token at the read: part of the ETag (P3). */
  readonly counter: number;
  readonly value: Json;
  readonly context: JsonObject;
  readonly status: 'active' | 'done' | 'error' | 'stopped';
  readonly states: readonly string[];
  readonly parked: boolean;
  /** Domain time of the last step (T2). */
  readonly updatedAt: number;
  /** Last announced version and its announcement's data (P2). */
  readonly announced: number;
  readonly announcement: { readonly type: string; readonly data: JsonObject } | undefined;
}

/** An actor in a state since a reading of the server's clock in ms. */
export interface Standing {
  readonly actor: ActorId;
  readonly since: number;
}

export interface ShardView {
  readonly shard: number;
  readonly owner: string | undefined;
  readonly token: string | undefined;
  readonly assigned: string | undefined;
  /** Worker that it must be with while that one is alive. */
  readonly pinned: string | undefined;
  /** Entries accepted and not handled yet. */
  readonly lag: number;
  readonly head: number;
  readonly actors: number;
  readonly timers: number;
  readonly effects: number;
  readonly parked: number;
  readonly claimedAt: number;
  /** What the owner said with its last heartbeat; undefined where it has not said anything (yet). Left of its lease, in ms. */
  readonly leaseMs: number | undefined;
  /** Actors in its memory. */
  readonly residents: number | undefined;
  readonly takeover: Takeover | undefined;
}

/** What is still on its way in a shard, counted in Redis. */
export interface ShardLeftovers {
  readonly shard: number;
  /** The consumer group that the last claim made; undefined when nobody ever claimed the shard. */
  readonly group: string | undefined;
  /** All groups of the inbox, with the entries delivered to them and not acknowledged. */
  readonly groups: readonly { readonly name: string; readonly pending: number }[];
  /** Inbox entries that the group has not read. */
  readonly unread: number;
  /** Messages accepted and not handled: as the shard's counter has it, and as the counters of its actors add up to (M1). */
  readonly backlog: number;
  readonly open: number;
  /** Due times of timers and effects; rows of timers; open effects; effects with an attempt noted. */
  readonly due: number;
  readonly rows: number;
  readonly effects: number;
  readonly attempts: number;
  /** Lane → `token|n` of the last record received, and of the last one written (M3). */
  readonly lanesIn: Readonly<Record<string, string>>;
  readonly lanesOut: Readonly<Record<string, string>>;
}

export interface WorkerView {
  readonly worker: string;
  /** `away`: ended in order, and its shards are held until it is back. */
  readonly state: 'alive' | 'suspect' | 'dead' | 'away';
  readonly heartbeatAgeMs: number;
  /** How unusual that silence is, 0 … 99, as this client has heard the worker so far. From 5 on it is suspect. */
  readonly phi: number;
  /** Its share of the shards beside the others; 0 stands by. */
  readonly weight: number;
  readonly shards: readonly number[];
  readonly residents: number;
  readonly steps: number;
  readonly fenced: number;
  readonly startedAt: number;
  readonly version: string;
  /** The library of functions that it calls, such as `emboss_v1`. */
  readonly library: string;
}

export interface ParkedView {
  readonly actor: ActorId;
  readonly shard: number;
  /** What is being done about it: an operator's act takes until the last waiting message. */
  readonly mode: 'parked' | 'redriving' | 'discarding';
  readonly cause: JsonObject;
  readonly waiting: number;
  readonly at: number;
}

export interface TimerView {
  readonly actor: ActorId | undefined;
  readonly shard: number;
  readonly id: string;
  readonly kind: 'timer' | 'effect';
  readonly dueAt: number;
}

export interface Watch extends AsyncIterable<JournalEntry> {
  close(): void;
}

export interface Client {
  readonly namespace: Namespace;
  readonly shards: number;
  /** What an accepted or answered command survives: `memory`, `fsync` or `replicas:n`. */
  readonly durability: string;
  /** False while fewer replicas than that have what was written: commands are refused meanwhile. */
  readonly reached: boolean;
  /** 1 is real time; 3600 plays an hour in a second (T2). */
  readonly timeScale: number;
  /** Whether it may travel in time: recorded at the first start (T2). */
  readonly virtualTime: boolean;
  /** Estimate of the server's clock in ms (T2). */
  now(): number;
  /**
   * What time it is for the charts, in ms: `now` where time is real. After a travel of somebody else it is behind for at most
   * 250 ms and a round trip.
   */
  domainNow(): number;
  /** Domain time that the namespace has travelled in all, in ms, as last heard. */
  readonly travelledMs: number;
  /**
   * Moves domain time forward by whole `ms`, in all shards; timers that come due happen in their order, each at its time (T2).
   * Waits up to `waitMs` (3 s) for the shards to be there. A repeat under the same message id moves nothing. Throws OperatingError
   * `not-virtual`, `travel-too-far` (more than a hundred years in all), `bad-setting`; OutcomeUnknown.
   */
  travel(
    ms: number,
    by: string,
    options?: { readonly messageId?: string; readonly waitMs?: number },
  ): Promise<TravelOutcome>;
  /** M6: the same arguments give the same id, and nobody without the namespace's secret can guess it. */
  derive(prefix: string, ...parts: readonly string[]): ActorId;
  /** M6: keyed digest in lower-case hex, for codes and references that must not be guessable. */
  digest(...parts: readonly string[]): string;
  shardOf(actor: ActorId): number;

  /** M1. One round trip. Throws OutcomeUnknown (repeat under the same id) or OperatingError. */
  send(command: Command): Promise<SendOutcome>;
  /** `send`, then waits up to `timeoutMs` for the answer. Never throws for a lost reply: that is `unknown`. */
  ask(command: Command, options?: { readonly timeoutMs?: number }): Promise<AskOutcome>;
  /** The actor as last committed; undefined when there is none. With `floor`, waits up to `waitMs` (500) for that version (P3). */
  read(actor: ActorId, options?: { readonly floor?: number; readonly waitMs?: number }): Promise<ActorView | undefined>;
  /** Reads many actors of any shards, order kept. One round trip per 500. */
  readMany(actors: readonly ActorId[]): Promise<readonly (ActorView | undefined)[]>;
  /** The actor's own journal entries with sequence above `after`, oldest first, at most `limit` (default 200, max 1000). */
  history(
    actor: ActorId,
    options?: { readonly after?: number; readonly limit?: number },
  ): Promise<readonly JournalEntry[]>;
  /**
   * Actors in one leaf state, longest there first, then by id; at most `limit` (100), from behind `after` on, which is the last
   * row of the page before. One read per shard, and one more for each `limit` actors that entered in the millisecond of `after`.
   * Who leaves between two pages is missed, and who comes back is met again: it is an index, not a snapshot.
   */
  inState(machine: string, state: string, limit?: number, after?: Standing): Promise<readonly Standing[]>;
  /** Counts per leaf state of a machine; a state without actors is absent. */
  population(machine: string): Promise<ReadonlyMap<string, number>>;
  /**
   * How far this client has heard the journals, position by shard: the tail by which `ask` hears its answers. Opens it when
   * nobody has. A head that stays above its position for long is a tail that is broken.
   */
  heard(): Promise<ReadonlyMap<number, JournalPosition>>;
  /**
   * Follows the journals of all shards from when the tail is open, after `heard()` at the latest, in order per shard, across
   * reconnections and without a gap. One shared reader per client, however many watches. With `from`, positions by shard, it
   * goes on above them, with a reader of its own; a shard that is not in it begins at its head. Where the entry at a position
   * was undone, also while nobody watched, the first told of the shard is `rewound`, with the position from which it goes on.
   */
  watch(options?: { readonly from?: ReadonlyMap<number, JournalPosition>; readonly signal?: AbortSignal }): Watch;
  /** Journal entries of one shard above a position; the raw form of `watch`, for auditors. */
  journal(shard: number, after: number, limit: number): Promise<readonly JournalEntry[]>;
  /** The last entry of a shard's journal, to be compared later (P1). Asked in the turn after a `read`, it stands at or above it. */
  head(shard: number): Promise<JournalPosition>;
  /** Stored snapshot text `{machine, version, hash, snapshot}`, for auditors. */
  stored(actor: ActorId): Promise<string | undefined>;
  /** Ids of all actors of a shard, for auditors. */
  actorsOf(shard: number): AsyncIterable<ActorId>;
  /** What is still on its way, shard by shard, for auditors. About two round trips per shard and one per 500 actors. */
  leftovers(): Promise<readonly ShardLeftovers[]>;

  /** GCRA: `allowed` or how long to wait. `rate` per `perMs`, bursts up to `burst`. One round trip. */
  limit(
    key: string,
    rate: { readonly count: number; readonly perMs: number; readonly burst: number },
  ): Promise<{ readonly allowed: boolean; readonly retryAfterMs: number }>;
  /** True for exactly one caller per key within `ttlMs`. One round trip. Convenience only: nothing safe rests on it. */
  once(key: string, ttlMs: number): Promise<boolean>;
  /** Small opaque values under `once`-like keys that expire: tickets. */
  keep(key: string, value: string, ttlMs: number): Promise<void>;
  /** Takes what `keep` stored; a second take gives undefined. */
  take(key: string): Promise<string | undefined>;
  /** Records beside the actors, written once: put answers `stored`, or `same`/`other` when the id is taken. */
  putRecord(id: string, bytes: string): Promise<'stored' | 'same' | 'other'>;
  getRecord(id: string): Promise<string | undefined>;
  dropRecord(id: string): Promise<boolean>;
  /** Fields of a sheet, absent ones left out; all of them without `fields`. One round trip. */
  readSheet(id: string, fields?: readonly string[]): Promise<Readonly<Record<string, string>>>;
  /**
   * Changes a sheet as a whole, if all that `when` names is as it says; else nothing, and the answer names a field that is
   * not. The field `rev` is the store's: it counts changes. One round trip.
   */
  changeSheet(id: string, change: SheetChange): Promise<Swapped>;

  /** Of all shards, or of those named. Seven reads for each. */
  shardViews(only?: readonly number[]): Promise<readonly ShardView[]>;
  workerViews(): Promise<readonly WorkerView[]>;
  /**
   * Pins a shard to a worker, or frees it with `undefined`; the workers move it within a beat or two (L1). False when it was
   * so before. Throws OperatingError: `shard-unknown`, `worker-unknown` (no member has that id), `not-published` (no worker
   * was ever there, or others publish all the time). Two round trips, more where somebody publishes meanwhile.
   */
  pin(shard: number, worker: string | undefined): Promise<boolean>;
  parked(): Promise<readonly ParkedView[]>;
  timers(options?: { readonly limit?: number }): Promise<readonly TimerView[]>;
  circuits(): Promise<
    readonly {
      readonly name: string;
      readonly state: 'closed' | 'open' | 'half-open';
      readonly failures: number;
      readonly since: number;
    }[]
  >;
  /** M5: operator's acts; they travel as control messages and are journaled. Under an `id` of its own a repeat is the same act. */
  redrive(actor: ActorId, by: string, id?: string): Promise<SendOutcome>;
  discard(actor: ActorId, by: string, id?: string): Promise<SendOutcome>;

  /** PING round trip in ms; throws OperatingError `redis-unavailable`. */
  ping(): Promise<number>;
  close(): Promise<void>;
}

export interface ConnectOptions {
  readonly namespace: string;
  readonly url: string;
  /** Key material for derive and digest. At least 16 characters. */
  readonly secret: string;
  /** Counters beyond which `send` answers `mailbox-full` (M1). */
  readonly mailbox?: { readonly perActorMax?: number; readonly perShardMax?: number };
  /** Given, the namespace is founded with it or compared to it (L1); left out, it must have been founded. */
  readonly config?: {
    readonly shards: number;
    readonly timeScale: number;
    readonly virtualTime?: boolean;
    readonly timeOrigin?: number;
  };
  /** Default `memory`: what the server must be able to keep. A weaker one is refused. */
  readonly durability?: string;
  readonly clock?: Clock;
  /** Where connections come from. Default: Redis at the URL. */
  readonly connector?: Connector;
}
