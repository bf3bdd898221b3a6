// The client's own log of what it was told: kept in memory for the audit, and written as NDJSON when a file is given.

import { closeSync, openSync, writeSync } from 'node:fs';
import type { Ack } from '../audit/evidence.ts';
import { CliFailure, EXIT } from '../failure.ts';

export class AckLog {
  readonly #acks: Ack[] = [];
  readonly #file: number | undefined;

  /** Throws CliFailure when the file cannot be written; an existing one is replaced. */
  constructor(path?: string) {
    try {
      this.#file = path === undefined ? undefined : openSync(path, 'w');
    } catch (error) {
      throw new CliFailure(`--acks ${path}: ${error instanceof Error ? error.message : String(error)}`, EXIT.usage);
    }
  }

  get acks(): readonly Ack[] {
    return this.#acks;
  }

  /** A line is handed to the operating system before the next request leaves. */
  add(ack: Ack): void {
    this.#acks.push(ack);
    if (this.#file !== undefined) writeSync(this.#file, `${JSON.stringify(ack)}\n`);
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
  }
}
