// Wrapper of trim.lua: streams lose their old end, answers are forgotten by age (M7).

import type { ActorId, Token } from '../ids.ts';
import { answersKeptMs } from '../limits.ts';
import type { ShardKeys } from '../redis/keys.ts';
import { type Call, ownersFcall } from './call.ts';

export interface Trimming {
  /** Every outbox record up to here is delivered. */
  readonly relayedTo: number;
  /** Outbox records below this position are old enough to go (M3). */
  readonly outboxFrom: number;
  /** Journal entries below this position are archived and read by everyone; 0 keeps all. */
  readonly journalFrom: number;
  /** Place of the walk over answers; '0' begins. */
  readonly cursor: string;
  /** Actors that have entries below `journalFrom`. */
  readonly actors: readonly ActorId[];
}

/** Where the walk over the answers goes on, or `fenced`. One round trip. */
export const trim = (keys: ShardKeys, token: Token, what: Trimming, reading: string): Call<string | 'fenced'> =>
  ownersFcall(
    'trim',
    [keys.owner, keys.inbox, keys.outbox, keys.journal, keys.dedupe, ...what.actors.map((id) => keys.positions(id))],
    [token, what.relayedTo, what.outboxFrom, what.journalFrom, answersKeptMs, reading, what.cursor],
    ([word, , , cursor]) => (word === 'OK' ? (cursor ?? '0') : 'fenced'),
  );
