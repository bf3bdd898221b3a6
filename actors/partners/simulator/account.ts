// The book told as a ledger (../ledger.ts): entries, totals, and what exists.

import type { Fee, Ledger, LedgerCallbacks, LedgerEntry, LedgerTotals, LedgerWorld } from '../ledger.ts';
import type { Book, CallbackState } from './book.ts';
import { type Job, stageAt } from './bureau.ts';
import type { Card } from './issuer.ts';

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

const CARD_STATES: { readonly [state in Card['state']]: string } = {
  PENDING_ACTIVATION: 'inactive',
  OPEN: 'active',
  PAUSED: 'suspended',
  CLOSED: 'closed',
};

function world(book: Book, now: number): LedgerWorld {
  const cards: LedgerWorld['cards'] = {};
  for (const [, row] of book.rows('cards')) {
    const card = row as unknown as Card; // Rows of this table are written by the issuer alone.
    push(cards, card.orderId, { cardId: card.cardId, state: CARD_STATES[card.state], plastic: card.plastic });
  }

  const printJobs: LedgerWorld['printJobs'] = {};
  for (const [jobId, row] of book.rows('jobs')) {
    const job = row as unknown as Job; // Rows of this table are written by the bureau alone.
    const { orderId, batchId, envelopeId } = job;
    const stage = stageAt(job, now);
    push(printJobs, orderId, { jobId, orderId, batchId, stage, ...(envelopeId === undefined ? {} : { envelopeId }) });
  }

  const shipments: LedgerWorld['shipments'] = {};
  for (const [shipmentId, row] of book.rows('shipments'))
    push(shipments, row.deliveryId, { shipmentId, state: String(row.state), carrier: String(row.carrier) });

  const fees: LedgerWorld['fees'] = {};
  for (const [, row] of book.rows('fees')) {
    const { orderId, ...fee } = row as unknown as { readonly orderId: string } & Fee; // Written by the biller alone.
    push(fees, orderId, fee);
  }
  return { cards, printJobs, shipments, fees, ...messages(book) };
}

/** How many messages were sent, in all and by template; the template stands in the middle of a message's business key. */
function messages(book: Book): Pick<LedgerWorld, 'messages' | 'templates'> {
  let messages = 0;
  const templates: { [template: string]: number } = {};
  for (const { effect, businessKey, acts } of book.acts()) {
    if (effect !== 'notify' && effect !== 'otp.send') continue;
    const template =
      effect === 'otp.send'
        ? 'handover_code'
        : businessKey.slice(businessKey.indexOf(':') + 1, businessKey.lastIndexOf(':'));
    messages += acts;
    templates[template] = (templates[template] ?? 0) + acts;
  }
  return { messages, templates };
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
