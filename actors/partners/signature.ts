// Signature of a partner's callback: who sent it, that nobody changed it, and that it is fresh.
//
// Header `emboss-signature: t=<unix seconds>,v1=<hex of HMAC-SHA256 over "<t>.<raw body>">`. Several `v1` may stand side by
// side while a secret is changed; one match is enough. Both sides use this file. Replays inside the tolerance are not
// the signature's matter: the receiver dedupes by `eventId`.
// Source of the form: Stripe's webhook signatures.

import { createHmac, timingSafeEqual } from 'node:crypto';

export const SIGNATURE_HEADER = 'emboss-signature';
/** How far the sender's clock and the receiver's may be apart, delivery included. */
export const SIGNATURE_TOLERANCE_MS = 5 * 60_000;

const HEADER_CHARS_MAX = 1_000;
const CANDIDATES_MAX = 4; // Two secrets in use is the normal case of a change; more is somebody guessing.

export type SignatureVerdict =
  | { readonly kind: 'valid' }
  | { readonly kind: 'invalid'; readonly reason: 'malformed' | 'expired' | 'mismatch' };

/** The header's value for `body` at `nowMs`. A retry signs anew: the time is part of what is signed. */
export function sign(secret: string, body: string, nowMs: number): string {
  const seconds = Math.floor(nowMs / 1000);
  return `t=${seconds},v1=${mac(secret, seconds, body).toString('hex')}`;
}

/** Checks a received header against the raw body. Constant time in the signature. Never throws. */
export function verify(
  secret: string,
  received: { readonly header: string | undefined; readonly body: string },
  nowMs: number,
  toleranceMs: number = SIGNATURE_TOLERANCE_MS,
): SignatureVerdict {
  const parts = parseHeader(received.header);
  if (parts === undefined) return { kind: 'invalid', reason: 'malformed' };

  const expected = mac(secret, parts.seconds, received.body);
  let matches = false;
  for (const candidate of parts.candidates) matches = timingSafeEqual(candidate, expected) || matches;

  // The time is judged after the signature: only a true sender learns that its clock is off.
  if (!matches) return { kind: 'invalid', reason: 'mismatch' };
  if (Math.abs(nowMs - parts.seconds * 1000) > toleranceMs) return { kind: 'invalid', reason: 'expired' };
  return { kind: 'valid' };
}

const mac = (secret: string, seconds: number, body: string): Buffer =>
  createHmac('sha256', secret).update(`${seconds}.${body}`).digest();

function parseHeader(header: string | undefined): { seconds: number; candidates: readonly Buffer[] } | undefined {
  if (header === undefined || header.length > HEADER_CHARS_MAX) return undefined;
  let seconds: number | undefined;
  const candidates: Buffer[] = [];
  for (const part of header.split(',')) {
    const text = part.trim();
    if (/^t=\d{1,12}$/.test(text) && seconds === undefined) seconds = Number(text.slice(2));
    else if (/^v1=[0-9a-f]{64}$/.test(text) && candidates.length < CANDIDATES_MAX)
      candidates.push(Buffer.from(text.slice(3), 'hex'));
    else if (!/^v\d+=/.test(text)) return undefined; // Unknown versions are for other receivers; anything else is noise.
  }
  return seconds === undefined || candidates.length === 0 ? undefined : { seconds, candidates };
}
