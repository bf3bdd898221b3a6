// The test kit's door: what whoever hosts charts needs to try them for real, and what the benches measure with.

export type { ActorId } from '../ids.ts';
export { streamsOf } from '../journal/entry.ts';
export type { Connection } from '../redis/connection.ts';
export { connect as connectRedis } from '../redis/connector.ts';
export type { Behaviour, Held, Step } from '../statechart/behaviour.ts';
export { charts } from '../statechart/charts.ts';
export { snapshotHash } from '../statechart/definition.ts';
export { type Replayed, replay } from '../statechart/replay.ts';
export { armCrashPoint, type CrashPoint, crashPoint, crashPoints } from './crash-points.ts';
export { type HeldCommand, type RedisProxy, startRedisProxy } from './redis-proxy.ts';
export { type RedisServer, type RedisServerOptions, startRedis } from './redis-server.ts';
export { type WaitOptions, waitUntil } from './waiting.ts';
export { startWorkerProcess, type WorkerProcess, type WorkerProcessOptions } from './worker-process.ts';
