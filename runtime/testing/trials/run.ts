// Runs one trial from its first process to its report. Nothing of it is left when the report is there, but the evidence of
// what did not hold.

import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pause, systemClock } from '../../clock.ts';
import { Stage } from './stage.ts';
import { CannotRun, INVARIANTS, type Trial, type TrialReport } from './trial.ts';

export interface RunOptions {
  readonly seed: number;
  readonly rounds?: number | undefined;
  readonly say: (line: string) => void;
}

/** Longer than this no trial takes: what it waits for does not come. */
const TRIAL_MS_MAX = 15 * 60_000;

export async function runTrial(trial: Trial, { seed, rounds, say }: RunOptions): Promise<TrialReport> {
  const begun = systemClock.monotonic();
  const stage = new Stage({ seed, rounds, say });
  let verdict: TrialReport['verdict'] = 'held';
  try {
    const missing = await trial.missing?.();
    if (missing !== undefined) throw new CannotRun(missing);
    await withinTime(trial.run(stage));
    if (stage.hasViolations) verdict = 'violated';
  } catch (error) {
    if (error instanceof CannotRun) {
      verdict = 'not-run';
      stage.reasons.push(error.message);
    } else {
      verdict = 'violated';
      stage.violated(`it did not come to its end: ${errorWords(error)}`);
    }
  }
  const evidence = verdict === 'violated' ? keepEvidence(trial, stage) : undefined;
  await stage.close();
  return {
    trial: trial.number,
    name: trial.name,
    seed,
    versions: stage.versions,
    durability: stage.durability,
    counts: stage.counts,
    invariants: invariantsOf(stage),
    numbers: stage.measures,
    seconds: Math.round((systemClock.monotonic() - begun) / 100) / 10,
    verdict,
    reasons: stage.reasons,
    ...(evidence === undefined ? {} : { evidence }),
  };
}

async function withinTime(run: Promise<void>): Promise<void> {
  const over = new AbortController();
  const late = pause(systemClock, TRIAL_MS_MAX, over.signal).then(() => {
    if (!over.signal.aborted) throw new Error(`not within ${TRIAL_MS_MAX / 60_000} minutes`);
  });
  await Promise.race([run, late]).finally(() => over.abort());
}

function invariantsOf(stage: Stage): TrialReport['invariants'] {
  const entries = INVARIANTS.map((id) => [id, stage.invariants.get(id) ?? { notLookedAt: 'no audit was made' }]);
  return Object.fromEntries(entries) as TrialReport['invariants']; // One entry per id.
}

/** A folder with what the trial saw, one JSON file each; its path. */
function keepEvidence(trial: Trial, stage: Stage): string {
  const folder = mkdtempSync(join(tmpdir(), `emboss-trial-${trial.number}-${stage.seed}-`));
  for (const [name, give] of stage.evidence)
    writeFileSync(join(folder, `${name}.json`), JSON.stringify(give(), undefined, 1));
  writeFileSync(join(folder, 'reasons.txt'), `${stage.reasons.join('\n\n')}\n`);
  return folder;
}

function errorWords(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? '' : `\ncause: ${errorWords(error.cause)}`;
  return `${error.stack ?? error.message}${cause}`;
}
