// A hosted chart: a plain XState machine and its registration, as the behaviour the runtime steps.
//
// Steps go through machine.transition on one reused actor scope (see collector.ts). What XState would keep in memory between
// two events and its persisted form leaves out is kept here, so that a step from cache equals a step after a reload:
// children (stand-ins, one per open execution), timers (rows of the record) and the order of the active states, on which the
// order of transitions in parallel regions depends.

import type { AnyMachineSnapshot, AnyStateMachine, AnyStateNode } from 'xstate';
import { OperatingError } from '../errors.ts';
import type { EffectRegistration, Hosted, StateView } from '../hosting.ts';
import type { ActorId } from '../ids.ts';
import type { Event, Json, JsonObject } from '../json.ts';
import { allowedEvents, callableTypes } from './allowed.ts';
import type { ActorRecord, Behaviour, Execution, Held, Refused, Step, StepScope } from './behaviour.ts';
import { DONE, endedExecution, FAILED, isAdmitted, withoutCause, withoutChild } from './cause.ts';
import { Collector, inertLogic, StandIn } from './collector.ts';
import { hashOf, isLeaf, nodesOf, pathOf } from './definition.ts';
import { plain } from './plain.ts';
import { effectsOf, examine } from './registration.ts';
import { StepTimers } from './timers.ts';

const ITERATIONS_MAX = 10_000; // M5: microsteps in one macrostep; a chart that needs more is in a loop.
const INIT = 'xstate.init';
const NO_RECORD: ActorRecord = { executions: [], timers: {}, announced: 0 };
const NO_CHILDREN = {};

/** Throws NotHostable, naming the place, when the chart cannot be hosted whole. About a millisecond per hundred states. */
export function compile(hosted: Hosted): Behaviour {
  examine(hosted);
  return new Chart(hosted);
}

class Chart implements Behaviour {
  readonly machine: string;
  readonly version: string;
  readonly hash: string;
  readonly leaves: readonly string[];

  readonly #hosted: Hosted;
  readonly #chart: AnyStateMachine;
  readonly #collector: Collector;
  readonly #nodes: readonly AnyStateNode[];
  readonly #callable: ReadonlyMap<AnyStateNode, readonly string[]>;
  readonly #paths = new Map<AnyStateNode, string>();
  readonly #effects: ReadonlyMap<string, EffectRegistration>;
  readonly #prefix: string;
  /** All event types the chart names; undefined when wildcards or `always` can make something of any other. */
  readonly #vocabulary: ReadonlySet<string> | undefined;

