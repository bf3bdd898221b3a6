// Keeps the map of one cluster: asked for at the start, now and then, and at once when something does not answer as it says.
//
// Whoever answers is believed: a server that is behind sends calls on with MOVED, which mends the slot concerned.

import { type Clock, pause } from '../clock.ts';
import { OperatingError } from '../errors.ts';
import type { Connection } from './connection.ts';
import { type Changed, rangesOf, SlotMap } from './slot-map.ts';
import type { Address } from './target.ts';

/** Somebody to ask: a server, and the host by which we have reached it. */
export interface Informant {
  readonly connection: Connection;
  readonly host: string;
}

const LOOK_MS = 1_000; // A master that joined or was promoted is known within this, even where nothing has failed yet.
const UNEASY_LOOK_MS = 150; // While a server of the map does not answer: its replica may be promoted any moment.
const ASK_MS = 500; // A frozen server does not hold up the question for longer; the next one is asked.

export class ClusterMap {
  readonly #map = new SlotMap();
  readonly #clock: Clock;
  readonly #informants: () => readonly Informant[];
  readonly #isUneasy: () => boolean;
  readonly #listeners = new Set<(changed: Changed) => void>();
  #turn = 0;
  #open = true;
  #wake = new AbortController();
  #trouble: unknown;

  /** `informants` in order of preference; `isUneasy` while some server of the map is not connected. */
  constructor(clock: Clock, informants: () => readonly Informant[], isUneasy: () => boolean) {
    this.#clock = clock;
    this.#informants = informants;
    this.#isUneasy = isUneasy;
  }

  start(): void {
    void this.#run();
  }

  /** Why nobody told the map last time; undefined when somebody did. */
  get trouble(): unknown {
    return this.#trouble;
  }

  get isComplete(): boolean {
    return this.#map.isComplete;
  }

  ownerOf(slot: number): Address | undefined {
    return this.#map.ownerOf(slot);
  }

  servers(): readonly Address[] {
    return this.#map.servers();
  }

  /** Calls `listener` after each change, before anything is sent by the new map. It must not throw. */
  onChange(listener: (changed: Changed) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** A server said where the slot is now. The others are asked for anew. */
  moved(slot: number, address: Address): void {
    this.#tell(this.#map.moved(slot, address));
    this.lookSoon();
  }

  lookSoon(): void {
    this.#wake.abort();
  }

  close(): void {
    this.#open = false;
    this.#listeners.clear();
    this.#wake.abort();
  }

  async #run(): Promise<void> {
    let last = Number.NEGATIVE_INFINITY;
    while (this.#open) {
      const now = this.#clock.monotonic();
      // However often it is wanted: no sooner than this after the last look.
      if (now - last < UNEASY_LOOK_MS) await pause(this.#clock, UNEASY_LOOK_MS - (now - last));
      if (!this.#open) return;
      this.#wake = new AbortController();
      last = this.#clock.monotonic();
      await this.#look();
      if (!this.#open) return;
      const uneasy = this.#trouble !== undefined || !this.#map.isComplete || this.#isUneasy();
      await pause(this.#clock, uneasy ? UNEASY_LOOK_MS : LOOK_MS, this.#wake.signal);
    }
  }

  async #look(): Promise<void> {
    const informants = this.#informants();
    this.#turn += 1; // Not always the same one: it might be behind.
    for (let i = 0; i < informants.length && this.#open; i += 1) {
      const { connection, host } = informants[(this.#turn + i) % informants.length] as Informant;
      try {
        if (!connection.ready) await connection.untilReady(ASK_MS);
        const reply = await connection.call('CLUSTER SLOTS', (redis) => redis.call('CLUSTER', 'SLOTS'), ASK_MS);
        this.#trouble = undefined;
        if (this.#open) this.#tell(this.#map.replace(rangesOf(reply, host)));
        return;
      } catch (error) {
        this.#trouble = error;
      }
    }
  }

  #tell(changed: Changed | undefined): void {
    if (changed === undefined) return;
    for (const listener of this.#listeners) listener(changed);
  }
}

/** What a person is told who cannot use the cluster. */
export function troubleWords(trouble: unknown): string {
  if (trouble instanceof OperatingError && trouble.message.includes('cluster support disabled'))
    return 'that server is no cluster; give its URL as redis://';
  return trouble instanceof Error ? trouble.message : 'not all slots are served';
}
