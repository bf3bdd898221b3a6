// The charts there are: what the compiled modules of state-machines export.

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Chart, isChart } from '../../state-machines/anatomy.ts';
import { projectRoot } from '../project.ts';

/** A chart, and where its text stands, from the root of the project. */
export interface FoundChart {
  readonly machine: Chart;
  readonly file: string;
}

const ROOM = 'state-machines';

/** Compiled files of the charts' room, from build/, sorted. */
export function compiledFiles(): readonly string[] {
  return readdirSync(join(projectRoot, 'build', ROOM), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.js'))
    .map((path) => join(ROOM, path))
    .sort();
}

/** Every chart once, the order and the delivery first. */
export async function findCharts(): Promise<readonly FoundChart[]> {
  const found = new Map<string, FoundChart>();
  for (const path of compiledFiles().filter((each) => !each.endsWith('.test.js'))) {
    const exported = (await import(pathToFileURL(join(projectRoot, 'build', path)).href)) as Record<string, unknown>;
    for (const machine of Object.values(exported))
      if (isChart(machine) && !found.has(machine.id))
        found.set(machine.id, { machine, file: path.replace(/\.js$/, '.ts') });
  }
  const rank = ({ machine: { id } }: FoundChart): string => (id === 'order' ? '0' : id === 'delivery' ? '1' : id);
  return [...found.values()].sort((a, b) => (rank(a) < rank(b) ? -1 : 1));
}
