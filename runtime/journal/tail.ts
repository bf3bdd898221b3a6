// The tail of all journals of a namespace: one reader, many listeners, entries in order per shard and without a gap.
//
// A position is (number, token). The entry there is compared before the first read and after each reconnection: where it is
// another one, or the journal does not reach so far, the server lost its tail and the listener is told `rewound` once, then
// goes on from what is there (P1, P2). Where it was trimmed, the journal went on and nothing was undone.
//
// The look and the reads it stands for go over one connection, and only under one generation of it: what a read gives that was
// under way when the connection was made anew, or led to another server, is thrown away, and looked and read again.

import { type Clock, pause } from '../clock.ts';
import { positionOf, streamId } from '../ids.ts';
import { readBlockMs, tailBatchMax } from '../limits.ts';
import type { JournalEntry, JournalPosition } from '../messages.ts';
import type { Connection } from '../redis/connection.ts';
import { Pace } from '../redis/pace.ts';
import { at } from '../redis/topology.ts';
import { RawEntry, type StreamEntry, standingAt, streamsOf, tokenOf } from './entry.ts';

export interface Tail {
  /** Calls `listener` for every entry after now, and with `rewound` as said above. Returns how to stop. */
  listen(listener: TailListener): () => void;
  /** What has been handed on, by shard. */
  positions(): ReadonlyMap<number, JournalPosition>;
  close(): Promise<void>;
}

export interface TailListener {
  entry(entry: RawEntry): void;
  rewound?(entry: JournalEntry): void;
}

interface Place {
  readonly shard: number;
  readonly key: string;
  stands: JournalPosition;
}

/** Journals that are read together. */
interface Lane {
  readonly reader: Connection;
  readonly places: readonly Place[];
  readonly pace: Pace;
  /** The reader's generation under which the positions were compared; undefined before the first look. */
  checkedAt: number | undefined;
}

const TROUBLE_PAUSE_MS = 100;

/**
 * Starts at the present heads, or above `from` where given. Resolves when every later entry is certain to be seen by who
 * listens in the same turn.
 */
export async function startTail(
  reader: Connection,
  keys: readonly string[],
  clock: Clock,
  from?: ReadonlyMap<number, JournalPosition>,
): Promise<Tail> {
  const listeners = new Set<TailListener>();
  const places: Place[] = keys.map((key, shard) => ({ shard, key, stands: from?.get(shard) ?? standingAt(undefined) }));
  const byKey = new Map(places.map((place) => [place.key, place]));
  const lanes = lanesOf(reader, places);
  let open = true;

  const unplaced = places.filter(({ shard }) => from?.get(shard) === undefined);
  await Promise.all(unplaced.map((place) => toHead(at(reader, place.key), place))).catch(async (error: unknown) => {
    await closeAll();
    throw error;
  });

  async function closeAll(): Promise<void> {
    await Promise.all(lanes.map((lane) => lane.reader.close()));
    await reader.close();
  }

  /** Compares the positions of a lane with what its connection shows, and tells those that were undone. */
  async function check(lane: Lane): Promise<void> {
    await lane.reader.untilReady(readBlockMs);
    const { generation } = lane.reader; // From before the looks: a connection made anew during them is looked at again.
    const looks = await Promise.allSettled(lane.places.map((place) => compare(lane.reader, place))); // None is left behind.
    for (const look of looks) if (look.status === 'rejected') throw look.reason;
    lane.checkedAt = generation;
  }

  async function compare(by: Connection, place: Place): Promise<void> {
    const { number, token } = place.stands;
    if (number === 0) return;
    // One look at the entry or the first one after it, since between two looks the journal grows.
    const found = await by.call('XRANGE', (redis) => redis.xrange(place.key, streamId(number), '+', 'COUNT', 1));
    const there = found[0] as StreamEntry | undefined;
    if (there !== undefined && positionOf(there[0]) > number) return; // Trimmed: journals have no other gaps (C2).
    if (there !== undefined && tokenOf(there) === token) return;
    await toHead(by, place);
    const { shard, stands } = place;
    const rewound: JournalEntry = { shard, position: stands.number, token: stands.token, kind: 'rewound', at: 0 };
    for (const listener of listeners) listener.rewound?.(rewound);
  }

  async function round(lane: Lane): Promise<void> {
    const { pace, reader: by } = lane;
    if (by.generation !== lane.checkedAt) return await check(lane);
    const reply = await by.block('XREAD journals', readBlockMs, (redis) => {
      const read = lane.places.map(({ key }) => key);
      const ids = lane.places.map(({ stands }) => streamId(stands.number));
      const block = pace.blocks ? ['BLOCK', String(readBlockMs)] : [];
      return redis.call('XREAD', 'COUNT', String(tailBatchMax), ...block, 'STREAMS', ...read, ...ids);
    });
    if (!open || by.generation !== lane.checkedAt) return; // Perhaps of a server that was not looked at.
    const streams = streamsOf(reply);
    for (const [key, entries] of streams) take(byKey.get(key), entries);
    await pace.found(streams.length);
  }

  function take(place: Place | undefined, entries: readonly StreamEntry[]): void {
    if (place === undefined) return;
    for (const raw of entries) {
      const entry = new RawEntry(place.shard, raw);
      place.stands = { number: entry.position, token: entry.token };
      for (const listener of listeners) listener.entry(entry);
    }
  }

  const loops = lanes.map(async (lane) => {
    while (open) await round(lane).catch(() => pause(clock, open ? TROUBLE_PAUSE_MS : 0));
  });

  return {
    listen(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    positions: () => new Map(places.map(({ shard, stands }) => [shard, stands])),
    async close() {
      open = false;
      await closeAll();
      await Promise.all(loops);
    },
  };
}

async function toHead(by: Connection, place: Place): Promise<void> {
  const found = await by.call('XREVRANGE', (redis) => redis.xrevrange(place.key, '+', '-', 'COUNT', 1));
  place.stands = standingAt(found[0] as StreamEntry | undefined);
}

/** One read for all journals, or on a cluster, where it reaches one slot, one for each. */
function lanesOf(reader: Connection, places: readonly Place[]): readonly Lane[] {
  const lane = (by: Connection, read: readonly Place[]): Lane => ({
    ...{ reader: by, places: read, pace: new Pace() },
    checkedAt: undefined,
  });
  const { cluster } = reader;
  if (cluster === undefined) return [lane(reader, places)];
  return places.map((place) => lane(cluster.apart(place.key), [place]));
}
