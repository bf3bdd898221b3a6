// Words that both contexts and their partners use.

import { type Static, Type } from 'typebox';
import { closed, oneOf } from './schema.ts';

export const cardType = oneOf('debit', 'credit', 'prepaid');
export const paymentSystem = oneOf('mir', 'visa', 'mastercard', 'unionpay');
export const method = oneOf('courier', 'pickup_point', 'parcel_locker', 'branch', 'post', 'bulk');
export type DeliveryMethod = Static<typeof method>;
export const holdKind = oneOf('fraud', 'aml', 'legal', 'customer', 'operator');
export const reportKind = oneOf('lost', 'stolen', 'compromised', 'not_received');
/** How somebody showed that he holds the card. Strong are `chip_pin` and `last4_otp`: digits from the card and a code to the phone. */
export const proof = oneOf('app', 'last4', 'otp', 'last4_otp', 'chip_pin');
export const replacementReason = oneOf(
  'lost',
  'stolen',
  'damaged',
  'expired',
  'compromised',
  'not_received',
  'name_change',
  'design_change',
);
/** What the courier has to see before the envelope changes hands. */
export const verification = closed({
  idCheck: Type.Boolean(),
  otp: Type.Boolean(),
  signature: Type.Boolean(),
  photo: Type.Boolean(),
});
export type Verification = Static<typeof verification>;

/**
 * How far along a carrier's status is. A lower one after a higher is old news (D-11). Those of rank 0 say nothing about how far
 * the envelope has come: they are taken whenever they come, and change no rank.
 */
export const trackingRank = {
  pre_transit: 10,
  in_transit: 20,
  at_hub: 20,
  out_for_delivery: 30,
  ready_for_pickup: 35,
  arrived: 40,
  returning: 60,
  delivered: 90,
  returned: 95,
  attempt_failed: 0,
  unknown: 0,
} as const;
