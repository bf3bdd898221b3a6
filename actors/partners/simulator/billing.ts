// Fees: taken, given back, or barred, so that one that was given back before it was taken is never taken.

import { Type } from 'typebox';
import { closed, id, word } from '../../contract/schema.ts';
import { befalls } from './faults.ts';
import { done, idFor, type Operation, partnerOf, refused } from './operation.ts';

interface Entry {
  readonly [field: string]: string | { readonly value: string; readonly currency: string };
  readonly invoice: string;
  readonly tariff: string;
  readonly payer: string;
  readonly amount: { readonly value: string; readonly currency: string };
}

const biller = partnerOf((resultCode, message) => ({ resultCode, ...(message === undefined ? {} : { message }) }));
const body = closed({
  merchantReference: Type.String({ minLength: 1, maxLength: 300 }),
  invoice: id,
  payer: id,
  tariff: word,
  amount: closed({
    value: Type.String({ pattern: '^[0-9]{1,12}$' }),
    currency: Type.String({ pattern: '^[A-Z]{3}$' }),
  }),
});

const rowOf = ({ invoice, tariff, amount }: Entry, state: string) => [
  {
    table: 'fees' as const,
    id: `${invoice}:${tariff}`,
    row: {
      orderId: invoice,
      feeType: tariff.toLowerCase(),
      amountMinor: amount.value,
      currency: amount.currency,
      state,
    },
  },
];

const charge = biller<Entry>({
  effect: 'fee.charge',
  path: '/billing/v1/charges',
  reference: 'merchantReference',
  body,
  subject: ({ invoice }) => invoice,
  decide(entry, ask, world) {
    const state = world.book.row('fees', `${entry.invoice}:${entry.tariff}`)?.state;
    if (state === 'barred' || state === 'refunded') return refused('ENTRY_BARRED', 409);
    if (befalls(world.faults, 'chargeRefusalRate', ask)) return refused('PAYMENT_DECLINED', 402);
    const entryId = idFor('ENT-', ask);
    return done({ entryId, entryState: 'CAPTURED' }, { result: entryId, sets: rowOf(entry, 'charged') });
  },
});

const refund = biller<Entry>({
  effect: 'fee.refund',
  path: '/billing/v1/refunds',
  reference: 'merchantReference',
  body,
  subject: ({ invoice }) => invoice,
  decide(entry, ask, world) {
    if (befalls(world.faults, 'refundRefusalRate', ask)) return refused('REFUND_DECLINED');
    const wasTaken = world.book.row('fees', `${entry.invoice}:${entry.tariff}`)?.state === 'charged';
    const entryId = idFor('ENT-', ask);
    return done(
      { entryId, entryState: wasTaken ? 'REFUNDED' : 'BARRED' },
      { result: entryId, sets: rowOf(entry, wasTaken ? 'refunded' : 'barred') },
    );
  },
});

export const billing: readonly Operation[] = [charge, refund];
