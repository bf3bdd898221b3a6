// The teller: brings callbacks to the api's partner surface until they are taken, in the order they were planned.
//
// Every try is signed anew, with the secret of the partner that tells, and carries the same id. A callback that is refused for good
// is given up after a while, one that finds nobody at home after a day; both are written into the book. What is due after a restart
// is told then. Taking up, settling and dropping one costs the same however many wait.

import { setMaxListeners } from 'node:events';
import type { Cancel, Clock } from '../../../runtime/clock.ts';
import { withDeadline } from '../deadline.ts';
import { secretOf, sign } from '../signature.ts';
import type { Book, Callback } from './book.ts';
import { draw, drawBetween, type Faults } from './faults.ts';

export interface TellerDeps {
  /** Of signatures, retries and deadlines. */
  readonly clock: Clock;
  /** Of what partners do: their callbacks are due by it (partner-time.ts). */
  readonly time: Clock;
  readonly book: Book;
  /** Base URL of the api's partner surface. */
  readonly url: string;
  /** What api and partners share; each partner's own secret is made from it. */
  readonly secret: string;
  readonly faults: () => Faults;
  readonly log: (line: { readonly [field: string]: unknown }) => void;
}

const SENDING_MAX = 16; // As many as the api answers at once without a queue of its own.
const TIMEOUT_MS = 5_000;
const FIRST_RETRY_MS = 200;
const LONGEST_RETRY_MS = 15_000;
const REFUSED_TRIES_MAX = 40; // About 8 minutes of a receiver that says no.
const UNREACHABLE_MS_MAX = 24 * 3_600_000;
const DUPLICATE_MS = [0, 800] as const;
const TIMER_MS_MAX = 2_000_000_000; // A timer's longest wait is 2^31 ms: 24 days, beyond which it would fire at once.

interface Errand {
  readonly callback: Callback;
  tries: number;
  since: number;
  /** Its time has come: it stands in the queue, or is on its way. */
  isQueued: boolean;
  cancel: Cancel;
}

type Answer = { readonly kind: 'taken' } | { readonly kind: 'refused' | 'unreachable'; readonly detail: string };

export class Teller {
  readonly #deps: TellerDeps;
  /** Pending callbacks with a timer, in the queue, on their way or held. */
  readonly #errands = new Map<string, Errand>();
  /** Callbacks that wait for another one, by that one's id. */
  readonly #waiting = new Map<string, Callback[]>();
  /** Pending callbacks that were tried at least once since the start of the process. */
  readonly #tried = new Set<string>();
  /** Errands of subjects that are held back, by subject. */
  readonly #held = new Map<string, Errand[]>();
  readonly #secrets = new Map<string, string>();
  readonly #queue: (() => Promise<void>)[] = [];
  readonly #stopped = new AbortController();
  #sending = 0;

