// Callbacks of the partners. Each is signed with its partner's secret, has an id, and is told in the end that it is settled.
//
// What they say is put into our words by actors/partners/callbacks. The partner's id is the message id: a callback that comes
// twice is one message (M1). 200 means that nothing more is to be sent; 404 that there is no such order; 409 that the order is not
// there yet, or past it; 400 that the form is wrong or a file broken; 503 that it must come again.

import type { FastifyInstance, FastifyRequest } from 'fastify';
import {
  applicantWebhook,
  bureauFile,
  type CarrierEvent,
  callbackAnswer,
  carrierEventOf,
  hubScan,
} from '../../actors/contract/callbacks.ts';
import { carriers } from '../../actors/contract/index.ts';
import {
  readFile,
  type Told as Telling,
  toldByBureau,
  toldByCarrier,
  toldByHub,
  toldByKyc,
} from '../../actors/partners/callbacks/index.ts';
import { secretOf, verify } from '../../actors/partners/signature.ts';
import type { AskOutcome, Client } from '../../runtime/client.ts';
import { actorOf } from '../auth/access.ts';
import { traceOf } from '../commands.ts';
import { ApiProblem, invalid, notFound } from '../errors.ts';
import type { Typed } from '../frame.ts';
import { limits } from '../limits.ts';
import type { ActorId, Answer, Event, Parts } from '../parts.ts';

export function registerPartners(plain: FastifyInstance, parts: Parts): void {
  takeFiles(plain);
  const app = plain.withTypeProvider<Typed>();
  const response = { 200: callbackAnswer };
  const tell = (request: FastifyRequest, telling: Telling): Promise<Told> => toldOne(request, parts, telling);
  /** No token: the signature is the proof. It is checked before the body is looked at, with the secrets of this partner. */
  const from = (partner: string) => {
    const secrets = secretsOf(parts, partner);
    return {
      config: { allow: 'open' } as const,
      preValidation: async (request: FastifyRequest) => checkSignature(request, secrets, parts.ticker.now()),
    };
  };

  app.post('/partner/kyc/v1/webhooks', { ...from('kyc'), schema: { body: applicantWebhook, response } }, (request) =>
    tell(request, toldByKyc(request.body, idOf(request))),
  );

  app.post('/partner/hub/v1/scans', { ...from('hub'), schema: { body: hubScan, response } }, (request) =>
    tell(request, toldByHub(request.body, idOf(request))),
  );

  app.post('/partner/bureau/v1/files', { ...from('bureau'), schema: { body: bureauFile, response } }, (request) => {
    const told = toldByBureau(request.body, idOf(request));
    if (told === 'broken') throw invalid('/trailer', 'checksum');
    return toldAll(told.map((telling) => () => tell(request, telling)));
  });

  for (const carrier of carriers) {
    const path = `/partner/carrier/v1/${carrier.code}/tracking-events`;
    app.post(path, { ...from(carrier.code), schema: { body: carrierEventOf(carrier), response } }, (request) =>
      tell(request, toldByCarrier(carrier, request.body as CarrierEvent)),
    );
  }
}

/** Files come as text and are taken apart here; whether the trailer is right is judged after the signature. */
function takeFiles(app: FastifyInstance): void {
  app.addContentTypeParser('text/plain', { parseAs: 'string' }, (request, text, done) => {
    request.rawBody = String(text);
    const file = readFile(request.rawBody);
    if (typeof file === 'string') return done(invalid('/', 'file'));
    done(null, file);
  });
}

const secretsOf = ({ callbackSecret, callbackSecretBefore }: Parts, partner: string): readonly string[] =>
  [callbackSecret, callbackSecretBefore].flatMap((shared) => (shared === undefined ? [] : [secretOf(shared, partner)]));

function checkSignature(request: FastifyRequest, secrets: readonly string[], now: number): void {
  const verdict = verify(secrets, { headers: request.headers, body: request.rawBody ?? '' }, now);
  if (verdict.kind === 'valid') return;
  request.log.warn({ reason: verdict.reason }, 'callback signature refused');
  throw new ApiProblem('unauthenticated');
}

const idOf = ({ headers }: FastifyRequest): string => String(headers['webhook-id']); // Checked with the signature.

interface Callback {
  readonly id: string;
  readonly from: string;
  readonly actor: ActorId;
  readonly event: Event;
}

type Refused = Extract<Answer, { kind: 'refused' }>;
type Told = { readonly result: 'accepted' | 'duplicate' | 'ignored' };

async function toldOne(
  request: FastifyRequest,
  parts: Parts,
  { partner, id, strange, ...telling }: Telling,
): Promise<Told> {
  if (strange !== undefined) request.log.warn({ partner, word: strange }, 'a word of a partner that we do not know');
  if (telling.event === undefined) return { result: 'ignored' }; // Asking again would not change that.
  const event = telling.event as unknown as Event; // A contract message is an event of JSON fields.
  const actor = actorOf(telling.actor, telling.context === 'ordering' ? 'ord' : 'dlv');
  return told(request, parts[telling.context], { id: `${partner}.${id}`, from: `partner:${partner}`, actor, event });
}

/** A file's records, one after another. Those that have to come again do so with the whole file: the others are duplicates then. */
async function toldAll(tellings: readonly (() => Promise<Told>)[]): Promise<Told & { readonly records?: number }> {
  const results = new Set<Told['result']>();
  let again: unknown;
  for (const one of tellings) {
    try {
      results.add((await one()).result);
    } catch (error) {
      again ??= error;
    }
  }
  if (again !== undefined) throw again;
  const result = (['accepted', 'duplicate'] as const).find((word) => results.has(word)) ?? 'ignored';
  return tellings.length === 0 ? { result } : { result, records: tellings.length };
}

async function told(request: FastifyRequest, client: Client, callback: Callback): Promise<Told> {
  const { actor, event, from, id } = callback;
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
      throw new ApiProblem('idempotency-key-reused', { errors: [{ pointer: '/webhook-id', code: 'reused' }] });
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
