// Whether namespaces have come to rest: nothing accepted and not handled, no effect open, no message between shards.

import type { Client } from '../../client.ts';

/** A timer due later than this is none that a trial waits for. ms */
const SOON_MS = 2_000;

/**
 * One look. Lanes are looked at before and after the rest: what arrived in between would be missed by both. Effects that wait
 * for a retry count as work; timers count when they are due within 2 s.
 */
export async function isQuiet(clients: readonly Client[]): Promise<boolean> {
  const before = await deliveredLanes(clients);
  if (before === undefined || !(await isIdle(clients))) return false;
  return (await deliveredLanes(clients)) === before;
}

async function isIdle(clients: readonly Client[]): Promise<boolean> {
  for (const client of clients) {
    const views = await client.shardViews();
    if (views.some(({ lag, effects }) => lag > 0 || effects > 0)) return false;
    const [first] = await client.timers({ limit: 1 });
    if (first !== undefined && first.dueAt < client.now() + SOON_MS) return false;
  }
  return true;
}

/** M3: what each shard sent last, as text; undefined while it is not what its target received last. */
async function deliveredLanes(clients: readonly Client[]): Promise<string | undefined> {
  const shards = (await Promise.all(clients.map((client) => client.leftovers()))).flat();
  const received = new Map(shards.flatMap(({ lanesIn }) => Object.entries(lanesIn)));
  const sent = shards.flatMap(({ lanesOut }) => Object.entries(lanesOut));
  return sent.every(([lane, last]) => received.get(lane) === last) ? JSON.stringify(sent) : undefined;
}
