// Connections to Redis, by profile. One profile is one way of failing:
//
//   writer  owner's and intake calls. Never queued while away, never sent again by the client: a lost reply is OutcomeUnknown.
//   reader  blocking group reads. A read that outlives its deadline costs the socket, since the block may live on at the server.
//   tail    blocking plain reads of journals. As reader, more patient.
//   lock    Redlock. Gives up after a twentieth of the lease, so that one frozen master cannot hold up the others.
//   query   reads, and writes that are idempotent. Waits through one reconnection.
//
// Every call has a deadline of ours. ioredis 6 by itself sends unanswered commands again after a reconnection (one XADD
// became two entries), and with that switched off leaves their promises pending for ever (redis/ioredis#2193), hence
// `maxRetriesPerRequest: 0`: they reject when the socket closes and are not sent again.

import { Redis, type RedisOptions } from 'ioredis';
import { type Cancel, type Clock, systemClock } from '../clock.ts';
import { OperatingError, OutcomeUnknown } from '../errors.ts';
import { notConnected, redisFailure, replyWord } from './failure.ts';
import { redisTarget, type Target } from './target.ts';

export type Profile = 'writer' | 'reader' | 'lock' | 'query' | 'tail';

export interface Connection {
  /** For pipelines and commands of one's own; put each reply under `withDeadline`. */
  readonly redis: Redis;
  readonly profile: Profile;
  /** Address for people, without secrets. */
  readonly printable: string;
  /** Name of the Redis user, for people. */
  readonly user: string;
  /** Grows each time the socket became ready. A number that changed between two looks: replies may have been lost. */
  readonly generation: number;
  readonly ready: boolean;
  /** Resolves once the server answers; rejects after `ms` with `redis-unavailable`, or at once with `redis-denied`. */
  untilReady(ms: number): Promise<void>;
  /** Calls `listener` after each later reconnection, with the new generation. It must not throw. */
  onReady(listener: (generation: number) => void): Cancel;
  /** One call with a deadline, `deadlineMs` or the profile's. Rejects as `redisFailure` says; without a connection at once. */
  call<T>(what: string, run: (redis: Redis) => Promise<T>, deadlineMs?: number): Promise<T>;
  /** One blocking read of at most `blockMs` (1 … 2,000). Past its deadline the socket is destroyed, then OutcomeUnknown. */
  block<T>(what: string, blockMs: number, run: (redis: Redis) => Promise<T>): Promise<T>;
  /** Destroys the socket, with it whatever is unanswered, and resolves when a new one is ready. Rejects after 5 s. */
  remake(): Promise<void>;
  close(): Promise<void>;
  /** Where keys are, on a cluster. Absent where one server holds them all. */
  readonly cluster?: ClusterRoutes;
  /** As in ConnectOptions. */
  readonly fit?: ((server: Connection) => Promise<unknown>) | undefined;
}

/** What only the grouping of reads and of socket writes has to know of a cluster (cluster.ts). */
export interface ClusterRoutes {
  /** Whoever holds `key`, wherever it moves, over the sockets of this connection. Nothing to close. */
  at(key: string): Connection;
  /** The same with a socket of its own, for reads that block and calls that must not wait for others. To be closed. */
  apart(key: string): Connection;
  /** The server that holds `key` as far as is known: undefined while no server does. */
  serverOf(key: string): Connection | undefined;
  /** Every server that holds slots. */
  servers(): readonly Connection[];
  /**
   * Calls `listener` when what was known of keys may not hold any more: their server is another one, or was connected to anew.
   * Before anything is sent there. It must not throw.
   */
  onDoubt(listener: (concerned: (key: string) => boolean) => void): Cancel;
  /**
   * Undefined when the error sends nobody elsewhere. Else resolves to where the call, which was not executed, is made next:
   * `asking` with ASKING right before it. Rejects with `redis-unavailable` when that server does not answer. `hop` counts the
   * answers of this kind to one call, from 1.
   */
  follow(
    error: unknown,
    key: string,
    hop: number,
  ): Promise<{ readonly server: Connection; readonly asking: boolean }> | undefined;
}

export interface ConnectOptions {
  /** Shown by CLIENT LIST. No spaces. */
  readonly name?: string;
  /** How long `connect` (connector.ts) may take to become ready. Default 5,000. */
  readonly readyWithinMs?: number;
  /** Deadline of one call where `call` names none. */
  readonly callDeadlineMs?: number;
  /**
   * Makes a server fit for us that answered *function not found*: one that was promoted, joined, or lost its functions. The
   * call, of which nothing was executed, is then made once more.
   */
  readonly fit?: (server: Connection) => Promise<unknown>;
  /** Hears of connection errors; they are normal while a server is away. */
  readonly onTrouble?: (error: Error) => void;
  readonly clock?: Clock;
}

/** The part of a target that one connection needs. */
export type ServerTarget = Pick<Target, 'options' | 'printable'>;

