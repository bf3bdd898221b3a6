// How long and how often each effect is tried at its partner. Times are real time, whatever the time scale (T2).
//
// The table is docs/partners.md, which a test holds against these numbers. Every policy ends long before a partner forgets a key
// (E2): the partners keep keys for at least 30 days.

import type { RetryPolicy } from '../../runtime/hosting.ts';
import type { EffectName } from '../contract/index.ts';

/** The least time for which a partner answers a repeated idempotency or business key from its ledger. */
export const KEYS_KEPT_MS = 30 * 24 * 3_600_000;

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

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
/** Takes back what was asked for: nobody waits, and it must happen in the end. */
const undoing = policy(10 * SECOND, SECOND, 5 * MINUTE, 500, DAY);
/** Stops or closes a card, and goes on for as long as keys are kept: a lost card must not be usable because we gave up. */
const cardSafety = policy(5 * SECOND, 200, MINUTE, 100_000, 29 * DAY);
const money = policy(10 * SECOND, SECOND, HOUR, 200, DAY);

/** By effect; those that need nobody outside are not here. */
export const policies = {
  'kyc.start': screening,
  'kyc.cancel': undoing,
  'aml.screen': screening,
  'address.validate': policy(3 * SECOND, 200, 5 * SECOND, 3, MINUTE),
  'credit.decide': policy(15 * SECOND, SECOND, MINUTE, 5, 30 * MINUTE),
  'credit.withdraw': undoing,
  'card.create': policy(10 * SECOND, SECOND, 5 * MINUTE, 20, 4 * HOUR),
  'card.activate': screening,
  'card.suspend': cardSafety,
  'card.resume': cardSafety,
  'card.close': cardSafety,
  'fee.charge': money,
  'fee.refund': money,
  'bureau.submit': policy(MINUTE, SECOND, 30 * MINUTE, 200, DAY),
  'bureau.withdraw': policy(MINUTE, SECOND, 5 * MINUTE, 500, DAY),
  'carrier.preadvise': policy(10 * SECOND, SECOND, 5 * MINUTE, 20, 4 * HOUR),
  'carrier.createShipment': policy(10 * SECOND, SECOND, 5 * MINUTE, 10, HOUR),
  'carrier.void': undoing,
  'otp.send': policy(5 * SECOND, SECOND, 10 * SECOND, 3, MINUTE),
  notify: policy(5 * SECOND, SECOND, 10 * MINUTE, 500, DAY),
} as const satisfies { readonly [name in EffectName]?: RetryPolicy };

/** Effects that a partner carries out. */
export type PartnerEffect = keyof typeof policies;
