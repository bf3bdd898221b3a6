// The internal surface: orders as they are, decisions of reviewers, commands of operators, and the state of the runtime.

import type { FastifyInstance, FastifyRequest } from 'fastify';
import { type Static, type TSchema, Type } from 'typebox';
import { Compile } from 'typebox/compile';
import {
  devToken,
  devTokenRequest,
  holdRequest,
  operatorCommand,
  type Role,
  reviewRequest,
} from '../../actors/contract/dto.ts';
import {
  applicantEvents,
  batchEvents,
  deliveryEvents,
  holdReasons,
  orderEvents,
  reviewReasons,
} from '../../actors/contract/index.ts';
import type { ActorView, Client, SendOutcome } from '../../runtime/client.ts';
import { actorOf } from '../auth/access.ts';
import { principalOf } from '../auth/gate.ts';
import { command, idempotencyKey } from '../commands.ts';
import { ApiProblem, invalid, notAmong, notFound } from '../errors.ts';
import type { Typed } from '../frame.ts';
import { limits } from '../limits.ts';
import type { ActorId, Event, Parts } from '../parts.ts';
import { atFloor, etagOf, minVersion } from '../versions.ts';

const path = Type.Object({ id: Type.String({ maxLength: 100 }) });
const desk: readonly Role[] = ['operator', 'reviewer', 'dispatcher', 'auditor', 'admin', 'service'];
const hands: readonly Role[] = ['operator', 'admin'];
const machines = ['order', 'applicant', 'batch', 'delivery'] as const;

export function registerInternal(plain: FastifyInstance, parts: Parts): void {
  const app = plain.withTypeProvider<Typed>();
  registerDecisions(plain, parts);
  registerRuntime(plain, parts);

  /** Everything of one actor: an order, or a delivery by its own id. */
  app.get('/internal/v1/orders/:id', { config: { allow: desk }, schema: { params: path } }, async (request, reply) => {
    const view = await anyActor(request, parts, request.params.id);
    void reply.header('etag', etagOf(view.version, view.counter)).header('cache-control', 'no-store');
    return view;
  });

  const page = Type.Object({
    after: Type.Integer({ minimum: 0, default: 0 }),
    limit: Type.Integer({ minimum: 1, maximum: limits.listMax, default: 200 }),
  });
  app.get(
    '/internal/v1/orders/:id/events',
    { config: { allow: desk }, schema: { params: path, querystring: page } },
    async (request) => {
      const view = await anyActor(request, parts, request.params.id);
      return { data: await contextOf(parts, view.actor).history(view.actor, request.query) };
    },
  );
}

function registerDecisions(plain: FastifyInstance, parts: Parts): void {
  const app = plain.withTypeProvider<Typed>();
  const carryOut = async (request: FastifyRequest, id: string, event: Event) => {
    idempotencyKey(request);
    const view = await anyActor(request, parts, id);
    const answer = await command(request, {
      client: contextOf(parts, view.actor),
      actor: view.actor,
      event,
    });
    return {
      actor: view.actor,
      version: answer.version,
      at: new Date(answer.at).toISOString(),
      data: answer.data,
    };
  };

  /** The chart decides about four eyes: two different subjects where the risk asks for it. */
  app.post(
    '/internal/v1/orders/:id/reviews',
    { config: { allow: ['reviewer'] }, schema: { params: path, body: reviewRequest } },
    async (request, reply) => {
      const { decision, reason } = request.body;
      const type = decision === 'approve' ? 'REVIEW_APPROVED' : 'REVIEW_REJECTED';
      return reply.code(201).send(
        await carryOut(request, request.params.id, {
          type,
          by: principalOf(request).subject,
          reason: among(reviewReasons[decision], reason),
        }),
      );
    },
  );

  app.post(
    '/internal/v1/orders/:id/holds',
    { config: { allow: ['operator', 'reviewer', 'admin'] }, schema: { params: path, body: holdRequest } },
    async (request, reply) => {
      const { action, kind, reason } = request.body;
      const by = principalOf(request).subject;
      const note = among(holdReasons[action], reason);
      const event = action === 'hold' ? { type: 'HOLD', by, kind, note } : { type: 'RELEASE', by, note };
      return reply.code(201).send(await carryOut(request, request.params.id, event));
    },
  );

  /** Any event the chart allows, in the operator's name. `xstate.` types are no events of callers; the schema has no dots. */
  app.post(
    '/internal/v1/orders/:id/commands',
    { config: { allow: hands }, schema: { params: path, body: operatorCommand } },
    async (request, reply) => {
      const by = principalOf(request).subject;
      const event = commandEvent(request.params.id, request.body, by);
      request.log.info({ by, type: event.type }, 'operator command');
      return reply.code(202).send(await carryOut(request, request.params.id, event));
    },
  );
}

