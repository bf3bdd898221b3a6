// The REST client: typed, browser-safe, and careful with retries.
//
// Only reads and keyed writes are repeated, always under the same key, on a lost connection, 408, 425, 429, 502, 503, 504 and
// on "still running"; `Retry-After` is honoured, else full jitter; one deadline bounds it all. Everything else is answered once.

import type { OrderEvent, OrderRequest, OrderResource, OrderStatus, Role, Slot } from '../../actors/contract/dto.ts';
import { type Problem, problemSlug } from '../../actors/contract/problems.ts';
import type { CancellationReason } from '../../actors/contract/reasons.ts';
import { pause, systemTicker, type Ticker } from './clock.ts';

export interface RestOptions {
  /** For example `http://127.0.0.1:8080`. */
  readonly baseUrl: string;
  /** A token, or what fetches one; asked before every try. */
  readonly token?: string | (() => string | Promise<string>);
  readonly fetch?: typeof globalThis.fetch;
  readonly ticker?: Ticker;
  /** For all tries of one call together; 30,000 ms by default. */
  readonly deadlineMs?: number;
  /** For one try; 10,000 ms by default. */
  readonly timeoutMs?: number;
  readonly attemptsMax?: number;
  /** Told of every repeat, for logs and tests. */
  readonly onRetry?: (retry: {
    readonly method: string;
    readonly path: string;
    readonly attempt: number;
    readonly why: string;
  }) => void;
}

export interface RestAnswer<Body> {
  readonly status: number;
  readonly body: Body;
  /** The body's bytes as text, as they came. */
  readonly text: string;
  readonly etag: string | undefined;
  readonly location: string | undefined;
  readonly replayed: boolean;
  readonly attempts: number;
}

export interface CallOptions {
  readonly body?: unknown;
  readonly idempotencyKey?: string;
  readonly headers?: { readonly [name: string]: string };
  readonly signal?: AbortSignal;
}

/** The server said no, or nothing could be had of it in time (`status` 0). */
export class RestError extends Error {
  readonly status: number;
  readonly problem: Problem | undefined;
  readonly attempts: number;
  constructor(status: number, problem: Problem | undefined, attempts: number, cause?: unknown) {
    super(
      problem === undefined
        ? `no usable answer (status ${status})`
        : `${problem.status} ${problem.code}: ${problem.title}`,
      { cause },
    );
    this.name = 'RestError';
    this.status = status;
    this.problem = problem;
    this.attempts = attempts;
  }
  /** The problem's slug, for a `switch`. */
  get slug(): ReturnType<typeof problemSlug> {
    return this.problem === undefined ? undefined : problemSlug(this.problem.type);
  }
}

const FIRST_DELAY_MS = 100;
const MAX_DELAY_MS = 5_000;
const retryableStatus = new Set([408, 425, 429, 502, 503, 504]);

export class RestClient {
  readonly #options: RestOptions;
  readonly #fetch: typeof globalThis.fetch;
  readonly #ticker: Ticker;

  constructor(options: RestOptions) {
    this.#options = options;
    this.#fetch = options.fetch ?? ((...call) => globalThis.fetch(...call));
    this.#ticker = options.ticker ?? systemTicker;
  }

