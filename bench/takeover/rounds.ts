// Rounds: two workers share 64 shards under load; one is killed or stopped, the other takes over, the first comes back.

import { pause, systemClock } from '../../runtime/index.ts';
import { startWorkerProcess, type WorkerProcess, waitUntil } from '../../runtime/testing/index.ts';
import { namespace } from '../commit/subject.ts';
import { startBenchRedis } from '../redis.ts';
import type { Around } from './findings.ts';
import { type Change, type Load, startLoad } from './load.ts';

export type Ending = 'SIGKILL' | 'SIGTERM';

export interface Round {
  readonly ending: Ending;
  /** From the signal to the first answer by the new owner, per shard that was the victim's. ms */
  readonly takeovers: readonly number[];
  /** Per shard that went back when the worker was started again: from the last answer of one to the first of the other. ms */
  readonly pauses: readonly number[];
  /** Answers around the signal, and around the first of these pauses. */
  readonly signal: Around;
  readonly back: Around;
}

const IDS = ['bench.1', 'bench.2'] as const;
const WITHIN = { deadlineMs: 30_000 };
const SIGNAL = { beforeMs: 1_000, afterMs: 1_500 }; // The restart that follows must not be in the picture.
const BACK = { beforeMs: 300, afterMs: 1_000 };

/** Plays `count` rounds of one ending, each told when it is over. Everything that it starts is stopped. */
export async function playRounds(ending: Ending, count: number, told: (round: Round) => void): Promise<Load> {
  const redis = await startBenchRedis();
  const workers = new Map<string, WorkerProcess>();
  let load: Load | undefined;
  const start = async (id: string): Promise<void> => {
    const worker = startWorkerProcess({
      module: new URL('../commit/subject.js', import.meta.url).href,
      host: { namespace, worker: id, url: redis.url, peers: { dlv: { url: redis.url } }, durability: 'memory' },
    });
    workers.set(id, worker);
    await worker.ready;
  };
  const shardsOf = async (id: string): Promise<readonly number[]> => (await workers.get(id)?.counters())?.shards ?? [];
  const shared = (): Promise<unknown> =>
    waitUntil(
      'the two share',
      async () => (await Promise.all(IDS.map(shardsOf))).every(({ length }) => length === 32),
      WITHIN,
    );
  try {
    for (const id of IDS) await start(id);
    await shared();
    const started = await startLoad(redis.url, ending);
    load = started;
    await waitUntil('every shard has answered', () => started.last(63) !== undefined && started.answers > 640, WITHIN);
    for (let i = 0; i < count; i += 1) {
      const id = IDS[i % 2] as string;
      told(
        await oneRound(ending, { load, start, shared, victim: () => workers.get(id) as WorkerProcess, id, shardsOf }),
      );
    }
    return load;
  } finally {
    await load?.close();
    await Promise.all([...workers.values()].map((worker) => worker.kill()));
    await redis.stop();
  }
}

interface Scene {
  readonly load: Load;
  readonly id: string;
  readonly victim: () => WorkerProcess;
  readonly start: (id: string) => Promise<void>;
  readonly shared: () => Promise<unknown>;
  readonly shardsOf: (id: string) => Promise<readonly number[]>;
}

async function oneRound(ending: Ending, { load, id, victim, start, shared, shardsOf }: Scene): Promise<Round> {
  const own = await shardsOf(id);
  const counters = new Map(own.map((shard) => [shard, load.last(shard)?.counter]));
  load.times();
  await pause(systemClock, SIGNAL.beforeMs);
  load.changes();
  const signalled = systemClock.monotonic();
  const ended = ending === 'SIGKILL' ? victim().kill() : victim().stop();
  await Promise.all([pause(systemClock, SIGNAL.afterMs), ended]);
  await waitUntil(
    'every shard is answered for',
    () => own.every((shard) => load.last(shard)?.counter !== counters.get(shard)),
    WITHIN,
  );
  const takeovers = changesOf(load.changes(), own).map(({ firstAfter }) => firstAfter - signalled);
  const signal = { ...SIGNAL, at: signalled, answers: load.times() };
  await start(id);
  await shared();
  const moved = await shardsOf(id);
  const before = new Map(moved.map((shard) => [shard, load.last(shard)?.at ?? 0]));
  await waitUntil(
    'every moved shard is answered for',
    () => moved.every((shard) => (load.last(shard)?.at ?? 0) > (before.get(shard) ?? 0)),
    WITHIN,
  );
  await pause(systemClock, BACK.afterMs);
  const changes = changesOf(load.changes(), moved);
  const pauses = changes.map(({ lastBefore, firstAfter }) => firstAfter - lastBefore);
  const back = { ...BACK, at: Math.min(...changes.map(({ lastBefore }) => lastBefore)), answers: load.times() };
  return { ending, takeovers, pauses, signal, back };
}

/** The first change of each of these shards. */
function changesOf(changes: readonly Change[], shards: readonly number[]): readonly Change[] {
  return shards.flatMap((shard) => changes.find((change) => change.shard === shard) ?? []);
}
