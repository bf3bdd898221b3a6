// The charts a host knows, by name and by stored version.

import { OperatingError } from '../errors.ts';
import type { Hosted } from '../hosting.ts';
import type { Behaviour } from './behaviour.ts';
import { compile } from './chart.ts';

export interface Charts {
  readonly all: readonly Behaviour[];
  /** Throws OperatingError `machine-unknown`. */
  byName(machine: string): Behaviour;
  /** The behaviour that can restore this text; throws OperatingError `version-missing` (M5: stalled). */
  forStored(stored: string): Behaviour;
}

/** Compiles and checks every registration; the first that cannot be hosted throws NotHostable. */
export function charts(hosted: readonly Hosted[]): Charts {
  const behaviours = new Map<string, Behaviour>();
  for (const one of hosted) {
    if (behaviours.has(one.name))
      throw new OperatingError('machine-twice', `machine "${one.name}" is registered twice`);
    behaviours.set(one.name, compile(one));
  }
  const byName = (machine: string): Behaviour => {
    const found = behaviours.get(machine);
    if (found !== undefined) return found;
    throw new OperatingError(
      'machine-unknown',
      `no machine "${machine}" is hosted here; known: ${[...behaviours.keys()].join(', ')}`,
    );
  };
  return {
    all: [...behaviours.values()],
    byName,
    forStored(stored) {
      const { machine, version } = JSON.parse(stored) as { machine: string; version: string };
      const found = behaviours.get(machine);
      if (found !== undefined) return found; // `restore` compares version and hash.
      throw new OperatingError(
        'version-missing',
        `the actor was stored by ${machine}@${version}, which is not hosted here`,
      );
    },
  };
}
