// The errors that are thrown: operating errors, unknown outcomes and broken invariants. Outcomes and refusals are returned.

export type Retry = 'never' | 'here' | 'elsewhere';

/** Something outside failed in a known way; nothing was done. `retry` says whether and where trying again can help. */
export class OperatingError extends Error {
  readonly code: string;
  readonly retry: Retry;
  constructor(code: string, message: string, options: { retry?: Retry; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'OperatingError';
    this.code = code;
    this.retry = options.retry ?? 'never';
  }
}

/** It may have happened and it may still happen (C3). Intake repeats under the same key; an owner claims anew, then reads. */
export class OutcomeUnknown extends Error {
  constructor(what: string, cause?: unknown) {
    super(`outcome unknown: ${what}`, cause === undefined ? undefined : { cause });
    this.name = 'OutcomeUnknown';
  }
}

/** A law was broken; only `main.ts` may catch it. The message begins with the law's number. */
export class InvariantBroken extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'InvariantBroken';
  }
}

export function invariant(holds: boolean, message: string): asserts holds {
  if (!holds) throw new InvariantBroken(message);
}

/** A chart that cannot be hosted; `place` is the path of the state or transition that stands in the way. */
export class NotHostable extends Error {
  readonly place: string;
  constructor(machine: string, place: string, reason: string) {
    super(`chart "${machine}" cannot be hosted: ${place}: ${reason}`);
    this.name = 'NotHostable';
    this.place = place;
  }
}

/** What is kept of an error in Redis: parked actors and dead effects must be readable by another process and version. */
export interface StoredError {
  readonly name: string;
  readonly message: string;
  readonly stack?: string;
  readonly code?: string;
}

const STACK_CHARS_MAX = 4_000; // A parked record stays readable at redis-cli and small in memory.

export function storedError(error: unknown): StoredError {
  if (!(error instanceof Error)) return { name: 'NonError', message: String(error).slice(0, 500) };
  const code = (error as { code?: unknown }).code;
  return {
    name: error.name,
    message: error.message.slice(0, 1_000),
    ...(error.stack === undefined ? {} : { stack: error.stack.slice(0, STACK_CHARS_MAX) }),
    ...(typeof code === 'string' ? { code } : {}),
  };
}
