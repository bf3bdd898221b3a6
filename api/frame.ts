// The frame that all surfaces share: parsing, validation, problems, request ids, the access log, health.
//
// One JSON parser with a limit of 64 KB, no other content type, no unknown field, no card number: what passes here is
// of the schema's shape. A route that takes a body names its schema.

import { Ajv } from 'ajv';
import addFormats from 'ajv-formats';
import Fastify, {
  type FastifyInstance,
  type FastifyRequest,
  type FastifySchemaCompiler,
  type FastifyTypeProvider,
  LogController,
} from 'fastify';
import type { Static, TSchema } from 'typebox';
import { problemKinds } from '../actors/contract/problems.ts';
import { findCardNumbers } from '../actors/people/index.ts';
import { ApiProblem, sendProblem } from './errors.ts';
import { limits } from './limits.ts';
import { loggableId } from './log.ts';
import type { Parts } from './parts.ts';

/** Types of a request follow from its schemas; a reply is checked when it is serialised, since it may be empty (304). */
export interface Typed extends FastifyTypeProvider {
  readonly validator: this['schema'] extends TSchema ? Static<this['schema']> : unknown;
  readonly serializer: unknown;
}

export type SurfaceName = 'public' | 'internal' | 'courier' | 'partner';

declare module 'fastify' {
  interface FastifyRequest {
    /** The body's bytes as text, on the partner surface: signatures are over them. */
    rawBody: string | undefined;
    /** The answer was given before, under the same key: `Idempotency-Replayed` says so. */
    replayed: boolean;
  }
}

const REQUEST_ID = /^[A-Za-z0-9_.-]{8,64}$/;

export function createFrame(name: SurfaceName, parts: Parts): FastifyInstance {
  const app = Fastify({
    loggerInstance: parts.log.child({ surface: name }),
    logController: new LogController({ disableRequestLogging: true }), // Our own line is below.
    bodyLimit: limits.bodyBytesMax,
    requestTimeout: limits.requestTimeoutMs,
    forceCloseConnections: 'idle',
    exposeHeadRoutes: false,
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 100 },
    requestIdHeader: false,
    genReqId: requestId,
    frameworkErrors: (error, request, reply) => void sendProblem(request, reply, error),
  }) as unknown as FastifyInstance; // Pino's logger type narrows Fastify's; the routes use the plain one.
  app.decorateRequest('rawBody', undefined);
  app.decorateRequest('replayed', false);
  app.addHook('onSend', async (request, reply) => {
    if (request.replayed) void reply.header('idempotency-replayed', 'true');
    const wrote = request.method !== 'GET' && request.method !== 'HEAD' && reply.statusCode < 400;
    if (wrote) void reply.header('emboss-durability', parts.ordering.durability); // What this answer survives.
  });
  app.setValidatorCompiler(validator);
  parseJson(app, name === 'partner');
  refuseCardNumbers(app);
  answerProblems(app);
  logRequests(app, parts);
  health(app, parts);
  return app;
}

function requestId(request: { headers: Record<string, string | string[] | undefined> }): string {
  const given = request.headers['x-request-id'];
  return typeof given === 'string' && REQUEST_ID.test(given) ? given : `req_${crypto.randomUUID()}`;
}

// --- Validation: bodies are taken as they are; queries and headers are text, so numbers in them are read. ---

const strict = new Ajv({ allErrors: true, removeAdditional: false, coerceTypes: false, useDefaults: false });
const coercing = new Ajv({ allErrors: true, removeAdditional: false, coerceTypes: true, useDefaults: true });
for (const ajv of [strict, coercing]) {
  addFormats.default(ajv);
  ajv.addKeyword('digits');
}

const validator: FastifySchemaCompiler<object> = ({ schema, httpPart }) =>
  (httpPart === 'body' ? strict : coercing).compile(schema) as ReturnType<FastifySchemaCompiler<object>>;

function parseJson(app: FastifyInstance, keepRaw: boolean): void {
  app.removeAllContentTypeParsers();
  const parse = app.getDefaultJsonParser('error', 'error');
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, text, done) => {
    const raw = String(text);
    if (keepRaw) request.rawBody = raw;
    // The parser takes a callback and answers by it; what it returns is nothing.
    void parse(request, raw, (error, value) => {
      if (error !== null && error !== undefined) return done(new ApiProblem('malformed-json', {}, { cause: error }));
      done(null, value);
    });
  });
}

