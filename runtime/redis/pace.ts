// How to read next from many streams: block until something comes, or look again in a moment.
//
// A read that blocks is noted under each of its streams and taken off all of them when the first entry arrives, with which
// alone it then returns. Measured over 64 streams on Redis 7.0: 160 µs to begin a block, 80 µs for a read that finds 16
// entries, 50 µs for one that finds none. So a busy reader looks again after a millisecond, in which several entries come;
// one that finds little a few times in a row blocks.

import { type Clock, pause } from '../clock.ts';

const BUSY_STREAMS = 4;
const LOOKS = 4;
const LOOK_AGAIN_MS = 1;

export class Pace {
  readonly #clock: Clock;
  #looks = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether the next read waits for entries. */
  get blocks(): boolean {
    return this.#looks === 0;
  }

  /** Tells how many streams had entries. Resolves when it is time to read again. */
  async found(streams: number): Promise<void> {
    if (streams >= BUSY_STREAMS) this.#looks = LOOKS;
    else if (this.#looks > 0) this.#looks -= 1;
    if (this.#looks > 0) await pause(this.#clock, LOOK_AGAIN_MS);
  }
}
