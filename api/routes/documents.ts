// Documents of an order: announced by the customer, uploaded to a presigned address, told of, and never shown.
//
// The upload goes past the JSON parser and the token: its address is the permission, for one document of one size and hash,
// for a quarter of an hour. The bytes are checked and sealed as they pass through; no more than a chunk is in memory.

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type Static, Type } from 'typebox';
import {
  type DocumentResource,
  documentAnnounced,
  documentAnnouncement,
  documentList,
  documentResource,
} from '../../actors/contract/personal-dto.ts';
import {
  DOCUMENT_BYTES_MAX,
  DocumentRejected,
  type DocumentView,
  isPermitted,
  type MediaType,
  mediaTypes,
  PERMISSION_MS,
  type Permission,
  permit,
} from '../../actors/people/index.ts';
import { ownOrder } from '../auth/access.ts';
import { principalOf } from '../auth/gate.ts';
import { idempotencyKey } from '../commands.ts';
import { ApiProblem, notFound } from '../errors.ts';
import type { Typed } from '../frame.ts';
import type { Parts } from '../parts.ts';
import { factsOf } from '../resource/order.ts';

const order = Type.Object({ id: Type.String({ maxLength: 100 }) });
const one = Type.Object({ id: Type.String({ maxLength: 100 }), documentId: Type.String({ maxLength: 100 }) });
const base = '/api/v1/orders/:id/documents';
const readers = ['customer', 'operator', 'reviewer', 'auditor'] as const;
const isMediaType = (word: string): word is MediaType => mediaTypes.some((known) => known === word);

export function registerDocuments(plain: FastifyInstance, parts: Parts): void {
  const app = plain.withTypeProvider<Typed>();
  app.post(
    base,
    {
      config: { allow: ['customer'] },
      schema: { params: order, body: documentAnnouncement, response: { 201: documentAnnounced } },
    },
    (request, reply) => announce(request, reply, request.body, parts),
  );
  app.get(
    base,
    { config: { allow: readers }, schema: { params: order, response: { 200: documentList } } },
    async (request, reply) => {
      const view = await ownOrder(request, parts.ordering, request.params.id);
      const found = await parts.people.documents.ofOrder(view.actor, factsOf(view.context).userId);
      return reply.header('cache-control', 'private, no-store').send({ data: found.map(shown) });
    },
  );
  app.get(
    `${base}/:documentId`,
    { config: { allow: readers }, schema: { params: one, response: { 200: documentResource } } },
    async (request, reply) => {
      const document = await ownDocument(request, parts, request.params);
      return reply.header('cache-control', 'private, no-store').send(shown(document));
    },
  );
  app.put(
    `${base}/:documentId/completion`,
    { config: { allow: ['customer'] }, schema: { params: one, response: { 200: documentResource } } },
    async (request, reply) => {
      const document = await ownDocument(request, parts, request.params);
      if (document.status !== 'stored') throw rejected('not-uploaded');
      return reply.send(shown(document));
    },
  );
  void plain.register(async (scope) => registerUpload(scope, parts));
}

async function announce(
  request: FastifyRequest,
  reply: FastifyReply,
  body: Static<typeof documentAnnouncement>,
  { ordering, people }: Parts,
): Promise<FastifyReply> {
  const { id } = request.params as { id: string };
  const key = idempotencyKey(request);
  const view = await ownOrder(request, ordering, id);
  const { mediaType } = body;
  if (!isMediaType(mediaType))
    throw new ApiProblem('unsupported-media-type', { detail: `A document is one of ${mediaTypes.join(', ')}.` });
  if (body.bytes > DOCUMENT_BYTES_MAX) throw tooLarge();
  const owner = { userId: principalOf(request).subject };
  const { document, kind } = await people.documents.announce(owner, view.actor, key, { ...body, mediaType });
  if (kind === 'other') throw new ApiProblem('idempotency-key-reused');
  request.replayed = kind === 'same';

  const permission = uploadOf(document, ordering.now() + PERMISSION_MS);
  const url = `/api/v1/uploads/${document.documentId}?${permit(ordering.digest, permission)}`;
  const upload = { method: 'PUT' as const, url, expiresAt: new Date(permission.expiresAt).toISOString() };
  return reply
    .code(201)
    .header('location', `/api/v1/orders/${view.actor}/documents/${document.documentId}`)
    .header('cache-control', 'private, no-store')
    .send({ ...shown(document), ...(document.status === 'stored' ? {} : { upload }) });
}

