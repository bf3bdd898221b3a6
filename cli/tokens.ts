// Tokens of the development issuer, for commands that run longer than a token lives: fetched when first needed, and anew
// before the end. A fetch that failed is not remembered: whoever asks next tries again.

import type { Role } from '../actors/contract/dto.ts';
import type { RestClient } from '../api/client/index.ts';
import { wallTime } from './time.ts';

export interface IssuedToken {
  readonly token: string;
  /** ISO 8601. */
  readonly expiresAt: string;
}

const RENEW_BEFORE_MS = 5 * 60_000; // Longer than any call lasts with all its repeats.

/** Gives the same token to all who ask until five minutes before its end, then the next one. `now` in ms of the wall clock. */
export function renewing(
  fetch: () => Promise<IssuedToken>,
  now: () => number = () => Date.parse(wallTime()),
): () => Promise<string> {
  let held: { readonly issued: Promise<IssuedToken>; renewAt: number } | undefined;
  return async () => {
    if (held === undefined || now() >= held.renewAt) {
      const fresh = { issued: fetch(), renewAt: Number.POSITIVE_INFINITY };
      held = fresh;
      fresh.issued.then(
        ({ expiresAt }) => {
          fresh.renewAt = Date.parse(expiresAt) - RENEW_BEFORE_MS;
        },
        () => {
          if (held === fresh) held = undefined;
        },
      );
    }
    return (await held.issued).token;
  };
}

/** Asks the development issuer once. `issuer` speaks to the internal surface. */
export async function developmentToken(issuer: RestClient, subject: string, role: Role): Promise<IssuedToken> {
  const answer = await issuer.call<IssuedToken>('POST', '/internal/v1/dev-tokens', { body: { subject, role } });
  return answer.body;
}
