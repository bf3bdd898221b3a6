// The internal surface: orders as they are, decisions of reviewers, commands of operators, and the state of the runtime.

import type { FastifyInstance, FastifyRequest } from 'fastify';
import { type Static, type TSchema, Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { devToken, devTokenRequest, holdRequest, operatorCommand, reviewRequest } from '../../actors/contract/dto.ts';
import {
  applicantEvents,
  batchEvents,
  deliveryEvents,
  holdReasons,
  orderEvents,
  reviewReasons,
} from '../../actors/contract/index.ts';
import type { Client, SendOutcome } from '../../runtime/client.ts';
import { principalOf } from '../auth/gate.ts';
import { commanders, edits, holdOf, mayRelease, rolesFor } from '../auth/verbs.ts';
import { cursorOf, merged, placeOf } from '../cursor.ts';
import { ApiProblem, invalid } from '../errors.ts';
import type { Typed } from '../frame.ts';
import { limits } from '../limits.ts';
import type { Event, Parts } from '../parts.ts';
import { etagOf } from '../versions.ts';
import { among, anyActor, carryOut, contextOf, desk, type Found, hands, knownActor, path } from './desk.ts';

const machines = ['order', 'applicant', 'batch', 'delivery', 'task'] as const;

export function registerInternal(plain: FastifyInstance, parts: Parts): void {
  const app = plain.withTypeProvider<Typed>();
  registerDecisions(plain, parts);
  registerRuntime(plain, parts);

  /** Everything of one actor: an order, or a delivery by its own id. */
  app.get('/internal/v1/orders/:id', { config: { allow: desk }, schema: { params: path } }, async (request, reply) => {
    const { view } = await anyActor(request, parts, request.params.id);
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
      const { view, client } = await anyActor(request, parts, request.params.id);
      return { data: await client.history(view.actor, request.query) };
    },
  );
}

function registerDecisions(plain: FastifyInstance, parts: Parts): void {
  const app = plain.withTypeProvider<Typed>();
  /** The chart decides about four eyes: two different subjects where the risk asks for it. Nobody approves what he edited. */
  app.post(
    '/internal/v1/orders/:id/reviews',
    { config: { allow: ['reviewer'] }, schema: { params: path, body: reviewRequest } },
    async (request, reply) => {
      const { decision } = request.body;
      const by = principalOf(request).subject;
      const reason = among(reviewReasons[decision], request.body.reason);
      const found = await anyActor(request, parts, request.params.id);
      if (decision === 'approve') await refuseOwnEdits(found, by);
      const type = decision === 'approve' ? 'REVIEW_APPROVED' : 'REVIEW_REJECTED';
      return reply.code(201).send(await carryOut(request, found, { type, by, reason }));
    },
  );

  app.post(
    '/internal/v1/orders/:id/holds',
    { config: { allow: ['operator', 'reviewer', 'admin'] }, schema: { params: path, body: holdRequest } },
    async (request, reply) => {
      const { action, kind, reason } = request.body;
      const by = principalOf(request).subject;
      const note = among(holdReasons[action], reason);
      const found = await anyActor(request, parts, request.params.id);
      if (action === 'release') checkRelease(request, found, kind);
      const event = action === 'hold' ? { type: 'HOLD', by, kind, note } : { type: 'RELEASE', by, note };
      return reply.code(201).send(await carryOut(request, found, event));
    },
  );

  /** Any event the chart allows, in the operator's name. `xstate.` types are no events of callers; the schema has no dots. */
  app.post(
    '/internal/v1/orders/:id/commands',
    { config: { allow: commanders }, schema: { params: path, body: operatorCommand } },
    async (request, reply) => {
      const { subject: by, role } = principalOf(request);
      const { id } = request.params;
      if (!rolesFor(id.slice(0, 3), request.body.type).includes(role))
        throw new ApiProblem('forbidden', { detail: 'This event is not given by your role, or never from a desk.' });
      const event = commandEvent(id, request.body, by);
      const found = await anyActor(request, parts, id);
      if (event.type === 'RELEASE') checkRelease(request, found);
      request.log.info({ by, type: event.type }, 'operator command');
      return reply.code(202).send(await carryOut(request, found, event));
    },
  );
}

/** 5.10: an order is not approved by whoever changed it. Reads its journal as far as it is kept, at most 1,000 entries. */
async function refuseOwnEdits({ client, view }: Found, by: string): Promise<void> {
  const entries = await client.history(view.actor, { limit: limits.listMax });
  if (!entries.some(({ event }) => event !== undefined && edits.has(event.type) && event.by === by)) return;
  throw new ApiProblem('forbidden', { detail: 'You edited this order: somebody else has to approve it.' });
}

/** Who may lift a hold depends on its kind. Of two holds in a race the chart keeps the graver one, and this is asked again. */
function checkRelease(request: FastifyRequest, { view }: Found, kind?: string): void {
  const held = holdOf(view.states);
  if (held === undefined) return; // The chart says what it thinks of it.
  if (kind !== undefined && kind !== held)
    throw new ApiProblem('transition-not-allowed', { detail: `The order is held for another reason: ${held}.` });
  if (mayRelease(principalOf(request).role, held)) return;
  throw new ApiProblem('forbidden', { detail: `A hold of kind ${held} is lifted by another role.` });
}

type OperatorCommand = Static<typeof operatorCommand>;
const catalogues: { readonly [prefix: string]: { readonly [type: string]: TSchema } } = {
  ord: orderEvents,
  dlv: deliveryEvents,
  bat: batchEvents,
  apl: applicantEvents,
};
const checks = new Map<TSchema, { Check(value: unknown): boolean }>();

/**
 * The event of a command, checked against the contract. The desk's word becomes the event's reason where it has one and `data`
 * gives none of the event's own; else it goes along as `note`.
 */
function commandEvent(id: string, { type, reason, data }: OperatorCommand, by: string): Event {
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
        async (name) =>
          [name, sums(await Promise.all(homesOf(parts, name).map((home) => home.population(name))))] as const,
      ),
    );
    return { data: Object.fromEntries(counts) };
  });
  const stateQuery = Type.Object({
    machine: Type.Unsafe<(typeof machines)[number]>({ type: 'string', enum: [...machines], default: 'order' }),
    state: Type.String({ pattern: '^[A-Za-z0-9_.-]{1,120}$' }),
    limit: Type.Integer({ minimum: 1, maximum: limits.listMax, default: 100 }),
    after: Type.Optional(Type.String({ maxLength: 300 })),
  });
  app.get('/internal/v1/actors', { config: { allow: desk }, schema: { querystring: stateQuery } }, async (request) => {
    const { machine, state, limit, after } = request.query;
    const place = placeOf(parts.ordering, after);
    const lists = homesOf(parts, machine).map((home) => home.inState(machine, state, limit, place));
    const data = merged(await Promise.all(lists), limit);
    const last = data.length === limit ? data.at(-1) : undefined;
    const next = last === undefined ? {} : { next: cursorOf(parts.ordering, last) };
    return { data, page: { ...next, hasMore: last !== undefined } };
  });

  const act = async (request: FastifyRequest, id: string, what: 'redrive' | 'discard') => {
    const actor = knownActor(id);
    const client = actor.startsWith('tsk_') ? (await anyActor(request, parts, id)).client : contextOf(parts, actor);
    const outcome = await client[what](actor, principalOf(request).subject);
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

/** Contexts whose actors a machine hosts: tasks are of both. */
function homesOf({ ordering, delivery }: Parts, machine: string): readonly Client[] {
  if (machine === 'task') return [ordering, delivery];
  return [machine === 'delivery' ? delivery : ordering];
}

function sums(counts: readonly ReadonlyMap<string, number>[]): Readonly<Record<string, number>> {
  const total: Record<string, number> = {};
  for (const [state, count] of counts.flatMap((each) => [...each])) total[state] = (total[state] ?? 0) + count;
  return total;
}

function settled(outcome: SendOutcome): { readonly result: string } {
  if (outcome.kind === 'rejected') throw new ApiProblem('rate-limited', { retryAfterMs: outcome.retryAfterMs });
  if (outcome.kind === 'key-reused') throw new ApiProblem('idempotency-key-reused');
  return { result: outcome.kind };
}
