// The catalogue of the delivery context: zones, pickup points and carriers, as data that is checked once, at the start.
//
// Three JSON files in one folder: what is served where is changed there, without a build. A file that does not fit is refused
// whole, with every fault named by file and place: half a catalogue would refuse customers without anybody noticing.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Static, Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { closed, country, word } from './schema.ts';
import { method } from './words.ts';

/** Part of the ids of slots and journals: never renamed, never used for another zone. */
const zoneId = Type.String({ pattern: '^[a-z0-9-]{2,24}$' });
/** Time of day in the zone. */
const clockTime = Type.String({ pattern: '^([01][0-9]|2[0-3]):[0-5][0-9]$' });
const geo = closed({
  lat: Type.Number({ minimum: -90, maximum: 90 }),
  lon: Type.Number({ minimum: -180, maximum: 180 }),
});

/** Deliveries that one slot or one run may hold: its actor names each, and a snapshot stays under about 1.5 KB. */
export const PLACES_MAX = 30;

const zone = closed({
  id: zoneId,
  country,
  /** Beginnings of postal codes, without spaces and dashes; the longest that fits decides. Left out: the whole country. */
  postcodes: Type.Optional(Type.Array(Type.String({ pattern: '^[A-Z0-9]{1,10}$' }), { minItems: 1, maxItems: 500 })),
  timeZone: Type.String({ minLength: 1, maxLength: 64 }),
  methods: Type.Array(method, { minItems: 1, maxItems: 6, uniqueItems: true }),
  /** 1 is Monday. */
  workingDays: Type.Array(Type.Integer({ minimum: 1, maximum: 7 }), { minItems: 1, maxItems: 7, uniqueItems: true }),
  hours: closed({ from: clockTime, to: clockTime }),
  /** Windows of a day that can be booked; within the hours. */
  windows: Type.Array(closed({ from: clockTime, to: clockTime }), { minItems: 1, maxItems: 12 }),
  /** Deliveries per window. */
  capacity: Type.Integer({ minimum: 1, maximum: PLACES_MAX }),
  /** How long before its beginning a window can still be booked. */
  leadHours: Type.Integer({ minimum: 0, maximum: 240 }),
  /** Windows are on offer for this many days, from today on. */
  daysAhead: Type.Integer({ minimum: 1, maximum: 14 }),
  /** Envelopes a courier takes along in a day at once. */
  stopsPerRun: Type.Integer({ minimum: 1, maximum: PLACES_MAX }),
});
export type Zone = Static<typeof zone>;

const point = closed({
  id: Type.String({ pattern: '^[A-Za-z0-9_-]{2,40}$' }),
  zone: zoneId,
  name: Type.String({ minLength: 1, maxLength: 120 }),
  geo,
  hours: closed({ from: clockTime, to: clockTime }),
  carrier: word,
});
export type PickupPoint = Static<typeof point>;

const carrier = closed({
  id: word,
  methods: Type.Array(method, { minItems: 1, maxItems: 6, uniqueItems: true }),
  /** Left out: everywhere. */
  countries: Type.Optional(Type.Array(country, { minItems: 1, maxItems: 250 })),
});
export type Carrier = Static<typeof carrier>;

export interface Catalogue {
  readonly zones: readonly Zone[];
  readonly points: readonly PickupPoint[];
  /** In the order in which they are asked. */
  readonly carriers: readonly Carrier[];
}

/** A catalogue that cannot be used. `problems` has one sentence per fault, naming file and place. */
export class CatalogueError extends Error {
  readonly code = 'bad-catalogue';
  readonly problems: readonly string[];
  constructor(folder: string, problems: readonly string[]) {
    const rest = problems.length > 20 ? [`… and ${problems.length - 20} more`] : [];
    super(
      `The delivery catalogue in ${folder} cannot be used:\n${[...problems.slice(0, 20), ...rest].map((problem) => `  ${problem}`).join('\n')}`,
    );
    this.name = 'CatalogueError';
    this.problems = problems;
  }
}

const ROWS_MAX = 10_000; // Of one file: some MB, read once.
const checks = {
  'zones.json': Compile(Type.Array(zone, { minItems: 1, maxItems: ROWS_MAX })),
  'points.json': Compile(Type.Array(point, { maxItems: ROWS_MAX })),
  'carriers.json': Compile(Type.Array(carrier, { minItems: 1, maxItems: ROWS_MAX })),
} as const;

/** The files that come with the project. */
export const DEFAULT_CATALOGUE = fileURLToPath(new URL('./catalogue/', import.meta.url));

