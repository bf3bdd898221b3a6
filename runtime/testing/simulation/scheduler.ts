// Virtual time, and what can happen next. One thing happens at a time; then JavaScript runs until nothing of it is left to
// run, and only then the next thing happens.
//
// What happens next is what is due first: messages and timers get their times from the dice of the run, so the seed decides
// how calls, replies, timers, faults and partners of all processes interleave. Nothing waits for real time.

import { createHash } from 'node:crypto';
import type { Cancel } from '../../clock.ts';

/** Whom something happens to. A process that stands still keeps it for later; one that ended never hears of it. */
export interface Subject {
  readonly name: string;
  readonly state: 'running' | 'frozen' | 'ended';
  /** Called instead of `run` while frozen. */
  keep(happening: Happening): void;
}

export interface Happening {
  at: number;
  order: number;
  readonly who: Subject;
  readonly what: string;
  readonly run: () => unknown;
  /** A call executed, an act of a partner, a fault; not what follows from one, nor what only the time brings. */
  readonly isStep: boolean;
  cancelled: boolean;
}

const TURNS_MAX = 10_000; // Turns of the event loop after one happening. A loop that never rests is a fault of its own.

export class Scheduler {
  /** Milliseconds of virtual time since the run began. */
  now = 0;
  /** Things that happened, and those of them that count as steps of the run. */
  happened = 0;
  steps = 0;
  /** Whom the present happening is about: all code that runs until the next one is that subject's. */
  current: Subject | undefined;
  /** Told of every step, where somebody wants a trace. */
  onStep: ((line: string) => void) | undefined;
  readonly #heap: Happening[] = [];
  readonly #hash = createHash('sha256');
  #order = 0;

  /** What happens at `at`, or now where that is past. */
  schedule(at: number, who: Subject, what: string, run: Happening['run'], isStep = true): Cancel {
    const order = this.#order++;
    const happening: Happening = { at: Math.max(at, this.now), order, who, what, run, isStep, cancelled: false };
    this.#push(happening);
    return () => {
      happening.cancelled = true;
    };
  }

  /** Puts back what a frozen process kept. */
  resume(happening: Happening, at: number): void {
    happening.at = Math.max(at, this.now);
    happening.order = this.#order++;
    this.#push(happening);
  }

  /** Makes the next thing happen. False when there is nothing left. */
  async step(): Promise<boolean> {
    for (;;) {
      const next = this.#pop();
      if (next === undefined) return false;
      if (next.cancelled || next.who.state === 'ended') continue;
      this.now = next.at;
      if (next.who.state === 'frozen') {
        next.who.keep(next);
        continue;
      }
      await this.happen(next.who, next.what, next.run, next.isStep);
      return true;
    }
  }

  /** Makes something happen now. */
  async happen(who: Subject, what: string, run: Happening['run'], isStep = true): Promise<void> {
    this.happened += 1;
    if (isStep) this.steps += 1;
    this.current = who;
    this.note(`${this.happened} ${this.now.toFixed(3)} ${who.name} ${what}`);
    await run();
    await this.#rest();
    this.current = undefined;
  }

  /** Adds to the fingerprint of the run. */
  note(text: string | Buffer): void {
    this.#hash.update(text);
    if (typeof text === 'string') this.onStep?.(text);
  }

  /** Fingerprint of all that happened up to now. */
  fingerprint(): string {
    return this.#hash.copy().digest('hex').slice(0, 16);
  }

  /** Resolves when no promise and no immediate is left to run. Real timers and sockets are not used by what is simulated. */
  async #rest(): Promise<void> {
    for (let turn = 0; turn < TURNS_MAX; turn += 1) {
      await new Promise((resolve) => setImmediate(resolve));
      if (!process.getActiveResourcesInfo().includes('Immediate')) return;
    }
    throw new Error(`the event loop does not come to rest within ${TURNS_MAX} turns`);
  }

  #push(happening: Happening): void {
    const heap = this.#heap;
    let at = heap.push(happening) - 1;
    while (at > 0) {
      const above = (at - 1) >> 1;
      if (!before(happening, heap[above] as Happening)) break;
      heap[at] = heap[above] as Happening;
      at = above;
    }
    heap[at] = happening;
  }

  #pop(): Happening | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= heap.length) break;
      if (below + 1 < heap.length && before(heap[below + 1] as Happening, heap[below] as Happening)) below += 1;
      if (!before(heap[below] as Happening, last)) break;
      heap[at] = heap[below] as Happening;
      at = below;
    }
    heap[at] = last;
    return first;
  }
}

const before = (one: Happening, other: Happening): boolean =>
  one.at < other.at || (one.at === other.at && one.order < other.order);