type OperatorCommand = Static<typeof operatorCommand>;
const catalogues: { readonly [prefix: string]: { readonly [type: string]: TSchema } } = {
  ord: orderEvents,
  dlv: deliveryEvents,
  bat: batchEvents,
  apl: applicantEvents,
};
const checks = new Map<TSchema, { Check(value: unknown): boolean }>();

/** The reason, if it is one of those that speak for what is done. It is journaled: there is no other text of a caller in it. */
function among(words: readonly string[], reason: string): string {
  if (words.includes(reason)) return reason;
  throw notAmong('/reason', words);
}

/**
 * The event of a command, checked against the contract. The desk's word becomes the event's reason where it has one and `data`
 * gives none of the event's own; else it goes along as `note`.
 */
function commandEvent(id: string, { type, reason, data }: OperatorCommand, by: string): Event {
  if (reservedTypes.has(type))
    throw new ApiProblem('forbidden', { detail: 'This event is given where it arises, never from a desk.' });
  const schema = catalogues[id.slice(0, 3)]?.[type] as (TSchema & { properties: object }) | undefined; // Events are objects.
  if (schema === undefined) throw invalid('/type', 'unknown');
  const has = (field: string): boolean => Object.hasOwn(schema.properties, field);
  const isReason = has('reason') && data?.reason === undefined;
  const event = { ...data, type, ...(has('by') ? { by } : {}), ...(isReason ? { reason } : {}) };

  const check = checks.get(schema) ?? Compile(schema);
  checks.set(schema, check);
  if (!check.Check(event)) throw invalid('/data', 'does-not-fit-the-type');
  return isReason ? event : { ...event, note: reason };
}

/** Proofs of a handover, places in slots and runs, and verdicts of reviewers are given where they arise: no command replaces them. */
const reservedTypes = new Set([
  'OTP_CHECKED',
  'ID_SCANNED',
  'SIGNATURE_CAPTURED',
  'COLLECT',
  'SLOT_TAKEN',
  'SLOT_FULL',
  'BOARDED',
  'RUN_FULL',
  'REVIEW_APPROVED',
  'REVIEW_REJECTED',
  'KEY_GRANTED',
  'ACTIVATE',
]);

