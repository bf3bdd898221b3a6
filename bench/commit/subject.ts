// What is stepped in the commit bench: the real order chart, an order in `draft`, held and released in turn. Both events are
// real transitions of the chart's `hold` region, and the commit carries the order's whole snapshot.

import { orderingCharts } from '../../actors/ordering/registration.ts';
import type { ActorId, Event, Hosted, JsonObject } from '../../runtime/index.ts';

export const namespace = 'bench';
export const machine = 'order';

/** The registration under test, without handlers that reach out: holding and releasing starts no effect. */
export function subject(): Hosted {
  const order = orderingCharts().find((chart) => chart.name === machine);
  if (order === undefined) throw new Error('the ordering context hosts no chart named "order"');
  return order;
}

/** For a worker process that is told which module to host. */
export const charts = (): readonly Hosted[] => [subject()];

/** An ordinary application: the guards' facts and references, no personal data. */
export const input = (orderId: ActorId): JsonObject => ({
  orderId,
  userId: 'usr_bench',
  personRef: 'ppl_bench00000000000000000000',
  addressRef: 'ppl_bench00000000000000000001',
  productCode: 'classic_debit',
  cardType: 'debit',
  paymentSystem: 'visa',
  designId: 'plain',
  currency: 'EUR',
  country: 'DE',
  ageYears: 34,
  method: 'courier',
  verification: { idCheck: true, otp: true, signature: true, photo: false },
  consents: ['personal_data', 'contract'],
  phoneVerified: true,
  locale: 'de-DE',
});

/** The event of a client's n-th turn, counted from 0. */
export const eventOf = (turn: number): Event =>
  turn % 2 === 0
    ? { type: 'HOLD', kind: 'operator', by: 'usr_bench', reason: 'bench' }
    : { type: 'RELEASE', by: 'usr_bench', reason: 'bench' };
