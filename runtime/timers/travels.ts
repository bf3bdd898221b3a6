// How far a namespace has travelled, as its workers and clients come to know it (T2): one read of the record, again and again.
//
// Only a namespace of virtual time is looked at. The total only grows: one that is lower was lost with a server's tail, and
// nobody goes back.

import type { Cancel, Clock } from '../clock.ts';
import { command } from '../functions/call.ts';
import { travelLookMs } from '../limits.ts';
import type { Batch } from '../redis/batch.ts';

export interface Travels {
  /** Milliseconds of domain time that were travelled in all, as far as known. */
  readonly total: number;
  /** Heard from elsewhere: an answer, say. */
  atLeast(total: number): void;
  close(): void;
}

/** Of a namespace whose clock is real. */
export const noTravels: Travels = { total: 0, atLeast: () => undefined, close: () => undefined };

/** Goes on from what is recorded, looks every `travelLookMs`, and tells when it has grown. A read that fails is made again in time. */
export function followTravels(
  { batch, config, clock }: { readonly batch: Batch; readonly config: string; readonly clock: Clock },
  recorded: number,
  onTravel: () => void = () => undefined,
): Travels {
  let total = recorded;
  let closed = false;
  let cancel: Cancel = () => undefined;

  async function look(): Promise<void> {
    const found = await batch.run(command(['HGET', config, 'travelled'], (reply) => Number(reply ?? 0)));
    atLeast(found);
  }
  function atLeast(found: number): void {
    if (closed || found <= total) return;
    total = found;
    onTravel();
  }
  function next(): void {
    if (closed) return;
    cancel = clock.after(travelLookMs, () => {
      look()
        .catch(() => undefined)
        .finally(next);
    });
  }

  next();
  return {
    get total() {
      return total;
    },
    atLeast,
    close() {
      closed = true;
      cancel();
    },
  };
}
