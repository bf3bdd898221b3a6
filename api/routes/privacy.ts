// Privacy requests: a person asks for a copy, a correction or an erasure of what is kept of him, and follows what comes of it.

import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type Static, Type } from 'typebox';
import {
  type PrivacyResource,
  privacyDecision,
  privacyList,
  privacyRequest,
  privacyResource,
} from '../../actors/contract/personal-dto.ts';
import { isPermitted, PERMISSION_MS, type Permission, permit } from '../../actors/people/index.ts';
import type { ActorView } from '../../runtime/client.ts';
import { type PrivacyContext, privacyStatus } from '../../state-machines/ordering/privacy.ts';
import { principalOf } from '../auth/gate.ts';
import { command, idempotencyKey } from '../commands.ts';
import { ApiProblem, notFound } from '../errors.ts';
import type { Typed } from '../frame.ts';
import type { ActorId, Parts } from '../parts.ts';

const path = Type.Object({ id: Type.String({ maxLength: 100 }) });
const base = '/api/v1/me/privacy-requests';
const REQUEST = /^prv_[a-z0-9]{1,76}$/;
const EXPORT = /^exp_[0-9a-z]{26}\.[0-9a-z]{26}$/;
const LISTED_MAX = 50;
/** GDPR art. 12(4): who is refused is told where to complain. */
const COMPLAINT =
  'If you do not agree, you may complain to the data protection authority of the country where you live, and go to court.';

export function registerPrivacy(plain: FastifyInstance, parts: Parts): void {
  const app = plain.withTypeProvider<Typed>();
  app.post(
    base,
    { config: { allow: ['customer'] }, schema: { body: privacyRequest, response: { 202: privacyResource } } },
    (request, reply) => place(request, reply, request.body, parts),
  );
  app.get(
    base,
    { config: { allow: ['customer'] }, schema: { response: { 200: privacyList } } },
    async (request, reply) => {
      const listed = await parts.ordering.readSheet(listOf(parts, principalOf(request).subject));
      const ids = Object.keys(listed).filter((name) => REQUEST.test(name)) as ActorId[]; // Derived by us.
      const views = await parts.ordering.readMany(ids.slice(-LISTED_MAX));
      const data = views.flatMap((view) => (view === undefined ? [] : [resourceOf(view, parts)]));
      return reply.header('cache-control', 'private, no-store').send({ data });
    },
  );
  app.get(
    `${base}/:id`,
    { config: { allow: ['customer'] }, schema: { params: path, response: { 200: privacyResource } } },
    async (request, reply) => {
      const view = await requestView(parts, request.params.id);
      if (view.context.userId !== principalOf(request).subject) throw notFound();
      return reply.header('cache-control', 'private, no-store').send(resourceOf(view, parts));
    },
  );
  registerDownload(plain, parts);
}

async function place(
  request: FastifyRequest,
  reply: FastifyReply,
  body: Static<typeof privacyRequest>,
  parts: Parts,
): Promise<FastifyReply> {
  const { ordering, people } = parts;
  const { subject } = principalOf(request);
  const requestId = ordering.derive('prv', subject, `POST ${base}`, idempotencyKey(request));
  // What he writes is personal: it stays in the vault, where the desk reads it.
  if (body.note !== undefined) {
    const { kind } = await people.storeNote({ note: body.note }, requestId, { userId: subject });
    if (kind === 'other') throw new ApiProblem('idempotency-key-reused');
  }
  await ordering.changeSheet(listOf(parts, subject), { set: { [requestId]: body.kind } });
  await command(request, {
    client: ordering,
    actor: requestId,
    event: { type: 'REQUEST', by: subject },
    create: {
      machine: 'privacy',
      input: { requestId, userId: subject, kind: body.kind, locale: localeOf(request) },
    },
  });
  return reply
    .code(202)
    .header('location', `${base}/${requestId}`)
    .send({ requestId, kind: body.kind, status: 'in_progress', kept: [] });
}

