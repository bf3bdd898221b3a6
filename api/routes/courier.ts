// The courier surface: the stops of today, scans, the way to the door, and the proofs of a handover.
//
// A courier sees the stops he was booked for and nothing else; another's is not found. He never sees the one-time code, the
// phone, or a document: he says what was shown to him, and the api compares the code.

import { timingSafeEqual } from 'node:crypto';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import {
  arrival,
  barcodeScan,
  codeOf,
  failureReport,
  idCheck,
  nothing,
  oneTimeCode,
  type Role,
  type Stop,
  signature,
  stop,
  stopAnswer,
  stopList,
} from '../../actors/contract/dto.ts';
import { failureEvent } from '../../actors/contract/index.ts';
import { metresBetween } from '../../actors/contract/metres.ts';
import type { ActorView } from '../../runtime/client.ts';
import { actorOf } from '../auth/access.ts';
import { principalOf } from '../auth/gate.ts';
import { type Applied, command, idempotencyKey } from '../commands.ts';
import { ApiProblem, invalid, notFound } from '../errors.ts';
import type { Typed } from '../frame.ts';
import { limits } from '../limits.ts';
import type { Event, Parts } from '../parts.ts';
import { courierActions } from '../resource/actions.ts';
import { etagOf } from '../versions.ts';

const path = Type.Object({ id: Type.String({ maxLength: 100 }) });
const couriers: readonly Role[] = ['courier'];
const config = { allow: couriers };
const response = { 200: stopAnswer };
const base = '/courier/v1/stops/:id';

/** What of the delivery chart's context is used here. */
interface DeliveryFacts {
  readonly orderId: string;
  readonly envelopeId: string;
  readonly courierId: string | null;
  readonly attempt: number;
  readonly personRef: string;
  readonly addressRef: string;
  /** The address that is asked for in place of it. */
  readonly wish: { readonly addressRef: string } | null;
  readonly slot: { readonly slotId: string; readonly from: number; readonly to: number } | null;
}
const factsOf = (view: ActorView): DeliveryFacts => view.context as unknown as DeliveryFacts; // Written by the delivery chart alone.

export function registerCourier(plain: FastifyInstance, parts: Parts): void {
  const app = plain.withTypeProvider<Typed>();
  const say = sayTo(parts);
  registerHandover(plain, parts);
  registerPlaces(plain, parts);

  app.get('/courier/v1/stops', { config, schema: { response: { 200: stopList } } }, async (request) => {
    const views = await stopsOf(parts, principalOf(request).subject);
    return { data: await Promise.all(views.map((view) => shownStop(view, parts))) };
  });
  app.get(base, { config, schema: { params: path, response: { 200: stop } } }, async (request, reply) => {
    const view = await ownStop(request, parts, request.params.id);
    void reply.header('etag', etagOf(view.version, view.counter)).header('cache-control', 'private, no-store');
    return shownStop(view, parts);
  });

  app.post(`${base}/scans`, { config, schema: { params: path, body: barcodeScan, response } }, (request) =>
    say(request, request.params.id, (courierId) => ({ type: 'SCANNED', courierId, barcode: request.body.barcode })),
  );
  app.post(`${base}/departures`, { config, schema: { params: path, body: nothing, response } }, (request) =>
    say(request, request.params.id, (courierId) => ({ type: 'OUT_FOR_DELIVERY', courierId })),
  );
  app.post(`${base}/arrivals`, { config, schema: { params: path, body: arrival, response } }, async (request) => {
    const view = await ownStop(request, parts, request.params.id);
    const address = await parts.people.readAddress(factsOf(view).addressRef);
    // The place itself goes no further than this line: the chart hears how far it is.
    const distance =
      address?.geo === undefined ? {} : { distanceMetres: Math.round(metresBetween(address.geo, request.body)) };
    return say(request, request.params.id, (courierId) => ({ type: 'ARRIVED', courierId, ...distance }));
  });
}

/** The proofs, as they are given at the door or the counter. */
function registerHandover(plain: FastifyInstance, parts: Parts): void {
  const app = plain.withTypeProvider<Typed>();
  const say = sayTo(parts);

  app.post(`${base}/handover`, { config, schema: { params: path, body: nothing, response } }, (request) =>
    say(request, request.params.id, (courierId) => ({ type: 'START_HANDOVER', courierId })),
  );
  app.post(`${base}/handover/id-check`, { config, schema: { params: path, body: idCheck, response } }, (request) =>
    say(request, request.params.id, (courierId) => idEvent(request.body, courierId)),
  );
  app.post(`${base}/handover/otp`, { config, schema: { params: path, body: oneTimeCode, response } }, (request) =>
    checkCode(request, request.params.id, request.body.code, parts),
  );
  app.post(`${base}/handover/otp-resend`, { config, schema: { params: path, body: nothing, response } }, (request) =>
    say(request, request.params.id, (courierId) => ({ type: 'OTP_RESEND', courierId })),
  );
  app.post(`${base}/handover/signature`, { config, schema: { params: path, body: signature, response } }, (request) =>
    say(request, request.params.id, (courierId) => ({
      type: request.body.captured === false ? 'SIGNATURE_REFUSED' : 'SIGNATURE_CAPTURED',
      courierId,
    })),
  );
  app.post(`${base}/handover/photo`, { config, schema: { params: path, body: nothing, response } }, (request) =>
    say(request, request.params.id, (courierId) => ({ type: 'PHOTO_CAPTURED', courierId })),
  );
}

