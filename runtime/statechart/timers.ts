// Timers of one step: what XState's own scheduler does with ids, as rows in the actor's record (T1).
//
// A row bears the id the chart gave it; without one, `sequence.index`. XState lets a second delayed raise under an armed id
// stand beside the first: both fire, and `cancel` reaches only the second. So the second gets a row of its own here, and the
// first is marked unreachable. When a timer fires, XState forgets its id, so that a namesake can no longer be cancelled either.

import type { ArmedTimer, TimerStart } from './behaviour.ts';

type Rows = { readonly [row: string]: ArmedTimer };
export type TimerRequest = Omit<TimerStart, 'id' | 'generation'> & { readonly id: string | undefined };

export class StepTimers {
  readonly #sequence: number;
  #rows: Record<string, ArmedTimer> | undefined;
  readonly #before: Rows;
  #index = 0;
  set: TimerStart[] = [];
  cleared: { readonly id: string; readonly generation: string }[] = [];

  constructor(before: Rows, sequence: number) {
    this.#before = before;
    this.#sequence = sequence;
  }

  /** The rows for the record after the step: the same object when nothing changed. */
  get rows(): Rows {
    return this.#rows ?? this.#before;
  }

  arm(request: TimerRequest): void {
    const generation = `${this.#sequence}.${this.#index++}`;
    const rows = this.#writable();
    const { id } = request;
    const holder = id === undefined ? undefined : this.#holder(id);
    if (holder !== undefined) rows[holder] = { ...(rows[holder] as ArmedTimer), unreachable: true };
    const row = id === undefined ? generation : rows[id] === undefined ? id : `${id}~${generation}`;
    rows[row] = id === undefined || row === id ? { generation } : { generation, id };
    this.set.push({ ...request, id: row, generation });
  }

  cancel(id: string): void {
    const row = this.#holder(id);
    if (row !== undefined) this.#clear(row);
  }

  clearAll(): void {
    for (const row of Object.keys(this.rows)) this.#clear(row);
  }

  /** The one row that `cancel` of this id reaches, if any. O(rows) only for ids that were ever doubled. */
  #holder(id: string): string | undefined {
    const own = this.rows[id];
    if (own !== undefined && !own.unreachable) return id;
    return Object.keys(this.rows).find((row) => this.rows[row]?.id === id && !this.rows[row]?.unreachable);
  }

  #clear(row: string): void {
    const rows = this.#writable();
    const generation = rows[row]?.generation;
    delete rows[row];
    const fresh = this.set.findIndex((start) => start.id === row);
    if (fresh >= 0)
      this.set.splice(fresh, 1); // Armed in this very step: nobody has heard of it.
    else if (generation !== undefined) this.cleared.push({ id: row, generation });
  }

  #writable(): Record<string, ArmedTimer> {
    this.#rows ??= { ...this.#before };
    return this.#rows;
  }
}

/** The record's rows once `row` has fired. */
export function withoutFired(rows: Rows, row: string): Rows {
  const fired = rows[row];
  if (fired === undefined) return rows;
  const { [row]: _, ...rest } = rows;
  const id = fired.id ?? row;
  return Object.fromEntries(
    Object.entries(rest).map(([name, timer]) => [
      name,
      (timer.id ?? name) === id ? { ...timer, unreachable: true } : timer,
    ]),
  );
}
