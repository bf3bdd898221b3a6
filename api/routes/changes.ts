// What the customer changes on the way: name, design, address and method, another try, a report of what never came.
//
// One route means one wish; which event says it depends on how far the order is, and the chart has the last word: who was
// overtaken hears `transition-not-allowed` with what is allowed now (M4).

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import {
  addressChange,
  changeAnswer,
  deliveryReport,
  methodChange,
  offerDecision,
  orderPatch,
  redelivery,
} from '../../actors/contract/changes.ts';
import type { Address } from '../../actors/contract/dto.ts';
import type { ActorView } from '../../runtime/client.ts';
import { ownOrder } from '../auth/access.ts';
import { principalOf } from '../auth/gate.ts';
import { command, idempotencyKey, routeOf } from '../commands.ts';
import { ApiProblem } from '../errors.ts';
import type { Typed } from '../frame.ts';
import type { ActorId, Event, Parts } from '../parts.ts';
import { customerActions } from '../resource/actions.ts';
import { faceOfAnswer, faceOfView } from '../resource/face.ts';
import { type Face, factsOf } from '../resource/order.ts';
import { etagOf } from '../versions.ts';

const path = Type.Object({ id: Type.String({ maxLength: 100 }) });
const allow = ['customer', 'operator'] as const;
const answered = { 202: changeAnswer };

export function registerChanges(plain: FastifyInstance, parts: Parts): void {
  const app = plain.withTypeProvider<Typed>();
  registerEdits(plain, parts);
  registerWishes(plain, parts);

  app.post(
    '/api/v1/orders/:id/delivery/reports',
    { config: { allow }, schema: { params: path, body: deliveryReport, response: answered } },
    async (request, reply) => {
      const view = await begun(request, parts);
      const by = principalOf(request).subject;
      switch (request.body.kind) {
        case 'not_received':
          return told(reply, await say(request, parts, view, { type: 'REPORT', by, kind: 'not_received' }));
        case 'received_after_all':
          return told(reply, await say(request, parts, view, { type: 'CARD_FOUND', by }));
        case 'wrong_person':
          return told(reply, await dispute(request, parts, view));
      }
    },
  );
}

// --- Edits: with a precondition, while the order waits for its batch ---

function registerEdits(plain: FastifyInstance, parts: Parts): void {
  const app = plain.withTypeProvider<Typed>();
  app.patch(
    '/api/v1/orders/:id',
    {
      config: { allow },
      schema: { params: path, body: orderPatch, response: { 200: changeAnswer } },
    },
    async (request, reply) => {
      const view = await begun(request, parts);
      unchangedSince(request, view);
      const { cardInfo, deliveryInfo } = request.body;
      const event = {
        type: 'EDIT',
        by: principalOf(request).subject,
        // Of two edits that saw the same version, the chart takes one.
        basis: editsOf(view),
        ...(cardInfo?.designId === undefined ? {} : { designId: cardInfo.designId }),
        ...(await renamed(request, parts, view, cardInfo?.embossedName)),
        ...(await placed(request, parts, view, deliveryInfo?.address)),
        ...methodOf(deliveryInfo ?? {}),
      };
      return told(reply, await say(request, parts, view, event), 200);
    },
  );
}

/** the version that the caller has seen. Missing: 428; another one: 412. */
function unchangedSince(request: FastifyRequest, view: ActorView): void {
  const wanted = request.headers['if-match'];
  if (wanted === undefined)
    throw new ApiProblem('precondition-required', { errors: [{ pointer: 'header:if-match', code: 'required' }] });
  const etag = etagOf(view.announced, view.counter);
  if (wanted.split(',').some((each) => each.trim() === etag || each.trim() === '*')) return;
  throw new ApiProblem('version-mismatch', { version: view.announced });
}

const editsOf = (view: ActorView): number => {
  const { edits } = view.context as { readonly edits?: number };
  return edits ?? 0;
};

/** A new person record with another name on the card; the old one stays what it was. */
export async function renamed(
  request: FastifyRequest,
  parts: Parts,
  view: ActorView,
  embossedName: { readonly line1: string; readonly line2?: string } | undefined,
): Promise<{ readonly personRef?: string }> {
  if (embossedName === undefined) return {};
  const person = await parts.people.readPerson(factsOf(view.context).personRef);
  if (person === undefined) throw new ApiProblem('archived-or-erased');
  const stored = await parts.people.storePerson({ ...person, embossedName }, scopeOf(request, parts, view));
  if (stored.kind === 'other') throw new ApiProblem('idempotency-key-reused');
  return { personRef: stored.personRef };
}

/** The address goes into the vault under an id that follows from the key: a repeat finds it there (M6). */
async function placed(
  request: FastifyRequest,
  parts: Parts,
  view: ActorView,
  address: Address | undefined,
): Promise<{ readonly addressRef?: string; readonly country?: string }> {
  if (address === undefined) return {};
  const { addressRef, kind } = await parts.people.storeAddress(address, scopeOf(request, parts, view), {
    userId: factsOf(view.context).userId,
  });
  if (kind === 'other') throw new ApiProblem('idempotency-key-reused');
  return { addressRef, country: address.countryCode };
}

/** It begins with the order, whose end decides how long the record is kept. */
const scopeOf = (request: FastifyRequest, { ordering }: Parts, { actor }: ActorView): string => {
  const { subject } = principalOf(request);
  return `${actor}:${ordering.digest('change', subject, routeOf(request), idempotencyKey(request)).slice(0, 40)}`;
};