  constructor(deps: TellerDeps) {
    this.#deps = deps;
    setMaxListeners(SENDING_MAX + 1, this.#stopped.signal); // One per callback on its way; each is taken off again.
  }

  /** Takes up everything that is pending in the book. O(book): for the start and after a reset. */
  open(): void {
    for (const errand of this.#errands.values()) errand.cancel();
    this.#errands.clear();
    this.#waiting.clear();
    this.#held.clear();
    for (const { callback } of this.#deps.book.callbacks()) this.take(callback);
  }

  /** Takes up one callback that stands in the book, once its predecessor is through. */
  take(callback: Callback): void {
    const { book, clock, time } = this.#deps;
    if (this.#stopped.signal.aborted || this.#errands.has(callback.eventId)) return;
    if (book.callback(callback.eventId)?.state !== 'pending') return;
    if (callback.after !== undefined && !this.#mayGo(callback.after)) {
      const others = this.#waiting.get(callback.after.eventId);
      if (others === undefined) this.#waiting.set(callback.after.eventId, [callback]);
      else others.push(callback);
      return;
    }
    const errand: Errand = { callback, tries: 0, since: clock.wall(), isQueued: false, cancel: () => {} };
    this.#errands.set(callback.eventId, errand);
    this.#after(errand, callback.dueAt - time.wall());
  }

  /** Time has moved on: what waits for its first try is due so much earlier. Retries keep their pace. */
  hasten(): void {
    for (const errand of this.#errands.values()) {
      if (errand.tries > 0 || errand.isQueued) continue;
      errand.cancel();
      this.#after(errand, errand.callback.dueAt - this.#deps.time.wall());
    }
  }

  /** Forgets a callback that was withdrawn in the book; whoever waited for it goes on. */
  drop(eventId: string): void {
    this.#errands.get(eventId)?.cancel();
    this.#errands.delete(eventId);
    this.#tried.delete(eventId);
    this.#follow(eventId);
  }

  /** Tells nothing of this subject until it is released. */
  hold(subject: string): void {
    if (!this.#held.has(subject)) this.#held.set(subject, []);
  }

  /** Lets go what was held of a subject. Answers how many are told now. */
  release(subject: string): number {
    const held = this.#held.get(subject) ?? [];
    this.#held.delete(subject);
    for (const errand of held) this.#enqueue(() => this.#tell(errand));
    return held.length;
  }

  /** Tells one callback now, whatever it waits for. False: it is not pending. */
  now(eventId: string): boolean {
    const callback = this.#deps.book.callback(eventId);
    if (callback?.state !== 'pending') return false;
    this.#errands.get(eventId)?.cancel();
    const known = this.#errands.get(eventId);
    const errand: Errand = known ?? {
      callback: callback.callback,
      tries: 0,
      since: this.#deps.clock.wall(),
      isQueued: true,
      cancel: () => {},
    };
    this.#errands.set(eventId, errand);
    this.#enqueue(() => this.#tell(errand, true));
    return true;
  }

  /** Forgets all errands; the book keeps what is pending. */
  stop(): void {
    this.#stopped.abort();
    for (const errand of this.#errands.values()) errand.cancel();
    this.#errands.clear();
    this.#queue.length = 0;
  }

  #mayGo(after: NonNullable<Callback['after']>): boolean {
    const before = this.#deps.book.callback(after.eventId);
    if (before === undefined || before.state !== 'pending') return true;
    return after.until === 'tried' && this.#tried.has(after.eventId);
  }

  #follow(eventId: string): void {
    const waiting = this.#waiting.get(eventId);
    if (waiting === undefined) return;
    this.#waiting.delete(eventId);
    for (const callback of waiting) this.take(callback); // Those that may still not go wait again.
  }

  #after(errand: Errand, ms: number): void {
    errand.cancel = this.#deps.clock.after(Math.min(Math.max(0, ms), TIMER_MS_MAX), () => this.#begin(errand));
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

  async #tell(errand: Errand, isForced = false): Promise<void> {
    const { callback } = errand;
    const { eventId, subject } = callback;
    if (!this.#isOpen(errand)) return;
    const held = isForced ? undefined : this.#held.get(subject);
    if (held !== undefined) return void held.push(errand);

    const answer = await this.#post(callback, errand.tries);
    errand.tries += 1;
    errand.isQueued = false;
    this.#tried.add(eventId);
    if (!this.#isOpen(errand)) return;
    if (answer.kind === 'taken') {
      this.#settle(errand, 'delivered');
      if (callback.duplicate) this.#repeat(callback);
    } else if (this.#isOver(errand, answer.kind)) {
      this.#settle(errand, 'abandoned', answer.detail);
      const { act } = callback;
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
      if (errand.tries === 1) this.#follow(eventId);
    }
  }

  #isOpen({ callback: { eventId } }: Errand): boolean {
    return this.#errands.has(eventId) && this.#deps.book.callback(eventId)?.state === 'pending';
  }

  #isOver({ tries, since, callback }: Errand, kind: 'refused' | 'unreachable'): boolean {
    if (kind === 'refused') return tries >= (callback.triesMax ?? REFUSED_TRIES_MAX);
    return this.#deps.clock.wall() - since > UNREACHABLE_MS_MAX;
  }

  #retryMs({ callback, tries }: Errand): number {
    const ceiling = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(tries - 1, 10));
    return ceiling * (0.5 + draw(this.#deps.faults().seed, 'retry', callback.eventId, tries) / 2);
  }

  #settle({ callback: { eventId }, tries }: Errand, how: 'delivered' | 'abandoned', detail?: string): void {
    const { book, clock } = this.#deps;
    const more = detail === undefined ? {} : { detail };
    book.append({ kind: 'told', at: clock.wall(), eventId, how, tries, ...more });
    this.drop(eventId);
  }

  /** Tells it once more, whatever comes of it. */
  #repeat(callback: Callback): void {
    const { book, clock, faults } = this.#deps;
    clock.after(drawBetween(faults().seed, DUPLICATE_MS, 'again', callback.eventId), () => {
      if (this.#stopped.signal.aborted) return;
      this.#enqueue(async () => {
        await this.#post(callback, 1);
        if (!this.#stopped.signal.aborted)
          book.append({ kind: 'told', at: clock.wall(), eventId: callback.eventId, how: 'duplicate', tries: 1 });
      });
    });
  }

  async #post({ eventId, from, path, body }: Callback, tries: number): Promise<Answer> {
    const { clock, url, faults } = this.#deps;
    const isFile = typeof body === 'string';
    const text = isFile ? body : JSON.stringify(body);
    const { seed, wrongSignatureRate } = faults();
    const isForged = tries === 0 && wrongSignatureRate > 0 && draw(seed, 'signature', eventId) < wrongSignatureRate;
    const headers = {
      'content-type': isFile ? 'text/plain' : 'application/json',
      ...sign(this.#secret(isForged ? `not ${from}` : from), { id: eventId, body: text }, clock.wall()),
    };
    try {
      const status = await withDeadline(clock, TIMEOUT_MS, this.#stopped.signal, async (signal) => {
        const request = { method: 'POST', body: text, headers, signal, redirect: 'error' as const };
        const response = await fetch(new URL(path, url), request);
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

  #secret(partner: string): string {
    const known = this.#secrets.get(partner) ?? secretOf(this.#deps.secret, partner);
    this.#secrets.set(partner, known);
    return known;
  }
}
