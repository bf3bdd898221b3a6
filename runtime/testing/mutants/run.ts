// Proof that the tests can fail: the unpatched copy passes, and each mutant of it is killed by a test of the law it breaks.

import { type LawRun, runLaw } from './law-run.ts';
import type { Mutant } from './mutant.ts';
import type { ProjectCopy } from './project-copy.ts';

/** What became of a mutant. `survived`: no test of its law failed. `broken`: the runs ended badly, which proves nothing. */
export interface Verdict {
  readonly kind: 'killed' | 'survived' | 'timeout' | 'broken';
  readonly mutant: Mutant;
  /** The test file of the last run. */
  readonly file: string;
  readonly run: LawRun;
  /** Over all its test files. */
  readonly seconds: number;
}

/** A run of the unpatched copy. */
export interface Baseline {
  readonly file: string;
  readonly law: string;
  readonly run: LawRun;
}

/** Every run that the mutants ask for, once, on the copy as it is. */
export async function runBaseline(
  copy: ProjectCopy,
  mutants: readonly Mutant[],
  onRun: (baseline: Baseline) => void,
): Promise<readonly Baseline[]> {
  const wanted = new Map(
    mutants.flatMap(({ law, tests }) => tests.map((file) => [`${file} ${law}`, { file, law }] as const)),
  );
  const done: Baseline[] = [];
  for (const { file, law } of wanted.values()) {
    const baseline = { file, law, run: await runLaw(copy.root, file, law) };
    onRun(baseline);
    done.push(baseline);
  }
  return done;
}

/** Puts the fault in, runs its test files until one fails, takes the fault out. One process at a time. */
export async function tryMutant(copy: ProjectCopy, mutant: Mutant): Promise<Verdict> {
  let verdict: Verdict | undefined;
  copy.put(mutant);
  try {
    for (const file of mutant.tests) {
      const run = await runLaw(copy.root, file, mutant.law);
      const seconds = Math.round(((verdict?.seconds ?? 0) + run.seconds) * 10) / 10;
      verdict = { kind: kindOf(mutant, run), mutant, file, run, seconds };
      if (verdict.kind !== 'survived') return verdict;
    }
  } finally {
    copy.mend(mutant);
  }
  if (verdict === undefined) throw new Error(`mutant ${mutant.name} names no test file`);
  return verdict;
}

function kindOf({ timeoutKills }: Mutant, { kind }: LawRun): Verdict['kind'] {
  switch (kind) {
    case 'passed':
      return 'survived';
    case 'failed':
      return 'killed';
    case 'timeout':
      return timeoutKills === undefined ? 'timeout' : 'killed';
    case 'broken':
      return 'broken';
  }
}