  constructor(hosted: Hosted) {
    this.#hosted = hosted;
    this.#chart = inert(hosted, (name) => {
      this.#collector.delayName = name;
    });
    this.#nodes = nodesOf(this.#chart);
    this.#callable = callableTypes(this.#nodes);
    this.#effects = effectsOf(hosted);
    const invokes = this.#nodes.flatMap((node) => node.invoke.map((one) => `${one.id}\n${one.src}`));
    this.#collector = new Collector(hosted, this.#chart, new Set(invokes));
    for (const node of this.#nodes) if (isLeaf(node)) this.#paths.set(node, pathOf(node));
    this.#vocabulary = vocabularyOf(this.#nodes);
    this.machine = hosted.name;
    this.version = hosted.version;
    this.hash = hashOf(hosted.machine);
    this.leaves = [...this.#paths.values()].sort();
    const head = JSON.stringify({ machine: this.machine, version: this.version, hash: this.hash });
    this.#prefix = `${head.slice(0, -1)},"snapshot":`;
  }

  start(input: JsonObject, scope: StepScope): Step {
    const given = this.#hosted.stamp ? { ...input, at: scope.now } : input;
    const timers = new StepTimers(NO_RECORD.timers, scope.sequence);
    this.#collector.begin(scope, NO_RECORD.executions, timers, undefined, () => 'first step');
    const snapshot: AnyMachineSnapshot = this.#chart.getInitialSnapshot(this.#collector.scope, given);
    // The first macrostep has no event that could fail a chart, so XState has caught an exception here.
    if (snapshot.status === 'error') throw snapshot.error;
    return this.#step(undefined, NO_RECORD, snapshot, { type: INIT, input: given }, scope);
  }

  step(held: Held, event: Event, scope: StepScope): Step | Refused {
    const before = held.snapshot as AnyMachineSnapshot;
    const ended = endedExecution(held.record, event, scope);
    const record = withoutCause(held.record, event, scope, ended);
    const waiting = withoutChild(before, ended);
    const admitted = before.status === 'active' && isAdmitted(held.record, event, scope, ended);
    if (!admitted || !this.#isNamed(event)) return this.#refused(held, waiting, record, scope);

    const given = this.#hosted.stamp ? { ...event, at: scope.now } : event;
    const timers = new StepTimers(record.timers, scope.sequence);
    const place = (): string => `state ${this.#activeLeaves(before).join(', ')}, event ${event.type}`;
    this.#collector.begin(scope, record.executions, timers, before, place);
    const after: AnyMachineSnapshot = this.#chart.transition(waiting, given, this.#collector.scope);
    // M4: the transitions taken decide. One with actions only returns the same reference and is a move all the same.
    if (!this.#collector.moved && after.status === 'active') return this.#refused(held, waiting, record, scope);
    return this.#step(held, record, after, given, scope);
  }

  restore(stored: string, record: ActorRecord, _actor: ActorId): Held {
    if (!stored.startsWith(this.#prefix)) throw this.#versionMissing(stored);
    try {
      const { snapshot: persisted, order } = JSON.parse(stored) as {
        snapshot: AnyMachineSnapshot;
        order: readonly number[];
      };
      const bare: AnyMachineSnapshot = { ...persisted, children: {} };
      const snapshot: AnyMachineSnapshot = this.#chart.restoreSnapshot(bare, this.#collector.scope);
      // What was active, not what XState completes it to: it can leave a region of a parallel state without an active state.
      const nodes = order.map((index) => this.#nodeAt(index));
      snapshot._nodes = nodes;
      snapshot.value = persisted.value;
      snapshot.tags = new Set(nodes.flatMap((node) => node.tags));
      snapshot.historyValue = inOrder(persisted.historyValue, snapshot.historyValue);
      snapshot.children = standIns(record.executions);
      return { snapshot, record, view: viewOf(snapshot) };
    } catch (cause) {
      throw new OperatingError(
        'snapshot-unreadable',
        `chart "${this.machine}" cannot read its stored snapshot: ${(cause as Error).message}`,
        { cause },
      );
    }
  }

  allowed(held: Held): readonly string[] {
    return allowedEvents(held.snapshot as AnyMachineSnapshot, this.#callable);
  }

  outcomeEvent(child: string, outcome: { kind: 'done'; output: Json } | { kind: 'failed'; error: JsonObject }): Event {
    return outcome.kind === 'done'
      ? { type: `${DONE}${child}`, output: outcome.output, actorId: child }
      : { type: `${FAILED}${child}`, error: outcome.error, actorId: child };
  }

  effect(name: string): EffectRegistration | undefined {
    return this.#effects.get(name);
  }

  #step(held: Held | undefined, before: ActorRecord, after: AnyMachineSnapshot, event: Event, scope: StepScope): Step {
    const gathered = this.#collector;
    gathered.end();
    const final = after.status !== 'active';
    if (final) gathered.stopAll();
    const snapshot = settled(after, held?.snapshot as AnyMachineSnapshot | undefined, gathered.executions, final);
    const view = viewOf(snapshot);
    const announcement = this.#hosted.announce?.(held?.view, view, event);
    const record: ActorRecord = {
      executions: gathered.executions,
      timers: gathered.timers.rows,
      announced: announcement === undefined ? before.announced : scope.sequence,
    };
    return {
      kind: 'moved',
      held: { snapshot, record, view },
      stored: this.#stored(snapshot),
      states: this.#activeLeaves(snapshot),
      starts: gathered.starts,
      stops: gathered.stops,
      timersSet: gathered.timers.set,
      timersCleared: gathered.timers.cleared,
      sends: gathered.sends,
      emitted: gathered.emitted,
      announcement,
      answer: this.#hosted.answer?.(view, event),
      final,
    };
  }

  #refused(held: Held, snapshot: AnyMachineSnapshot, record: ActorRecord, scope: StepScope): Refused {
    const unchanged = snapshot === held.snapshot && record === held.record;
    return {
      kind: 'refused',
      allowed: scope.cause === undefined ? allowedEvents(snapshot, this.#callable) : [],
      held: unchanged ? held : { snapshot, record, view: held.view },
    };
  }

  /** XState remembers every event type it was ever asked for, so types that no state names are kept away from it. */
  #isNamed({ type }: Event): boolean {
    return this.#vocabulary === undefined || type.startsWith('xstate.') || this.#vocabulary.has(type);
  }

  /** Wire format: never change; add fields. `order` lists the active states in XState's own order, by document index. */
  #stored(snapshot: AnyMachineSnapshot): string {
    let order = '';
    for (const node of snapshot._nodes as readonly AnyStateNode[])
      order += order === '' ? node.order : `,${node.order}`;
    return `${this.#prefix}${JSON.stringify(persistedOf(snapshot))},"order":[${order}]}`;
  }

  #nodeAt(index: number): AnyStateNode {
    const node = this.#nodes[index];
    if (node === undefined) throw new Error(`there is no state number ${index}`);
    return node;
  }

  #activeLeaves(snapshot: AnyMachineSnapshot): readonly string[] {
    const leaves: string[] = [];
    for (const node of snapshot._nodes as readonly AnyStateNode[]) {
      const path = this.#paths.get(node);
      if (path !== undefined) leaves.push(path);
    }
    return leaves.length < 2 ? leaves : leaves.sort();
  }

  #versionMissing(stored: string): OperatingError {
    let bears = 'something unreadable';
    try {
      const { machine, version, hash } = JSON.parse(stored) as { machine?: string; version?: string; hash?: string };
      bears = `${machine} ${version} (${hash})`;
    } catch {
      // Said as unreadable.
    }
    const own = `${this.machine} ${this.version} (${this.hash})`;
    return new OperatingError('version-missing', `stored snapshot is of ${bears}, this worker hosts ${own}`, {
      retry: 'elsewhere',
    });
  }
}