export const BLOCK_MS_MAX = 2_000; // A blocked read ends at least this often, so that a dead socket is found soon.
const BLOCK_GRACE_MS = 1_000; // The server's timer is late when it is busy; less would kill healthy sockets.
const CALL_DEADLINE_MS = 2_000;
const LOCK_DEADLINE_MS = 150; // A twentieth of the lease of 3,000 ms (redis.io distributed-locks: 5–50 ms for 10 s).
const REMADE_WITHIN_MS = 5_000;
const RECONNECT_MS_FIRST = 20;
const RECONNECT_MS_MAX = 1_000; // A server that returns is found within a second; a fleet does not hammer it.

/** Begins to connect and goes on trying until closed. For servers that may be away, such as a minority of lock masters. */
export function openConnection(profile: Profile, url: string, options: ConnectOptions = {}): Connection {
  return openServer(profile, redisTarget(url), options);
}

/** To the one server of a target, or to whom the sentinels name. */
export function openServer(profile: Profile, target: ServerTarget, options: ConnectOptions): Connection {
  const clock = options.clock ?? systemClock;
  const settings = { ...target.options, ...profileOptions(profile, options, clock), lazyConnect: true };
  const redis = new Redis({ ...settings, replyMapping: 'legacy' }); // Replies of the same shape under RESP2 and RESP3.
  const connection = connectionOver(redis, profile, target.printable, options, clock);
  redis.on('connect', () => writeAsciiFast(redis));
  redis.connect().catch(() => undefined); // Told by `error` and `ready`; the client goes on trying.
  return connection;
}

/**
 * Resolves or rejects with `promise`, or rejects OutcomeUnknown after `ms`; other rejections become what `redisFailure`
 * makes of them. The call itself goes on: it may still be executed.
 */
export function withDeadline<T>(promise: Promise<T>, ms: number, what: string, clock: Clock = systemClock): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(ms, () => reject(new OutcomeUnknown(`${what}: no reply within ${ms} ms`)));
    promise.then(
      (value) => {
        cancel();
        resolve(value);
      },
      (error: unknown) => {
        cancel();
        reject(redisFailure(what, error));
      },
    );
  });
}

/**
 * Node encodes a string for the socket as UTF-8, character by character, which was an eighth of a busy worker's time. What
 * is all ASCII, as nearly everything is here, has the same bytes in Latin-1, and those are copied. Measured on Node 20.
 */
function writeAsciiFast(redis: Redis): void {
  const { stream } = redis;
  const write = stream.write.bind(stream) as (data: unknown, ...rest: readonly unknown[]) => boolean;
  stream.write = ((data: unknown, ...rest: readonly unknown[]) =>
    rest.length === 0 && typeof data === 'string' && Buffer.byteLength(data) === data.length
      ? write(data, 'latin1')
      : write(data, ...rest)) as typeof stream.write;
}

function profileOptions(profile: Profile, options: ConnectOptions, clock: Clock): RedisOptions {
  const deadlineMs = callDeadlineOf(profile, options);
  const common: RedisOptions = {
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    enableAutoPipelining: false,
    enableReadyCheck: true, // Waits for LOADING to end.
    disableClientInfo: true, // CLIENT SETINFO is 7.2: on 7.0 each connection would leave two errors in errorstats.
    connectTimeout: 2_000,
    keepAlive: 10_000,
    retryStrategy: (times) => reconnectDelay(times, clock),
    reconnectOnError: (error) => (replyWord(error) === 'READONLY' ? 1 : false), // 2 would also send the command again.
    ...(options.name === undefined ? {} : { connectionName: options.name }),
    // Without the detector a master that hangs, and was replaced, is not left (redis/ioredis#1314).
    failoverDetector: true,
    sentinelCommandTimeout: 1_000,
    disconnectTimeout: 200, // A master that was replaced may be frozen: it is waited for no longer than this.
    sentinelRetryStrategy: (times) => reconnectDelay(times, clock),
    sentinelReconnectStrategy: (times) => reconnectDelay(times, clock),
  };
  switch (profile) {
    case 'writer':
      return { ...common, socketTimeout: 5_000 }; // Our deadline is enough: the client's would be one timer per command.
    case 'query':
      return { ...common, commandTimeout: deadlineMs, socketTimeout: 5_000, enableOfflineQueue: true };
    case 'lock':
      return { ...common, commandTimeout: deadlineMs, socketTimeout: 1_000 };
    // No commandTimeout and no blockingTimeout here: the first ends healthy blocks (redis/ioredis#1630), the second
    // answers null for a dead server, which reads as "no messages".
    case 'reader':
      return { ...common, socketTimeout: 3 * BLOCK_MS_MAX };
    case 'tail':
      return { ...common, socketTimeout: 5 * BLOCK_MS_MAX };
  }
}

export function callDeadlineOf(profile: Profile, options: ConnectOptions): number {
  return options.callDeadlineMs ?? (profile === 'lock' ? LOCK_DEADLINE_MS : CALL_DEADLINE_MS);
}

