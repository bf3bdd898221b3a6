// Which test takes which transition: the test files of the charts are run with a recorder, and what they saw is put together.

import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';
import { idsOf, nameOf, specified, transitionsOf } from '../../state-machines/anatomy.ts';
import { projectRoot } from '../project.ts';
import { compiledFiles, type FoundChart, findCharts } from './found.ts';
import type { Recorded } from './recording.ts';

export interface Coverage {
  /** By number of the specification, all of them: the tests that take it, with the file of each. */
  readonly ids: ReadonlyMap<string, readonly string[]>;
  /** Numbers that no test takes. */
  readonly gaps: readonly string[];
  /** Numbers that stand in a chart and not in the specification, with the transition. */
  readonly unknown: readonly string[];
  /** Transitions without a number that no test takes. */
  readonly untaken: readonly string[];
  readonly files: readonly string[];
}

const AT_ONCE = 2; // Test files that run side by side.

/** Runs every test that walks a chart. Throws when one of them fails: what a broken test took proves nothing. */
export async function coverTransitions(): Promise<Coverage> {
  const files = compiledFiles().filter(walksCharts);
  const folder = mkdtempSync(join(tmpdir(), 'emboss-transitions-'));
  try {
    const recorded: { file: string; saw: Recorded }[] = [];
    const queue = files.map((file, i) => ({ file, to: join(folder, `${i}.json`) }));
    const lane = async (): Promise<void> => {
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
        await record(next.file, next.to);
        recorded.push({ file: next.file, saw: JSON.parse(readFileSync(next.to, 'utf8')) as Recorded }); // Our own file.
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, lane));
    return summed(recorded, await findCharts(), files);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const walksCharts = (file: string): boolean =>
  file.endsWith('.test.js') &&
  /from '\.[^']*\/(walk|walks|ways)\.js'/.test(readFileSync(join(projectRoot, 'build', file), 'utf8'));

function record(file: string, to: string): Promise<void> {
  const recorder = pathToFileURL(join(projectRoot, 'build/cli/charts/recording.js'));
  recorder.searchParams.set('to', pathToFileURL(to).href);
  const test = join(projectRoot, 'build', file);
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--import', recorder.href, test], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    child.once('error', reject);
    child.once('exit', (code) =>
      code === 0 ? resolve() : reject(new Error(`${file} fails (exit code ${code}): mend it first, then count`)),
    );
  });
}

function summed(
  recorded: readonly { file: string; saw: Recorded }[],
  charts: readonly FoundChart[],
  files: readonly string[],
): Coverage {
  const ids = new Map<string, string[]>(specified.map((id) => [id, []]));
  const names = new Set(recorded.flatMap(({ saw }) => Object.keys(saw.names)));
  for (const { file, saw } of recorded)
    for (const [id, tests] of Object.entries(saw.ids)) {
      const source = file.replace(/^state-machines\//, '').replace(/\.test\.js$/, '');
      ids.get(id)?.push(...tests.map((test) => `${source}: ${test}`));
    }
  const all = charts.flatMap(({ machine }) => transitionsOf(machine));
  return {
    ids,
    gaps: [...ids].filter(([, tests]) => tests.length === 0).map(([id]) => id),
    unknown: all.flatMap((each) =>
      idsOf(each)
        .filter((id) => !ids.has(id))
        .map((id) => `${id}: ${nameOf(each)}`),
    ),
    untaken: all
      .filter((each) => idsOf(each).length === 0 && !isForbidden(each) && !names.has(nameOf(each)))
      .map(nameOf),
    files,
  };
}

/** `EVENT: {}` selects nothing to do: it keeps an event from an outer state. */
const isForbidden = ({
  target,
  actions,
}: {
  readonly target?: unknown;
  readonly actions: readonly unknown[];
}): boolean => target === undefined && actions.length === 0;
