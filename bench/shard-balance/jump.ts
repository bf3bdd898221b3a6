// Jump consistent hash: no table, few steps, and buckets that can only be added and removed at the end of the row.
//
// Source: J. Lamping, E. Veach, "A Fast, Minimal Memory, Consistent Hash Algorithm" (2014), arXiv:1406.2294, figure 1. The
// 64-bit generator of the paper is kept in two halves, since big integers would be measured instead of the algorithm.

import { type Contender, seatsInOrder } from './contender.ts';

const FACTOR_HIGH = 0x27bb2ee6; // 2862933555777941757, the generator's factor.
const FACTOR_LOW = 0x87b0b0fd;
const TWO_31 = 2 ** 31;
const TWO_32 = 2 ** 32;

/** The bucket, 0 … buckets − 1, of a 64-bit key given in unsigned halves. About ln(buckets) + 1 steps. */
export function jump(high: number, low: number, buckets: number): number {
  let bucket = -1;
  let next = 0;
  let upper = high | 0;
  let lower = low | 0;
  // Bounded: `next` grows by at least one per step.
  while (next < buckets) {
    bucket = next;
    // key = key × factor + 1, modulo 2^64.
    upper = (highProduct(lower, FACTOR_LOW) + Math.imul(lower, FACTOR_HIGH) + Math.imul(upper, FACTOR_LOW)) | 0;
    lower = (Math.imul(lower, FACTOR_LOW) + 1) | 0;
    if (lower === 0) upper = (upper + 1) | 0;
    next = Math.floor((bucket + 1) * (TWO_31 / ((upper >>> 1) + 1)));
  }
  return bucket;
}

/** The upper half of the 64-bit product of two 32-bit numbers, from products of 16-bit parts. */
function highProduct(a: number, b: number): number {
  const aHigh = a >>> 16;
  const aLow = a & 0xffff;
  const bHigh = b >>> 16;
  const bLow = b & 0xffff;
  const middle = aHigh * bLow + Math.floor((aLow * bLow) / 0x10000);
  const carry = aLow * bHigh + (middle % 0x10000);
  return (aHigh * bHigh + Math.floor(middle / 0x10000) + Math.floor(carry / 0x10000)) % TWO_32;
}

export const jumpHash: Contender = {
  name: 'jump',
  work: 'about ln(workers) + 1 steps',
  prepare({ members }) {
    const seats = seatsInOrder(members);
    return { lookup: ({ high, low }) => seats[jump(high, low, seats.length)] as (typeof seats)[number] }; // In range.
  },
};
