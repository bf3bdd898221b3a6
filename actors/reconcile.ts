// Reconciliation between the contexts: which orders have missed what their delivery published, and who says it again.
//
// Reads both namespaces and belongs to neither: it knows the contract alone. A difference counts only when the delivery has
// been quiet for a while; until then the message may be on its way. To ask again costs nothing: the message id names the
// count that was missed, so one count is restated once (M1).

import type { ActorView, Client } from '../runtime/client.ts';
import { type Clock, pause } from '../runtime/clock.ts';
import { actorId } from '../runtime/ids.ts';

export interface Reconciled {
  readonly compared: number;
  readonly restated: number;
}

export interface ReconcileDoors {
  readonly ordering: Client;
  readonly delivery: Client;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** Leaves of an order in which a delivery is outside, by their beginnings. */
const OUTSIDE = ['fulfilment.delivery.', 'fulfilment.returning', 'fulfilment.cancelling.'] as const;
const QUIET_MS = 60_000; // Real time: longer than a lane needs to be mended after a failover.
const PAGE = 100;
const PAUSE_MS = 100; // Between pages: 1,000 orders a second at most, and the workers have the rest.
const ORDERS_MAX = 200_000; // Of one leaf and one sweep; the longest waiting ones come first.

/** Compares all orders that have a delivery outside. Two reads per hundred. Rejects when a namespace cannot be read. */
export async function reconcile(doors: ReconcileDoors): Promise<Reconciled> {
  let compared = 0;
  let restated = 0;
  const population = await doors.ordering.population('order');
  const leaves = [...population.keys()].filter((leaf) => OUTSIDE.some((path) => leaf.startsWith(path)));
  for (const leaf of leaves) {
    const found = await doors.ordering.inState('order', leaf, ORDERS_MAX);
    for (let from = 0; from < found.length && !doors.signal.aborted; from += PAGE) {
      const orders = await doors.ordering.readMany(found.slice(from, from + PAGE).map(({ actor }) => actor));
      compared += orders.length;
      restated += await compare(doors, orders.filter(isPresent));
      await pause(doors.clock, PAUSE_MS, doors.signal);
    }
  }
  return { compared, restated };
}

async function compare({ ordering, delivery }: ReconcileDoors, orders: readonly ActorView[]): Promise<number> {
  const outside = orders.flatMap((order) => {
    const { deliveryId, open, version } = outsideOf(order);
    return deliveryId === null || !open ? [] : [{ deliveryId: actorId(deliveryId), version }];
  });
  const deliveries = await delivery.readMany(outside.map(({ deliveryId }) => deliveryId));
  let restated = 0;
  for (const [index, { deliveryId, version }] of outside.entries()) {
    const view = deliveries[index];
    if (view === undefined || !isBehind(version, view, ordering.now())) continue;
    const messageId = `restate.${publishedBy(view)}`;
    await delivery.send({ actor: deliveryId, event: { type: 'delivery.restate' }, messageId, from: 'service:sweep' });
    restated += 1;
  }
  return restated;
}

const isBehind = (heard: number, delivery: ActorView, now: number): boolean =>
  publishedBy(delivery) > heard && now - delivery.updatedAt > QUIET_MS;

/** What the two charts keep of each other; both write it themselves. */
interface Outside {
  readonly deliveryId: string | null;
  readonly open: boolean;
  readonly version: number;
}
const outsideOf = ({ context }: ActorView): Outside => context.delivery as unknown as Outside;
const publishedBy = ({ context }: ActorView): number => Number(context.published ?? 0);
const isPresent = (view: ActorView | undefined): view is ActorView => view !== undefined;
