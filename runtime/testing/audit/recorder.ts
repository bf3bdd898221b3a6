// Records a history while a test drives a system: wraps `ask` and `read` of a client, and notes when each began and ended.

import type { ActorView, AskOutcome, Client, Command } from '../../client.ts';
import { type Clock, systemClock } from '../../clock.ts';
import type { Json } from '../../json.ts';
import type { History, Operation, Outcome } from './history.ts';

export interface HistoryRecorderOptions {
  readonly clock?: Pick<Clock, 'monotonic'>;
  /** What a read tells the model beside the version. Default: the list `seen` of the actor's context, where it has one. */
  readonly observe?: (view: ActorView) => Json | undefined;
}

/** The part of a client that is recorded; a process of the history. */
export type RecordedClient = Pick<Client, 'ask' | 'read'>;

const OPERATIONS_MAX = 1_000_000; // About 500 MB: a trial that records more wants several histories.

export class HistoryRecorder {
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #observe: (view: ActorView) => Json | undefined;
  readonly #operations: Operation[] = [];

  constructor({ clock = systemClock, observe = seenOf }: HistoryRecorderOptions = {}) {
    this.#clock = clock;
    this.#observe = observe;
  }

  get history(): History {
    return this.#operations;
  }

  /** Milliseconds on the clock of the history: for the time of a declared loss. */
  now(): number {
    return this.#clock.monotonic();
  }

  /** The client as the process `name` uses it. Answers and errors are handed on untouched; an error is noted as unknown. */
  process(name: string, client: RecordedClient): RecordedClient {
    return {
      ask: (command, options) => this.#ask(name, client, command, options),
      read: (actor, options) => this.#read(name, client, actor, options),
    };
  }

  /** Adds an operation that was carried out in another way, such as over HTTP. Times are of this recorder's clock. */
  add(operation: Operation): void {
    if (this.#operations.length >= OPERATIONS_MAX)
      throw new Error(`a history has at most ${OPERATIONS_MAX} operations: begin another one`);
    this.#operations.push(operation);
  }

  async #ask(
    process: string,
    client: RecordedClient,
    command: Command,
    options?: { readonly timeoutMs?: number },
  ): Promise<AskOutcome> {
    const { actor, messageId, event } = command;
    const begun = { actor, process, kind: 'command', messageId, event, invokedAt: this.now() } as const;
    const told = await client.ask(command, options).catch((error: unknown) => {
      this.add({ ...begun, outcome: { kind: 'unknown' } });
      throw error;
    });
    const outcome = outcomeOf(told);
    this.add({ ...begun, ...(outcome.kind === 'unknown' ? {} : { returnedAt: this.now() }), outcome });
    return told;
  }

  async #read(
    process: string,
    client: RecordedClient,
    ...[actor, options]: Parameters<Client['read']>
  ): Promise<ActorView | undefined> {
    const begun = { actor, process, kind: 'read', invokedAt: this.now() } as const;
    const view = await client.read(actor, options).catch((error: unknown) => {
      this.add({ ...begun, outcome: { kind: 'unknown' } });
      throw error;
    });
    const seen = view === undefined ? undefined : this.#observe(view);
    this.add({
      ...begun,
      returnedAt: this.now(),
      outcome: { kind: 'read', version: view?.version ?? 0, ...(seen === undefined ? {} : { seen }) },
    });
    return view;
  }
}

const seenOf = ({ context }: ActorView): Json | undefined => (Array.isArray(context.seen) ? context.seen : undefined);

/** What an answer tells: certain only where it says so. */
export function outcomeOf(told: AskOutcome): Outcome {
  if (told.kind === 'rejected' || told.kind === 'key-reused') return { kind: 'rejected' };
  if (told.kind !== 'answered') return { kind: 'unknown' };
  const { answer } = told;
  switch (answer.kind) {
    case 'applied': {
      const { version, counter, data } = answer;
      return { kind: 'applied', version, counter, ...(data === undefined ? {} : { data }) };
    }
    case 'refused':
      return { kind: 'refused', version: answer.version, counter: answer.counter };
    case 'parked':
      return { kind: 'parked', version: answer.version };
  }
}
