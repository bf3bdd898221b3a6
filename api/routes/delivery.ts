// Delivery and card, for the customer: choose a window, activate the card, and a ticket for the live events.

import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import { windowOf } from '../../actors/contract/calendar.ts';
import { type Zone, zoneAt, zoneOf } from '../../actors/contract/catalogue.ts';
import {
  activation,
  activationRequest,
  appointment,
  appointmentRequest,
  cardIdOf,
  dispute,
  disputeRequest,
  orderIdOfCard,
  slotPage,
  ticket,
} from '../../actors/contract/dto.ts';
import type { ActorView } from '../../runtime/client.ts';
import { actorOf, ownOrder } from '../auth/access.ts';
import { principalOf } from '../auth/gate.ts';
import { pause } from '../client/clock.ts';
import { command, idempotencyKey } from '../commands.ts';
import { ApiProblem, notFound, outcomeUnknown } from '../errors.ts';
import type { Typed } from '../frame.ts';
import { limits } from '../limits.ts';
import type { ActorId, Parts } from '../parts.ts';
import { customerActions } from '../resource/actions.ts';
import { faceOfAnswer } from '../resource/face.ts';
import { type Face, factsOf } from '../resource/order.ts';
import { shownSlot, slotsOf } from '../resource/slots.ts';
import { etagOf } from '../versions.ts';

const path = Type.Object({ id: Type.String({ maxLength: 100 }) });

export function registerDelivery(plain: FastifyInstance, parts: Parts): void {
  registerAppointments(plain, parts);
  registerDisputes(plain, parts);
  registerActivations(plain, parts);
  registerTickets(plain, parts);
}

function registerAppointments(plain: FastifyInstance, parts: Parts): void {
  const app = plain.withTypeProvider<Typed>();
  const { ordering, delivery, catalogue } = parts;
  app.get(
    '/api/v1/orders/:id/delivery/slots',
    { config: { allow: ['customer', 'operator'] }, schema: { params: path, response: { 200: slotPage } } },
    async (request, reply) => {
      const zone = await zoneOfOrder(await ownOrder(request, ordering, request.params.id), parts);
      void reply.header('cache-control', 'private, no-store');
      return { data: zone === undefined ? [] : await slotsOf(delivery, zone, delivery.domainNow()) };
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
      const found = windowOf(catalogue, request.body.slotId);
      const zone = await zoneOfOrder(view, parts);
      if (found === undefined || found.zone.id !== zone?.id)
        throw new ApiProblem('slot-taken', { errors: [{ pointer: '/slotId', code: 'not-on-offer' }] });
      const { slotId, from, to } = found.window;
      const actor = deliveryId as ActorId; // Derived by ordering, kept by its chart.
      const answer = await command(request, {
        client: delivery,
        actor,
        event: { type: 'SLOT_CHOSEN', by: principalOf(request).subject, slotId, from, to },
        actionsOf: customerActions,
      });
      await verdictOfSlot(parts, actor, answer.version, slotId);
      void reply.header('etag', etagOf(answer.version, answer.counter));
      const { version } = answer;
      return { orderId: view.actor, deliveryId, version, status: 'confirmed', slot: shownSlot(found.window) };
    },
  );
}

/**
 * Waits for the slot's word about the asking that was applied as `version`: it stands in the delivery's journal, so a repeat
 * of the request finds the same one. Throws `slot-taken` for a slot that is full, and for one that was given up for another;
 * an unknown outcome when it has not come within the time of a write.
 */
async function verdictOfSlot(parts: Parts, actor: ActorId, version: number, slotId: string): Promise<void> {
  const { delivery, ticker } = parts;
  const until = ticker.now() + limits.askWaitMs;
  for (let view = await delivery.read(actor); view?.states.some(isReserving); view = await delivery.read(actor)) {
    if (ticker.now() >= until) throw outcomeUnknown();
    await pause(ticker, limits.slotLookMs);
  }
  const since = await delivery.history(actor, { after: version, limit: limits.slotVerdictEntries });
  for (const { kind, event } of since) {
    if (kind !== 'moved' || event === undefined) continue;
    if (event.type === 'SLOT_TAKEN' && event.slotId === slotId) return;
    const isFull = event.type === 'SLOT_FULL' && event.slotId === slotId;
    if (isFull || event.type === 'SLOT_CHOSEN' || event.type.startsWith('xstate.after.slotSilent'))
      throw new ApiProblem('slot-taken', { errors: [{ pointer: '/slotId', code: 'full' }], version });
  }
  throw outcomeUnknown(); // Its entries are trimmed, or something else has ended the asking.
}

const isReserving = (state: string): boolean => /^appointment\..*\.reserving$/.test(state);

/** D-42: within 30 days of a handover, the recipient says that it was somebody else. */
function registerDisputes(plain: FastifyInstance, parts: Parts): void {
  const app = plain.withTypeProvider<Typed>();
  app.post(
    '/api/v1/orders/:id/delivery/disputes',
    {
      config: { allow: ['customer', 'operator'] },
      schema: { params: path, body: disputeRequest, response: { 201: dispute } },
    },
    async (request, reply) => {
      idempotencyKey(request);
      const view = await ownOrder(request, parts.ordering, request.params.id);
      const { deliveryId } = factsOf(view.context).delivery;
      if (deliveryId === null)
        throw new ApiProblem('transition-not-allowed', { allowedActions: [], version: view.announced });
      const answer = await command(request, {
        client: parts.delivery,
        actor: deliveryId as ActorId, // As above.
        event: { type: 'DISPUTE', by: principalOf(request).subject, kind: request.body.kind },
        actionsOf: customerActions,
      });
      return reply.code(201).send({ orderId: view.actor, deliveryId, version: answer.version });
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

/** The zone that the delivery was found in; before there is one, that of the order's address. */
async function zoneOfOrder(view: ActorView, { delivery, people, catalogue }: Parts): Promise<Zone | undefined> {
  const { addressRef, delivery: facts } = factsOf(view.context);
  const carrier = facts.deliveryId === null ? undefined : await delivery.read(facts.deliveryId as ActorId); // As above.
  const zoneId = carrier === undefined ? undefined : (carrier.context as { readonly zoneId?: string | null }).zoneId;
  if (typeof zoneId === 'string') return zoneOf(catalogue, zoneId);
  const address = await people.readAddress(addressRef);
  return address === undefined ? undefined : zoneAt(catalogue, address);
}
