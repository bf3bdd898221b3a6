// The files that we and the bureau exchange: a header, detail records, and a trailer with their count and checksum.
//
//   H|EMBOSS-BUREAU|1|<kind>|<reference>|<batch>
//   D|<field>|<field> …
//   T|<number of D lines>|<SHA-256, hex, of everything above this line>
//
// A field holds any text: `%`, `|` and line ends are percent-encoded. Both sides use this file. Wire format: never change; add
// version 2.

import { createHash } from 'node:crypto';

export interface BatchFile {
  readonly kind: string;
  /** Names the file: the same on every sending. */
  readonly reference: string;
  readonly batch: string;
  readonly records: readonly (readonly string[])[];
}

export interface ReadFile extends BatchFile {
  /** As the trailer has them. */
  readonly count: number;
  readonly checksum: string;
  /** The trailer's count and checksum are those of what stands above it. */
  readonly whole: boolean;
}

const MAGIC = 'H|EMBOSS-BUREAU|1|';
/** About 200 records of 150 bytes fit a callback's 64 KB; more is no file of ours. */
const RECORDS_MAX = 1_000;

export function writeFile({ kind, reference, batch, records }: BatchFile): string {
  const head = MAGIC + [kind, reference, batch].map(encoded).join('|');
  const body = [head, ...records.map((fields) => ['D', ...fields.map(encoded)].join('|')), ''].join('\n');
  return `${body}T|${records.length}|${checksumOf(body)}\n`;
}

/** Takes a file apart. A text says why it is no file at all; a file whose trailer is wrong is one that is not `whole`. */
export function readFile(text: string): ReadFile | string {
  const lines = text.split('\n');
  if (lines.at(-1) !== '') return 'the last line is cut off';
  const [header = '', ...rest] = lines.slice(0, -1);
  const trailer = rest.pop() ?? '';
  if (!header.startsWith(MAGIC)) return 'line 1 is no header of version 1';
  const [kind, reference, batch, ...more] = header.slice(MAGIC.length).split('|').map(decoded);
  if (kind === undefined || reference === undefined || batch === undefined || more.length > 0)
    return 'line 1 needs kind, reference and batch';
  const end = /^T\|(\d{1,6})\|([0-9a-f]{64})$/.exec(trailer);
  if (end === null) return 'the last line is no trailer';
  if (rest.length > RECORDS_MAX) return `more than ${RECORDS_MAX} records`;
  const strange = rest.findIndex((line) => !line.startsWith('D|'));
  if (strange >= 0) return `line ${strange + 2} is no detail record`;

  const [count, checksum] = [Number(end[1]), end[2] ?? ''];
  const above = text.slice(0, text.length - trailer.length - 1);
  return {
    kind,
    reference,
    batch,
    records: rest.map((line) => line.slice(2).split('|').map(decoded)),
    count,
    checksum,
    whole: count === rest.length && checksum === checksumOf(above),
  };
}

/** The same file with a trailer that is wrong: what a broken line makes of it. For the simulator and for tests. */
export const brokenFile = (text: string): string =>
  text.replace(/^(T\|\d+\|)([0-9a-f])/m, (_all, start: string, digit: string) => start + (digit === '0' ? '1' : '0'));

const checksumOf = (text: string): string => createHash('sha256').update(text).digest('hex');
const encoded = (field: string): string =>
  field.replace(/[%|\r\n]/g, (char) => `%${char.charCodeAt(0).toString(16).padStart(2, '0')}`);
const decoded = (field: string): string =>
  field.replace(/%([0-9a-f]{2})/g, (_all, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
