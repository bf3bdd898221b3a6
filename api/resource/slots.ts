// Slots: the windows of a zone's calendar that still have places, as the customer sees them.
//
// A picture, and a little old by the time it is read: whether a place is had, the slot's own actor decides (DL8).

import { type Window, windowsAt } from '../../actors/contract/calendar.ts';
import type { Zone } from '../../actors/contract/catalogue.ts';
import type { Slot } from '../../actors/contract/dto.ts';
import type { ActorView, Client } from '../../runtime/client.ts';
import type { ActorId } from '../parts.ts';

/** What of the slot chart's context is used here. */
interface SlotFacts {
  readonly capacity: number;
  readonly taken: { readonly [deliveryId: string]: number };
}

/** Windows of the zone with places left at `now`, earliest first. Two round trips. A slot nobody has asked for is empty. */
export async function slotsOf(client: Pick<Client, 'readMany'>, zone: Zone, now: number): Promise<readonly Slot[]> {
  const windows = windowsAt(zone, now);
  const views = await client.readMany(windows.map(({ slotId }) => slotId as ActorId)); // Made by the calendar.
  return windows.flatMap((window, i) => {
    const placesLeft = placesIn(views[i], zone.capacity);
    return placesLeft === 0 ? [] : [{ ...shownSlot(window), placesLeft }];
  });
}

function placesIn(view: ActorView | undefined, capacity: number): number {
  if (view === undefined || !view.states.includes('open')) return capacity;
  const { capacity: places, taken } = view.context as unknown as SlotFacts; // Written by the slot chart alone.
  return Math.max(0, places - Object.keys(taken).length);
}

export const shownSlot = ({ slotId, from, to, timeZone }: Window): Slot => ({
  slotId,
  from: new Date(from).toISOString(),
  to: new Date(to).toISOString(),
  timeZone,
});
