// Errors to HTTP: the one map. Handlers throw problems or let errors of the runtime pass; what a client reads is made here.
//
// Details of our own failures (5xx) stay in the log; the answer carries the request's id to find them.

import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { type FieldError, type Problem, type ProblemSlug, problemKinds } from '../actors/contract/problems.ts';
import { limits } from './limits.ts';

type Extras = Partial<
  Pick<Problem, 'detail' | 'errors' | 'allowedActions' | 'outcome' | 'retryAfterMs' | 'version' | 'triesLeft' | 'links'>
>;

/** Thrown by handlers; answered as `application/problem+json`. */
export class ApiProblem extends Error {
  readonly slug: ProblemSlug;
  readonly extras: Extras;
  readonly headers: Readonly<Record<string, string>>;
  constructor(
    slug: ProblemSlug,
    extras: Extras = {},
    options: { headers?: Record<string, string>; cause?: unknown } = {},
  ) {
    super(slug, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'ApiProblem';
    this.slug = slug;
    this.extras = extras;
    this.headers = options.headers ?? {};
  }
}

export const notFound = (): ApiProblem => new ApiProblem('not-found');
export const invalid = (pointer: string, code: string): ApiProblem =>
  new ApiProblem('validation-failed', { errors: [{ pointer, code }] });
/** For a field that takes one of a few words. */
export const notAmong = (pointer: string, allowed: readonly string[]): ApiProblem =>
  new ApiProblem('validation-failed', { errors: [{ pointer, code: 'enum', allowed }] });

/** The problem's body as it is sent. `retryAfterMs` says to machines what `Retry-After` says in seconds. */
export function problemBody(problem: ApiProblem, requestId: string): Problem {
  const kind = problemKinds[problem.slug];
  return {
    type: `/problems/${problem.slug}`,
    code: kind.code,
    title: kind.title,
    status: kind.status,
    requestId,
    retryable: kind.retryable,
    ...problem.extras,
  };
}

/** Any error as a problem. What nobody foresaw is `internal`, and says nothing of its cause. */
export function problemOf(error: unknown): ApiProblem {
  if (error instanceof ApiProblem) return error;
  if (isOutcomeUnknown(error)) return outcomeUnknown(error);
  if (isOperating(error)) return operating(error);
  const fastify = error as Partial<FastifyError>;
  if (Array.isArray(fastify.validation)) return validationProblem(fastify as FastifyError);

  switch (fastify.code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new ApiProblem('payload-too-large', {}, { cause: error });
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return new ApiProblem('unsupported-media-type', {}, { headers: { accept: 'application/json' }, cause: error });
    case 'FST_ERR_CTP_EMPTY_JSON_BODY':
    case 'FST_ERR_CTP_INVALID_JSON_BODY':
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
      return new ApiProblem('malformed-json', {}, { cause: error });
    case 'FST_ERR_BAD_URL':
    case 'FST_ERR_MAX_PARAM_LENGTH':
    case 'FST_ERR_ASYNC_CONSTRAINT':
      return notFound();
    case 'FST_ERR_SERVICE_UNAVAILABLE':
      return new ApiProblem('overloaded', { retryAfterMs: limits.retryAfterStoreMs }, { cause: error });
  }
  if (fastify.statusCode === 408) return new ApiProblem('request-timeout', {}, { cause: error });
  if (fastify.statusCode === 400) return new ApiProblem('malformed-json', {}, { cause: error });
  return new ApiProblem('internal', {}, { cause: error });
}

export const outcomeUnknown = (cause?: unknown): ApiProblem =>
  new ApiProblem('outcome-unknown', { outcome: 'unknown', retryAfterMs: limits.retryAfterUnknownMs }, { cause });

/** Sends a problem, with its headers. */
export function sendProblem(request: FastifyRequest, reply: FastifyReply, error: unknown): FastifyReply {
  const problem = problemOf(error);
  const { status } = problemKinds[problem.slug];
  if (status >= 500) request.log.error({ err: problem.cause ?? problem, slug: problem.slug }, 'request failed');

  const retryAfterMs = problem.extras.retryAfterMs ?? (status === 503 ? limits.retryAfterStoreMs : undefined);
  if (retryAfterMs !== undefined) void reply.header('retry-after', String(Math.max(1, Math.ceil(retryAfterMs / 1000))));
  if (status === 401) void reply.header('www-authenticate', 'Bearer');
  for (const [name, value] of Object.entries(problem.headers)) void reply.header(name, value);
  return reply
    .code(status)
    .header('cache-control', 'no-store')
    .type('application/problem+json')
    .send(JSON.stringify(problemBody(problem, request.id)));
}

// The runtime's errors are told by name: they may come from another copy of the module, and the api imports only its client.
const isOutcomeUnknown = (error: unknown): boolean => error instanceof Error && error.name === 'OutcomeUnknown';
const isOperating = (error: unknown): error is Error & { code: string } =>
  error instanceof Error && error.name === 'OperatingError';

function operating(error: Error & { code: string }): ApiProblem {
  switch (error.code) {
    case 'mailbox-full':
      return new ApiProblem('rate-limited', { retryAfterMs: limits.retryAfterStoreMs }, { cause: error });
    case 'subject-erased':
      return new ApiProblem('archived-or-erased', {}, { cause: error });
    case 'region-refused':
      return new ApiProblem(
        'forbidden',
        { detail: 'Data of this person are stored in another region.' },
        { cause: error },
      );
    case 'objects-unavailable':
      return new ApiProblem('dependency-failed', {}, { cause: error });
    case 'object-damaged':
    case 'key-damaged':
    case 'master-key-unknown':
    case 'record-damaged':
      return new ApiProblem('internal', {}, { cause: error });
    default:
      return new ApiProblem('store-unavailable', { retryAfterMs: limits.retryAfterStoreMs }, { cause: error });
  }
}

interface SchemaError {
  readonly keyword: string;
  readonly instancePath: string;
  readonly params: Readonly<Record<string, unknown>>;
}

const forbiddenFields = new Set([
  'pan',
  'cardnumber',
  'card_number',
  'cvv',
  'cvv2',
  'cvc',
  'cvc2',
  'pin',
  'pinblock',
  'track',
  'track1',
  'track2',
]);

function validationProblem(error: FastifyError): ApiProblem {
  const found = (error.validation ?? []) as unknown as readonly SchemaError[]; // Ajv's own objects pass through Fastify.
  const context = error.validationContext ?? 'body';
  const errors = found.slice(0, limits.fieldErrorsMax).map((each) => fieldError(each, context));
  const slug = errors.some((each) => each.code === 'sensitive')
    ? 'sensitive-field-forbidden'
    : errors.some((each) => each.code === 'unknown-field')
      ? 'unknown-field'
      : 'validation-failed';
  return new ApiProblem(slug, { errors }, { cause: error });
}

function fieldError({ keyword, instancePath, params }: SchemaError, context: string): FieldError {
  const at =
    context === 'body'
      ? instancePath
      : `${context === 'params' ? 'path' : context === 'headers' ? 'header' : 'query'}:${instancePath.slice(1)}`;
  const below = (name: unknown): string =>
    masked(context === 'body' ? `${at}/${escaped(String(name))}` : `${at}${String(name)}`);
  if (keyword === 'required') return { pointer: below(params.missingProperty), code: 'required' };
  if (keyword === 'additionalProperties') {
    const name = String(params.additionalProperty);
    return { pointer: below(name), code: forbiddenFields.has(name.toLowerCase()) ? 'sensitive' : 'unknown-field' };
  }
  const allowed = params.allowedValues; // Of our schema, so they are no secret; what was sent is never told back.
  return { pointer: masked(at), code: keyword, ...(isWords(allowed) ? { allowed } : {}) };
}

const isWords = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.every((each) => typeof each === 'string');
const escaped = (name: string): string => name.replaceAll('~', '~0').replaceAll('/', '~1');
/** A field's name may itself be a card number: long digits never go back. */
const masked = (pointer: string): string => pointer.slice(0, 200).replace(/\d(?:[ -]?\d){11,}/g, '…');