/** The address is the permission: the browser that follows it has no token. */
function registerDownload(plain: FastifyInstance, { ordering, people }: Parts): void {
  const app = plain.withTypeProvider<Typed>();
  const query = Type.Object({
    expires: Type.Integer({ minimum: 0 }),
    signature: Type.String({ pattern: '^[0-9a-f]{64}$' }),
  });
  app.get(
    '/api/v1/exports/:id',
    { config: { allow: 'open' }, schema: { params: path, querystring: query } },
    async (request, reply) => {
      const { id } = request.params;
      const { expires, signature } = request.query;
      if (!EXPORT.test(id) || !isPermitted(ordering.digest, downloadOf(id, expires), signature, ordering.now()))
        throw new ApiProblem('forbidden', { detail: 'This address is not, or no longer, good for a download.' });
      const content = await people.documents.content(id);
      if (content === undefined) throw new ApiProblem('archived-or-erased');
      return reply
        .type('application/json')
        .header('cache-control', 'private, no-store')
        .header('content-disposition', 'attachment; filename="personal-data.json"')
        .send(Readable.from(content));
    },
  );
}

/** What the desk sees and decides. */
export function registerPrivacyDesk(plain: FastifyInstance, parts: Parts): void {
  const app = plain.withTypeProvider<Typed>();
  app.get(
    '/internal/v1/privacy-requests/:id',
    { config: { allow: ['operator', 'admin'] }, schema: { params: path } },
    async (request, reply) => {
      const view = await requestView(parts, request.params.id);
      const note = await parts.people.readNote(view.actor, String(view.context.userId));
      return reply
        .header('cache-control', 'no-store')
        .send({ ...view, status: privacyStatus(view.value), ...(note === undefined ? {} : note) });
    },
  );
  app.post(
    '/internal/v1/privacy-requests/:id/decision',
    {
      config: { allow: ['operator', 'admin'] },
      schema: { params: path, body: privacyDecision, response: { 202: privacyResource } },
    },
    async (request, reply) => {
      const view = await requestView(parts, request.params.id);
      const { decision, reason } = request.body;
      const by = principalOf(request).subject;
      await command(request, {
        client: parts.ordering,
        actor: view.actor,
        event: { type: 'DECIDE', by, decision, note: reason },
      });
      const after = await requestView(parts, request.params.id);
      return reply.code(202).send(resourceOf(after, parts));
    },
  );
}

async function requestView({ ordering }: Parts, id: string): Promise<ActorView> {
  const view = REQUEST.test(id) ? await ordering.read(id as ActorId) : undefined; // The pattern is the runtime's own, narrowed.
  if (view?.machine !== 'privacy') throw notFound();
  return view;
}

function resourceOf(view: ActorView, { ordering }: Parts): PrivacyResource {
  const { requestId, kind, createdAt, reason, kept, objectId } = view.context as unknown as PrivacyContext; // Written by that chart alone.
  const status = privacyStatus(view.value);
  const expiresAt = ordering.now() + PERMISSION_MS;
  return {
    requestId,
    kind,
    status,
    requestedAt: new Date(createdAt).toISOString(),
    ...(reason === null ? {} : { reason }),
    kept: kept.map(({ until, ...row }) => ({
      ...row,
      ...(until === undefined ? {} : { until: new Date(until).toISOString() }),
    })),
    ...(status === 'ready' && objectId !== null
      ? {
          download: {
            url: `/api/v1/exports/${objectId}?${permit(ordering.digest, downloadOf(objectId, expiresAt))}`,
            expiresAt: new Date(expiresAt).toISOString(),
          },
        }
      : {}),
    ...(status === 'refused' || kept.length > 0 ? { complaint: COMPLAINT } : {}),
  };
}

const downloadOf = (object: string, expiresAt: number): Permission => ({
  act: 'download',
  object,
  bound: [],
  expiresAt,
});

const listOf = ({ ordering }: Parts, userId: string): string => `requests.${ordering.derive('list', userId)}`;

/** The first language that the caller asks for. */
const localeOf = (request: FastifyRequest): string =>
  /^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}/.exec(request.headers['accept-language'] ?? '')?.[0] ?? 'en';
