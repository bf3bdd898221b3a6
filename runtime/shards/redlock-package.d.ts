// What we use of redlock 4.2.0, which ships no types.

declare module 'redlock' {
  import type { EventEmitter } from 'node:events';

  /** The two commands redlock sends, callback style. `args` is `[keys, key…, value, ttl]`. */
  export interface LockServer {
    evalsha(hash: string, args: (string | number)[], callback: (error: Error | null, reply?: unknown) => void): void;
    eval(args: (string | number)[], callback: (error: Error | null, reply?: unknown) => void): void;
  }

  export interface Lock {
    readonly resource: string | string[];
    readonly value: string;
    /** Wall-clock reading of this process. */
    expiration: number;
  }

  export interface Options {
    readonly driftFactor?: number;
    readonly retryCount?: number;
    readonly unlockScript?: (script: string) => string;
    readonly extendScript?: (script: string) => string;
  }

  export default class Redlock extends EventEmitter {
    constructor(servers: readonly LockServer[], options?: Options);
    lock(resource: string, ttlMs: number): Promise<Lock>;
    extend(lock: Lock, ttlMs: number): Promise<Lock>;
    unlock(lock: Lock): Promise<void>;
    /** Makes the value of a new lock. */
    _random(): string;
  }
}
