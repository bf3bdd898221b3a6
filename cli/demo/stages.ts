// How long each stage of an order took, read from the journals: the clock readings of the steps that began and ended it.

import { build } from 'hdr-histogram-js';
import type { JournalEntry } from '../../runtime/messages.ts';
import { entriesByActor } from '../../runtime/testing/index.ts';

export const stageNames = [
  'screening',
  'approval→batch',
  'production',
  'delivery scheduling',
  'transit',
  'handover',
  'activation',
  'whole order',
] as const;
export type StageName = (typeof stageNames)[number];

/** Wall milliseconds by stage; a stage the order did not complete is absent. */
export type StageTimes = { readonly [stage in StageName]?: number };

export interface StageRow {
  readonly stage: StageName;
  readonly count: number;
  readonly wallMs: { readonly p50: number; readonly p99: number };
  /** Wall time times the scale: what the customer of the business waited. */
  readonly domainMs: { readonly p50: number; readonly p99: number };
}

/** Times of one order; `deliveries` are the journals of its deliveries. First passages count; the handover is the last try. */
export function stageTimes(
  order: readonly JournalEntry[],
  deliveries: readonly (readonly JournalEntry[])[],
): StageTimes {
  const first = (prefix: string): number | undefined =>
    whenOf(order.find(({ kind, states }) => kind === 'moved' && states?.some((state) => isIn(state, prefix))));
  const submitted = whenOf(order.find(({ kind, event }) => kind === 'moved' && event?.type === 'SUBMIT'));
  const approved = first('fulfilment.approved');
  const batched = first('fulfilment.production');
  const printed = first('fulfilment.delivery');
  const handedOver = first('fulfilment.handedOver');
  const completed = first('fulfilment.completed');
  const scanned = lastOf(deliveries, 'SCANNED');
  const started = lastOf(deliveries, 'START_HANDOVER');
  const times: { [stage in StageName]: number | undefined } = {
    screening: between(submitted, approved),
    'approval→batch': between(approved, batched),
    production: between(batched, printed),
    'delivery scheduling': between(printed, scanned),
    transit: between(scanned, started),
    handover: between(started, handedOver),
    activation: between(handedOver, completed),
    'whole order': between(submitted, completed),
  };
  return Object.fromEntries(Object.entries(times).filter(([, ms]) => ms !== undefined)) as StageTimes;
}

/** By the server's clock, which runs alike in both contexts and knows of no travel. */
const committedAt = ({ at, committedAt = at }: JournalEntry): number => committedAt;
const whenOf = (entry: JournalEntry | undefined): number | undefined =>
  entry === undefined ? undefined : committedAt(entry);
const isIn = (state: string, prefix: string): boolean => state === prefix || state.startsWith(`${prefix}.`);
const between = (from: number | undefined, to: number | undefined): number | undefined =>
  from === undefined || to === undefined ? undefined : Math.max(0, to - from);

function lastOf(journals: readonly (readonly JournalEntry[])[], event: string): number | undefined {
  const times = journals
    .flat()
    .flatMap((entry) => (entry.kind === 'moved' && entry.event?.type === event ? [committedAt(entry)] : []));
  return times.length === 0 ? undefined : Math.max(...times);
}

const DURATION_MS_MAX = 24 * 3_600_000; // Of wall time.

/** Percentiles per stage over many orders; three digits are exact. Stages nobody passed have count 0. */
export function stageTable(all: readonly StageTimes[], timeScale: number): readonly StageRow[] {
  return stageNames.map((stage) => {
    const histogram = build({
      lowestDiscernibleValue: 1,
      highestTrackableValue: DURATION_MS_MAX,
      numberOfSignificantValueDigits: 3,
    });
    for (const times of all) {
      const ms = times[stage];
      if (ms !== undefined) histogram.recordValue(Math.min(DURATION_MS_MAX, Math.round(ms)));
    }
    const at = (percentile: number): number =>
      histogram.totalCount === 0 ? 0 : histogram.getValueAtPercentile(percentile);
    const wallMs = { p50: at(50), p99: at(99) };
    return {
      stage,
      count: histogram.totalCount,
      wallMs,
      domainMs: { p50: Math.round(wallMs.p50 * timeScale), p99: Math.round(wallMs.p99 * timeScale) },
    };
  });
}

/** Times of the named orders out of all journals. */
export function timesOf(
  orderIds: Iterable<string>,
  entries: readonly JournalEntry[],
  deliveriesOf: (orderId: string) => readonly string[],
): StageTimes[] {
  const journals = entriesByActor(entries);
  return [...orderIds].map((orderId) =>
    stageTimes(
      journals.get(orderId) ?? [],
      deliveriesOf(orderId).map((delivery) => journals.get(delivery) ?? []),
    ),
  );
}
