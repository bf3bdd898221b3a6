// Wrapper of finish.lua: an outcome closes its record and enters the inbox in one go (E1).

import type { ActorId, Token } from '../ids.ts';
import type { ShardKeys } from '../redis/keys.ts';
import { type Call, ownersFcall, unexpected } from './call.ts';

export type FinishReply = 'settled' | 'retry' | 'late' | 'gone' | 'fenced' | 'damaged';

export interface Finishing {
  readonly key: string;
  readonly attempt: number;
  readonly actor: ActorId;
  /** Undefined settles; otherwise the try is put off until this time on the server's clock. */
  readonly retryAt?: number;
  /** Inbox body that tells the actor; '' when nobody is told. */
  readonly body: string;
}

/** One round trip. Safe to repeat: a second settling answers `gone`. */
export function finish(keys: ShardKeys, token: Token, outcome: Finishing, reading: string): Call<FinishReply> {
  const word = outcome.retryAt === undefined ? 'settle' : 'retry';
  return ownersFcall(
    'finish',
    [keys.owner, keys.inbox, keys.backlog, keys.timers, keys.effects, keys.attempts, keys.actor(outcome.actor)],
    [token, outcome.key, outcome.attempt, word, Math.ceil(outcome.retryAt ?? 0), outcome.actor, outcome.body, reading],
    ([reply]) => {
      switch (reply) {
        case 'SETTLED':
          return 'settled';
        case 'RETRY':
          return 'retry';
        case 'LATE':
          return 'late';
        case 'GONE':
          return 'gone';
        case 'FENCED':
          return 'fenced';
        case 'DAMAGED':
          return 'damaged'; // The inbox is gone: claim anew, which says so.
        default:
          return unexpected('finish', reply);
      }
    },
  );
}
