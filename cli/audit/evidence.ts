// What the checks are given: journals, stored snapshots, the partners' ledger and what a client was told. Plain data, so
// that every check can be shown a forged one.

import type { ActorView, ParkedView } from '../../runtime/client.ts';
import type { JournalEntry } from '../../runtime/messages.ts';
import type { Behaviour } from '../../runtime/testing/index.ts';

/** One actor as stored, read so that `version` and `stored` belong together. */
export interface StoredActor {
  readonly actor: string;
  readonly version: number;
  /** `{machine, version, hash, snapshot}` as text. */
  readonly stored: string;
  readonly view: ActorView;
}

/** One shard. Actors were read before the journal, so the journal reaches at least as far as they do. */
export interface ShardEvidence {
  readonly shard: number;
  /** Position that the shard's record named before the journal was read. */
  readonly head: number;
  readonly entries: readonly JournalEntry[];
  readonly actors: readonly StoredActor[];
}

export interface ContextEvidence {
  readonly context: string;
  readonly shards: readonly ShardEvidence[];
  readonly parked: readonly ParkedView[];
}

/** A command a client got an answer to, as its log tells it. NDJSON, one per line. */
export interface Ack {
  readonly actor: string;
  /** The Idempotency-Key. With `scope` (who asked, for what) it names the command. */
  readonly key: string;
  readonly scope: string;
  /** HTTP status. 2xx: applied. 409 with a version: refused by the chart. */
  readonly status: number;
  /** The version the answer named. */
  readonly version?: number | undefined;
  /** Counter of the owner's token, from the ETag, where there was one. */
  readonly counter?: number | undefined;
  /** ISO 8601. */
  readonly at: string;
}

/** Finds the chart by the name a journal gives it; undefined when it is not known here. */
export type ChartOf = (machine: string) => Behaviour | undefined;