/** No JSON, no token, no other type: whoever has the address may send these bytes. */
function registerUpload(scope: FastifyInstance, parts: Parts): void {
  scope.removeAllContentTypeParsers();
  // The body stays in the socket: the route reads it piece by piece.
  scope.addContentTypeParser([...mediaTypes], (_request, _payload, done) => done(null));
  const app = scope.withTypeProvider<Typed>();
  const query = Type.Object({
    expires: Type.Integer({ minimum: 0 }),
    signature: Type.String({ pattern: '^[0-9a-f]{64}$' }),
  });
  app.put(
    '/api/v1/uploads/:id',
    {
      config: { allow: 'open' },
      schema: { params: order, querystring: query, response: { 200: documentResource } },
    },
    async (request, reply) => {
      try {
        return await reply.send(shown(await received(request, parts, request.params.id, request.query)));
      } catch (error) {
        void reply.header('connection', 'close'); // What is still on its way is nobody's.
        request.raw.resume();
        throw error;
      }
    },
  );
}

async function received(
  request: FastifyRequest,
  { ordering, people }: Parts,
  id: string,
  { expires, signature }: { readonly expires: number; readonly signature: string },
): Promise<DocumentView> {
  const document = await people.documents.read(id);
  // An address that was made up, has ended, or is of a document that is gone: no difference is told.
  if (document === undefined || !isPermitted(ordering.digest, uploadOf(document, expires), signature, ordering.now()))
    throw new ApiProblem('forbidden', { detail: 'This address is not, or no longer, good for an upload.' });
  if (request.headers['content-type']?.split(';', 1)[0] !== document.mediaType)
    throw new ApiProblem('unsupported-media-type', { detail: `This document was announced as ${document.mediaType}.` });
  const length = Number(request.headers['content-length'] ?? document.bytes);
  if (length > DOCUMENT_BYTES_MAX) throw tooLarge();
  if (length !== document.bytes) throw rejected('size-mismatch');

  try {
    const stored = await people.documents.receive(id, request.raw.iterator({ destroyOnReturn: false }));
    if (stored === undefined) throw notFound();
    return stored;
  } catch (error) {
    if (!(error instanceof DocumentRejected)) throw error;
    request.log.info({ code: error.code }, 'document rejected');
    throw error.code === 'too-large' ? tooLarge() : rejected(error.code);
  }
}

const uploadOf = ({ documentId, bytes, sha256 }: DocumentView, expiresAt: number): Permission => ({
  act: 'upload',
  object: documentId,
  bound: [String(bytes), sha256],
  expiresAt,
});

/** A document of an order that the caller may see. */
async function ownDocument(
  request: FastifyRequest,
  parts: Parts,
  { id, documentId }: { readonly id: string; readonly documentId: string },
): Promise<DocumentView> {
  const view = await ownOrder(request, parts.ordering, id);
  const document = documentId.startsWith('doc_') ? await parts.people.documents.read(documentId) : undefined;
  if (document === undefined || document.orderId !== view.actor) throw notFound();
  return document;
}

function shown({ storedAt, ...document }: DocumentView): DocumentResource {
  return { ...document, ...(storedAt === undefined ? {} : { storedAt: new Date(storedAt).toISOString() }) };
}

const rejected = (code: string): ApiProblem => new ApiProblem('document-rejected', { errors: [{ pointer: '', code }] });
const tooLarge = (): ApiProblem =>
  new ApiProblem('payload-too-large', { detail: `A document has at most ${DOCUMENT_BYTES_MAX} bytes.` });
