// Walks a chart by hand: one event at a time, with its effects, timers and messages lying open for a test to look at.
//
// Pure: nothing runs, no time passes. Invokes stay open until the test ends them, timers until the test lets them fire.

import type { AnyEventObject, AnyMachineSnapshot, AnyStateMachine, AnyTransitionDefinition } from 'xstate';
import { type Action, Stepper } from './stepping.ts';

export interface OpenEffect {
  readonly id: string;
  readonly src: string;
  readonly input: unknown;
}

export interface Walk {
  readonly snapshot: AnyMachineSnapshot;
  /** Active leaf states as dotted paths, sorted. */
  readonly states: readonly string[];
  // biome-ignore lint/suspicious/noExplicitAny: a test looks into any chart's context.
  readonly context: any;
  /** Effects that wait for their outcome. */
  readonly effects: readonly OpenEffect[];
  /** Names of the running delays. */
  readonly timers: readonly string[];
  /** Named actions of all steps so far. */
  readonly told: readonly { readonly type: string; readonly params: Record<string, unknown> }[];
  /** Sends one event. False when the chart selects no transition for it. */
  send(event: AnyEventObject): boolean;
  /** Ends an open effect well; throws when it is not open. */
  done(id: string, output?: unknown): void;
  /** Ends an open effect badly. */
  fail(id: string): void;
  /** Lets a running timer fire; throws when it does not run. */
  fire(delay: string): boolean;
  in(path: string): boolean;
  /** Named actions of one type since the walk began. */
  said(type: string): readonly Record<string, unknown>[];
  /** Another walk from here; this one stays where it is. */
  fork(): Walk;
}

interface Running {
  snapshot: AnyMachineSnapshot;
  at: number;
  effects: Map<string, OpenEffect>;
  timers: Map<string, AnyEventObject>;
  told: { type: string; params: Record<string, unknown> }[];
}

const STEP_MS = 1000; // The clock readings of a walk: one second apart.

/** Hears of every step of every walk; an empty list is a beginning. The table of transitions is made with it. */
export type Witness = (chart: AnyStateMachine, taken: readonly AnyTransitionDefinition[]) => void;
let witness: Witness = () => {};
export const watchWalks = (watching: Witness): void => {
  witness = watching;
};

const steppers = new WeakMap<AnyStateMachine, Stepper>();
function stepperOf(machine: AnyStateMachine): Stepper {
  const stepper = steppers.get(machine) ?? new Stepper(machine);
  steppers.set(machine, stepper);
  return stepper;
}

export function walk(machine: AnyStateMachine, input: object, at = 1_800_000_000_000): Walk {
  const { snapshot, actions, taken } = stepperOf(machine).start({ ...input, at });
  witness(machine, []);
  if (taken.length > 0) witness(machine, taken);
  const running: Running = { snapshot, at, effects: new Map(), timers: new Map(), told: [] };
  keep(running, actions);
  return walking(machine, running);
}

function walking(machine: AnyStateMachine, running: Running): Walk {
  const send = (event: AnyEventObject): boolean => {
    running.at += STEP_MS;
    const stamped = { at: running.at, ...event };
    const { snapshot, actions, taken } = stepperOf(machine).step(running.snapshot, stamped);
    if (taken.length > 0) witness(machine, taken);
    running.snapshot = snapshot;
    keep(running, actions);
    return taken.length > 0;
  };
  const close = (id: string): void => {
    if (!running.effects.delete(id))
      throw new Error(`${id} is not open: ${[...running.effects.keys()].join(', ') || 'nothing is'}`);
  };
  return {
    get snapshot() {
      return running.snapshot;
    },
    get states() {
      return leaves(running.snapshot.value);
    },
    get context() {
      return running.snapshot.context;
    },
    get effects() {
      return [...running.effects.values()];
    },
    get timers() {
      return [...running.timers.keys()].map(delayOf).sort();
    },
    get told() {
      return running.told;
    },
    send,
    done(id, output) {
      close(id);
      send({ type: `xstate.done.actor.${id}`, output, actorId: id });
    },
    fail(id) {
      close(id);
      send({ type: `xstate.error.actor.${id}`, error: { code: 'refused' }, actorId: id });
    },
    fire(delay) {
      const found = [...running.timers].find(([id]) => delayOf(id) === delay);
      if (!found)
        throw new Error(
          `${delay} does not run: ${[...running.timers.keys()].map(delayOf).join(', ') || 'nothing does'}`,
        );
      running.timers.delete(found[0]);
      return send(found[1]);
    },
    in: (path) => leaves(running.snapshot.value).some((leaf) => leaf === path || leaf.startsWith(`${path}.`)),
    said: (type) => running.told.filter((action) => action.type === type).map((action) => action.params),
    fork: () =>
      walking(machine, {
        ...running,
        effects: new Map(running.effects),
        timers: new Map(running.timers),
        told: [...running.told],
      }),
  };
}

/** `xstate.after.editWindow.order.fulfilment…` → `editWindow`. */
const delayOf = (id: string): string => id.split('.')[2] ?? id;

function keep(running: Running, actions: readonly Action[]): void {
  for (const { type, params } of actions) {
    const given = params as Record<string, never> | undefined;
    if (type === 'xstate.spawnChild')
      running.effects.set(given?.id ?? '', { id: given?.id ?? '', src: given?.src ?? '', input: given?.input });
    else if (type === 'xstate.stopChild') running.effects.delete(stoppedId(params));
    else if (type === 'xstate.raise' && given?.delay !== undefined)
      running.timers.set(given.id ?? '', given.event ?? { type: '' });
    else if (type === 'xstate.cancel') running.timers.delete(given?.sendId ?? '');
    else if (!type.startsWith('xstate.')) running.told.push({ type, params: given ?? {} });
  }
}

/** What names the child to stop: its id, or its reference. */
const stoppedId = (params: unknown): string => (params as { id?: string } | undefined)?.id ?? String(params);

/** Active leaf states of a state value as dotted paths, sorted. */
export function leaves(value: unknown, path = ''): string[] {
  if (typeof value === 'string') return [path ? `${path}.${value}` : value];
  return Object.entries(value as Record<string, unknown>)
    .flatMap(([name, inner]) => {
      const here = path ? `${path}.${name}` : name;
      return inner && typeof inner === 'object' && Object.keys(inner).length === 0 ? [here] : leaves(inner, here);
    })
    .sort();
}
