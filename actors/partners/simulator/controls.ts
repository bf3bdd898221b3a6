// The controls: what a scenario, a demo or an operator of the simulator may wish for. Everything here is of the test environment.
//
//   GET, PUT  /control/faults                 all faults; PUT changes those named
//   PUT       /control/profile {name}         a day by name: calm, bad-day. Seed, outcomes and overrides stay
//   PUT       /control/subjects/{id}          outcome rates of one order, delivery or product; null takes them away
//   POST      /control/next-failure           {effect, subject?, how, times?}: the next calls fail so
//   POST      /control/kyc/verdict            {orderId, verdict}
//   POST      /control/bureau/stage           {jobId, stage}
//   POST      /control/hub/scan               {deliveryId, barcode}
//   POST      /control/shipments/advance      {deliveryId, to, reason?}
//   GET       /control/callbacks?subject=     what is pending of an order or delivery
//   POST      /control/callbacks/hold         {subject};  …/release {subject} or {eventId}
//   POST      /control/reset                  the book is put aside

import type { TSchema } from 'typebox';
import { Type } from 'typebox';
import { Compile } from 'typebox/compile';
import type { Clock } from '../../../runtime/clock.ts';
import type { JsonObject } from '../../../runtime/json.ts';
import { closed, id, oneOf, word } from '../../contract/schema.ts';
import type { Book, SetRow } from './book.ts';
import { type JobStage, stageNow } from './bureau.ts';
import { type Happening, happenings } from './carrier-words.ts';
import { happensNow } from './carriers.ts';
import { type DeskReply, problem } from './desk.ts';
import { attemptWords, calm, changed, type Faults, overridden, profiles, type Wrong } from './faults.ts';
import { scanNow } from './hub.ts';
import { type Verdict, verdictNow, verdicts } from './kyc.ts';
import { NextFailure, type NextFailures } from './next-failures.ts';
import { pendingOf, type Step, wished } from './operation.ts';
import type { PartnerTime } from './partner-time.ts';
import type { Teller } from './teller.ts';

export interface ControlsDeps {
  /** The partners' own (partner-time.ts). */
  readonly clock: Clock;
  readonly time: PartnerTime;
  readonly book: Book;
  readonly teller: Teller;
  readonly failures: NextFailures;
  readonly faults: { get(): Faults; set(faults: Faults): void };
}

type Verb = (body: never, deps: ControlsDeps) => DeskReply;
interface Control {
  readonly check: ReturnType<typeof Compile>;
  readonly act: Verb;
}

const control = <S extends TSchema, B>(schema: S, act: (body: B, deps: ControlsDeps) => DeskReply): Control => ({
  check: Compile(schema),
  act: act as Verb, // The body is checked against `schema` before.
});

/** Answers a request to `/control/…`; undefined for what is none. */
export function controlled(method: string, url: URL, body: unknown, deps: ControlsDeps): DeskReply | undefined {
  const { pathname } = url;
  if (method === 'GET') return shown(url, deps);
  if (method === 'PUT' && pathname === '/control/faults') return faultsSet(changed(deps.faults.get(), body), deps);
  const subject = /^\/control\/subjects\/([A-Za-z0-9_.-]{1,100})$/.exec(pathname)?.[1];
  if (method === 'PUT' && subject !== undefined)
    return faultsSet(overridden(deps.faults.get(), subject, body), deps, { subject, rates: body as JsonObject | null });
  const verb = verbs[`${method} ${pathname}`];
  if (verb === undefined) return undefined;
  if (verb.check.Check(body)) return verb.act(body as never, deps);
  const first = [...verb.check.Errors(body)].map(({ instancePath, message }) => `${instancePath || '/'}: ${message}`);
  return problem(400, 'malformed_request', first.join('; '));
}

function shown(url: URL, { faults, book, time }: ControlsDeps): DeskReply | undefined {
  if (url.pathname === '/control/faults') return ok(faults.get() as unknown as JsonObject); // JSON by its schema.
  if (url.pathname === '/control/time') return ok({ travelledMs: time.travelledMs });
  if (url.pathname !== '/control/callbacks') return undefined;
  const subject = url.searchParams.get('subject');
  const pending: JsonObject[] = [];
  for (const { callback, state } of book.callbacks()) {
    if (state !== 'pending' || (subject !== null && subject !== callback.subject)) continue;
    const { eventId, act, from, dueAt } = callback;
    pending.push({ eventId, act, subject: callback.subject, from, dueAt });
  }
  return ok({ pending: pending.slice(0, CALLBACKS_SHOWN_MAX) });
}
const CALLBACKS_SHOWN_MAX = 1_000;

