// When an effect is tried again, and when it is given up (E1, E2). Pure.

import type { RetryPolicy } from '../hosting.ts';

/** Used where a registration says nothing: patient enough for a partner's restart, well within a day's key retention. */
export const defaultPolicy: RetryPolicy = {
  timeoutMs: 10_000,
  firstDelayMs: 500,
  maxDelayMs: 60_000,
  attempts: 20,
  deadlineMs: 3_600_000,
};

export type NextTry = { readonly kind: 'retry'; readonly afterMs: number } | { readonly kind: 'exhausted' };

/** True when the policy allows no further try. */
export const isSpent = (policy: RetryPolicy, attempts: number, elapsedMs: number): boolean =>
  attempts >= policy.attempts || elapsedMs >= policy.deadlineMs;

/**
 * Full jitter: a random part of an exponentially growing ceiling. Source: "Exponential Backoff And Jitter", AWS
 * Architecture Blog (2015). `random` is in [0, 1); `elapsedMs` counts from the commit that started the effect.
 */
export function nextTry(
  policy: RetryPolicy,
  attempt: number,
  elapsedMs: number,
  random: number,
  atLeastMs = 0,
): NextTry {
  if (isSpent(policy, attempt, elapsedMs)) return { kind: 'exhausted' };
  const ceiling = Math.min(policy.maxDelayMs, policy.firstDelayMs * 2 ** Math.min(attempt - 1, 30));
  const afterMs = Math.max(Number.isFinite(atLeastMs) ? atLeastMs : 0, ceiling * random);
  return elapsedMs + afterMs > policy.deadlineMs ? { kind: 'exhausted' } : { kind: 'retry', afterMs };
}
