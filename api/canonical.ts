// Canonical JSON: equal values give equal texts, whatever the order of their fields. For fingerprints of bodies.

/** Keys sorted at every level, `undefined` dropped. O(size). */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_name, inner: unknown) =>
    inner !== null && typeof inner === 'object' && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))
      : inner,
  );
}
