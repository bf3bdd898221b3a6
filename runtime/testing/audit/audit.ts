// The audit: reads what a namespace stores, and checks the standing invariants I1 to I8 over that and over what clients,
// subscribers and partners have to say. docs/audit.md says what each of them means.
//
// It writes nothing, may run beside a working system, and can fail: each check has a test that shows it forged evidence.
// `check` is pure: no clock, no I/O, no timers; a simulation calls it thousands of times.

import type { Client } from '../../client.ts';
import type { Hosted } from '../../hosting.ts';
import type { Behaviour } from '../../statechart/behaviour.ts';
import { charts } from '../../statechart/charts.ts';
import { answeredEntries, checkAcknowledged } from './acknowledged.ts';
import { checkLeftovers, checkReadings } from './baseline.ts';
import { checkLedger, checkStarts, startedKeys } from './effects.ts';
import type { ChartOf, Evidence, NamespaceEvidence, SubscriberLog } from './evidence.ts';
import { Findings, type InvariantReport, type Violation } from './findings.ts';
import { checkShard, entriesByActor } from './journals.ts';
import { checkLinearity } from './linearity.ts';
import { Losses, type LossReport } from './losses.ts';
import { versions } from './models.ts';
import { readNamespace } from './reading.ts';
import { checkReader, checkSubscriber, type Tellable, tellable } from './subscribers.ts';

/** What is audited: the namespaces of these clients, and whatever else there is to hold against them. */
export interface AuditSources extends Omit<Evidence, 'namespaces' | 'chartOf'> {
  readonly clients: readonly Client[];
  /** Registrations of the charts that run there, through which journals are replayed. */
  readonly charts: readonly Hosted[];
}

/** Plain JSON. */
export interface AuditReport {
  /** No invariant is violated, and every check came to an end. */
  readonly clean: boolean;
  readonly invariants: readonly InvariantReport[];
  /** The first 20 of each invariant. */
  readonly violations: readonly Violation[];
  /** Checks that reached a bound, such as a history too wide to judge: the first 20 of each invariant. */
  readonly undecided: readonly Violation[];
  /** What was lost within the declared windows. */
  readonly lost: LossReport;
  readonly parked: readonly { readonly namespace: string; readonly actor: string }[];
  readonly counts: AuditCounts;
  readonly remarks: readonly string[];
}

export interface AuditCounts {
  readonly actors: number;
  readonly entries: number;
  readonly claims: number;
  readonly refused: number;
}

/**
 * Reads and checks everything. Call it when all is quiet: unless `quiet` is false, work that is still on its way violates I8.
 * Memory grows with the journals: about 2 KB an entry.
 */
export async function audit({ clients, charts: hosted, ...more }: AuditSources): Promise<AuditReport> {
  return check({ quiet: true, ...more, namespaces: await gather(clients), chartOf: chartsOf(hosted) });
}

/** Reads what `check` needs of the namespaces. Record histories and ledgers before: the journals then reach as far as they. */
export const gather = (clients: readonly Client[]): Promise<readonly NamespaceEvidence[]> =>
  Promise.all(clients.map(readNamespace));

/** Finds the hosted charts by name. Compiles them: do it once where `check` is called often. */
export function chartsOf(hosted: readonly Hosted[]): ChartOf {
  const byName = new Map<string, Behaviour>(charts(hosted).all.map((behaviour) => [behaviour.machine, behaviour]));
  return (machine) => byName.get(machine);
}

/** Checks what was read or made up. Pure. */
export function check(evidence: Evidence): AuditReport {
  const findings = new Findings();
  const lost = checkInto(evidence, findings);
  return {
    clean: findings.clean,
    invariants: findings.invariants,
    violations: findings.violations,
    undecided: findings.undecidedChecks,
    lost,
    parked: evidence.namespaces.flatMap(({ namespace, parked }) => parked.map(({ actor }) => ({ namespace, actor }))),
    counts: countsOf(evidence.namespaces),
    remarks: findings.remarks,
  };
}

/** The checks alone, for an audit that has more of its own to find. */
export function checkInto(evidence: Evidence, findings: Findings): LossReport {
  const { namespaces, chartOf, ledger, allowances = {}, before, after } = evidence;
  const { history = [], acknowledged = [], subscribers = [] } = evidence;
  const losses = new Losses(allowances.lossAllowed);
  const shards = namespaces.flatMap((one) => one.shards);
  for (const { namespace, shards: own } of namespaces)
    for (const shard of own) checkShard(namespace, shard, chartOf, findings);

  const journals = shards.map(({ entries }) => entries);
  const answered = answeredEntries(journals);
  checkAcknowledged([...history, ...acknowledged], answered, losses, findings);
  if (history.length > 0) {
    const { modelOf = () => versions } = evidence;
    checkLinearity(history, { modelOf, losses, answered }, findings);
  }

  const entries = journals.flat();
  checkStarts(entries, findings);
  if (ledger !== undefined) checkLedger(ledger, answered.isWhole ? startedKeys(entries) : undefined, losses, findings);

  checkSubscribers(subscribers, namespaces, losses, findings);

  checkLeftovers(namespaces, evidence.quiet === true, allowances, findings);
  if (before !== undefined && after !== undefined) checkReadings(before, after, allowances, findings);
  return losses.report;
}

function checkSubscribers(
  logs: readonly SubscriberLog[],
  namespaces: readonly NamespaceEvidence[],
  losses: Losses,
  findings: Findings,
): void {
  const toldBy = (some: readonly NamespaceEvidence[]): Tellable =>
    tellable(entriesByActor(some.flatMap(({ shards }) => shards).flatMap(({ entries }) => entries)));
  const all = logs.length === 0 ? undefined : toldBy(namespaces);
  for (const log of logs) {
    const followed = namespaces.filter(({ namespace }) => namespace === log.journals?.namespace);
    const told = log.journals === undefined ? all : toldBy(followed);
    if (told !== undefined) checkSubscriber(log, told, losses, findings);
    for (const one of followed) checkReader(log, one, findings);
  }
}

export function countsOf(namespaces: readonly NamespaceEvidence[]): AuditCounts {
  const shards = namespaces.flatMap((one) => one.shards);
  const counts = { actors: 0, entries: 0, claims: 0, refused: 0 };
  for (const { actors, entries } of shards) {
    counts.actors += actors.length;
    counts.entries += entries.length;
    for (const { kind } of entries) {
      if (kind === 'claimed') counts.claims += 1;
      if (kind === 'refused') counts.refused += 1;
    }
  }
  return counts;
}
