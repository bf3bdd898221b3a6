// The host as its owner sees it: what a worker is started with, and what can be asked of it.

import type { Clock } from './clock.ts';
import type { Counters, Log } from './commit/scene.ts';
import type { Hosted } from './hosting.ts';
import type { Connector } from './redis/connector.ts';
import type { ShardLimits } from './shards/limits.ts';

export interface HostOptions {
  readonly namespace: string;
  /** Static id, for example `ordering.1` (L1). */
  readonly worker: string;
  readonly url: string;
  readonly charts: readonly Hosted[];
  /** Lock masters, one, three or five independent ones; default: the server of the namespace. */
  readonly lockUrls?: readonly string[];
  /** Default 64. Fixed by the first start (L1). */
  readonly shards?: number;
  /** Default `memory`. A server weaker than this is refused. */
  readonly durability?: string;
  /** Default 1: real time. Fixed by the first start (T2). */
  readonly timeScale?: number;
  /** For tests: `travel` of a client moves domain time forward. Default false. Fixed by the first start (T2). */
  readonly virtualTime?: boolean;
  /** Where a scaled clock begins, ms of the server's clock. Default: the first start, and only that one's counts (T2). */
  readonly timeOrigin?: number;
  /** Other namespaces that messages go to; the own one needs no entry. Shards default to our own number. */
  readonly peers?: { readonly [namespace: string]: { readonly url: string; readonly shards?: number } };
  /** 0 … 16, default 1: its share of the shards beside the other workers. 0 takes none. */
  readonly weight?: number;
  readonly version?: string;
  readonly limits?: Partial<ShardLimits>;
  readonly log?: Log;
  /** Ends the process when its loop stands still longer than a lease (L4). Default true; off for several workers in one process. */
  readonly watchdog?: boolean;
  /** Where time, nonces and jitter come from (T2). Default: the system's. */
  readonly clock?: Clock;
  /** Where connections come from. Default: Redis at the URLs. */
  readonly connector?: Connector;
  /** For tests: every step after a reload. */
  readonly forgetful?: boolean;
  /** Told when the worker cannot go on: another process lives under its id, or a law was broken. The process should end. */
  readonly onFatal?: (error: Error) => void;
}

export interface Host {
  readonly worker: string;
  readonly counters: Readonly<Counters>;
  shards(): readonly number[];
  residents(): number;
  /** True while it beats, may be given shards, and none of its own is damaged. */
  healthy(): boolean;
  /**
   * Drains, releases, leaves, closes. Never rejects (L4). With `restart`, the shards are held up to 5 s for the next process
   * under this id: nobody else takes them meanwhile.
   */
  stop(how?: { readonly restart?: boolean }): Promise<void>;
}
