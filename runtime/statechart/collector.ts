// The collector: one actor scope per chart, reused by every step. XState believes it runs in an actor; what it wants done is
// written down instead, and nothing is executed, scheduled or sent.
//
// Stepping on a reused scope is four times as fast as xstate's own transition(), which builds an actor per call. The price is
// that a collector is not reentrant: begin, one call into the machine, and then read what was gathered.
//
// Read against xstate 5.33.3: macrostep reports each microstep with its selected transitions to system._sendInspectionEvent,
// resolves an action and hands it to actionExecutor at once, and calls scope.defer only while resolving when spawn is used.

import type { ActionExecutor, AnyActorRef, AnyActorScope, AnyStateMachine, AnyTransitionDefinition } from 'xstate';
import { OperatingError } from '../errors.ts';
import type { Hosted, MessageRegistration, Send } from '../hosting.ts';
import { isActorId } from '../ids.ts';
import { canonical, type Event, type JsonObject } from '../json.ts';
import type { EffectStart, Execution, StepScope } from './behaviour.ts';
import { digest } from './definition.ts';
import { plain, plainEvent, plainObject } from './plain.ts';
import { StepTimers } from './timers.ts';

/** What XState hands to an executor, as far as it is read here. */
interface Action {
  readonly type: string;
  readonly params: unknown;
  readonly exec: unknown;
}

interface RaiseParams {
  readonly event: unknown;
  readonly id: string | undefined;
  readonly delay: number | undefined;
}

interface SpawnParams {
  readonly id: string;
  readonly src: unknown;
  readonly input: unknown;
}

/** An invoked source as the machine gets it: never started, it only carries its id for `stopChild`. */
export const inertLogic = {
  getInitialSnapshot: (_scope: unknown, input: unknown) => ({
    status: 'active' as const,
    output: undefined,
    error: undefined,
    input,
  }),
  transition: <S>(snapshot: S): S => snapshot,
  getPersistedSnapshot: <S>(snapshot: S): S => snapshot,
};

/** Stands in a snapshot's `children` for an open execution. */
export class StandIn {
  readonly id: string;
  readonly src: string;
  constructor(id: string, src: string) {
    this.id = id;
    this.src = src;
  }

  getSnapshot(): { readonly status: 'active' } {
    return { status: 'active' };
  }
}

export class Collector {
  readonly scope: AnyActorScope;
  /** Name of the delay that XState resolved last; read and forgotten by the raise that follows at once. */
  delayName: string | undefined;

  /** Gathered by the step in hand. */
  moved = false;
  timers = new StepTimers({}, 0);
  starts: EffectStart[] = [];
  stops: string[] = [];
  sends: Send[] = [];
  emitted: Event[] = [];
  executions: readonly Execution[] = [];

  readonly #hosted: Hosted;
  readonly #machine: AnyStateMachine;
  readonly #invokes: ReadonlySet<string>;
  #step: StepScope = { actor: '' as StepScope['actor'], sequence: 0, now: 0 };
  #index = 0;
  #spawned = false;
  #place: () => string = () => '';

  constructor(hosted: Hosted, machine: AnyStateMachine, invokes: ReadonlySet<string>) {
    this.#hosted = hosted;
    this.#machine = machine;
    this.#invokes = invokes;
    this.scope = this.#makeScope();
  }

  /** `place` says where the step is, for errors; `snapshot` is what `self.getSnapshot()` shows meanwhile. */
  begin(
    step: StepScope,
    executions: readonly Execution[],
    timers: StepTimers,
    snapshot: unknown,
    place: () => string,
  ): void {
    this.#step = step;
    this.#index = 0;
    this.#spawned = false;
    this.#place = place;
    this.moved = false;
    this.delayName = undefined;
    this.timers = timers;
    this.starts = [];
    this.stops = [];
    this.sends = [];
    this.emitted = [];
    this.executions = executions;
    const self = this.scope.self as unknown as { id: string; sessionId: string; snapshot: unknown };
    self.id = step.actor;
    self.sessionId = step.actor;
    self.snapshot = snapshot;
  }

  /** Call after the machine has stepped: some of what cannot be hosted shows only as a trace. */
  end(): void {
    if (this.#spawned) this.#unhostable('spawn starts an actor in memory; invoke the source in a state instead');
  }

  /** Nobody waits any more: stops what runs, and forgets what this very step started (XState would not start it either). */
  stopAll(): void {
    for (const execution of this.executions) this.#drop(execution);
    this.timers.clearAll();
  }

  #makeScope(): AnyActorScope {
    const misuse = (what: string) => (): never => this.#unhostable(`${what} is a side effect; charts are pure`);
    const system = {
      _bookId: () => 'inert',
      _register: () => 'inert',
      _unregister: () => {},
      _set: misuse('a systemId'),
      _relay: misuse('sending to an actor in memory'),
      _sendInspectionEvent: (told: {
        readonly type: string;
        readonly _transitions?: readonly AnyTransitionDefinition[];
      }) => {
        if (!this.moved && told._transitions?.some(hasConsequence)) this.moved = true;
      },
      _clock: { setTimeout: misuse('a timer of its own'), clearTimeout: () => {} },
      _logger: () => {},
      get: () => undefined,
      getAll: () => ({}),
      inspect: misuse('inspect'),
      scheduler: { schedule: misuse('a timer of its own'), cancel: () => {}, cancelAll: () => {} },
    };
    const self = {
      id: '',
      sessionId: '',
      system,
      snapshot: undefined as unknown,
      getSnapshot: (): unknown => self.snapshot,
      send: misuse('self.send'),
      on: misuse('self.on'),
      subscribe: misuse('self.subscribe'),
    };
    const actionExecutor = (action: Action): void => this.#gather(action);
    return {
      self: Object.assign(self, { ref: self }) as unknown as AnyActorRef, // As much of an actor as resolving needs.
      id: '',
      sessionId: '',
      logger: () => {},
      defer: () => {
        this.#spawned = true;
      },
      emit: misuse('emit of the scope'),
      stopChild: misuse('stopping an actor in memory'),
      system: system as unknown as AnyActorScope['system'],
      actionExecutor: actionExecutor as unknown as ActionExecutor,
    };
  }

