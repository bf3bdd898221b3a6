// All trials, by number.

import { killedWorkers } from './01-killed-workers.ts';
import { zombieOwner } from './02-zombie-owner.ts';
import type { Trial } from './trial.ts';

export const trials: readonly Trial[] = [killedWorkers, zombieOwner];
