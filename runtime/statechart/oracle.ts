// The oracle: a live XState actor beside the hosted chart, both given the same events, times and outcomes; every difference is
// an error. The live side is createActor with a SimulatedClock and promise actors whose outcome the run decides. The hosted
// side runs twice: from cache, and with the actor dropped after every commit (stored text and record through JSON and back).
//
// Compared after every event: persisted snapshot (value, context, status, output, error, history), open invokes with their
// inputs, due times of timers, executed actions, emitted events, active leaves; and between the two hosted runs everything a
// step says, texts and keys included.

import type { AnyStateMachine } from 'xstate';
import { effect, type Hosted, type StateView } from '../hosting.ts';
import { type ActorId, actorId } from '../ids.ts';
import { canonical, type Event, type Json, type JsonObject } from '../json.ts';
import type { Behaviour, Cause, EffectStart, Held, Refused, Step, TimerStart } from './behaviour.ts';
import { compile } from './chart.ts';
import { isLeaf, pathOf } from './definition.ts';
import { Live, namesOf } from './live.ts';

export type Random = () => number;

/** Numbers in [0, 1) from a seed (mulberry32): the same seed, the same run. */
export function seeded(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

export const pick = <T>(random: Random, from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;

/** What the oracle needs to know of a chart besides the chart: what a caller, a partner and a creator might say. */
export interface Trial {
  readonly machine: AnyStateMachine;
  /** As in Hosted: the live side then gets its `at` at the door of its mailbox. */
  readonly stamp?: boolean;
  readonly input?: (random: Random) => JsonObject;
  /** `allowed` is what the hosted chart would take; give others too, refusals are compared as well. */
  readonly event: (random: Random, allowed: readonly string[], view: StateView) => Event;
  readonly output?: (random: Random, source: string, input: JsonObject) => Json;
  readonly error?: (random: Random, source: string, input: JsonObject) => JsonObject;
}

export interface Run {
  readonly seed: number;
  /** Events, timers and outcomes at most; a final state ends the run earlier. */
  readonly steps: number;
  /** For tests of the oracle itself: a way to break the hosted side. */
  readonly sabotage?: (behaviour: Behaviour) => Behaviour;
}

export interface Verdict {
  readonly steps: number;
  readonly refused: number;
  readonly ended: 'steps' | 'final' | 'threw' | 'crowded';
}

/** Thrown at the first difference: what differs, after which events, under which seed. */
export class Difference extends Error {
  constructor(what: string, live: unknown, hosted: unknown, run: Run, told: readonly string[]) {
    const history = told.slice(-12).join('\n  ');
    super(
      `${what} differs (seed ${run.seed})\n live:   ${show(live)}\n hosted: ${show(hosted)}\n after:\n  ${history}`,
    );
    this.name = 'Difference';
  }
}

const show = (value: unknown): string => (typeof value === 'string' ? value : canonical(value));
const ACTOR: ActorId = actorId('oracle_1');
const ROWS_MAX = 16; // A chart whose timers breed is left at this many: nothing new is learnt from it.
const ROUNDS_MAX = 1_000;

/** Compiles once and runs many seeds. Throws NotHostable like compile. */
export function oracle(trial: Trial): (run: Run) => Promise<Verdict> {
  const behaviour = compile(hostedForTrial(trial));
  return (run) => new Duel(trial, run, run.sabotage?.(behaviour) ?? behaviour).run();
}

/** Every action an effect, so that executions become visible as starts. */
function hostedForTrial({ machine, stamp = false }: Trial): Hosted {
  const handler = effect(async () => ({ kind: 'done' }));
  const { actions, sources } = namesOf(machine);
  return {
    machine,
    name: 'trial',
    version: '1',
    stamp,
    actions: Object.fromEntries(actions.map((name) => [name, handler])),
    invokes: Object.fromEntries(sources.map((name) => [name, handler])),
  };
}

/** The hosted chart with a worker's bookkeeping: rows of timers and open executions, nothing of XState. */
class Worker {
  readonly behaviour: Behaviour;
  readonly #drop: boolean;
  held!: Held;
  stored = '';
  sequence = 0;
  open: EffectStart[] = [];
  rows: (TimerStart & { readonly due: number })[] = [];

  constructor(behaviour: Behaviour, drop: boolean) {
    this.behaviour = behaviour;
    this.#drop = drop;
  }

  create(input: JsonObject): Step {
    this.sequence = 1;
    const step = this.behaviour.start(input, { actor: ACTOR, sequence: 1, now: 0 });
    this.#commit(step, 0);
    return step;
  }

  take(event: Event, now: number, cause?: Cause): Step | Refused {
    if (cause?.kind === 'timer') this.rows = this.rows.filter((row) => row.id !== cause.id);
    if (cause?.kind === 'effect') this.open = this.open.filter((start) => start.key !== cause.key);
    const step = this.behaviour.step(this.held, event, { actor: ACTOR, sequence: this.sequence + 1, now, cause });
    if (step.kind === 'refused') this.#keep(step.held);
    else {
      this.sequence += 1;
      this.#commit(step, now);
    }
    return step;
  }

  #commit(step: Step, now: number): void {
    this.stored = step.stored;
    this.open = [
      ...this.open.filter(({ key }) => !step.stops.includes(key)),
      ...step.starts.filter(({ child }) => child !== null),
    ];
    const cleared = (row: TimerStart): boolean =>
      step.timersCleared.some(({ id, generation }) => id === row.id && generation === row.generation);
    this.rows = [
      ...this.rows.filter((row) => !cleared(row)),
      ...step.timersSet.map((timer) => ({ ...timer, due: now + timer.delayMs })),
    ];
    this.#keep(step.held);
  }

  #keep(held: Held): void {
    if (!this.#drop) this.held = held;
    else this.held = this.behaviour.restore(this.stored, JSON.parse(JSON.stringify(held.record)), ACTOR);
  }
}

class Duel {
  readonly #trial: Trial;
  readonly #run: Run;
  readonly #random: Random;
  readonly #live: Live;
  readonly #input: JsonObject;
  readonly #cached: Worker;
  readonly #dropped: Worker;
  readonly #told: string[] = [];
  #did: string[] = [];
  #emitted: string[] = [];
  #refused = 0;

  constructor(trial: Trial, run: Run, behaviour: Behaviour) {
    this.#trial = trial;
    this.#run = run;
    this.#random = seeded(run.seed);
    this.#input = trial.input?.(this.#random) ?? {};
    this.#live = new Live(trial.machine, trial.stamp ?? false, this.#input);
    this.#cached = new Worker(behaviour, false);
    this.#dropped = new Worker(behaviour, true);
  }

  async run(): Promise<Verdict> {
    const verdict = (ended: Verdict['ended'], steps: number): Verdict => ({ ended, steps, refused: this.#refused });
    this.#live.actor.start();
    if (!this.#both('creation', (worker) => worker.create(this.#input))) return verdict('threw', 0);
    this.#compare();
    for (let step = 1; step <= this.#run.steps; step++) {
      if (!(await this.#advance())) return verdict('threw', step);
      this.#compare();
      if (this.#live.actor.getSnapshot().status !== 'active') {
        this.#both('an event after the end', (worker) =>
          worker.take({ type: 'AFTER_THE_END' }, this.#live.clock.now()),
        );
        return verdict('final', step);
      }
      if (this.#cached.rows.length > ROWS_MAX) return verdict('crowded', step);
    }
    return verdict('steps', this.#run.steps);
  }

  /** One event, the timers of one moment, or one outcome, to all three. False when the chart threw, on all sides alike. */
  async #advance(): Promise<boolean> {
    const dice = this.#random();
    if (dice < 0.25 && this.#cached.rows.length > 0) return this.#fire();
    if (dice < 0.5 && this.#cached.open.length > 0) return await this.#settle();
    const { behaviour, held } = this.#cached;
    const event = this.#trial.event(this.#random, behaviour.allowed(held), held.view);
    const before = this.#live.actor.getSnapshot();
    this.#live.actor.send(event);
    return this.#both(canonical(event), (worker) => worker.take(event, this.#live.clock.now()), before);
  }

  #fire(): boolean {
    const due = Math.min(...this.#cached.rows.map((row) => row.due));
    this.#live.clock.increment(due - this.#live.clock.now());
    for (let i = 0; i < ROUNDS_MAX && [...this.#live.due.values()].some((at) => at <= due); i++)
      this.#live.clock.increment(0);
    for (let i = 0; i < ROUNDS_MAX; i++) {
      // Rows stand in the order they were armed, so the first of the earliest is the one XState fires first.
      const row = this.#cached.rows.filter((one) => one.due <= due).sort((a, b) => a.due - b.due)[0];
      if (row === undefined) return true;
      if (
        !this.#both(`timer ${row.id} at ${due}`, (worker) => worker.take(row.event, due, { kind: 'timer', id: row.id }))
      )
        return false;
    }
    return true;
  }

  async #settle(): Promise<boolean> {
    const start = pick(this.#random, this.#cached.open);
    const child = start.child as string;
    const good = this.#random() < 0.7;
    const value = good
      ? (this.#trial.output?.(this.#random, start.name, start.input) ?? Math.floor(this.#random() * 5))
      : (this.#trial.error?.(this.#random, start.name, start.input) ?? { code: 'failed' });
    // Of two under one id the live actor starts the reachable one first when both are its initial state's, else last.
    const lost = new Set(this.#cached.held.record.executions.filter((one) => one.unreachable).map(({ key }) => key));
    const alike = (one: EffectStart): boolean => one.child === child && lost.has(one.key) === lost.has(start.key);
    const nth = this.#cached.open.filter(alike).indexOf(start);
    const waiting = this.#live.openUnder(child, !lost.has(start.key))[nth];
    if (waiting === undefined) this.#differ('an open invoke', 'none', child);
    waiting.end(good, value);
    for (let tick = 0; tick < 4; tick++) await null; // The outcome reaches the live actor by microtasks.
    const { behaviour } = this.#cached;
    const event = behaviour.outcomeEvent(
      child,
      good ? { kind: 'done', output: value } : { kind: 'failed', error: value as JsonObject },
    );
    const cause: Cause = { kind: 'effect', key: start.key };
    return this.#both(canonical(event), (worker) => worker.take(event, this.#live.clock.now(), cause));
  }

  /** Steps both hosted runs and compares what they say; `before` is the live snapshot that a refused event must leave. */
  #both(told: string, act: (worker: Worker) => Step | Refused, before?: unknown): boolean {
    this.#told.push(told);
    const [cached, dropped] = [this.#attempt(this.#cached, act), this.#attempt(this.#dropped, act)];
    if (cached instanceof Error || dropped instanceof Error) {
      const live: unknown = this.#live.actor.getSnapshot().error;
      const said = [cached, dropped].map((one) => (one instanceof Error ? one.message : 'no exception')).join(' | ');
      const message = live instanceof Error ? live.message : 'no exception';
      if (said !== `${message} | ${message}`) this.#differ('the exception', message, said);
      return false;
    }
    const [fromCache, afterDrop] = [sayings(cached), sayings(dropped)];
    if (fromCache !== afterDrop)
      this.#differ('a step from cache (as live) and after a reload (as hosted)', fromCache, afterDrop);
    if (cached.kind === 'refused') {
      this.#refused += 1;
      if (before !== undefined && this.#live.actor.getSnapshot() !== before)
        this.#differ('a refused event', 'moved', 'refused');
      return true;
    }
    this.#told.push(`= ${canonical(cached.held.view.value)} ${canonical(cached.held.view.context)}`);
    for (const { child, name, input } of cached.starts)
      if (child === null) this.#did.push(`${name} ${canonical(input)}`);
    for (const event of cached.emitted) this.#emitted.push(canonical(event));
    return true;
  }

  #attempt(worker: Worker, act: (worker: Worker) => Step | Refused): Step | Refused | Error {
    try {
      return act(worker);
    } catch (error) {
      return error as Error;
    }
  }

  #compare(): void {
    const live = this.#live;
    const { children: _, ...persisted } = live.actor.getPersistedSnapshot() as { children?: unknown };
    const active = live.actor.getSnapshot().status === 'active';
    const nodes = live.actor.getSnapshot()._nodes as Parameters<typeof pathOf>[0][];
    for (const worker of [this.#cached, this.#dropped]) {
      const { snapshot } = JSON.parse(worker.stored) as { snapshot: { children?: unknown } };
      const { children: __, ...hosted } = snapshot;
      this.#same('the persisted snapshot', canonical(persisted), canonical(hosted));
      const own = worker.held.snapshot as typeof worker.held.snapshot & { _nodes: typeof nodes };
      this.#same(
        'the active states',
        nodes.map((node) => node.id).join(' '),
        own._nodes.map((node) => node.id).join(' '),
      );
      const open = active ? live.open : []; // And promises that it lost track of.
      const invokes = open.map(({ child, source, input }) => `${child} ${source} ${canonical(input ?? {})}`);
      this.#same(
        'open invokes',
        invokes.sort().join('\n'),
        worker.open
          .map(({ child, name, input }) => `${child} ${name} ${canonical(input)}`)
          .sort()
          .join('\n'),
      );
      const due = active ? [...live.due.values()] : []; // XState leaves timers of a stopped actor to run into the void.
      this.#same(
        'due times',
        due.sort((a, b) => a - b).join(' '),
        worker.rows
          .map((row) => row.due)
          .sort((a, b) => a - b)
          .join(' '),
      );
      const record = Object.keys(worker.held.record.timers).sort().join(' ');
      this.#same(
        'rows of timers in the record',
        worker.rows
          .map((row) => row.id)
          .sort()
          .join(' '),
        record,
      );
    }
    this.#same('active leaves', nodes.filter(isLeaf).map(pathOf).sort().join(' '), this.#leaves());
    this.#same('executed actions', live.did.join('\n'), this.#did.join('\n'));
    this.#same('emitted events', live.emitted.join('\n'), this.#emitted.join('\n'));
    live.did = [];
    live.emitted = [];
    this.#did = [];
    this.#emitted = [];
  }

  #leaves(): string {
    const own = this.#cached.held.snapshot as { _nodes: Parameters<typeof pathOf>[0][] };
    return own._nodes.filter(isLeaf).map(pathOf).sort().join(' ');
  }

  #same(what: string, live: string, hosted: string): void {
    if (live !== hosted) this.#differ(what, live, hosted);
  }

  #differ(what: string, live: unknown, hosted: unknown): never {
    throw new Difference(what, live, hosted, this.#run, this.#told);
  }
}

/** All a step says, as one text; the snapshot object itself is what `stored` is for. */
function sayings(step: Step | Refused): string {
  const { held, ...said } = step;
  return JSON.stringify({
    ...said,
    record: held.record,
    value: held.view.value,
    status: held.view.status,
    context: held.view.context,
  });
}
