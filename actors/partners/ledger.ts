// The partners' ledger as an auditor reads it: what every partner was asked, and what it did.
//
// An *act* is something that happened in the partner's world: a card made, a print job taken, a message sent. Acts are
// counted where they happen, not where they are asked for, so a business key with more than one act is a doubled effect.

import Type, { type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { type Clock, systemClock } from '../../runtime/clock.ts';
import { oneOf } from '../contract/schema.ts';
import { withDeadline } from './deadline.ts';

const count = Type.Integer({ minimum: 0 });

const counts = {
  /** Distinct acts. More than 1 under one business key is a doubled effect. */
  acts: count,
  calls: count,
  /** Calls answered from the ledger, by idempotency key and by business key. */
  repeats: count,
  businessRepeats: count,
  refused: count,
  /** Failures shown on demand: errors before the act, and replies lost after it. */
  errors: count,
  lostReplies: count,
};

/** One business key of one kind of effect. */
export const LedgerEntry = Type.Object({
  effect: Type.String(),
  businessKey: Type.String(),
  /** What it was done for: an order's, a delivery's or a card's id. */
  subject: Type.String(),
  /** What the acts made, such as card ids; in the order they happened. */
  results: Type.Array(Type.String()),
  /** Distinct idempotency keys that came with it. More than 1 is allowed, and worth a look. */
  keys: Type.Array(Type.String()),
  ...counts,
  firstAt: count,
  lastAt: count,
});
export type LedgerEntry = Static<typeof LedgerEntry>;

export const LedgerTotals = Type.Object(counts);
export type LedgerTotals = Static<typeof LedgerTotals>;

export const PrintJob = Type.Object({
  jobId: Type.String(),
  orderId: Type.String(),
  batchId: Type.String(),
  stage: oneOf('submitted', 'acknowledged', 'rejected', 'printing', 'spoiled', 'printed', 'withdrawn'),
  envelopeId: Type.Optional(Type.String()),
});

/** A fee of an order. `barred`: given back before it was taken. Amounts in minor units. */
export const Fee = Type.Object({
  feeType: Type.String(),
  amountMinor: Type.String(),
  currency: Type.String(),
  state: oneOf('charged', 'refunded', 'barred'),
});
export type Fee = Static<typeof Fee>;

/** What exists in the partners' world, by what it exists for. */
export const LedgerWorld = Type.Object({
  /** Cards by order id. More than one per order is a doubled card. */
  cards: Type.Record(
    Type.String(),
    Type.Array(Type.Object({ cardId: Type.String(), state: Type.String(), plastic: Type.Optional(count) })),
  ),
  /** Print jobs by order id. Several are right after a spoiled or rejected one; two printed ones are not. */
  printJobs: Type.Record(Type.String(), Type.Array(PrintJob)),
  /** Shipments by delivery id. Two that are not void are a doubled delivery. */
  shipments: Type.Record(
    Type.String(),
    Type.Array(Type.Object({ shipmentId: Type.String(), state: Type.String(), carrier: Type.Optional(Type.String()) })),
  ),
  /** Fees by order id: at most one of each type. */
  fees: Type.Record(Type.String(), Type.Array(Fee)),
  messages: count,
  /** The same by template. */
  templates: Type.Record(Type.String(), count),
});
export type LedgerWorld = Static<typeof LedgerWorld>;

export const LedgerCallbacks = Type.Object({
  scheduled: count,
  delivered: count,
  pending: count,
  abandoned: count,
  withdrawn: count,
  duplicates: count,
  reordered: count,
});
export type LedgerCallbacks = Static<typeof LedgerCallbacks>;

export const Ledger = Type.Object({
  seed: Type.String(),
  totals: Type.Record(Type.String(), LedgerTotals),
  entries: Type.Array(LedgerEntry),
  world: LedgerWorld,
  callbacks: LedgerCallbacks,
});
export type Ledger = Static<typeof Ledger>;

const isLedger = Compile(Ledger);
const READ_TIMEOUT_MS = 15_000; // 10,000 entries are about 5 MB.

export interface LedgerQuery {
  /** Narrow the entries, not the totals. */
  readonly effect?: string;
  readonly subject?: string;
  readonly clock?: Clock;
}

/** Reads the ledger of the partners at `url`. One request, up to 15 s. Throws when unreachable or not in this form. */
export async function readLedger(url: string, query: LedgerQuery = {}): Promise<Ledger> {
  const address = new URL('/ledger', url);
  if (query.effect !== undefined) address.searchParams.set('effect', query.effect);
  if (query.subject !== undefined) address.searchParams.set('subject', query.subject);

  const ledger: unknown = await withDeadline(query.clock ?? systemClock, READ_TIMEOUT_MS, undefined, async (signal) => {
    const response = await fetch(address, { signal });
    if (!response.ok) throw new Error(`ledger of ${url} answered ${response.status}`);
    return response.json();
  });
  if (isLedger.Check(ledger)) return ledger;
  throw new Error(`ledger of ${url} is not in the expected form: ${isLedger.Errors(ledger)[0]?.instancePath ?? ''}`);
}

/** The entries that tell of a doubled effect. */
export const doubledActs = (ledger: Ledger): readonly LedgerEntry[] => ledger.entries.filter((entry) => entry.acts > 1);
