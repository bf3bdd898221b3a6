// Wrapper of send.lua: intake from callers (M1, M6).

import { OperatingError } from '../errors.ts';
import type { ActorId } from '../ids.ts';
import type { ShardKeys } from '../redis/keys.ts';
import { type Call, fcall, unexpected } from './call.ts';

export type SendReply =
  | { readonly kind: 'accepted'; readonly position: number }
  | { readonly kind: 'duplicate'; readonly answer: string } // '' while it runs.
  | { readonly kind: 'key-reused' }
  | { readonly kind: 'full' }
  | { readonly kind: 'gone' }; // There is no inbox: data were lost. Nothing was accepted.

export interface SendRequest {
  readonly actor: ActorId;
  readonly messageId: string;
  /** Lower-case hex; a repeat with another digest is another command under the same id. */
  readonly digest: string;
  readonly body: string;
  /** 0: no limit, for operators' acts. */
  readonly perActorMax: number;
  readonly perShardMax: number;
  /** Estimate of the server's clock in ms. */
  readonly now: number;
}

/** One round trip. Safe to repeat after an unknown outcome, under the same message id. */
export function send(keys: ShardKeys, request: SendRequest): Call<SendReply> {
  const { actor, messageId, digest, body, perActorMax, perShardMax, now } = request;
  return fcall(
    'send',
    [keys.inbox, keys.backlog, keys.dedupe, keys.actor(actor)],
    [`${perActorMax} ${perShardMax}`, `${Math.floor(now)} ${digest} `, `${actor}|${messageId}`, body],
    ([word, detail]) => {
      switch (word) {
        case 'ACCEPTED':
          return { kind: 'accepted', position: Number(detail) };
        case 'DUPLICATE':
          return { kind: 'duplicate', answer: detail ?? '' };
        case 'REUSED':
          return { kind: 'key-reused' };
        case 'FULL':
          return { kind: 'full' };
        case 'GONE':
          return { kind: 'gone' };
        case 'BAD':
          throw new OperatingError('bad-setting', `send: ${detail} of the mailbox are whole numbers`);
        default:
          return unexpected('send', word);
      }
    },
  );
}
