// The tail of all journals of a namespace: one reader, many listeners, entries in order per shard and without a gap.
//
// A position is (number, token). After each reconnection the entry at the position is compared: where it is gone or another
// one, the server lost its tail and the listener is told `rewound` once, then goes on from what is there (P1, P2).

import { type Clock, pause } from '../clock.ts';
import { positionOf, streamId } from '../ids.ts';
import { readBlockMs, tailBatchMax } from '../limits.ts';
import type { JournalEntry } from '../messages.ts';
import type { Connection } from '../redis/connection.ts';
import { Pace } from '../redis/pace.ts';
import { at } from '../redis/topology.ts';
import { RawEntry, type StreamEntry, streamsOf, tokenOf } from './entry.ts';

export interface Tail {
  /** Calls `listener` for every entry after now, and with `rewound` as said above. Returns how to stop. */
  listen(listener: TailListener): () => void;
  /** What has been handed on, by shard. */
  positions(): ReadonlyMap<number, number>;
  close(): Promise<void>;
}

export interface TailListener {
  entry(entry: RawEntry): void;
  rewound?(entry: JournalEntry): void;
}

interface Position {
  readonly shard: number;
  readonly key: string;
  number: number;
  token: string;
}

/** Journals that are read together. */
interface Lane {
  readonly reader: Connection;
  readonly positions: readonly Position[];
  readonly pace: Pace;
  /** The connection at which the positions were compared last. */
  checkedAt: number;
}

const TROUBLE_PAUSE_MS = 100;

/** Starts at the present heads, or above `from` where given. Resolves when every later entry is certain to be seen. */
export async function startTail(
  reader: Connection,
  keys: readonly string[],
  clock: Clock,
  from?: ReadonlyMap<number, number>,
): Promise<Tail> {
  const listeners = new Set<TailListener>();
  const positions: Position[] = keys.map((key, shard) => ({ shard, key, number: 0, token: '' }));
  const byKey = new Map(positions.map((position) => [position.key, position]));
  const lanes = lanesOf(reader, positions); // Before the first look: a connection that breaks meanwhile is noticed.
  const lost: JournalEntry[] = [];
  let open = true;

  await Promise.all(positions.map((position) => begin(position))).catch(async (error: unknown) => {
    await closeAll();
    throw error;
  });

  async function closeAll(): Promise<void> {
    await Promise.all(lanes.map((lane) => lane.reader.close()));
    await reader.close();
  }

  /** Puts the position at what is left, and says so. */
  function stand(position: Position, last: StreamEntry | undefined): JournalEntry {
    position.number = last === undefined ? 0 : positionOf(last[0]);
    position.token = last === undefined ? '' : tokenOf(last);
    const { shard, number, token } = position;
    return { shard, position: number, token, kind: 'rewound', at: 0 };
  }

  async function begin(position: Position): Promise<void> {
    const asked = from?.get(position.shard);
    const there = await entryAt(position.key, asked);
    stand(position, there);
    if (asked === undefined || there !== undefined) return;
    position.number = asked; // Trimmed since, unless the journal does not reach so far.
    if (asked === 0) return;
    const last = await entryAt(position.key);
    if (last === undefined || positionOf(last[0]) < asked) lost.push(stand(position, last));
  }

  /** The entry at a position, or the last one. */
  async function entryAt(key: string, number?: number): Promise<StreamEntry | undefined> {
    const found = await at(reader, key).call('XRANGE', (redis) =>
      number === undefined
        ? redis.xrevrange(key, '+', '-', 'COUNT', 1)
        : redis.xrange(key, streamId(number), streamId(number)),
    );
    return found[0] as StreamEntry | undefined;
  }

  async function check(lane: Lane): Promise<void> {
    const { generation } = lane.reader;
    for (const position of lane.positions) {
      if (position.number === 0) continue;
      const there = await entryAt(position.key, position.number);
      if (there !== undefined && tokenOf(there) === position.token) continue;
      const last = await entryAt(position.key);
      // Trimmed below us: the journal went on, nothing was undone.
      if (there === undefined && last !== undefined && positionOf(last[0]) > position.number) continue;
      const rewound = stand(position, last);
      for (const listener of listeners) listener.rewound?.(rewound);
    }
    lane.checkedAt = generation;
  }

  async function round(lane: Lane): Promise<void> {
    if (lane.reader.generation !== lane.checkedAt) await check(lane);
    const { pace } = lane;
    const reply = await lane.reader.block('XREAD journals', readBlockMs, (redis) => {
      const read = lane.positions.map(({ key }) => key);
      const ids = lane.positions.map(({ number }) => streamId(number));
      const block = pace.blocks ? ['BLOCK', String(readBlockMs)] : [];
      return redis.call('XREAD', 'COUNT', String(tailBatchMax), ...block, 'STREAMS', ...read, ...ids);
    });
    if (!open) return;
    const streams = streamsOf(reply);
    for (const [key, entries] of streams) take(byKey.get(key), entries);
    await pace.found(streams.length);
  }

  function take(position: Position | undefined, entries: readonly StreamEntry[]): void {
    if (position === undefined) return;
    for (const raw of entries) {
      const entry = new RawEntry(position.shard, raw);
      position.number = entry.position;
      position.token = entry.token;
      for (const listener of listeners) listener.entry(entry);
    }
  }

  const loops = lanes.map(async (lane) => {
    while (open) await round(lane).catch(() => pause(clock, open ? TROUBLE_PAUSE_MS : 0));
  });

  return {
    listen(listener) {
      listeners.add(listener);
      for (const rewound of lost.splice(0)) listener.rewound?.(rewound); // Where it was to begin is no more.
      return () => listeners.delete(listener);
    },
    positions: () => new Map(positions.map(({ shard, number }) => [shard, number])),
    async close() {
      open = false;
      await closeAll();
      await Promise.all(loops);
    },
  };
}

/** One read for all journals, or on a cluster, where it reaches one slot, one for each. */
function lanesOf(reader: Connection, positions: readonly Position[]): readonly Lane[] {
  const lane = (by: Connection, read: readonly Position[]): Lane => ({
    ...{ reader: by, positions: read, pace: new Pace() },
    checkedAt: by.generation,
  });
  const { cluster } = reader;
  if (cluster === undefined) return [lane(reader, positions)];
  return positions.map((position) => lane(cluster.apart(position.key), [position]));
}
