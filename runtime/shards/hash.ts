// The hash that maps actors to shards (L1). Wire format: name, seed and the remainder never change; a namespace records the
// name at its first start, and a process with another one refuses to join.

import xxhash from 'xxhash-wasm';
import { type ActorId, type ShardIndex, shardIndex } from '../ids.ts';

export const HASH_NAME = 'xxhash64';

export interface Hasher {
  /** The shard of an actor among `shards` (1 or more). Pure; about a microsecond. */
  shardOf(actor: ActorId, shards: number): ShardIndex;
  /** xxHash64 with seed 0 over the UTF-8 text. */
  hash64(text: string): bigint;
}

let loaded: ReturnType<typeof xxhash> | undefined;

/** Loads the WebAssembly module at the first call, a few milliseconds. */
export async function createHasher(): Promise<Hasher> {
  loaded ??= xxhash();
  const { h64 } = await loaded;
  return {
    shardOf: (actor, shards) => shardIndex(Number(h64(actor) % BigInt(shards))),
    hash64: (text) => h64(text),
  };
}
