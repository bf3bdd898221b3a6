// Trial 5: the auditor can fail. Copies of the build without the guards that stop a deposed owner are played the worst moment
// of trial 2; the auditor must find each copy out, and have nothing to say of the build as it is.
//
// One guard taken out is not enough here, since others stand behind it: a commit of a dead token also expects a head that is
// gone, reads through a group that is destroyed, and takes entries that are handled. So each mutant lacks all that is meant to
// do one thing. That each guard alone is missed by a test is what `npm run mutants` shows.

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { systemClock } from '../../clock.ts';
import type { Mutant } from '../mutants/mutant.ts';
import { mutants } from '../mutants/mutants.ts';
import { ProjectCopy, projectRoot } from '../mutants/project-copy.ts';
import { deposedOwner } from './deposed-owner.ts';
import type { Stage } from './stage.ts';
import { INVARIANTS, type InvariantId, type Trial, type TrialReport } from './trial.ts';

const SEEDS_MAX = 5; // Of one mutant; the first should do.
const RUN_MS_MAX = 90_000; // A run takes 11 s, one that comes to a standstill 30 s more.

interface Unguarded {
  readonly name: string;
  readonly without: readonly Mutant[];
  /** One of them must be found violated. */
  readonly found: readonly InvariantId[];
}

const named = (...names: readonly string[]): readonly Mutant[] =>
  names.map((name) => {
    const mutant = mutants.find((one) => one.name === name);
    if (mutant === undefined) throw new Error(`there is no mutant ${name}`);
    return mutant;
  });

const TOKEN = ['commit-token', 'commit-head', 'claim-old-group'];
const SEQUENCE = ['commit-sequence-long', 'commit-sequence-short'];

/** A worker that gets a shard again goes on with what it held of it: the sequence is what tells that it is stale. */
const keptResidents: readonly Mutant[] = [
  ['  readonly #residents = new Map<ActorId, Resident>();\n', '  #residents = new Map<ActorId, Resident>();\n'],
  [
    '    this.shard = shard;\n',
    '    this.shard = shard;\n    const all = ((globalThis as any).kept ??= new Map());\n    this.#residents = all.get(shard) ?? this.#residents;\n    all.set(shard, this.#residents);\n',
  ],
  ['    this.#residents.clear();\n', ''],
].map(([find = '', replace = ''], index) => ({
  name: `kept-residents-${index + 1}`,
  law: 'L3',
  file: 'runtime/commit/open-shard.ts',
  find,
  replace,
  tests: [],
  why: 'what is held of a shard is dropped with it',
}));

const unguarded: readonly Unguarded[] = [
  { name: 'without the token check', without: named(...TOKEN), found: ['I6'] },
  { name: 'without the sequence check', without: [...named(...SEQUENCE), ...keptResidents], found: ['I3', 'I7'] },
  {
    name: 'without both',
    // The same text guards sequence and repeats in the short way: here without either.
    without: [...named(...TOKEN, 'commit-sequence-long', 'commit-duplicate-long'), shortWay()],
    found: ['I3', 'I7'],
  },
];

function shortWay(): Mutant {
  const [sequence] = named('commit-sequence-short');
  if (sequence === undefined) throw new Error('unreachable');
  return {
    ...sequence,
    name: 'commit-stale-short',
    find: 'if sequence ~= before or position <= tonumber(last) or ',
    replace: 'if ',
  };
}

export const mutantCheck: Trial = {
  number: 5,
  name: 'mutants',
  fault: `${deposedOwner.fault}, on copies of the build ${unguarded.map(({ name }) => name).join(', ')}`,
  expects: 'the auditor finds every copy out: I6, I3 or I7; and nothing in the build as it is',
  seconds: 150,
  async run(stage) {
    const control = await playedBy(stage, projectRoot, stage.seed);
    if (control === undefined) throw new Error(`the build as it is was not through within ${RUN_MS_MAX} ms`);
    stage.expect(control.verdict === 'held', `the build as it is: ${control.verdict}: ${control.reasons.join('; ')}`);
    stage.measure('the build as it is', violated(control).length, 'violated invariants');
    stage.tell(control.counts);
    for (const id of INVARIANTS) stage.invariants.set(id, control.invariants[id]);
    const copy = new ProjectCopy();
    stage.atEnd(async () => copy.remove());
    for (const one of unguarded) {
      copy.putAll(one.without);
      const seeds = await seedsToDetection(stage, copy, one);
      copy.mendAll(one.without);
      stage.measure(`${one.name}: found`, seeds, 'seeds');
    }
  },
};

/** How many seeds it took until the auditor saw it. */
async function seedsToDetection(stage: Stage, copy: ProjectCopy, { name, found }: Unguarded): Promise<number> {
  const seen: string[] = [];
  for (let i = 0; i < stage.rounds(SEEDS_MAX); i += 1) {
    const report = await playedBy(stage, copy.root, stage.seed + i);
    const ids = report === undefined ? [] : violated(report);
    const saw = report === undefined ? 'it stood still' : `${ids.join(' ') || 'nothing'} violated`;
    stage.say(`${name}, seed ${stage.seed + i}: ${saw}`);
    if (ids.some((id) => found.includes(id))) return i + 1;
    seen.push(`${stage.seed + i}: ${saw}`);
  }
  stage.violated(`${name}: the auditor did not find ${found.join(' or ')}; by seed: ${seen.join(', ')}`);
  return stage.rounds(SEEDS_MAX) + 1;
}

const violated = ({ invariants }: TrialReport): readonly InvariantId[] =>
  (Object.keys(invariants) as InvariantId[]).filter((id) => {
    const verdict = invariants[id];
    return 'violations' in verdict && verdict.violations > 0;
  });

/** Plays deposed-owner.ts in a process of the build at `root`. Undefined when it was not through in time. */
async function playedBy(stage: Stage, root: string, seed: number): Promise<TrialReport | undefined> {
  const path = `${root}/build/runtime/testing/trials/deposed-owner.js`;
  const child = spawn(process.execPath, [path, '--seed', String(seed)], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const end = (): void => void child.kill('SIGTERM');
  process.once('exit', end);
  stage.atEnd(async () => end());
  let isLate = false;
  const cancel = systemClock.after(RUN_MS_MAX, () => {
    isLate = true;
    end();
  });
  let [last, told] = ['', ''];
  createInterface(child.stderr).on('line', (line) => (last = line));
  for await (const line of createInterface(child.stdout)) told = line;
  cancel();
  process.off('exit', end);
  if (isLate) return undefined;
  if (told === '') throw new Error(`no report of ${path}, seed ${seed}; its last words: ${last}`);
  return JSON.parse(told) as TrialReport; // Written by deposed-owner.ts.
}
