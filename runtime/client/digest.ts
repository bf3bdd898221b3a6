// Keyed digests and the ids made from them: the same arguments give the same id, and nobody without the secret guesses it (M6).

import { createHmac } from 'node:crypto';
import { type ActorId, actorId } from '../ids.ts';

/** HMAC-SHA256 over the parts in lower-case hex, each part told apart by its length (M6). */
export function keyedDigest(secret: string, ns: string, parts: readonly string[]): string {
  const hmac = createHmac('sha256', secret);
  for (const part of [ns, ...parts]) hmac.update(`${part.length}:${part};`);
  return hmac.digest('hex');
}

/** The id that `prefix` and `parts` have in this namespace, for example `ord_…` (M6). */
export const derivedId = (secret: string, ns: string, prefix: string, parts: readonly string[]): ActorId =>
  actorId(`${prefix}_${base32(keyedDigest(secret, ns, [prefix, ...parts]))}`);

const ID_CHARS = 26; // 130 bits.

/** Crockford's base32 of hex digits, lower case: ids that survive being read aloud. */
function base32(hex: string): string {
  const alphabet = '0123456789abcdefghjkmnpqrstvwxyz';
  let bits = BigInt(`0x${hex}`);
  let text = '';
  for (let i = 0; i < ID_CHARS; i += 1) {
    text += alphabet[Number(bits & 31n)];
    bits >>= 5n;
  }
  return text;
}