function reconnectDelay(times: number, clock: Clock): number {
  const ceiling = Math.min(RECONNECT_MS_MAX, RECONNECT_MS_FIRST * 2 ** Math.min(times - 1, 10));
  return Math.ceil(ceiling * (0.5 + clock.random() / 2));
}

/** Over a client that somebody else made and connects: the simulation has its own. */
export function connectionOver(
  redis: Redis,
  profile: Profile,
  printable: string,
  options: ConnectOptions,
  clock: Clock,
): Connection {
  const deadlineMs = callDeadlineOf(profile, options);
  const listeners = new Set<(generation: number) => void>();
  let generation = 0;
  let closed = false;
  let trouble: Error | undefined;
  redis.on('ready', () => {
    generation += 1;
    if (generation > 1) for (const listener of listeners) listener(generation);
  });
  redis.on('error', (error: Error) => {
    trouble = error;
    options.onTrouble?.(error);
  });
  // ioredis gives up for good where its failover detector disconnects a client that is just asking the sentinels.
  redis.on('end', () => {
    if (closed) return;
    clock.after(reconnectDelay(1, clock), () => {
      if (!closed && redis.status === 'end') redis.connect().catch(() => undefined);
    });
  });

  async function untilReady(ms: number): Promise<void> {
    if (closed) throw notConnected(`the ${profile} connection to ${printable}`);
    await becomesReady(redis, ms, clock).catch(() => {
      const denied = trouble !== undefined && isDenied(trouble);
      throw new OperatingError(
        denied ? 'redis-denied' : 'redis-unavailable',
        `no usable Redis at ${printable}${trouble === undefined ? '' : `: ${trouble.message}`}`,
        { retry: denied ? 'never' : 'here', cause: trouble },
      );
    });
  }

  async function call<T>(what: string, run: (redis: Redis) => Promise<T>, ms = deadlineMs): Promise<T> {
    // A query waits in the client's queue for the next connection; everything else hears at once that nothing was sent.
    if (closed || (redis.status !== 'ready' && profile !== 'query')) throw notConnected(what);
    try {
      return await withDeadline(run(redis), ms, what, clock);
    } catch (error) {
      if (!(await madeFit(connection, error))) throw error;
      return await withDeadline(run(redis), ms, what, clock);
    }
  }

  async function block<T>(what: string, blockMs: number, run: (redis: Redis) => Promise<T>): Promise<T> {
    const before = generation;
    try {
      return await call(what, run, Math.min(blockMs, BLOCK_MS_MAX) + BLOCK_GRACE_MS);
    } catch (error) {
      // The block may live on at the server and take an entry that nobody hears of: that socket is never used again.
      if (error instanceof OutcomeUnknown && generation === before && !closed) destroySocket(redis);
      throw error;
    }
  }

  const connection: Connection = {
    redis,
    profile,
    printable,
    user: redis.options.username ?? 'default',
    fit: options.fit,
    get generation() {
      return generation;
    },
    get ready() {
      return !closed && redis.status === 'ready';
    },
    onReady(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    untilReady,
    call,
    block,
    async remake() {
      destroySocket(redis);
      await untilReady(REMADE_WITHIN_MS);
    },
    async close() {
      closed = true;
      listeners.clear();
      end(redis);
    },
  };
  return connection;
}

/** True when the server lacked our functions and has them now. When they cannot be loaded, the first error says enough. */
export async function madeFit(server: Connection, error: unknown): Promise<boolean> {
  if (server.fit === undefined || !(error instanceof OperatingError) || error.code !== 'function-missing') return false;
  return await server.fit(server).then(
    () => true,
    () => false,
  );
}

// `disconnect(true)` would end the socket politely and wait up to 2 s for a frozen server.
function destroySocket(redis: Redis): void {
  if (redis.status === 'ready' || redis.status === 'connect') redis.stream.destroy();
}

function end(redis: Redis): void {
  const stream = redis.stream as Redis['stream'] | undefined; // Typed as always there; absent before the first attempt.
  redis.disconnect();
  stream?.destroy();
}

function isDenied(error: Error): boolean {
  const word = replyWord(error);
  return word === 'NOAUTH' || word === 'WRONGPASS' || word === 'NOPERM';
}

/** Resolves at the next `ready` (or now); rejects after `ms`, or at once when the server refuses our credentials. */
function becomesReady(redis: Redis, ms: number, clock: Clock): Promise<void> {
  // A destroyed socket keeps the status `ready` until its close event: then only the next one counts.
  if (redis.status === 'ready' && !redis.stream.destroyed) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const cancel = clock.after(ms, () => settle(() => reject(new Error('not ready in time'))));
    const ready = (): void => settle(resolve);
    const failed = (error: Error): void => {
      if (isDenied(error)) settle(() => reject(error));
    };
    function settle(how: () => void): void {
      cancel();
      redis.off('ready', ready);
      redis.off('error', failed);
      how();
    }
    redis.on('ready', ready);
    redis.on('error', failed);
  });
}
