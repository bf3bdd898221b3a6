// Holdings: the shards of this worker, each on its own walk closed → locking → opening → open → shutting → closed.
//
//   L2  A shard is opened only with its lock held, and asked of the host anew after any doubt.
//   L4  A lost lease is told to the host at once, whatever the shard was doing.
//
// What should be ours is decided elsewhere; here it is only brought about, one walk per shard, so that a slow shard holds
// up no other.

import type { Clock } from '../clock.ts';
import { type ShardIndex, shardIndex } from '../ids.ts';
import type { JsonObject } from '../json.ts';
import { createLeases, type LossReason } from './lease.ts';
import type { ShardLimits } from './limits.ts';
import type { LockAsker, LockMasters } from './redlock.ts';

export type LostReason = LossReason | 'no-heartbeat' | 'server-changed' | 'displaced';

/** The part of a worker that hosts actors. */
export interface ShardHost {
  /** The shard is to be ours and its lock is still somebody's: a moment to read ahead. Told at each try. Must not throw. */
  awaiting?(shard: ShardIndex): void;
  /** Claim the shard and begin to serve it. `failed` (or a rejection): the lock is released, and it is asked again later. */
  open(shard: ShardIndex): Promise<'open' | 'failed'>;
  /** Drain and stop serving it. The lock is released, and the next owner let in, when this has settled. */
  shut(shard: ShardIndex): Promise<void>;
  /** Drop all that is held of the shard now, without writing. May name a shard that is not open. Must not throw. */
  lost(shard: ShardIndex, why: LostReason): void;
}

export type ShardPhase = 'closed' | 'locking' | 'opening' | 'open' | 'shutting';

export interface Holdings {
  /** Starts the walks that bring what is held nearer to what should be. */
  reconcile(): void;
  /** Tells the host that the shard is lost; with `server-changed` the lock stays, and the shard is opened again. */
  lose(shard: ShardIndex, why: LostReason): void;
  /** Loses every shard and gives the locks back. */
  giveUp(why: LostReason): void;
  /** True while it is open or about to be. */
  isServed(shard: ShardIndex): boolean;
  /** True when the lock was renewed just now, with more than the margin left. */
  confirm(shard: ShardIndex): Promise<boolean>;
  /** Takes a shard back that the host has dropped by itself: unlocks it, and opens it again later if it is still ours. */
  takeBack(shard: ShardIndex): Promise<void>;
  phase(shard: ShardIndex): ShardPhase;
  mayWork(shard: ShardIndex): boolean;
  remainingMs(shard: ShardIndex): number;
  /** Milliseconds until the next try for a shard that is ours and closed; Infinity when there is none. */
  nextTryMs(): number;
  /** True when every shard is closed. */
  isEmpty(): boolean;
  /** Releases what is left and ends the renewals. */
  close(): Promise<void>;
}

export interface HoldingsOptions {
  readonly shards: number;
  readonly host: ShardHost;
  readonly masters: LockMasters;
  readonly lockKey: (shard: ShardIndex) => string;
  readonly asker: () => LockAsker;
  /** Whether the shard should be held by us now. */
  readonly isOurs: (shard: ShardIndex) => boolean;
  /** Called when a shard was closed: there may be something new to do. */
  readonly onClosed: () => void;
  readonly limits: ShardLimits;
  readonly clock: Clock;
  readonly note: (what: string, fields: JsonObject) => void;
}

interface ShardState {
  readonly shard: ShardIndex;
  phase: ShardPhase;
  /** Monotonic reading before which no new try is made. */
  notBefore: number;
  /** Set when the lease is lost while `open` is still under way. */
  lost: LostReason | undefined;
}

