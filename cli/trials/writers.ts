// Customers who place and cancel orders over HTTP, one write after the other, and repeat under its key whatever was not
// answered, as a careful caller does. Every answer is kept: what it was, and when.

import type { OrderRequest } from '../../actors/contract/dto.ts';
import { type RestAnswer, RestClient, RestError } from '../../api/client/index.ts';
import type { Ack } from '../audit/evidence.ts';
import { application } from '../demo/application.ts';
import { counterOf } from '../demo/cast.ts';
import { Chance } from '../demo/chance.ts';
import type { SystemUrls } from '../running.ts';
import { monotonic, pause, wallTime } from '../time.ts';

/** One request and its answer. Times are monotonic ms. */
export interface Told {
  readonly sentAt: number;
  readonly ms: number;
  /** HTTP status; 0 without an answer. */
  readonly status: number;
  readonly slug: string | undefined;
  readonly hasRetryAfter: boolean;
}

export interface WritersOptions {
  readonly urls: SystemUrls;
  readonly seed: number;
  readonly writers: number;
}

type Body = { readonly orderId: string; readonly version: number };

const THINK_MS = 60;
const REPEAT_MS = 250; // Sooner than `Retry-After` asks: the trial wants many answers of a short outage.
const REPEATS_MAX = 240; // A minute.
const ANSWER_MS_MAX = 20_000; // Above what the api promises: an answer that late is told, not cut off.
const CANCELLED = 0.4; // Share of orders.
const CONSENTED_AT = 1_790_000_000_000; // Orders are the same under one seed.

export class Writers {
  readonly told: Told[] = [];
  readonly acks: Ack[] = [];
  /** What did not hold, in words. */
  readonly faults: string[] = [];
  /** Writes that were unanswered once, and had one answer in the end. */
  resolved = 0;
  /** Of these, those that had been carried out when it was said that nobody knows. */
  doneUnheard = 0;
  readonly #options: WritersOptions;
  readonly #chance: Chance;
  readonly #loops: readonly Promise<void>[];
  #placed = 0;
  #stopped = false;

  /** Begins at once. */
  constructor(options: WritersOptions) {
    this.#options = options;
    this.#chance = new Chance(`writers ${options.seed}`);
    this.#loops = Array.from({ length: options.writers }, () => this.#loop());
  }

  /** Each ends the order it is at. Rejects with what ended one before. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#loops);
  }

  async #loop(): Promise<void> {
    while (!this.#stopped) {
      this.#placed += 1;
      await this.#order(this.#placed);
      await pause(THINK_MS);
    }
  }

  /** An order of a customer of its own: nobody has two of a product. */
  async #order(number: number): Promise<void> {
    const { urls, seed } = this.#options;
    const issuer = new RestClient({ baseUrl: urls.internal }); // Development tokens need no store.
    const token = await issuer.developmentToken(`usr_parted${seed}x${number}`, 'customer');
    const rest = new RestClient({ baseUrl: urls.public, token, attemptsMax: 1, timeoutMs: ANSWER_MS_MAX });
    const chance = this.#chance.of(`order ${number}`);
    const { order } = application(chance, number, CONSENTED_AT);
    const placed = await this.#write(rest, '/api/v1/orders', order, `place-${number}`);
    if (placed === undefined || !chance.happens(CANCELLED)) return;
    const path = `/api/v1/orders/${placed.orderId}/cancellations`;
    await this.#write(rest, path, { reason: 'changed_mind' }, `cancel-${number}`, placed.orderId);
  }

  /** Until it is answered; then once more where it was not answered at first. Gives what was applied. */
  async #write(
    rest: RestClient,
    path: string,
    body: OrderRequest | { readonly reason: string },
    key: string,
    actor?: string,
  ): Promise<Body | undefined> {
    const ask = () => this.#ask(rest, path, body, key);
    for (let tries = 0; tries <= REPEATS_MAX; tries += 1) {
      const answer = await ask();
      if (!isOpen(answer)) {
        this.#acknowledge(answer, { path, key, actor });
        if (tries > 0) await this.#repeated(answer, ask, key);
        if (tries > 0 && !(answer instanceof RestError) && answer.replayed) this.doneUnheard += 1;
        return answer instanceof RestError ? undefined : answer.body;
      }
      await pause(REPEAT_MS);
    }
    this.faults.push(`${key} had no answer in ${REPEATS_MAX} tries`);
    return undefined;
  }

  async #ask(rest: RestClient, path: string, body: unknown, key: string): Promise<RestAnswer<Body> | RestError> {
    const sentAt = monotonic();
    const answer = await rest.call<Body>('POST', path, { body, idempotencyKey: key }).catch((error: unknown) => {
      if (error instanceof RestError) return error;
      throw error;
    });
    const problem = answer instanceof RestError ? answer.problem : undefined;
    const slug = answer instanceof RestError ? answer.slug : undefined;
    const hasRetryAfter = problem?.retryAfterMs !== undefined;
    this.told.push({ sentAt, ms: monotonic() - sentAt, status: answer.status, slug, hasRetryAfter });
    return answer;
  }

  /** A further repeat under the key has the same answer, byte for byte. */
  async #repeated(
    first: RestAnswer<Body> | RestError,
    ask: () => Promise<RestAnswer<Body> | RestError>,
    key: string,
  ): Promise<void> {
    const again = await ask();
    if (isOpen(again)) return; // The next outage: nothing is said by it.
    if (again.status !== first.status) this.faults.push(`${key} was answered ${first.status}, then ${again.status}`);
    else if (!(first instanceof RestError) && !(again instanceof RestError) && again.text !== first.text)
      this.faults.push(`${key} was answered twice, differently: ${first.text} / ${again.text}`);
    else this.resolved += 1;
  }

  #acknowledge(
    answer: RestAnswer<Body> | RestError,
    { path, key, actor }: { readonly path: string; readonly key: string; readonly actor: string | undefined },
  ): void {
    const noted = { key, scope: `POST ${path}`, status: answer.status, at: wallTime() };
    if (!(answer instanceof RestError))
      this.acks.push({
        ...noted,
        actor: answer.body.orderId,
        version: answer.body.version,
        counter: counterOf(answer),
      });
    else if (actor !== undefined && answer.slug === 'transition-not-allowed')
      this.acks.push({ ...noted, actor, version: answer.problem?.version });
    else if (answer.status !== 409) this.faults.push(`${key}: ${answer.message}`);
  }
}

/** It may still happen, or be done when asked again. */
const isOpen = (answer: RestAnswer<Body> | RestError): boolean =>
  answer.status === 0 || answer.status >= 500 || answer.status === 429 || isRunning(answer);

const isRunning = (answer: RestAnswer<Body> | RestError): boolean =>
  answer instanceof RestError && answer.slug === 'idempotency-in-progress';
