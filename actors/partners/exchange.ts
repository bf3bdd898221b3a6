// One HTTP exchange with a partner, and what its answer means for the effect.
//
//   2xx with the expected body                    done
//   4xx with a problem body                       failed: the partner has decided
//   408, 425, 429, 409 in progress, 5xx           unknown, with the partner's Retry-After
//   no answer, a broken or malformed one          unknown, with the reason
//
// E1: only a partner's own word makes a call *failed*; silence never does. E2: the effect's key goes along as
// Idempotency-Key on every try, and the business key in the body. A reason never quotes what was sent or received.

import { type Static, type TSchema, Type } from 'typebox';
import { Compile } from 'typebox/compile';
import type { Clock } from '../../runtime/clock.ts';
import type { EffectOutcome } from '../../runtime/hosting.ts';
import type { Json, JsonObject } from '../../runtime/json.ts';
import { DeadlinePassed, withDeadline } from './deadline.ts';

export interface Exchange {
  readonly clock: Clock;
  /** Base URL of the partner. */
  readonly url: string;
  readonly path: string;
  readonly body: JsonObject;
  /** The effect's key (E2). */
  readonly key: string;
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
}

/** Turns a checked answer into the effect's output; a text says why the answer cannot be right. */
export type Reading = (answer: unknown) => { readonly output: Json } | string;

const ANSWER_BYTES_MAX = 65_536;
const RETRY_AFTER_MS_MAX = 3_600_000; // A partner's wish for a longer pause is the policy's matter.

const Problem = Compile(
  Type.Object({ code: Type.String({ pattern: '^[A-Za-z0-9_.:-]{1,80}$' }), detail: Type.Optional(Type.String()) }),
);

/** A reading that takes what `schema` names from the answer, and nothing else: partners may add fields. */
export function reading<S extends TSchema>(schema: S, pick: (answer: Static<S>) => Json): Reading {
  const check = Compile(schema);
  return (answer) => {
    if (check.Check(answer)) return { output: pick(answer as Static<S>) }; // Just checked against the same schema.
    const place = check.Errors(answer)[0];
    return `malformed answer: ${place?.instancePath || '/'} ${place?.keyword ?? ''}`.trim();
  };
}

/** Sends one request. Resolves within `timeoutMs`, or when `signal` is aborted. Never rejects. */
export async function exchange(request: Exchange, read: Reading): Promise<EffectOutcome> {
  const partner = request.path.split('/')[1] ?? '';
  try {
    const { status, retryAfter, text } = await withDeadline(
      request.clock,
      request.timeoutMs,
      request.signal,
      (signal) => post(request, signal),
    );
    return judge(partner, { status, retryAfter, answer: parsed(text) }, read, request.clock.wall());
  } catch (error) {
    return { kind: 'unknown', reason: `${partner}: ${reasonOf(error, request.signal)}` };
  }
}

async function post(
  request: Exchange,
  signal: AbortSignal,
): Promise<{ status: number; retryAfter: string | null; text: string }> {
  const response = await fetch(new URL(request.path, request.url), {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json', 'idempotency-key': request.key },
    body: JSON.stringify(request.body),
    redirect: 'manual',
    signal,
  });
  return { status: response.status, retryAfter: response.headers.get('retry-after'), text: await bounded(response) };
}

/** The answer's text, cut off when it is longer than any answer of a partner may be: cut JSON is malformed. */
async function bounded(response: Response): Promise<string> {
  if (response.body === null) return '';
  const decoder = new TextDecoder();
  let text = '';
  let size = 0;
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    size += chunk.byteLength;
    if (size > ANSWER_BYTES_MAX) break;
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

interface Answer {
  readonly status: number;
  readonly retryAfter: string | null;
  readonly answer: unknown;
}

function judge(partner: string, { status, retryAfter, answer }: Answer, read: Reading, now: number): EffectOutcome {
  if (status >= 200 && status < 300) {
    const result = read(answer);
    return typeof result === 'string' ? unknown(`${partner}: ${result}`) : { kind: 'done', output: result.output };
  }
  const problem = Problem.Check(answer) ? answer : undefined;
  const undecided =
    status === 408 || status === 425 || status === 429 || (status === 409 && problem?.code === 'in_progress');
  if (undecided || status < 400 || status >= 500)
    return unknown(`${partner}: status ${status}`, retryAfterMs(retryAfter, now));
  if (problem === undefined) return unknown(`${partner}: status ${status} without a problem`);
  return { kind: 'failed', error: { code: problem.code } };
}

const unknown = (reason: string, retryAfter?: number): EffectOutcome => ({
  kind: 'unknown',
  reason,
  ...(retryAfter === undefined ? {} : { retryAfterMs: retryAfter }),
});

/** Retry-After in seconds or as an HTTP date (RFC 9110, 10.2.3). */
function retryAfterMs(header: string | null, now: number): number | undefined {
  if (header === null) return undefined;
  const ms = /^\d+$/.test(header.trim()) ? Number(header) * 1000 : Date.parse(header) - now;
  return Number.isFinite(ms) ? Math.min(Math.max(0, ms), RETRY_AFTER_MS_MAX) : undefined;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** What went wrong on the way, in words that hold no part of the exchange. */
function reasonOf(error: unknown, outer: AbortSignal): string {
  if (outer.aborted) return 'call ended by the worker';
  if (error instanceof DeadlinePassed) return error.message;
  const cause = error instanceof Error ? error.cause : undefined;
  const code = (cause as { code?: unknown } | undefined)?.code;
  return `connection failed${typeof code === 'string' ? `: ${code}` : ''}`;
}
