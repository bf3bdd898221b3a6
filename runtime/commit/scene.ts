// What a worker lends to each of its shards. Arguments, not globals: time, Redis, charts and the doors to the other parts.

import type { Clock } from '../clock.ts';
import type { Send } from '../hosting.ts';
import type { Namespace, WorkerId } from '../ids.ts';
import type { Batch } from '../redis/batch.ts';
import type { Charts } from '../statechart/charts.ts';
import type { DomainClock } from '../timers/domain-clock.ts';
import type { StepGate } from './step-gate.ts';

/** Structured log lines: a fixed text and fields. Never bodies, contexts or inputs: they may hold what people own. */
export interface Log {
  info(fields: object, text: string): void;
  warn(fields: object, text: string): void;
  error(fields: object, text: string): void;
}

export const silentLog: Log = { info: () => undefined, warn: () => undefined, error: () => undefined };

export interface Counters {
  steps: number;
  refused: number;
  fenced: number;
  rewound: number;
  parked: number;
  effects: number;
  relayed: number;
  timers: number;
  /** Actors read ahead of a claim and found as they were. */
  warmed: number;
}

export const newCounters = (): Counters => ({
  steps: 0,
  refused: 0,
  fenced: 0,
  rewound: 0,
  parked: 0,
  effects: 0,
  relayed: 0,
  timers: 0,
  warmed: 0,
});

export interface Scene {
  readonly namespace: Namespace;
  readonly worker: WorkerId;
  readonly batch: Batch;
  readonly charts: Charts;
  readonly clock: Clock;
  readonly timeScale: number;
  /** What time it is for the charts (T2). */
  readonly domain: DomainClock;
  /** Milliseconds of domain time that the namespace has travelled in all, as last heard. */
  travelled(): number;
  readonly counters: Counters;
  readonly log: Log;
  /** One for all shards of the process (M5). */
  readonly gate: StepGate;
  /** Estimate of the server's clock in ms (T2). */
  serverNow(): number;
  /** '' where the server's own clock counts, else the virtual reading that does (T2). */
  reading(): string;
  /** True while more than the margin of the shard's lease is left (L4). */
  mayWork(shard: number): boolean;
  /** `source shard>target shard` for a message. */
  lane(from: number, send: Send): string;
  /** Actors a shard may keep in memory. */
  residentsPerShard(): number;
  /** Drop the actor after every commit: a step after a reload must equal a step from cache. For tests. */
  readonly forgetful: boolean;
}
