// Rendezvous, also highest random weight: each worker draws a number for each shard, the highest draw has it.
//
// Source: D. Thaler, C. Ravishankar, "Using Name-Based Mappings to Increase Hit Rates" (1998). Weights as in J. Resch, "New
// Hashing Algorithms for Data Storage" (2015): the draw is −weight ÷ ln(u), so that a share is proportional to its weight.

import { byWorker, type Contender, type Hash64, halves } from './contender.ts';

export function rendezvous(hash64: Hash64): Contender {
  return {
    name: 'rendezvous',
    work: 'one mix per worker',
    prepare({ members }) {
      const drawers = [...members]
        .sort(byWorker)
        .map(({ worker, weight }) => ({ worker, weight, ...halves(hash64(worker)) }));
      const equal = drawers.every(({ weight }) => weight === drawers[0]?.weight);
      return {
        lookup({ high, low }) {
          let best = drawers[0] as (typeof drawers)[number]; // There is at least one member.
          let highest = Number.NEGATIVE_INFINITY;
          for (const drawer of drawers) {
            const chance = draw(high ^ drawer.high, low ^ drawer.low);
            const score = equal ? chance : -drawer.weight / Math.log(chance); // The same order, without a logarithm.
            if (score <= highest) continue;
            highest = score;
            best = drawer;
          }
          return best.worker;
        },
      };
    },
  };
}

/** A number between 0 and 1, both left out, from 64 bits that are a hash already. */
function draw(high: number, low: number): number {
  const first = mixed(low);
  const second = mixed(high ^ first);
  return (second * 2 ** 20 + (first >>> 12) + 0.5) / 2 ** 52;
}

/** The finalizer of MurmurHash3 (A. Appleby): each bit of the input moves half of the output. */
function mixed(value: number): number {
  let h = value;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
