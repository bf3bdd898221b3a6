// The network between processes and servers: how long a message takes, and who cannot reach whom.
//
// A connection keeps its order, as TCP does; messages of different connections overtake each other freely. Where somebody is
// cut off, what is on the way waits: it arrives after the healing, unless its connection was given up meanwhile.

import type { Dice } from './dice.ts';

/** How a run's network behaves; drawn once per run. */
export interface Weather {
  /** A usual message takes up to this long, one way. */
  readonly usualMs: number;
  /** Out of a thousand messages so many take longer than usual, up to `slowMs`, */
  readonly slowPerMille: number;
  readonly slowMs: number;
  /** and so many are held for up to `heldMs`: longer than any deadline, and executed all the same. */
  readonly heldPerMille: number;
  readonly heldMs: number;
}

export const CALM: Weather = { usualMs: 0.4, slowPerMille: 0, slowMs: 0, heldPerMille: 0, heldMs: 0 };

export class Network {
  weather: Weather;
  readonly #dice: Dice;
  readonly #cut = new Map<string, (() => void)[]>();

  constructor(dice: Dice, weather: Weather) {
    this.#dice = dice;
    this.weather = weather;
  }

  /** Milliseconds for one message, one way. */
  delay(): number {
    const { usualMs, slowPerMille, slowMs, heldPerMille, heldMs } = this.weather;
    const draw = this.#dice.fraction() * 1_000;
    if (draw < heldPerMille) return this.#dice.between(500, heldMs);
    if (draw < heldPerMille + slowPerMille) return this.#dice.between(usualMs, slowMs);
    return this.#dice.between(0.05, usualMs);
  }

  isCut(process: string, server: string): boolean {
    return this.#cut.has(`${process}|${server}`);
  }

  cut(process: string, server: string): void {
    if (!this.isCut(process, server)) this.#cut.set(`${process}|${server}`, []);
  }

  heal(process: string, server: string): void {
    const waiting = this.#cut.get(`${process}|${server}`) ?? [];
    this.#cut.delete(`${process}|${server}`);
    for (const go of waiting) go();
  }

  /** Nobody is cut off. */
  get isWhole(): boolean {
    return this.#cut.size === 0;
  }

  /** Runs `go` when the two can reach each other again, in the order of the calls. */
  whenHealed(process: string, server: string, go: () => void): void {
    this.#cut.get(`${process}|${server}`)?.push(go);
  }
}
