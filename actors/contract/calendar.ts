// The calendar of a zone: its windows as instants, by the wall clock that hangs there.
//
// A window is named by its zone, day and hours, so the same window has the same id everywhere, and an id says what it means.
// Summer time moves the instants, never the hours on the clock.

import { type Catalogue, type Zone, zoneOf } from './catalogue.ts';

export interface Window {
  /** Also the id of the actor that gives its places away. */
  readonly slotId: string;
  /** Milliseconds since 1970 UTC. */
  readonly from: number;
  readonly to: number;
  readonly timeZone: string;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const ID = /^slt_([a-z0-9-]{2,24})_(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})-(\d{2})(\d{2})$/;

/** Windows of a zone that can be booked at `now`, earliest first. */
export function windowsAt(zone: Zone, now: number): readonly Window[] {
  const windows: Window[] = [];
  for (let day = 0; day <= zone.daysAhead; day++) {
    const date = dateIn(zone.timeZone, now + day * DAY_MS);
    if (!isWorkingDay(zone, date)) continue;
    for (const hours of zone.windows) windows.push(windowOn(zone, date, hours));
  }
  const earliest = now + zone.leadHours * HOUR_MS;
  return windows.filter(({ from }) => from >= earliest).sort((a, b) => a.from - b.from);
}

/** What an id means by this catalogue; undefined for a zone, day or hours that it does not have. */
export function windowOf(
  catalogue: Catalogue,
  slotId: string,
): { readonly window: Window; readonly zone: Zone } | undefined {
  const [, id = '', year, month, day, fromHour, fromMinute, toHour, toMinute] = ID.exec(slotId) ?? [];
  const zone = zoneOf(catalogue, id);
  if (zone === undefined) return undefined;
  const date = [Number(year), Number(month), Number(day)] as const;
  const [from, to] = [`${fromHour}:${fromMinute}`, `${toHour}:${toMinute}`];
  const hours = zone.windows.find((each) => each.from === from && each.to === to);
  return hours === undefined || !isWorkingDay(zone, date) ? undefined : { zone, window: windowOn(zone, date, hours) };
}

type CalendarDate = readonly [year: number, month: number, date: number];

/** A date that does not exist, such as 31 February, is none of the working days. */
function isWorkingDay({ workingDays }: Zone, [year, month, date]: CalendarDate): boolean {
  const day = new Date(Date.UTC(year, month - 1, date));
  return day.getUTCDate() === date && workingDays.includes(day.getUTCDay() === 0 ? 7 : day.getUTCDay());
}

function windowOn({ id, timeZone }: Zone, date: CalendarDate, { from, to }: Zone['windows'][number]): Window {
  const [year, month, day] = date;
  const plain = (time: string): string => time.replace(':', '');
  return {
    slotId: `slt_${id}_${year}${two(month)}${two(day)}T${plain(from)}-${plain(to)}`,
    from: instant(timeZone, date, from),
    to: instant(timeZone, date, to),
    timeZone,
  };
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

/** The instant of a time of a day in a zone. Read twice, since the offset may change that day. */
function instant(timeZone: string, [year, month, date]: CalendarDate, time: string): number {
  const wanted = Date.UTC(year, month - 1, date, Number(time.slice(0, 2)), Number(time.slice(3)));
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
