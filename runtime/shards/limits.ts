// Every bound of shard ownership, with its unit and the reason. Relations are asserted when an ownership starts.

import { invariant } from '../errors.ts';

export interface ShardLimits {
  /** Life of a lock without renewal. The longest time a crashed worker's shards can be held against their next owner. */
  readonly leaseMs: number;
  /** Pause between renewals: three tries fit into a lease. */
  readonly renewMs: number;
  /** With less of the lease left, no work starts (L4). Covers one commit and its deadline's usual tail. */
  readonly marginMs: number;
  /** Pause between heartbeats; the published assignment is read with each. */
  readonly heartbeatMs: number;
  /** Pause between two small reads of the assignment's head between the beats: a shard that moves waits for it. */
  readonly peekMs: number;
  /** Silence after which a member is suspected at the latest; six missed beats. Suspicion is shown and moves nothing. */
  readonly suspectMs: number;
  /** Silence after which a member counts as dead at the latest and its shards are given away. */
  readonly deadMs: number;
  /** Silence after which a member counts as dead whose connection the server has seen end. Two beats: a live one is back by then. */
  readonly goneMs: number;
  /** How long the shards of a worker wait for it that ended with the word that it comes back. A start takes about one second. */
  readonly restartMs: number;
  /** Pause before the next try for a lock that somebody else holds. */
  readonly lockRetryMs: number;
  /** Pause before the host is asked again to open a shard that it failed to open. */
  readonly openRetryMs: number;
  /** Entries of members dead for longer than this are removed. */
  readonly buryMs: number;
  /** How long a leaving worker may take to shut its shards before it goes anyway. */
  readonly leaveMs: number;
  /** How often the server's identity is looked at while the connection stays up. */
  readonly identityMs: number;
}

export const SHARD_LIMITS: ShardLimits = {
  leaseMs: 3_000,
  renewMs: 800,
  marginMs: 500,
  heartbeatMs: 250,
  peekMs: 80,
  suspectMs: 1_500,
  deadMs: 3_000,
  goneMs: 500,
  restartMs: 5_000,
  lockRetryMs: 50,
  openRetryMs: 500,
  buryMs: 60_000,
  leaveMs: 10_000,
  identityMs: 5_000,
};

/** Throws InvariantBroken when the limits contradict each other. */
export function checkLimits(limits: ShardLimits): void {
  invariant(limits.leaseMs >= 3 * limits.renewMs, 'L4: a lease outlives three renewals');
  invariant(
    limits.marginMs + limits.renewMs < limits.leaseMs,
    'L4: a lease renewed in time never falls below the margin',
  );
  invariant(
    limits.heartbeatMs < limits.suspectMs && limits.suspectMs < limits.deadMs && limits.goneMs <= limits.deadMs,
    'L1: alive, then suspect, then dead',
  );
  invariant(limits.goneMs >= 2 * limits.heartbeatMs, 'L1: a member that reconnects at once is not taken for gone');
}
