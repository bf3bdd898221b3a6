// I4: what happened in the partners' world, against what the charts asked for. Counted by business key, at the partner.

import { orderIdOf } from '../../actors/contract/index.ts';
import { doubledActs, type Ledger } from '../../actors/partners/ledger.ts';
import type { JournalEntry } from '../../runtime/messages.ts';
import type { StoredActor } from './evidence.ts';
import type { Findings } from './findings.ts';

/** Idempotency keys of all effects that journals say were started. */
export function startedKeys(entries: Iterable<JournalEntry>): Set<string> {
  const keys = new Set<string>();
  for (const { starts } of entries) for (const { key } of starts ?? []) keys.add(key);
  return keys;
}

/**
 * No business key has two acts, no order two cards or two printed envelopes. With `started`, every idempotency key that
 * the partners know was started by a journaled step; leave it out where journals were trimmed.
 */
export function checkLedger(ledger: Ledger, started: ReadonlySet<string> | undefined, findings: Findings): void {
  findings.looked('I4', ledger.entries.length);
  for (const { effect, businessKey, acts, results } of doubledActs(ledger))
    findings.violated('I4', `${effect} ${businessKey}`, `happened ${acts} times (${results.slice(0, 3).join(', ')})`);
  for (const [orderId, cards] of Object.entries(ledger.world.cards))
    if (cards.length > 1) findings.violated('I4', orderId, `has ${cards.length} cards at the issuer`);
  for (const [orderId, jobs] of Object.entries(ledger.world.printJobs)) {
    const printed = jobs.filter(({ stage }) => stage === 'printed');
    if (printed.length > 1) findings.violated('I4', orderId, `has ${printed.length} printed envelopes`);
  }
  if (started !== undefined) checkStarted(ledger, started, findings);
}

function checkStarted(ledger: Ledger, started: ReadonlySet<string>, findings: Findings): void {
  for (const { effect, businessKey, keys } of ledger.entries) {
    for (const key of keys) {
      // A follow-up of a late outcome bears the key of the effect it follows.
      if (started.has(key) || started.has(key.replace(/:late$/, ''))) continue;
      findings.violated(
        'I4',
        `${effect} ${businessKey}`,
        `was asked for under ${key}, which no journaled step started`,
      );
    }
  }
}

/** No order is handed over twice, and of an order's deliveries at most one is under way. */
export function checkDeliveries(deliveries: Iterable<StoredActor>, findings: Findings): void {
  const byOrder = new Map<string, StoredActor[]>();
  for (const delivery of deliveries) {
    const orderId = orderIdOf(delivery.actor);
    byOrder.set(orderId, [...(byOrder.get(orderId) ?? []), delivery]);
  }
  for (const [orderId, own] of byOrder) {
    findings.looked('I4');
    const handed = own.filter(({ view }) => view.states.includes('transport.delivered'));
    if (handed.length > 1) findings.violated('I4', orderId, `was handed over ${handed.length} times`);
    const open = own.filter(({ view }) => !view.states.some((state) => ENDED.has(state)));
    if (open.length + handed.length > 1)
      findings.violated('I4', orderId, `has ${open.length} deliveries under way and ${handed.length} handed over`);
  }
}

const ENDED = new Set(
  ['delivered', 'refused', 'cancelled', 'returned', 'lost', 'stolen'].map((state) => `transport.${state}`),
);
