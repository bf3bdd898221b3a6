// A live XState actor for the oracle: created by createActor, on a simulated clock, with promises whose outcome the run decides.

import { type AnyActor, type AnyStateMachine, createActor, fromPromise, SimulatedClock } from 'xstate';
import { canonical, type JsonObject } from '../json.ts';
import { nodesOf, transitionsOf } from './definition.ts';
import { isBuiltin } from './registration.ts';

/** Names of the actions a chart leaves to its host, and of the sources it invokes. */
export function namesOf(machine: AnyStateMachine): {
  readonly actions: readonly string[];
  readonly sources: readonly string[];
} {
  const own = machine.implementations.actions as Record<string, unknown>;
  const actions = new Set(Object.keys(own).filter((name) => !isBuiltin(own[name])));
  const sources = new Set<string>();
  for (const node of nodesOf(machine)) {
    const listed = [
      ...node.entry,
      ...node.exit,
      ...node.initial.actions,
      ...transitionsOf(node).flatMap(([, one]) => one.actions),
    ];
    for (const action of listed as readonly unknown[]) {
      const name = typeof action === 'string' ? action : (action as { type: string }).type;
      if (typeof action !== 'function' && !isBuiltin(own[name])) actions.add(name);
    }
    for (const invoke of node.invoke) sources.add(invoke.src as string);
  }
  return { actions: [...actions], sources: [...sources] };
}

/** The live actor, with what it did since it was last asked. */
export class Live {
  readonly actor: AnyActor;
  readonly clock = new SimulatedClock();
  /** In the order they were started; XState may run two under one id, and can then reach the later one alone. */
  open: {
    readonly self: unknown;
    readonly child: string;
    readonly source: string;
    readonly input: unknown;
    end: (ok: boolean, value: unknown) => void;
  }[] = [];
  readonly due = new Map<unknown, number>();
  did: string[] = [];
  emitted: string[] = [];

  constructor(machine: AnyStateMachine, stamp: boolean, input: JsonObject) {
    const { actions, sources } = namesOf(machine);
    const provided = machine.provide({
      actions: Object.fromEntries(
        actions.map((name) => [name, (_: unknown, params: unknown) => this.#note(name, params)]),
      ),
      actors: Object.fromEntries(sources.map((source) => [source, this.#promise(source)])),
    } as Parameters<AnyStateMachine['provide']>[0]);
    const clock = {
      setTimeout: (task: () => void, ms: number) => {
        const id: unknown = this.clock.setTimeout(() => {
          this.due.delete(id);
          task();
        }, ms);
        this.due.set(id, this.clock.now() + ms);
        return id;
      },
      clearTimeout: (id: unknown) => {
        this.due.delete(id);
        this.clock.clearTimeout(id as number);
      },
    };
    this.actor = createActor(provided, {
      input: stamp ? { ...input, at: 0 } : input,
      clock: clock as never,
      logger: () => {},
    });
    if (stamp) this.#stampAtTheDoor();
    this.actor.on('*', (event: unknown) => this.emitted.push(canonical(event)));
    this.actor.subscribe({ error: () => {} }); // Without it XState rethrows out of band.
  }

  /** The open promises under one id: the one that a stop would reach, or those that XState lost track of. */
  openUnder(child: string, reachable: boolean): Live['open'] {
    const reached: unknown = this.actor.getSnapshot().children[child];
    return this.open.filter((one) => one.child === child && (one.self === reached) === reachable);
  }

  #note(name: string, params: unknown): void {
    this.did.push(`${name} ${canonical(params ?? {})}`);
  }

  #promise(source: string) {
    return fromPromise<unknown, unknown>(
      ({ input, self, signal }) =>
        new Promise((resolve, reject) => {
          const end = (ok: boolean, value: unknown): void => {
            this.open = this.open.filter((other) => other !== entry);
            (ok ? resolve : reject)(value);
          };
          const entry = { self, child: self.id, source, input, end };
          this.open.push(entry);
          signal.addEventListener('abort', () => {
            this.open = this.open.filter((other) => other !== entry);
          });
        }),
    );
  }

  /** Timers and outcomes get their reading like any other event: all come through the system's relay. */
  #stampAtTheDoor(): void {
    const system = this.actor.system as unknown as {
      _relay: (source: unknown, target: unknown, event: object) => void;
    };
    const relay = system._relay;
    system._relay = (source, target, event) =>
      relay(source, target, target === this.actor ? { ...event, at: this.clock.now() } : event);
  }
}
