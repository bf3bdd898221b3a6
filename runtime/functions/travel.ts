// Wrapper of travel.lua: an operator's act, idempotent by its message id (T2).

import { travelledMsMax, travelsMax } from '../limits.ts';
import type { NamespaceKeys } from '../redis/keys.ts';
import { type Call, fcall, unexpected } from './call.ts';

export type TravelReply =
  | { readonly kind: 'travelled' | 'same'; readonly totalMs: number }
  | { readonly kind: 'key-reused'; readonly ms: number }
  | { readonly kind: 'real' }
  | { readonly kind: 'full'; readonly totalMs: number };

/** One round trip. Safe to repeat under the same message id. */
export function travel(keys: NamespaceKeys, messageId: string, ms: number, by: string): Call<TravelReply> {
  const args = [messageId, ms, by, travelledMsMax, travelsMax];
  return fcall('travel', [keys.config, keys.travels], args, ([word, number]) => {
    switch (word) {
      case 'TRAVELLED':
        return { kind: 'travelled', totalMs: Number(number) };
      case 'SAME':
        return { kind: 'same', totalMs: Number(number) };
      case 'REUSED':
        return { kind: 'key-reused', ms: Number(number) };
      case 'REAL':
        return { kind: 'real' };
      case 'FULL':
        return { kind: 'full', totalMs: Number(number) };
      default:
        return unexpected('travel', word);
    }
  });
}
