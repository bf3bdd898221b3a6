// Real order ids: made as the api makes them, from a person, a route and the person's key.

import { derivedId } from '../../runtime/client/digest.ts';
import type { Hasher } from '../../runtime/shards/hash.ts';

/** How many of `orders` ids fall on each shard. The seed names the persons. About 15 microseconds per id. */
export function ordersPerShard(orders: number, shards: number, seed: number, { shardOf }: Hasher): readonly number[] {
  const counts = new Array<number>(shards).fill(0);
  for (let i = 0; i < orders; i += 1) {
    const id = derivedId('bench-bench-bench-bench', 'ord', 'ord', [`person-${seed}-${i}`, 'POST /orders', `key-${i}`]);
    const shard = shardOf(id, shards);
    counts[shard] = (counts[shard] ?? 0) + 1;
  }
  return counts;
}
