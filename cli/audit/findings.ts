// What an audit found: per invariant how much was looked at, and what did not hold, in words.

/** The standing invariants an audit can check from the outside. */
export type InvariantId = 'I1' | 'I2' | 'I3' | 'I4' | 'I6';

export const invariants: { readonly [id in InvariantId]: { readonly title: string; readonly unit: string } } = {
  I1: { title: 'every acknowledged command was applied or refused', unit: 'acknowledged commands' },
  I2: { title: 'each journal replays through its chart to the stored snapshot', unit: 'steps replayed' },
  I3: { title: 'versions and journal positions have no gap and no repeat', unit: 'journal entries' },
  I4: { title: 'no effect happened twice: one card, one print, one delivery', unit: 'business keys' },
  I6: { title: 'no entry bears the token of an earlier owner', unit: 'journal entries' },
};

export interface Violation {
  readonly invariant: InvariantId;
  /** The actor, shard or business key it was seen at. */
  readonly where: string;
  readonly words: string;
}

export interface InvariantReport {
  readonly id: InvariantId;
  readonly title: string;
  readonly unit: string;
  readonly checked: number;
  readonly violations: number;
}

const KEPT_MAX = 20; // Per invariant: enough to see a pattern; all are counted.

/** Collects while checks run. */
export class Findings {
  readonly #checked = new Map<InvariantId, number>();
  readonly #broken = new Map<InvariantId, number>();
  readonly #kept: Violation[] = [];
  readonly #remarks = new Set<string>();

  /** So many more things were looked at. */
  looked(invariant: InvariantId, count = 1): void {
    this.#checked.set(invariant, (this.#checked.get(invariant) ?? 0) + count);
  }

  violated(invariant: InvariantId, where: string, words: string): void {
    const count = (this.#broken.get(invariant) ?? 0) + 1;
    this.#broken.set(invariant, count);
    if (count <= KEPT_MAX) this.#kept.push({ invariant, where, words });
  }

  /** Worth knowing, and no violation. */
  remark(words: string): void {
    this.#remarks.add(words);
  }

  get invariants(): readonly InvariantReport[] {
    return (Object.keys(invariants) as InvariantId[]).map((id) => ({
      id,
      ...invariants[id],
      checked: this.#checked.get(id) ?? 0,
      violations: this.#broken.get(id) ?? 0,
    }));
  }

  /** The first 20 of each invariant. */
  get violations(): readonly Violation[] {
    return this.#kept;
  }

  get remarks(): readonly string[] {
    return [...this.#remarks];
  }

  get clean(): boolean {
    return this.#broken.size === 0;
  }
}
