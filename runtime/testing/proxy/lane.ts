// One direction of a connection: bytes in order, each perhaps later than it came, and none while the lane stands still.

import type { Socket } from 'node:net';
import { type Cancel, type Clock, systemClock } from '../../clock.ts';

/** Bytes that wait here before the sender is no longer read: what a kernel would hold, several times over. */
const WAITING_BYTES_MAX = 8 * 1024 * 1024;

interface Parcel {
  readonly bytes: Buffer;
  readonly dueAt: number;
  readonly then: (() => void) | undefined;
}

export class Lane {
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #clock: Clock;
  #waiting: Parcel[] = [];
  #bytes = 0;
  #lastDueAt = 0;
  #still = false;
  #end: (() => void) | undefined;
  #cancel: Cancel | undefined;

  constructor(from: Socket, to: Socket, clock: Clock = systemClock) {
    this.#from = from;
    this.#to = to;
    this.#clock = clock;
    to.on('drain', () => this.#regulate());
  }

  /** Sends `bytes` after all that was given before and after `delayMs`; calls `then` when they are on their way. */
  pass(bytes: Buffer, delayMs = 0, then?: () => void): void {
    const now = this.#clock.monotonic();
    this.#lastDueAt = Math.max(this.#lastDueAt, now + delayMs);
    this.#waiting.push({ bytes, dueAt: this.#lastDueAt, then });
    this.#bytes += bytes.length;
    this.#move();
  }

  /** Nothing passes, and the sender is not read. What is in the kernel's hands stays there. */
  stand(): void {
    this.#still = true;
    this.#regulate();
  }

  go(): void {
    this.#still = false;
    this.#move();
  }

  /** Calls `then` once everything has been sent. */
  finish(then: () => void): void {
    this.#end = then;
    this.#move();
  }

  /** Forgets what waits. */
  drop(): void {
    this.#cancel?.();
    this.#waiting = [];
    this.#bytes = 0;
    this.#end = undefined;
  }

  #move(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    while (!this.#still) {
      const next = this.#waiting[0];
      if (next === undefined) {
        const end = this.#end;
        this.#end = undefined;
        end?.();
        break;
      }
      const early = next.dueAt - this.#clock.monotonic();
      if (early > 0) {
        this.#cancel = this.#clock.after(Math.ceil(early), () => this.#move());
        break;
      }
      this.#waiting.shift();
      this.#bytes -= next.bytes.length;
      if (this.#to.writable) this.#to.write(next.bytes);
      next.then?.();
    }
    this.#regulate();
  }

  /** Reads on only while what it would bring has a place. */
  #regulate(): void {
    if (this.#still || this.#bytes > WAITING_BYTES_MAX || this.#to.writableNeedDrain) this.#from.pause();
    else this.#from.resume();
  }
}
