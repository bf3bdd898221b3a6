// The desk every call to a partner passes: keys, faults, the act, the answer.
//
//   - One idempotency key, one answer: a repeat gets the stored one, another body under it is refused.
//   - One business key, one act: under another idempotency key the first act's answer comes back.
//   - Latency lies before the act, so a second call meets a first one in progress (409); nothing lies between the act and
//     the line in the book that tells of it.
//   - A lost reply is an act whose answer never leaves.

import { createHash } from 'node:crypto';
import { Type } from 'typebox';
import { Compile, type Validator } from 'typebox/compile';
import { type Clock, pause } from '../../../runtime/clock.ts';
import { canonical, type JsonObject } from '../../../runtime/json.ts';
import { closed } from '../../contract/schema.ts';
import type { Book, CallLine, StoredAnswer } from './book.ts';
import { draw, drawBetween, type Faults } from './faults.ts';
import { type Ask, type Decision, type Operation, type PhoneMessage, retold, type World } from './operation.ts';

export interface DeskReply {
  readonly status: number;
  readonly body: JsonObject;
  readonly headers?: { readonly [name: string]: string };
  /** The reply must not leave: the connection breaks instead. */
  readonly lost?: boolean;
}

export interface DeskDeps {
  readonly clock: Clock;
  readonly timeScale: number;
  readonly couriers: readonly string[];
  readonly book: Book;
  readonly faults: () => Faults;
  readonly onMessage: (recipients: readonly string[], message: PhoneMessage) => void;
  /** Callbacks were planned or withdrawn: look at the book again. */
  readonly onCallbacks: () => void;
}

interface Call {
  readonly operation: Operation;
  readonly key: string;
  readonly body: JsonObject & { readonly businessKey: string };
  readonly digest: string;
  readonly subject: string;
}

const IN_PROGRESS: DeskReply = problem(409, 'in_progress', 'the first call is still running', { 'retry-after': '1' });

export class Desk {
  readonly #deps: DeskDeps;
  readonly #checks: ReadonlyMap<string, { readonly operation: Operation; readonly body: Validator }>;
  readonly #running = new Set<string>();