const methodOf = ({ method, pickupPointId }: { readonly method?: string; readonly pickupPointId?: string }) => ({
  ...(method === undefined ? {} : { method }),
  ...(pickupPointId === undefined ? {} : { pickupPointId }),
});

// --- Wishes: which event says them depends on the phase ---

function registerWishes(plain: FastifyInstance, parts: Parts): void {
  const app = plain.withTypeProvider<Typed>();
  app.put(
    '/api/v1/orders/:id/delivery/address',
    { config: { allow }, schema: { params: path, body: addressChange, response: answered } },
    async (request, reply) => {
      const view = await begun(request, parts);
      const place = await placed(request, parts, view, request.body.address);
      const by = principalOf(request).subject;
      const type = isIn(view, 'screening') ? 'ADDRESS_CORRECTED' : isIn(view, 'approved') ? 'EDIT' : 'CHANGE_ADDRESS';
      return told(reply, await say(request, parts, view, { type, by, ...place }));
    },
  );

  app.put(
    '/api/v1/orders/:id/delivery/method',
    { config: { allow }, schema: { params: path, body: methodChange, response: answered } },
    async (request, reply) => {
      const view = await begun(request, parts);
      const place = await placed(request, parts, view, request.body.address);
      const by = principalOf(request).subject;
      const type = isIn(view, 'approved') ? 'EDIT' : 'CHANGE_METHOD';
      return told(reply, await say(request, parts, view, { type, by, ...methodOf(request.body), ...place }));
    },
  );

  app.post(
    '/api/v1/orders/:id/delivery/redeliveries',
    { config: { allow }, schema: { params: path, body: redelivery, response: answered } },
    async (request, reply) => {
      const view = await begun(request, parts);
      const place = await placed(request, parts, view, request.body.address);
      const type = isIn(view, 'returned') ? 'REDELIVER' : 'RETRY_DELIVERY';
      const by = principalOf(request).subject;
      return told(reply, await say(request, parts, view, { type, by, ...(type === 'REDELIVER' ? place : {}) }));
    },
  );

  app.post(
    '/api/v1/orders/:id/offer-decisions',
    { config: { allow: ['customer'] }, schema: { params: path, body: offerDecision, response: answered } },
    async (request, reply) => {
      const type = request.body.decision === 'accept' ? 'OFFER_ACCEPTED' : 'OFFER_DECLINED';
      return told(reply, await saySimply(request, parts, type));
    },
  );

  for (const [route, type] of plainWishes)
    app.post(
      `/api/v1/orders/:id/${route}`,
      { config: { allow }, schema: { params: path, response: answered } },
      async (request, reply) => told(reply, await saySimply(request, parts, type)),
    );

  app.delete(
    '/api/v1/orders/:id',
    { config: { allow: ['customer'] }, schema: { params: path } },
    async (request, reply) => {
      await saySimply(request, parts, 'DISCARD');
      return reply.code(204).send();
    },
  );
}

/** Routes without a body, each one event. */
const plainWishes = [
  ['submissions', 'SUBMIT'],
  ['identity-resubmissions', 'KYC_RESUBMITTED'],
  ['edit-waivers', 'EDIT_WAIVED'],
  ['delivery/storage-extension', 'EXTEND_STORAGE'],
] as const;

// --- Common ---

/** The caller's order, after the key was looked at: what has no key is refused before anything is read. */
async function begun(request: FastifyRequest, parts: Parts): Promise<ActorView> {
  idempotencyKey(request);
  const { id } = request.params as { id: string }; // Every route here names it so.
  return await ownOrder(request, parts.ordering, id);
}

const isIn = (view: ActorView, phase: string): boolean =>
  view.states.some((state) => state.startsWith(`fulfilment.${phase}`));

async function saySimply(request: FastifyRequest, parts: Parts, type: string): Promise<Spoken> {
  const view = await begun(request, parts);
  return say(request, parts, view, { type, by: principalOf(request).subject });
}

/** Where the order stands after what was said. */
interface Spoken {
  readonly orderId: ActorId;
  readonly version: number;
  readonly counter: number;
  readonly face: Face;
}

async function say(request: FastifyRequest, parts: Parts, { actor }: ActorView, event: Event): Promise<Spoken> {
  const body = request.body ?? {};
  const answer = await command(request, { client: parts.ordering, actor, event, body, actionsOf: customerActions });
  return { orderId: actor, version: answer.version, counter: answer.counter, face: faceOfAnswer(answer) };
}

/** D-42: said to the delivery itself; the order hears it from there. */
async function dispute(request: FastifyRequest, parts: Parts, view: ActorView): Promise<Spoken> {
  const { deliveryId } = factsOf(view.context).delivery;
  const { announced: version, counter } = view;
  if (deliveryId === null) throw new ApiProblem('transition-not-allowed', { allowedActions: [], version });
  const event = { type: 'DISPUTE', by: principalOf(request).subject, reason: 'not_me' };
  await command(request, { client: parts.delivery, actor: deliveryId as ActorId, event }); // Kept by the order's chart.
  return { orderId: view.actor, version, counter, face: faceOfView(view) };
}

function told(reply: FastifyReply, { orderId, version, counter, face }: Spoken, code: 200 | 202 = 202): FastifyReply {
  return reply
    .code(code)
    .header('etag', etagOf(version, counter))
    .header('location', `/api/v1/orders/${orderId}`)
    .send({ orderId, version, status: face.status, allowedActions: [...face.allowedActions] });
}
