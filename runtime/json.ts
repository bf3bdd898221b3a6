// JSON values: what may travel in events, snapshots and records.

export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json | undefined };
export type JsonObject = { readonly [key: string]: Json | undefined };

/** A statechart event as it travels: a type and JSON fields. */
export interface Event {
  readonly type: string;
  readonly [field: string]: Json | undefined;
}

/** Canonical text: keys sorted at every level, `undefined` dropped. Equal values give equal texts. O(size). */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    inner !== null && typeof inner === 'object' && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))
      : inner,
  );
}
