// Wrapper of trying.lua: the mark that finds out a step which ends its process (M5).

import type { Token } from '../ids.ts';
import type { ShardKeys } from '../redis/keys.ts';
import { type Call, ownersFcall } from './call.ts';

/** False when fenced. One round trip. */
export const trying = (keys: ShardKeys, token: Token, entryId: string): Call<boolean> =>
  ownersFcall('trying', [keys.owner], [token, entryId], ([word]) => word === 'OK');
