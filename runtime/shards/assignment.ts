// The assignment: which worker should own each shard, as last published. Versioned, replaced by compare-and-set, computed
// alike by every live worker; there is no coordinator (L1).
//
// Observers do not agree on the instant of a death. So an assignment records the last sign of those it struck off: whoever
// has heard nothing newer from them takes them for gone as well, and does not publish them back in.

import { invariant } from '../errors.ts';
import type { WorkerId } from '../ids.ts';
import { type MemberView, markOf } from './membership.ts';
import type { Placement, Ring, RingMember } from './ring.ts';

/** Wire format: add fields, never change them. `version` and `nonce` stay the first two. */
export interface Assignment {
  readonly version: number;
  /** Two assignments with one version (the server lost its tail) differ here. */
  readonly nonce: string;
  readonly owners: readonly (WorkerId | null)[];
  readonly homes: readonly (WorkerId | null)[];
  readonly members: readonly RingMember[];
  /** Worker → last sign of it when it was struck off. */
  readonly gone: Readonly<Record<string, string>>;
  /** Shard → worker it must be with while that one is a member. */
  readonly pins: Readonly<Record<string, WorkerId>>;
  /** Who computed it: for people. */
  readonly by: WorkerId;
}

const MOVES_AT_ONCE = 4; // Per published assignment. More at once were measured to wait for each other: 1 s instead of 0.1 s.

/** First characters of its text: what a compare-and-set compares with. */
export const assignmentPrefix = (assignment: Assignment | undefined): string =>
  assignment === undefined ? '' : JSON.stringify({ version: assignment.version, nonce: assignment.nonce }).slice(0, -1);

/** Undefined for no text. Throws InvariantBroken for another number of shards. */
export function parseAssignment(text: string | null, shards: number): Assignment | undefined {
  if (text === null) return undefined;
  const read = JSON.parse(text) as Assignment; // Written by `publish` only.
  invariant(
    read.owners.length === shards,
    `L1: the assignment has ${read.owners.length} shards, the namespace ${shards}`,
  );
  return read;
}

export interface PlanRequest {
  readonly ring: Ring;
  readonly shards: number;
  readonly current: Assignment | undefined;
  /** A look at the members that is not older than `current`. */
  readonly members: readonly MemberView[];
  readonly by: WorkerId;
  readonly nonce: string;
}

/** The assignment that should follow, or undefined when the current one stands. Pure. */
export function planAssignment({ ring, shards, current, members, by, nonce }: PlanRequest): Assignment | undefined {
  const seen = members.filter((member) => serves(member, current));
  const serving = seen.map(ringMember);
  const present = seen.filter(({ state }) => state !== 'away').map(ringMember);
  // Nobody left to own anything: what was stays written, so that the next to start get their own shards back.
  if (present.length === 0) return undefined;
  const pins = current?.pins ?? {};
  const ringed = ring.assign({
    shards,
    members: present,
    previous: current,
    pins: new Map(Object.entries(pins).map(([shard, worker]) => [Number(shard), worker])),
  });
  const away = new Set(seen.filter(({ state }) => state === 'away').map(({ worker }) => worker));
  const target = current === undefined ? ringed : withHeld(ringed, current, away);
  const placed = current === undefined ? target : stepTowards(target, current, serving);
  if (current !== undefined && sameMembers(serving, current.members) && sameOwners(placed.owners, current.owners))
    return undefined;
  return {
    version: (current?.version ?? 0) + 1,
    nonce,
    owners: placed.owners,
    homes: placed.homes,
    members: [...serving].sort(byWorker),
    gone: goneAfter(members, serving),
    pins,
    by,
  };
}

/**
 * The assignment with a shard pinned to a worker, or free again. Owners stay as they are: the workers move the shard when
 * they see it (L1). Undefined when nothing changes. Pure.
 */
export function withPin(
  current: Assignment,
  {
    shard,
    worker,
    by,
    nonce,
  }: { readonly shard: number; readonly worker: WorkerId | undefined; readonly by: WorkerId; readonly nonce: string },
): Assignment | undefined {
  const { [shard]: before, ...others } = current.pins;
  if (before === worker) return undefined;
  const pins = worker === undefined ? others : { ...others, [shard]: worker };
  return { ...current, version: current.version + 1, nonce, pins, by };
}

/**
 * The next few moves towards a placement. A shard whose owner is gone goes at once; of those that are well served only so
 * many move at a time, so that each waits for its own handoff and not for all. The next look makes the next step.
 */
function stepTowards(target: Placement, current: Placement, serving: readonly RingMember[]): Placement {
  const isServed = (shard: number): boolean => serving.some(({ worker }) => worker === current.owners[shard]);
  const moves = target.owners.flatMap((owner, shard) =>
    owner !== current.owners[shard] && isServed(shard) ? [shard] : [],
  );
  const later = new Set(moves.slice(MOVES_AT_ONCE));
  return {
    owners: target.owners.map((owner, shard) => (later.has(shard) ? (current.owners[shard] ?? null) : owner)),
    homes: target.homes.map((home, shard) => (later.has(shard) ? (current.homes[shard] ?? null) : home)),
  };
}

/** Whoever is away for a moment keeps what it had, and gains nothing that would wait for it. */
function withHeld(target: Placement, current: Placement, away: ReadonlySet<WorkerId>): Placement {
  const isHeld = (shard: number): boolean => {
    const owner = current.owners[shard] ?? null;
    return owner !== null && away.has(owner);
  };
  return {
    owners: target.owners.map((owner, shard) => (isHeld(shard) ? (current.owners[shard] ?? null) : owner)),
    homes: target.homes.map((home, shard) => (isHeld(shard) ? (current.homes[shard] ?? null) : home)),
  };
}

/** True for a member that should own shards. */
function serves(member: MemberView, current: Assignment | undefined): boolean {
  if (member.state === 'leaving' || member.liveness === 'dead' || member.weight <= 0) return false;
  if (current?.gone[member.worker] === markOf(member)) return false; // Struck off, and not heard of since.
  // An entry that was merely found keeps what it has and gains nothing: it may be years old.
  return member.proven || (current?.members.some(({ worker }) => worker === member.worker) ?? false);
}

/** Those who still have an entry but do not serve, each with the last sign we know of. */
function goneAfter(members: readonly MemberView[], serving: readonly RingMember[]): Readonly<Record<string, string>> {
  const served = new Set(serving.map(({ worker }) => worker));
  return Object.fromEntries(
    members
      .filter(({ worker, state }) => state !== 'leaving' && !served.has(worker))
      .map((member) => [member.worker, markOf(member)]),
  );
}

const ringMember = ({ worker, weight }: MemberView): RingMember => ({ worker, weight });

const byWorker = (a: RingMember, b: RingMember): number => (a.worker < b.worker ? -1 : 1);

const sameMembers = (a: readonly RingMember[], b: readonly RingMember[]): boolean =>
  a.length === b.length &&
  a.every(({ worker, weight }) => b.some((other) => other.worker === worker && other.weight === weight));

const sameOwners = (a: readonly (WorkerId | null)[], b: readonly (WorkerId | null)[]): boolean =>
  a.every((owner, shard) => owner === b[shard]);
