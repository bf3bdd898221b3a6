// Ways to lose a shard without being asked.

import { InvariantBroken, OperatingError, OutcomeUnknown } from '../errors.ts';

/**
 * All but `fenced` and `law-broken` may be claimed anew at once, if lock and assignment still name us (L2). After `law-broken`
 * nothing that this process believes is to be trusted: it ends.
 */
export type Loss = 'fenced' | 'rewound' | 'unknown' | 'broken' | 'law-broken';

/** L3: somebody else owns the shard. Normal, and no error to anyone outside. */
export class Fenced extends Error {
  constructor() {
    super('fenced: another owner has claimed the shard');
    this.name = 'Fenced';
  }
}

/** C2: the server's head is not the one we left it at: it lost its tail, or ours is a copy of somebody's past. */
export class Rewound extends Error {
  constructor(expected: number, found: number, what = 'journal head') {
    super(`rewound: expected ${what} ${expected}, found ${found}`);
    this.name = 'Rewound';
  }
}

/** What was to be told has no inbox to stand in: the claim that follows says so, and the shard stays closed until it is back. */
export class InboxGone extends Error {
  constructor() {
    super('the inbox is gone from Redis');
    this.name = 'InboxGone';
  }
}

/** What an error in the loop of a shard means for the shard. */
export function lossOf(why: unknown): Loss {
  if (why instanceof Fenced) return 'fenced';
  if (why instanceof Rewound || why instanceof InboxGone) return 'rewound';
  if (why instanceof OutcomeUnknown) return 'unknown';
  if (why instanceof OperatingError) return why.code === 'no-group' ? 'fenced' : 'unknown';
  if (why instanceof InvariantBroken) return 'law-broken';
  return 'broken';
}
