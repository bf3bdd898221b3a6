// Ownership: the loop by which a worker comes to own shards and gives them up.
//
//   L1  The assignment says which shards should be ours; every live worker computes it and publishes what differs.
//   L2  A shard is opened (and claimed) only with its lock held and the assignment naming us. The lock is no evidence for
//       a commit: that is the token's part.
//   L4  A lost lease is told to the host at once. Leaving drains, releases, leaves. Only moved shards pause.
//
// This loop beats, looks at the others, publishes and decides what should be ours; holdings.ts brings it about. A worker that
// cannot beat for as long as others wait before they call it dead gives everything up by itself.

import { type Clock, pause, systemClock } from '../clock.ts';
import { OperatingError } from '../errors.ts';
import { publish } from '../functions/publish.ts';
import { type Namespace, type ShardIndex, shardIndex, type WorkerId } from '../ids.ts';
import type { JsonObject } from '../json.ts';
import type { Connection } from '../redis/connection.ts';
import { namespaceKeys, shardKeys } from '../redis/keys.ts';
import { watchServer } from '../redis/server.ts';
import { type Assignment, assignmentPrefix, parseAssignment, planAssignment } from './assignment.ts';
import type { Hasher } from './hash.ts';
import { createHoldings, type ShardHost, type ShardPhase } from './holdings.ts';
import { checkLimits, SHARD_LIMITS, type ShardLimits } from './limits.ts';
import { createMembership, type MemberView } from './membership.ts';
import type { LockMasters } from './redlock.ts';
import { createRing } from './ring.ts';
import { createServerClock, type ServerClock, sampleServerClock } from './server-clock.ts';

export type { LostReason, ShardHost, ShardPhase } from './holdings.ts';

export interface Ownership {
  readonly serverClock: ServerClock;
  /**
   * Joins, looks around once and begins. At once where the id is free or its last connection is known to be closed, else
   * after `deadMs`. Throws OperatingError `worker-id-taken`, `redis-unavailable`, or OutcomeUnknown; then nothing runs.
   */
  start(): Promise<void>;
  /**
   * Drains all shards, releases them and leaves, within `leaveMs`. With `restart`, the shards are held for the next process
   * under this id for up to `restartMs`. Afterwards nothing runs any more. Never rejects.
   */
  leave(how?: { readonly restart?: boolean }): Promise<void>;
  /**
   * For a worker that was fenced or is in doubt (L2): true when it may claim the shard again, with the lock confirmed just
   * now and the assignment, read just now, naming us. False: the shard is closed here, and opened again if it comes back.
   */
  reclaim(shard: ShardIndex): Promise<boolean>;
  /** L4: more than the margin of the lease is left. Cheap enough to ask before every step. */
  mayWork(shard: ShardIndex): boolean;
  /** Milliseconds left of the shard's lease, 0 without one. */
  remainingMs(shard: ShardIndex): number;
  phase(shard: ShardIndex): ShardPhase;
  assignment(): Assignment | undefined;
  members(): readonly MemberView[];
}

export interface OwnershipOptions {
  readonly namespace: Namespace;
  readonly worker: WorkerId;
  readonly shards: number;
  readonly host: ShardHost;
  /** Its own, with the profile `writer`: heartbeats must not queue behind commits. The function library is loaded there. */
  readonly connection: Connection;
  /** Closed by `leave` together with the leases, not the connection. */
  readonly masters: LockMasters;
  readonly hasher: Hasher;
  /** Another process took this worker's id: everything was given up, and this process should end. */
  readonly onDisplaced: (error: OperatingError) => void;
  /** 0 … 16, default 1: its share of the shards beside the others. 0 takes none. Otherwise OperatingError `bad-setting`. */
  readonly weight?: number;
  readonly version?: string;
  /** Put into each heartbeat for `emboss workers`. Small, and no personal data. */
  readonly stats?: () => JsonObject;
  readonly limits?: Partial<ShardLimits>;
  readonly clock?: Clock;
  readonly note?: (what: string, fields: JsonObject) => void;
}

const PUBLISH_TRIES = 3; // Per look. Losing more often means that others are at it, with the same plan.
const ROUND_MS_MIN = 10; // However much there is to do, the loop leaves room for the work itself.
const DRAIN_LOOK_MS = 5;
const NONCE_BYTES = 4;
const WEIGHT_MAX = 16; // The ring places 64 points per weight and worker: more would cost and say nothing new.

