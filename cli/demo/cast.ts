// Who acts in the demo, and how each speaks to the API: a REST client per person and surface, with a token of their role.

import { createHash } from 'node:crypto';
import type { Role } from '../../actors/contract/dto.ts';
import { type Problem, type RestAnswer, RestClient, RestError } from '../../api/client/index.ts';
import type { SystemUrls } from '../running.ts';
import { monotonic, pause, wallTime } from '../time.ts';
import { developmentToken, type IssuedToken, renewing } from '../tokens.ts';
import type { AckLog } from './acks.ts';
import type { StaffMember } from './moves.ts';

export type Surface = 'public' | 'internal' | 'courier';

const staff: { readonly [who in StaffMember]: readonly [subject: string, role: Role] } = {
  operator: ['ops.operator', 'operator'],
  second_operator: ['ops.second_operator', 'operator'],
  reviewer: ['ops.reviewer', 'reviewer'],
  second_reviewer: ['ops.second_reviewer', 'reviewer'],
};

const TOKEN_MS_MAX = 30_000;
const TOKEN_PAUSE_MS = 200;

/** What a write came to, for whoever plays on. */
export type Written =
  | { readonly kind: 'applied'; readonly version: number | undefined; readonly body: unknown }
  | { readonly kind: 'refused'; readonly status: number; readonly problem: Problem | undefined }
  /** No answer in time, although it was repeated under its key: it may have happened. */
  | { readonly kind: 'unknown'; readonly words: string };

export interface Write {
  readonly method: 'POST' | 'PUT';
  readonly path: string;
  readonly body: unknown;
  /** Names the command for good: a repeat under it is the same command. */
  readonly key: string;
  /** The actor whose version the answer names. */
  readonly actor: string | undefined;
}

interface Spoken {
  readonly token: () => Promise<string>;
  readonly rest: RestClient;
}

export class Cast {
  readonly #urls: SystemUrls;
  readonly #log: AckLog;
  readonly #clients = new Map<string, Spoken>();
  /** Requests that were repeated, and why, for the report. */
  readonly retries = new Map<string, number>();
  writes = 0;

  constructor(urls: SystemUrls, log: AckLog) {
    this.#urls = urls;
    this.#log = log;
  }

  customer(userId: string): Promise<RestClient> {
    return this.client('public', userId, 'customer');
  }

  courier(courierId: string): Promise<RestClient> {
    return this.client('courier', courierId, 'courier');
  }

  staff(who: StaffMember): Promise<RestClient> {
    const [subject, role] = staff[who];
    return this.client('internal', subject, role);
  }

  /**
   * A client for one person on one surface, with a token that is renewed before it ends. Rejects when none can be had for 30 s;
   * the next call tries again.
   */
  async client(surface: Surface, subject: string, role: Role): Promise<RestClient> {
    const name = `${surface} ${role} ${subject}`;
    let known = this.#clients.get(name);
    if (known === undefined) {
      const token = renewing(() => this.#token(subject, role));
      known = { token, rest: this.#rest(this.#urls[surface], token) };
      this.#clients.set(name, known);
    }
    await known.token();
    return known.rest;
  }

  /** Makes a write under its key, repeats it safely, and notes what was answered. Never rejects for what the API answers. */
  async write(client: RestClient, { method, path, body, key, actor }: Write): Promise<Written> {
    this.writes += 1;
    const scope = `${method} ${path}`;
    try {
      const answer = await client.call<{ readonly version?: number; readonly orderId?: string }>(method, path, {
        body,
        idempotencyKey: idempotencyKey(key),
      });
      const version = answer.body?.version;
      const about = actor ?? answer.body?.orderId;
      if (about !== undefined)
        this.#log.add({
          actor: about,
          key,
          scope,
          status: answer.status,
          version,
          counter: counterOf(answer),
          at: wallTime(),
        });
      return { kind: 'applied', version, body: answer.body };
    } catch (error) {
      if (!(error instanceof RestError)) throw error;
      const { status, problem } = error;
      if (status === 0 || status >= 500 || status === 429) return { kind: 'unknown', words: error.message };
      if (actor !== undefined && status === 409 && error.slug === 'transition-not-allowed')
        this.#log.add({ actor, key, scope, status, version: problem?.version, at: wallTime() });
      return { kind: 'refused', status, problem };
    }
  }

  #rest(baseUrl: string, token?: () => Promise<string>): RestClient {
    return new RestClient({
      baseUrl,
      ...(token === undefined ? {} : { token }),
      deadlineMs: 45_000, // Longer than a worker needs to die and be replaced under load.
      attemptsMax: 20,
      onRetry: ({ why }) => void this.retries.set(why, (this.retries.get(why) ?? 0) + 1),
    });
  }

  /** Asking for a token changes nothing, so it may be asked for again. */
  async #token(subject: string, role: Role): Promise<IssuedToken> {
    const deadline = monotonic() + TOKEN_MS_MAX;
    for (;;) {
      try {
        return await developmentToken(this.#rest(this.#urls.internal), subject, role);
      } catch (error) {
        const isFinal = error instanceof RestError && error.status >= 400 && error.status < 500;
        if (isFinal || monotonic() > deadline) throw error;
        await pause(TOKEN_PAUSE_MS);
      }
    }
  }
}

/** At most 64 characters whatever the name of the command. */
const idempotencyKey = (key: string): string => `demo-${createHash('sha256').update(key).digest('hex').slice(0, 40)}`;

/** The owner's counter out of `"v7-12"`. */
export function counterOf({ etag }: RestAnswer<unknown>): number | undefined {
  const counter = /^"v\d+-(\d+)"$/.exec(etag ?? '')?.[1];
  return counter === undefined ? undefined : Number(counter);
}
