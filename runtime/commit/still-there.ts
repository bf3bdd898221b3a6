// A look at what is stored of a shard that is open, now and then: a stream or a record that is gone, or lost its end without a
// restart of the server, shows to nobody who only waits for new entries.

import { command, pairsOf } from '../functions/call.ts';
import { positionOf, streamId } from '../ids.ts';
import type { StreamEntry } from '../journal/entry.ts';
import type { Batch } from '../redis/batch.ts';
import type { ShardKeys } from '../redis/keys.ts';
import { Fenced, Rewound } from './loss.ts';

/** What the owner goes by. */
export interface Belief {
  readonly token: string;
  readonly head: number;
  /** The inbox was read up to here. */
  readonly read: number;
  /** Position of the journal entry of our claim. */
  readonly claimedAt: number;
}

/** Throws Fenced or Rewound when what is stored contradicts the belief, which may have moved on since. One round trip. */
export async function checkStored(batch: Batch, keys: ShardKeys, belief: Belief): Promise<void> {
  const [facts, given, claim] = await Promise.all([
    batch.run(command(['HMGET', keys.owner, 'token', 'line'], (reply) => reply as readonly (string | null)[])),
    batch.run(command(['XINFO', 'STREAM', keys.inbox], lastGiven)).catch(absent),
    batch.run(
      command(
        ['XRANGE', keys.journal, streamId(belief.claimedAt), streamId(belief.claimedAt)],
        (reply) => reply as readonly StreamEntry[],
      ),
    ),
  ]);
  const [token, line] = facts;
  if (token !== belief.token) throw new Fenced();
  const head = Number.parseInt(line ?? '0', 10);
  if (head < belief.head) throw new Rewound(belief.head, head);
  if (claim.length === 0) throw new Rewound(belief.claimedAt, 0);
  if (given < belief.read) throw new Rewound(belief.read, given, 'inbox entry');
}

function lastGiven(reply: unknown): number {
  const id = pairsOf(reply).find(([name]) => name === 'last-generated-id')?.[1];
  return id === undefined ? 0 : positionOf(id);
}

/** There is no such stream. Anything else is the connection's trouble. */
function absent(error: unknown): number {
  if (String(error).includes('no such key')) return -1;
  throw error;
}
