// Progress on stderr: one line that rewrites itself on a terminal, else a plain line now and then.

import { pause } from '../time.ts';

const REWRITE_MS = 200;
const PLAIN_MS = 5_000;

export interface Progress {
  /** A line that stays, above the moving one. */
  say(line: string): void;
  stop(): void;
}

/** Shows `line()` until stopped; `quiet` shows nothing but what is said. */
export function progress(line: () => string, { quiet = false } = {}): Progress {
  const { stderr } = process;
  const isLive = stderr.isTTY === true && !quiet;
  const over = new AbortController();
  let last = '';
  const draw = (): void => {
    const next = line();
    if (!isLive && next === last) return; // Nothing has happened since.
    last = next;
    if (isLive) stderr.write(`\r\u001b[2K${next.slice(0, Math.max(20, (stderr.columns ?? 80) - 1))}`);
    else stderr.write(`emboss: ${next}\n`);
  };
  const loop = async (): Promise<void> => {
    for (;;) {
      await pause(isLive ? REWRITE_MS : PLAIN_MS, over.signal);
      if (over.signal.aborted) return;
      draw();
    }
  };
  if (!quiet) void loop();
  return {
    say(words) {
      if (isLive) stderr.write('\r\u001b[2K');
      stderr.write(`emboss: ${words}\n`);
    },
    stop() {
      over.abort();
      if (isLive) stderr.write('\r\u001b[2K');
    },
  };
}

/** `12 in_review, 30 in_production …`, the most frequent first. */
export function tally(words: Iterable<string>): string {
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  return [...counts]
    .sort(([, a], [, b]) => b - a)
    .map(([word, count]) => `${count} ${word}`)
    .join(', ');
}
