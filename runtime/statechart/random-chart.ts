// Random charts for the oracle: every kind of node and transition, in shapes nobody would draw. Same seed, same chart.
//
// Charts may loop for ever; maxIterations ends a loop with an exception, on the live side and the hosted side alike.

import { type AnyStateMachine, assign, cancel, emit, enqueueActions, fromPromise, raise, setup, stateIn } from 'xstate';
import { pick, type Random, seeded, type Trial } from './oracle.ts';

const ALPHABET = ['A', 'B', 'C', 'D', 'x.y', 'x.z'];
const RAISED = ['R', 'S', 'A'];
const DELAYS = [10, 20, 30, 'slow', 'growing'];
const TIMER_IDS = ['t', 'u'];
const DEPTH_MAX = 3;
const ITERATIONS_MAX = 40; // Far above what an honest macrostep of these charts takes, far below what a loop costs.

interface Counters {
  readonly n: number;
  readonly m: number;
}

/** Hands out what the generator strews over a chart; `setup` gives names and types to implementations. */
const kit = setup({
  types: {} as { context: Counters; events: { type: string; k?: number } },
  actors: {
    fetch: fromPromise<number, { n: number }>(async () => 0),
    print: fromPromise<number, { n: number }>(async () => 0),
  },
  actions: {
    act: (_, _params: { at: string; n: number }) => {},
    plain: () => {},
    bump: assign({ n: ({ context }) => (context.n + 1) % 97 }),
    double: assign({ n: ({ context }) => (context.n * 2 + 1) % 97, m: ({ context }) => (context.m + context.n) % 89 }),
  },
  guards: {
    mod: ({ context }, { of, is }: { of: number; is: number }) => (context.n + context.m) % of === is,
    even: ({ context }) => context.n % 2 === 0,
    asked: ({ event }) => event.type === 'A',
  },
  delays: { slow: 40, growing: ({ context }) => 5 + context.n },
});

type Config = Record<string, unknown>;

