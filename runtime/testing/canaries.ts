// Canaries: words that exist nowhere else, put where secrets go in, and looked for wherever something might have come out.
//
// A word is looked for in every form in which programs write text down. A form that depends on what stands before it (base64)
// is looked for in all its positions, less the characters that the neighbours share.

import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

export interface CanaryFinding {
  /** Name of the word, as given. */
  readonly word: string;
  readonly form: string;
  readonly where: string;
}

interface Needle {
  readonly word: string;
  readonly form: string;
  readonly bytes: Buffer;
}

const WORD_BYTES_MIN = 7; // Shorter ones are met by chance in a gigabyte of sealed bytes.
const FILE_BYTES_MAX = 512 * 1024 * 1024;

export class Canaries {
  readonly #needles: readonly Needle[];

  /** Name → word. Throws for a word that is too short to be told from noise. */
  constructor(words: { readonly [name: string]: string | Buffer }) {
    this.#needles = Object.entries(words).flatMap(([name, word]) =>
      formsOf(word).map(([form, bytes]) => ({ word: name, form, bytes })),
    );
    const short = this.#needles.find(({ bytes }) => bytes.length < WORD_BYTES_MIN);
    if (short !== undefined) throw new TypeError(`the canary ${short.word} is too short: it would be found by chance`);
  }

  /** Every word and form in `content`, each once. O(forms × size). */
  in(content: string | Buffer, where: string): readonly CanaryFinding[] {
    const bytes = typeof content === 'string' ? Buffer.from(content) : content;
    return this.#needles
      .filter((needle) => bytes.includes(needle.bytes))
      .map(({ word, form }) => ({ word, form, where }));
  }

  /** Every file below a folder, by content and by name. Gives also how much was looked at. */
  inFolder(folder: string): {
    readonly findings: readonly CanaryFinding[];
    readonly files: number;
    readonly bytes: number;
  } {
    const findings: CanaryFinding[] = [];
    let [files, bytes] = [0, 0];
    for (const path of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
      const whole = join(folder, path);
      const stat = statSync(whole, { throwIfNoEntry: false }); // Files come and go while a server writes.
      if (!stat?.isFile()) continue;
      if (stat.size > FILE_BYTES_MAX) throw new Error(`${path} is too large to be looked at`);
      const content = readFileSync(whole);
      findings.push(...this.in(content, path), ...this.in(path, `name of ${path}`));
      files += 1;
      bytes += content.length;
    }
    return { findings, files, bytes };
  }
}

/** The forms of a word by name: as it is, base64, hex, URL-encoded, JSON-escaped, UTF-16. */
export function formsOf(word: string | Buffer): readonly (readonly [form: string, bytes: Buffer])[] {
  const raw = Buffer.from(word);
  const hex = raw.toString('hex');
  const forms: (readonly [string, Buffer | string])[] = [
    ['plain', raw],
    ['hex', hex],
    ['HEX', hex.toUpperCase()],
    ...[0, 1, 2].flatMap((offset): (readonly [string, string])[] => [
      [`base64 at ${offset}`, base64At(raw, offset, 'base64')],
      [`base64url at ${offset}`, base64At(raw, offset, 'base64url')],
    ]),
  ];
  if (typeof word === 'string') {
    const url = encodeURIComponent(word);
    const utf16 = Buffer.from(word, 'utf16le');
    forms.push(
      ['URL-encoded', url],
      ['URL-encoded, lower case', url.replace(/%[0-9A-F]{2}/g, (code) => code.toLowerCase())],
      ['form-encoded', url.replaceAll('%20', '+')],
      ['JSON-escaped', word.replace(/[^ -~]/g, (mark) => `\\u${mark.charCodeAt(0).toString(16).padStart(4, '0')}`)],
      ['decomposed', word.normalize('NFD')],
      ['UTF-16LE', utf16],
      ['UTF-16BE', Buffer.from(utf16).swap16()],
    );
  }
  const seen = new Set<string>();
  return forms
    .map(([form, bytes]) => [form, Buffer.from(bytes)] as const)
    .filter(([, bytes]) => !seen.has(bytes.toString('latin1')) && seen.add(bytes.toString('latin1')));
}

/** What of the base64 of a text that has the word at `offset` (mod 3) stands there whatever its neighbours are. */
function base64At(raw: Buffer, offset: number, encoding: 'base64' | 'base64url'): string {
  const text = Buffer.concat([Buffer.alloc(offset), raw])
    .toString(encoding)
    .replace(/=+$/, '');
  const before = Math.ceil((offset * 8) / 6);
  const whole = Math.floor(((offset + raw.length) * 8) / 6); // Characters without a bit of what follows.
  return text.slice(before, whole);
}
