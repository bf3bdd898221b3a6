// Wrapper of release.lua.

import type { Token } from '../ids.ts';
import type { ShardKeys } from '../redis/keys.ts';
import { type Call, ownersFcall } from './call.ts';

/** True when released; false when somebody else owns the shard already, which comes to the same. One round trip. */
export const release = (keys: ShardKeys, token: Token, nonce: string, reading: string): Call<boolean> =>
  ownersFcall('release', [keys.owner, keys.journal], [token, nonce, reading], ([word]) => word === 'RELEASED');
