// Fees over HTTP. Amounts are integer minor units as text, on both sides.

import { Type } from 'typebox';
import type { EffectOutcome } from '../../../runtime/hosting.ts';
import type { Asking } from '../asking.ts';
import { type Errors, reading } from '../exchange.ts';
import type { BillingPort, Try } from '../ports.ts';

export function billingOver({ ask }: Asking): BillingPort {
  const move = <N extends 'fee.charge' | 'fee.refund'>(
    name: N,
    call: Try<N>,
    path: string,
    goodStates: readonly string[],
  ): Promise<EffectOutcome> =>
    ask<N>(name, call, {
      path,
      errors,
      build: ({ orderId, userId, feeType, amountMinor, currency }, key) => ({
        merchantReference: key,
        invoice: orderId,
        payer: userId,
        tariff: feeType.toUpperCase(),
        amount: { value: amountMinor, currency },
      }),
      read: reading(Type.Object({ entryState: Type.String({ maxLength: 40 }) }), ({ entryState }) =>
        goodStates.includes(entryState) ? {} : undefined,
      ),
    });
  return {
    charge: (call) => move('fee.charge', call, '/billing/v1/charges', ['CAPTURED']),
    refund: (call) => move('fee.refund', call, '/billing/v1/refunds', ['REFUNDED', 'BARRED']),
  };
}

const errors: Errors = {
  at: ({ resultCode }) => resultCode,
  words: { PAYMENT_DECLINED: 'charge_refused', ENTRY_BARRED: 'fee_given_back', REFUND_DECLINED: 'refund_refused' },
};
