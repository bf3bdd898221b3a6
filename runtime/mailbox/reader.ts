// The reader: one read over the inboxes of all shards that a worker owns, on a socket of its own, blocking when it is idle.
//
// It reads and takes nothing: entries are taken from the shard's consumer group by the commit that handles them, so an owner
// that is deposed while it reads has nothing in its hands (M2), and a lost reply is read again. The next read is sent in the
// next turn of the event loop, while commits are on their way: what arrives for a shard meanwhile shares its next one (C4).

import { type Clock, pause } from '../clock.ts';
import { streamId } from '../ids.ts';
import { type StreamEntry, streamsOf } from '../journal/entry.ts';
import { inboxBatchMax, readBlockMs } from '../limits.ts';
import type { Connection } from '../redis/connection.ts';
import { Pace } from '../redis/pace.ts';

/** A shard as the reader sees it. */
export interface Inbox {
  readonly keys: { readonly inbox: string };
  readonly position: number;
  readonly wantsEntries: boolean;
  take(entries: readonly StreamEntry[]): void;
  lose(why: unknown): void;
}

export interface Reader {
  /** The set of shards, or what they want, has changed: the read under way is ended and begun anew. */
  changed(): void;
  close(): Promise<void>;
}

const NOBODY_PAUSE_MS = 20; // No shard wants entries: looked at again this often.
const BUSY_BLOCK_MS = 10; // While some shard has enough to do.
const UNBLOCK_AGAIN_MS = 20;
const TROUBLE_PAUSE_MS = 100;

/** `query` is another connection: it ends a block on the reader's own. `onTrouble` hears of every read that failed. */
export function startReader(
  connection: Connection,
  query: Connection,
  inboxes: () => readonly Inbox[],
  clock: Clock,
  onTrouble: (error: unknown) => void,
): Reader {
  const pace = new Pace();
  let open = true;
  let blocked = false;
  let client = { generation: 0, id: 0 };

  async function ownId(): Promise<number> {
    if (client.generation !== connection.generation) {
      const { generation } = connection;
      client = { generation, id: Number(await connection.call('CLIENT ID', (redis) => redis.client('ID'))) };
    }
    return client.id;
  }

  async function round(): Promise<void> {
    const all = inboxes();
    const asked = all.filter((inbox) => inbox.wantsEntries);
    if (asked.length === 0) return await pause(clock, NOBODY_PAUSE_MS);
    // A shard that has enough to do now is asked about again soon, not when another one's message comes.
    const blockMs = asked.length === all.length ? readBlockMs : BUSY_BLOCK_MS;
    await ownId();
    blocked = pace.blocks;
    const reply = await connection
      .block('XREAD inboxes', blockMs, (redis) => {
        const keys = asked.map((inbox) => inbox.keys.inbox);
        const ids = asked.map((inbox) => streamId(inbox.position));
        const block = pace.blocks ? ['BLOCK', String(blockMs)] : [];
        return redis.call('XREAD', 'COUNT', String(inboxBatchMax), ...block, 'STREAMS', ...keys, ...ids);
      })
      .finally(() => {
        blocked = false;
      });
    // Given to the very shards that were asked about: one that was lost and opened again has another position.
    const byKey = new Map(asked.map((inbox) => [inbox.keys.inbox, inbox]));
    const streams = streamsOf(reply);
    for (const [key, entries] of streams) give(byKey.get(key), entries);
    await pace.found(streams.length);
  }

  /** What one shard makes of its entries never keeps the others from theirs. */
  function give(inbox: Inbox | undefined, entries: readonly StreamEntry[]): void {
    try {
      inbox?.take(entries);
    } catch (error) {
      inbox?.lose(error);
    }
  }

  const loop = (async () => {
    while (open) {
      await round().catch((error: unknown) => {
        if (open) onTrouble(error);
        return pause(clock, open ? TROUBLE_PAUSE_MS : 0);
      });
    }
  })();

  /** Lost or late, the block ends by itself within its second. */
  function unblock(): void {
    if (!blocked || !open) return;
    query.call('CLIENT UNBLOCK', (redis) => redis.client('UNBLOCK', client.id)).catch(() => undefined);
  }

  return {
    changed() {
      unblock();
      clock.after(UNBLOCK_AGAIN_MS, unblock); // The first may have come before the block.
    },
    async close() {
      open = false;
      await connection.close();
      await loop;
    },
  };
}
