// Delivery and card, for the customer: choose a window, activate the card, and a ticket for the live events.

import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import {
  activation,
  activationRequest,
  appointment,
  appointmentRequest,
  cardIdOf,
  orderIdOfCard,
  slotPage,
  ticket,
} from '../../actors/contract/dto.ts';
import type { ActorView } from '../../runtime/client.ts';
import { actorOf, ownOrder } from '../auth/access.ts';
import { principalOf } from '../auth/gate.ts';
import { command, idempotencyKey } from '../commands.ts';
import { ApiProblem, notFound } from '../errors.ts';
import type { Typed } from '../frame.ts';
import { limits } from '../limits.ts';
import type { ActorId, Parts } from '../parts.ts';
import { customerActions } from '../resource/actions.ts';
import { faceOfAnswer } from '../resource/face.ts';
import { type Face, factsOf } from '../resource/order.ts';
import { shownSlot, slotOf, slotsAt } from '../resource/slots.ts';
import { etagOf } from '../versions.ts';

const path = Type.Object({ id: Type.String({ maxLength: 100 }) });

export function registerDelivery(plain: FastifyInstance, parts: Parts): void {
  registerAppointments(plain, parts);
  registerActivations(plain, parts);
  registerTickets(plain, parts);
}

function registerAppointments(plain: FastifyInstance, parts: Parts): void {
  const app = plain.withTypeProvider<Typed>();
  const { ordering, delivery } = parts;
  app.get(
    '/api/v1/orders/:id/delivery/slots',
    { config: { allow: ['customer', 'operator'] }, schema: { params: path, response: { 200: slotPage } } },
    async (request, reply) => {
      const view = await ownOrder(request, ordering, request.params.id);
      const zone = await timeZoneOf(view, parts);
      void reply.header('cache-control', 'private, no-store');
      return { data: slotsAt(delivery.domainNow(), zone).map(shownSlot) };
    },
  );

  app.put(
    '/api/v1/orders/:id/delivery/appointment',
    {
      config: { allow: ['customer', 'operator'] },
      schema: { params: path, body: appointmentRequest, response: { 200: appointment } },
    },
    async (request, reply) => {
      idempotencyKey(request);
      const view = await ownOrder(request, ordering, request.params.id);
      const { deliveryId } = factsOf(view.context).delivery;
      if (deliveryId === null)
        throw new ApiProblem('transition-not-allowed', { allowedActions: [], version: view.announced });
      const slot = slotOf(request.body.slotId, delivery.domainNow(), await timeZoneOf(view, parts));
      if (slot === undefined)
        throw new ApiProblem('slot-taken', { errors: [{ pointer: '/slotId', code: 'not-on-offer' }] });

      const event = {
        type: 'SLOT_CHOSEN',
        by: principalOf(request).subject,
        slotId: slot.slotId,
        from: slot.from,
        to: slot.to,
      };
      const actor = deliveryId as ActorId; // Derived by ordering, kept by its chart.
      const answer = await command(request, {
        client: delivery,
        actor,
        event,
        actionsOf: customerActions,
      });
      void reply.header('etag', etagOf(answer.version, answer.counter));
      return { orderId: view.actor, deliveryId, version: answer.version, status: 'confirmed', slot: shownSlot(slot) };
    },
  );
}

function registerActivations(plain: FastifyInstance, parts: Parts): void {
  const app = plain.withTypeProvider<Typed>();
  const { ordering } = parts;
  app.post(
    '/api/v1/cards/:id/activations',
    {
      config: { allow: ['customer'] },
      schema: { params: path, body: activationRequest, response: { 202: activation } },
    },
    async (request, reply) => {
      idempotencyKey(request);
      const view = await ownCard(request.params.id, (orderId) => ownOrder(request, ordering, orderId));
      const { proof, last4 } = request.body;
      if (proof === 'last4' && last4 === undefined)
        throw new ApiProblem('validation-failed', { errors: [{ pointer: '/last4', code: 'required' }] });
      const event = {
        type: 'ACTIVATE',
        by: principalOf(request).subject,
        proof,
        ...(last4 === undefined ? {} : { last4 }),
      };
      const answer = await command(request, {
        client: ordering,
        actor: view.actor,
        event,
        actionsOf: customerActions,
      });
      const face = faceOfAnswer(answer);
      refuseWrongProof(face, answer.version);
      return reply
        .code(202)
        .header('etag', etagOf(answer.version, answer.counter))
        .header('location', `/api/v1/orders/${view.actor}`)
        .send({
          cardId: cardIdOf(view.actor),
          orderId: view.actor,
          version: answer.version,
          status: face.status,
        });
    },
  );
}

function registerTickets(plain: FastifyInstance, parts: Parts): void {
  const app = plain.withTypeProvider<Typed>();
  app.post(
    '/api/v1/ws-tickets',
    {
      config: { allow: ['customer', 'operator', 'reviewer', 'auditor', 'admin', 'service'] },
      schema: { response: { 201: ticket } },
    },
    async (request, reply) => {
      const issued = await parts.hub.ticket(principalOf(request));
      return reply
        .code(201)
        .header('cache-control', 'no-store')
        .send({ ticket: issued, expiresInMs: limits.ticketTtlMs });
    },
  );
}

/** The order of a card. A card exists once its order has one; before that nobody has its id. */
async function ownCard(cardId: string, read: (orderId: string) => Promise<ActorView>): Promise<ActorView> {
  if (!cardId.startsWith('crd_')) throw notFound();
  const view = await read(actorOf(orderIdOfCard(cardId), 'ord'));
  if (factsOf(view.context).card === null) throw notFound();
  return view;
}

/** The chart counts wrong proofs and locks after the last: both are changes of the order, and refusals to the caller. */
function refuseWrongProof(face: Face, version: number): void {
  const { allowedActions, triesLeft } = face;
  if (triesLeft === 0) throw new ApiProblem('otp-locked', { triesLeft, version });
  if (allowedActions.includes('activate'))
    throw new ApiProblem('otp-invalid', { version, ...(triesLeft === undefined ? {} : { triesLeft }) });
}

async function timeZoneOf(view: ActorView, parts: Parts): Promise<string> {
  const person = await parts.people.readPerson(factsOf(view.context).personRef);
  return person?.timeZone ?? 'UTC';
}