/** Reads and checks the catalogue of a folder. Throws CatalogueError naming all faults. */
export function loadCatalogue(folder = DEFAULT_CATALOGUE): Catalogue {
  const problems: string[] = [];
  const catalogue = {
    zones: rows<Zone>(folder, 'zones.json', problems),
    points: rows<PickupPoint>(folder, 'points.json', problems),
    carriers: rows<Carrier>(folder, 'carriers.json', problems),
  };
  if (problems.length === 0) problems.push(...contradictions(catalogue));
  if (problems.length > 0) throw new CatalogueError(folder, problems);
  return Object.freeze(catalogue);
}

function rows<Row>(folder: string, file: keyof typeof checks, problems: string[]): readonly Row[] {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(join(folder, file), 'utf8'));
  } catch (error) {
    const isMissing = (error as { code?: unknown }).code !== undefined;
    problems.push(isMissing ? `${file} cannot be read` : `${file} is not JSON: ${(error as Error).message}`);
    return [];
  }
  const check = checks[file] as { Check(value: unknown): boolean; Errors(value: unknown): Iterable<Fault> };
  if (check.Check(value)) return value as readonly Row[]; // By the schema it was just checked against.
  problems.push(
    ...[...check.Errors(value)].map(({ instancePath, message }) => `${file} ${instancePath || '/'} ${message}`),
  );
  return [];
}

interface Fault {
  readonly instancePath: string;
  readonly message: string;
}

/** What no schema sees: ids given twice, references to nothing, windows outside of the hours, unknown time zones. */
function contradictions({ zones, points, carriers }: Catalogue): string[] {
  const ids = new Set(zones.map(({ id }) => id));
  const names = new Set(carriers.map(({ id }) => id));
  return [
    ...twice('zones.json', zones),
    ...twice('points.json', points),
    ...twice('carriers.json', carriers),
    ...zones.flatMap(faultsOfZone),
    ...shared(zones),
    ...points.flatMap((each) => [
      ...(ids.has(each.zone) ? [] : [`points.json ${each.id}: there is no zone "${each.zone}"`]),
      ...(names.has(each.carrier) ? [] : [`points.json ${each.id}: there is no carrier "${each.carrier}"`]),
    ]),
  ];
}

const twice = (file: string, all: readonly { readonly id: string }[]): string[] =>
  all.filter(({ id }, i) => all.findIndex((other) => other.id === id) !== i).map(({ id }) => `${file} has ${id} twice`);

function faultsOfZone({ id, timeZone, hours, windows }: Zone): string[] {
  const place = `zones.json ${id}:`;
  const outside = windows.filter(({ from, to }) => from >= to || from < hours.from || to > hours.to);
  return [
    ...(isTimeZone(timeZone) ? [] : [`${place} "${timeZone}" is no time zone; write one such as "Europe/Berlin"`]),
    ...outside.map(({ from, to }) => `${place} the window ${from}-${to} is not within ${hours.from}-${hours.to}`),
  ];
}

/** One address has one zone. */
function shared(zones: readonly Zone[]): string[] {
  const owners = new Map<string, string>();
  return zones.flatMap(({ id, country: land, postcodes }) =>
    (postcodes ?? ['']).flatMap((beginning) => {
      const key = `${land} ${beginning}`;
      const owner = owners.get(key);
      owners.set(key, owner ?? id);
      return owner === undefined ? [] : [`zones.json ${id}: ${owner} has the postal codes "${key.trim()}" already`];
    }),
  );
}

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

// --- Questions to a catalogue ---

export interface Place {
  readonly countryCode: string;
  readonly postalCode?: string | undefined;
}

/** The zone of an address: of all that fit, the one with the longest beginning of its postal code. */
export function zoneAt({ zones }: Catalogue, { countryCode, postalCode = '' }: Place): Zone | undefined {
  const code = postalCode.toUpperCase().replace(/[^A-Z0-9]/g, '');
  let found: { readonly zone: Zone; readonly length: number } | undefined;
  for (const each of zones) {
    if (each.country !== countryCode) continue;
    for (const beginning of each.postcodes ?? [''])
      if (code.startsWith(beginning) && beginning.length >= (found?.length ?? 0))
        found = { zone: each, length: beginning.length };
  }
  return found?.zone;
}

export const zoneOf = ({ zones }: Catalogue, id: string): Zone | undefined => zones.find((each) => each.id === id);

export const pointOf = ({ points }: Catalogue, id: string): PickupPoint | undefined =>
  points.find((each) => each.id === id);

/** Who carries a method in a country, in the order in which they are asked. */
export const carriersOf = ({ carriers }: Catalogue, by: Static<typeof method>, land: string): readonly Carrier[] =>
  carriers.filter(({ methods, countries }) => methods.includes(by) && (countries?.includes(land) ?? true));
