// Rotation of keys: of the master keys over all persons' keys, and of persons' keys over their records.
//
// Both walk 256 lists of persons, one after the other, and change what is not as it should be. So a walk that was cut off is
// begun again and passes over what was done; one that meets a person who is being written to tries again there.

import type { Cabinet } from './cabinet.ts';

export interface Rotation {
  /** Id of the master key under which new keys are wrapped. */
  readonly current: string;
  /** Wraps every person's key with the current master key. `progress` is told after each list. */
  rotate(progress?: (done: RotationCount) => void): Promise<RotationCount>;
  /** Gives one person, or everybody, another key, and writes all records anew under it. */
  rekey(who: { readonly userId: string } | 'all', progress?: (done: RotationCount) => void): Promise<RotationCount>;
  /** Persons' keys by the id of the master key that wraps them. */
  status(): Promise<ReadonlyMap<string, number>>;
}

export interface RotationCount {
  readonly persons: number;
  readonly changed: number;
  /** Written anew. */
  readonly records: number;
  /** Persons whose key did not open, with the code of why. The walk went on; at most 100 are named. */
  readonly failed: readonly { readonly person: string; readonly code: string }[];
}

const LISTS = 256;
const FAILED_MAX = 100;
const AT_ONCE = 16; // Persons in hand: a KMS is asked twice for each.

export function rotation(cabinet: Cabinet): Rotation {
  const walk = async (
    each: (person: string) => Promise<number | undefined>,
    progress: ((done: RotationCount) => void) | undefined,
  ): Promise<RotationCount> => {
    let count: RotationCount = { persons: 0, changed: 0, records: 0, failed: [] };
    for (let list = 0; list < LISTS; list += 1) {
      const persons = await cabinet.persons(list);
      for (let at = 0; at < persons.length; at += AT_ONCE) {
        const results = await Promise.all(persons.slice(at, at + AT_ONCE).map((person) => tried(each, person)));
        for (const result of results) count = sum(count, result);
      }
      if (persons.length > 0) progress?.(count);
    }
    return count;
  };
  return {
    current: cabinet.kms.current,
    rotate: (progress) => walk(async (person) => ((await cabinet.rewrap(person)) ? 0 : undefined), progress),
    async rekey(who, progress) {
      if (who === 'all') return walk((person) => cabinet.rekey(person), progress);
      const records = await cabinet.rekey(cabinet.personOf(who.userId));
      return sum({ persons: 0, changed: 0, records: 0, failed: [] }, records);
    },
    async status() {
      const counts = new Map<string, number>();
      await walk(async (person) => {
        const master = await cabinet.masterOf(person);
        if (master !== undefined) counts.set(master, (counts.get(master) ?? 0) + 1);
        return undefined;
      }, undefined);
      return counts;
    },
  };
}

type Result = number | undefined | { readonly person: string; readonly code: string };

/** A key that does not open stands in nobody else's way; a store that does not answer does. */
async function tried(each: (person: string) => Promise<number | undefined>, person: string): Promise<Result> {
  try {
    return await each(person);
  } catch (error) {
    const { code } = error as { readonly code?: string };
    if (code === 'key-damaged' || code === 'master-key-unknown' || code === 'record-damaged') return { person, code };
    throw error;
  }
}

function sum(count: RotationCount, result: Result): RotationCount {
  const { persons, changed, records, failed } = count;
  if (typeof result === 'object')
    return { ...count, persons: persons + 1, failed: [...failed, result].slice(0, FAILED_MAX) };
  return {
    persons: persons + 1,
    changed: changed + (result === undefined ? 0 : 1),
    records: records + (result ?? 0),
    failed,
  };
}
