// I4 in the world of cards: what the partners did, as rows that any audit can count, and what no order may have twice.

import { orderIdOf } from '../../actors/contract/index.ts';
import type { Ledger } from '../../actors/partners/ledger.ts';
import type { Findings, LedgerAct, StoredActor } from '../../runtime/testing/index.ts';

/** The ledger as rows: one per business key and idempotency key. The acts of a business key stand in its first row. */
export const rowsOf = (ledger: Ledger): readonly LedgerAct[] =>
  ledger.entries.flatMap(({ effect, businessKey, subject, acts, results, keys }) =>
    (keys.length === 0 ? [businessKey] : keys).map((key, index) => {
      const row = { name: effect, key, actor: subject, businessKey };
      return index === 0 ? { ...row, acts, results } : { ...row, acts: 0 };
    }),
  );

/** No order has two cards or two printed envelopes. */
export function checkWorld({ world }: Ledger, findings: Findings): void {
  for (const [orderId, cards] of Object.entries(world.cards))
    if (cards.length > 1) findings.violated('I4', orderId, `has ${cards.length} cards at the issuer`);
  for (const [orderId, jobs] of Object.entries(world.printJobs)) {
    const printed = jobs.filter(({ stage }) => stage === 'printed');
    if (printed.length > 1) findings.violated('I4', orderId, `has ${printed.length} printed envelopes`);
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
    const handed = own.filter(({ view }) => view?.states.includes('transport.delivered'));
    if (handed.length > 1) findings.violated('I4', orderId, `was handed over ${handed.length} times`);
    const open = own.filter(({ view }) => !view?.states.some((state) => ENDED.has(state)));
    if (open.length + handed.length > 1)
      findings.violated('I4', orderId, `has ${open.length} deliveries under way and ${handed.length} handed over`);
  }
}

const ENDED = new Set(
  ['delivered', 'refused', 'cancelled', 'returned', 'lost', 'stolen'].map((state) => `transport.${state}`),
);
