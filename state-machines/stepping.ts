// Stepping: a chart taken one event further, on one scope that every step reuses, with the transitions that were really taken.
//
// Pure: nothing runs, no time passes. Four times as fast as xstate's own `transition`, which builds an actor per call, and it
// says what that does not: which transitions each microstep selected, those without an event and the done ones included.
// Read against xstate 5.33.3: macrostep tells each microstep with its transitions to system._sendInspectionEvent.

import type {
  ActionExecutor,
  AnyActorRef,
  AnyActorScope,
  AnyEventObject,
  AnyMachineSnapshot,
  AnyStateMachine,
  AnyTransitionDefinition,
} from 'xstate';

export interface Action {
  readonly type: string;
  readonly params?: unknown;
}

export interface Stepped {
  readonly snapshot: AnyMachineSnapshot;
  readonly actions: readonly Action[];
  readonly taken: readonly AnyTransitionDefinition[];
}

interface Told {
  readonly type: string;
  readonly snapshot?: AnyMachineSnapshot;
  readonly _transitions?: readonly AnyTransitionDefinition[];
}

/** Not reentrant: one call after the other. */
export class Stepper {
  readonly machine: AnyStateMachine;
  readonly #scope: AnyActorScope;
  #actions: Action[] = [];
  #taken: AnyTransitionDefinition[] = [];

  constructor(machine: AnyStateMachine) {
    this.machine = machine;
    this.#scope = this.#makeScope();
  }

  /** The first configuration, with what its entries do. Throws what the chart throws. */
  start(input: object): Stepped {
    return this.#gather(() => this.machine.getInitialSnapshot(this.#scope, input));
  }

  /** `taken` is empty when the chart selects nothing for the event; the snapshot is then the same. */
  step(snapshot: AnyMachineSnapshot, event: AnyEventObject): Stepped {
    return this.#gather(() => this.machine.transition(snapshot, event, this.#scope));
  }

  #gather(move: () => unknown): Stepped {
    this.#actions = [];
    this.#taken = [];
    const snapshot = move() as AnyMachineSnapshot;
    return { snapshot, actions: this.#actions, taken: this.#taken };
  }

  #makeScope(): AnyActorScope {
    const system = {
      _bookId: () => 'inert',
      _register: () => 'inert',
      _unregister: () => {},
      _set: () => {},
      _relay: () => {},
      _sendInspectionEvent: ({ snapshot, _transitions = [] }: Told) => {
        for (const transition of _transitions) if (isDone(transition, snapshot)) this.#taken.push(transition);
      },
      _clock: { setTimeout: () => 0, clearTimeout: () => {} },
      _logger: () => {},
      get: () => undefined,
      getAll: () => ({}),
      scheduler: { schedule: () => {}, cancel: () => {}, cancelAll: () => {} },
    };
    const self = { id: '', sessionId: '', system, send: () => {}, getSnapshot: () => undefined };
    return {
      self: Object.assign(self, { ref: self }) as unknown as AnyActorRef, // As much of an actor as resolving needs.
      id: '',
      sessionId: '',
      logger: () => {},
      defer: () => {},
      emit: () => {},
      stopChild: () => {},
      system: system as unknown as AnyActorScope['system'],
      actionExecutor: ((action: Action) => this.#actions.push(action)) as unknown as ActionExecutor,
    };
  }
}

/** Of two selected transitions that exclude each other xstate drops one: where it leads, nobody stands afterwards. */
const isDone = ({ target }: AnyTransitionDefinition, after: AnyMachineSnapshot | undefined): boolean =>
  target === undefined || after === undefined || target.every((node) => isHistory(node) || after._nodes.includes(node));
const isHistory = ({ type }: { readonly type: string }): boolean => type === 'history';
