// The desk every call to a partner passes: keys, faults, the act, the answer.
//
//   - One idempotency key, one answer: a repeat gets the stored one, another body under it is refused.
//   - One business key, one act: under another idempotency key the first act's answer comes back.
//   - Latency lies before the act, so a second call meets a first one in progress (409); nothing lies between the act and
//     the line in the book that tells of it.
//   - A lost, broken or garbled reply is an act whose answer nobody can use.

import { createHash } from 'node:crypto';
import { Compile, type Validator } from 'typebox/compile';
import { type Clock, pause } from '../../../runtime/clock.ts';
import { canonical, type JsonObject } from '../../../runtime/json.ts';
import { type EffectName, effects } from '../../contract/index.ts';
import { readFile } from '../batch-file.ts';
import type { Book, Callback, CallLine, StoredAnswer } from './book.ts';
import { draw, drawBetween, type Faults, lineTo } from './faults.ts';
import type { NextFailures, Spoilt } from './next-failures.ts';
import {
  type Ask,
  type Done,
  type Operation,
  type PhoneMessage,
  retold,
  type Traces,
  type World,
} from './operation.ts';

export interface DeskReply {
  readonly status: number;
  readonly body: JsonObject | string;
  readonly headers?: { readonly [name: string]: string };
  /** The reply must not leave whole: the connection breaks before it, or in the middle, or noise comes instead. */
  readonly spoilt?: Spoilt;
}

export interface DeskDeps {
  readonly clock: Clock;
  readonly timeScale: number;
  readonly book: Book;
  readonly faults: () => Faults;
  readonly failures: NextFailures;
  readonly onMessage: (recipients: readonly string[], message: PhoneMessage) => void;
  /** Callbacks were planned, or withdrawn, in the book. */
  readonly onPlanned: (callback: Callback) => void;
  readonly onWithdrawn: (eventId: string) => void;
}

interface Call {
  readonly operation: Operation;
  readonly key: string;
  readonly businessKey: string;
  readonly body: JsonObject;
  readonly digest: string;
  readonly subject: string;
  readonly doors: readonly string[];
}

interface Check {
  readonly operation: Operation;
  readonly body: Validator;
  /** By these names the line to the partner can be made worse. */
  readonly doors: readonly string[];
}

const LIMITED_FOR_S = '1';

export class Desk {
  readonly #deps: DeskDeps;
  readonly #checks: ReadonlyMap<string, Check>;
  readonly #running = new Set<string>();

