// What a trial is, and what it comes to. A trial is one file `NN-name.ts` that exports a Trial, and a line in trials.ts.

import type { InvariantId } from '../audit/findings.ts';
import type { Stage } from './stage.ts';

export type { InvariantId } from '../audit/findings.ts';

export interface Trial {
  /** Its number in the list of docs/trials.md. */
  readonly number: number;
  /** As in its file's name. */
  readonly name: string;
  /** What is done to the system, in a sentence. */
  readonly fault: string;
  /** What must hold or happen nevertheless. */
  readonly expects: string;
  /** How long it takes, about, on two idle cores. */
  readonly seconds: number;
  /** What is missing on this machine; undefined when nothing is. A trial may also find out on its way: `stage.cannotRun`. */
  readonly missing?: () => string | undefined | Promise<string | undefined>;
  /** Throws for what it waited for and did not get; says everything else to the stage. */
  run(stage: Stage): Promise<void>;
}

export const INVARIANTS: readonly InvariantId[] = ['I1', 'I2', 'I3', 'I4', 'I5', 'I6', 'I7', 'I8'];

/** How much an invariant was looked at and how often it did not hold; or why it was not looked at. */
export type InvariantVerdict =
  | { readonly checked: number; readonly violations: number; readonly undecided: number }
  | { readonly notLookedAt: string };

/** A trial's own figure, such as takeovers: p99, 812, ms. */
export interface Measure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
}

/** What clients were told. `unknown` counts asks without an answer, also those that a repeat under the same id resolved. */
export interface Counts {
  ok: number;
  refused: number;
  rejected: number;
  unknown: number;
}

export interface TrialReport {
  readonly trial: number;
  readonly name: string;
  readonly seed: number;
  readonly versions: { readonly node: string; readonly redis: string; readonly emboss: string };
  readonly durability: string;
  readonly counts: Counts;
  readonly invariants: { readonly [id in InvariantId]: InvariantVerdict };
  readonly numbers: readonly Measure[];
  readonly seconds: number;
  readonly verdict: 'held' | 'violated' | 'not-run';
  /** Why it was not run, or what did not hold, at most 20 of them. */
  readonly reasons: readonly string[];
  /** Folder with history, journals and the like; kept when something did not hold. */
  readonly evidence?: string;
}

/** This trial cannot run on this machine. */
export class CannotRun extends Error {
  override readonly name = 'CannotRun';
}
