// Rates of the parts by themselves: what the chart costs without Redis, and what Redis costs without a chart.

import { type AnyMachineSnapshot, type AnyStateMachine, transition } from 'xstate';
import { systemClock } from '../../runtime/index.ts';
import { type ActorId, charts, connectRedis } from '../../runtime/testing/index.ts';
import type { CommitOptions } from '../commit.ts';
import { startBenchRedis } from '../redis.ts';
import { eventOf, input, machine, subject } from './subject.ts';

export interface Microscopes {
  readonly snapshotBytes: number;
  readonly perSecond: Readonly<Record<string, number>>;
}

export async function microscopes(options: CommitOptions): Promise<Microscopes> {
  const ms = Math.min(2_000, options.seconds * 500);
  const chart = charts([subject()]).byName(machine);
  const actor = 'ord_bench' as ActorId;
  const first = chart.start(input(actor), { actor, sequence: 1, now: 0 });
  let held = first.held;
  let n = 0;
  const stepped = rate(ms, () => {
    const result = chart.step(held, eventOf(n), { actor, sequence: n + 2, now: 0 });
    n += 1;
    held = result.held;
  });
  // The same chart through xstate's own pure function, from the live snapshot of the same state.
  const bareMachine: AnyStateMachine = subject().machine;
  let snapshot = first.held.snapshot as AnyMachineSnapshot; // Held's snapshot is opaque to everybody but this comparison.
  let m = 0;
  const bare = rate(ms, () => {
    [snapshot] = transition(bareMachine, snapshot, { ...eventOf(m), at: 0 });
    m += 1;
  });
  const redis = await redisRates(ms, first.stored);
  return {
    snapshotBytes: first.stored.length,
    perSecond: { 'step on the reused scope, with its stored text': stepped, "xstate's transition()": bare, ...redis },
  };
}

function rate(ms: number, once: () => void): number {
  const clock = systemClock;
  const end = clock.monotonic() + ms;
  const start = clock.monotonic();
  let count = 0;
  while (clock.monotonic() < end) {
    for (let i = 0; i < 100; i += 1) once();
    count += 100;
  }
  return (count * 1_000) / (clock.monotonic() - start);
}

const PIPELINE = 100;

async function redisRates(ms: number, body: string): Promise<Readonly<Record<string, number>>> {
  const server = await startBenchRedis();
  const connection = await connectRedis('writer', server.url);
  const { redis } = connection;
  try {
    await redis.call('FUNCTION', 'LOAD', "#!lua name=bare\nredis.register_function('bare', function() return 1 end)");
    return {
      'XADD of a snapshot, pipelined by 100': await asyncRate(ms, PIPELINE, async () => {
        const pipeline = redis.pipeline();
        for (let i = 0; i < PIPELINE; i += 1) pipeline.xadd('s', '*', 'b', body);
        await pipeline.exec();
      }),
      'empty FCALL, pipelined by 100': await asyncRate(ms, PIPELINE, async () => {
        const pipeline = redis.pipeline();
        for (let i = 0; i < PIPELINE; i += 1) pipeline.call('FCALL', 'bare', '0');
        await pipeline.exec();
      }),
      'empty FCALL, one at a time': await asyncRate(ms, 1, async () => {
        await redis.call('FCALL', 'bare', '0');
      }),
    };
  } finally {
    await connection.close();
    await server.stop();
  }
}

async function asyncRate(ms: number, each: number, once: () => Promise<void>): Promise<number> {
  const clock = systemClock;
  const start = clock.monotonic();
  let count = 0;
  while (clock.monotonic() - start < ms) {
    await once();
    count += each;
  }
  return (count * 1_000) / (clock.monotonic() - start);
}
