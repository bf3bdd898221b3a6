// Seeded random histories: members that come and go, a few around a number of workers.

import { workerId } from '../../runtime/ids.ts';
import type { RingMember } from '../../runtime/shards/ring.ts';

export type Weights = 'equal' | 'half double';

/** Lists of members; each differs from the one before by one that joined or left. */
export type History = readonly (readonly RingMember[])[];

export const CHANGES = 6; // Enough that a placement remembers more than its own beginning.
const SWING = 2; // So far from the number of workers it wanders.
const ID_FACTOR = 1.5; // Ids to choose from, per worker: gaps in the row, as after failures.

/** Every second id has weight 2 with `half double`. */
export const memberOf = (number: number, weights: Weights): RingMember => ({
  worker: workerId(`ordering.${number}`),
  weight: weights === 'half double' && number % 2 === 0 ? 2 : 1,
});

/** One history of `CHANGES` joins and leaves that begins with `workers` members. */
export function randomHistory(workers: number, weights: Weights, random: () => number): History {
  const pick = (n: number): number => Math.floor(random() * n);
  const ids = Math.ceil(workers * ID_FACTOR) + SWING;
  const absent = Array.from({ length: ids }, (_, i) => memberOf(i + 1, weights));
  let members: RingMember[] = [];
  const join = (): void => {
    members = [...members, ...absent.splice(pick(absent.length), 1)];
  };
  const leave = (): void => {
    const at = pick(members.length);
    absent.push(...members.slice(at, at + 1));
    members = members.toSpliced(at, 1);
  };
  for (let i = 0; i < workers; i += 1) join();
  const history = [members];
  for (let i = 0; i < CHANGES; i += 1) {
    const low = Math.max(1, workers - SWING);
    if (members.length === low || (members.length < workers + SWING && random() < 0.5)) join();
    else leave();
    history.push(members);
  }
  return history;
}
