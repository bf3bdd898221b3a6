// Linearizability: is there one order of all calls that respects real time and that the model could have produced?
//
// The search goes through the orders depth first, takes a call back when nothing fits behind it, and remembers which pairs
// of (calls taken, state of the model) led nowhere. A history of one actor at a time: linearizability is local, so a system
// is linearizable if and only if each of its objects is.
//
// Sources: J. M. Wing, C. Gong, "Testing and verifying concurrent objects" (1993), the search; G. Lowe, "Testing for
// linearizability" (2017), the memory of states; A. Horn, D. Kroening, "Faster linearizability checking via
// P-compositionality" (2015), one object at a time; M. Herlihy, J. Wing, "Linearizability" (1990), that this is enough.

/** A call on an object. Times are of one monotonic clock; a call that returns at 5 does not precede one invoked at 5. */
export interface Call<Input, Output> {
  readonly input: Input;
  readonly invokedAt: number;
  /** Left out: the outcome is unknown. It may take effect at any time after its invocation, or never. */
  readonly returnedAt?: number | undefined;
  /** Left out when the outcome is unknown. */
  readonly output?: Output | undefined;
  /** It certainly never took effect. */
  readonly failed?: boolean | undefined;
}

/** A sequential object: what one caller at a time would see. Pure; states are never changed in place. */
export interface Model<State, Input, Output> {
  readonly name: string;
  /** The state before the first call. It may look at all calls first, such as to know what reads have shown. */
  initial(calls: readonly Call<Input, Output>[]): State;
  /** The state after the call, or undefined when it could not have given that output there. Output undefined: any. */
  step(state: State, input: Input, output: Output | undefined): State | undefined;
  /** Equal for equal states, different for different ones. Default: the state as JSON. */
  key?(state: State): string;
}

export interface Bounds {
  /** Default 10,000 calls of one object. */
  readonly callsMax?: number;
  /** Default 200,000 pairs of calls taken and state, about 100 MB at the worst. */
  readonly statesMax?: number;
}

export type Linearization<Input, Output> =
  | { readonly kind: 'linearizable'; readonly states: number; readonly order: readonly Call<Input, Output>[] }
  /** `order` is the longest beginning that fits; none of `stuck`, which may come next, fits behind it. */
  | {
      readonly kind: 'not-linearizable';
      readonly states: number;
      readonly order: readonly Call<Input, Output>[];
      readonly stuck: readonly Call<Input, Output>[];
    }
  /** A bound was reached: nothing is known. */
  | { readonly kind: 'not-decided'; readonly states: number; readonly words: string };

const CALLS_MAX = 10_000;
const STATES_MAX = 200_000;

/** Decides whether the history of one object is linearizable. Pure; time and memory grow with the states visited. */
export function linearizable<State, Input, Output>(
  history: Iterable<Call<Input, Output>>,
  model: Model<State, Input, Output>,
  { callsMax = CALLS_MAX, statesMax = STATES_MAX }: Bounds = {},
): Linearization<Input, Output> {
  const calls = [...history].filter(({ failed }) => failed !== true);
  for (const { invokedAt, returnedAt } of calls)
    if (!(invokedAt <= (returnedAt ?? Number.POSITIVE_INFINITY)))
      throw new RangeError(`a call was invoked at ${invokedAt} and returned at ${returnedAt}: one clock for all times`);
  if (calls.length > callsMax)
    return { kind: 'not-decided', states: 0, words: `${calls.length} calls, more than ${callsMax}` };
  return new Search(calls, model, statesMax).run();
}

interface Taken<State> {
  readonly index: number;
  readonly before: State;
}

/** Calls not taken yet, in a fixed order; a call leaves and comes back at its own place. Doubly linked by index. */
class Untaken {
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  readonly #root: number;

  /** `order` has indices below `size`. */
  constructor(order: readonly number[], size: number) {
    this.#root = size;
    this.#next = new Int32Array(size + 1).fill(size);
    this.#previous = new Int32Array(size + 1).fill(size);
    let last = size;
    for (const index of order) {
      this.#next[last] = index;
      this.#previous[index] = last;
      last = index;
    }
    this.#next[last] = size;
    this.#previous[size] = last;
  }

  /** -1 when there is none. */
  get first(): number {
    return this.after(this.#root);
  }

  after(index: number): number {
    const next = this.#next[index] as number;
    return next === this.#root ? -1 : next;
  }

  remove(index: number): void {
    const previous = this.#previous[index] as number;
    const next = this.#next[index] as number;
    this.#next[previous] = next;
    this.#previous[next] = previous;
  }

  /** Undoes the latest `remove` that is not undone. */
  restore(index: number): void {
    this.#next[this.#previous[index] as number] = index;
    this.#previous[this.#next[index] as number] = index;
  }
}

class Search<State, Input, Output> {
  readonly #calls: readonly Call<Input, Output>[];
  readonly #model: Model<State, Input, Output>;
  readonly #statesMax: number;
  /** Calls with a return, by invocation; the same by return; and those without, by invocation. */
  readonly #byInvocation: Untaken;
  readonly #byReturn: Untaken;
  readonly #open: Untaken;
  readonly #certain: number;
  readonly #done: Uint32Array;
  readonly #visited = new Set<string>();
  readonly #trail: Taken<State>[] = [];
  #state: State;
  #certainTaken = 0;
  #longest: readonly number[] = [];
  #stuck: readonly number[] = [];