/** Every body is searched before it is validated, so that a card number is named as such and not as a pattern's failure. */
function refuseCardNumbers(app: FastifyInstance): void {
  const exemptOf = new WeakMap<object, readonly string[]>();
  app.addHook('preValidation', async (request) => {
    if (request.body === undefined || request.body === null) return;
    const schema = request.routeOptions.schema?.body as object | undefined;
    let exempt: readonly string[] = [];
    if (schema !== undefined) {
      exempt = exemptOf.get(schema) ?? exemptNames(schema);
      exemptOf.set(schema, exempt);
    }
    const found = findCardNumbers(request.body, { exempt });
    if (found.length === 0) return;
    throw new ApiProblem('sensitive-field-forbidden', {
      errors: found.map(({ pointer, reason }) => ({ pointer, code: reason })),
    });
  });
}

/** Pointers of the fields whose schema says `digits: 'exempt'`. Fields below arrays and records go by their name. */
function exemptNames(schema: object, pointer = ''): string[] {
  const { properties, items, patternProperties } = schema as Partial<
    Record<'properties' | 'patternProperties', Record<string, object>>
  > & { items?: object };
  const names: string[] = [];
  for (const [name, inner] of Object.entries(properties ?? {})) {
    if (isExempt(inner)) names.push(`${pointer}/${name}`);
    names.push(...exemptNames(inner, `${pointer}/${name}`));
  }
  if (items !== undefined)
    names.push(
      ...Object.keys((items as { properties?: object }).properties ?? {}).filter((name) =>
        isExempt((items as { properties: Record<string, object> }).properties[name]),
      ),
    );
  for (const inner of Object.values(patternProperties ?? {})) {
    if (isExempt(inner)) names.push('trackingNumber', 'barcode', 'envelopeId', 'trackingUrl');
  }
  return names;
}

function isExempt(schema: unknown): boolean {
  const { digits, anyOf } = (schema ?? {}) as { digits?: unknown; anyOf?: readonly unknown[] };
  return digits === 'exempt' || (anyOf?.some(isExempt) ?? false);
}

// --- Problems ---

function answerProblems(app: FastifyInstance): void {
  const methods = new Map<string, { readonly pattern: RegExp; readonly allowed: Set<string> }>();
  app.addHook('onRoute', (route) => {
    const pattern = new RegExp(
      `^${route.url.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replace(/:[A-Za-z]+/g, '[^/]+')}/?$`,
    );
    const known = methods.get(route.url) ?? { pattern, allowed: new Set<string>() };
    for (const method of [route.method].flat()) known.allowed.add(method);
    methods.set(route.url, known);
  });

  app.setErrorHandler((error, request, reply) => sendProblem(request, reply, error));
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?', 1)[0] ?? '';
    const allowed = [...methods.values()]
      .filter(({ pattern }) => pattern.test(path))
      .flatMap((each) => [...each.allowed]);
    if (allowed.length === 0) return sendProblem(request, reply, new ApiProblem('not-found'));
    return sendProblem(
      request,
      reply,
      new ApiProblem('method-not-allowed', {}, { headers: { allow: allowed.join(', ') } }),
    );
  });
}

// --- Log and health ---

function logRequests(app: FastifyInstance, parts: Parts): void {
  app.addHook('onRequest', async (request, reply) => {
    void reply.header('x-request-id', request.id);
    void reply.header('x-content-type-options', 'nosniff');
  });
  app.addHook('onResponse', async (request, reply) => {
    const route = request.routeOptions.url;
    if (route === '/livez' || route === '/readyz') return;
    parts.log.info(accessLine(request, reply.statusCode, reply.elapsedTime), 'request');
  });
}

/** What is told of a request: never its address line, which may hold anything. */
function accessLine(request: FastifyRequest, status: number, elapsedMs: number): Record<string, unknown> {
  const { id } = (request.params ?? {}) as { id?: unknown };
  return {
    requestId: request.id,
    method: request.method,
    route: request.routeOptions.url ?? 'none',
    id: loggableId(id),
    status,
    ms: Math.round(elapsedMs * 10) / 10,
    role: request.principal?.role,
  };
}

function health(app: FastifyInstance, parts: Parts): void {
  app.get('/livez', async () => ({ status: 'alive' }));
  app.get('/readyz', () => parts.readiness.look());
}

/** Titles of all problems, for whoever follows a `type`. */
export function registerProblems(app: FastifyInstance): void {
  app.get<{ Params: { id: string } }>('/problems/:id', async (request) => {
    const { id } = request.params;
    if (!Object.hasOwn(problemKinds, id)) throw new ApiProblem('not-found');
    return { type: `/problems/${id}`, ...problemKinds[id as keyof typeof problemKinds] };
  });
}
