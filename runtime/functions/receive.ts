// Wrapper of receive.lua: intake from other shards' outboxes (M3).

import type { ActorId } from '../ids.ts';
import type { ShardKeys } from '../redis/keys.ts';
import { type Call, fcall, unexpected } from './call.ts';

export type ReceiveReply =
  | { readonly kind: 'taken' }
  | { readonly kind: 'source-rewound'; readonly last: string } // Taken, and an alarm: the source's server lost its tail.
  | { readonly kind: 'duplicate' }
  | { readonly kind: 'gap'; readonly last: string } // `token|n` from which the relay goes on, '' for the lane's beginning.
  | { readonly kind: 'gone' }; // There is no inbox: not founded yet, or data were lost. Nothing was taken.

export interface LaneRecord {
  readonly lane: string;
  readonly token: string;
  readonly n: number;
  readonly previous: string;
  readonly actor: ActorId;
  readonly messageId: string;
  readonly body: string;
}

/** One round trip. Safe to repeat. */
export function receive(keys: ShardKeys, record: LaneRecord, reading: string): Call<ReceiveReply> {
  return fcall(
    'receive',
    [keys.inbox, keys.backlog, keys.lanesIn, keys.actor(record.actor)],
    [record.lane, record.token, record.n, record.previous, record.actor, record.messageId, record.body, reading],
    ([word, detail, last]) => {
      switch (word) {
        case 'TAKEN':
          return { kind: 'taken' };
        case 'REWOUND':
          return { kind: 'source-rewound', last: last ?? '' };
        case 'DUPLICATE':
          return { kind: 'duplicate' };
        case 'GAP':
          return { kind: 'gap', last: detail ?? '' };
        case 'GONE':
          return { kind: 'gone' };
        default:
          return unexpected('receive', word);
      }
    },
  );
}
