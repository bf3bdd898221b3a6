// Versions over HTTP: ETags, conditional reads and floors (P3).
//
// The version of a resource is the sequence of its last visible change. The ETag carries the counter of the owner's token, so
// a version issued again after a rewind is another one.

import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ActorView, Client } from '../runtime/client.ts';
import { ApiProblem, invalid } from './errors.ts';
import { limits } from './limits.ts';

export const etagOf = (version: number, counter: number): string => `"v${version}-${counter}"`;

/** The floor of the request, or undefined. Throws `validation-failed` for what is no version. */
export function minVersion(request: FastifyRequest): number | undefined {
  const header = request.headers['min-version'];
  if (header === undefined) return undefined;
  const value = /^\d{1,15}$/.test(String(header)) ? Number(header) : Number.NaN;
  if (Number.isNaN(value)) throw invalid('header:min-version', 'pattern');
  return value;
}

/**
 * The view at or above the request's floor. The view passed in was authorised already: a floor is waited for only then, or
 * the wait would tell a stranger that the order exists. Throws `version-lost` for a floor above the head.
 */
export async function atFloor(request: FastifyRequest, client: Client, view: ActorView): Promise<ActorView> {
  const floor = minVersion(request);
  if (floor === undefined || view.version >= floor) return view;
  const later = (await client.read(view.actor, { floor, waitMs: limits.floorWaitMs })) ?? view;
  if (later.version < floor) throw new ApiProblem('version-lost', { version: later.announced });
  return later;
}

/** True when the client has this representation already: the reply is then a complete 304. */
export function isUnchanged(request: FastifyRequest, reply: FastifyReply, etag: string): boolean {
  void reply.header('etag', etag).header('cache-control', 'private, no-store');
  const known = request.headers['if-none-match'];
  if (known === undefined) return false;
  const same = known.split(',').some((each) => each.trim().replace(/^W\//, '') === etag || each.trim() === '*');
  if (same) void reply.code(304);
  return same;
}
