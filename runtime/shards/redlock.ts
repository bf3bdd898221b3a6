// Lock masters: the only file that knows redlock. They decide who may *claim* a shard and are never evidence for a commit (L2).
//
// redlock 4.2.0 throws one LockError for *held elsewhere* and for *no answer*; the votes tell them apart, so each call runs
// over servers of its own that count them. Six more of its habits are undone here:
//   - a try that fails to extend also unlocks: one late reply would cost a worker every shard. Extending has no unlock.
//   - it never returns to a master that was away: extending also sets the lock where no lock is, so a master that comes
//     back, even empty, counts again. Somebody else's lock there still refuses.
//   - an unlock without a majority rejects a promise nobody listens to when it was part of a failed try.
//   - it judges expiry by the wall clock: a jump would lose every lock (T2). The lease judges by the monotonic clock.
//   - it waits for the reply of every master: the lock profile's deadline bounds that (one frozen of three: 150 ms).
//   - its values are random, so that nobody can tell whose a lock is: ours begin with the holder. A lock of a process that
//     is known to be gone is taken over instead of waited for. Were it alive after all, its next commit would be fenced (L3).

import Redlock, { type Lock, type LockServer, type Options } from 'redlock';
import { type Clock, pause, systemClock } from '../clock.ts';
import { OperatingError } from '../errors.ts';
import type { Connection, ConnectOptions } from '../redis/connection.ts';
import { type Connector, redisConnector } from '../redis/connector.ts';
import { replyWord } from '../redis/failure.ts';
import { at } from '../redis/topology.ts';

/** A lock that was granted; opaque to all but this file. */
export interface Hold {
  readonly key: string;
  readonly lock: Lock;
}

export type LockOutcome =
  | { readonly kind: 'granted'; readonly hold: Hold }
  | { readonly kind: 'held' } // Certain: so many masters hold another value that no majority is left.
  | { readonly kind: 'unknown' }; // Too few answers. It may be set for up to a lease, with a value that nobody knows.

/** `lost` is certain: somebody else's lock stands at a majority. After `unknown` the lock lives at least until its last confirmed end. */
export type ExtendOutcome = 'extended' | 'lost' | 'unknown';

/** Who asks for a lock, and whose locks need not be waited for. Names are of processes, not of workers: new with each start. */
export interface LockAsker {
  readonly holder: string;
  readonly gone: readonly string[];
}

export interface LockMasters {
  /**
   * Tries once, for `leaseMs`. One round trip to every master, two where somebody is gone, each at most the lock profile's
   * deadline. Never rejects.
   */
  tryLock(key: string, leaseMs: number, asker: LockAsker): Promise<LockOutcome>;
  /** Makes the lock live `leaseMs` from now. Cost as `tryLock`. Never rejects. */
  extend(hold: Hold, leaseMs: number): Promise<ExtendOutcome>;
  /** True when a majority confirmed; otherwise the lock ends by itself within a lease. Never rejects. */
  unlock(hold: Hold): Promise<boolean>;
  close(): Promise<void>;
}

export interface LockOptions extends ConnectOptions {
  /** Rejects for a master that cannot be used. One that is away at the start is not asked. */
  readonly check?: (connection: Connection) => Promise<void>;
  /** A lock key of this call alone, by which two addresses of one server are told. Left out, that is not looked at. */
  readonly ballot?: string;
}

/**
 * Connects to one, three or five independent masters; a minority may be away and is joined when it returns. Throws
 * OperatingError `redis-unavailable` when no majority is ready in time, and with a ballot `bad-setting` when two of those that
 * are ready are one server, and `redis-not-master` when no majority may be written to.
 */
export async function connectLockMasters(
  urls: readonly string[],
  options: LockOptions = {},
  connector: Connector = redisConnector,
): Promise<LockMasters> {
  const connections = urls.map((url) => connector.open('lock', url, options));
  const tries = connections.map(async (connection) => {
    await connection.untilReady(options.readyWithinMs ?? READY_WITHIN_MS);
    await options.check?.(connection);
  });
  try {
    await majority(tries);
    // The others are usually a moment behind; without them the first lock would rest on a bare majority.
    await Promise.race([Promise.allSettled(tries), pause(options.clock ?? systemClock, OTHERS_WITHIN_MS)]);
    if (options.ballot !== undefined) await castBallots(connections, options.ballot);
  } catch (error) {
    await Promise.all(connections.map((connection) => connection.close()));
    throw error;
  }
  return lockMastersOver(connections, options.clock);
}

/** Over connections of the `lock` profile, which it closes. */
export function lockMastersOver(connections: readonly Connection[], clock: Clock = systemClock): LockMasters {
  const quorum = quorumOf(connections.length);

  return {
    async tryLock(key, leaseMs, { holder, gone }) {
      if (gone.length > 0) await removeLocks(connections, key, gone);
      const votes = countedVotes(connections);
      const redlock = instance(votes.servers, {});
      redlock._random = () => `${holder}:${clock.nonce(VALUE_BYTES)}`;
      try {
        const lock = await redlock.lock(key, leaseMs);
        return { kind: 'granted', hold: { key, lock } };
      } catch {
        return { kind: votes.refused() > connections.length - quorum ? 'held' : 'unknown' };
      }
    },

    async extend(hold, leaseMs) {
      const votes = countedVotes(connections);
      const redlock = instance(votes.servers, { unlockScript: () => NO_UNLOCK, extendScript: () => EXTEND_OR_SET });
      hold.lock.expiration = Number.MAX_SAFE_INTEGER; // The wall clock has no say; the key's value decides.
      try {
        await redlock.extend(hold.lock, leaseMs);
        return 'extended';
      } catch {
        return votes.refused() > connections.length - quorum ? 'lost' : 'unknown';
      }
    },

    async unlock(hold) {
      const votes = countedVotes(connections);
      await instance(votes.servers, {}).unlock(hold.lock);
      return votes.released() >= quorum;
    },

    async close() {
      await Promise.all(connections.map((connection) => connection.close()));
    },
  };
}

