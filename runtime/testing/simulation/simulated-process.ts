// A process of the simulation: a worker, a client. It has a clock of its own, connections, and a life that can end or stand
// still. All it can do to the world goes through these two, so that taking them away is what a crash is.

import type { Cancel, Clock } from '../../clock.ts';
import type { Dice } from './dice.ts';
import type { Happening, Scheduler, Subject } from './scheduler.ts';

/** When the simulated world began, in ms since 1970. */
export const EPOCH_MS = 1_700_000_000_000;

const LATE_MS = 0.6; // A timer is rarely on time,
const VERY_LATE_MS = 25; // and sometimes the process was busy.

export interface ClockFaults {
  /** How fast its monotonic clock runs. */
  readonly rate: number;
  readonly offsetMs: number;
  /** What its wall clock is off. */
  readonly skewMs: number;
}

export class SimulatedProcess implements Subject {
  readonly name: string;
  readonly clock: Clock;
  state: 'running' | 'frozen' | 'ended' = 'running';
  readonly #scheduler: Scheduler;
  readonly #dice: Dice;
  readonly #faults: ClockFaults;
  readonly #kept: Happening[] = [];
  readonly #held: (() => void)[] = [];
  readonly #onEnd: (() => void)[] = [];

  constructor(scheduler: Scheduler, dice: Dice, name: string, faults: ClockFaults) {
    this.name = name;
    this.#scheduler = scheduler;
    this.#dice = dice;
    this.#faults = faults;
    this.clock = {
      monotonic: () => faults.offsetMs + scheduler.now * faults.rate,
      wall: () => this.wall(),
      after: (ms, task) => this.#after(ms, task),
      nonce: (size) => dice.hex(size),
      random: () => dice.fraction(),
    };
  }

  wall(): number {
    return Math.floor(EPOCH_MS + this.#scheduler.now + this.#faults.skewMs);
  }

  /** Told when it ends; its connections hang on this. */
  onEnd(listener: () => void): void {
    this.#onEnd.push(listener);
  }

  /** SIGKILL, or the power: from now on nothing reaches it and nothing comes from it. */
  end(): void {
    if (this.state === 'ended') return;
    this.state = 'ended';
    this.#kept.length = 0;
    this.#held.length = 0;
    for (const listener of this.#onEnd.splice(0)) listener();
  }

  freeze(): void {
    if (this.state === 'running') this.state = 'frozen';
  }

  thaw(): void {
    if (this.state !== 'frozen') return;
    this.state = 'running';
    for (const send of this.#held.splice(0)) send();
    // What came meanwhile comes now, all within a moment, in an order of its own.
    for (const happening of this.#kept.splice(0))
      this.#scheduler.resume(happening, this.#scheduler.now + this.#dice.between(0, 0.5));
  }

  keep(happening: Happening): void {
    this.#kept.push(happening);
  }

  /** Does what leaves the process: at once, at the thaw, or never. */
  emit(send: () => void): void {
    if (this.state === 'running') send();
    else if (this.state === 'frozen') this.#held.push(send);
  }

  #after(ms: number, task: () => void): Cancel {
    if (this.state === 'ended') return () => undefined;
    const late = this.#dice.chance(0.02) ? VERY_LATE_MS : LATE_MS;
    const at = this.#scheduler.now + Math.max(0, ms) / this.#faults.rate + this.#dice.fraction() * late;
    return this.#scheduler.schedule(at, this, `timer ${Math.round(ms)}`, task, false);
  }
}