  constructor(deps: DeskDeps, operations: readonly Operation[]) {
    this.#deps = deps;
    this.#checks = new Map(
      operations.map((operation) => {
        const { partner } = effects[operation.effect as EffectName]; // Operations are named by the contract's effects.
        const doors = [partner, operation.path.split('/')[1] ?? ''];
        return [operation.path, { operation, body: Compile(operation.body), doors }];
      }),
    );
  }

  knows(path: string): boolean {
    return this.#checks.has(path);
  }

  /** Answers one POST. `key` is the Idempotency-Key header. Never rejects for what a caller may send. */
  async answer(path: string, key: string | undefined, text: string): Promise<DeskReply> {
    const check = this.#checks.get(path);
    if (check === undefined) return problem(404, 'unknown_operation', path);
    const { operation, doors } = check;
    const no = (status: number, code: string, detail: string): DeskReply => fault(operation, status, code, detail);
    if (key === undefined || key === '' || key.length > 200)
      return no(400, 'idempotency_key_missing', 'Idempotency-Key: 1 to 200 characters');
    const body = operation.file ? readFile(text) : parsed(text);
    if (typeof body === 'string') return no(400, 'malformed_request', body);
    if (operation.file && (body as { whole?: unknown }).whole !== true)
      return no(422, 'malformed_request', 'the trailer’s count or checksum is wrong');
    if (!check.body.Check(body)) return no(400, 'malformed_request', places(check.body.Errors(body)));

    const request = body as JsonObject; // Just checked.
    const businessKey = String(request[operation.reference]);
    const subject = operation.subject(request);
    const call: Call = { operation, key, businessKey, body: request, digest: digestOf(request), subject, doors };
    const running = [`${operation.effect}|k|${key}`, `${operation.effect}|b|${businessKey}`];
    if (running.some((name) => this.#running.has(name)))
      return fault(operation, 409, 'in_progress', 'the first call is still running', { 'retry-after': '1' });

    for (const name of running) this.#running.add(name);
    try {
      return await this.#serve(call);
    } finally {
      for (const name of running) this.#running.delete(name);
    }
  }

  async #serve(call: Call): Promise<DeskReply> {
    const { clock, book, failures } = this.#deps;
    const { operation, doors, key } = call;
    const { effect } = operation;
    const faults = this.#deps.faults();
    const line = lineTo(faults, doors);
    const attempt = (book.key(effect, key)?.calls ?? 0) + 1;
    await pause(clock, drawBetween(faults.seed, line.latencyMs, 'latency', effect, key, attempt));

    if (doors.some((door) => faults.down.includes(door))) return fault(operation, 503, 'down', 'the partner is down');
    const wished = failures.next(effect, [call.subject, operation.order(call.body)]);
    const mayFail = attempt <= faults.failTriesMax;
    const falls = (rate: number, what: string): boolean =>
      mayFail && rate > 0 && draw(faults.seed, what, effect, key, attempt) < rate;
    if (wished === 'error' || falls(line.errorRate, 'error')) {
      book.append(this.#line(call, 'error'));
      return fault(operation, 500, 'internal_error', 'nothing was done');
    }
    if (wished === 'limit' || falls(line.limitRate, 'limit')) {
      book.append(this.#line(call, 'error'));
      return fault(operation, 429, 'too_many_requests', 'nothing was done', { 'retry-after': LIMITED_FOR_S });
    }
    const spoilt = spoiltBy(wished, () =>
      falls(line.loseReplyRate, 'lost')
        ? 'lost'
        : falls(line.halfAnswerRate, 'half')
          ? 'half'
          : falls(line.malformedRate, 'malformed')
            ? 'malformed'
            : undefined,
    );
    const reply =
      this.#known(call, spoilt !== undefined) ?? this.#act(call, faults, spoilt !== undefined, wished === 'refuse');
    return spoilt === undefined ? reply : { ...reply, spoilt };
  }

  /** The answer that is in the book already, by key or by business key. */
  #known(call: Call, lost: boolean): DeskReply | undefined {
    const { book, faults } = this.#deps;
    const { operation, businessKey } = call;
    const { effect } = operation;
    const byKey = book.key(effect, call.key);
    if (byKey?.answer !== undefined) {
      if (byKey.digest !== call.digest)
        return fault(operation, 422, 'key_reused', 'another body under this Idempotency-Key');
      book.append(this.#line(call, 'repeat', lost));
      return replayed(byKey.answer);
    }

    const act = book.act(effect, businessKey);
    if (act?.answer === undefined || faults().ignoreBusinessKey) return undefined;
    const traces = operation.again?.(call.body, this.#ask(call, act.acts), this.#world()) ?? this.#retold(call, act);
    this.#write({
      ...this.#line(call, 'business-repeat', lost),
      digest: call.digest,
      answer: act.answer,
      ...told(traces),
    });
    return replayed(act.answer);
  }

  /** Asked anew, not retried: whoever asks has not heard, or could not use, what was told. It is told anew. */
  #retold({ operation, businessKey }: Call, { businessRepeats }: { readonly businessRepeats: number }): Traces {
    const { book, clock } = this.#deps;
    const settled = book
      .callbacksOf(`${operation.effect}|${businessKey}`)
      .filter(({ state, callback }) => callback.again === undefined && (state === 'delivered' || state === 'abandoned'))
      .map(({ callback }) => callback);
    return settled.length === 0 ? {} : { callbacks: retold(settled, businessRepeats + 1, clock.wall()) };
  }

  #act(call: Call, faults: Faults, lost: boolean, isRefused: boolean): DeskReply {
    const { operation, body, businessKey } = call;
    const acts = this.#deps.book.act(operation.effect, businessKey)?.acts ?? 0;
    const decision = isRefused
      ? ({ kind: 'refused', status: 422, code: 'REFUSED_ON_DEMAND' } as const)
      : operation.decide(body, this.#ask(call, acts + 1), { ...this.#world(), faults });
    if (decision.kind === 'unavailable') {
      this.#deps.book.append(this.#line(call, 'error'));
      return fault(operation, 503, 'unavailable', 'nothing was done');
    }
    const answer: StoredAnswer =
      decision.kind === 'done'
        ? { status: 200, body: decision.body }
        : { status: decision.status, body: operation.fault(decision.code, decision.detail) };
    this.#write({
      ...this.#line(call, decision.kind === 'done' ? 'act' : 'refused', lost),
      digest: call.digest,
      answer,
      ...(decision.kind === 'done' ? made(decision) : {}),
    });
    if (decision.kind === 'done' && decision.message !== undefined)
      this.#deps.onMessage(decision.message.recipients, decision.message.message);
    return answer;
  }

  #ask({ operation, businessKey, subject, body }: Call, act: number): Ask {
    const product = operation.product?.(body);
    const about = { effect: operation.effect, businessKey, subject, order: operation.order(body), act };
    return product === undefined ? about : { ...about, product };
  }

  #world(): World {
    const { book, clock, timeScale, faults } = this.#deps;
    return { book, faults: faults(), now: clock.wall(), timeScale };
  }

  /** One line, and then what follows from it. */
  #write(line: CallLine): void {
    const { book, onPlanned, onWithdrawn } = this.#deps;
    book.append(line);
    for (const eventId of line.withdraw ?? []) onWithdrawn(eventId);
    for (const callback of line.callbacks ?? []) onPlanned(callback);
  }

  #line({ subject, key, operation, businessKey }: Call, how: CallLine['how'], lost = false): CallLine {
    const line = { effect: operation.effect, businessKey, subject, key, how };
    return { kind: 'call', at: this.#deps.clock.wall(), ...line, ...(lost ? { lost } : {}) };
  }
}

