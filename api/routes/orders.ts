// Orders, for the customer: place one, read it, follow its timeline, cancel it.

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import {
  cancellation,
  cancellationRequest,
  type OrderRequest,
  orderEventPage,
  orderRequest,
  orderResource as orderResourceSchema,
  orderStatus as orderStatusSchema,
} from '../../actors/contract/dto.ts';
import { applicantIdOf } from '../../actors/contract/index.ts';
import type { ActorView } from '../../runtime/client.ts';
import { ownOrder } from '../auth/access.ts';
import { principalOf } from '../auth/gate.ts';
import { command, idempotencyKey } from '../commands.ts';
import { ApiProblem } from '../errors.ts';
import type { Typed } from '../frame.ts';
import { limits } from '../limits.ts';
import { feedItem } from '../live/feed.ts';
import type { ActorId, Parts } from '../parts.ts';
import { customerActions } from '../resource/actions.ts';
import { faceOfAnswer, faceOfView } from '../resource/face.ts';
import { factsAtCreation, factsOf, orderResource, orderStatus } from '../resource/order.ts';
import { atFloor, etagOf, isUnchanged } from '../versions.ts';
import {
  addressOf,
  applicationOf,
  asInput,
  filed,
  orderInput,
  personOf,
  readApplication,
  storeApplication,
} from './application.ts';

const path = Type.Object({ id: Type.String({ maxLength: 100 }) });
const readers = ['customer', 'operator', 'reviewer', 'auditor'] as const;

export function registerOrders(plain: FastifyInstance, parts: Parts): void {
  const app = plain.withTypeProvider<Typed>();
  app.post(
    '/api/v1/orders',
    { config: { allow: ['customer'] }, schema: { body: orderRequest, response: { 201: orderResourceSchema } } },
    (request, reply) => placeOrder(request, reply, request.body, parts),
  );
  registerReads(plain, parts);
  registerCancellations(plain, parts);

  // The spelling of the first contract. 308 keeps method and body.
  app.all('/api/v1/order', { config: { allow: 'open' } }, (_request, reply) => reply.redirect('/api/v1/orders', 308));
  app.all('/api/v1/order/*', { config: { allow: 'open' } }, (request, reply) =>
    reply.redirect(request.url.replace('/api/v1/order/', '/api/v1/orders/'), 308),
  );
}

/** Answers with what `show` makes of the caller's order at or above the floor, or with 304 when the caller has it (P3). */
async function readOwn<Shown>(
  request: FastifyRequest,
  reply: FastifyReply,
  parts: Parts,
  show: (view: ActorView) => Shown | Promise<Shown>,
): Promise<FastifyReply> {
  const { id } = request.params as { id: string }; // Every route that reads an order names it so.
  const view = await atFloor(request, parts.ordering, await ownOrder(request, parts.ordering, id));
  if (isUnchanged(request, reply, etagOf(view.announced, view.counter))) return reply.send();
  return reply.send(await show(view));
}

function registerReads(plain: FastifyInstance, parts: Parts): void {
  const app = plain.withTypeProvider<Typed>();
  app.get(
    '/api/v1/orders/:id',
    { config: { allow: readers }, schema: { params: path, response: { 200: orderResourceSchema } } },
    (request, reply) => readOwn(request, reply, parts, async (view) => orderResource(await partsOf(view, parts))),
  );

  app.get(
    '/api/v1/orders/:id/status',
    { config: { allow: readers }, schema: { params: path, response: { 200: orderStatusSchema } } },
    (request, reply) =>
      readOwn(request, reply, parts, (view) =>
        orderStatus({ orderId: view.actor, version: view.announced, face: faceOfView(view) }),
      ),
  );

  const page = Type.Object({
    after: Type.Integer({ minimum: 0, default: 0 }),
    limit: Type.Integer({ minimum: 1, maximum: limits.eventsPageMax, default: limits.eventsPageMax }),
  });
  app.get(
    '/api/v1/orders/:id/events',
    { config: { allow: readers }, schema: { params: path, querystring: page, response: { 200: orderEventPage } } },
    (request, reply) => readOwn(request, reply, parts, (view) => timeline(parts, view, request.query)),
  );
}

function registerCancellations(plain: FastifyInstance, parts: Parts): void {
  const app = plain.withTypeProvider<Typed>();
  const { ordering } = parts;
  app.post(
    '/api/v1/orders/:id/cancellations',
    {
      config: { allow: ['customer', 'operator'] },
      schema: { params: path, body: cancellationRequest, response: { 202: cancellation } },
    },
    async (request, reply) => {
      idempotencyKey(request);
      const { actor } = await ownOrder(request, ordering, request.params.id);
      const event = { type: 'CANCEL', by: principalOf(request).subject, reason: request.body.reason ?? 'other' };
      const answer = await command(request, {
        client: ordering,
        actor,
        event,
        actionsOf: customerActions,
      });
      const { status } = faceOfAnswer(answer);
      return reply
        .code(202)
        .header('etag', etagOf(answer.version, answer.counter))
        .header('location', `/api/v1/orders/${actor}/cancellations`)
        .send({ orderId: actor, version: answer.version, status: progressOf(status), orderStatus: status });
    },
  );

  app.get(
    '/api/v1/orders/:id/cancellations',
    { config: { allow: readers }, schema: { params: path, response: { 200: cancellation } } },
    (request, reply) =>
      readOwn(request, reply, parts, (view) => {
        const { status } = faceOfView(view);
        return { orderId: view.actor, version: view.announced, status: progressOf(status), orderStatus: status };
      }),
  );
}

