// How long and how often each effect is tried at its partner. Times are real time, whatever the time scale (T2).
//
// Every policy ends long before a partner forgets a key (E2): the partners keep keys for at least 30 days.

import type { RetryPolicy } from '../../runtime/hosting.ts';
import type { EffectName } from '../contract/effects.ts';

/** The least time for which a partner answers a repeated idempotency or business key from its ledger. */
export const KEYS_KEPT_MS = 30 * 24 * 3_600_000;

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

const policy = (
  timeoutMs: number,
  firstDelayMs: number,
  maxDelayMs: number,
  attempts: number,
  deadlineMs: number,
): RetryPolicy => ({
  timeoutMs,
  firstDelayMs,
  maxDelayMs,
  attempts,
  deadlineMs,
});

const screening = policy(10 * SECOND, SECOND, MINUTE, 8, 30 * MINUTE);
const card = policy(10 * SECOND, SECOND, 5 * MINUTE, 20, 4 * HOUR);
/** Stops or closes a card: goes on as long as it may, and quickly at first. */
const cardSafety = policy(5 * SECOND, 200, MINUTE, 2_000, 24 * HOUR);
const shipping = policy(10 * SECOND, SECOND, 5 * MINUTE, 10, HOUR);

/** By effect; those that need nobody outside are not here. */
export const policies = {
  'kyc.start': screening,
  'aml.screen': screening,
  'credit.decide': policy(15 * SECOND, SECOND, MINUTE, 5, 30 * MINUTE),
  'address.validate': policy(3 * SECOND, 200, 5 * SECOND, 3, MINUTE),
  'card.create': card,
  'card.activate': policy(10 * SECOND, SECOND, MINUTE, 8, 30 * MINUTE),
  'card.suspend': cardSafety,
  'card.resume': cardSafety,
  'card.close': cardSafety,
  'bureau.submit': policy(MINUTE, SECOND, 30 * MINUTE, 200, 24 * HOUR),
  'bureau.withdraw': policy(MINUTE, SECOND, 5 * MINUTE, 200, 24 * HOUR),
  'carrier.preadvise': policy(10 * SECOND, SECOND, 5 * MINUTE, 20, 4 * HOUR),
  'carrier.createShipment': shipping,
  'carrier.void': shipping,
  'otp.send': policy(5 * SECOND, SECOND, 10 * SECOND, 3, MINUTE),
  notify: policy(5 * SECOND, SECOND, 10 * MINUTE, 200, 24 * HOUR),
} as const satisfies { readonly [name in EffectName]?: RetryPolicy };

/** Effects that a partner carries out. */
export type PartnerEffect = keyof typeof policies;
