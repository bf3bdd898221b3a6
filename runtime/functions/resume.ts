// Wrapper of resume.lua: an act on a parked actor survives its owner, but not a message that ends every owner (M5).

import type { ActorId, Token } from '../ids.ts';
import type { ShardKeys } from '../redis/keys.ts';
import { type Call, ownersFcall, unexpected } from './call.ts';

export type ResumeReply = 'resumed' | 'parked' | 'gone' | 'fenced';

/** One round trip. Not to be repeated for one claim: each call counts. */
export function resume(keys: ShardKeys, token: Token, actor: ActorId, most: number): Call<ResumeReply> {
  return ownersFcall('resume', [keys.owner, keys.parked], [token, actor, most], ([word]) => {
    switch (word) {
      case 'RESUMED':
        return 'resumed';
      case 'PARKED':
        return 'parked';
      case 'GONE':
        return 'gone';
      case 'FENCED':
        return 'fenced';
      default:
        return unexpected('resume', word);
    }
  });
}
