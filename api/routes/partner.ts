// Callbacks of the partners. Each is signed, carries an id of its own, and is told in the end that it is settled.
//
// The partner's event id is the message id: a callback that comes twice is one message (M1). 200 means that nothing more is to
// be sent; 404 that there is no such order; 409 that the order is not there yet, or past it; 503 that it must come again.

import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import {
  type BureauStatus,
  bureauStatus,
  type CarrierEvent,
  callbackAnswer,
  carrierEvent,
  type ScreeningResult,
  screeningResult,
} from '../../actors/contract/dto.ts';
import { bureauReasons, knownWord, screeningReasons } from '../../actors/contract/index.ts';
import { verify } from '../../actors/partners/signature.ts';
import type { AskOutcome, Client } from '../../runtime/client.ts';
import { actorOf } from '../auth/access.ts';
import { traceOf } from '../commands.ts';
import { ApiProblem, invalid, notFound } from '../errors.ts';
import type { Typed } from '../frame.ts';
import { limits } from '../limits.ts';
import type { ActorId, Answer, Event, Parts } from '../parts.ts';

export function registerPartners(plain: FastifyInstance, parts: Parts): void {
  const app = plain.withTypeProvider<Typed>();
  const { ordering, delivery } = parts;
  app.addHook('preValidation', async (request) => checkSignature(request, parts));

  const open = { config: { allow: 'open' } } as const; // No token: the signature is the proof, checked above.
  const response = { 200: callbackAnswer };

  app.post('/partner/screening/v1/results', { ...open, schema: { body: screeningResult, response } }, (request) =>
    told(request, ordering, {
      id: request.body.eventId,
      from: 'partner:kyc',
      actor: actorOf(request.body.orderId, 'ord'),
      event: screeningEvent(request.body),
    }),
  );

  const job = Type.Object({ orderId: Type.String({ maxLength: 100 }) });
  app.post(
    '/partner/bureau/v1/jobs/:orderId/status',
    { ...open, schema: { params: job, body: bureauStatus, response } },
    (request) =>
      told(request, ordering, {
        id: request.body.eventId,
        from: 'partner:bureau',
        actor: actorOf(request.params.orderId, 'ord'),
        event: bureauEvent(request.body),
      }),
  );

  app.post('/partner/carrier/v1/tracking-events', { ...open, schema: { body: carrierEvent, response } }, (request) =>
    told(request, delivery, {
      id: request.body.eventId,
      from: 'partner:carrier',
      actor: actorOf(request.body.deliveryId, 'dlv'),
      event: trackingEvent(request.body),
    }),
  );
}

function checkSignature(request: FastifyRequest, parts: Parts): void {
  if (request.method !== 'POST') return;
  const header = request.headers['emboss-signature'];
  const received = { header: typeof header === 'string' ? header : undefined, body: request.rawBody ?? '' };
  const verdict = verify(parts.callbackSecret, received, parts.ticker.now());
  if (verdict.kind === 'valid') return;
  request.log.warn({ reason: verdict.reason }, 'callback signature refused');
  throw new ApiProblem('unauthenticated');
}

interface Callback {
  readonly id: string;
  readonly from: string;
  readonly actor: ActorId;
  readonly event: Event | undefined;
}

type Refused = Extract<Answer, { kind: 'refused' }>;
type Told = { readonly result: 'accepted' | 'duplicate' | 'ignored' };

async function told(request: FastifyRequest, client: Client, callback: Callback): Promise<Told> {
  const { actor, event, from, id } = callback;
  if (event === undefined) return { result: 'ignored' }; // A word that means nothing to us; asking again would not change that.

  const say = (messageId: string): Promise<AskOutcome> =>
    client.ask({ actor, event, messageId, from, ...traceOf(request) }, { timeoutMs: limits.callbackAnswerMs });
  const outcome = await say(`p.${id}`);
  switch (outcome.kind) {
    case 'answered': {
      const { answer, replayed } = outcome;
      if (answer.kind !== 'refused') {
        request.replayed = replayed;
        return { result: replayed ? 'duplicate' : 'accepted' };
      }
      // Refused before, and here again: the order may have come since, so a kept `unknown-actor` is looked after below.
      if (answer.reason === 'unknown-actor' && !replayed) throw notFound();
      return await toldAgain(client, callback, answer, say);
    }
    case 'running': // The first telling lies in the inbox and will be taken.
      return { result: 'duplicate' };
    case 'unknown': // Perhaps it lies there, perhaps not: it has to come again, under the same id.
      throw new ApiProblem('overloaded', { retryAfterMs: limits.retryAfterRunningMs });
    case 'key-reused':
      throw new ApiProblem('idempotency-key-reused', { errors: [{ pointer: '/eventId', code: 'reused' }] });
    case 'rejected':
      throw new ApiProblem('overloaded', { retryAfterMs: Math.max(outcome.retryAfterMs, limits.retryAfterRunningMs) });
  }
}

