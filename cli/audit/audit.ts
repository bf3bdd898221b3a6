// The audit: reads both contexts, the partners' ledger and a client's log, and checks the standing invariants over them.
//
// It writes nothing, may run beside a working system, and can fail: each check has a test that shows it forged evidence.

import { charts as deliveryCharts } from '../../actors/delivery/registration.ts';
import { charts as orderingCharts } from '../../actors/ordering/registration.ts';
import type { Ledger } from '../../actors/partners/ledger.ts';
import type { Client } from '../../runtime/client.ts';
import type { Hosted } from '../../runtime/hosting.ts';
import { type Behaviour, charts } from '../../runtime/testing/index.ts';
import { answeredEntries, checkAcks } from './acknowledged.ts';
import { causeOf } from './cause.ts';
import { checkDeliveries, checkLedger, startedKeys } from './effects.ts';
import type { Ack, ChartOf, ContextEvidence } from './evidence.ts';
import { Findings, type InvariantReport, type Violation } from './findings.ts';
import { checkShard } from './journals.ts';
import { readContext, readPartners } from './reading.ts';

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
  readonly parked: readonly { readonly actor: string; readonly context: string; readonly words: string }[];
  /** Orders that ended as failed. */
  readonly failed: readonly string[];
  readonly counts: {
    readonly actors: number;
    readonly entries: number;
    readonly claims: number;
    readonly refused: number;
  };
  readonly remarks: readonly string[];
}

/** Reads and checks everything. Memory grows with the journals: about 2 KB an entry. */
export const audit = async (sources: AuditSources): Promise<AuditReport> => check(await gather(sources));

/** Reads what `check` needs. */
export async function gather(sources: AuditSources): Promise<Evidence> {
  // The ledger first: whatever it has was started by then, so the journals read after it say so.
  const ledger = sources.ledgerUrl === undefined ? undefined : await readPartners(sources.ledgerUrl);
  const contexts = await Promise.all([
    readContext('ordering', sources.ordering),
    readContext('delivery', sources.delivery),
  ]);
  return {
    contexts,
    ledger,
    acks: sources.acks,
    chartOf: chartsOf(sources.hosted ?? [...orderingCharts, ...deliveryCharts]),
  };
}

const chartsOf = (hosted: readonly Hosted[]): ChartOf => {
  const byName = new Map<string, Behaviour>(charts(hosted).all.map((behaviour) => [behaviour.machine, behaviour]));
  return (machine) => byName.get(machine);
};

export interface Evidence {
  readonly contexts: readonly ContextEvidence[];
  readonly ledger: Ledger | undefined;
  readonly acks: readonly Ack[] | undefined;
  readonly chartOf: ChartOf;
}

/** Checks what was read. Pure. */
export function check({ contexts, ledger, acks, chartOf }: Evidence): AuditReport {
  const findings = new Findings();
  for (const { context, shards } of contexts) for (const shard of shards) checkShard(context, shard, chartOf, findings);

  const shards = contexts.flatMap((context) => context.shards);
  const entries = shards.flatMap((shard) => shard.entries);
  const actors = shards.flatMap((shard) => shard.actors);
  const isWhole = shards.every((shard) => (shard.entries[0]?.position ?? 1) === 1);
  if (ledger === undefined) findings.remark('the partners’ ledger was not looked at');
  else checkLedger(ledger, isWhole ? startedKeys(entries) : undefined, findings);
  checkDeliveries(
    actors.filter(({ view }) => view.machine === 'delivery'),
    findings,
  );
  if (acks === undefined) findings.remark('no log of acknowledged commands was given (--acks)');
  else checkAcks(acks, answeredEntries(entries), findings);

  return {
    clean: findings.clean,
    invariants: findings.invariants,
    violations: findings.violations,
    parked: contexts.flatMap(({ context, parked }) =>
      parked.map(({ actor, cause }) => ({ actor, context, words: causeOf(cause) })),
    ),
    failed: actors.filter(({ view }) => view.states.includes('fulfilment.failed')).map(({ actor }) => actor),
    counts: {
      actors: actors.length,
      entries: entries.length,
      claims: entries.filter(({ kind }) => kind === 'claimed').length,
      refused: entries.filter(({ kind }) => kind === 'refused').length,
    },
    remarks: findings.remarks,
  };
}
