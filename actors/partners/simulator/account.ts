// The book told as a ledger (../ledger.ts): entries, totals, and what exists.

import type { JsonObject } from '../../../runtime/json.ts';
import type { Ledger, LedgerCallbacks, LedgerEntry, LedgerTotals, LedgerWorld } from '../ledger.ts';
import type { Book, CallbackState } from './book.ts';
import { type Job, stageAt } from './bureau.ts';

export interface AccountFilter {
  readonly effect: string | undefined;
  readonly subject: string | undefined;
}

/** O(size of the book). `now` decides where print jobs stand. */
export function account(book: Book, seed: string, now: number, filter: AccountFilter): Ledger {
  const totals: { [effect: string]: LedgerTotals } = {};
  const entries: LedgerEntry[] = [];
  for (const { answer: _, keys, results, ...act } of book.acts()) {
    const entry: LedgerEntry = { ...act, keys: [...keys], results: [...results] };
    totals[act.effect] = sum(totals[act.effect], entry);
    if (filter.effect !== undefined && filter.effect !== act.effect) continue;
    if (filter.subject !== undefined && filter.subject !== act.subject) continue;
    entries.push(entry);
  }
  return { seed, totals, entries, world: world(book, now), callbacks: callbacks(book.callbacks()) };
}

function sum(total: LedgerTotals | undefined, entry: LedgerTotals): LedgerTotals {
  const names = ['acts', 'calls', 'repeats', 'businessRepeats', 'refused', 'errors', 'lostReplies'] as const;
  const next = total ?? { acts: 0, calls: 0, repeats: 0, businessRepeats: 0, refused: 0, errors: 0, lostReplies: 0 };
  for (const name of names) next[name] += entry[name];
  return next;
}

function world(book: Book, now: number): LedgerWorld {
  const cards: LedgerWorld['cards'] = {};
  for (const [cardId, row] of book.rows('cards')) push(cards, row.orderId, { cardId, state: String(row.state) });

  const printJobs: LedgerWorld['printJobs'] = {};
  for (const [jobId, row] of book.rows('jobs')) {
    const job = row as Job & JsonObject; // Rows of this table are written by the bureau alone.
    const { orderId, batchId, envelopeId } = job;
    const stage = stageAt(job, now);
    push(printJobs, orderId, { jobId, orderId, batchId, stage, ...(envelopeId === undefined ? {} : { envelopeId }) });
  }

  const shipments: LedgerWorld['shipments'] = {};
  for (const [shipmentId, row] of book.rows('shipments'))
    push(shipments, row.deliveryId, { shipmentId, state: String(row.state) });

  let messages = 0;
  for (const act of book.acts()) if (act.effect === 'notify' || act.effect === 'otp.send') messages += act.acts;
  return { cards, printJobs, shipments, messages };
}

function push<T>(map: { [id: string]: T[] }, id: unknown, item: T): void {
  const name = String(id);
  const items = map[name];
  if (items === undefined) map[name] = [item];
  else items.push(item);
}

function callbacks(states: Iterable<CallbackState>): LedgerCallbacks {
  const counts = { scheduled: 0, delivered: 0, pending: 0, abandoned: 0, withdrawn: 0, duplicates: 0, reordered: 0 };
  for (const { callback, state, duplicates } of states) {
    counts.scheduled += 1;
    counts[state] += 1;
    counts.duplicates += duplicates;
    if (callback.reordered) counts.reordered += 1;
  }
  return counts;
}
