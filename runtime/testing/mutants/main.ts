// `npm run mutants`: proof that the tests can fail. See docs/mutants.md.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Mutant, PatchLost, patched } from './mutant.ts';
import { mutants } from './mutants.ts';
import { ProjectCopy, projectRoot } from './project-copy.ts';
import { type Baseline, runBaseline, tryMutant, type Verdict } from './run.ts';

const USAGE = `usage: npm run mutants -- [options]

Takes one guard of the product out at a time, on a temporary copy of the project, and runs the tests of the law that it
breaks. Exit code 0: the unpatched copy passed, and every mutant was killed by a test of its law. 1: not so. 2: wrong call.

  --only a,b   only the mutants of these names
  --list       names, laws and what each guard is for; runs nothing
  --json       one JSON document on stdout
  --help       this text
`;

interface Options {
  readonly only: readonly string[] | undefined;
  readonly list: boolean;
  readonly json: boolean;
}

async function main(args: readonly string[]): Promise<number> {
  const options = optionsOf(args);
  if (typeof options === 'number') return options;
  const chosen = mutants.filter(({ name }) => options.only?.includes(name) ?? true);
  const unknown = options.only?.filter((name) => !mutants.some((mutant) => mutant.name === name)) ?? [];
  if (unknown.length > 0) return refuse(`There is no mutant ${unknown.join(', ')}; --list shows all.\n`);
  if (options.list) return list(chosen, options.json);
  const lost = chosen.flatMap(lostPatch);
  if (lost.length > 0) {
    process.stderr.write(`${lost.join('\n')}\n`);
    return 1;
  }
  return await runAll(chosen, options.json);
}

function optionsOf(args: readonly string[]): Options | number {
  const flag = { type: 'boolean', default: false } as const;
  try {
    const { values } = parseArgs({
      args: [...args],
      options: { only: { type: 'string' }, list: flag, json: flag, help: flag },
    });
    if (!values.help) return { only: values.only?.split(','), list: values.list, json: values.json };
    process.stdout.write(USAGE);
    return 0;
  } catch (error) {
    return refuse(`${(error as Error).message}\n\n${USAGE}`);
  }
}

function refuse(why: string): number {
  process.stderr.write(why);
  return 2;
}

function list(chosen: readonly Mutant[], json: boolean): number {
  const lines = chosen.map(({ law, name, why }) => `${law.padEnd(3)} ${name.padEnd(28)} ${why}\n`);
  process.stdout.write(json ? `${JSON.stringify(chosen, undefined, 2)}\n` : lines.join(''));
  return 0;
}

/** Looked at before anything runs: all patches that fit no more, in one go. */
function lostPatch(mutant: Mutant): string[] {
  try {
    patched(mutant, readFileSync(join(projectRoot, mutant.file), 'utf8'));
    return [];
  } catch (error) {
    if (error instanceof PatchLost) return [error.message];
    throw error;
  }
}

async function runAll(chosen: readonly Mutant[], json: boolean): Promise<number> {
  const say = (line: string): void => {
    if (!json) process.stdout.write(`${line}\n`);
  };
  const copy = new ProjectCopy();
  process.once('exit', () => copy.remove());
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
  const baseline = await runBaseline(copy, chosen, (one) => say(baselineLine(one)));
  const sound = baseline.every(({ run }) => run.kind === 'passed');
  const verdicts: Verdict[] = [];
  for (const mutant of sound ? chosen : []) {
    const verdict = await tryMutant(copy, mutant);
    verdicts.push(verdict);
    say(verdictLine(verdict));
  }
  const killed = verdicts.filter(({ kind }) => kind === 'killed').length;
  say(sound ? `${killed} of ${chosen.length} killed` : 'the unpatched copy does not pass: no mutant was tried');
  if (json)
    process.stdout.write(
      `${JSON.stringify({ total: chosen.length, killed, baseline, mutants: verdicts.map(told) }, undefined, 2)}\n`,
    );
  return sound && killed === chosen.length ? 0 : 1;
}

function baselineLine({ file, law, run }: Baseline): string {
  const what = run.kind === 'passed' ? `${run.passed} tests pass` : `${run.kind}: ${run.test ?? ''} ${run.said}`;
  return `unpatched ${law.padEnd(3)} ${seconds(run.seconds)}  ${file}: ${what}`;
}

function verdictLine({ kind, mutant, file, run, seconds: took }: Verdict): string {
  const seed = run.seed === undefined ? '' : `, seed ${run.seed}`;
  const where =
    run.test === undefined ? `${file}${kind === 'survived' ? '' : `: ${run.said}`}` : `${run.test} (${file}${seed})`;
  return `${kind.padEnd(9)} ${mutant.law.padEnd(3)} ${seconds(took)}  ${mutant.name.padEnd(28)} ${where}`;
}

const seconds = (took: number): string => `${took.toFixed(1)} s`.padStart(7);

function told({ kind, mutant, file, run, seconds: took }: Verdict) {
  const { name, law, why } = mutant;
  const { test = null, said, seed = null } = run;
  return { name, law, verdict: kind, test, file, said, seed, seconds: took, source: mutant.file, why };
}

process.exitCode = await main(process.argv.slice(2));
