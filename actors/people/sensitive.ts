// Card numbers in a payload: found before they enter, so that none ever has to be forgotten.
//
// A card number is 13–19 digits that pass the Luhn check: in a string, also with spaces or dashes between groups of
// digits; as a number; or as the name of a field. Groups are whole runs of digits: part of a longer number is no card
// number. One in ten numbers of that length passes by chance, so fields that hold such numbers by nature (phone,
// tracking number, barcode) are exempt, by name or place, and the schema bounds them instead.

/** One place where a card number stands. Holds no digit of it, so that it may be answered and logged. */
export interface Finding {
  /** JSON pointer of the value; for a field's name, of the object that has the field. */
  readonly pointer: string;
  /** `unverifiable`: a number above 2^53 with up to 19 digits, whose last digits JSON has already lost. */
  readonly reason: 'card-number' | 'unverifiable';
}

export interface SensitiveOptions {
  /** Field names (`phone`), or JSON pointers (`/deliveryInfo/trackingNumber`), whose own text or number is not looked at. */
  readonly exempt?: readonly string[];
}

const DIGITS_MIN = 13; // ISO/IEC 7812-1: the shortest card number still issued; the longest has 19.
const DIGITS_MAX = 19;
const FINDINGS_MAX = 20; // More say nothing new, and the answer that lists them stays small.
const GROUPED = /\d+(?:[ -]{1,3}\d+)*/g;
const UUID = /\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/gi;
const DISGUISED = /[\p{Zs}\t\r\n\p{Pd}\u2212]|[^\P{Nd}0-9]/gu;
/** How cards print their number: in fours, or as American Express, Diners Club and the old 13 digits do. */
const PRINTED = /^(?:4-){3,4}[1-4]$|^4-6-[45]$|^4-3-3-3$/;

/** Every place of a card number in a JSON value, in document order, at most 20. O(size); safe for any depth. */
export function findCardNumbers(payload: unknown, options: SensitiveOptions = {}): readonly Finding[] {
  const exempt = new Set(options.exempt ?? []);
  const findings: Finding[] = [];
  // An own stack: a payload nested deeper than the call stack is an attack, not an accident.
  const open: { readonly pointer: string; readonly name: string; readonly value: unknown }[] = [
    { pointer: '', name: '', value: payload },
  ];

  for (let next = open.pop(); next !== undefined && findings.length < FINDINGS_MAX; next = open.pop()) {
    const { pointer, name, value } = next;
    if (typeof value === 'string' || typeof value === 'number') {
      const reason = exempt.has(name) || exempt.has(pointer) ? undefined : judge(value);
      if (reason !== undefined) findings.push({ pointer, reason });
    } else if (Array.isArray(value)) {
      // Items of an exempt array are exempt with it.
      for (let index = value.length - 1; index >= 0; index--) {
        open.push({ pointer: `${pointer}/${index}`, name, value: value[index] });
      }
    } else if (value !== null && typeof value === 'object') {
      const fields = Object.entries(value);
      if (fields.some(([field]) => hasCardNumber(field))) findings.push({ pointer, reason: 'card-number' });
      for (const [field, inner] of fields.reverse()) {
        if (hasCardNumber(field)) continue; // Its pointer would repeat the number.
        open.push({ pointer: `${pointer}/${escaped(field)}`, name: field, value: inner });
      }
    }
  }
  return findings;
}

/** Whether a text holds a card number. */
export function hasCardNumber(text: string): boolean {
  if (text.length < DIGITS_MIN) return false;
  // Digits of other scripts, no-break spaces and long dashes look the same to a person.
  const plain = text.replace(DISGUISED, undisguised).replace(UUID, 'uuid');
  for (const match of plain.matchAll(GROUPED)) {
    const identifier = !match[0].includes(' ') && isInsideIdentifier(plain, match.index, match[0].length);
    if (groupsHoldCard(match[0].split(/[ -]+/), identifier)) return true;
  }
  return false;
}

/** Whether digits pass the Luhn check (ISO/IEC 7812-1, annex B). */
export function passesLuhn(digits: string): boolean {
  let sum = 0;
  for (let index = 0; index < digits.length; index++) {
    const digit = digits.charCodeAt(digits.length - 1 - index) - 48;
    const weighted = index % 2 === 0 ? digit : digit * 2;
    sum += weighted > 9 ? weighted - 9 : weighted;
  }
  return sum % 10 === 0;
}

function judge(value: string | number): Finding['reason'] | undefined {
  if (typeof value === 'string') return hasCardNumber(value) ? 'card-number' : undefined;
  if (!Number.isInteger(value)) return undefined;
  const size = Math.abs(value);
  if (size >= 1e19) return undefined; // 20 digits or more.
  if (!Number.isSafeInteger(value)) return 'unverifiable';
  return isCardNumber(String(size)) ? 'card-number' : undefined;
}

/**
 * Looks at each row of whole neighbouring groups whose digits together have the length of a card number. Dashes inside
 * an identifier, such as `order-2026-11-22-000042`, count only where they stand as on a card.
 */
function groupsHoldCard(groups: readonly string[], identifier: boolean): boolean {
  for (let first = 0; first < groups.length; first++) {
    let digits = '';
    for (let last = first; last < groups.length && digits.length < DIGITS_MAX; last++) {
      digits += groups[last];
      if (!isCardNumber(digits)) continue;
      const shape = groups.slice(first, last + 1).map((group) => group.length);
      if (!identifier || shape.length === 1 || PRINTED.test(shape.join('-'))) return true;
    }
  }
  return false;
}

const isCardNumber = (digits: string): boolean =>
  digits.length >= DIGITS_MIN && digits.length <= DIGITS_MAX && passesLuhn(digits);

/** Whether the word around a run of digits and dashes, read up to 64 characters each way, has a letter. */
function isInsideIdentifier(text: string, start: number, length: number): boolean {
  const before = /[\p{L}\p{N}_-]*$/u.exec(text.slice(Math.max(0, start - 64), start))?.[0] ?? '';
  const behind = /^[\p{L}\p{N}_-]*/u.exec(text.slice(start + length, start + length + 64))?.[0] ?? '';
  return /[\p{L}_]/u.test(before + behind);
}

/** The plain digit, space or dash that a character stands for. */
function undisguised(mark: string): string {
  if (/\p{Pd}|\u2212/u.test(mark)) return '-';
  if (!/\p{Nd}/u.test(mark)) return ' ';
  const folded = mark.normalize('NFKC');
  if (/^[0-9]$/.test(folded)) return folded;
  // Unicode keeps the ten digits of a script side by side, from zero on.
  const code = mark.codePointAt(0) ?? 0;
  let value = 0;
  while (value < 9 && /\p{Nd}/u.test(String.fromCodePoint(code - value - 1))) value += 1;
  return String(value);
}

const escaped = (name: string): string => name.replaceAll('~', '~0').replaceAll('/', '~1');
