// What an audit found: per invariant how much was looked at, what did not hold, and what could not be decided, in words.

export type InvariantId = 'I1' | 'I2' | 'I3' | 'I4' | 'I5' | 'I6' | 'I7' | 'I8';

export const invariants: { readonly [id in InvariantId]: { readonly title: string; readonly unit: string } } = {
  I1: { title: 'every acknowledged command was applied or refused', unit: 'acknowledged commands' },
  I2: { title: 'each journal replays through its chart to the stored snapshot', unit: 'steps replayed' },
  I3: { title: 'versions and journal positions have no gap and no repeat', unit: 'journal entries' },
  I4: { title: 'no effect happened twice', unit: 'business keys' },
  I5: { title: 'each subscriber was told each version once and in order', unit: 'versions told' },
  I6: { title: 'no entry bears the token of an earlier owner', unit: 'journal entries' },
  I7: { title: 'what clients saw of each actor is linearizable', unit: 'operations' },
  I8: { title: 'nothing is left over when all is quiet', unit: 'counters' },
};

export interface Violation {
  readonly invariant: InvariantId;
  /** The actor, shard, business key or subscriber it was seen at. */
  readonly where: string;
  /** Names versions, positions and tokens. */
  readonly words: string;
}

export interface InvariantReport {
  readonly id: InvariantId;
  readonly title: string;
  readonly unit: string;
  readonly checked: number;
  readonly violations: number;
  /** Checks that reached a bound before they came to an end. */
  readonly undecided: number;
}

const KEPT_MAX = 20; // Per invariant: enough to see a pattern; all are counted.
const REMARKS_MAX = 100;

/** Collects while checks run. */
export class Findings {
  readonly #checked = new Map<InvariantId, number>();
  readonly #broken = new Map<InvariantId, number>();
  readonly #open = new Map<InvariantId, number>();
  readonly #violations: Violation[] = [];
  readonly #undecided: Violation[] = [];
  readonly #remarks = new Set<string>();

  /** So many more things were looked at. */
  looked(invariant: InvariantId, count = 1): void {
    this.#checked.set(invariant, (this.#checked.get(invariant) ?? 0) + count);
  }

  violated(invariant: InvariantId, where: string, words: string): void {
    keep(this.#broken, this.#violations, { invariant, where, words });
  }

  /** A check ended at its bound: neither clean nor violated. */
  undecided(invariant: InvariantId, where: string, words: string): void {
    keep(this.#open, this.#undecided, { invariant, where, words });
  }

  /** Worth knowing, and no violation. */
  remark(words: string): void {
    if (this.#remarks.size < REMARKS_MAX) this.#remarks.add(words);
  }

  get invariants(): readonly InvariantReport[] {
    return (Object.keys(invariants) as InvariantId[]).map((id) => ({
      id,
      ...invariants[id],
      checked: this.#checked.get(id) ?? 0,
      violations: this.#broken.get(id) ?? 0,
      undecided: this.#open.get(id) ?? 0,
    }));
  }

  /** The first 20 of each invariant. */
  get violations(): readonly Violation[] {
    return this.#violations;
  }

  /** The first 20 of each invariant. */
  get undecidedChecks(): readonly Violation[] {
    return this.#undecided;
  }

  get remarks(): readonly string[] {
    return [...this.#remarks];
  }

  /** Nothing violated, and everything decided. */
  get clean(): boolean {
    return this.#broken.size === 0 && this.#open.size === 0;
  }
}

function keep(counts: Map<InvariantId, number>, kept: Violation[], one: Violation): void {
  const count = (counts.get(one.invariant) ?? 0) + 1;
  counts.set(one.invariant, count);
  if (count <= KEPT_MAX) kept.push(one);
}
