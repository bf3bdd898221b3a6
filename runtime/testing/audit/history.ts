// A history: what clients did and were told, with times of one monotonic clock. Plain JSON, recorded by recorder.ts or by
// whoever drives a system in a way of their own.

import type { Event, Json } from '../../json.ts';

/** What an operation came to, as its process was told. */
export type Outcome =
  | {
      readonly kind: 'applied';
      readonly version: number;
      /** Of the token that it was committed under. */
      readonly counter?: number | undefined;
      readonly data?: Json | undefined;
    }
  | { readonly kind: 'refused'; readonly version: number; readonly counter?: number | undefined }
  /** Accepted, and stopped with its actor: it may be applied later, by an operator's act (M5). */
  | { readonly kind: 'parked'; readonly version: number }
  /** Certainly not carried out: the mailbox was full, the key was another command's. */
  | { readonly kind: 'rejected' }
  /** No answer: it may have taken effect, may still, or never. The same for reads, of which nothing then follows. */
  | { readonly kind: 'unknown' }
  /** Version 0: there was no such actor. `seen` is what the model compares; see HistoryRecorder. */
  | { readonly kind: 'read'; readonly version: number; readonly seen?: Json | undefined };

export interface Operation {
  readonly actor: string;
  /** Who did it. For people: two operations of one process need not follow one another. */
  readonly process: string;
  readonly kind: 'command' | 'read';
  /** Of a command. Several operations under one message id are one command, repeated (M1). */
  readonly messageId?: string | undefined;
  /** Names the command where its message id is not known, such as an idempotency key of HTTP. */
  readonly command?: string | undefined;
  readonly event?: Event | undefined;
  /** Milliseconds on the recorder's monotonic clock; any fraction. */
  readonly invokedAt: number;
  /** Left out when no answer came. */
  readonly returnedAt?: number | undefined;
  readonly outcome: Outcome;
}

/** In any order. */
export type History = readonly Operation[];

/** Operations by actor, each list by invocation. */
export function historiesByActor(history: History): ReadonlyMap<string, History> {
  const byActor = new Map<string, Operation[]>();
  for (const operation of history) {
    const own = byActor.get(operation.actor);
    if (own === undefined) byActor.set(operation.actor, [operation]);
    else own.push(operation);
  }
  for (const own of byActor.values()) own.sort((a, b) => a.invokedAt - b.invokedAt);
  return byActor;
}

/** An operation in a line, for people. */
export function described({ process, kind, messageId, event, invokedAt, returnedAt, outcome }: Operation): string {
  const what = kind === 'read' ? 'read' : `${event?.type ?? 'command'} ${messageId ?? ''}`.trimEnd();
  const version = 'version' in outcome ? ` at version ${outcome.version}` : '';
  const until = returnedAt === undefined ? '' : ` to ${time(returnedAt)}`;
  return `${what} of ${process} (${outcome.kind}${version}, ${time(invokedAt)}${until} ms)`;
}

const time = (ms: number): string => String(Math.round(ms * 1_000) / 1_000);
