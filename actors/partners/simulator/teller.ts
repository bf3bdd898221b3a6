// The teller: brings callbacks to the api's partner surface until they are taken, in the order they were planned.
//
// Every try is signed anew and carries the same eventId. A callback that is refused for good is given up after a while, one
// that finds nobody at home after a day; both are written into the book. What is due after a restart is told then.

import type { Cancel, Clock } from '../../../runtime/clock.ts';
import { withDeadline } from '../deadline.ts';
import { SIGNATURE_HEADER, sign } from '../signature.ts';
import type { Book, Callback } from './book.ts';
import { draw, drawBetween } from './faults.ts';

export interface TellerDeps {
  /** Of signatures, retries and deadlines. */
  readonly clock: Clock;
  /** Of what partners do: their callbacks are due by it (partner-time.ts). */
  readonly time: Clock;
  readonly book: Book;
  /** Base URL of the api's partner surface. */
  readonly url: string;
  readonly secret: string;
  readonly seed: () => string;
  readonly log: (line: { readonly [field: string]: unknown }) => void;
}

const SENDING_MAX = 16; // As many as the api answers at once without a queue of its own.
const TIMEOUT_MS = 5_000;
const FIRST_RETRY_MS = 200;
const LONGEST_RETRY_MS = 15_000;
const REFUSED_TRIES_MAX = 40; // About 8 minutes of a receiver that says no.
const UNREACHABLE_MS_MAX = 24 * 3_600_000;
const DUPLICATE_MS = [0, 800] as const;

interface Errand {
  readonly callback: Callback;
  tries: number;
  since: number;
  /** Its time has come: it stands in the queue, or is on its way. */
  isQueued: boolean;
  cancel: Cancel;
}

export class Teller {
  readonly #deps: TellerDeps;
  /** Pending callbacks with a timer, in the queue or on their way. */
  readonly #errands = new Map<string, Errand>();
  /** Pending callbacks that were tried at least once since the start of the process. */
  readonly #tried = new Set<string>();
  readonly #queue: (() => Promise<void>)[] = [];
  readonly #stopped = new AbortController();
  #sending = 0;

  constructor(deps: TellerDeps) {
    this.#deps = deps;
  }

  /** Takes up every pending callback whose predecessor is through, and drops what was withdrawn. */
  look(): void {
    if (this.#stopped.signal.aborted) return;
    const { book, clock, time } = this.#deps;
    for (const errand of this.#errands.values()) {
      if (book.callback(errand.callback.eventId)?.state !== 'pending') this.#drop(errand);
    }
    for (const { callback } of book.pending()) {
      if (this.#errands.has(callback.eventId) || !this.#mayGo(callback)) continue;
      const errand: Errand = { callback, tries: 0, since: clock.wall(), isQueued: false, cancel: () => {} };
      this.#errands.set(callback.eventId, errand);
      this.#after(errand, callback.dueAt - time.wall());
    }
  }

  /** Time has moved on: what waits for its first try is due so much earlier. Retries keep their pace. */
  hasten(): void {
    for (const errand of this.#errands.values()) {
      if (errand.tries > 0 || errand.isQueued) continue;
      errand.cancel();
      this.#after(errand, errand.callback.dueAt - this.#deps.time.wall());
    }
  }

  /** Forgets all errands; the book keeps what is pending. */
  stop(): void {
    this.#stopped.abort();
    for (const errand of this.#errands.values()) errand.cancel();
    this.#errands.clear();
    this.#queue.length = 0;
  }

  #mayGo({ after }: Callback): boolean {
    if (after === undefined) return true;
    const before = this.#deps.book.callback(after.eventId);
    if (before === undefined || before.state !== 'pending') return true;
    return after.until === 'tried' && this.#tried.has(after.eventId);
  }

  #drop(errand: Errand): void {
    errand.cancel();
    this.#errands.delete(errand.callback.eventId);
    this.#tried.delete(errand.callback.eventId);
  }

  #after(errand: Errand, ms: number): void {
    // A timer's longest wait is 2^31 ms: 24 days, beyond which it would fire at once.
    errand.cancel = this.#deps.clock.after(Math.min(Math.max(0, ms), 2_000_000_000), () => this.#begin(errand));
  }