  constructor(history: readonly Call<Input, Output>[], model: Model<State, Input, Output>, statesMax: number) {
    const certain = history.filter(isCertain).sort(byInvocation);
    const open = history.filter((call) => !isCertain(call)).sort(byInvocation);
    this.#calls = [...certain, ...open];
    this.#model = model;
    this.#statesMax = statesMax;
    this.#certain = certain.length;
    const size = this.#calls.length;
    const indices = Array.from(certain.keys());
    this.#byInvocation = new Untaken(indices, size);
    const returned = (index: number): number => this.#calls[index]?.returnedAt as number; // Certain calls have one.
    this.#byReturn = new Untaken(
      indices.toSorted((a, b) => returned(a) - returned(b)),
      size,
    );
    this.#open = new Untaken(
      open.map((_, index) => certain.length + index),
      size,
    );
    this.#done = new Uint32Array((size >> 5) + 1);
    this.#state = model.initial(history);
  }

  run(): Linearization<Input, Output> {
    let from = -1; // The candidate that was tried last here; -1: none yet.
    while (this.#certainTaken < this.#certain) {
      if (this.#visited.size > this.#statesMax)
        return { ...this.#counted('not-decided'), words: `more than ${this.#statesMax} states` };
      const index = this.#take(from);
      if (index >= 0) {
        from = -1;
        continue;
      }
      if (from < 0) this.#noteStuck();
      const last = this.#trail.pop();
      if (last === undefined) return { ...this.#counted('not-linearizable'), ...this.#farthest() };
      this.#giveBack(last);
      from = last.index;
    }
    return { ...this.#counted('linearizable'), order: this.#trail.map(({ index }) => this.#call(index)) };
  }

  #farthest(): { readonly order: readonly Call<Input, Output>[]; readonly stuck: readonly Call<Input, Output>[] } {
    return {
      order: this.#longest.map((index) => this.#call(index)),
      stuck: this.#stuck.map((index) => this.#call(index)),
    };
  }

  #counted<Kind extends string>(kind: Kind): { readonly kind: Kind; readonly states: number } {
    return { kind, states: this.#visited.size };
  }

  #call(index: number): Call<Input, Output> {
    return this.#calls[index] as Call<Input, Output>;
  }

  /** Takes the next call after `from` that may come now and fits, and leads to what was not seen yet. -1: there is none. */
  #take(from: number): number {
    for (let index = this.#candidate(from); index >= 0; index = this.#candidate(index)) {
      const { input, output } = this.#call(index);
      const state = this.#model.step(this.#state, input, index < this.#certain ? output : undefined);
      if (state === undefined) continue;
      const key = this.#key(state);
      // A call of unknown outcome that changes nothing may as well never have happened.
      if (index >= this.#certain && key === this.#key(this.#state)) continue;
      this.#mark(index);
      const seen = `${this.#taken()}|${key}`;
      if (this.#visited.has(seen)) {
        this.#mark(index);
        continue;
      }
      this.#visited.add(seen);
      this.#trail.push({ index, before: this.#state });
      this.#state = state;
      this.#listOf(index).remove(index);
      if (index < this.#certain) {
        this.#byReturn.remove(index);
        this.#certainTaken += 1;
      }
      return index;
    }
    return -1;
  }

  /** Calls that may come next were invoked before any other call returned. First those with an outcome, then the open ones. */
  #candidate(from: number): number {
    const limit = this.#call(this.#byReturn.first).returnedAt as number; // In that list every call has one.
    const isCertainPart = from < this.#certain;
    if (isCertainPart) {
      const next = from < 0 ? this.#byInvocation.first : this.#byInvocation.after(from);
      if (next >= 0 && this.#call(next).invokedAt <= limit) return next;
    }
    const next = isCertainPart ? this.#open.first : this.#open.after(from);
    return next >= 0 && this.#call(next).invokedAt <= limit ? next : -1;
  }

  #giveBack({ index, before }: Taken<State>): void {
    this.#state = before;
    this.#mark(index);
    if (index < this.#certain) {
      this.#byReturn.restore(index);
      this.#certainTaken -= 1;
    }
    this.#listOf(index).restore(index);
  }

  #listOf(index: number): Untaken {
    return index < this.#certain ? this.#byInvocation : this.#open;
  }

  /** Turns the bit of a call. */
  #mark(index: number): void {
    const word = index >> 5;
    this.#done[word] = ((this.#done[word] as number) ^ (1 << (index & 31))) >>> 0;
  }

  /** Which calls are taken, as text: words that are full up to a place are told by that place. */
  #taken(): string {
    const words = this.#done;
    let full = 0;
    while (words[full] === 0xffffffff) full += 1;
    let end = words.length;
    while (end > full && words[end - 1] === 0) end -= 1;
    let text = full.toString(36);
    for (let at = full; at < end; at += 1) text += `.${(words[at] as number).toString(36)}`;
    return text;
  }

  #key(state: State): string {
    return this.#model.key?.(state) ?? JSON.stringify(state);
  }

  #noteStuck(): void {
    if (this.#longest.length > 0 && this.#trail.length <= this.#longest.length) return;
    this.#longest = this.#trail.map(({ index }) => index);
    const stuck: number[] = [];
    for (let index = this.#candidate(-1); index >= 0 && index < this.#certain; index = this.#candidate(index))
      stuck.push(index);
    this.#stuck = stuck;
  }
}

const isCertain = ({ returnedAt }: { readonly returnedAt?: number | undefined }): boolean => returnedAt !== undefined;
const byInvocation = (a: { readonly invokedAt: number }, b: { readonly invokedAt: number }): number =>
  a.invokedAt - b.invokedAt;
