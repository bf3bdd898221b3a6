// Goal: a catalogue is good as a whole or refused with every fault named, and its calendar keeps the clock of the place.
// Method: the project's own files, copies of them with one thing wrong, and days on which clocks are moved.

import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { windowOf, windowsAt } from './calendar.ts';
import {
  CatalogueError,
  carriersOf,
  DEFAULT_CATALOGUE,
  loadCatalogue,
  type Zone,
  zoneAt,
  zoneOf,
} from './catalogue.ts';

type Row = { [field: string]: unknown };

/** The problems of the project's catalogue after one change. */
function problemsOf(t: Test, file: string, change: (rows: Row[]) => unknown): readonly string[] {
  const folder = mkdtempSync(join(tmpdir(), 'emboss-catalogue-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  cpSync(DEFAULT_CATALOGUE, folder, { recursive: true });
  const rows = JSON.parse(readFileSync(join(folder, file), 'utf8')) as Row[];
  const changed = change(rows) ?? rows;
  writeFileSync(join(folder, file), typeof changed === 'string' ? changed : JSON.stringify(changed));
  try {
    loadCatalogue(folder);
    return [];
  } catch (error) {
    if (!(error instanceof CatalogueError)) throw error;
    t.match(error.message, folder, 'it says which folder');
    return error.problems;
  }
}

test('a catalogue with a fault is refused, and says what and where', async (t) => {
  const first = (rows: Row[]): Row => rows[0] as Row;
  const faults: readonly (readonly [string, (rows: Row[]) => unknown, RegExp])[] = [
    [
      'zones.json',
      (rows) => void Object.assign(first(rows), { capacity: 0 }),
      /^zones.json \/0\/capacity must be >= 1/,
    ],
    [
      'zones.json',
      (rows) => void Object.assign(first(rows), { colour: 'red' }),
      /^zones.json \/0 must not have additional/m,
    ],
    [
      'zones.json',
      (rows) => void Object.assign(first(rows), { timeZone: 'Europe/Berlinn' }),
      /"Europe\/Berlinn" is no time zone/,
    ],
    [
      'zones.json',
      (rows) => void Object.assign(first(rows), { hours: { from: '10:00', to: '18:00' } }),
      /window 09:00-13:00 is not/,
    ],
    ['zones.json', (rows) => void rows.push(first(rows)), /has de twice/],
    ['zones.json', (rows) => void rows.push({ ...first(rows), id: 'dd' }), /de has the postal codes "DE" already/],
    ['zones.json', () => [], /must not have fewer than 1/],
    ['zones.json', () => '{', /^zones.json is not JSON/],
    [
      'points.json',
      (rows) => void Object.assign(first(rows), { zone: 'nowhere' }),
      /^points.json pp_berlin_mitte: there is no zone/,
    ],
    ['points.json', (rows) => void Object.assign(first(rows), { carrier: 'nobody' }), /there is no carrier "nobody"/],
    [
      'carriers.json',
      (rows) => void Object.assign(first(rows), { methods: ['pigeon'] }),
      /^carriers.json \/0\/methods\/0/,
    ],
  ];
  for (const [file, change, words] of faults) t.match(problemsOf(t, file, change).join('\n'), words);
  t.same(
    problemsOf(t, 'zones.json', () => undefined),
    [],
  );
  t.throws(() => loadCatalogue('/nowhere'), /zones.json cannot be read/);
});

test('an address has the zone with the longest beginning of its postal code', async (t) => {
  const catalogue = loadCatalogue();
  for (const [postalCode, id] of [
    ['10117', 'de-berlin'],
    ['80331', 'de'],
    [undefined, 'de'],
  ] as const)
    t.equal(zoneAt(catalogue, { countryCode: 'DE', postalCode })?.id, id);
  t.equal(zoneAt(catalogue, { countryCode: 'PL', postalCode: '00-950' })?.id, 'pl');
  t.equal(zoneAt(catalogue, { countryCode: 'AQ' }), undefined);
  t.same(
    carriersOf(catalogue, 'post', 'DE').map(({ id }) => id),
    ['national-post', 'world-post'],
  );
});

test('D-04: windows lie in the working hours of the place, also on days on which its clock is moved', async (t) => {
  const catalogue = loadCatalogue();
  const zone: Zone = { ...(zoneOf(catalogue, 'de') as Zone), leadHours: 0, daysAhead: 2, workingDays: [6, 7, 1] };
  const friday = Date.UTC(2026, 9, 23, 12); // Summer time ends in the night to Sunday, 25 October.
  const windows = windowsAt(zone, friday);
  t.same(
    windows.map(({ slotId, from }) => [slotId, new Date(from).toISOString()]).filter((_, i) => i % 3 === 0),
    [
      ['slt_de_20261024T0900-1300', '2026-10-24T07:00:00.000Z'],
      ['slt_de_20261025T0900-1300', '2026-10-25T08:00:00.000Z'],
    ],
  );
  t.equal(windows.length, 6, 'nobody works on Friday here');
  const [, , third] = windows;
  const shifted = { ...zone, leadHours: 24 };
  t.equal(windowsAt(shifted, friday)[0]?.slotId, third?.slotId, 'the others begin before the lead time is over');

  t.match(windowOf(catalogue, 'slt_de_20261124T0900-1300')?.window, { slotId: 'slt_de_20261124T0900-1300' });
  for (const unknown of [
    'slt_de_20261122T0900-1300',
    'slt_de_20261124T0900-1400',
    'slt_dd_20261124T0900-1300',
    'slt_de_20260231T0900-1300',
    'x',
  ])
    t.equal(windowOf(catalogue, unknown), undefined, unknown);
});