  /** Any call. Throws RestError for every answer above 399 and when the deadline has passed. */
  async call<Body = unknown>(method: string, path: string, options: CallOptions = {}): Promise<RestAnswer<Body>> {
    const repeatable = method === 'GET' || options.idempotencyKey !== undefined;
    const deadline = this.#ticker.now() + (this.#options.deadlineMs ?? 30_000);
    const attemptsMax = repeatable ? (this.#options.attemptsMax ?? 8) : 1;
    for (let attempt = 1; ; attempt++) {
      const result = await this.#attempt<Body>(method, path, options, attempt);
      if (!(result instanceof RestError)) return result;
      const wait = this.#waitMs(result, attempt);
      const isLast = attempt >= attemptsMax || !isRetryable(result) || this.#ticker.now() + wait >= deadline;
      if (isLast || options.signal?.aborted === true) throw result;
      this.#options.onRetry?.({ method, path, attempt, why: result.message });
      await pause(this.#ticker, wait, options.signal);
    }
  }

  // --- Orders ---

  createOrder(order: OrderRequest, idempotencyKey: string): Promise<RestAnswer<OrderResource>> {
    return this.call('POST', '/api/v1/orders', { body: order, idempotencyKey });
  }
  /** `minVersion`: never older than this (P3). */
  order(
    orderId: string,
    options: { readonly minVersion?: number; readonly etag?: string } = {},
  ): Promise<RestAnswer<OrderResource>> {
    return this.call('GET', `/api/v1/orders/${encodeURIComponent(orderId)}`, { headers: readHeaders(options) });
  }
  status(orderId: string, options: { readonly minVersion?: number } = {}): Promise<RestAnswer<OrderStatus>> {
    return this.call('GET', `/api/v1/orders/${encodeURIComponent(orderId)}/status`, { headers: readHeaders(options) });
  }
  events(
    orderId: string,
    after = 0,
  ): Promise<RestAnswer<{ data: readonly OrderEvent[]; page: { next?: number; hasMore: boolean } }>> {
    return this.call('GET', `/api/v1/orders/${encodeURIComponent(orderId)}/events?after=${after}`);
  }
  cancel(orderId: string, idempotencyKey: string, reason?: CancellationReason): Promise<RestAnswer<unknown>> {
    const body = reason === undefined ? {} : { reason };
    return this.call('POST', `/api/v1/orders/${encodeURIComponent(orderId)}/cancellations`, { body, idempotencyKey });
  }
  slots(orderId: string): Promise<RestAnswer<{ data: readonly Slot[] }>> {
    return this.call('GET', `/api/v1/orders/${encodeURIComponent(orderId)}/delivery/slots`);
  }
  chooseSlot(orderId: string, slotId: string, idempotencyKey: string): Promise<RestAnswer<unknown>> {
    return this.call('PUT', `/api/v1/orders/${encodeURIComponent(orderId)}/delivery/appointment`, {
      body: { slotId },
      idempotencyKey,
    });
  }
  activate(
    cardId: string,
    proof: { readonly proof: 'app' | 'last4'; readonly last4?: string },
    idempotencyKey: string,
  ): Promise<RestAnswer<unknown>> {
    return this.call('POST', `/api/v1/cards/${encodeURIComponent(cardId)}/activations`, {
      body: proof,
      idempotencyKey,
    });
  }
  /** A one-time ticket for the WebSocket. */
  async ticket(): Promise<string> {
    const answer = await this.call<{ ticket: string }>('POST', '/api/v1/ws-tickets');
    return answer.body.ticket;
  }
  /** A token of the development issuer; `baseUrl` has to be that of the internal surface. */
  async developmentToken(subject: string, role: Role): Promise<string> {
    const answer = await this.call<{ token: string }>('POST', '/internal/v1/dev-tokens', { body: { subject, role } });
    return answer.body.token;
  }

  // --- One try ---

  async #attempt<Body>(
    method: string,
    path: string,
    options: CallOptions,
    attempt: number,
  ): Promise<RestAnswer<Body> | RestError> {
    let response: Response;
    let text: string;
    const timeout = AbortSignal.timeout(this.#options.timeoutMs ?? 10_000);
    try {
      response = await this.#fetch(`${this.#options.baseUrl}${path}`, {
        method,
        headers: await this.#headers(options),
        redirect: 'manual',
        signal: options.signal === undefined ? timeout : AbortSignal.any([timeout, options.signal]),
        ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
      });
      text = await response.text(); // A connection that breaks inside the body has lost the answer too.
    } catch (error) {
      return new RestError(0, undefined, attempt, error);
    }
    const body = parsed(text);
    if (response.status >= 400) return new RestError(response.status, withRetryAfter(body, response), attempt);
    return {
      status: response.status,
      body: body as Body, // The server's schema says so; readers ignore what they do not know.
      text,
      etag: response.headers.get('etag') ?? undefined,
      location: response.headers.get('location') ?? undefined,
      replayed: response.headers.get('idempotency-replayed') === 'true',
      attempts: attempt,
    };
  }

  async #headers(options: CallOptions): Promise<Record<string, string>> {
    const { token } = this.#options;
    const bearer = typeof token === 'function' ? await token() : token;
    return {
      accept: 'application/json, application/problem+json',
      ...(options.body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
      ...(options.idempotencyKey === undefined ? {} : { 'idempotency-key': options.idempotencyKey }),
      ...options.headers,
    };
  }

  #waitMs(error: RestError, attempt: number): number {
    const ceiling = Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** (attempt - 1));
    const jitter = Math.round(this.#ticker.random() * ceiling);
    return (error.problem?.retryAfterMs ?? 0) + jitter;
  }
}

const isRetryable = (error: RestError): boolean =>
  error.status === 0 || retryableStatus.has(error.status) || error.slug === 'idempotency-in-progress';

function readHeaders(options: { readonly minVersion?: number; readonly etag?: string }): Record<string, string> {
  return {
    ...(options.minVersion === undefined ? {} : { 'min-version': String(options.minVersion) }),
    ...(options.etag === undefined ? {} : { 'if-none-match': options.etag }),
  };
}

function parsed(text: string): unknown {
  try {
    return text === '' ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The problem with `retryAfterMs` filled in from the header, which proxies set too. */
function withRetryAfter(body: unknown, response: Response): Problem | undefined {
  const seconds = Number(response.headers.get('retry-after') ?? Number.NaN);
  const isProblem = body !== null && typeof body === 'object' && typeof (body as { code?: unknown }).code === 'string';
  if (!isProblem) return undefined;
  const problem = body as Problem; // `code` marks one of ours; the other fields are only read if they are there.
  return problem.retryAfterMs === undefined && Number.isFinite(seconds)
    ? { ...problem, retryAfterMs: seconds * 1000 }
    : problem;
}
