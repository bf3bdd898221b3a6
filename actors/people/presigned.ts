// Presigned addresses: who has one may do one thing with one object for a while, and needs no token.
//
// The signature binds the act, the object, what is expected of it, and the end of the permission.

import { timingSafeEqual } from 'node:crypto';

/** `client.digest`: keyed with the namespace's secret (M6). */
export type Digest = (...parts: readonly string[]) => string;

export interface Permission {
  readonly act: 'upload' | 'download';
  readonly object: string;
  /** Size and hash of an upload; empty for a download. */
  readonly bound: readonly string[];
  /** In ms. */
  readonly expiresAt: number;
}

export const PERMISSION_MS = 15 * 60_000; // Ten megabytes over a bad line, and a person who looks for the passport.

/** The query of a presigned address. */
export const permit = (digest: Digest, permission: Permission): string =>
  new URLSearchParams({ expires: String(permission.expiresAt), signature: signatureOf(digest, permission) }).toString();

/** Whether the signature is of this permission, and it has not ended. Compares in constant time. */
export function isPermitted(digest: Digest, permission: Permission, signature: string, now: number): boolean {
  const wanted = Buffer.from(signatureOf(digest, permission));
  const given = Buffer.from(signature);
  return given.length === wanted.length && timingSafeEqual(given, wanted) && permission.expiresAt > now;
}

const signatureOf = (digest: Digest, { act, object, bound, expiresAt }: Permission): string =>
  digest('permission', act, object, ...bound, String(expiresAt));
