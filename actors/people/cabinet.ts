// The cabinet: one sheet per person, which holds the person's wrapped key and every record under it.
//
//   Key and record are read in one round trip, so that a key that is gone is gone for every process at once: nobody goes on
//   with one he remembers. Remembered is only how a wrapped key unwraps, for seconds, so that a KMS is not asked each time.
//   Every change names what it rests on (the key, the record, or the sheet as a whole): a write that raced with an erasure
//   or with another key finds the sheet changed, writes nothing, and looks again.
//
// Fields of a sheet: `key`, `residency`, `erased`, `r.<record>`, `x.<record>` for a prolonged record. Beside it are lists of
// persons and, by day, of records that may be due. They name references, which say nothing.

import { randomBytes } from 'node:crypto';
import type { Client, SheetFields, Swapped } from '../../runtime/client.ts';
import { OperatingError } from '../../runtime/errors.ts';
import { type Codec, damaged, headerOf, sealed } from './codec.ts';
import { KEY_BYTES, type Kms, masterOf } from './master-keys.ts';
import { type DataClass, dayOf, firstDue, type Kept } from './retention.ts';

/** The part of a runtime client that the vault needs. */
export type Sheets = Pick<Client, 'derive' | 'digest' | 'readSheet' | 'changeSheet' | 'now' | 'timeScale'>;

/** `other`: the id already holds another content, which stays as it was. */
export type Stored = 'stored' | 'same' | 'other';

/** Whose record it is. `residency`: the region whose law says where it must be stored; none: anywhere. */
export interface Owner {
  readonly userId: string;
  readonly residency?: string | undefined;
}

export interface CabinetOptions {
  readonly kms: Kms;
  readonly codec?: Codec;
  /** Regions that this store is in; `*`: records of any residency may be written. Default `*`. */
  readonly regions?: readonly string[];
}

/** How long an unwrapped key may be remembered after its sheet was read last, in ms. */
export const KEY_REMEMBERED_MS = 5_000;
const KEYS_REMEMBERED_MAX = 1_000; // 32 bytes each; what a busy worker meets within those seconds.
const RACES_MAX = 16; // Writers of one person at once are the handful of records of an application.
const TEXT_BYTES_MAX = 16_384; // The longest record its schema allows is about 6 KB of UTF-8.
const REF = /^[a-z]{3}_([0-9a-z]{26})\.([0-9a-z]{26})$/;

interface Place {
  readonly person: string;
  readonly record: string;
}

export interface NewRecord {
  /** Tells records of one person apart. The same parts give the same id. */
  readonly parts: readonly string[];
  /** Of the reference. Default `ppl`. */
  readonly prefix?: string;
  readonly dataClass: DataClass;
  readonly scope: string;
  readonly text: string;
}

export class Cabinet {
  readonly sheets: Sheets;
  readonly kms: Kms;
  readonly #codec: Codec;
  readonly #regions: readonly string[];
  readonly #remembered = new Map<string, { readonly key: Buffer; readonly until: number }>();

  constructor(sheets: Sheets, { kms, codec = sealed, regions = ['*'] }: CabinetOptions) {
    this.sheets = sheets;
    this.kms = kms;
    this.#codec = codec;
    this.#regions = regions;
  }

  personOf(userId: string): string {
    return tailOf(this.sheets.derive('person', userId));
  }

  refOf(userId: string, parts: readonly string[], prefix = 'ppl'): string {
    return `${prefix}_${this.personOf(userId)}.${tailOf(this.sheets.derive('record', ...parts))}`;
  }