export function createOwnership(options: OwnershipOptions): Ownership {
  const { namespace, worker, connection, shards } = options;
  const clock = options.clock ?? systemClock;
  const limits: ShardLimits = { ...SHARD_LIMITS, ...options.limits };
  checkLimits(limits);
  const note = options.note ?? (() => undefined);
  const keys = namespaceKeys(namespace);
  const ring = createRing(options.hasher.hash64);
  const serverClock = createServerClock(clock);
  const server = watchServer(connection, clock, limits.identityMs);
  const membership = createMembership({ ...membershipOptions(options), connection, serverClock, limits, clock });
  const holdings = createHoldings({
    ...{ shards, host: options.host, masters: options.masters, limits, clock, note },
    lockKey: (shard) => shardKeys(namespace, shard).lock,
    asker: () => ({ holder: membership.incarnation, gone: goneOf(members, membership.replaced()) }),
    isOurs: (shard) => isOurs(shard),
    onClosed: () => wake.abort(),
  });
  const stopped = new AbortController();
  let wake = new AbortController();
  let current: Assignment | undefined;
  let members: readonly MemberView[] = [];
  let lastBeat = 0;
  let lastLook = Number.NEGATIVE_INFINITY;
  let lastPeek = Number.NEGATIVE_INFINITY;
  let leaving = false;
  let wasLeaving = false;
  let loop: Promise<void> = Promise.resolve();

  const isOurs = (shard: ShardIndex): boolean =>
    !leaving && !stopped.signal.aborted && current?.owners[shard] === worker;

  async function start(): Promise<void> {
    try {
      await sampleServerClock(serverClock, connection, clock);
      await membership.join();
      lastBeat = clock.monotonic();
      await round();
      loop = run();
    } catch (error) {
      stopped.abort();
      await holdings.close();
      throw error;
    }
  }

  async function run(): Promise<void> {
    while (!stopped.signal.aborted) {
      // Until the next beat, or sooner when a shard waits for its next try.
      const now = clock.monotonic();
      const beatMs = lastLook + limits.heartbeatMs - now;
      const peekMs = lastPeek + limits.peekMs - now;
      await pause(clock, Math.max(ROUND_MS_MIN, Math.min(beatMs, peekMs, holdings.nextTryMs())), wake.signal);
      wake = new AbortController();
      if (!stopped.signal.aborted) await round().catch(troubled);
    }
  }

  /** A look at the others when a beat is due or somebody has published, and in any case new tries for locks. */
  async function round(): Promise<void> {
    const due = lastLook + limits.heartbeatMs - clock.monotonic();
    if (due <= 1 || wasLeaving !== leaving || (await isOutdated())) await lookAround();
    holdings.reconcile();
  }

  /** Whether another assignment than ours is published. One small read, at most every `peekMs`. */
  async function isOutdated(): Promise<boolean> {
    if (clock.monotonic() - lastPeek < limits.peekMs - 1) return false;
    lastPeek = clock.monotonic();
    const known = assignmentPrefix(current);
    if (known === '') return false;
    const there = await connection.call('GETRANGE assignment', (redis) =>
      redis.getrange(keys.assignment, 0, known.length - 1),
    );
    return there !== '' && there !== known;
  }

  async function lookAround(): Promise<void> {
    lastLook = clock.monotonic();
    lastPeek = lastLook;
    wasLeaving = leaving; // That we leave is said at once, not with the next beat.
    if (await server.changed()) {
      note('server-changed', {});
      for (let i = 0; i < shards; i += 1) holdings.lose(shardIndex(i), 'server-changed');
    }
    for (let tried = 0; tried < PUBLISH_TRIES; tried += 1) {
      const look = await membership.look();
      lastBeat = clock.monotonic();
      members = look.members;
      current = parseAssignment(look.assignment, shards);
      const next = planAssignment({ ring, shards, current, members, by: worker, nonce: clock.nonce(NONCE_BYTES) });
      if (next === undefined || (await published(next))) return;
    }
  }

  /** False when another worker published first. */
  async function published(next: Assignment): Promise<boolean> {
    const call = publish(keys, assignmentPrefix(current), JSON.stringify(next));
    const done = await connection.call('publish', async (redis) => call.decode(await redis.call(...call.command)));
    if (!done) return false;
    note('assignment-published', { version: next.version, members: next.members.map((member) => member.worker) });
    current = next;
    return true;
  }

  function troubled(error: unknown): void {
    if (error instanceof OperatingError && error.code === 'worker-id-taken') {
      stopped.abort();
      holdings.giveUp('displaced');
      options.onDisplaced(error);
      return;
    }
    note('round-failed', { message: String(error) });
    // Others call us dead by now: whatever we still hold, they are waiting for.
    if (clock.monotonic() - lastBeat >= limits.deadMs) {
      current = undefined;
      holdings.giveUp('no-heartbeat');
    }
    holdings.reconcile();
  }

  async function reclaim(shard: ShardIndex): Promise<boolean> {
    if (holdings.isServed(shard) && isOurs(shard) && (await holdings.confirm(shard))) {
      const text = await connection.call('GET assignment', (redis) => redis.get(keys.assignment)).catch(() => null);
      if (text !== null) current = parseAssignment(text, shards);
      // Asked again: all of it may have changed while we waited.
      if (text !== null && isOurs(shard) && holdings.isServed(shard) && holdings.mayWork(shard)) return true;
    }
    await holdings.takeBack(shard);
    return false;
  }

  async function leave({ restart = false }: { readonly restart?: boolean } = {}): Promise<void> {
    if (leaving) return;
    leaving = true;
    if (!restart) membership.markLeaving();
    wake.abort();
    holdings.reconcile();
    const deadline = clock.monotonic() + limits.leaveMs;
    while (!holdings.isEmpty() && clock.monotonic() < deadline) await pause(clock, DRAIN_LOOK_MS);
    stopped.abort();
    wake.abort();
    await loop;
    await holdings.close(); // What did not drain in time is lost.
    await (restart ? membership.goAway() : membership.leave());
    await options.masters.close();
  }

  return {
    ...{ serverClock, start, leave, reclaim },
    mayWork: holdings.mayWork,
    remainingMs: holdings.remainingMs,
    phase: holdings.phase,
    assignment: () => current,
    members: () => members,
  };
}

/** Processes whose connections the server has seen end, and which were not heard of since. */
const goneOf = (members: readonly MemberView[], replaced: string | undefined): readonly string[] => [
  ...(replaced === undefined ? [] : [replaced]),
  ...members.filter(({ liveness, gone }) => liveness === 'dead' && gone).map(({ incarnation }) => incarnation),
];

function membershipOptions({ namespace, worker, weight = 1, version = '', stats = () => ({}) }: OwnershipOptions) {
  if (!(weight >= 0 && weight <= WEIGHT_MAX))
    throw new OperatingError('bad-setting', `the weight of a worker is 0 … ${WEIGHT_MAX}, got ${weight}`);
  return { namespace, worker, weight, version, stats };
}
