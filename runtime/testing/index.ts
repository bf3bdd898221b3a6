// The test kit's door: what whoever hosts charts needs to try them for real, and what the benches measure with.

export type { ActorId } from '../ids.ts';
export { streamsOf } from '../journal/entry.ts';
export type { Connection } from '../redis/connection.ts';
export { connect as connectRedis } from '../redis/connector.ts';
export type { Behaviour, Held, Step } from '../statechart/behaviour.ts';
export { charts } from '../statechart/charts.ts';
export { snapshotHash } from '../statechart/definition.ts';
export { type Replayed, replay } from '../statechart/replay.ts';
export {
  type AuditCounts,
  type AuditReport,
  type AuditSources,
  audit,
  chartsOf,
  check,
  checkInto,
  countsOf,
  gather,
} from './audit/audit.ts';
export { readProcess } from './audit/baseline.ts';
export type {
  Allowances,
  ChartOf,
  DeclaredLoss,
  Evidence,
  HistoryModel,
  LedgerAct,
  NamespaceEvidence,
  Reading,
  ShardEvidence,
  Sight,
  StoredActor,
  SubscriberLog,
} from './audit/evidence.ts';
export {
  Findings,
  type InvariantId,
  type InvariantReport,
  invariants,
  type Violation,
} from './audit/findings.ts';
export type { History, Operation, Outcome } from './audit/history.ts';
export { entriesByActor } from './audit/journals.ts';
export { type Bounds, type Call, type Linearization, linearizable, type Model } from './audit/linearizability.ts';
export type { LossReport } from './audit/losses.ts';
export { historyModels, tally, versions } from './audit/models.ts';
export { HistoryRecorder, type HistoryRecorderOptions, outcomeOf, type RecordedClient } from './audit/recorder.ts';
export { Canaries, type CanaryFinding, formsOf } from './canaries.ts';
export { Cluster, type ClusterOptions } from './cluster/cluster.ts';
export type { ClusterServer } from './cluster/cluster-server.ts';
export type { ClusterWorker, LifeOptions, WorkerState } from './cluster/cluster-worker.ts';
export { armCrashPoint, type CrashPoint, crashPoint, crashPoints } from './crash-points.ts';
export { type RedisCluster, type RedisClusterOptions, startCluster } from './redis-cluster.ts';
export {
  type Fault,
  type FaultRule,
  type HeldCommand,
  type RedisProxy,
  type RedisProxyOptions,
  type Span,
  type StandingRule,
  startRedisProxy,
  type Tap,
  type Way,
} from './redis-proxy.ts';
export { type RedisSentinel, type RedisSentinelOptions, startSentinel } from './redis-sentinel.ts';
export { type RedisServer, type RedisServerOptions, startRedis } from './redis-server.ts';
export { makeCertificates, startTlsRedis, type TrialCertificates } from './redis-tls.ts';
export { type FaultKind, faultKinds } from './simulation/faults.ts';
export { type RunOptions, type RunResult, simulate } from './simulation/run.ts';
export { openStage, type Stage } from './simulation/stage.ts';
export type { Stage as TrialStage } from './trials/stage.ts';
export type { InvariantVerdict } from './trials/trial.ts';
export { type WaitOptions, waitUntil } from './waiting.ts';
export {
  startWorkerProcess,
  type WorkerCounters,
  type WorkerProcess,
  type WorkerProcessOptions,
} from './worker-process.ts';
