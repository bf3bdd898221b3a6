// What travels: messages into an inbox, answers out of it, journal entries. Wire formats: add fields, never change them.

import type { StoredError } from './errors.ts';
import type { Announcement } from './hosting.ts';
import type { ActorId, Sequence } from './ids.ts';
import type { Event, Json, JsonObject } from './json.ts';

/** The body of an inbox entry. */
export interface Message {
  /** `call` from a client, `lane` from another shard, `effect` the outcome of one, `control` an operator's act. */
  readonly kind: 'call' | 'lane' | 'effect' | 'control';
  readonly event: Event;
  readonly create?: { readonly machine: string; readonly input: JsonObject };
  /** Sender's actor for `lane`, principal for `call` and `control`: for the journal, never for a decision. */
  readonly from?: string;
  /** For `effect`: the execution the outcome belongs to. */
  readonly effect?: { readonly key: string; readonly child: string | null };
  /** W3C traceparent of the request that caused it. */
  readonly trace?: string;
}

/** What a caller's command came to. Kept in the dedupe record and replayed as it was (M6). */
export type Answer =
  | {
      readonly kind: 'applied';
      readonly version: Sequence;
      readonly counter: number;
      readonly at: number;
      readonly data?: Json;
    }
  | {
      readonly kind: 'refused';
      readonly reason: string;
      readonly version: Sequence;
      readonly counter: number;
      readonly allowed: readonly string[];
    }
  | { readonly kind: 'parked'; readonly version: Sequence; readonly counter: number };

/** Where a reader of a journal stands: number and token of the entry there (P1). Number 0 and no token: before the first. */
export interface JournalPosition {
  readonly number: number;
  readonly token: string;
}

/** One entry of a shard's journal, as readers get it. `position` is gapless per shard (C2). */
export interface JournalEntry {
  readonly shard: number;
  readonly position: number;
  readonly token: string;
  /** `rewound` is not stored: a reader that finds its position gone says so, once per shard (P2). */
  readonly kind:
    | 'moved'
    | 'refused'
    | 'parked'
    | 'redriven'
    | 'discarded'
    | 'late'
    | 'claimed'
    | 'released'
    | 'rewound';
  /** Absent on entries about the shard itself. */
  readonly actor?: ActorId;
  /** The actor's sequence after the step; unchanged for all kinds but `moved`. */
  readonly sequence?: Sequence;
  readonly machine?: string;
  readonly version?: string;
  readonly event?: Event;
  /** Input of the creating step. */
  readonly input?: JsonObject;
  readonly messageId?: string;
  /** Domain time of the step in ms: what the chart saw (T2). */
  readonly at: number;
  /** The server's clock at the step, as its owner estimated it; left out where time is real: then it is `at`. */
  readonly committedAt?: number;
  readonly from?: string;
  readonly states?: readonly string[];
  /** xxHash64 of the stored text, 16 hex digits: replay is checked against it. */
  readonly snapshotHash?: string;
  readonly emitted?: readonly Event[];
  readonly starts?: readonly { readonly key: string; readonly name: string }[];
  readonly announcement?: Announcement;
  /** The version announced before this one (P2). */
  readonly previous?: number;
  readonly answer?: Answer;
  readonly error?: StoredError;
  readonly worker?: string;
  readonly final?: boolean;
}
