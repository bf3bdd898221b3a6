// Slots: the windows a delivery can be booked for. Computed, so that the same day gives the same slots everywhere.
//
// Three windows a day in the zone's own time, from tomorrow on, for a week. Capacity is the delivery chart's matter.

import type { Slot } from '../../actors/contract/dto.ts';
import { limits } from '../limits.ts';

const WINDOWS = [
  [9, 13],
  [13, 17],
  [17, 21],
] as const;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const ID = /^slt_(\d{4})(\d{2})(\d{2})T(\d{2})00-(\d{2})00$/;

export interface Window {
  readonly slotId: string;
  /** Milliseconds since 1970 UTC. */
  readonly from: number;
  readonly to: number;
  readonly timeZone: string;
}

/** All slots on offer at `now`, earliest first. An unknown time zone counts as UTC. */
export function slotsAt(now: number, timeZone: string): readonly Window[] {
  const zone = knownZone(timeZone);
  const slots: Window[] = [];
  for (let day = 1; day <= limits.slotDays; day++) {
    const [year, month, date] = dateIn(zone, now + day * DAY_MS);
    for (const [from, to] of WINDOWS) {
      const slotId = `slt_${year}${two(month)}${two(date)}T${two(from)}00-${two(to)}00`;
      slots.push({
        slotId,
        from: instant(zone, [year, month, date], from),
        to: instant(zone, [year, month, date], to),
        timeZone: zone,
      });
    }
  }
  return slots;
}

/** The slot of that id if it is on offer at `now`. */
export const slotOf = (slotId: string, now: number, timeZone: string): Window | undefined =>
  ID.test(slotId) ? slotsAt(now, timeZone).find((each) => each.slotId === slotId) : undefined;

export const shownSlot = ({ slotId, from, to, timeZone }: Window): Slot => ({
  slotId,
  from: new Date(from).toISOString(),
  to: new Date(to).toISOString(),
  timeZone,
});

type CalendarDate = readonly [year: number, month: number, date: number];

function knownZone(timeZone: string): string {
  try {
    return new Intl.DateTimeFormat('en', { timeZone }).resolvedOptions().timeZone;
  } catch {
    return 'UTC';
  }
}

/** One per zone that was ever asked for; there are some 500. Making one costs more than all its uses here. */
const clocks = new Map<string, Intl.DateTimeFormat>();

function wallClock(timeZone: string, at: number): (part: string) => number {
  let format = clocks.get(timeZone);
  if (format === undefined) {
    const numeric = 'numeric' as const;
    const fields = { year: numeric, month: numeric, day: numeric, hour: numeric, minute: numeric, second: numeric };
    format = new Intl.DateTimeFormat('en-US', { timeZone, hourCycle: 'h23', ...fields });
    clocks.set(timeZone, format);
  }
  const parts = format.formatToParts(at);
  return (type) => Number(parts.find((each) => each.type === type)?.value);
}

function dateIn(timeZone: string, at: number): CalendarDate {
  const part = wallClock(timeZone, at);
  return [part('year'), part('month'), part('day')];
}

/** The instant of an hour of a day in a zone. Read twice, since the offset may change that day. */
function instant(timeZone: string, [year, month, date]: CalendarDate, hour: number): number {
  const wanted = Date.UTC(year, month - 1, date, hour);
  const first = wanted - offsetMs(timeZone, wanted);
  return wanted - offsetMs(timeZone, first);
}

function offsetMs(timeZone: string, at: number): number {
  const part = wallClock(timeZone, at);
  return (
    Date.UTC(part('year'), part('month') - 1, part('day'), part('hour'), part('minute'), part('second')) -
    Math.floor(at / 1000) * 1000
  );
}

const two = (value: number): string => String(value).padStart(2, '0');
