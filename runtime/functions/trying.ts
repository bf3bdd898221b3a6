// Wrapper of trying.lua: the mark that finds out a step which ends its process (M5).

import type { Token } from '../ids.ts';
import type { ShardKeys } from '../redis/keys.ts';
import { type Call, ownersFcall } from './call.ts';

/** How `trying` names a timer: another generation is another one. */
export const timerTried = (member: string, generation: string): string => `t ${generation} ${member}`;

/** `tried`: an entry's id, or a timer's name as above. False when fenced. One round trip. */
export const trying = (keys: ShardKeys, token: Token, tried: string): Call<boolean> =>
  ownersFcall('trying', [keys.owner], [token, tried], ([word]) => word === 'OK');
