// The gate: every route says who may pass; a route that says nothing is closed.
//
// A role that may not call a route gets 403. An object of somebody else is answered like one that does not exist, which is
// the matter of the routes (auth/access.ts).

import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Role } from '../../actors/contract/dto.ts';
import { ApiProblem } from '../errors.ts';
import type { Principal, Tokens } from './tokens.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Set by the gate on every route that is not open. */
    principal: Principal | undefined;
  }
  interface FastifyContextConfig {
    /** Roles that may pass, or `open` for what needs no token. */
    readonly allow?: readonly Role[] | 'open';
  }
}

const openRoutes = new Set(['/livez', '/readyz', '/problems/:id']);
const BEARER = /^Bearer ([A-Za-z0-9_.~+/=-]+)$/i;

export function installGate(app: FastifyInstance, tokens: Tokens): void {
  app.decorateRequest('principal', undefined);
  app.addHook('onRequest', async (request) => {
    const { url, config } = request.routeOptions;
    if (url === undefined || openRoutes.has(url) || config.allow === 'open') return;
    request.principal = await authenticated(request, tokens);
    const allow: readonly Role[] = config.allow ?? [];
    if (!allow.includes(request.principal.role)) throw new ApiProblem('forbidden');
  });
}

/** The caller of a route behind the gate. */
export function principalOf(request: FastifyRequest): Principal {
  if (request.principal === undefined) throw new ApiProblem('unauthenticated');
  return request.principal;
}

async function authenticated(request: FastifyRequest, tokens: Tokens): Promise<Principal> {
  const match = BEARER.exec(request.headers.authorization ?? '');
  if (match?.[1] === undefined) throw new ApiProblem('unauthenticated');
  let principal: Principal | undefined;
  try {
    principal = await tokens.verify(match[1]);
  } catch (error) {
    throw new ApiProblem('dependency-failed', {}, { cause: error });
  }
  if (principal === undefined) throw new ApiProblem('unauthenticated');
  return principal;
}
