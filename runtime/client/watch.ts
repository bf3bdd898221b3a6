// A watch: journal entries as an async iterable, with a bounded queue between the tail and a slow reader.

import type { Watch } from '../client.ts';
import { OperatingError } from '../errors.ts';
import type { Tail } from '../journal/tail.ts';
import type { JournalEntry } from '../messages.ts';

const QUEUE_MAX = 100_000; // About 100 MB at the worst; a reader this far behind has to begin anew.

export function watchOver(tail: Promise<Tail>, signal: AbortSignal | undefined, onClose: () => void): Watch {
  const queue: JournalEntry[] = [];
  let ended: Error | 'closed' | undefined;
  let wake: () => void = () => undefined;
  let stop: () => void = () => undefined;

  function end(why: Error | 'closed'): void {
    if (ended !== undefined) return;
    ended = why;
    stop();
    signal?.removeEventListener('abort', aborted);
    onClose();
    wake();
  }
  function add(entry: JournalEntry): void {
    queue.push(entry);
    if (queue.length > QUEUE_MAX)
      end(new OperatingError('watch-too-slow', `the reader fell ${QUEUE_MAX} entries behind`));
    wake();
  }
  const aborted = (): void => end('closed');
  signal?.addEventListener('abort', aborted, { once: true });
  tail.then(
    (started) => {
      if (ended !== undefined) return;
      stop = started.listen({ entry: (entry) => add(entry.whole()), rewound: add });
    },
    (error: Error) => end(error),
  );
  if (signal?.aborted) end('closed');

  async function* entries(): AsyncGenerator<JournalEntry> {
    try {
      for (;;) {
        const next = queue.shift();
        if (next !== undefined) yield next;
        else if (ended === 'closed') return;
        else if (ended !== undefined) throw ended;
        else await new Promise<void>((resolve) => (wake = resolve));
      }
    } finally {
      end('closed');
    }
  }
  const iterator = entries();
  return { [Symbol.asyncIterator]: () => iterator, close: () => end('closed') };
}
