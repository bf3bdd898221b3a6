// A subscriber: watches all journals of a namespace through a client, goes away now and then, and comes back where it was.

import type { Client, Watch } from '../../client.ts';
import { pause, systemClock } from '../../clock.ts';
import type { JournalEntry, JournalPosition } from '../../messages.ts';
import { pick, type Random } from '../oracle.ts';

/** How long it stays before it goes away and resumes. ms */
const STAYS_MS = [1_500, 2_500, 4_000] as const;
const ENTRIES_MAX = 500_000; // About 500 MB; a trial that commits more is too long for one subscriber.

/** A shard's change of hands, as the journal tells it. Times are monotonic ms at which we heard. */
export interface Takeover {
  readonly shard: number;
  readonly token: string;
  readonly claimedAt: number;
  /** When the first step of the new owner was heard. */
  workedAt: number | undefined;
}

export class Subscriber {
  readonly #client: Client;
  readonly #random: Random;
  readonly #resumes: boolean;
  readonly #positions: Map<number, JournalPosition>;
  readonly #latest = new Map<number, Takeover>();
  readonly #ended: Promise<void>;
  #watch: Watch | undefined;
  #stopped = false;
  /** Everything it was told, in order of arrival. */
  readonly entries: JournalEntry[] = [];
  readonly takeovers: Takeover[] = [];
  /** How often it came back. */
  resumed = 0;

  /** One that does not resume stays until it is stopped: it compares what it was told, number and token, with what is there. */
  constructor(client: Client, random: Random, resumes = true) {
    this.#resumes = resumes;
    this.#client = client;
    this.#random = random;
    const start = { number: 0, token: '' };
    this.#positions = new Map(Array.from({ length: client.shards }, (_, shard) => [shard, start]));
    this.#ended = this.#follow();
  }

  /** The last position it was told of a shard. */
  position(shard: number): number {
    return this.#positions.get(shard)?.number ?? 0;
  }

  /**
   * How long after `since` each of the shards was at work under a later owner: from then to its first step that we heard of.
   * Undefined while one of them is not.
   */
  workedAfter(since: number, shards: readonly number[]): readonly number[] | undefined {
    const later = this.takeovers.filter(({ claimedAt, workedAt }) => claimedAt > since && workedAt !== undefined);
    const waits = shards.map((shard) => (later.find((one) => one.shard === shard)?.workedAt ?? Number.NaN) - since);
    return waits.some(Number.isNaN) ? undefined : waits;
  }

  /** Between a release and the next claim, by the server's clock, per change of hands in the journal. ms */
  get ownerlessMs(): readonly number[] {
    const released = new Map<number, number>();
    return this.entries.flatMap(({ kind, shard, at }) => {
      if (kind === 'released') released.set(shard, at);
      const since = kind === 'claimed' ? released.get(shard) : undefined;
      if (kind === 'claimed') released.delete(shard);
      return since === undefined ? [] : [at - since];
    });
  }

  /** Rejects with what ended it before, if anything did. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#watch?.close();
    await this.#ended;
  }

  async #follow(): Promise<void> {
    while (!this.#stopped) {
      const watch = this.#client.watch({ from: new Map(this.#positions) });
      this.#watch = watch;
      const away = new AbortController();
      if (this.#resumes) void pause(systemClock, pick(this.#random, STAYS_MS), away.signal).then(() => watch.close());
      for await (const entry of watch) this.#hear(entry);
      away.abort();
      if (!this.#stopped) this.resumed += 1;
    }
  }

  #hear(entry: JournalEntry): void {
    if (this.entries.length >= ENTRIES_MAX) throw new Error(`a subscriber keeps ${ENTRIES_MAX} entries`);
    this.entries.push(entry);
    const { shard, token, kind } = entry;
    this.#positions.set(shard, { number: entry.position, token });
    const now = systemClock.monotonic();
    if (kind === 'claimed') {
      const takeover: Takeover = { shard, token, claimedAt: now, workedAt: undefined };
      this.#latest.set(shard, takeover);
      this.takeovers.push(takeover);
      return;
    }
    const latest = this.#latest.get(shard);
    if (latest?.token === token) latest.workedAt ??= now;
  }
}