  #begin(errand: Errand): void {
    errand.isQueued = true;
    if (errand.tries === 0) errand.since = this.#deps.clock.wall();
    this.#enqueue(() => this.#tell(errand));
  }

  #enqueue(task: () => Promise<void>): void {
    this.#queue.push(task);
    this.#pump();
  }

  #pump(): void {
    while (this.#sending < SENDING_MAX) {
      const task = this.#queue.shift();
      if (task === undefined) return;
      this.#sending += 1;
      void task().finally(() => {
        this.#sending -= 1;
        this.#pump();
      });
    }
  }

  async #tell(errand: Errand): Promise<void> {
    const { book } = this.#deps;
    const { eventId, act } = errand.callback;
    if (this.#errands.get(eventId) !== errand || book.callback(eventId)?.state !== 'pending') return;

    const answer = await this.#post(errand.callback);
    errand.tries += 1;
    errand.isQueued = false;
    this.#tried.add(eventId);
    if (this.#errands.get(eventId) !== errand || book.callback(eventId)?.state !== 'pending') return this.look();

    if (answer.kind === 'taken') {
      this.#settle(errand, 'delivered');
      if (errand.callback.duplicate) this.#repeat(errand.callback);
    } else if (this.#isOver(errand, answer.kind)) {
      this.#settle(errand, 'abandoned', answer.detail);
      this.#deps.log({
        level: 'warn',
        msg: 'callback given up',
        eventId,
        act,
        tries: errand.tries,
        detail: answer.detail,
      });
    } else {
      this.#after(errand, this.#retryMs(errand));
    }
    this.look();
  }

  #isOver(errand: Errand, kind: 'refused' | 'unreachable'): boolean {
    if (kind === 'refused') return errand.tries >= REFUSED_TRIES_MAX;
    return this.#deps.clock.wall() - errand.since > UNREACHABLE_MS_MAX;
  }

  #retryMs({ callback, tries }: Errand): number {
    const ceiling = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(tries - 1, 10));
    return ceiling * (0.5 + draw(this.#deps.seed(), 'retry', callback.eventId, tries) / 2);
  }

  #settle(errand: Errand, how: 'delivered' | 'abandoned', detail?: string): void {
    const { book, clock } = this.#deps;
    const { eventId } = errand.callback;
    book.append({
      kind: 'told',
      at: clock.wall(),
      eventId,
      how,
      tries: errand.tries,
      ...(detail === undefined ? {} : { detail }),
    });
    this.#drop(errand);
  }

  /** Tells it once more, whatever comes of it. */
  #repeat(callback: Callback): void {
    const { book, clock } = this.#deps;
    clock.after(drawBetween(this.#deps.seed(), DUPLICATE_MS, 'again', callback.eventId), () => {
      if (this.#stopped.signal.aborted) return;
      this.#enqueue(async () => {
        await this.#post(callback);
        if (!this.#stopped.signal.aborted)
          book.append({ kind: 'told', at: clock.wall(), eventId: callback.eventId, how: 'duplicate', tries: 1 });
      });
    });
  }

  async #post(
    callback: Callback,
  ): Promise<{ readonly kind: 'taken' } | { readonly kind: 'refused' | 'unreachable'; readonly detail: string }> {
    const { clock, url, secret } = this.#deps;
    const body = JSON.stringify(callback.body);
    const headers = { 'content-type': 'application/json', [SIGNATURE_HEADER]: sign(secret, body, clock.wall()) };
    try {
      const status = await withDeadline(clock, TIMEOUT_MS, this.#stopped.signal, async (signal) => {
        const response = await fetch(new URL(callback.path, url), {
          method: 'POST',
          body,
          headers,
          signal,
          redirect: 'error',
        });
        await response.arrayBuffer();
        return response.status;
      });
      if (status >= 200 && status < 300) return { kind: 'taken' };
      const transient = status >= 500 || status === 408 || status === 425 || status === 429;
      return { kind: transient ? 'unreachable' : 'refused', detail: `status ${status}` };
    } catch (error) {
      return { kind: 'unreachable', detail: error instanceof Error ? error.name : 'no answer' };
    }
  }
}
