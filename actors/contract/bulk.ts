// Bulk operations: one act for many actors, chosen by a filter. The api's contract and the command line's words for it.

import { type Static, Type } from 'typebox';
import { commandReasons } from './reasons.ts';
import { closed, country, id, oneOf, word } from './schema.ts';
import { holdKind, method } from './words.ts';

export const bulkActs = ['redrive', 'cancel', 'release', 'retry'] as const;
export type BulkAct = (typeof bulkActs)[number];
/** Machines that an act makes sense for. */
export const bulkMachines = {
  redrive: ['order', 'delivery', 'applicant', 'batch', 'task'],
  cancel: ['order'],
  release: ['order'],
  retry: ['order', 'delivery'],
} as const satisfies { readonly [act in BulkAct]: readonly string[] };
export type BulkMachine = (typeof bulkMachines)['redrive'][number];

export const BULK_ACTS_MAX = 10_000;
/** More orders than that are cancelled by two operators only. */
export const BULK_CANCEL_ALONE_MAX = 10;

export const bulkFilter = closed({
  machine: oneOf(...bulkMachines.redrive),
  /** A leaf of the chart, or everything below one: `fulfilment.production.*`. */
  state: Type.Optional(Type.String({ pattern: '^[A-Za-z][A-Za-z0-9_.]{0,100}(\\.\\*)?$' })),
  /** Of an order: the word in its context. Of a parked actor: the error's code or name, or the event it stopped at. */
  reason: Type.Optional(word),
  /** So long in its state, or parked, in domain ms. */
  olderThanMs: Type.Optional(Type.Integer({ minimum: 1 })),
  method: Type.Optional(method),
  country: Type.Optional(country),
  product: Type.Optional(word),
  batch: Type.Optional(id),
  hold: Type.Optional(holdKind),
});
export type BulkFilter = Static<typeof bulkFilter>;

export const bulkRequest = closed({
  act: oneOf(...bulkActs),
  filter: bulkFilter,
  reason: oneOf(...commandReasons),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: BULK_ACTS_MAX })),
  /** Changes nothing: says what it would be done to, and what would be refused as far as can be seen. */
  dryRun: Type.Optional(Type.Boolean()),
});
export type BulkRequest = Static<typeof bulkRequest>;

export type BulkOutcome =
  | { readonly kind: 'applied' }
  | { readonly kind: 'refused'; readonly reason: string }
  | { readonly kind: 'unknown'; readonly reason: string };

/** What came of many acts. `refused` and `unknown` count by reason. */
export interface BulkSummary {
  readonly applied: number;
  readonly refused: Readonly<Record<string, number>>;
  readonly unknown: Readonly<Record<string, number>>;
}

export const noActs: BulkSummary = { applied: 0, refused: {}, unknown: {} };

export function counted(summary: BulkSummary, outcome: BulkOutcome): BulkSummary {
  if (outcome.kind === 'applied') return { ...summary, applied: summary.applied + 1 };
  const counts = summary[outcome.kind];
  return { ...summary, [outcome.kind]: { ...counts, [outcome.reason]: (counts[outcome.reason] ?? 0) + 1 } };
}

// --- The filter as text: `machine=order state=fulfilment.production.* older-than=2d method=post` ---

const unitMs: { readonly [unit: string]: number } = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const fields = new Set(['machine', 'state', 'reason', 'method', 'country', 'product', 'batch', 'hold']);

/** The filter a text says; the api checks its words. Throws an Error whose message says what to write instead. */
export function parseFilter(text: string): Record<string, string | number> {
  const filter: Record<string, string | number> = { machine: 'order' };
  for (const part of text.split(/\s+/).filter(Boolean)) {
    const [, name = '', value = ''] = /^([a-z-]+)=(\S+)$/.exec(part) ?? [];
    if (name === 'older-than') filter.olderThanMs = lengthOf(value);
    else if (fields.has(name)) filter[name] = value;
    else throw new Error(`"${part}": write name=value with one of ${[...fields, 'older-than'].join(', ')}`);
  }
  return filter;
}

function lengthOf(text: string): number {
  const [, number, unit = ''] = /^([1-9][0-9]{0,5})([smhd])$/.exec(text) ?? [];
  const ms = unitMs[unit];
  if (number === undefined || ms === undefined) throw new Error(`older-than=${text}: write 30s, 15m, 4h or 2d`);
  return Number(number) * ms;
}
