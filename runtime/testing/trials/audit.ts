// What a trial hands to the auditor, and what becomes of the findings.

import type { Client } from '../../client.ts';
import { type AuditReport, audit } from '../audit/audit.ts';
import type { Allowances, HistoryModel, LedgerAct, Reading, Sight, SubscriberLog } from '../audit/evidence.ts';
import type { InvariantReport } from '../audit/findings.ts';
import { tally, versions } from '../audit/models.ts';
import type { HistoryRecorder } from '../audit/recorder.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { askRedis } from '../redis-probe.ts';
import { trialChart } from '../trial-chart.ts';
import type { Load } from './load.ts';
import type { Subscriber } from './subscriber.ts';
import { INVARIANTS, type InvariantId, type InvariantVerdict } from './trial.ts';

export interface Witnesses {
  readonly cluster: Cluster;
  readonly recorder: HistoryRecorder;
  readonly loads: readonly { readonly load: Load; readonly subscriber: Subscriber; readonly namespace: string }[];
  readonly ledger: readonly LedgerAct[];
  readonly before: Reading;
  readonly allowances: Allowances;
}

/** Timers and sockets that come and go with whatever a worker is doing at that moment. */
const HANDLES_MORE = 40;
/** Connections of a worker that was added, or is being replaced. */
const CONNECTIONS_MORE = 10;

/** Reads everything the cluster stores and checks it. Call it when all is quiet. */
export async function auditCluster(witnesses: Witnesses): Promise<AuditReport> {
  const { cluster, recorder, loads, ledger, before, allowances } = witnesses;
  const counting = new Set<string>(loads.flatMap(({ load }) => load.counting));
  const after = await readingOf(cluster);
  return await audit({
    clients: cluster.namespaces.map((name): Client => cluster.client(name)),
    charts: [trialChart()],
    history: recorder.history,
    modelOf: (actor) => (counting.has(actor) ? tally : versions) as HistoryModel,
    subscribers: loads.map(({ subscriber, namespace }) => logOf(namespace, subscriber)),
    ledger,
    before: comparable(before, after),
    after,
    allowances: { ...allowances, growth: { ...growthOf(before), ...allowances.growth } },
  });
}

/** Per invariant how much was looked at and what did not hold. */
export function verdictsOf(invariants: readonly InvariantReport[]): ReadonlyMap<InvariantId, InvariantVerdict> {
  const verdicts = new Map<InvariantId, InvariantVerdict>();
  for (const id of INVARIANTS) verdicts.set(id, { notLookedAt: 'there was nothing to look at' });
  for (const { id, checked, violations, undecided } of invariants)
    if (checked > 0 || violations > 0) verdicts.set(id, { checked, violations, undecided });
  return verdicts;
}

/** How often these invariants did not hold, together. */
export const violationsOf = ({ invariants }: AuditReport, ...ids: readonly InvariantId[]): number =>
  invariants.reduce((sum, { id, violations }) => sum + (ids.includes(id) ? violations : 0), 0);

/** Handles of each process that runs, named by its id and process, and connections of each server. */
export async function readingOf(cluster: Cluster): Promise<Reading> {
  const reading: { [measure: string]: number } = {};
  for (const worker of cluster.workers.filter(({ state }) => state === 'running'))
    reading[`${worker.id} handles, process ${worker.pid}`] = (await worker.counters()).handles;
  for (const server of cluster.servers.filter(({ state }) => state === 'running')) {
    const info = String(await askRedis(server.url, ['INFO', 'clients']));
    reading[`${server.name} connections`] = Number(/connected_clients:(\d+)/.exec(info)?.[1] ?? 0);
  }
  return reading;
}

/** A worker that was killed has nothing to compare. */
const comparable = (before: Reading, after: Reading): Reading =>
  Object.fromEntries(Object.entries(before).filter(([measure]) => after[measure] !== undefined));

const growthOf = (before: Reading): Reading =>
  Object.fromEntries(
    Object.keys(before).map((measure) => [measure, measure.endsWith('connections') ? CONNECTIONS_MORE : HANDLES_MORE]),
  );

function logOf(namespace: string, { entries }: Subscriber): SubscriberLog {
  const sights = entries.flatMap((entry): Sight[] => {
    if (entry.kind === 'rewound') return [{ kind: 'rewound' }];
    if (entry.kind !== 'moved' || entry.actor === undefined || entry.sequence === undefined) return [];
    return [{ kind: 'told', actor: entry.actor, version: entry.sequence }];
  });
  return {
    ...{ name: `watch of ${namespace}`, of: 'versions', sights, everything: true, caughtUp: true },
    journals: { namespace, entries },
  };
}
