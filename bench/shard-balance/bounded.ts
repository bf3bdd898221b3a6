// Ours: the ring of the runtime, with bounded loads over the last placement. A lookup reads the published table.

import type { WorkerId } from '../../runtime/ids.ts';
import { createRing } from '../../runtime/shards/ring.ts';
import type { Contender, Hash64 } from './contender.ts';

export const OURS = 'Emboss';

export function bounded(hash64: Hash64): Contender {
  const ring = createRing(hash64);
  return {
    name: OURS,
    work: 'one read of the published table',
    prepare({ keys, members, previous }) {
      const placement = ring.assign({ shards: keys.length, members, previous: previous?.placement });
      const { owners } = placement;
      return { placement, lookup: ({ shard }) => owners[shard] as WorkerId }; // Null only without any member.
    },
  };
}
