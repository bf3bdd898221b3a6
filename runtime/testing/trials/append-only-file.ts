// The append-only file of a server: how long it was when, and how to leave it as a power failure does.

import { statSync, truncateSync } from 'node:fs';
import { type Cancel, systemClock } from '../../clock.ts';
import { lastPart } from '../aof-tail.ts';

const LOOK_MS = 20;
const KEPT_MS = 5_000;

export class AppendOnlyFile {
  readonly #dir: string;
  #seen: { readonly at: number; readonly size: number }[] = [];
  #cancel: Cancel = () => undefined;

  /** Notes its length from now on. `dir` is the server's folder. */
  constructor(dir: string) {
    this.#dir = dir;
    this.#look();
  }

  get size(): number {
    return statSync(this.#path).size;
  }

  /** How long it was so many ms ago, at most 5,000. */
  sizeBefore(ms: number): number {
    const at = systemClock.monotonic() - ms;
    return this.#seen.findLast((one) => one.at <= at)?.size ?? this.size;
  }

  /** Leaves the first `size` bytes. The server must not run. */
  cut(size: number): void {
    truncateSync(this.#path, size);
    this.#seen = [];
  }

  close(): void {
    this.#cancel();
  }

  get #path(): string {
    const path = lastPart(this.#dir);
    if (path === undefined) throw new Error(`there is no append-only file in ${this.#dir}`);
    return path;
  }

  #look(): void {
    const at = systemClock.monotonic();
    this.#seen = [...this.#seen.filter((one) => one.at > at - KEPT_MS), { at, size: this.size }];
    this.#cancel = systemClock.after(LOOK_MS, () => this.#look());
  }
}
