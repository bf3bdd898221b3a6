// What a developer says to host a chart: the machine, and a handler for every name it invokes or executes.

import type { AnyStateMachine } from 'xstate';
import type { ActorId } from './ids.ts';
import type { Event, Json, JsonObject } from './json.ts';

/** What an effect handler learns about its call. `key` is the same on every try (E2). */
export interface EffectCall<Input = JsonObject> {
  readonly input: Input;
  readonly actor: ActorId;
  readonly key: string;
  /** 1 on the first try. Written before the call is made (E1). */
  readonly attempt: number;
  /** Aborted at the policy's timeout, and when the worker loses the shard or stops. */
  readonly signal: AbortSignal;
  /** Estimate of the server's clock in ms. */
  readonly now: number;
}

/** `unknown` is retried until the policy is exhausted, and is never taken for *failed* (E1). */
export type EffectOutcome =
  | { readonly kind: 'done'; readonly output?: Json }
  | { readonly kind: 'failed'; readonly error: JsonObject }
  | { readonly kind: 'unknown'; readonly reason: string; readonly retryAfterMs?: number };

/** Full-jitter exponential backoff. All times in ms of real time, whatever the time scale of the namespace (T2). */
export interface RetryPolicy {
  readonly timeoutMs: number;
  readonly firstDelayMs: number;
  readonly maxDelayMs: number;
  readonly attempts: number;
  /** From the commit that started the effect; keep it within the partner's key retention (E2). */
  readonly deadlineMs: number;
}

/** What follows an outcome that arrives after the chart has left the state that wanted it (E1). */
export type LateFollowUp =
  | { readonly effect: string; readonly input: JsonObject }
  | { readonly event: Event }
  | undefined;

export interface EffectRegistration<Input = JsonObject> {
  readonly kind: 'effect';
  readonly run: (call: EffectCall<Input>) => Promise<EffectOutcome>;
  readonly policy?: Partial<RetryPolicy>;
  /** Name of the dependency whose circuit guards the call (E3). Without it, no circuit. */
  readonly circuit?: string;
  /** For actions only: events sent back to the actor when the effect has ended; an invoke answers by done and error. */
  readonly onDone?: (output: Json, input: Input) => Event | undefined;
  readonly onFailed?: (error: JsonObject, input: Input) => Event | undefined;
  /** An outcome nobody waits for any more: what has to be undone or told. */
  readonly onLate?: (outcome: EffectOutcome, input: Input) => LateFollowUp;
}

/** A message to another actor, in this namespace or another one. Delivered once, in order per lane (M3). */
export interface Send {
  readonly namespace: string;
  readonly actor: ActorId;
  readonly event: Event;
  /** Creates the actor when it does not exist; without it a message to an unknown actor is refused (M7). */
  readonly create?: { readonly machine: string; readonly input: JsonObject };
}

export interface MessageRegistration {
  readonly kind: 'message';
  /** Pure: builds what is sent from the action's params. `undefined` or an empty list sends nothing. */
  readonly build: (params: JsonObject, from: { readonly actor: ActorId }) => Send | readonly Send[] | undefined;
}

/** An action that the chart names for the reader, or for another host, and that does nothing here. Said openly. */
export interface NoteRegistration {
  readonly kind: 'note';
}

/** A change worth telling subscribers: it becomes part of the journal entry (P2). Small: at most 4 KB of JSON. */
export interface Announcement {
  readonly type: string;
  readonly data: JsonObject;
}

/** A chart's state as hosts and readers see it, without XState's class. */
export interface StateView {
  readonly value: Json;
  readonly context: JsonObject;
  readonly status: 'active' | 'done' | 'error' | 'stopped';
}

export interface Hosted {
  /** Also the name under which `create` finds it. Snapshots carry it with `version` and the hash of the chart. */
  readonly machine: AnyStateMachine;
  readonly name: string;
  readonly version: string;
  /** By action type. */
  readonly actions?: { readonly [action: string]: EffectRegistration | MessageRegistration | NoteRegistration };
  /** By invoke source. */
  readonly invokes?: { readonly [source: string]: EffectRegistration };
  /** Adds `at`, the clock reading of the step in ms, to every event and to the input. Default false: events untouched. */
  readonly stamp?: boolean;
  /** What subscribers are told of a step; `undefined` for a step without a visible change (P2). Pure. */
  readonly announce?: (before: StateView | undefined, after: StateView, event: Event) => Announcement | undefined;
  /** What a caller's `ask` gets besides the version, and gets again on replay (M6). Pure; at most 8 KB of JSON. */
  readonly answer?: (after: StateView, event: Event) => Json;
  /** Per named delay: what an outage does to a running timer (T1). Default `deadline`. */
  readonly resume?: { readonly [delay: string]: 'deadline' | 'remaining' | 'restart' };
}

export const effect = <Input = JsonObject>(
  run: EffectRegistration<Input>['run'],
  options: Omit<EffectRegistration<Input>, 'kind' | 'run'> = {},
): EffectRegistration => ({ kind: 'effect', run, ...options }) as unknown as EffectRegistration; // Input is narrowed by the chart's own types.

export const message = (build: MessageRegistration['build']): MessageRegistration => ({ kind: 'message', build });

export const note: NoteRegistration = { kind: 'note' };