export function createHoldings(options: HoldingsOptions): Holdings {
  const { host, masters, lockKey, asker, isOurs, limits, clock, note } = options;
  const leases = createLeases({ masters, lockKey, asker, limits, clock, onLost: lose });
  const states = Array.from({ length: options.shards }, (_, i): ShardState => {
    return { shard: shardIndex(i), phase: 'closed', notBefore: 0, lost: undefined };
  });

  const stateOf = (shard: ShardIndex): ShardState => {
    const state = states[shard];
    if (state === undefined) throw new RangeError(`there is no shard ${shard} of ${options.shards}`);
    return state;
  };
  const isServed = ({ phase }: ShardState): boolean => phase === 'open' || phase === 'opening';
  // A function of its own, since the loss happens while `bring` waits, which the type checker cannot see.
  const lossOf = (state: ShardState): LostReason | undefined => state.lost;

  function reconcile(): void {
    const now = clock.monotonic();
    for (const state of states) {
      const ours = isOurs(state.shard);
      if (ours && state.phase === 'closed' && state.notBefore <= now) void bring(state);
      else if (!ours && state.phase === 'open') void takeAway(state);
      // A lock kept for a new claim that is not ours to make any more would lock the next owner out.
      else if (!ours && state.phase === 'closed' && leases.remainingMs(state.shard) > 0)
        void leases.release(state.shard);
    }
  }

  async function bring(state: ShardState): Promise<void> {
    const { shard } = state;
    state.phase = 'locking';
    state.lost = undefined;
    const lock = await leases.acquire(shard);
    if (lock !== 'granted' || !isOurs(shard)) {
      if (lock === 'granted') await leases.release(shard);
      else if (isOurs(shard)) host.awaiting?.(shard);
      return closed(state, limits.lockRetryMs);
    }
    state.phase = 'opening';
    const opened = await host.open(shard).catch((error: unknown) => {
      note('open-failed', { shard, message: String(error) });
      return 'failed' as const;
    });
    const lost = lossOf(state);
    if (lost !== undefined) {
      if (opened === 'open') host.lost(shard, lost); // It was told while it opened, and opened all the same.
      return closed(state, opened === 'open' ? 0 : limits.openRetryMs);
    }
    if (opened === 'failed') {
      await leases.release(shard);
      return closed(state, limits.openRetryMs);
    }
    state.phase = 'open';
    if (!isOurs(shard)) void takeAway(state); // It was given to somebody else in the meantime.
  }

  async function takeAway(state: ShardState): Promise<void> {
    const { shard } = state;
    state.phase = 'shutting';
    await host.shut(shard).catch((error: unknown) => note('shut-failed', { shard, message: String(error) }));
    await leases.release(shard);
    closed(state, 0);
  }

  function closed(state: ShardState, pauseMs: number): void {
    state.phase = 'closed';
    // Jitter: several workers waiting for several locks should not meet again and again.
    state.notBefore = clock.monotonic() + pauseMs * (0.75 + clock.random() / 2);
    options.onClosed();
  }

  function lose(shard: ShardIndex, why: LostReason): void {
    const state = stateOf(shard);
    if (state.phase === 'closed' || state.phase === 'locking') return;
    note('shard-lost', { shard, why });
    if (state.phase === 'opening') state.lost = why;
    host.lost(shard, why);
    if (state.phase === 'open') closed(state, 0);
  }

  async function takeBack(shard: ShardIndex): Promise<void> {
    const state = stateOf(shard);
    if (state.phase === 'opening') state.lost = 'lock-lost';
    if (state.phase !== 'open') return;
    state.phase = 'shutting';
    await leases.release(shard);
    closed(state, limits.lockRetryMs);
  }

  return {
    reconcile,
    lose,
    takeBack,
    giveUp(why) {
      for (const { shard } of states) {
        lose(shard, why);
        void leases.release(shard);
      }
    },
    isServed: (shard) => isServed(stateOf(shard)),
    confirm: leases.confirm,
    phase: (shard) => stateOf(shard).phase,
    mayWork: leases.mayWork,
    remainingMs: leases.remainingMs,
    nextTryMs() {
      const waiting = states.filter(({ phase, shard }) => phase === 'closed' && isOurs(shard));
      return Math.min(...waiting.map(({ notBefore }) => notBefore - clock.monotonic()));
    },
    isEmpty: () => states.every(({ phase }) => phase === 'closed'),
    async close() {
      for (const { shard } of states) lose(shard, 'lease-ended');
      await leases.close();
    },
  };
}
