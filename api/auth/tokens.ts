// Bearer tokens: who calls, in which role. Verified with the keys of an issuer (JWKS), or of the built-in development issuer.
//
// The development issuer signs with an Ed25519 key derived from the deployment's secret, so that every process of it
// agrees and nothing is stored. Whoever knows the secret can be anybody: it is for development, and the log says so.

import { createHmac, createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { createRemoteJWKSet, errors, type JWTPayload, type JWTVerifyOptions, jwtVerify, SignJWT } from 'jose';
import { type Role, roles } from '../../actors/contract/dto.ts';
import type { Ticker } from '../client/clock.ts';

export interface Principal {
  readonly subject: string;
  readonly role: Role;
  /** End of the token's life, in ms of the wall clock. */
  readonly expiresAt: number;
}

export interface Tokens {
  /** The principal, or undefined for a token that is not valid now. Throws only when the issuer's keys cannot be had. */
  verify(token: string): Promise<Principal | undefined>;
  /** Signs a token; undefined where tokens come from an issuer of its own. */
  readonly issue:
    | ((subject: string, role: Role, ttlSeconds: number) => Promise<{ token: string; expiresAt: number }>)
    | undefined;
}

const AUDIENCE = 'emboss';
const DEVELOPMENT_ISSUER = 'emboss-development';
const TOLERANCE_SECONDS = 5;
const TOKEN_CHARS_MAX = 4_096;
const SUBJECT = /^[A-Za-z][A-Za-z0-9_.-]{1,63}$/;
// An Ed25519 private key as PKCS #8 is this prefix and 32 bytes (RFC 8410, section 7).
const PKCS8_ED25519 = Buffer.from('302e020100300506032b657004220420', 'hex');

/** The development issuer and its verifier. */
export function developmentTokens(secret: string, ticker: Ticker): Tokens {
  const seed = createHmac('sha256', secret).update('emboss development tokens v1').digest();
  const privateKey = createPrivateKey({ key: Buffer.concat([PKCS8_ED25519, seed]), format: 'der', type: 'pkcs8' });
  const publicKey = createPublicKey(privateKey);
  return {
    verify: (token) =>
      verified(token, publicKey, {
        issuer: DEVELOPMENT_ISSUER,
        algorithms: ['EdDSA'],
        currentDate: new Date(ticker.now()),
      }),
    async issue(subject, role, ttlSeconds) {
      const expiresAt = Math.floor(ticker.now() / 1000) + ttlSeconds;
      const token = await new SignJWT({ role })
        .setProtectedHeader({ alg: 'EdDSA', typ: 'JWT', kid: 'development' })
        .setSubject(subject)
        .setIssuer(DEVELOPMENT_ISSUER)
        .setAudience(AUDIENCE)
        .setIssuedAt(Math.floor(ticker.now() / 1000))
        .setExpirationTime(expiresAt)
        .sign(privateKey);
      return { token, expiresAt: expiresAt * 1000 };
    },
  };
}

/** Tokens of an issuer of its own, verified by its published keys. Symmetric algorithms are never accepted. */
export function issuerTokens(
  options: { readonly jwksUrl: string; readonly issuer: string; readonly audience?: string },
  ticker: Ticker,
): Tokens {
  const keys = createRemoteJWKSet(new URL(options.jwksUrl), { timeoutDuration: 3_000, cooldownDuration: 30_000 });
  return {
    issue: undefined,
    verify: (token) =>
      verified(token, keys, {
        issuer: options.issuer,
        audience: options.audience ?? AUDIENCE,
        algorithms: ['EdDSA', 'ES256', 'RS256', 'PS256'],
        currentDate: new Date(ticker.now()),
      }),
  };
}

async function verified(
  token: string,
  key: KeyObject | ReturnType<typeof createRemoteJWKSet>,
  options: JWTVerifyOptions,
): Promise<Principal | undefined> {
  if (token.length > TOKEN_CHARS_MAX) return undefined;
  const checks = {
    audience: AUDIENCE,
    clockTolerance: TOLERANCE_SECONDS,
    requiredClaims: ['sub', 'exp', 'role'],
    ...options,
  };
  try {
    // Two overloads of one function: a key, or a function that finds the key.
    const { payload } =
      typeof key === 'function' ? await jwtVerify(token, key, checks) : await jwtVerify(token, key, checks);
    return principalOf(payload);
  } catch (error) {
    // The keys could not be had: that is our failure and not the caller's.
    if (error instanceof errors.JWKSTimeout || !(error instanceof errors.JOSEError)) throw error;
    return undefined;
  }
}

function principalOf(payload: JWTPayload & { role?: unknown }): Principal | undefined {
  const { sub, exp, role } = payload;
  if (sub === undefined || exp === undefined || !SUBJECT.test(sub)) return undefined;
  if (!roles.some((known) => known === role)) return undefined;
  return { subject: sub, role: role as Role, expiresAt: exp * 1000 };
}
