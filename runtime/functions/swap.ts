// Wrapper of swap.lua: sheets, small hashes beside the actors, changed only from a state the caller has seen.

import { type Call, fcall, unexpected } from './call.ts';

/** Field → value; `undefined` is an absent field. */
export type SheetFields = { readonly [field: string]: string | undefined };

export interface SheetChange {
  /** What has to hold before anything is written. */
  readonly when?: SheetFields;
  /** What is written; `undefined` removes a field. */
  readonly set: SheetFields;
}

export type Swapped =
  | { readonly kind: 'swapped'; readonly revision: number }
  | { readonly kind: 'other'; readonly field: string }; // This field is not as expected: nothing was written.

/** One round trip. */
export function swap(key: string, { when = {}, set }: SheetChange): Call<Swapped> {
  const conditions = pairs(when);
  const args = [conditions.length / 2, ...conditions, ...pairs(set)];
  return fcall('swap', [key], args, ([word, value = '']) => {
    switch (word) {
      case 'SWAPPED':
        return { kind: 'swapped', revision: Number(value) };
      case 'OTHER':
        return { kind: 'other', field: value };
      default:
        return unexpected('swap', word);
    }
  });
}

const pairs = (fields: SheetFields): string[] =>
  Object.entries(fields).flatMap(([field, value]) => [field, value ?? '']);