/** What is not the door: a counter, a corner, a failure, the way back. */
function registerPlaces(plain: FastifyInstance, parts: Parts): void {
  const app = plain.withTypeProvider<Typed>();
  const say = sayTo(parts);

  /** At a pickup point: whoever scans the envelope's barcode at the counter is its clerk, and asks for the proofs. D-28. */
  app.post(
    `${base}/collections`,
    { config, schema: { params: path, body: barcodeScan, response } },
    async (request) => {
      idempotencyKey(request);
      const view = await parts.delivery.read(actorOf(request.params.id, 'dlv'));
      const { barcode } = request.body;
      // Nobody learns of a delivery but who holds its envelope.
      if (view === undefined || factsOf(view).envelopeId !== barcode) throw notFound();
      const answer = await command(request, {
        client: parts.delivery,
        actor: view.actor,
        event: { type: 'COLLECT', courierId: principalOf(request).subject, barcode },
        actionsOf: courierActions,
      });
      return shownAnswer(view, answer);
    },
  );
  /** Another address around the corner, asked for on the last mile: the courier goes there, or does not. D-33. */
  app.post(`${base}/reroute`, { config, schema: { params: path, body: rerouteAnswer, response } }, (request) =>
    say(request, request.params.id, (courierId) => ({
      type: request.body.accepted ? 'REROUTE_ACCEPTED' : 'REROUTE_DECLINED',
      courierId,
    })),
  );

  app.post(`${base}/failures`, { config, schema: { params: path, body: failureReport, response } }, (request) =>
    say(request, request.params.id, (courierId) => {
      const event = failureEvent(request.body.reason, courierId);
      if (event === undefined) throw invalid('/reason', 'not-for-couriers');
      return event as unknown as Event; // An event of the contract.
    }),
  );
  app.post(`${base}/returns/receipt`, { config, schema: { params: path, body: returnReceipt, response } }, (request) =>
    say(request, request.params.id, (courierId) => ({
      type: 'RECEIVED',
      by: courierId,
      barcode: request.body.barcode,
      seal: request.body.seal ?? 'intact',
    })),
  );
}

const returnReceipt = Type.Object(
  {
    barcode: barcodeScan.properties.barcode,
    seal: Type.Optional(Type.Unsafe<'intact' | 'broken'>({ type: 'string', enum: ['intact', 'broken'] })),
  },
  { additionalProperties: false },
);

const rerouteAnswer = Type.Object({ accepted: Type.Boolean() }, { additionalProperties: false });

/** Sends a courier's event to the delivery he was booked for. */
function sayTo(parts: Parts) {
  return async (request: FastifyRequest, id: string, eventOf: (courierId: string) => Event) => {
    idempotencyKey(request);
    const view = await ownStop(request, parts, id);
    const event = eventOf(principalOf(request).subject);
    const answer = await command(request, {
      client: parts.delivery,
      actor: view.actor,
      event,
      actionsOf: courierActions,
    });
    return shownAnswer(view, answer);
  };
}

/**
 * D-18, D-19: computes the code of the running attempt, compares in constant time, and tells the chart the verdict alone.
 * A wrong code is answered 422 with the tries that are left; the last one fails the attempt (423). The answer is read from
 * what the chart made of it, so that a repeat is answered as the first was, also when the next attempt has another code.
 */
async function checkCode(request: FastifyRequest, id: string, given: string, parts: Parts) {
  idempotencyKey(request);
  const view = await ownStop(request, parts, id);
  const { attempt } = factsOf(view);
  const expected = codeOf(parts.delivery.digest('otp', view.actor, String(attempt)));
  const ok = timingSafeEqual(Buffer.from(expected), Buffer.from(given));
  const event = { type: 'OTP_CHECKED', courierId: principalOf(request).subject, ok, attempt };
  const answer = await command(request, {
    client: parts.delivery,
    actor: view.actor,
    event,
    actionsOf: courierActions,
  });

  const states = statesOf(answer) ?? [];
  if (states.includes('transport.handover.otp.verified') || states.includes('transport.delivered'))
    return shownAnswer(view, answer);
  const { version } = answer;
  if (states.some((state) => /^transport\.handover\.otp\.(sent|unsent)$/.test(state)))
    throw new ApiProblem('otp-invalid', { version, ...triesLeftOf(answer) });
  throw new ApiProblem('otp-locked', { version, triesLeft: 0 });
}

function triesLeftOf({ data }: Applied): { readonly triesLeft?: number } {
  const triesLeft = (data as { readonly triesLeft?: unknown } | undefined)?.triesLeft;
  return typeof triesLeft === 'number' ? { triesLeft } : {};
}

