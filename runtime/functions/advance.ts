// Wrapper of advance.lua: an owner brings a travel about in its shard (T2).

import type { Token } from '../ids.ts';
import type { ShardKeys } from '../redis/keys.ts';
import { type Call, ownersFcall, unexpected } from './call.ts';

/** Where the shard stands now, in ms travelled in all; undefined: fenced. One round trip; a late copy moves nothing. */
export const advance = (
  keys: ShardKeys,
  token: Token,
  travelledMs: number,
  timeScale: number,
): Call<number | undefined> =>
  ownersFcall('advance', [keys.owner, keys.timers], [token, travelledMs, timeScale], ([word, all]) => {
    switch (word) {
      case 'ADVANCED':
      case 'THERE':
        return Number(all);
      case 'FENCED':
        return undefined;
      default:
        return unexpected('advance', word);
    }
  });