  /**
   * Writes a record once. Three round trips, two where it is there already. Throws OperatingError `region-refused` or
   * `subject-erased`: nothing was written.
   */
  async store(owner: Owner, { parts, prefix, dataClass, scope, text }: NewRecord) {
    if (Buffer.byteLength(text) > TEXT_BYTES_MAX)
      throw new TypeError(`a record has at most ${TEXT_BYTES_MAX} bytes, this one ${Buffer.byteLength(text)}`);
    const ref = this.refOf(owner.userId, parts, prefix);
    const place = placeOf(ref);
    const at = this.sheets.now();
    for (let races = 0; races < RACES_MAX; races += 1) {
      const sheet = await this.#read(place.person, ['key', 'residency', 'erased', field(place)]);
      const residency = this.#admit(sheet, owner);
      const there = sheet[field(place)];
      if (there !== undefined) {
        const known = await this.#decoded(place, sheet.key, there);
        return { ref, kind: (known === text ? 'same' : 'other') as Stored };
      }
      await this.#list(place, { ref, dataClass, at });
      const key = sheet.key === undefined ? randomBytes(KEY_BYTES) : await this.#unwrapped(sheet.key, place.person);
      const wrapped = sheet.key ?? (await this.kms.wrap(key, place.person));
      const bytes = this.#codec.encode(key, idOf(place), { dataClass, scope, at }, text);
      const swapped = await this.#change(place.person, {
        when: { key: sheet.key, erased: undefined, [field(place)]: undefined },
        set: { key: wrapped, ...(residency === undefined ? {} : { residency }), [field(place)]: bytes },
      });
      if (swapped.kind === 'swapped') return { ref, kind: 'stored' as Stored };
    }
    throw contended(place.person);
  }

  /** The text of a record, or undefined when it was forgotten, never stored, or its person erased. One round trip. */
  async read(ref: string): Promise<string | undefined> {
    const place = placeOf(ref, false);
    if (place === undefined) return undefined;
    const sheet = await this.#read(place.person, ['key', field(place)]);
    const bytes = sheet[field(place)];
    return bytes === undefined || sheet.key === undefined ? undefined : this.#decoded(place, sheet.key, bytes);
  }

  /** Puts `text` in the place of what `change` was given; undefined leaves it. Its header stays. Gives the text that is there now. */
  async update(ref: string, change: (text: string) => string | undefined): Promise<string | undefined> {
    const place = placeOf(ref);
    for (let races = 0; races < RACES_MAX; races += 1) {
      const sheet = await this.#read(place.person, ['key', field(place)]);
      const bytes = sheet[field(place)];
      if (bytes === undefined || sheet.key === undefined) return undefined;
      const before = await this.#decoded(place, sheet.key, bytes);
      const after = change(before);
      if (after === undefined || after === before) return before;
      const key = await this.#unwrapped(sheet.key, place.person);
      const swapped = await this.#change(place.person, {
        when: { key: sheet.key, [field(place)]: bytes },
        set: { [field(place)]: this.#codec.encode(key, idOf(place), headerOf(ref, bytes), after) },
      });
      if (swapped.kind === 'swapped') return after;
    }
    throw contended(place.person);
  }

  /** Removes one record for good. False when there was none. */
  async drop(ref: string): Promise<boolean> {
    const place = placeOf(ref, false);
    if (place === undefined) return false;
    for (let races = 0; races < RACES_MAX; races += 1) {
      const sheet = await this.#read(place.person, [field(place)]);
      const bytes = sheet[field(place)];
      if (bytes === undefined) return false;
      const swapped = await this.#change(place.person, {
        when: { [field(place)]: bytes },
        set: { [field(place)]: undefined, [`x.${place.record}`]: undefined },
      });
      if (swapped.kind === 'swapped') return true;
    }
    throw contended(place.person);
  }

  /** Every record of a person, by header. One round trip. */
  async list(person: string): Promise<readonly (Kept & { readonly bytes: string })[]> {
    const sheet = await this.#read(person);
    return recordsIn(sheet).map(([record, bytes]) => {
      const ref = `ppl_${person}.${record}`;
      return { ref, bytes, extended: sheet[`x.${record}`] !== undefined, ...headerOf(ref, bytes) };
    });
  }

  /** Keeps a record longer, for the reason given by whom. False when there is no such record. */
  async extend(ref: string, why: { readonly reason: string; readonly by: string }): Promise<boolean> {
    const place = placeOf(ref);
    const sheet = await this.#read(place.person, [field(place)]);
    const bytes = sheet[field(place)];
    if (bytes === undefined) return false;
    const set = { [`x.${place.record}`]: JSON.stringify({ ...why, at: Math.floor(this.sheets.now()) }) };
    return (await this.#change(place.person, { when: { [field(place)]: bytes }, set })).kind === 'swapped';
  }

  /**
   * Destroys the person's key and everything under it; what was copied elsewhere cannot be opened any more. A later write for
   * the person is refused. False when that was done before. At most 16 tries against writers.
   */
  async erase(person: string): Promise<boolean> {
    for (let races = 0; races < RACES_MAX; races += 1) {
      const sheet = await this.#read(person);
      if (sheet.erased !== undefined) return false;
      const { rev, ...fields } = sheet;
      const set = Object.fromEntries(Object.keys(fields).map((name) => [name, undefined]));
      const erased = String(Math.floor(this.sheets.now()));
      if ((await this.#change(person, { when: { rev }, set: { ...set, erased } })).kind !== 'swapped') continue;
      if (sheet.key !== undefined) this.#remembered.delete(sheet.key);
      return true;
    }
    throw contended(person);
  }

  /** Wraps the person's key with the current master key. False when it is, or there is none. */
  async rewrap(person: string): Promise<boolean> {
    for (let races = 0; races < RACES_MAX; races += 1) {
      const { key: wrapped } = await this.#read(person, ['key']);
      if (wrapped === undefined || masterOf(wrapped) === this.kms.current) return false;
      const key = await this.kms.unwrap(wrapped, person);
      const set = { key: await this.kms.wrap(key, person) };
      if ((await this.#change(person, { when: { key: wrapped }, set })).kind === 'swapped') return true;
    }
    throw contended(person);
  }

  /** Gives the person another key and writes every record anew under it, at once. Gives how many; undefined without a key. */
  async rekey(person: string): Promise<number | undefined> {
    for (let races = 0; races < RACES_MAX; races += 1) {
      const sheet = await this.#read(person);
      if (sheet.key === undefined) return undefined;
      const old = await this.kms.unwrap(sheet.key, person);
      const key = randomBytes(KEY_BYTES);
      const records = recordsIn(sheet).map(([record, bytes]): [string, string] => {
        const id = idOf({ person, record });
        const text = this.#codec.decode(old, id, bytes);
        return [`r.${record}`, this.#codec.encode(key, id, headerOf(id, bytes), text)];
      });
      const set = { key: await this.kms.wrap(key, person), ...Object.fromEntries(records) };
      if ((await this.#change(person, { when: { rev: sheet.rev }, set })).kind === 'swapped') return records.length;
    }
    throw contended(person);
  }

  /** Id of the master key over the person's key; undefined without a key. */
  async masterOf(person: string): Promise<string | undefined> {
    const { key } = await this.#read(person, ['key']);
    return key === undefined ? undefined : masterOf(key);
  }

  /** Persons of one of the 256 lists. One round trip. */
  async persons(list: number): Promise<readonly string[]> {
    const sheet = await this.sheets.readSheet(`persons.${list.toString(16).padStart(2, '0')}`);
    return Object.keys(sheet).filter((name) => name !== 'rev');
  }

  // --- Parts ---

  #read(person: string, fields?: readonly string[]): Promise<Readonly<Record<string, string>>> {
    return this.sheets.readSheet(`person.${person}`, fields);
  }

  #change(person: string, change: { readonly when: SheetFields; readonly set: SheetFields }): Promise<Swapped> {
    return this.sheets.changeSheet(`person.${person}`, change);
  }

  /** A reference stands in the lists before its record does: what is in no list would never be found due. */
  async #list({ person }: Place, { ref, dataClass, at }: { ref: string; dataClass: DataClass; at: number }) {
    const day = dayOf(firstDue({ dataClass, at }, this.sheets.timeScale), this.sheets.timeScale);
    await Promise.all([
      this.sheets.changeSheet(`persons.${this.sheets.digest('list', person).slice(0, 2)}`, { set: { [person]: '1' } }),
      this.sheets.changeSheet(`due.${day}`, { set: { [ref]: dataClass } }),
    ]);
  }

  #admit(sheet: Readonly<Record<string, string>>, { residency }: Owner): string | undefined {
    if (sheet.erased !== undefined)
      throw new OperatingError('subject-erased', 'the data of this person were erased; none are stored again', {
        retry: 'never',
      });
    for (const region of new Set([sheet.residency, residency])) {
      if (region === undefined || this.#regions.includes('*') || this.#regions.includes(region)) continue;
      throw new OperatingError(
        'region-refused',
        `data of this person are stored in ${region}, and this store is in ${this.#regions.join(', ')} (EMBOSS_REGIONS)`,
        { retry: 'never' },
      );
    }
    return sheet.residency ?? residency;
  }

  async #decoded(place: Place, wrapped: string | undefined, bytes: string): Promise<string> {
    if (wrapped === undefined) throw damaged(idOf(place), 'without a key');
    return this.#codec.decode(await this.#unwrapped(wrapped, place.person), idOf(place), bytes);
  }

  async #unwrapped(wrapped: string, person: string): Promise<Buffer> {
    const now = this.sheets.now();
    const known = this.#remembered.get(wrapped);
    if (known !== undefined && known.until > now) return known.key;
    const key = await this.kms.unwrap(wrapped, person);
    this.#remembered.delete(wrapped);
    // The oldest stand first: whoever is too old, or one too many, leaves.
    for (const [name, { until }] of this.#remembered) {
      if (until > now && this.#remembered.size < KEYS_REMEMBERED_MAX) break;
      this.#remembered.delete(name);
    }
    this.#remembered.set(wrapped, { key, until: now + KEY_REMEMBERED_MS });
    return key;
  }
}

function placeOf(ref: string): Place;
function placeOf(ref: string, mustFit: false): Place | undefined;
function placeOf(ref: string, mustFit = true): Place | undefined {
  const [, person, record] = REF.exec(ref) ?? [];
  if (person !== undefined && record !== undefined) return { person, record };
  if (mustFit) throw new TypeError('no reference of the vault');
  return undefined;
}

const tailOf = (id: string): string => id.slice(id.indexOf('_') + 1);
const field = ({ record }: Pick<Place, 'record'>): string => `r.${record}`;
const idOf = ({ person, record }: Place): string => `${person}.${record}`;

const recordsIn = (sheet: Readonly<Record<string, string>>): readonly (readonly [record: string, bytes: string])[] =>
  Object.entries(sheet).flatMap(([name, bytes]) => (name.startsWith('r.') ? [[name.slice(2), bytes] as const] : []));

const contended = (person: string): OperatingError =>
  new OperatingError('sheet-contended', `others kept changing the records of person ${person}`, { retry: 'here' });