  #gather(action: Action): void {
    switch (action.type) {
      case 'xstate.raise':
        this.#raise(action.params as RaiseParams);
        break;
      case 'xstate.cancel':
        this.timers.cancel((action.params as { sendId: string }).sendId);
        break;
      case 'xstate.spawnChild':
        this.#invoke(action.params as SpawnParams);
        break;
      case 'xstate.stopChild':
        this.#stop((action.params as { id?: string } | undefined)?.id);
        break;
      case 'xstate.emit':
        this.emitted.push(plainEvent((action.params as { event: unknown }).event, 'an emitted event'));
        break;
      case 'xstate.log':
        break; // Meant for a developer's console; hosted charts are watched by their journal.
      case 'xstate.sendTo':
        this.#unhostable('sendTo has no actor to reach; register a message for the action instead');
        break;
      default:
        this.#named(action);
    }
  }

  #raise({ event, id, delay }: RaiseParams): void {
    const name = this.delayName;
    this.delayName = undefined;
    if (typeof delay !== 'number') return; // Raised into this very macrostep.
    if (!Number.isFinite(delay)) this.#unhostable(`a delay must be a finite number of milliseconds, got ${delay}`);
    this.timers.arm({
      id,
      delayMs: Math.max(0, delay),
      event: plainEvent(event, 'a delayed event'),
      resume: (name === undefined ? undefined : this.#hosted.resume?.[name]) ?? 'deadline',
    });
  }

  #invoke({ id, src, input }: SpawnParams): void {
    if (typeof src !== 'string' || !this.#invokes.has(`${id}\n${src}`)) {
      this.#unhostable('spawnChild starts an actor in memory; invoke the source in a state instead');
    }
    const start = this.#start(src, id, input);
    // A state entered again without having been left: XState forgets the older run, which goes on all the same.
    const others = this.executions.map((other) =>
      other.child === id ? { ...other, unreachable: true as const } : other,
    );
    this.executions = [...others, { key: start.key, name: src, child: id }];
  }

  #stop(child: string | undefined): void {
    const open = this.executions.find((execution) => execution.child === child && !execution.unreachable);
    if (open !== undefined) this.#drop(open);
  }

  #drop(open: Execution): void {
    this.executions = this.executions.filter((execution) => execution !== open);
    const fresh = this.starts.findIndex((start) => start.key === open.key);
    if (fresh >= 0)
      this.starts.splice(fresh, 1); // Entered and left in one macrostep: XState never starts it.
    else this.stops.push(open.key);
  }

  #named({ type, params, exec }: Action): void {
    // A named action comes with the chart's own implementation or none; anything else was enqueued as a bare function.
    if (exec !== undefined && exec !== this.#machine.implementations.actions[type]) {
      this.#unhostable(`the function "${type}" as an action would run in memory only`);
    }
    const registration = this.#hosted.actions?.[type];
    switch (registration?.kind) {
      case 'effect':
        this.#start(type, null, params);
        break;
      case 'message':
        this.#message(type, registration, params);
        break;
      case 'note':
        break;
      default:
        this.#unhostable(`no handler is registered for the action "${type}"`);
    }
  }

  #start(name: string, child: string | null, given: unknown): EffectStart {
    const input = plainObject(given, `input of "${name}"`);
    // E2: the same step gives the same key, whoever takes it.
    const key = `${this.#step.actor}:${this.#step.sequence}:${this.#index++}:${digest(`${name}\n${canonical(input)}`, 12)}`;
    const start = { key, name, child, input };
    this.starts.push(start);
    return start;
  }

  #message(name: string, registration: MessageRegistration, params: unknown): void {
    const input: JsonObject = plainObject(params, `params of "${name}"`);
    const built = registration.build(input, { actor: this.#step.actor });
    if (built === undefined) return;
    for (const send of Array.isArray(built) ? (built as readonly Send[]) : [built as Send]) {
      const checked = plain(send, `message of "${name}"`);
      if (!isActorId(checked.actor))
        this.#unhostable(`message "${name}" goes to ${JSON.stringify(checked.actor)}, which is no actor id`);
      if (checked.event.type.startsWith('xstate.'))
        this.#unhostable(`message "${name}" sends an event of type ${checked.event.type}`);
      this.sends.push(checked);
    }
  }

  #unhostable(reason: string): never {
    throw new OperatingError('unhostable-step', `chart "${this.#hosted.name}", ${this.#place()}: ${reason}`);
  }
}

/** M4: a transition without target and actions is a forbidden one; selecting it changes nothing. */
export const hasConsequence = (transition: AnyTransitionDefinition): boolean =>
  (transition.target !== undefined && transition.target.length > 0) || transition.actions.length > 0;
