// `npm run simulate`: whole clusters with their faults, each from a seed. See docs/simulation.md.

import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { systemClock } from '../../clock.ts';
import { type FaultKind, faultKinds } from './faults.ts';
import { type RunResult, simulate } from './run.ts';
import { openStage } from './stage.ts';
import { play, replay, Tally, writeTrace } from './sweep.ts';

const USAGE = `usage: npm run simulate -- [options]

Plays simulated runs of the real runtime: workers, clients, partners and faults of one seed each, in virtual time, on a
private Redis server. Exit code 0: no run violated anything. 1: one did. 2: wrong call.

  --seeds n    how many seeds (200)
  --from n     the first of them (1)
  --steps n    steps with faults, before all has to come to rest (300)
  --faults a,b only faults of these kinds; 'none' for no faults
  --jobs n     processes that share the seeds, each with a server of its own (1)
  --twice      each seed twice: both runs must be the same
  --seed n     one seed
  --trace      with --seed: every step, reply and log line on stdout
  --json       one JSON document on stdout
  --help       this text
`;

interface Options {
  readonly from: number;
  readonly seeds: number;
  readonly steps: number;
  readonly kinds: readonly FaultKind[] | undefined;
  readonly jobs: number;
  /** Which of every `jobs` seeds are this process's share. */
  readonly share: number;
  readonly twice: boolean;
  readonly trace: boolean;
  readonly json: boolean;
}

const TRACES = '.data/simulation';
const PROGRESS_MS = 5_000;
const JOBS_MAX = 16;

async function main(args: readonly string[]): Promise<number> {
  let options: Options | undefined;
  try {
    options = optionsOf(args);
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${USAGE}`);
    return 2;
  }
  if (options === undefined) {
    process.stdout.write(USAGE);
    return 0;
  }
  if (options.trace) return await trace(options);
  if (process.send !== undefined) return await playShare(options, (result) => process.send?.(result));
  return await playAll(options, args);
}

function optionsOf(args: readonly string[]): Options | undefined {
  const flag = { type: 'boolean', default: false } as const;
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    args: [...args],
    options: {
      ...{ seeds: text, from: text, steps: text, faults: text, jobs: text, seed: text, share: text },
      ...{ twice: flag, trace: flag, json: flag, help: flag },
    },
  });
  if (values.help) return undefined;
  const { twice, trace: traced, json } = values;
  const seed = values.seed === undefined ? undefined : whole('--seed', values.seed, 0);
  if (traced && seed === undefined) throw new Error('--trace shows one seed: give it with --seed');
  return {
    ...{ twice, json, trace: traced },
    from: seed ?? whole('--from', values.from ?? '1', 0),
    seeds: seed === undefined ? whole('--seeds', values.seeds ?? '200', 1) : 1,
    steps: whole('--steps', values.steps ?? '300', 1),
    kinds: values.faults === undefined ? undefined : kindsOf(values.faults),
    jobs: Math.min(JOBS_MAX, whole('--jobs', values.jobs ?? '1', 1)),
    share: whole('--share', values.share ?? '0', 0),
  };
}

function whole(name: string, text: string, least: number): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= least) return value;
  throw new Error(`${name} is a whole number from ${least} on, got "${text}"`);
}

function kindsOf(text: string): readonly FaultKind[] {
  const kinds = text === 'none' ? [] : text.split(',');
  const unknown = kinds.filter((kind) => !(faultKinds as readonly string[]).includes(kind));
  if (unknown.length > 0) throw new Error(`no such fault: ${unknown.join(', ')}; there are ${faultKinds.join(', ')}`);
  return kinds as readonly FaultKind[]; // Checked one by one.
}

const runOptions = ({ steps, kinds }: Options) => ({ steps, ...(kinds === undefined ? {} : { kinds }) });

async function trace(options: Options): Promise<number> {
  const stage = await openStage();
  const onStep = (line: string): void => void process.stdout.write(`${line}\n`);
  const result = await simulate(stage.executor, { seed: options.from, ...runOptions(options), onStep });
  process.stdout.write(`${JSON.stringify(result, undefined, 2)}\n`);
  await stage.close();
  return result.violations.length === 0 ? 0 : 1;
}

/** This process's share of the seeds. */
async function playShare(options: Options, tell: (result: RunResult) => void): Promise<number> {
  const stage = await openStage();
  let violated = 0;
  for (let i = options.share; i < options.seeds; i += options.jobs) {
    const seed = options.from + i;
    const result = await play(stage, seed, { ...runOptions(options), twice: options.twice });
    tell(result);
    if (result.violations.length === 0) continue;
    violated += 1;
    if (violated > 5) continue; // Enough traces to see a pattern.
    const path = await writeTrace(stage, TRACES, { seed, ...runOptions(options) });
    process.stderr.write(`trace of seed ${seed}: ${path}\n`);
  }
  await stage.close();
  return violated === 0 ? 0 : 1;
}

async function playAll(options: Options, args: readonly string[]): Promise<number> {
  const tally = new Tally();
  const begun = systemClock.monotonic();
  let told = begun;
  const tell = (result: RunResult): void => {
    tally.add(result);
    if (result.violations.length > 0 && !options.json) process.stdout.write(failure(result, options));
    const now = systemClock.monotonic();
    if (now - told < PROGRESS_MS) return;
    told = now;
    process.stderr.write(`${tally.seeds} of ${options.seeds} seeds, ${tally.failed.length} failed\n`);
  };
  if (options.jobs === 1) await playShare(options, tell);
  else await Promise.all(Array.from({ length: options.jobs }, (_, share) => playInChild(args, share, tell)));
  const seconds = Math.round((systemClock.monotonic() - begun) / 100) / 10;
  if (options.json) process.stdout.write(`${JSON.stringify({ seconds, ...tally.report() }, undefined, 2)}\n`);
  else process.stdout.write(summary(tally, seconds));
  return tally.failed.length === 0 && tally.seeds === options.seeds ? 0 : 1;
}

function playInChild(args: readonly string[], share: number, tell: (result: RunResult) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = fork(fileURLToPath(import.meta.url), [...args, '--share', String(share)], { execArgv: [] });
    process.once('exit', () => child.kill('SIGTERM'));
    child.on('message', (result) => tell(result as RunResult)); // Sent by playShare.
    child.once('error', reject);
    child.once('exit', () => resolve());
  });
}

function failure({ seed, violations }: RunResult, { steps, kinds }: Options): string {
  const faults = kinds === undefined ? '' : ` --faults ${kinds.join(',')}`;
  const [first = '', ...rest] = violations;
  const more = rest.map((one) => `  ${one}\n`).join('');
  return `seed ${seed} failed: ${first}\n${more}  replay: ${replay(seed, steps)}${faults}\n`;
}

function summary(tally: Tally, seconds: number): string {
  const { seeds, steps, operations, entries, virtualMs, faults, answers, failed } = tally.report();
  const list = (counts: Readonly<Record<string, number>>): string =>
    Object.entries(counts)
      .map(([name, count]) => `${name} ${count}`)
      .join(', ');
  return [
    `${seeds} seeds, ${failed.length} failed; ${seconds} s, ${Math.round(virtualMs / 1_000)} s of virtual time`,
    `${steps} steps, ${operations} operations of clients, ${entries} journal entries`,
    `faults: ${list(faults)}`,
    `answers: ${list(answers)}`,
    '',
  ].join('\n');
}

process.exitCode = await main(process.argv.slice(2));
