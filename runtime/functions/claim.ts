// Wrapper of claim.lua: ownership of a shard changes hands here and nowhere else (L2).

import { type Position, position, type Token, token, type WorkerId } from '../ids.ts';
import { outageMs } from '../limits.ts';
import type { ShardKeys } from '../redis/keys.ts';
import { type Call, fcall, unexpected } from './call.ts';

export type ClaimReply =
  | {
      readonly kind: 'claimed';
      readonly token: Token;
      readonly head: Position;
      readonly oldest: string;
      /** Claims in a row over the same oldest entry, or the same oldest timer that is due (M5). */
      readonly tries: number;
      /** Owners in a row that ended while trying `tried`: an entry's id, or a timer as trying.ts names it; '' for none. */
      readonly found: number;
      readonly tried: string;
      readonly at: number;
      /** The first entry to read lies above it. */
      readonly below: Position;
    }
  | { readonly kind: 'damaged'; readonly what: string } // Inbox or journal is gone or lost its end: nobody may serve it.
  | { readonly kind: 'stale'; readonly token: string }; // Somebody claimed since the token was read: read again.

export interface ClaimRequest {
  readonly expected: string;
  readonly nonce: string;
  readonly worker: WorkerId;
  /** The new counter is above this one too: after a rewind the server may have forgotten higher ones (M3). */
  readonly floor: number;
  readonly reading: string;
  /** The token read is this very process' own: whatever it was doing has not ended it (M5). */
  readonly again?: boolean;
}

/** One round trip. After an unknown outcome: read the token again and claim again; the late copy then answers `stale` or is overtaken. */
export function claim(keys: ShardKeys, request: ClaimRequest): Call<ClaimReply> {
  return fcall(
    'claim',
    [keys.owner, keys.inbox, keys.journal, keys.timers, keys.rows, keys.resumable],
    [
      request.expected,
      request.nonce,
      request.worker,
      request.floor,
      request.reading,
      outageMs,
      request.again === true ? 'again' : '',
    ],
    ([word, first, head, oldest, tries, found, at, below, tried]) => {
      if (word === 'STALE') return { kind: 'stale', token: first ?? '' };
      if (word === 'DAMAGED') return { kind: 'damaged', what: first ?? '' };
      if (word !== 'CLAIMED') return unexpected('claim', word);
      return {
        kind: 'claimed',
        token: token(first ?? ''),
        head: position(Number(head)),
        oldest: oldest ?? '',
        tries: Number(tries),
        found: Number(found),
        tried: tried ?? '',
        at: Number(at),
        below: position(Number(below)),
      };
    },
  );
}
