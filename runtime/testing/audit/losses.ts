// What a declared loss excuses: operations acknowledged within its window may be missing. Everything else still holds.

import type { DeclaredLoss } from './evidence.ts';
import type { Operation } from './history.ts';

/** How much was lost within the declared windows. */
export interface LossReport {
  /** Acknowledged commands that the journals do not have. */
  readonly commands: number;
  /** Effects that partners saw and whose steps the journals do not have. */
  readonly effects: number;
  /** Time from the oldest lost acknowledgement to its loss. */
  readonly ageMsMax: number;
}

/** Counts while checks run. */
export class Losses {
  readonly #declared: readonly DeclaredLoss[];
  #commands = 0;
  #effects = 0;
  #ageMsMax = 0;

  constructor(declared: readonly DeclaredLoss[] = []) {
    for (const { at, sinceMs } of declared)
      if (!Number.isFinite(at) || !(sinceMs >= 0))
        throw new RangeError(
          `a declared loss has a time and a window of 0 ms or more, not at ${at}, sinceMs ${sinceMs}`,
        );
    this.#declared = declared;
  }

  get isDeclared(): boolean {
    return this.#declared.length > 0;
  }

  get report(): LossReport {
    return { commands: this.#commands, effects: this.#effects, ageMsMax: this.#ageMsMax };
  }

  /**
   * Whether the server that gave this answer may have lost it: how long before the loss it came, else undefined. An operation
   * that was under way at the loss may have been answered before it, and its caller may have heard so later: age 0.
   */
  ageMs({ invokedAt, returnedAt }: Operation): number | undefined {
    if (returnedAt === undefined) return undefined;
    const ages = this.#declared
      .filter(({ at, sinceMs }) => invokedAt <= at && at - returnedAt <= sinceMs)
      .map(({ at }) => Math.max(0, at - returnedAt));
    return ages.length === 0 ? undefined : Math.min(...ages);
  }

  lostCommand(ageMs: number): void {
    this.#commands += 1;
    this.#ageMsMax = Math.max(this.#ageMsMax, ageMs);
  }

  lostEffect(): void {
    this.#effects += 1;
  }
}
