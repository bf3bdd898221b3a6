// Waiting for a condition instead of for time to pass: the only way a test here waits.

import { pause, systemClock } from '../clock.ts';

export interface WaitOptions {
  /** Default 10,000. */
  readonly deadlineMs?: number;
  /** Pause between two looks, default 10. */
  readonly everyMs?: number;
  /** Asked once when the time is up: what a person wants to see of the system that did not get there. */
  readonly diagnose?: () => unknown;
}

/** Resolves to the first truthy value of `look`. Rejects at the deadline with `what`, the last error and the diagnosis. */
export async function waitUntil<T>(
  what: string,
  look: () => T | Promise<T>,
  { deadlineMs = 10_000, everyMs = 10, diagnose }: WaitOptions = {},
): Promise<NonNullable<Exclude<T, false>>> {
  const deadline = systemClock.monotonic() + deadlineMs;
  let trouble: unknown;
  for (;;) {
    try {
      const found = await look();
      if (found) return found as NonNullable<Exclude<T, false>>; // Truthy, which the type cannot say of a T.
      trouble = undefined;
    } catch (error) {
      trouble = error; // A look may fail while a server is away on purpose.
    }
    if (systemClock.monotonic() > deadline) break;
    await pause(systemClock, everyMs);
  }
  const said = diagnose === undefined ? '' : `\n${JSON.stringify(await diagnosis(diagnose), undefined, 1)}`;
  throw new Error(
    `not within ${deadlineMs} ms: ${what}${said}`,
    trouble === undefined ? undefined : { cause: trouble },
  );
}

async function diagnosis(diagnose: () => unknown): Promise<unknown> {
  try {
    return await diagnose();
  } catch (error) {
    return String(error);
  }
}
