// All mutants, in the order of the laws they break within each group.

import { commitMutants } from './commit-mutants.ts';
import { functionMutants } from './function-mutants.ts';
import type { Mutant } from './mutant.ts';
import { workerMutants } from './worker-mutants.ts';

export const mutants: readonly Mutant[] = [...commitMutants, ...functionMutants, ...workerMutants];