class Generator {
  readonly #random: Random;
  readonly #ids: string[] = [];
  #invokes = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  chart(): AnyStateMachine {
    const shape = this.#shape('m', 0);
    const root = this.#fill(shape, true);
    const config = {
      ...root,
      id: 'm',
      context: { n: 1, m: 2 },
      output: ({ context }: { context: Counters }) => ({ total: context.n }),
      options: { maxIterations: ITERATIONS_MAX },
    };
    return kit.createMachine(config as Parameters<typeof kit.createMachine>[0]);
  }

  #chance(share: number): boolean {
    return this.#random() < share;
  }

  #some(most: number): readonly number[] {
    return Array.from({ length: Math.floor(this.#random() * (most + 1)) }, (_, index) => index);
  }

  /** The tree first, so that transitions may point anywhere. */
  #shape(id: string, depth: number): Shape {
    const leaf = depth > 0 && (depth >= DEPTH_MAX || this.#chance(0.45));
    if (depth > 0) this.#ids.push(id);
    if (leaf) return { id, kind: this.#chance(0.12) ? 'final' : 'atomic', children: [] };
    const parallel = this.#chance(0.35);
    const children = ['a', 'b', 'c']
      .slice(0, parallel ? 2 : 2 + Math.floor(this.#random() * 2))
      .map((key) => this.#shape(`${id}_${key}`, depth + 1));
    if (children.every((child) => child.kind === 'final')) children[0] = { ...(children[0] as Shape), kind: 'atomic' };
    children.forEach((child, index) => {
      if (parallel && child.kind === 'final' && this.#chance(0.5)) children[index] = { ...child, kind: 'atomic' };
    });
    if (this.#chance(0.4)) {
      this.#ids.push(`${id}_h`);
      children.push({ id: `${id}_h`, kind: this.#chance(0.5) ? 'shallow' : 'deep', children: [] });
    }
    return { id, kind: parallel ? 'parallel' : 'compound', children };
  }

  #fill(shape: Shape, root = false): Config {
    const { id, kind, children } = shape;
    if (kind === 'shallow' || kind === 'deep') return { id, type: 'history', history: kind };
    const keyed = Object.fromEntries(children.map((child) => [child.id.slice(id.length + 1), this.#fill(child)]));
    const real = children.filter((child) => child.kind !== 'shallow' && child.kind !== 'deep');
    const initial = pick(this.#random, real)?.id.slice(id.length + 1);
    return {
      id,
      ...(kind === 'parallel' || kind === 'final' ? { type: kind } : {}),
      ...(kind === 'compound'
        ? { initial: this.#chance(0.3) ? { target: initial, actions: this.#actions(1) } : initial }
        : {}),
      ...(children.length > 0 ? { states: keyed } : {}),
      entry: this.#actions(2),
      exit: this.#actions(1),
      ...(kind === 'final'
        ? { output: ({ context }: { context: Counters }) => context.m }
        : this.#reactions(shape, root)),
    };
  }

  #reactions({ kind }: Shape, root: boolean): Config {
    const on: Config = {};
    for (const _ of this.#some(root ? 2 : 3))
      on[pick(this.#random, [...ALPHABET, ...RAISED, '*', 'x.*'])] = this.#transitions();
    if (this.#chance(0.1)) on[pick(this.#random, ALPHABET)] = undefined;
    return {
      on,
      ...(this.#chance(0.15) ? { always: [this.#spontaneous()] } : {}),
      ...(this.#chance(0.3) ? { after: { [pick(this.#random, DELAYS)]: this.#transitions() } } : {}),
      ...(kind !== 'atomic' && this.#chance(0.5) ? { onDone: this.#transitions() } : {}),
      ...(!root && this.#chance(0.25)
        ? {
            invoke: this.#some(1)
              .concat(0)
              .map(() => this.#invoke()),
          }
        : {}),
    };
  }

  #invoke(): Config {
    this.#invokes += 1;
    return {
      src: pick(this.#random, ['fetch', 'print']),
      ...(this.#chance(0.5) ? { id: `call${this.#invokes}` } : {}),
      input: ({ context }: { context: Counters }) => ({ n: context.n }),
      ...(this.#chance(0.7) ? { onDone: this.#transitions() } : {}),
      ...(this.#chance(0.7) ? { onError: this.#transitions() } : {}),
    };
  }

  #transitions(): unknown {
    return this.#chance(0.3)
      ? [{ ...this.#transition(), guard: this.#guard() }, this.#transition()]
      : this.#transition();
  }

  #transition(): Config {
    return {
      ...(this.#chance(0.75) ? { target: `#${pick(this.#random, this.#ids)}` } : {}),
      ...(this.#chance(0.3) ? { guard: this.#guard() } : {}),
      ...(this.#chance(0.15) ? { reenter: true } : {}),
      actions: this.#actions(2),
    };
  }

  /** Moves a counter that its guard looks at, so that most loops of these come to an end. */
  #spontaneous(): Config {
    const { actions, ...transition } = this.#transition();
    return {
      ...transition,
      guard: { type: 'mod', params: { of: 3, is: 0 } },
      actions: ['bump', ...(actions as unknown[])],
    };
  }

  #guard(): unknown {
    const of = 2 + Math.floor(this.#random() * 3);
    return pick(this.#random, [
      { type: 'mod', params: { of, is: 0 } },
      'even',
      'asked',
      { type: 'mod', params: { of, is: 1 } },
      stateIn(`#${pick(this.#random, this.#ids)}`),
    ]);
  }

  #actions(most: number): unknown[] {
    return this.#some(most).map(() => this.#action());
  }

  #action(): unknown {
    const delay = pick(this.#random, DELAYS) as never; // The names are the kit's, which the free-standing builtins cannot know.
    const type = pick(this.#random, RAISED);
    const id = pick(this.#random, TIMER_IDS);
    const choices: (() => unknown)[] = [
      () => 'plain',
      () => ({ type: 'act', params: ({ context }: { context: Counters }) => ({ at: type, n: context.n }) }),
      () => 'bump',
      () => 'double',
      () => 'bump',
      () => (this.#chance(0.5) ? raise({ type: pick(this.#random, ['R', 'S']) }) : 'bump'),
      () => (this.#chance(0.5) ? raise({ type }, { delay }) : 'double'),
      () => raise({ type, k: 1 } as never, { id, delay }),
      () => cancel(id),
      () => emit({ type: 'TOLD', by: type } as never),
      () =>
        enqueueActions(({ enqueue, check, context }) => {
          enqueue.assign({ m: (context as Counters).m + 1 } as never);
          if (check('even' as never)) enqueue.raise({ type, k: 2 } as never, { id, delay: 15 } as never);
          else enqueue.cancel(id);
          enqueue({ type: 'act', params: { at: 'enqueued', n: 0 } } as never);
        }),
    ];
    return pick(this.#random, choices)();
  }
}

interface Shape {
  readonly id: string;
  readonly kind: 'atomic' | 'compound' | 'parallel' | 'final' | 'shallow' | 'deep';
  readonly children: Shape[];
}

/** A chart and its callers, who also send what the chart does not know. */
export function randomTrial(seed: number): Trial {
  const machine = new Generator(seeded(seed)).chart();
  return { machine, event: (random) => ({ type: pick(random, [...ALPHABET, 'NOBODY_KNOWS']) }) };
}