  constructor(deps: DeskDeps, operations: readonly Operation[]) {
    this.#deps = deps;
    this.#checks = new Map(
      operations.map((operation) => [operation.path, { operation, body: Compile(withKey(operation)) }]),
    );
  }

  knows(path: string): boolean {
    return this.#checks.has(path);
  }

  /** Answers one POST. `key` is the Idempotency-Key header. Never rejects for what a caller may send. */
  async answer(path: string, key: string | undefined, body: unknown): Promise<DeskReply> {
    const check = this.#checks.get(path);
    if (check === undefined) return problem(404, 'unknown_operation', path);
    if (key === undefined || key === '' || key.length > 200)
      return problem(400, 'idempotency_key_missing', 'Idempotency-Key: 1 to 200 characters');
    if (!check.body.Check(body)) return problem(400, 'malformed_request', places(check.body.Errors(body)));

    const request = body as Call['body']; // Just checked: every operation's schema has a business key.
    const subject = check.operation.subject(request);
    const call: Call = { operation: check.operation, key, body: request, digest: digestOf(request), subject };
    const running = [`${check.operation.effect}|k|${key}`, `${check.operation.effect}|b|${request.businessKey}`];
    if (running.some((name) => this.#running.has(name))) return IN_PROGRESS;

    for (const name of running) this.#running.add(name);
    try {
      return await this.#serve(call);
    } finally {
      for (const name of running) this.#running.delete(name);
    }
  }

  async #serve(call: Call): Promise<DeskReply> {
    const { clock, book } = this.#deps;
    const effect = call.operation.effect;
    const faults = this.#deps.faults();
    const attempt = (book.key(effect, call.key)?.calls ?? 0) + 1;
    await pause(clock, drawBetween(faults.seed, faults.latencyMs, 'latency', effect, call.key, attempt));

    if (faults.down.includes(call.operation.path.split('/')[1] ?? ''))
      return problem(503, 'down', 'the partner is down');
    if (draw(faults.seed, 'error', effect, call.key, attempt) < faults.errorRate) {
      book.append(this.#line(call, 'error'));
      return problem(500, 'internal_error', 'nothing was done');
    }
    const lost = draw(faults.seed, 'lost', effect, call.key, attempt) < faults.loseReplyRate;
    const reply = this.#known(call, lost) ?? this.#act(call, faults, lost);
    return lost ? { ...reply, lost } : reply;
  }

  /** The answer that is in the book already, by key or by business key. */
  #known(call: Call, lost: boolean): DeskReply | undefined {
    const { book, clock, faults } = this.#deps;
    const { effect } = call.operation;
    const byKey = book.key(effect, call.key);
    if (byKey?.answer !== undefined) {
      if (byKey.digest !== call.digest) return problem(422, 'key_reused', 'another body under this Idempotency-Key');
      book.append(this.#line(call, 'repeat', lost));
      return replayed(byKey.answer);
    }

    const act = book.act(effect, call.body.businessKey);
    if (act?.answer === undefined || faults().ignoreBusinessKey) return undefined;
    // Asked anew, not retried: whoever asks has not heard, or could not use, what was told. It is told anew.
    const told = book
      .callbacksOf(`${effect}|${call.body.businessKey}`)
      .filter(
        ({ state, callback }) => callback.again === undefined && (state === 'delivered' || state === 'abandoned'),
      );
    const callbacks = retold(
      told.map(({ callback }) => callback),
      act.businessRepeats + 1,
      clock.wall(),
    );
    book.append({
      ...this.#line(call, 'business-repeat', lost),
      digest: call.digest,
      answer: act.answer,
      ...(callbacks.length === 0 ? {} : { callbacks }),
    });
    if (callbacks.length > 0) this.#deps.onCallbacks();
    return replayed(act.answer);
  }

  #act(call: Call, faults: Faults, lost: boolean): DeskReply {
    const { book, clock, timeScale, couriers } = this.#deps;
    const { operation, body } = call;
    const product = operation.product?.(body);
    const ask: Ask = {
      effect: operation.effect,
      businessKey: body.businessKey,
      subject: call.subject,
      act: (book.act(operation.effect, body.businessKey)?.acts ?? 0) + 1,
      ...(product === undefined ? {} : { product }),
    };
    const world: World = { book, faults, now: clock.wall(), timeScale, couriers };
    const decision = operation.decide(body, ask, world);
    const answer = answerOf(decision);
    book.append({
      ...this.#line(call, decision.kind === 'done' ? 'act' : 'refused', lost),
      digest: call.digest,
      answer,
      ...traces(decision),
    });

    if (decision.kind === 'done') {
      if (decision.message !== undefined) this.#deps.onMessage(decision.message.recipients, decision.message.message);
      if (decision.callbacks !== undefined || decision.withdraw !== undefined) this.#deps.onCallbacks();
    }
    return answer;
  }

  #line(call: Call, how: CallLine['how'], lost = false): CallLine {
    const { subject, key, operation, body } = call;
    const line = { effect: operation.effect, businessKey: body.businessKey, subject, key, how };
    return { kind: 'call', at: this.#deps.clock.wall(), ...line, ...(lost ? { lost } : {}) };
  }
}

/** RFC 9457 as the partners speak it: `code` is what a program reads. */
export function problem(status: number, code: string, detail?: string, headers?: DeskReply['headers']): DeskReply {
  const body = { type: 'about:blank', title: code, status, code, ...(detail === undefined ? {} : { detail }) };
  return { status, body, headers: { 'content-type': 'application/problem+json', ...headers } };
}

function answerOf(decision: Decision): StoredAnswer {
  if (decision.kind === 'done') return { status: 200, body: decision.body };
  const { status, body } = problem(decision.status, decision.code, decision.detail);
  return { status, body };
}

function traces(decision: Decision): Partial<CallLine> {
  if (decision.kind === 'refused') return {};
  const { result, sets, callbacks, withdraw } = decision;
  return {
    ...(result === undefined ? {} : { result }),
    ...(sets === undefined ? {} : { sets }),
    ...(callbacks === undefined ? {} : { callbacks }),
    ...(withdraw === undefined ? {} : { withdraw }),
  };
}

const replayed = (answer: StoredAnswer): DeskReply => ({ ...answer, headers: { 'idempotency-replayed': 'true' } });

const digestOf = (body: JsonObject): string => createHash('sha256').update(canonical(body)).digest('hex');

function withKey(operation: Operation) {
  const properties = (operation.body as unknown as { properties: Parameters<typeof closed>[0] }).properties; // Every body is an object.
  return closed({ ...properties, businessKey: Type.String({ minLength: 1, maxLength: 300 }) });
}

const places = (errors: readonly { readonly instancePath: string; readonly keyword: string }[]): string =>
  errors.map((error) => `${error.instancePath || '/'} ${error.keyword}`).join(', ');
