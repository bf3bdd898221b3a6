// Output that refreshes: on a terminal the screen is drawn anew, elsewhere each picture follows the one before it.

import { pause } from './time.ts';

const REFRESH_MS = 1_000;

export interface ShownOptions {
  readonly watch?: boolean;
}

/** Prints one picture; with `watch`, one a second until Ctrl-C. Ends with what `picture` throws. */
export async function shown({ watch = false }: ShownOptions, picture: () => Promise<string>): Promise<void> {
  if (!watch) return print(await picture());
  const stop = stopSignal();
  while (!stop.aborted) {
    const next = await picture();
    if (process.stdout.isTTY === true) process.stdout.write('\u001b[H\u001b[2J');
    print(next);
    await pause(REFRESH_MS, stop);
  }
}

/** Aborted at the first Ctrl-C or SIGTERM; the second one ends the process as usual. */
export function stopSignal(): AbortSignal {
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
  process.stdout.once('error', () => stop.abort()); // Whoever read our output is gone.
  return stop.signal;
}

const print = (text: string): void => void process.stdout.write(text.endsWith('\n') ? text : `${text}\n`);