/**
 * A refused callback may have come too early: it overtook another one, or the answer to our own call. It is tried once more at
 * each later state of the order, under an id made from that state's version, until it was applied once or the order has ended.
 * The partner is asked to come again meanwhile (409) and gives up by its own policy when it came too late.
 */
async function toldAgain(
  client: Client,
  { actor, id }: Callback,
  refused: Refused,
  say: (messageId: string) => Promise<AskOutcome>,
): Promise<Told> {
  const view = await client.read(actor);
  if (view === undefined && refused.reason === 'unknown-actor') throw notFound();
  if (view === undefined || view.status !== 'active') return { result: 'ignored' };
  const history = await client.history(actor, { limit: 1_000 });
  const ours = (messageId: string | undefined): boolean => messageId?.startsWith(`p.${id}@`) === true;
  if (history.some((entry) => entry.kind === 'moved' && ours(entry.messageId))) return { result: 'duplicate' };
  if (view.version > refused.version) {
    const outcome = await say(`p.${id}@${view.version}`);
    if (outcome.kind === 'answered' && outcome.answer.kind !== 'refused') return { result: 'accepted' };
  }
  throw new ApiProblem('transition-not-allowed', { retryAfterMs: limits.retryAfterRunningMs });
}

function screeningEvent({ outcome, attempt, reason, risk }: ScreeningResult): Event {
  const tried = attempt === undefined ? {} : { attempt };
  switch (outcome) {
    case 'in_review':
      return { type: 'KYC_IN_REVIEW', ...tried };
    case 'approved':
      return {
        type: 'KYC_APPROVED',
        ...tried,
        ...(risk === undefined ? {} : { risk }),
        ...(reason === 'name_mismatch' ? { nameMatch: false } : {}),
      };
    case 'rejected':
      return { type: 'KYC_REJECTED', ...tried, reason: knownWord(screeningReasons, reason ?? 'rejected') };
    case 'resubmission_requested':
      return { type: 'KYC_RESUBMIT', ...tried, reason: knownWord(screeningReasons, reason ?? 'documents') };
    case 'expired':
      return { type: 'KYC_EXPIRED', ...tried };
  }
}

function bureauEvent({ jobId, status, envelopeId, reason, fixable }: BureauStatus): Event {
  switch (status) {
    case 'acknowledged':
      return { type: 'BUREAU_ACK', jobId };
    case 'rejected':
      return {
        type: 'BUREAU_REJECTED',
        jobId,
        reason: knownWord(bureauReasons, reason ?? 'rejected'),
        fixable: fixable ?? true,
      };
    case 'printing':
      return { type: 'PRINT_STARTED', jobId };
    case 'spoiled':
      return { type: 'PRINT_SPOILED', jobId, reason: knownWord(bureauReasons, reason ?? 'spoiled') };
    case 'printed':
      if (envelopeId === undefined) throw invalid('/envelopeId', 'required');
      return { type: 'PRINTED', jobId, envelopeId };
  }
}

const plainCodes: { readonly [code: string]: string } = {
  courier_arrived: 'COURIER_ARRIVED',
  lost_reported: 'LOST_REPORTED',
  found: 'FOUND',
  lost_confirmed: 'LOST_CONFIRMED',
  stolen_reported: 'STOLEN_REPORTED',
  damaged: 'DAMAGED',
};

function trackingEvent({ code, data = {} }: CarrierEvent): Event | undefined {
  const seq = typeof data.seq === 'number' ? { seq: data.seq } : {};
  switch (code) {
    case 'envelope_ready':
      return { type: 'ENVELOPE_READY', envelopeId: word(data.envelopeId, '/data/envelopeId') };
    case 'courier_found':
      return { type: 'COURIER_FOUND', courierId: word(data.courierId, '/data/courierId'), ...seq };
    case 'courier_not_found':
      return { type: 'COURIER_NOT_FOUND', ...seq };
    default: {
      const type = plainCodes[code];
      return type === undefined ? undefined : { type };
    }
  }
}

function word(value: unknown, pointer: string): string {
  if (typeof value === 'string' && /^[A-Za-z0-9_.:-]{1,80}$/.test(value)) return value;
  throw invalid(pointer, value === undefined ? 'required' : 'pattern');
}