/**
 * M6: the id follows from who asks and under which key, so a repeat lands on the same actor and is answered as before.
 * Person, address and application are written first, under ids that follow from the order's: a repeat writes them again.
 */
async function placeOrder(
  request: FastifyRequest,
  reply: FastifyReply,
  body: OrderRequest,
  parts: Parts,
): Promise<FastifyReply> {
  const { ordering } = parts;
  const { subject } = principalOf(request);
  const orderId = ordering.derive('ord', subject, 'POST /orders', idempotencyKey(request));
  const now = ordering.now(); // People are born by the calendar of the street, however fast business runs.
  const order = filed(body, subject, now);
  await refuseDuplicate(parts, subject, order.cardInfo, orderId);

  const refs = await storeApplication(parts, orderId, subject, order);
  const input = orderInput(order, { orderId, userId: subject, ...refs }, now);
  const answer = await command(request, {
    client: ordering,
    actor: orderId,
    create: { machine: 'order', input: asInput(input) },
    event: { type: 'SUBMIT', by: subject },
    body: order, // After the alias and the spelling of names were settled.
  });

  const resource = orderResource({
    orderId,
    version: answer.version,
    face: faceOfAnswer(answer),
    facts: factsAtCreation(input, answer.at),
    application: applicationOf(order),
    person: personOf(order, subject),
    address: addressOf(order),
  });
  if (body.ligalInfo !== undefined)
    void reply.header('deprecation', '@1767225600').header('sunset', 'Fri, 31 Dec 2027 23:59:59 GMT');
  return reply
    .code(201)
    .header('location', `/api/v1/orders/${orderId}`)
    .header('etag', etagOf(answer.version, answer.counter))
    .header('cache-control', 'private, no-store')
    .send(resource);
}

/**
 * R-08, for the caller's comfort: a second order of a product is told so at once. The applicant actor decides in the end,
 * also for those who asked at the same moment.
 */
async function refuseDuplicate(
  parts: Parts,
  userId: string,
  card: OrderRequest['cardInfo'],
  orderId: ActorId,
): Promise<void> {
  if (card.replacementFor !== undefined || card.additionalFor !== undefined) return;
  const applicantId = applicantIdOf(userId) as ActorId; // A derived id of the contract.
  const [order, applicant] = await parts.ordering.readMany([orderId, applicantId]);
  if (order !== undefined) return; // A repeat: whatever was said then is said again (M6).
  const active = (applicant?.context.active ?? {}) as { readonly [product: string]: string | undefined };
  const existing = active[card.productCode];
  if (existing === undefined || existing === orderId) return;
  throw new ApiProblem('duplicate-order', { links: { existing: `/api/v1/orders/${existing}` } });
}

/** The view with what is kept beside it. Three round trips side by side. */
export async function partsOf(view: ActorView, parts: Parts) {
  const facts = factsOf(view.context);
  const [application, person, address] = await Promise.all([
    readApplication(parts.people, view.actor, facts.userId),
    parts.people.readPerson(facts.personRef),
    parts.people.readAddress(facts.addressRef),
  ]);
  return { orderId: view.actor, version: view.announced, face: faceOfView(view), facts, application, person, address };
}

/** The public timeline: visible changes above `after`, oldest first. */
async function timeline(parts: Parts, view: ActorView, page: { readonly after: number; readonly limit: number }) {
  const found = [];
  let after = page.after;
  let isRest = true;
  while (isRest && found.length <= page.limit) {
    const entries = await parts.ordering.history(view.actor, { after, limit: limits.journalPage });
    for (const entry of entries) {
      after = Math.max(after, entry.sequence ?? after);
      const item = feedItem(entry);
      if (item === undefined) continue;
      const { type, occurredAt, data } = item.event;
      found.push({
        eventId: item.eventId,
        topic: `order:${item.orderId}`,
        version: item.version,
        previous: item.previous,
        type,
        occurredAt,
        data,
      });
    }
    isRest = entries.length === limits.journalPage;
  }
  const data = found.slice(0, page.limit);
  const hasMore = isRest || found.length > data.length;
  const last = data.at(-1);
  return { data, page: { ...(hasMore && last !== undefined ? { next: last.version } : {}), hasMore } };
}

function progressOf(status: string): 'none' | 'in_progress' | 'done' | 'refused' {
  if (status === 'cancelling') return 'in_progress';
  if (status === 'cancelled') return 'done';
  return status === 'delivered' || status === 'completed' ? 'refused' : 'none';
}
