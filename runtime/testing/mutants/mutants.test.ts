// Goal: no mutant is disarmed unseen. Method: every patch is held against the sources; one mutant is killed, and one that is no
// fault survives, end to end on a copy of the project.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { type Mutant, PatchLost, patched } from './mutant.ts';
import { mutants } from './mutants.ts';
import { ProjectCopy, projectRoot } from './project-copy.ts';
import { runBaseline, tryMutant } from './run.ts';

const sourceOf = (file: string): string => readFileSync(join(projectRoot, file), 'utf8');

t.test('every patch stands exactly once in its file and changes it', async (t) => {
  for (const mutant of mutants) {
    const source = sourceOf(mutant.file);
    t.not(patched(mutant, source), source, mutant.name);
  }
});

t.test('names are unique, and every named test file exists and has a test of the law', async (t) => {
  const names = mutants.map(({ name }) => name);
  t.same(names, [...new Set(names)]);
  for (const { name, law, tests } of mutants) {
    t.ok(tests.length > 0, `${name} names a test file`);
    for (const file of tests) {
      t.ok(existsSync(join(projectRoot, file)), `${name}: ${file}`);
      t.match(
        sourceOf(file),
        new RegExp(`'([A-Z]\\d, )*${law}(, [A-Z]\\d)*: `),
        `${name}: a test of ${law} in ${file}`,
      );
    }
  }
});

t.test('a patch whose text is gone, or stands twice, is refused by name', async (t) => {
  const mutant: Mutant = { name: 'x', law: 'L3', file: 'a.lua', find: 'check()', replace: '', tests: [], why: '' };
  t.equal(patched(mutant, 'one check() two'), 'one  two');
  for (const [source, times] of [
    ['nothing', 0],
    ['check() check()', 2],
  ] as const)
    t.throws(
      () => patched(mutant, source),
      new PatchLost(`mutant x: its text stands ${times} times in a.lua, expected once:\n  check()`),
    );
});

t.test(
  'a mutant is killed by a test of its law, a patch that changes nothing survives, and the copy is mended',
  async (t) => {
    const copy = new ProjectCopy();
    t.teardown(() => copy.remove());
    const mutant = mutants.find(({ name }) => name === 'send-key-reuse') as Mutant; // About the cheapest.
    const baseline = await runBaseline(copy, [mutant], () => undefined);
    t.match(baseline, [{ run: { kind: 'passed' } }]);
    t.match(await tryMutant(copy, mutant), { kind: 'killed', run: { test: /^M1: / } });
    t.match(await tryMutant(copy, { ...mutant, replace: mutant.find }), { kind: 'survived' });
    t.match(
      await tryMutant(copy, { ...mutant, replace: 'this is no Lua' }),
      { kind: 'broken' },
      'what does not even load proves nothing',
    );
    for (const path of [mutant.file, `build/${mutant.file}`])
      t.equal(readFileSync(join(copy.root, path), 'utf8'), sourceOf(mutant.file));
  },
);
