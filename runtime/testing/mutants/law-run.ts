// One run of a compiled test file, of the tests of one law only, ended by its first failure.
//
// tap's own switches are used: TAP_GREP picks tests by title, TAP_BAIL ends the run at the first failed assertion.

import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { systemClock } from '../../clock.ts';
import { TEMPORARY } from './project-copy.ts';

export interface LawRun {
  /** `broken`: it ended badly without a failed test of the law, so it says nothing about the law. */
  readonly kind: 'passed' | 'failed' | 'timeout' | 'broken';
  /** Tests of the law that passed. */
  readonly passed: number;
  /** The test that failed or was running at the end. */
  readonly test: string | undefined;
  /** The failed assertion, or the last words. */
  readonly said: string;
  /** Where the test draws at random and says from what. */
  readonly seed: string | undefined;
  readonly seconds: number;
}

export const runMsMax = 120_000; // As .taprc gives a test file.
const ENVIRONMENT_OF_TAP = /^(TAP|_TAPJS_|NODE_OPTIONS$|NODE_V8_COVERAGE$)/; // Of a tap that runs us.
const SAID_CHARS_MAX = 300;
const SEED = /\bseeds?\b\D*(\d+)/;

/** Runs `file`, a test in TypeScript, from the build of the project at `root`. Never rejects. */
export async function runLaw(root: string, file: string, law: string, msMax = runMsMax): Promise<LawRun> {
  const begun = systemClock.monotonic();
  const path = `build/${file.replace(/\.ts$/, '.js')}`;
  const child = spawn(process.execPath, [path], {
    cwd: root,
    env: environment(root, law),
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true, // A group of its own, so that a timeout ends what the test started, too.
  });
  const end = (): void => endGroup(child);
  process.once('exit', end);
  let late = false;
  const cancel = systemClock.after(msMax, () => {
    late = true;
    end();
  });
  const [code, told] = await Promise.all([codeOf(child), listen(child)]);
  cancel();
  process.off('exit', end);
  const seconds = Math.round((systemClock.monotonic() - begun) / 100) / 10;
  return { ...told, kind: late ? 'timeout' : kindOf(code, told), seconds };
}

interface Told {
  passed: number;
  failed: boolean;
  test: string | undefined;
  said: string;
  seed: string | undefined;
}

function environment(root: string, law: string): NodeJS.ProcessEnv {
  const ours = Object.entries(process.env).filter(([name]) => !ENVIRONMENT_OF_TAP.test(name));
  // Time is bounded here alone, hence no timeout of tap's.
  const tap = { TAP: '1', TAP_BAIL: '1', TAP_TIMEOUT: '0', TAP_GREP: `/^[^:]*\\b${law}\\b[^:]*:/` };
  return { ...Object.fromEntries(ours), ...tap, TMPDIR: join(root, TEMPORARY) };
}

const codeOf = (child: ChildProcess): Promise<number | null> =>
  new Promise((resolve) => {
    child.once('error', () => resolve(null));
    child.once('close', (code) => resolve(code));
  });

function kindOf(code: number | null, { failed, passed }: Told): LawRun['kind'] {
  if (failed) return 'failed';
  return code === 0 && passed > 0 ? 'passed' : 'broken';
}

/** Reads TAP as far as it is needed: which test is running, and the first assertion in it that is not ok. */
async function listen(child: ChildProcess): Promise<Told> {
  const told: Told = { passed: 0, failed: false, test: undefined, said: '', seed: undefined };
  child.stderr?.on('data', (chunk: Buffer) => {
    if (!told.failed) told.said = (told.said + chunk.toString()).slice(-SAID_CHARS_MAX);
  });
  if (child.stdout === null) return told;
  for await (const line of createInterface(child.stdout)) hear(told, line);
  return told;
}

function hear(told: Told, line: string): void {
  if (/^ +# /.test(line)) told.seed = SEED.exec(line)?.[1] ?? told.seed;
  if (told.failed) return;
  const [, title] = /^# Subtest: (.*)$/.exec(line) ?? [];
  if (title !== undefined) Object.assign(told, { test: title, seed: undefined });
  if (/^ok \d+ - /.test(line) && !/ # SKIP\b/.test(line)) {
    told.passed += 1;
    told.test = undefined;
  }
  const [, said] = /^ +not ok \d+ - (.*)$/.exec(line) ?? [];
  if (said === undefined || told.test === undefined) return;
  told.failed = true;
  told.said = said.slice(0, SAID_CHARS_MAX);
  told.seed = SEED.exec(said)?.[1] ?? told.seed; // The very sequence, where the failure names it.
}

function endGroup({ pid, exitCode, signalCode }: ChildProcess): void {
  if (pid === undefined || exitCode !== null || signalCode !== null) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It ended by itself.
  }
}
