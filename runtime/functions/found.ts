// Wrapper of found.lua: the inboxes of a namespace are made here and nowhere else (M1).

import type { ShardKeys } from '../redis/keys.ts';
import { type Call, fcall, unexpected } from './call.ts';

/** `there`: it was made before, and is left as it is. */
export type FoundReply = 'founded' | 'there';

/** One round trip. Safe to repeat, and to make twice at once. */
export function found(keys: ShardKeys): Call<FoundReply> {
  return fcall('found', [keys.inbox], [], ([word]) => {
    switch (word) {
      case 'FOUNDED':
        return 'founded';
      case 'THERE':
        return 'there';
      default:
        return unexpected('found', word);
    }
  });
}
