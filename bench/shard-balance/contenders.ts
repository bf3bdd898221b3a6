// The contenders, in the order of tables and pictures.

import { bounded } from './bounded.ts';
import type { Contender, Hash64 } from './contender.ts';
import { jumpHash } from './jump.ts';
import { modulo } from './modulo.ts';
import { pointRing } from './points.ts';
import { rendezvous } from './rendezvous.ts';

const POINTS = [1, 4, 16, 64, 128, 512];

export const contenders = (hash64: Hash64): readonly Contender[] => [
  modulo,
  jumpHash,
  ...POINTS.map((points) => pointRing(points, hash64)),
  rendezvous(hash64),
  bounded(hash64),
];
