// What a supervisor does for the workers of a trial: one that ended is started again under its id.

import type { Cluster } from '../cluster/cluster.ts';

/** Starts whoever has ended. Gives how many; those that end before they have joined are started by a later call. */
export async function startEnded(cluster: Cluster): Promise<number> {
  const ended = cluster.workers.filter(({ state }) => state === 'ended');
  for (const worker of ended) worker.launch();
  return ended.length;
}
