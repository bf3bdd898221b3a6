// The audit: reads both contexts, the partners' ledger and a client's log, and checks the standing invariants over them.
//
// It writes nothing, may run beside a working system, and can fail: each check has a test that shows it forged evidence.

import { charts as deliveryCharts } from '../../actors/delivery/registration.ts';
import { charts as orderingCharts } from '../../actors/ordering/registration.ts';
import type { Ledger } from '../../actors/partners/ledger.ts';
import type { Client } from '../../runtime/client.ts';
import type { Hosted } from '../../runtime/hosting.ts';
import {
  type AuditCounts,
  type ChartOf,
  chartsOf,
  checkInto,
  countsOf,
  Findings,
  gather as gatherAll,
  type InvariantId,
  type InvariantReport,
  type Violation,
} from '../../runtime/testing/index.ts';
import { operationsOf } from './acknowledged.ts';
import { causeOf } from './cause.ts';
import { checkDeliveries, checkWorld, rowsOf } from './effects.ts';
import type { Ack, ContextEvidence } from './evidence.ts';
import { readPartners } from './reading.ts';

export interface AuditSources {
  readonly ordering: Client;
  readonly delivery: Client;
  /** Registrations of the charts that run there, through which journals are replayed. Default: those of both contexts. */
  readonly hosted?: readonly Hosted[] | undefined;
  /** Base address of the partners; left out, their ledger is not looked at. */
  readonly ledgerUrl?: string | undefined;
  readonly acks?: readonly Ack[] | undefined;
}

export interface AuditReport {
  /** No invariant is violated. Parked actors and failed orders are told apart from that. */
  readonly clean: boolean;
  readonly invariants: readonly InvariantReport[];
  /** The first 20 of each invariant. */
  readonly violations: readonly Violation[];
  readonly undecided: readonly Violation[];
  readonly parked: readonly { readonly actor: string; readonly context: string; readonly words: string }[];
  /** Orders that ended as failed. */
  readonly failed: readonly string[];
  readonly counts: AuditCounts;
  readonly remarks: readonly string[];
}

/** Reads and checks everything. Memory grows with the journals: about 2 KB an entry. */
export const audit = async (sources: AuditSources): Promise<AuditReport> => check(await gather(sources));

/** Reads what `check` needs. */
export async function gather(sources: AuditSources): Promise<Evidence> {
  // The ledger first: whatever it has was started by then, so the journals read after it say so.
  const ledger = sources.ledgerUrl === undefined ? undefined : await readPartners(sources.ledgerUrl);
  const found = await gatherAll([sources.ordering, sources.delivery]);
  const contexts = found.map((one, index) => ({ ...one, context: index === 0 ? 'ordering' : 'delivery' }));
  return {
    contexts,
    ledger,
    acks: sources.acks,
    chartOf: chartsOf(sources.hosted ?? [...new Set([...orderingCharts, ...deliveryCharts])]),
  };
}

export interface Evidence {
  readonly contexts: readonly ContextEvidence[];
  readonly ledger: Ledger | undefined;
  readonly acks: readonly Ack[] | undefined;
  readonly chartOf: ChartOf;
}

/** Checks what was read. Pure. */
export function check({ contexts, ledger, acks, chartOf }: Evidence): AuditReport {
  const findings = new Findings();
  const namespaces = contexts.map(({ context, ...stored }) => ({ ...stored, namespace: context }));
  checkInto(
    { namespaces, chartOf, ledger: ledger && rowsOf(ledger), acknowledged: acks && operationsOf(acks) },
    findings,
  );

  const actors = contexts.flatMap(({ shards }) => shards).flatMap((shard) => shard.actors);
  if (ledger === undefined) findings.remark('the partners’ ledger was not looked at');
  else checkWorld(ledger, findings);
  checkDeliveries(
    actors.filter(({ view }) => view?.machine === 'delivery'),
    findings,
  );
  if (acks === undefined) findings.remark('no log of acknowledged commands was given (--acks)');

  return {
    clean: findings.clean,
    invariants: findings.invariants.filter(isShown).map(titled),
    violations: findings.violations,
    undecided: findings.undecidedChecks,
    parked: contexts.flatMap(({ context, parked }) =>
      parked.map(({ actor, cause }) => ({ actor, context, words: causeOf(cause) })),
    ),
    failed: actors.filter(({ view }) => view?.states.includes('fulfilment.failed')).map(({ actor }) => actor),
    counts: countsOf(namespaces),
    remarks: findings.remarks,
  };
}

/** What a running system and its partners can always be asked; the others only where there was something to look at. */
const ALWAYS: ReadonlySet<InvariantId> = new Set(['I1', 'I2', 'I3', 'I4', 'I6']);

const isShown = ({ id, checked, violations }: InvariantReport): boolean =>
  ALWAYS.has(id) || checked > 0 || violations > 0;

const titled = (report: InvariantReport): InvariantReport =>
  report.id === 'I4' ? { ...report, title: `${report.title}: one card, one print, one delivery` } : report;