function idEvent({ match, reason }: { readonly match: boolean; readonly reason?: string }, courierId: string): Event {
  if (match) return { type: 'ID_SCANNED', courierId };
  return reason === 'expired'
    ? { type: 'ID_EXPIRED', courierId }
    : { type: 'ID_MISMATCH', courierId, reason: reason ?? 'courier' };
}

// --- Stops ---

/** Leaf states in which a courier has something to do. */
const WORK = /^transport\.(assigning\.assigned|pickup\.|pickupPoint\.collecting|lastMile|handover|returning)/;

/** A courier's deliveries, by the state index: bounded, and one read per delivery that is anybody's stop. */
async function stopsOf({ delivery }: Parts, courierId: string): Promise<readonly ActorView[]> {
  const leaves = [...(await delivery.population('delivery')).keys()].filter((leaf) => WORK.test(leaf));
  const listed = await Promise.all(leaves.map((leaf) => delivery.inState('delivery', leaf, limits.stopsMax)));
  const actors = [...new Set(listed.flat().map(({ actor }) => actor))].slice(0, limits.stopsMax);
  const views = await delivery.readMany(actors);
  return views.filter((view): view is ActorView => view !== undefined && factsOf(view).courierId === courierId);
}

async function ownStop(request: FastifyRequest, parts: Parts, id: string): Promise<ActorView> {
  const view = await parts.delivery.read(actorOf(id, 'dlv'));
  if (view === undefined || factsOf(view).courierId !== principalOf(request).subject) throw notFound();
  return view;
}

async function shownStop(view: ActorView, parts: Parts): Promise<Stop> {
  const { orderId, attempt, addressRef, personRef, slot, wish } = factsOf(view);
  const isAsked = wish !== null && wish !== undefined && view.states.includes('route.askingCourier');
  const [person, address, proposed] = await Promise.all([
    parts.people.readPerson(personRef),
    parts.people.readAddress(addressRef),
    isAsked ? parts.people.readAddress(wish.addressRef) : undefined,
  ]);
  const name = person?.recipient?.name ?? [person?.givenName, person?.familyName].filter(Boolean).join(' ');
  return {
    deliveryId: view.actor,
    orderId,
    version: view.version,
    status: statusOf(view.states),
    attempt,
    ...(name === '' ? {} : { recipient: { name } }),
    ...(address === undefined ? {} : { address: address as NonNullable<Stop['address']> }),
    ...(proposed === undefined ? {} : { proposedAddress: proposed as NonNullable<Stop['address']> }),
    ...(slot === null
      ? {}
      : {
          appointment: {
            slotId: slot.slotId,
            from: new Date(slot.from).toISOString(),
            to: new Date(slot.to).toISOString(),
          },
        }),
    allowedActions: actionsIn(view.states),
  };
}

const shownAnswer = (view: ActorView, answer: Applied) => ({
  deliveryId: view.actor,
  version: answer.version,
  status: statusOf(statesOf(answer) ?? view.states),
  allowedActions: actionsIn(statesOf(answer) ?? []),
});

/** States in the answer's data, where the host gives them. */
function statesOf(answer: Applied): readonly string[] | undefined {
  const { data } = answer;
  const states =
    data !== null && typeof data === 'object' && !Array.isArray(data)
      ? (data as { states?: unknown }).states
      : undefined;
  return Array.isArray(states) && states.every((each) => typeof each === 'string') ? states : undefined;
}

/** `transport.lastMile.arrived` as `lastMile.arrived`; a handover is one word, whatever proofs are missing. */
function statusOf(states: readonly string[]): string {
  const leaf = states.find((each) => each.startsWith('transport.'))?.slice('transport.'.length) ?? 'unknown';
  return leaf.startsWith('handover') ? 'handover' : leaf;
}

const nextActions: readonly (readonly [state: RegExp, actions: readonly string[]])[] = [
  [/^transport\.(assigning\.assigned|pickup\.courierArrived)/, ['scan']],
  [/^transport\.pickup\.scanned/, ['depart']],
  [/^transport\.lastMile\.outForDelivery/, ['arrive', 'report_failure']],
  [/^transport\.lastMile\.arrived/, ['start_handover', 'report_failure']],
  [/^transport\.handover\.idCheck\.pending/, ['check_id', 'report_failure']],
  [/^transport\.pickupPoint\.collecting/, ['start_handover']],
  [/^transport\.handover\.otp\.(sent|unsent)/, ['check_code', 'resend_code', 'report_failure']],
  [/^transport\.handover\.otp\.expired/, ['resend_code', 'report_failure']],
  [/^route\.askingCourier/, ['answer_reroute']],
  [/^transport\.handover\.signature\.pending/, ['capture_signature', 'report_failure']],
  [/^transport\.handover\.photo\.pending/, ['capture_photo', 'report_failure']],
  [/^transport\.returning/, ['receive_return']],
];

/** What the courier's screen offers; the chart decides what it takes. */
const actionsIn = (states: readonly string[]): string[] => [
  ...new Set(nextActions.flatMap(([pattern, actions]) => (states.some((state) => pattern.test(state)) ? actions : []))),
];
