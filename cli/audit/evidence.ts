// What the card audit is given beside what any audit is given (runtime/testing): its two contexts, and what a client of the
// API was told. Plain data, so that every check can be shown a forged one.

import type { NamespaceEvidence } from '../../runtime/testing/index.ts';

export type { ChartOf, InvariantId, ShardEvidence, StoredActor } from '../../runtime/testing/index.ts';

export interface ContextEvidence extends Omit<NamespaceEvidence, 'namespace'> {
  readonly context: string;
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
