// Cards, for the customer: read one, report it, have it replaced. A card's public id follows from its order's.

import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { cardReport, cardResource, changeAnswer, replacementRequest } from '../../actors/contract/changes.ts';
import { cardIdOf, orderIdOfCard } from '../../actors/contract/dto.ts';
import type { ActorView } from '../../runtime/client.ts';
import { actorOf, ownOrder } from '../auth/access.ts';
import { principalOf } from '../auth/gate.ts';
import { command, idempotencyKey } from '../commands.ts';
import { ApiProblem, notFound } from '../errors.ts';
import type { Typed } from '../frame.ts';
import type { ActorId, Parts } from '../parts.ts';
import { customerActions } from '../resource/actions.ts';
import { faceOfAnswer, faceOfView } from '../resource/face.ts';
import { factsOf } from '../resource/order.ts';
import { etagOf, isUnchanged } from '../versions.ts';
import { renamed } from './changes.ts';

const path = Type.Object({ id: Type.String({ maxLength: 100 }) });

export function registerCards(plain: FastifyInstance, parts: Parts): void {
  const app = plain.withTypeProvider<Typed>();
  const { ordering } = parts;
  app.get(
    '/api/v1/cards/:id',
    {
      config: { allow: ['customer', 'operator', 'auditor'] },
      schema: { params: path, response: { 200: cardResource } },
    },
    async (request, reply) => {
      const view = await ownCard(request, parts);
      if (isUnchanged(request, reply, etagOf(view.announced, view.counter))) return reply.send();
      return reply.send(cardOf(view));
    },
  );

  app.post(
    '/api/v1/cards/:id/reports',
    {
      config: { allow: ['customer', 'operator'] },
      schema: { params: path, body: cardReport, response: { 201: changeAnswer } },
    },
    async (request, reply) => {
      idempotencyKey(request);
      const { actor } = await ownCard(request, parts);
      const event = { type: 'REPORT', by: principalOf(request).subject, kind: request.body.kind };
      const answer = await command(request, { client: ordering, actor, event, actionsOf: customerActions });
      const { status, allowedActions } = faceOfAnswer(answer);
      return reply
        .code(201)
        .header('etag', etagOf(answer.version, answer.counter))
        .send({ orderId: actor, version: answer.version, status, allowedActions: [...allowedActions] });
    },
  );

  app.post(
    '/api/v1/cards/:id/replacements',
    {
      config: { allow: ['customer', 'operator'] },
      schema: { params: path, body: replacementRequest, response: { 201: changeAnswer } },
    },
    async (request, reply) => {
      idempotencyKey(request);
      const view = await ownCard(request, parts);
      const by = principalOf(request).subject;
      const offered = offerOf(view);
      const asked =
        offered === undefined
          ? { actor: view.actor, event: { type: 'REPLACE', by, ...(await wishOf(request, parts, view)) } }
          : { actor: offered, event: { type: 'SUBMIT', by } };
      const answer = await command(request, { client: ordering, ...asked, actionsOf: customerActions });
      const orderId = offered ?? (replacementIn(answer.data) as ActorId);
      const { status, allowedActions } = faceOfAnswer(answer);
      return reply
        .code(201)
        .header('location', `/api/v1/orders/${orderId}`)
        .header('etag', etagOf(answer.version, answer.counter))
        .send({ orderId, version: answer.version, status, allowedActions: [...allowedActions] });
    },
  );
}

/** O-32: after a loss a replacement lies ready as a draft, and asking for it sends it in. */
function offerOf(view: ActorView): ActorId | undefined {
  const { replacedBy } = view.context as { readonly replacedBy?: string | null };
  if (replacedBy == null) return undefined;
  if (!view.states.includes('fulfilment.lost'))
    throw new ApiProblem('replacement-open', { links: { existing: `/api/v1/orders/${replacedBy}` } });
  return replacedBy as ActorId; // Made by the order's chart.
}

interface Wish {
  readonly reason: string;
  readonly embossedName?: { readonly line1: string; readonly line2?: string };
  readonly designId?: string;
}

async function wishOf(request: FastifyRequest, parts: Parts, view: ActorView) {
  const { reason, designId, embossedName } = request.body as Wish; // Checked by the route's schema.
  return {
    reason,
    ...(designId === undefined ? {} : { designId }),
    ...(await renamed(request, parts, view, embossedName)),
  };
}

const replacementIn = (data: unknown): string => {
  const { replacedBy } = (data ?? {}) as { readonly replacedBy?: string };
  if (replacedBy === undefined) throw new Error('the answer to REPLACE names no order');
  return replacedBy;
};

/** The order of a card. A card exists once its order has one; before that nobody has its id. */
export async function ownCard(request: FastifyRequest, { ordering }: Parts): Promise<ActorView> {
  const { id } = request.params as { id: string }; // Every route of a card names it so.
  if (!id.startsWith('crd_')) throw notFound();
  const view = await ownOrder(request, ordering, actorOf(orderIdOfCard(id), 'ord'));
  if (factsOf(view.context).card === null) throw notFound();
  return view;
}

function cardOf(view: ActorView) {
  const { card } = factsOf(view.context);
  const { replacedBy } = view.context as { readonly replacedBy?: string | null };
  return {
    cardId: cardIdOf(view.actor),
    orderId: view.actor,
    state: faceOfView(view).cardState ?? 'none',
    last4: card?.last4 ?? '',
    expiry: card?.expiry ?? '',
    ...(replacedBy == null ? {} : { replacedBy: cardIdOf(replacedBy) }),
  };
}
