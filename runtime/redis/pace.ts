// How to read next from many streams: block until something comes, or look again at once.
//
// A read that blocks is noted under each of its streams and taken off all of them when the first entry arrives, with which
// alone it then returns. Measured over 64 streams on Redis 7.0: 160 µs to begin a block, 80 µs for a read that finds 16
// entries, 50 µs for one that finds none. So a busy reader does not block; one that finds little a few times in a row does.
// A pause of a millisecond between two looks, for more entries to a read, lost a tenth of the transitions per second at 64
// clients and an eighth at 16: while it lasts nobody works. The price is paid in Redis: four readers at 4,000 entries per
// second took a third of its core instead of a sixth.

const BUSY_STREAMS = 4;
const LOOKS = 4;

export class Pace {
  #looks = 0;

  /** Whether the next read waits for entries. */
  get blocks(): boolean {
    return this.#looks === 0;
  }

  /** Tells how many streams had entries. Resolves when those who were given them have had their turn of the event loop. */
  async found(streams: number): Promise<void> {
    if (streams >= BUSY_STREAMS) this.#looks = LOOKS;
    else if (this.#looks > 0) this.#looks -= 1;
    await new Promise((resolve) => setImmediate(resolve));
  }
}
