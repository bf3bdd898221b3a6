// `npm run trials`: named faults on a cluster of real processes. See docs/trials.md.
//
// To write a trial, read trial.ts (what a trial says and what becomes of it), stage.ts (what it is given), 01-killed-workers.ts
// (a short one), and cluster/cluster.ts and cluster/cluster-worker.ts (the verbs). Then: a file `NN-name.ts` and a line in
// trials.ts. `needs` of a tool goes into `missing`.

import { parseArgs } from 'node:util';
import { systemClock } from '../../clock.ts';
import { runTrial } from './run.ts';
import type { InvariantVerdict, Trial, TrialReport } from './trial.ts';
import { trials } from './trials.ts';

const USAGE = `usage: npm run trials -- [options]

Does what each trial says to a cluster of real processes under load, waits until it has settled, and audits it. Exit code
0: everything that was looked at held. 1: something did not. 2: wrong call.

  --only 2,5,12  only the trials of these numbers
  --seed N       of load, faults and proxies; default: drawn, and printed
  --rounds N     how often each trial does what it does, instead of its own number
  --list         numbers, names, faults and about how long; runs nothing
  --json         one JSON document per trial, each on a line of its own, on stdout
  --help         this text
`;

/** Each process that a trial starts is ended with this one. */
const PROCESSES_MAX = 100;

interface Options {
  readonly chosen: readonly Trial[];
  readonly seed: number;
  readonly rounds: number | undefined;
  readonly list: boolean;
  readonly json: boolean;
}

async function main(args: readonly string[]): Promise<number> {
  const options = optionsOf(args);
  if (typeof options === 'number') return options;
  const { chosen, seed, rounds, json } = options;
  if (options.list) return list(chosen, json);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
  process.setMaxListeners(PROCESSES_MAX);
  process.stderr.write(`seed ${seed}\n`);
  let held = true;
  for (const trial of chosen) {
    const begun = systemClock.monotonic();
    const say = (line: string): void => {
      const at = ((systemClock.monotonic() - begun) / 1_000).toFixed(1).padStart(6);
      process.stderr.write(`${String(trial.number).padStart(2)} ${at} s  ${line}\n`);
    };
    say(`${trial.name}: ${trial.fault}`);
    const report = await runTrial(trial, { seed, rounds, say });
    process.stdout.write(json ? `${JSON.stringify(report)}\n` : told(report));
    held &&= report.verdict !== 'violated';
  }
  return held ? 0 : 1;
}

function optionsOf(args: readonly string[]): Options | number {
  const flag = { type: 'boolean', default: false } as const;
  const text = { type: 'string' } as const;
  try {
    const { values } = parseArgs({
      args: [...args],
      options: { only: text, seed: text, rounds: text, list: flag, json: flag, help: flag },
    });
    if (values.help) {
      process.stdout.write(USAGE);
      return 0;
    }
    const seed = numberOf('--seed', values.seed, 0) ?? Math.floor(systemClock.random() * 1_000_000);
    return {
      chosen: chosenBy(values.only),
      seed,
      rounds: numberOf('--rounds', values.rounds, 1),
      list: values.list,
      json: values.json,
    };
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${USAGE}`);
    return 2;
  }
}

function chosenBy(only: string | undefined): readonly Trial[] {
  if (only === undefined) return trials;
  return only.split(',').map((text) => {
    const trial = trials.find(({ number }) => number === Number(text));
    if (trial === undefined) throw new Error(`There is no trial ${text}; --list shows all.`);
    return trial;
  });
}

function numberOf(name: string, text: string | undefined, least: number): number | undefined {
  if (text === undefined) return undefined;
  const number = Number(text);
  if (Number.isSafeInteger(number) && number >= least) return number;
  throw new Error(`${name} is a whole number from ${least} on, not ${text}.`);
}

function list(chosen: readonly Trial[], json: boolean): number {
  const shown = chosen.map(({ number, name, fault, expects, seconds }) => ({ number, name, fault, expects, seconds }));
  const lines = shown.map(
    ({ number, name, fault, expects, seconds }) =>
      `${String(number).padStart(2)}  ${name.padEnd(24)} ${`${seconds} s`.padStart(6)}  ${fault}; ${expects}\n`,
  );
  process.stdout.write(json ? `${JSON.stringify(shown, undefined, 2)}\n` : lines.join(''));
  return 0;
}

function told({
  trial,
  name,
  seed,
  verdict,
  counts,
  invariants,
  numbers,
  reasons,
  seconds,
  evidence,
}: TrialReport): string {
  const { ok, refused, rejected, unknown } = counts;
  const lines = [
    `${trial} ${name}: ${verdict} in ${seconds} s, seed ${seed}`,
    `   asked: ${ok} ok, ${refused} refused, ${rejected} rejected, ${unknown} unknown`,
    `   ${Object.entries(invariants).map(invariantWords).join('  ')}`,
    ...numbers.map((one) => `   ${one.name}: ${one.value} ${one.unit}`),
    ...reasons.map((reason) => `   ! ${reason.split('\n', 1)[0]}`),
    ...(evidence === undefined ? [] : [`   evidence: ${evidence}`]),
  ];
  return `${lines.join('\n')}\n`;
}

const invariantWords = ([id, verdict]: readonly [string, InvariantVerdict]): string => {
  if ('notLookedAt' in verdict) return `${id} -`;
  const doubts = verdict.undecided > 0 ? `, ${verdict.undecided} undecided` : '';
  return `${id} ${verdict.violations === 0 ? `${verdict.checked}` : `${verdict.violations} VIOLATIONS`}${doubts}`;
};

process.exitCode = await main(process.argv.slice(2));
