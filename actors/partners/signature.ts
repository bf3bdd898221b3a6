// Signature of a partner's callback: who sent it, that nobody changed it, and that it is fresh. Both sides use this file.
//
//   webhook-id         names the event: the same on every try, and a repeated one is a duplicate
//   webhook-timestamp  unix seconds of this try
//   webhook-signature  `v1,<base64 of HMAC-SHA256 over "<id>.<timestamp>.<raw body>">`, several separated by spaces
//
// Each partner signs with a secret of its own, made from ours, so that no partner can speak as another. While the secret is
// changed, the one before counts too. Source of the form: Standard Webhooks 1.0.0.

import { createHmac, timingSafeEqual } from 'node:crypto';

/** How far the sender's clock and the receiver's may be apart, delivery included. */
export const SIGNATURE_TOLERANCE_MS = 5 * 60_000;

const PREFIX = 'whsec_';
const ID = /^[A-Za-z0-9_.:-]{1,100}$/;
const HEADER_CHARS_MAX = 1_000;
const CANDIDATES_MAX = 4; // Two secrets in use is the normal case of a change; more is somebody guessing.

export interface SignedHeaders {
  readonly 'webhook-id': string;
  readonly 'webhook-timestamp': string;
  readonly 'webhook-signature': string;
}

export type SignatureVerdict =
  | { readonly kind: 'valid'; readonly id: string }
  | { readonly kind: 'invalid'; readonly reason: 'malformed' | 'expired' | 'mismatch' };

/** The secret of one partner, out of the one that api and partners share; `whsec_` and 32 bytes in base64. */
export const secretOf = (shared: string, partner: string): string =>
  PREFIX + createHmac('sha256', shared).update(`callbacks of ${partner}`).digest('base64');

/** The headers for `body` at `nowMs`. A retry signs anew: the time is part of what is signed. */
export function sign(secret: string, { id, body }: { readonly id: string; readonly body: string }, nowMs: number) {
  const seconds = String(Math.floor(nowMs / 1000));
  return {
    'webhook-id': id,
    'webhook-timestamp': seconds,
    'webhook-signature': `v1,${mac(secret, id, seconds, body).toString('base64')}`,
  } satisfies SignedHeaders;
}

/** Checks received headers against the raw body, with every secret in use. Constant time in the signature. Never throws. */
export function verify(
  secrets: readonly string[],
  received: { readonly headers: { readonly [name: string]: unknown }; readonly body: string },
  nowMs: number,
  toleranceMs: number = SIGNATURE_TOLERANCE_MS,
): SignatureVerdict {
  const parts = parseHeaders(received.headers);
  if (parts === undefined) return { kind: 'invalid', reason: 'malformed' };
  const { id, seconds, candidates } = parts;

  let matches = false;
  for (const secret of secrets) {
    const expected = mac(secret, id, seconds, received.body);
    for (const candidate of candidates) matches = timingSafeEqual(candidate, expected) || matches;
  }

  // The time is judged after the signature: only a true sender learns that its clock is off.
  if (!matches) return { kind: 'invalid', reason: 'mismatch' };
  if (Math.abs(nowMs - Number(seconds) * 1000) > toleranceMs) return { kind: 'invalid', reason: 'expired' };
  return { kind: 'valid', id };
}

const mac = (secret: string, id: string, seconds: string, body: string): Buffer =>
  createHmac('sha256', Buffer.from(secret.slice(PREFIX.length), 'base64'))
    .update(`${id}.${seconds}.${body}`)
    .digest();

function parseHeaders(headers: {
  readonly [name: string]: unknown;
}): { id: string; seconds: string; candidates: readonly Buffer[] } | undefined {
  const [id, seconds, signature] = ['webhook-id', 'webhook-timestamp', 'webhook-signature'].map(
    (name) => headers[name],
  );
  if (typeof id !== 'string' || typeof seconds !== 'string' || typeof signature !== 'string') return undefined;
  if (!ID.test(id) || !/^\d{1,12}$/.test(seconds) || signature.length > HEADER_CHARS_MAX) return undefined;
  const candidates = signature
    .split(' ')
    .filter((part) => /^v1,[A-Za-z0-9+/]{43}=$/.test(part)) // Other versions are for other receivers.
    .slice(0, CANDIDATES_MAX)
    .map((part) => Buffer.from(part.slice(3), 'base64'));
  return candidates.length === 0 ? undefined : { id, seconds, candidates };
}
