// Commands: from a keyed request to an actor's answer, and from what can come of it to HTTP.
//
//   M6  The key's record lies in the actor's own slot: a repeat reaches the same actor, meets the same record and is answered
//       as the first one was. The api keeps nothing.
//
// A replayed answer says so in the header `Idempotency-Replayed`, on every surface; its body is the first one's.
//
// Only digests of keys and bodies travel: a key or a body may hold anything, and messages are kept for days.

import type { FastifyRequest } from 'fastify';
import type { Client, Command } from '../runtime/client.ts';
import { principalOf } from './auth/gate.ts';
import { canonical } from './canonical.ts';
import { ApiProblem, notFound, outcomeUnknown } from './errors.ts';
import { limits } from './limits.ts';
import type { ActorId, Answer, Event } from './parts.ts';

export type Applied = Extract<Answer, { kind: 'applied' }>;

export interface KeyedCommand {
  readonly client: Client;
  readonly actor: ActorId;
  readonly event: Event;
  readonly create?: NonNullable<Command['create']>;
  /** What tells a repeat from another command under the same key; default: the request's body. */
  readonly body?: unknown;
  /** Event types the chart allows, as the caller knows them. */
  readonly actionsOf?: (allowed: readonly string[]) => readonly string[];
}

const KEY = /^[\x21-\x7e]{1,64}$/;

/** The request's Idempotency-Key. A quoted one, as the draft writes it, is the same key. */
export function idempotencyKey(request: FastifyRequest): string {
  const header = request.headers['idempotency-key'];
  const key = typeof header === 'string' ? header.trim().replace(/^"(.*)"$/, '$1') : '';
  if (KEY.test(key)) return key;
  throw new ApiProblem('idempotency-key-missing', {
    errors: [{ pointer: 'header:idempotency-key', code: key === '' ? 'required' : 'pattern' }],
  });
}

/** Method and pattern of the route with its ids: with principal and key, the scope of a key (domain, 5.4). */
export const routeOf = (request: FastifyRequest): string => {
  const ids = Object.values((request.params ?? {}) as Record<string, string>).join(' ');
  return `${request.method} ${request.routeOptions.url ?? ''} ${ids}`.trim();
};

/**
 * Sends the command under the request's key and waits up to 2 s for its answer. Throws the problem for everything but an
 * answer that was applied; a refusal throws `transition-not-allowed` with the actions that are allowed instead. Notes on the
 * request whether the answer was given before: the frame says so in the header.
 */
export async function command(request: FastifyRequest, keyed: KeyedCommand): Promise<Applied> {
  const { client, actor, event, create } = keyed;
  const principal = principalOf(request);
  const key = idempotencyKey(request);
  const outcome = await client.ask(
    {
      actor,
      event,
      messageId: `k.${client.digest('key', principal.role, principal.subject, routeOf(request), key).slice(0, 40)}`,
      fingerprint: client.digest('body', canonical(keyed.body ?? request.body ?? {})),
      from: `${principal.role}:${principal.subject}`,
      ...(create === undefined ? {} : { create }),
      ...traceOf(request),
    },
    { timeoutMs: limits.askWaitMs },
  );
  switch (outcome.kind) {
    case 'answered':
      request.replayed = outcome.replayed;
      return appliedOf(outcome.answer, keyed.actionsOf);
    case 'running':
      throw new ApiProblem('idempotency-in-progress', { retryAfterMs: limits.retryAfterRunningMs });
    case 'key-reused':
      throw new ApiProblem('idempotency-key-reused');
    case 'rejected':
      throw new ApiProblem('rate-limited', { retryAfterMs: outcome.retryAfterMs });
    case 'unknown':
      throw outcomeUnknown();
  }
}

function appliedOf(answer: Answer, actionsOf: KeyedCommand['actionsOf']): Applied {
  if (answer.kind === 'applied') return answer;
  // A parked actor keeps the command: an operator's redrive will carry it out, or a discard drop it.
  if (answer.kind === 'parked') throw outcomeUnknown();
  if (answer.reason === 'unknown-actor') throw notFound();
  if (answer.reason === 'archived') throw new ApiProblem('archived-or-erased');
  const allowedActions = actionsOf === undefined ? answer.allowed : actionsOf(answer.allowed);
  throw new ApiProblem('transition-not-allowed', { allowedActions, version: answer.version });
}

const TRACEPARENT = /^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/;

/** The W3C trace the request belongs to, if it says so. */
export function traceOf(request: FastifyRequest): { readonly trace?: string } {
  const { traceparent } = request.headers;
  return typeof traceparent === 'string' && TRACEPARENT.test(traceparent) ? { trace: traceparent } : {};
}
