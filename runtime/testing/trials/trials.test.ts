// Goal: trials find what is wrong and nothing else, and say it. Method: a short slice of two trials under a fixed seed; a trial
// that damages what is stored; one that cannot run; the command line.

import { execFile } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import t from 'tap';
import { actorId, namespace } from '../../ids.ts';
import { shardKeys } from '../../redis/keys.ts';
import { askRedis } from '../redis-probe.ts';
import { runTrial } from './run.ts';
import { INVARIANTS, type Trial } from './trial.ts';
import { trials } from './trials.ts';

const SEED = 4711;
const said: string[] = [];
const say = (line: string): void => void said.push(line);
const numbered = (number: number): Trial => trials.find((one) => one.number === number) as Trial;

for (const [number, rounds] of [
  [1, 1],
  [6, 1],
] as const) {
  const trial = numbered(number);
  t.test(`a short trial ${trial.number}, ${trial.name}, holds and looks at every invariant`, async (t) => {
    const report = await runTrial(trial, { seed: SEED, rounds, say });
    t.equal(report.verdict, 'held', `seed ${SEED}: ${report.reasons.join('; ')}`);
    for (const id of INVARIANTS)
      t.match(report.invariants[id], { checked: Number, violations: 0, undecided: 0 }, `${id} was looked at`);
    t.ok(report.counts.ok > 20 && report.numbers.length > 1);
    t.match(report, { trial: number, seed: SEED, durability: 'memory', evidence: undefined });
    t.match(report.versions, { redis: /^\d+\.\d+\.\d+$/, emboss: /^\d/ });
  });
}

t.test('what the system lost is found, and the evidence is kept where the report says', async (t) => {
  const thief: Trial = {
    ...numbered(6),
    name: 'thief',
    async run(stage) {
      const cluster = await stage.cluster({ workers: 1, shards: 2 });
      const { load } = await stage.load(cluster);
      const [actor = actorId('none')] = load.counting;
      await cluster.until('it exists', () => cluster.client().read(actor));
      await load.stop();
      await cluster.settled();
      const keys = shardKeys(namespace('one'), cluster.client().shardOf(actor));
      await askRedis(cluster.server().url, ['XDEL', keys.journal, '0-3']);
      await stage.finish(cluster);
    },
  };
  const report = await runTrial(thief, { seed: SEED, say });
  t.equal(report.verdict, 'violated');
  t.ok(
    report.reasons.some((reason) => /^I3: .*/.test(reason)),
    report.reasons.join('; '),
  );
  t.ok((report.invariants.I3 as { readonly violations: number }).violations > 0);
  const folder = report.evidence ?? '';
  t.ok(JSON.parse(readFileSync(join(folder, 'history-1.json'), 'utf8')).length > 20, 'what clients did');
  for (const name of ['journal-1-one.json', 'ledger-1.json', 'audit-1.json', 'reasons.txt'])
    t.ok(existsSync(join(folder, name)), name);
  rmSync(folder, { recursive: true });
});

t.test('a trial that cannot run says why; one that does not come to its end is no success', async (t) => {
  const none = { ...numbered(6), missing: () => 'there is no such tool here' };
  const notRun = await runTrial(none, { seed: 1, say });
  t.match(notRun, { verdict: 'not-run', reasons: ['there is no such tool here'], evidence: undefined });
  t.match(notRun.invariants.I1, { notLookedAt: String });
  const stuck = { ...numbered(6), run: async () => Promise.reject(new Error('it does not come')) };
  const violated = await runTrial(stuck, { seed: 1, say });
  t.match(violated, { verdict: 'violated', reasons: [/did not come to its end: Error: it does not come/] });
  rmSync(violated.evidence ?? '', { recursive: true });
});

t.test('the command line: what there is, and wrong calls', async (t) => {
  const main = fileURLToPath(new URL('main.js', import.meta.url));
  const call = (...args: readonly string[]) =>
    promisify(execFile)(process.execPath, [main, ...args]).then(
      ({ stdout }) => ({ code: 0, stdout, stderr: '' }),
      (error: { code: number; stdout: string; stderr: string }) => error,
    );
  const [help, listed, unknown, seed] = await Promise.all([
    call('--help'),
    call('--list', '--json'),
    call('--only', '1,999'),
    call('--seed', 'x'),
  ]);
  t.match(help, { code: 0, stdout: /usage: npm run trials/ });
  const list = JSON.parse(listed.stdout) as readonly Trial[];
  t.same(
    list.map(({ number }) => number),
    trials.map(({ number }) => number),
  );
  t.same(
    list.map(({ number }) => number),
    [...new Set(list.map(({ number }) => number))].sort((a, b) => a - b),
    'each once, in order',
  );
  t.match(unknown, { code: 2, stderr: /There is no trial 999/ });
  t.match(seed, { code: 2, stderr: /--seed is a whole number/ });
});
