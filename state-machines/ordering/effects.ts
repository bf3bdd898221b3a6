// What the order chart asks of the world and waits for: invoke sources with their inputs and answers.

import { effect } from '../effect.ts';
import type { CardCloseReason, Method, Risk } from './context.ts';

export interface OnCard {
  readonly [field: string]: string | number;
  readonly orderId: string;
  readonly cardId: string;
  readonly n: number;
}
export interface Fee {
  readonly orderId: string;
  readonly userId: string;
  readonly feeType: 'issue';
  readonly amountMinor: string;
  readonly currency: string;
}

export const sources = {
  'kyc.start': effect<{ orderId: string; attempt: number; personRef: string }, { verificationId: string }>('kyc.start'),
  'aml.screen': effect<
    { orderId: string; personRef: string; listVersion: string },
    { result: 'clear' | 'potential_match' | 'confirmed_match' }
  >('aml.screen'),
  'eligibility.check': effect<
    { orderId: string; productCode: string; country: string; ageYears: number },
    { eligible: boolean; reason?: string; risk: Risk }
  >('eligibility.check'),
  'address.validate': effect<
    { orderId: string; addressRef: string; method: Method; country: string; pickupPointId?: string },
    { result: 'likely_deliverable' | 'likely_undeliverable' | 'indeterminate'; inZone: boolean }
  >('address.validate'),
  'credit.decide': effect<
    { orderId: string; personRef: string; productCode: string; currency: string },
    { decision: 'approved' | 'declined' | 'counter_offered'; limitMinor?: string }
  >('credit.decide'),
  'card.create': effect<
    {
      orderId: string;
      personRef: string;
      productCode: string;
      paymentSystem: string;
      designId: string;
      currency: string;
      reissueOf?: string;
    },
    { cardId: string; last4: string; expiry: string }
  >('card.create'),
  'card.activate': effect<OnCard, unknown>('card.activate'),
  'card.suspend': effect<OnCard, unknown>('card.suspend'),
  'card.resume': effect<OnCard, unknown>('card.resume'),
  'card.close': effect<{ orderId: string; cardId: string; reason: CardCloseReason }, unknown>('card.close'),
  'fee.charge': effect<Fee, unknown>('fee.charge'),
  'fee.refund': effect<Fee, unknown>('fee.refund'),
  'bureau.submit': effect<
    {
      orderId: string;
      jobId: string;
      batchId: string;
      cardId: string;
      personRef: string;
      productCode: string;
      designId: string;
    },
    unknown
  >('bureau.submit'),
  'bureau.withdraw': effect<{ orderId: string; jobId: string }, { outcome: 'withdrawn' | 'intercepted' | 'shipped' }>(
    'bureau.withdraw',
  ),
};
