// What every way of placing shards on workers has in common: members and keys in, a way to look a shard up out.

import type { WorkerId } from '../../runtime/ids.ts';
import type { Placement, RingMember } from '../../runtime/shards/ring.ts';

/** A shard as the contenders see it: its number, and the two halves of the 64-bit hash of its name. */
export interface Key {
  readonly shard: number;
  readonly high: number;
  readonly low: number;
}

export interface Members {
  /** In any order. Weights of modulo and jump are rounded to whole numbers of at least 1. */
  readonly members: readonly RingMember[];
  /** All shards, by number. */
  readonly keys: readonly Key[];
  /** What the same contender answered before; most do not look at it. */
  readonly previous?: Placed | undefined;
}

export interface Placed {
  lookup(key: Key): WorkerId;
  /** Of a contender that remembers: what it remembers. */
  readonly placement?: Placement;
}

export interface Contender {
  /** For tables and pictures. */
  readonly name: string;
  /** What a lookup does, in words. */
  readonly work: string;
  /** Gets ready for these members: all that is done once per change and not once per lookup. */
  prepare(request: Members): Placed;
}

export type Hash64 = (text: string) => bigint;

/** The two unsigned 32-bit halves of a hash: numbers are fast, big ones are not. */
export const halves = (hash: bigint): { readonly high: number; readonly low: number } => ({
  high: Number(hash >> 32n),
  low: Number(hash & 0xffff_ffffn),
});

export const keysOf = (shards: number, hash64: Hash64): readonly Key[] =>
  Array.from({ length: shards }, (_, shard) => ({ shard, ...halves(hash64(`shard ${shard}`)) }));

export const byWorker = (a: RingMember, b: RingMember): number => (a.worker < b.worker ? -1 : 1);

/** Workers in a row that is the same everywhere; one of weight 2 stands in it twice. */
export const seatsInOrder = (members: readonly RingMember[]): readonly WorkerId[] =>
  [...members]
    .sort(byWorker)
    .flatMap(({ worker, weight }) => new Array<WorkerId>(Math.max(1, Math.round(weight))).fill(worker));

export const ownersOf = (placed: Placed, keys: readonly Key[]): readonly WorkerId[] => keys.map(placed.lookup);