/** The machine with inert sources and with delays that tell their names before they are resolved. */
function inert({ machine, invokes = {} }: Hosted, tell: (delay: string) => void): AnyStateMachine {
  const delays: Record<string, unknown> = {};
  for (const [name, delay] of Object.entries(machine.implementations.delays as Record<string, unknown>)) {
    delays[name] = (args: unknown, params: unknown): unknown => {
      tell(name);
      return typeof delay === 'function' ? delay(args, params) : delay;
    };
  }
  const actors = Object.fromEntries(Object.keys(invokes).map((src) => [src, inertLogic]));
  const chart: AnyStateMachine = machine.provide({ actors, delays } as Parameters<AnyStateMachine['provide']>[0]);
  chart.options = {
    ...chart.options,
    maxIterations: Math.min(chart.options.maxIterations ?? ITERATIONS_MAX, ITERATIONS_MAX),
  };
  return chart;
}

function vocabularyOf(nodes: readonly AnyStateNode[]): ReadonlySet<string> | undefined {
  if (nodes.some((node) => node.always !== undefined)) return undefined;
  const types = new Set(nodes.flatMap((node) => [...node.transitions.keys()]));
  return [...types].some((type) => type.endsWith('*')) ? undefined : types;
}

function standIns(executions: readonly Execution[]): AnyMachineSnapshot['children'] {
  const children: Record<string, StandIn> = {};
  for (const { child, name, unreachable } of executions)
    if (!unreachable) children[child as string] = new StandIn(child as string, name);
  return children as unknown as AnyMachineSnapshot['children']; // As much of an actor as stopChild reads.
}

/** Reviving drops a history of nothing, which is another thing than no history: it leads to no state instead of the default. */
function inOrder<T>(
  stored: { readonly [id: string]: unknown },
  revived: { readonly [id: string]: T[] },
): Record<string, T[]> {
  const histories: Record<string, T[]> = {};
  for (const id in stored) histories[id] = revived[id] ?? [];
  return histories;
}

/** The snapshot as it is kept: values plain, children stand-ins of open executions and nothing else. */
function settled(
  after: AnyMachineSnapshot,
  before: AnyMachineSnapshot | undefined,
  executions: readonly Execution[],
  final: boolean,
): AnyMachineSnapshot {
  const context = after.context === before?.context ? after.context : plain(after.context, 'context', before?.context);
  const changes: Record<string, unknown> = {};
  if (context !== after.context) changes.context = context;
  if (final) {
    if (after.output !== undefined) changes.output = plain(after.output, 'output');
    if (after.error !== undefined) changes.error = plain(after.error, 'error');
  }
  if (after.children !== before?.children) {
    changes.children = standIns(executions);
  }
  for (const _ in changes) return { ...after, ...changes } as AnyMachineSnapshot;
  return after;
}

/**
 * What machine.getPersistedSnapshot gives for a snapshot without children, field for field (a test compares the texts). Ours
 * need no search for actors in the context, since it is plain, and so costs a quarter: a fifth of a whole step on a small chart.
 */
function persistedOf({ status, output, error, value, historyValue, context }: AnyMachineSnapshot): object {
  const history: Record<string, readonly { readonly id: string }[]> = {};
  for (const id in historyValue)
    history[id] = (historyValue[id] as readonly AnyStateNode[]).map((node) => ({ id: node.id }));
  return { status, output, error, value, historyValue: history, context, children: NO_CHILDREN };
}

const viewOf = (snapshot: AnyMachineSnapshot): StateView => ({
  value: snapshot.value as Json,
  context: snapshot.context as JsonObject,
  status: snapshot.status,
});
