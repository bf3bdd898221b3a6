// The port between the runtime and a hosted chart: everything a step does, as data. Only statechart/ knows XState.

import type { Announcement, EffectRegistration, Send, StateView } from '../hosting.ts';
import type { ActorId } from '../ids.ts';
import type { Event, Json, JsonObject } from '../json.ts';

/**
 * An open effect that an invoke of the chart waits for; `child` is the invoke's id. Effects of actions are waited for by
 * nobody, are never stopped and so are not kept here: the list is bounded by the chart. (`child` is never null in it.)
 */
export interface Execution {
  readonly key: string;
  readonly name: string;
  readonly child: string | null;
  /** Set when its state was entered again without being left (XState does that): nothing stops it, its outcome still counts. */
  readonly unreachable?: true;
}

/** A running timer as the actor's record keeps it; `generation` is the sequence and index of the step that armed it. */
export interface ArmedTimer {
  readonly generation: string;
  /** The id the chart gave it, when the row bears another one because an older timer still holds that id. */
  readonly id?: string;
  /** Set when `cancel` of that id no longer reaches it: as in XState, it fires all the same. */
  readonly unreachable?: true;
}

/** What the actor's record keeps beside the snapshot. JSON; written with every commit. */
export interface ActorRecord {
  readonly executions: readonly Execution[];
  readonly timers: { readonly [timerId: string]: ArmedTimer };
  /** Last version that was announced; 0 before the first (P2: `previous`). */
  readonly announced: number;
}

/** An actor in memory between steps. `snapshot` is XState's own object and opaque to the rest of the runtime. */
export interface Held {
  readonly snapshot: unknown;
  readonly record: ActorRecord;
  readonly view: StateView;
}

/** What a step comes from when it is no message: the timer that is due, or the effect that has ended. */
export type Cause = { readonly kind: 'timer'; readonly id: string } | { readonly kind: 'effect'; readonly key: string };

export interface StepScope {
  readonly actor: ActorId;
  /** The sequence this step will commit. */
  readonly sequence: number;
  /** Clock reading of the step in ms. */
  readonly now: number;
  /**
   * Given for timers and outcomes: the record drops it, refused or not. `held` still has it; an outcome for an invoke
   * whose execution the record no longer has is refused, which keeps a late one from a newer try of the same invoke.
   */
  readonly cause?: Cause | undefined;
}

export interface EffectStart {
  readonly key: string;
  readonly name: string;
  readonly child: string | null;
  readonly input: JsonObject;
}

export interface TimerStart {
  readonly id: string;
  readonly generation: string;
  /** Domain milliseconds; the worker turns them into a due time on the server's clock. */
  readonly delayMs: number;
  readonly event: Event;
  readonly resume: 'deadline' | 'remaining' | 'restart';
}

export interface Step {
  readonly kind: 'moved';
  readonly held: Held;
  /** `{machine, version, hash, snapshot}` as JSON text. */
  readonly stored: string;
  /** Active leaf states as dotted paths, sorted: the state index is kept from them (C1). */
  readonly states: readonly string[];
  readonly starts: readonly EffectStart[];
  /** Keys of executions that nobody waits for any more. */
  readonly stops: readonly string[];
  readonly timersSet: readonly TimerStart[];
  /** Timer ids to remove, each with the generation it had; before `timersSet`, which may set the same id again. */
  readonly timersCleared: readonly { readonly id: string; readonly generation: string }[];
  readonly sends: readonly Send[];
  readonly emitted: readonly Event[];
  readonly announcement: Announcement | undefined;
  readonly answer: Json | undefined;
  /** True once the chart has reached its final state (or failed): no timer and no invoke is left. */
  readonly final: boolean;
}

/** M4: the chart selects no transition for the event. */
export interface Refused {
  readonly kind: 'refused';
  /** Empty for timers and outcomes: nobody waits to hear it. */
  readonly allowed: readonly string[];
  /** The actor as it was, its record without the timer or execution that was the cause. */
  readonly held: Held;
}

/** A hosted chart. Pure: the same arguments give the same result; a guard or assign that throws escapes as is (M5 parks). */
export interface Behaviour {
  readonly machine: string;
  readonly version: string;
  /** Of the chart's definition; first 16 hex digits of SHA-256. */
  readonly hash: string;
  /** All leaf states the chart has, as dotted paths: the index's key space. */
  readonly leaves: readonly string[];
  start(input: JsonObject, scope: StepScope): Step;
  step(held: Held, event: Event, scope: StepScope): Step | Refused;
  /** Throws OperatingError `version-missing` when machine, version or hash are not this one's (M5: stalled). */
  restore(stored: string, record: ActorRecord, actor: ActorId): Held;
  /** Event types that a caller may send now, sorted; never `xstate.…`. */
  allowed(held: Held): readonly string[];
  /** The event an ended invoke sends to its chart. */
  outcomeEvent(child: string, outcome: { kind: 'done'; output: Json } | { kind: 'failed'; error: JsonObject }): Event;
  /** Registration of an effect by name, actions and invokes alike. */
  effect(name: string): EffectRegistration | undefined;
}
