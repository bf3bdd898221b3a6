// The ring: each worker at a number of points on a circle, each shard at the worker of the next point clockwise.
//
// Source: D. Karger et al., "Consistent Hashing and Random Trees" (1997). Points are called virtual nodes as well.

import type { WorkerId } from '../../runtime/ids.ts';
import type { RingMember } from '../../runtime/shards/ring.ts';
import type { Contender, Hash64 } from './contender.ts';

interface Point {
  readonly at: number;
  readonly worker: WorkerId;
}

const WORKERS_KEPT = 1_000; // A bench meets 96 ids with two weights each.

/** `points` per unit of weight. Points of workers seen are kept, as in the runtime: a change costs a sort. */
export function pointRing(points: number, hash64: Hash64): Contender {
  const known = new Map<string, readonly Point[]>();
  const pointsOf = ({ worker, weight }: RingMember): readonly Point[] => {
    const key = `${worker}*${weight}`;
    const found = known.get(key);
    if (found !== undefined) return found;
    const made = Array.from({ length: Math.max(1, Math.round(points * weight)) }, (_, i) => ({
      at: placeOf(hash64(`${worker}#${i}`)),
      worker,
    }));
    if (known.size >= WORKERS_KEPT) known.clear();
    known.set(key, made);
    return made;
  };
  return {
    name: `ring, ${points} ${points === 1 ? 'point' : 'points'}`,
    work: 'log2(points of all) comparisons',
    prepare({ members }) {
      const circle = members.flatMap(pointsOf).sort((a, b) => a.at - b.at || (a.worker < b.worker ? -1 : 1));
      const places = Float64Array.from(circle, ({ at }) => at);
      const workers = circle.map(({ worker }) => worker);
      return {
        lookup: ({ high, low }) => {
          const at = firstFrom(places, high * 2 ** 21 + (low >>> 11));
          return workers[at === places.length ? 0 : at] as WorkerId; // Past the last point, the first follows.
        },
      };
    },
  };
}

/** The upper 53 bits of a hash. */
const placeOf = (hash: bigint): number => Number(hash >> 11n);

/** Index of the first place at or after `start`; the length when there is none. */
function firstFrom(places: Float64Array, start: number): number {
  let [low, high] = [0, places.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((places[middle] as number) < start) low = middle + 1;
    else high = middle;
  }
  return low;
}