function registerRuntime(plain: FastifyInstance, parts: Parts): void {
  const app = plain.withTypeProvider<Typed>();
  const contexts = [
    { context: 'ordering', client: parts.ordering },
    { context: 'delivery', client: parts.delivery },
  ] as const;
  /** Reads of both contexts in one list, each row with its context. */
  const listed = async <Row extends object>(read: (client: Client) => Promise<readonly Row[]>) => {
    const rows = await Promise.all(
      contexts.map(async ({ context, client }) => (await read(client)).map((row) => ({ context, ...row }))),
    );
    return { data: rows.flat() };
  };

  app.get('/internal/v1/shards', { config: { allow: desk } }, () => listed((client) => client.shardViews()));
  app.get('/internal/v1/workers', { config: { allow: desk } }, () => listed((client) => client.workerViews()));
  app.get('/internal/v1/parked', { config: { allow: desk } }, () => listed((client) => client.parked()));
  app.get('/internal/v1/circuits', { config: { allow: desk } }, () => listed((client) => client.circuits()));
  const timersPage = Type.Object({ limit: Type.Integer({ minimum: 1, maximum: limits.listMax, default: 200 }) });
  app.get('/internal/v1/timers', { config: { allow: desk }, schema: { querystring: timersPage } }, (request) =>
    listed((client) => client.timers({ limit: request.query.limit })),
  );
  app.get('/internal/v1/population', { config: { allow: desk } }, async () => {
    const counts = await Promise.all(
      machines.map(
        async (name) => [name, Object.fromEntries(await machineHome(parts, name).population(name))] as const,
      ),
    );
    return { data: Object.fromEntries(counts) };
  });
  const stateQuery = Type.Object({
    machine: Type.Unsafe<(typeof machines)[number]>({ type: 'string', enum: [...machines], default: 'order' }),
    state: Type.String({ pattern: '^[A-Za-z0-9_.-]{1,120}$' }),
    limit: Type.Integer({ minimum: 1, maximum: limits.listMax, default: 100 }),
  });
  app.get('/internal/v1/actors', { config: { allow: desk }, schema: { querystring: stateQuery } }, async (request) => {
    const { machine, state, limit } = request.query;
    return { data: await machineHome(parts, machine).inState(machine, state, limit) };
  });

  const act = async (request: FastifyRequest, id: string, what: 'redrive' | 'discard') => {
    const actor = knownActor(id);
    const outcome = await contextOf(parts, actor)[what](actor, principalOf(request).subject);
    request.log.warn({ by: principalOf(request).subject, id: actor, what }, 'operator act');
    return settled(outcome);
  };
  app.post(
    '/internal/v1/parked/:id/redrive',
    { config: { allow: hands }, schema: { params: path } },
    async (request, reply) => reply.code(202).send(await act(request, request.params.id, 'redrive')),
  );
  app.post(
    '/internal/v1/parked/:id/discard',
    { config: { allow: hands }, schema: { params: path } },
    async (request, reply) => reply.code(202).send(await act(request, request.params.id, 'discard')),
  );
}

/** Tokens for anybody who asks: only where the development issuer runs, and only on this surface. */
export function registerDevelopmentTokens(plain: FastifyInstance, parts: Parts): void {
  const { issue } = parts.tokens;
  if (issue === undefined) return;
  const app = plain.withTypeProvider<Typed>();
  app.post(
    '/internal/v1/dev-tokens',
    { config: { allow: 'open' }, schema: { body: devTokenRequest, response: { 201: devToken } } },
    async (request, reply) => {
      const { subject, role, ttlSeconds } = request.body;
      const { token, expiresAt } = await issue(subject, role, ttlSeconds ?? 3_600);
      return reply
        .code(201)
        .header('cache-control', 'no-store')
        .send({ token, subject, role, expiresAt: new Date(expiresAt).toISOString() });
    },
  );
}

const ACTOR = /^(ord|dlv|apl|bat)_[A-Za-z0-9_.-]{1,76}$/;

function knownActor(id: string): ActorId {
  if (!ACTOR.test(id)) throw notFound();
  return id as ActorId; // The pattern is the runtime's own, narrowed.
}

const contextOf = (parts: Parts, actor: ActorId): Client =>
  actor.startsWith('dlv_') ? parts.delivery : parts.ordering;
const machineHome = (parts: Parts, machine: string): Client =>
  machine === 'delivery' ? parts.delivery : parts.ordering;

async function anyActor(request: FastifyRequest, parts: Parts, id: string): Promise<ActorView> {
  const actor = id.startsWith('dlv_') ? actorOf(id, 'dlv') : knownActor(id);
  const client = contextOf(parts, actor);
  const view = await client.read(actor);
  if (view === undefined) throw notFound();
  return minVersion(request) === undefined ? view : atFloor(request, client, view);
}

function settled(outcome: SendOutcome): { readonly result: string } {
  if (outcome.kind === 'rejected') throw new ApiProblem('rate-limited', { retryAfterMs: outcome.retryAfterMs });
  if (outcome.kind === 'key-reused') throw new ApiProblem('idempotency-key-reused');
  return { result: outcome.kind };
}
