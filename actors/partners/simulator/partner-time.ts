// The time the simulated partners live in: the wall's, and what the business has travelled (`POST /control/time`).
//
// Orders, jobs and couriers are planned and stamped in it, so that after a travel what they promised comes due as well. What is
// between machines stays on the wall: signatures, retries, deadlines. The total outlives the process, beside the book.

import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Clock } from '../../../runtime/clock.ts';

export class PartnerTime {
  /** The clock of everything that a partner does. */
  readonly clock: Clock;
  readonly #file: string;
  readonly #timeScale: number;
  #travelledMs: number;

  /** `timeScale` divides a travel as it divides times of processing. Throws where the file is there and cannot be read. */
  constructor(wall: Clock, file: string, timeScale: number) {
    this.#file = file;
    this.#timeScale = timeScale;
    this.#travelledMs = readFrom(file);
    this.clock = { ...wall, wall: () => wall.wall() + this.#travelledMs / this.#timeScale };
  }

  /** Domain milliseconds in all. */
  get travelledMs(): number {
    return this.#travelledMs;
  }

  /** Moves on to so many domain milliseconds in all; false where that lies behind us. On disk when it returns. */
  travelTo(travelledMs: number): boolean {
    if (travelledMs <= this.#travelledMs) return false;
    mkdirSync(dirname(this.#file), { recursive: true });
    writeFileSync(`${this.#file}.new`, JSON.stringify({ travelledMs }));
    renameSync(`${this.#file}.new`, this.#file);
    this.#travelledMs = travelledMs;
    return true;
  }
}

function readFrom(file: string): number {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ENOENT') return 0;
    throw error;
  }
  return (JSON.parse(text) as { travelledMs: number }).travelledMs; // Written above, whole or not at all.
}
