// Loaded before a test file (`node --import …/recording.js?to=<file> <test file>`): notes which test takes which transition.
//
// One line of JSON at the end of the process: by transition, the names of the tests. Nothing in the charts or their tests
// knows of it.

import { writeFileSync } from 'node:fs';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import tap from 'tap';
import { CREATION, idsOf, nameOf } from '../../state-machines/anatomy.ts';
import { watchWalks } from '../../state-machines/walk.ts';

/** What one process saw: of each transition, by number and by name, the tests that took it. */
export interface Recorded {
  readonly ids: { readonly [id: string]: readonly string[] };
  readonly names: { readonly [name: string]: readonly string[] };
}

const ids = new Map<string, Set<string>>();
const names = new Map<string, Set<string>>();
let test = '';

const note = (map: Map<string, Set<string>>, key: string): void => {
  const tests = map.get(key) ?? new Set();
  map.set(key, tests.add(test));
};

tap.beforeEach((t) => {
  test = t.fullname.slice(tap.fullname.length).replace(/^ > /, '');
});
watchWalks((chart, taken) => {
  if (taken.length === 0) note(ids, CREATION[chart.id] ?? '');
  for (const transition of taken) {
    note(names, nameOf(transition));
    for (const id of idsOf(transition)) note(ids, id);
  }
});

const plain = (map: Map<string, Set<string>>): Record<string, string[]> =>
  Object.fromEntries([...map].filter(([key]) => key !== '').map(([key, tests]) => [key, [...tests]]));
process.once('exit', () => {
  const to = new URL(import.meta.url).searchParams.get('to');
  const recorded: Recorded = { ids: plain(ids), names: plain(names) };
  if (to !== null) writeFileSync(fileURLToPath(to), JSON.stringify(recorded));
});
