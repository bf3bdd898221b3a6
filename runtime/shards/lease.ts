// Shard leases: the locks this worker holds, kept alive by one renewal loop on the monotonic clock.
//
//   L4  `mayWork` is false with less than the margin left. A lease is counted from *before* the call that granted it.
//
// A lease that ends by the clock is lost at once, even if a later renewal might have succeeded: between its end and now
// somebody else may have come and gone. Losing one costs a handoff, never a write (L3).

import type { Cancel, Clock } from '../clock.ts';
import type { ShardIndex } from '../ids.ts';
import type { ShardLimits } from './limits.ts';
import type { Hold, LockAsker, LockMasters } from './redlock.ts';

/** Why a lease ended without being released. */
export type LossReason = 'lock-lost' | 'lease-ended';

export interface Leases {
  /** Tries once to lock the shard. `unknown`: the lock may stand for a lease without being ours; try again later. */
  acquire(shard: ShardIndex): Promise<'granted' | 'held' | 'unknown'>;
  /** Milliseconds left of the lease, 0 without one. */
  remainingMs(shard: ShardIndex): number;
  /** L4: true with more than the margin left. */
  mayWork(shard: ShardIndex): boolean;
  /** Renews now, for callers about to do something that wants a whole lease. True when it is certainly ours. */
  confirm(shard: ShardIndex): Promise<boolean>;
  /** Stops renewing and unlocks, so that the next owner need not wait. Does nothing without a lease. */
  release(shard: ShardIndex): Promise<void>;
  held(): readonly ShardIndex[];
  /** Releases everything and stops. */
  close(): Promise<void>;
}

export interface LeaseOptions {
  readonly masters: LockMasters;
  readonly lockKey: (shard: ShardIndex) => string;
  /** This process, and those known to be gone. */
  readonly asker: () => LockAsker;
  readonly limits: ShardLimits;
  readonly clock: Clock;
  /** Called once per lost lease, outside any call of this interface. Must not throw. */
  readonly onLost: (shard: ShardIndex, why: LossReason) => void;
}

interface Lease {
  readonly shard: ShardIndex;
  readonly hold: Hold;
  /** Monotonic reading at which it ends. */
  until: number;
  released: boolean;
}

const RENEWALS_AT_ONCE = 16; // Per burst, so that 64 shards do not stand in front of a commit on the same server.
const CLOCK_DRIFT = 0.01; // As redlock reckons: the master's clock may run faster by a hundredth, plus 2 ms of precision.

export function createLeases(options: LeaseOptions): Leases {
  const { masters, lockKey, asker, limits, clock, onLost } = options;
  const leases = new Map<ShardIndex, Lease>();
  let closed = false;
  let renewing = false;
  let cancelTick: Cancel = () => undefined;

  const endOf = (startedAt: number): number => startedAt + limits.leaseMs * (1 - CLOCK_DRIFT) - 2;
  const left = (lease: Lease | undefined): number =>
    lease === undefined ? 0 : Math.max(0, lease.until - clock.monotonic());

  async function acquire(shard: ShardIndex): Promise<'granted' | 'held' | 'unknown'> {
    if (leases.has(shard)) return 'granted';
    const startedAt = clock.monotonic();
    const outcome = await masters.tryLock(lockKey(shard), limits.leaseMs, asker());
    if (outcome.kind !== 'granted') return outcome.kind;
    const lease: Lease = { shard, hold: outcome.hold, until: endOf(startedAt), released: false };
    if (closed || left(lease) <= limits.marginMs) {
      await masters.unlock(lease.hold);
      return 'unknown';
    }
    leases.set(shard, lease);
    return 'granted';
  }

  function lose(lease: Lease, why: LossReason): void {
    if (leases.get(lease.shard) !== lease) return;
    leases.delete(lease.shard);
    onLost(lease.shard, why);
  }

  async function renew(lease: Lease): Promise<boolean> {
    if (left(lease) === 0) {
      lose(lease, 'lease-ended');
      return false;
    }
    const startedAt = clock.monotonic();
    const outcome = await masters.extend(lease.hold, limits.leaseMs);
    if (outcome === 'extended' && left(lease) > 0) lease.until = endOf(startedAt);
    else if (outcome === 'lost' && !lease.released) lose(lease, 'lock-lost');
    return outcome === 'extended' && leases.get(lease.shard) === lease;
  }

  // Looks often and renews what is due, so that an unknown outcome is tried again well before the lease ends.
  async function tick(): Promise<void> {
    for (const lease of leases.values()) if (left(lease) === 0) lose(lease, 'lease-ended');
    const due = [...leases.values()].filter((lease) => left(lease) <= limits.leaseMs - limits.renewMs);
    for (let i = 0; i < due.length && !closed; i += RENEWALS_AT_ONCE) {
      await Promise.all(due.slice(i, i + RENEWALS_AT_ONCE).map((lease) => !lease.released && renew(lease)));
    }
  }

  function schedule(): void {
    if (closed) return;
    const pauseMs = (limits.renewMs / 4) * (0.75 + clock.random() / 2); // Jitter keeps a fleet from renewing in step.
    cancelTick = clock.after(pauseMs, () => {
      schedule(); // First: a slow master must not stop the look at leases that end meanwhile.
      if (renewing) {
        for (const lease of leases.values()) if (left(lease) === 0) lose(lease, 'lease-ended');
        return;
      }
      renewing = true;
      void tick().finally(() => {
        renewing = false;
      });
    });
  }
  schedule();

  async function release(shard: ShardIndex): Promise<void> {
    const lease = leases.get(shard);
    if (lease === undefined) return;
    lease.released = true;
    leases.delete(shard);
    await masters.unlock(lease.hold);
  }

  return {
    acquire,
    release,
    remainingMs: (shard) => left(leases.get(shard)),
    mayWork: (shard) => left(leases.get(shard)) > limits.marginMs,
    async confirm(shard) {
      const lease = leases.get(shard);
      return lease !== undefined && (await renew(lease)) && left(lease) > limits.marginMs;
    },
    held: () => [...leases.keys()],
    async close() {
      closed = true;
      cancelTick();
      await Promise.all([...leases.keys()].map(release));
    },
  };
}