const READY_WITHIN_MS = 5_000;
const OTHERS_WITHIN_MS = 300;

const quorumOf = (servers: number): number => Math.floor(servers / 2) + 1;

const BALLOT_MS = 10_000; // Longer than asking all masters takes.
const BALLOT = `
  if redis.call('exists', KEYS[1]) == 1 then return 1 end
  redis.call('set', KEYS[1], 'ballot:', 'PX', ARGV[1])
  return 0
`;

/** One after the other: whoever has our ballot already is a server that was asked under another address. It has one vote. */
async function castBallots(connections: readonly Connection[], ballot: string): Promise<void> {
  const replicas: string[] = [];
  for (const connection of connections.filter(({ ready }) => ready)) {
    const { printable } = connection;
    const met = await at(connection, ballot)
      .call('EVAL', (redis) => redis.call('EVAL', BALLOT, '1', ballot, BALLOT_MS).catch(replyWord))
      .catch(() => undefined); // No answer in time: as one that is away.
    if (met === 1) {
      const words = `LOCK_REDIS_URLS names one server twice: ${printable} is one of those before it under another address; a server has one vote`;
      throw new OperatingError('bad-setting', words);
    }
    if (met === 'READONLY') replicas.push(printable);
  }
  await removeLocks(connections, ballot, ['ballot']);
  if (replicas.length <= connections.length - quorumOf(connections.length)) return;
  const words = `LOCK_REDIS_URLS names replicas, which grant no locks: ${replicas.join(', ')}; give the URLs of masters`;
  throw new OperatingError('redis-not-master', words);
}

const VALUE_BYTES = 16;
const GONE_MAX = 16; // More at once than that wait for the lease; the call stays small.
const REMOVE_OF = `
  local value = redis.call('get', KEYS[1])
  for _, holder in ipairs(ARGV) do
    if value and string.sub(value, 1, #holder + 1) == holder .. ':' then return redis.call('del', KEYS[1]) end
  end
  return 0
`;

/** Removes the lock where one of `holders` set it. A master that does not answer keeps it until the lease ends. */
async function removeLocks(connections: readonly Connection[], key: string, holders: readonly string[]): Promise<void> {
  const named = holders.slice(0, GONE_MAX);
  await Promise.allSettled(
    connections.map((connection) =>
      at(connection, key).call('EVAL', (redis) => redis.call('EVAL', REMOVE_OF, '1', key, ...named)),
    ),
  );
}

const NO_UNLOCK = 'return #KEYS';
const EXTEND_OR_SET = `
  local value = redis.call('get', KEYS[1])
  if value and value ~= ARGV[1] then return 0 end
  redis.call('set', KEYS[1], ARGV[1], 'PX', ARGV[2])
  return 1
`;

// redlock reads `retryCount` per call as "0 means default", so trying once is said to the constructor.
function instance(servers: readonly LockServer[], extra: Options): Redlock {
  const redlock = new Redlock(servers, { retryCount: 0, ...extra });
  redlock.on('clientError', () => undefined); // Counted as a missing vote.
  return redlock;
}

type Callback = (error: Error | null, reply?: unknown) => void;

interface Votes {
  readonly servers: readonly LockServer[];
  /** Masters that answered *no* to the lock or the extension. */
  refused(): number;
  /** Masters that removed our lock. */
  released(): number;
}

function countedVotes(connections: readonly Connection[]): Votes {
  let refusals = 0;
  let releases = 0;
  const servers = connections.map((connection): LockServer => {
    const ask = (isUnlock: boolean, command: string, args: readonly (string | number)[], callback: Callback): void => {
      voteOf(connection, command, args).then(
        (reply) => {
          if (isUnlock && Number(reply) === 1) releases += 1;
          if (!isUnlock && Number(reply) === 0) refusals += 1;
          callback(null, isUnlock ? 1 : reply);
        },
        // An unlock that may not have arrived counts as done for redlock, and not for us. NOSCRIPT has to reach it.
        (error: Error) => (isUnlock && replyWord(error) !== 'NOSCRIPT' ? callback(null, 1) : callback(error)),
      );
    };
    return {
      // Locking and extending carry key count, key, value and lease; unlocking has no lease.
      evalsha: (hash, args, callback) => ask(args.length === 3, 'EVALSHA', [hash, ...args], callback),
      eval: (args, callback) => ask(args.length === 4, 'EVAL', args, callback),
    };
  });
  return { servers, refused: () => refusals, released: () => releases };
}

/** One master's answer. Where it is a cluster, each shard's lock is with whoever holds the shard. */
async function voteOf(connection: Connection, command: string, args: readonly (string | number)[]): Promise<unknown> {
  const key = String(args[2]); // Behind the script, or its hash, and the number of keys.
  try {
    return await at(connection, key).redis.call(command, ...args);
  } catch (error) {
    connection.cluster?.follow(error, key, 1)?.catch(() => undefined); // The next try goes there.
    throw error;
  }
}

/** Resolves when more than half have; rejects with the first error once that is out of reach. */
function majority(tries: readonly Promise<void>[]): Promise<void> {
  return new Promise((resolve, reject) => {
    let ready = 0;
    let failed = 0;
    for (const tried of tries) {
      tried.then(
        () => {
          ready += 1;
          if (ready >= quorumOf(tries.length)) resolve();
        },
        (error: unknown) => {
          failed += 1;
          if (failed > tries.length - quorumOf(tries.length)) reject(error);
        },
      );
    }
  });
}
