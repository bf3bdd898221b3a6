// One HTTP exchange with a partner, and what its answer means for the effect.
//
//   2xx with the expected body                    done
//   4xx with the partner's own error              failed: the partner has decided
//   408, 425, 429, 409 in progress, 5xx           unknown, with the partner's Retry-After
//   no answer, a broken or malformed one          unknown, with the reason
//
// E1: only a partner's own word makes a call *failed*; silence never does. E2: the effect's key goes along as
// Idempotency-Key on every try, and the business key in the body. A reason never quotes what was sent or received.

import type { Static, TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import type { Clock } from '../../runtime/clock.ts';
import type { EffectOutcome } from '../../runtime/hosting.ts';
import type { Json, JsonObject } from '../../runtime/json.ts';
import { DeadlinePassed, withDeadline } from './deadline.ts';
import { wordIn } from './word-in.ts';

export interface Exchange {
  readonly clock: Clock;
  /** Base URL of the partner. */
  readonly url: string;
  /** Begins with the partner's name. */
  readonly path: string;
  /** A text is a file. */
  readonly body: JsonObject | string;
  readonly errors: Errors;
  /** The effect's key (E2). */
  readonly key: string;
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
}

/** What a reading says of an answer in the right form with a word in it that is new to us. */
export const STRANGE = 'a word that we do not know';

/** How a partner says no: where its answers have the code, and what its codes are in our words. */
export interface Errors {
  readonly at: (answer: { readonly [field: string]: unknown }) => unknown;
  readonly words: { readonly [theirs: string]: string };
}

/** Turns a checked answer into the effect's output; a text says why the answer cannot be right. */
export type Reading = (answer: unknown) => { readonly output: Json } | string;

const ANSWER_BYTES_MAX = 65_536;
const RETRY_AFTER_MS_MAX = 3_600_000; // A partner's wish for a longer pause is the policy's matter.

/**
 * A reading that takes what `schema` names from the answer, and nothing else: partners may add fields. `pick` puts it into our
 * words; undefined says that a word of theirs is not known.
 */
export function reading<S extends TSchema>(schema: S, pick: (answer: Static<S>) => Json | undefined): Reading {
  const check = Compile(schema);
  return (answer) => {
    if (check.Check(answer)) {
      const output = pick(answer as Static<S>); // Just checked against the same schema.
      return output === undefined ? STRANGE : { output };
    }
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
    const answer = typeof request.body === 'string' && status < 400 ? text : parsed(text);
    return judge(partner, { status, retryAfter, answer }, { read, errors: request.errors, now: request.clock.wall() });
  } catch (error) {
    return { kind: 'unknown', reason: `${partner}: ${reasonOf(error, request.signal)}` };
  }
}

async function post(
  request: Exchange,
  signal: AbortSignal,
): Promise<{ status: number; retryAfter: string | null; text: string }> {
  const isFile = typeof request.body === 'string';
  const response = await fetch(new URL(request.path, request.url), {
    method: 'POST',
    headers: {
      'content-type': isFile ? 'text/plain' : 'application/json',
      accept: isFile ? 'text/plain' : 'application/json',
      'idempotency-key': request.key,
    },
    body: isFile ? (request.body as string) : JSON.stringify(request.body),
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

interface Judging {
  readonly read: Reading;
  readonly errors: Errors;
  readonly now: number;
}

function judge(partner: string, { status, retryAfter, answer }: Answer, { read, errors, now }: Judging): EffectOutcome {
  if (status >= 200 && status < 300) {
    const result = read(answer);
    return typeof result === 'string' ? unknown(`${partner}: ${result}`) : { kind: 'done', output: result.output };
  }
  const code = codeIn(answer, errors);
  const undecided = status === 408 || status === 425 || status === 429 || (status === 409 && code === 'in_progress');
  if (undecided || status < 400 || status >= 500)
    return unknown(`${partner}: status ${status}`, retryAfterMs(retryAfter, now));
  if (code === undefined) return unknown(`${partner}: status ${status} without a reason`);
  // It said no, in a word that is new to us: a no all the same.
  return {
    kind: 'failed',
    error: { code: wordIn(errors.words, code) ?? wordIn(COMMON, code) ?? 'unknown', detail: code },
  };
}

/** What every partner's door may say of a request, in the same words. */
const COMMON: { readonly [code: string]: string } = {
  key_reused: 'key_reused',
  malformed_request: 'malformed_request',
};

function codeIn(answer: unknown, errors: Errors): string | undefined {
  if (typeof answer !== 'object' || answer === null) return undefined;
  const code = errors.at(answer as { readonly [field: string]: unknown }); // An object of unknown fields.
  return typeof code === 'string' && /^[A-Za-z0-9_.:-]{1,80}$/.test(code) ? code : undefined;
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
