// The one source of chance of a simulated run: everything that could go one way or another is drawn here, from its seed.

import { type Random, seeded } from '../oracle.ts';

export class Dice {
  readonly #random: Random;

  constructor(seed: number) {
    this.#random = seeded(seed);
    for (let i = 0; i < 8; i += 1) this.#random(); // Neighbouring seeds begin alike.
  }

  /** A number in [0, 1). */
  fraction(): number {
    return this.#random();
  }

  chance(probability: number): boolean {
    return this.#random() < probability;
  }

  /** A number in [least, most). */
  between(least: number, most: number): number {
    return least + this.#random() * (most - least);
  }

  /** A whole number in [least, most]. */
  whole(least: number, most: number): number {
    return least + Math.floor(this.#random() * (most - least + 1));
  }

  pick<T>(from: readonly T[]): T {
    return from[Math.floor(this.#random() * from.length)] as T; // Not empty: the caller's part.
  }

  /** Each of `from` with the given probability, in order. */
  some<T>(from: readonly T[], probability: number): readonly T[] {
    return from.filter(() => this.chance(probability));
  }

  /** `size` bytes as lower-case hex. */
  hex(size: number): string {
    let text = '';
    for (let i = 0; i < size; i += 1) text += (Math.floor(this.#random() * 256) + 256).toString(16).slice(1);
    return text;
  }

  /** Dice of their own, so that a draw more in one place does not shift all others. */
  fork(): Dice {
    return new Dice(Math.floor(this.#random() * 2 ** 32));
  }
}
