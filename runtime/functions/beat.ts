// Wrapper of beat.lua.

import type { WorkerId } from '../ids.ts';
import type { NamespaceKeys } from '../redis/keys.ts';
import { type Call, fcall } from './call.ts';

export type BeatReply =
  | {
      readonly kind: 'beat';
      /** The server's clock in ms. */
      readonly at: number;
      /** Worker and entry of every member, ours among them. */
      readonly entries: readonly (readonly [worker: string, entry: string])[];
    }
  | { readonly kind: 'displaced'; readonly entry: string }; // Another process lives under this id now.

/** Writes our entry and reads all. `prefix` is how every entry of this incarnation begins. One round trip. */
export const beat = (keys: NamespaceKeys, worker: WorkerId, prefix: string, entry: string): Call<BeatReply> =>
  fcall('beat', [keys.members], [worker, prefix, entry], ([word, first, ...rest]) => {
    if (word === 'DISPLACED') return { kind: 'displaced', entry: first ?? '' };
    const entries = Array.from(
      { length: rest.length / 2 },
      (_, i) => [rest[2 * i] ?? '', rest[2 * i + 1] ?? ''] as const,
    );
    return { kind: 'beat', at: Number(first), entries };
  });