/** RFC 9457, for what is said of no partner's operation. */
export function problem(status: number, code: string, detail?: string): DeskReply {
  const body = { type: 'about:blank', title: code, status, code, ...(detail === undefined ? {} : { detail }) };
  return { status, body, headers: { 'content-type': 'application/problem+json' } };
}

const fault = (
  { fault: written }: Operation,
  status: number,
  code: string,
  detail: string,
  headers: { readonly [name: string]: string } = {},
): DeskReply => ({ status, body: written(code, detail), headers });

const spoiltBy = (wished: string | undefined, drawn: () => Spoilt | undefined): Spoilt | undefined =>
  wished === 'lost' || wished === 'half' || wished === 'malformed' ? wished : drawn();

const made = ({ result, ...traces }: Done): Partial<CallLine> => ({
  ...(result === undefined ? {} : { result }),
  ...told(traces),
});

function told({ sets, callbacks, withdraw }: Traces): Traces {
  return {
    ...(sets === undefined ? {} : { sets }),
    ...(callbacks === undefined || callbacks.length === 0 ? {} : { callbacks }),
    ...(withdraw === undefined || withdraw.length === 0 ? {} : { withdraw }),
  };
}

const replayed = (answer: StoredAnswer): DeskReply => ({ ...answer, headers: { 'idempotency-replayed': 'true' } });

const digestOf = (body: JsonObject): string => createHash('sha256').update(canonical(body)).digest('hex');

function parsed(text: string): unknown {
  try {
    return text === '' ? 'no body' : JSON.parse(text);
  } catch {
    return 'no JSON';
  }
}

const places = (errors: readonly { readonly instancePath: string; readonly keyword: string }[]): string =>
  errors.map((error) => `${error.instancePath || '/'} ${error.keyword}`).join(', ');