function faultsSet(next: Faults | Wrong, { faults }: ControlsDeps, answer?: JsonObject): DeskReply {
  if ('wrong' in next) return problem(400, 'malformed_faults', next.wrong.join('; '));
  faults.set(next);
  return ok(answer ?? (next as unknown as JsonObject)); // JSON by its schema.
}

const verbs: { readonly [route: string]: Control } = {
  'PUT /control/profile': control(
    closed({ name: oneOf(...Object.keys(profiles)) }),
    ({ name }: { name: string }, deps) => faultsSet({ ...deps.faults.get(), ...profiles[name] }, deps),
  ),
  'POST /control/time': control(
    closed({ travelledMs: Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }) }),
    ({ travelledMs }: { travelledMs: number }, { time, teller }) => {
      if (time.travelTo(travelledMs)) teller.hasten();
      return ok({ travelledMs: time.travelledMs });
    },
  ),
  'POST /control/next-failure': control(NextFailure, (wish: NextFailure, { failures }) =>
    failures.wish(wish) ? ok({ wished: true }) : problem(429, 'too_many_wishes'),
  ),
  'POST /control/kyc/verdict': control(
    closed({ orderId: id, verdict: oneOf(...verdicts) }),
    ({ orderId, verdict }: { orderId: string; verdict: Verdict }, deps) =>
      toldNow(deps, orderId, verdictNow(orderId, verdict, worldOf(deps)), 'no applicant of this order is known'),
  ),
  'POST /control/bureau/stage': control(
    closed({ jobId: id, stage: oneOf('acknowledged', 'rejected', 'printing', 'spoiled', 'printed') }),
    ({ jobId, stage }: { jobId: string; stage: JobStage }, deps) => {
      const now = stageNow(jobId, stage, worldOf(deps));
      return toldNow(deps, now?.orderId ?? jobId, now, 'no such job is known');
    },
  ),
  'POST /control/hub/scan': control(
    closed({ deliveryId: id, barcode: word }),
    ({ deliveryId, barcode }: { deliveryId: string; barcode: string }, deps) =>
      toldNow(deps, deliveryId, scanNow(deliveryId, barcode, worldOf(deps)), 'no envelope is expected'),
  ),
  'POST /control/shipments/advance': control(
    closed({ deliveryId: id, to: oneOf(...happenings), reason: Type.Optional(oneOf(...attemptWords)) }),
    ({ deliveryId, to, reason }: { deliveryId: string; to: Happening; reason?: string }, deps) => {
      const now = happensNow(deliveryId, to, reason, worldOf(deps));
      if (typeof now === 'string') return problem(422, 'no_such_word', now);
      return toldNow(deps, deliveryId, now, 'no booking of this delivery is known', false);
    },
  ),
  'POST /control/callbacks/hold': control(closed({ subject: id }), ({ subject }: { subject: string }, { teller }) => {
    teller.hold(subject);
    return ok({ held: subject });
  }),
  'POST /control/callbacks/release': control(
    Type.Union([closed({ subject: id }), closed({ eventId: id })]),
    (which: { subject?: string; eventId?: string }, { teller }) => {
      if (which.subject !== undefined) return ok({ released: teller.release(which.subject) });
      return teller.now(which.eventId ?? '') ? ok({ released: 1 }) : problem(404, 'not_pending', which.eventId);
    },
  ),
  'POST /control/reset': control(Type.Unknown(), (_body, { book, clock, teller, failures, faults }) => {
    book.reset(String(clock.wall()));
    failures.clear();
    faults.set({ ...faults.get(), overrides: calm.overrides });
    teller.open();
    return ok({ reset: true });
  }),
};

interface Now {
  readonly act: string;
  readonly step: Step;
  readonly sets?: readonly SetRow[];
}

/** Writes the wish into the book and tells it at once. It takes the place of what its act had still to tell, unless it adds to it. */
function toldNow(deps: ControlsDeps, subject: string, now: Now | undefined, why: string, replaces = true): DeskReply {
  const { book, clock, teller } = deps;
  if (now === undefined) return problem(404, 'unknown_subject', why);
  const callback = wished(now.act, subject, now.step, clock.nonce(8));
  const withdraw = replaces ? pendingOf(book, now.act) : [];
  const sets = now.sets === undefined ? {} : { sets: now.sets };
  book.append({ kind: 'wish', at: clock.wall(), callbacks: [callback], withdraw, ...sets });
  for (const eventId of withdraw) teller.drop(eventId);
  teller.take(callback);
  return ok({ eventId: callback.eventId });
}

const worldOf = ({ book, clock }: ControlsDeps) => ({ book, now: clock.wall() });
export const ok = (body: object): DeskReply => ({ status: 200, body: body as JsonObject }); // Answers are built from JSON values.
