// What the checks are given: journals, stored snapshots, histories of clients, logs of subscribers, the partners' ledger,
// readings. Plain data, so that every check can be shown a forged one, and a simulation can make its own.

import type { ActorView, ParkedView, ShardLeftovers } from '../../client.ts';
import type { JournalEntry } from '../../messages.ts';
import type { Behaviour } from '../../statechart/behaviour.ts';
import type { History, Operation, Outcome } from './history.ts';
import type { Model } from './linearizability.ts';

/** One actor as stored, read so that `version` and `stored` belong together. */
export interface StoredActor {
  readonly actor: string;
  readonly version: number;
  /** `{machine, version, hash, snapshot}` as text. */
  readonly stored: string;
  /** The same as readers see it, where it was read through a client. */
  readonly view?: ActorView | undefined;
}

/** One shard. Actors were read before the journal, so the journal reaches at least as far as they do. */
export interface ShardEvidence {
  readonly shard: number;
  /** Position that the shard's record named before the journal was read. */
  readonly head: number;
  readonly entries: readonly JournalEntry[];
  readonly actors: readonly StoredActor[];
}

export interface NamespaceEvidence {
  readonly namespace: string;
  readonly shards: readonly ShardEvidence[];
  readonly parked: readonly ParkedView[];
  /** What is still on the way; left out, I8 does not look at it. */
  readonly leftovers?: readonly ShardLeftovers[] | undefined;
}

/** What a subscriber was told, in the order in which it came. */
export interface SubscriberLog {
  readonly name: string;
  /** `versions`: every step, as `client.watch` gives them. `announcements`: those with a visible change, as the hub gives them. */
  readonly of: 'versions' | 'announcements';
  readonly sights: readonly Sight[];
  /** It follows every actor from its first version on, without having subscribed to each. */
  readonly everything?: boolean | undefined;
  /** It was connected to the end and all was quiet: whatever the journals have, it must have been told. */
  readonly caughtUp?: boolean | undefined;
  /** Of one that follows the journals of a namespace: all it was told, which is then held against them entry by entry. */
  readonly journals?: { readonly namespace: string; readonly entries: readonly ReadEntry[] } | undefined;
}

/** An entry as a reader was told it. `rewound`: its position was gone, and what follows comes behind this one (P2). */
export type ReadEntry = Pick<JournalEntry, 'shard' | 'position' | 'token' | 'kind'>;

export type Sight =
  /** It subscribes or comes back: it has everything up to `after` and wants what follows. */
  | { readonly kind: 'resumed'; readonly actor: string; readonly after: number }
  /** `previous`: the version told before, as announcements name it (P2). */
  | { readonly kind: 'told'; readonly actor: string; readonly version: number; readonly previous?: number | undefined }
  /** A picture instead of steps: everything up to `version` counts as told. */
  | { readonly kind: 'snapshot'; readonly actor: string; readonly version: number }
  /** It was told that history was rewound, of one actor or of all: versions begin anew. */
  | { readonly kind: 'rewound'; readonly actor?: string | undefined };

/** One row of a partner's ledger: a call it got. */
export interface LedgerAct {
  /** The effect. */
  readonly name: string;
  /** The idempotency key that came with the call (E2). */
  readonly key: string;
  readonly attempt?: number | undefined;
  readonly actor: string;
  /** Names the act itself, whatever call asks for it; left out, the key stands for it. */
  readonly businessKey?: string | undefined;
  /** How often the act happened for this row; left out, a key's first row is an act and its repeats are none. */
  readonly acts?: number | undefined;
  /** What the act made, for people. */
  readonly results?: readonly string[] | undefined;
}

/** Measures by name, such as `worker.1 handles`. */
export type Reading = { readonly [measure: string]: number };

/** A server that lost its tail, as the trial that made it do so declares it. */
export interface DeclaredLoss {
  /** On the recorder's clock: from here on the server is the one that lost. */
  readonly at: number;
  /** What was acknowledged at most so long before may be missing. Everything older must be there. */
  readonly sinceMs: number;
}

export interface Allowances {
  readonly lossAllowed?: readonly DeclaredLoss[] | undefined;
  /** By measure: how far it may end above where it began. Left out: 0. */
  readonly growth?: Reading | undefined;
  /** Actors that are meant to be parked in the end. */
  readonly parked?: readonly string[] | undefined;
}

/** Finds the chart by the name a journal gives it; undefined when it is not known here. */
export type ChartOf = (machine: string) => Behaviour | undefined;

/** I7's model of an actor's operations. */
export type HistoryModel = Model<unknown, Operation, Outcome>;

export interface Evidence {
  readonly namespaces: readonly NamespaceEvidence[];
  readonly chartOf: ChartOf;
  readonly history?: History | undefined;
  /** Answers that clients got, without times of the recorder's clock: I1 looks them up, I7 does not judge them. */
  readonly acknowledged?: History | undefined;
  /** By actor; default `versions`. */
  readonly modelOf?: ((actor: string) => HistoryModel) | undefined;
  readonly subscribers?: readonly SubscriberLog[] | undefined;
  readonly ledger?: readonly LedgerAct[] | undefined;
  readonly before?: Reading | undefined;
  readonly after?: Reading | undefined;
  /** All is at rest: backlogs, open effects and pending entries must be gone (I8). */
  readonly quiet?: boolean | undefined;
  readonly allowances?: Allowances | undefined;
}
