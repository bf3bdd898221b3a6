// An own deadline around a call to the outside: the network never decides how long we wait.

import type { Clock } from '../../runtime/clock.ts';

/** Thrown into the call as the abort reason when the time is up. */
export class DeadlinePassed extends Error {
  constructor(ms: number) {
    super(`no answer within ${ms} ms`);
    this.name = 'DeadlinePassed';
  }
}

/** Runs `call` with a signal that is aborted after `ms`, or with `outer`. Rejects as `call` does; leaves no timer behind. */
export async function withDeadline<T>(
  clock: Clock,
  ms: number,
  outer: AbortSignal | undefined,
  call: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const own = new AbortController();
  const cancel = clock.after(ms, () => own.abort(new DeadlinePassed(ms)));
  const follow = (): void => own.abort(outer?.reason);
  if (outer?.aborted) follow();
  outer?.addEventListener('abort', follow, { once: true });
  try {
    return await call(own.signal);
  } finally {
    cancel();
    outer?.removeEventListener('abort', follow);
  }
}
