// The gate before every step of a worker: a shard in single file holds it from the note of what it tries to the end of the commit.
//
// A step that ends the process ends it at once. While the gate is held no other step can, so whoever is found noted by the next
// owner is the one (M5). Without it a neighbour in another shard, noted while the culprit of a third one ran, is parked for it.

export class StepGate {
  #held: Promise<void> | undefined;

  /** Undefined while nobody holds it: then step before the next await. Ends with the holder's commit, whose calls have deadlines. */
  get held(): Promise<void> | undefined {
    return this.#held;
  }

  /** Waits for the gate, then runs `turn` while no other shard steps. Rejects as `turn` does. */
  async alone(turn: () => Promise<void>): Promise<void> {
    while (this.#held !== undefined) await this.#held;
    let free: () => void = () => undefined;
    this.#held = new Promise((resolve) => {
      free = resolve;
    });
    try {
      await turn();
    } finally {
      this.#held = undefined;
      free();
    }
  }
}
