// How even one placement is, and how much one change moved. Pure.

import type { WorkerId } from '../../runtime/ids.ts';
import type { RingMember } from '../../runtime/shards/ring.ts';

export interface Spread {
  /** The fullest worker's load by its fair share. With equal weights: the largest load by the mean. 1 is perfect. */
  readonly fullest: number;
  /** Standard deviation of load by fair share. 0 is perfect. */
  readonly deviation: number;
  /** Share of the workers that own more than their fair share, rounded up, plus one. */
  readonly above: number;
}

export interface Change {
  /** Shards whose owner is another one than before. */
  readonly moved: number;
  /** The theoretical least: the share of the worker that joined or left, rounded up. */
  readonly least: number;
  /** Of the moved, those that went from one worker that stayed to another. Nobody needed that. */
  readonly needless: number;
}

const ROUNDING = 1e-9; // A share of 16 must not become 17 by a division.
const roundedUp = (share: number): number => Math.ceil(share - ROUNDING);

/** `amount`: what a shard counts for; 1 by default. */
export function spreadOf(
  owners: readonly WorkerId[],
  members: readonly RingMember[],
  amount: (shard: number) => number = () => 1,
): Spread {
  const loads = new Map(members.map(({ worker }) => [worker, 0]));
  let total = 0;
  for (const [shard, owner] of owners.entries()) {
    total += amount(shard);
    loads.set(owner, (loads.get(owner) ?? 0) + amount(shard));
  }
  const weights = members.reduce((sum, { weight }) => sum + weight, 0);
  const seats = members.map(({ worker, weight }) => ({
    load: loads.get(worker) ?? 0,
    share: (total * weight) / weights,
  }));
  const relative = seats.map(({ load, share }) => load / share);
  return {
    fullest: Math.max(...relative),
    deviation: Math.sqrt(relative.reduce((sum, value) => sum + (value - 1) ** 2, 0) / relative.length),
    above: seats.filter(({ load, share }) => load > roundedUp(share) + 1).length / seats.length,
  };
}

/** The lowest `fullest` that whole shards allow: one at a time, each to whoever is then the least full. */
export function leastFullest(shards: number, members: readonly RingMember[]): number {
  const weights = members.reduce((sum, { weight }) => sum + weight, 0);
  const seats = members.map(({ weight }) => ({ load: 0, share: (shards * weight) / weights }));
  for (let shard = 0; shard < shards; shard += 1) {
    const next = seats.reduce((a, b) => ((b.load + 1) / b.share < (a.load + 1) / a.share ? b : a));
    next.load += 1;
  }
  return Math.max(...seats.map(({ load, share }) => load / share));
}

export interface Moment {
  readonly members: readonly RingMember[];
  readonly owners: readonly WorkerId[];
}

/** What one join or one leave moved. The two lists of members differ in one. */
export function changeBetween(before: Moment, after: Moment): Change {
  const larger = before.members.length > after.members.length ? before.members : after.members;
  const stayed = new Set((larger === before.members ? after : before).members.map(({ worker }) => worker));
  const weights = larger.reduce((sum, { weight }) => sum + weight, 0);
  const weight = larger.find(({ worker }) => !stayed.has(worker))?.weight ?? 0;
  let [moved, needless] = [0, 0];
  for (const [shard, owner] of before.owners.entries()) {
    const now = after.owners[shard] as WorkerId; // Both have every shard.
    if (now === owner) continue;
    moved += 1;
    if (stayed.has(owner) && stayed.has(now)) needless += 1;
  }
  return { moved, needless, least: roundedUp((before.owners.length * weight) / weights) };
}
