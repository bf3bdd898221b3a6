// The reader: one read over the inboxes of all shards that a worker owns, on a socket of its own, blocking when it is idle.
//
// It reads and takes nothing: entries are taken from the shard's consumer group by the commit that handles them, so an owner
// that is deposed while it reads has nothing in its hands (M2), and a lost reply is read again. The next read is sent in the
// next turn of the event loop, while commits are on their way: what arrives for a shard meanwhile shares its next one (C4).
//
// A position means something at the server where its shard was claimed. Behind sentinels this connection may hear of a failover
// later than the writer's, and what lies in the inboxes of the server before was never accepted at the new one: taken, it would be
// committed at the place of another message. So nothing is read before both are known to lead to one server.
//
// On a cluster one read reaches one slot, so every shard has a reader and a socket of its own there: as many as are owned.

import { type Clock, pause } from '../clock.ts';
import { OperatingError } from '../errors.ts';
import { streamId } from '../ids.ts';
import { type StreamEntry, streamsOf } from '../journal/entry.ts';
import { inboxBatchMax, readBlockMs } from '../limits.ts';
import type { ClusterRoutes, Connection } from '../redis/connection.ts';
import { Pace } from '../redis/pace.ts';
import { serverIdentity } from '../redis/server.ts';

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

export interface ReaderOptions {
  readonly connection: Connection;
  /** The one over which shards are claimed. */
  readonly writer: Connection;
  /** Another connection: it ends a block on the reader's own. */
  readonly query: Connection;
  readonly inboxes: () => readonly Inbox[];
  readonly clock: Clock;
  /** Hears of every read that failed. */
  readonly onTrouble: (error: unknown) => void;
}

const NOBODY_PAUSE_MS = 20; // No shard wants entries: looked at again this often.
const BUSY_BLOCK_MS = 10; // While some shard has enough to do.
const UNBLOCK_AGAIN_MS = 20;
const TROUBLE_PAUSE_MS = 100;

export function startReader(options: ReaderOptions): Reader {
  const { cluster } = options.connection;
  return cluster === undefined ? readTogether(options) : readApart(cluster, options);
}

/** One reader per shard. Each reads on from where its shard stands, also when that has moved to another server. */
function readApart(cluster: ClusterRoutes, options: ReaderOptions): Reader {
  const readers = new Map<string, Reader>();
  let open = true;

  function match(): void {
    const wanted = new Set(open ? options.inboxes().map(({ keys }) => keys.inbox) : []);
    for (const [key, reader] of readers) {
      if (wanted.has(key)) continue;
      readers.delete(key);
      void reader.close();
    }
    for (const key of wanted) {
      if (!readers.has(key))
        readers.set(key, readTogether({ ...options, ...only(key), connection: cluster.apart(key) }));
    }
  }
  /** A shard that is gone takes its reader with it. */
  const only = (key: string): Pick<ReaderOptions, 'inboxes'> => ({
    inboxes() {
      const own = options.inboxes().find(({ keys }) => keys.inbox === key);
      if (own === undefined) setImmediate(match);
      return own === undefined ? [] : [own];
    },
  });

  return {
    changed: match,
    async close() {
      open = false;
      const closing = [...readers.values()].map((reader) => reader.close());
      readers.clear();
      await Promise.all(closing);
      await options.connection.close();
    },
  };
}

function readTogether({ connection, writer, query, inboxes, clock, onTrouble }: ReaderOptions): Reader {
  const pace = new Pace();
  const isShared = connection.cluster === undefined; // Alone, a shard never waits behind a block for others.
  let open = true;
  let blocked = false;
  let client = { generation: 0, id: 0 };
  /** Generations of both connections when they were seen to lead to one server. */
  let together = { here: 0, there: 0 };

  /** M2: see the top. Two round trips after each reconnection of either. */
  async function meetWriter(): Promise<void> {
    const isKnown = (): boolean => together.here === connection.generation && together.there === writer.generation;
    if (isKnown()) return;
    const asked = { here: connection.generation, there: writer.generation };
    const [here, there] = await Promise.all([serverIdentity(connection), serverIdentity(writer)]);
    if (here.runId === there.runId) together = asked;
    else connection.remake().catch(() => undefined); // Whoever names the master names the new one then.
    if (isKnown()) return;
    throw new OperatingError('redis-unavailable', 'inboxes would be read at another server than that of the claims', {
      retry: 'here',
    });
  }

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
    if (isShared) {
      await ownId();
      await meetWriter(); // Last: what it found holds for the read that follows.
    }
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
    if (!blocked || !open || !isShared) return;
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
