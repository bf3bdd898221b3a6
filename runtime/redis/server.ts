// What is checked of a Redis server before anything is entrusted to it, and how a changed server is noticed.
//
// A server weaker than the configured durability is refused with the line to change (design: durability levels). A changed
// run_id or master_replid means that the data may be an older copy: every shard is claimed anew (L2).

import type { Clock } from '../clock.ts';
import { OperatingError } from '../errors.ts';
import type { Connection } from './connection.ts';
import { serversOf } from './topology.ts';

/** `memory` survives the crash of the server, `fsync` also a power loss, `replicas` waits for copies. */
export type Durability =
  | { readonly kind: 'memory' }
  | { readonly kind: 'fsync' }
  | { readonly kind: 'replicas'; readonly count: number };

/** Reads `memory`, `fsync` or `replicas:n`. Throws OperatingError `bad-setting`. */
export function parseDurability(text: string): Durability {
  if (text === 'memory' || text === 'fsync') return { kind: text };
  const count = Number(/^replicas:([1-9])$/.exec(text)?.[1]);
  if (Number.isInteger(count)) return { kind: 'replicas', count };
  throw new OperatingError('bad-setting', `durability is memory, fsync or replicas:n, got "${text}"`);
}

export interface ServerIdentity {
  readonly version: string;
  /** New at each start of the server process. */
  readonly runId: string;
  /** New at each promotion: two servers with the same one share their history up to now. */
  readonly replicationId: string;
  readonly role: 'master' | 'replica';
  /** Replicas that follow this server now, without those that are still being filled. */
  readonly replicasOnline: number;
  /** It is one of a cluster, and holds a part of the keys only. */
  readonly isOfCluster: boolean;
}

/** One round trip. */
export async function serverIdentity(connection: Connection): Promise<ServerIdentity> {
  const info = infoFields(await connection.call('INFO', (redis) => redis.info('everything')));
  return {
    version: info.get('redis_version') ?? '0',
    runId: info.get('run_id') ?? '',
    replicationId: info.get('master_replid') ?? '',
    role: info.get('role') === 'master' ? 'master' : 'replica',
    replicasOnline: [...info].filter(([name, facts]) => /^slave\d+$/.test(name) && /\bstate=online\b/.test(facts))
      .length,
    isOfCluster: info.get('redis_mode') === 'cluster',
  };
}

export interface ServerWatch {
  /**
   * Places of the keys behind which another server stands than at the look before: all or none of them, but on a cluster. A
   * round trip to every server when a look is due.
   */
  changed(): Promise<readonly number[]>;
}

/**
 * Watches the servers that hold `keys`: after each reconnection, and every `everyMs` while the connection stays up. The first
 * look sets the mark. Of a cluster, a server that does not answer is looked at again the next time, or its successor is.
 */
export function watchServers(
  connection: Connection,
  keys: readonly string[],
  clock: Clock,
  everyMs: number,
): ServerWatch {
  const known = new Map<string, ServerIdentity>();
  let lookedAt = Number.NEGATIVE_INFINITY;
  let generation = 0;

  async function identities(): Promise<ReadonlyMap<Connection, ServerIdentity>> {
    const { cluster } = connection;
    if (cluster === undefined) return new Map([[connection, await serverIdentity(connection)]]);
    const looks = cluster.servers().map(async (server) => [server, await serverIdentity(server)] as const);
    const found = await Promise.allSettled(looks);
    return new Map(found.flatMap((look) => (look.status === 'fulfilled' ? [look.value] : [])));
  }

  return {
    async changed() {
      const now = clock.monotonic();
      const current = connection.generation;
      if (generation === current && now - lookedAt < everyMs) return [];
      const found = await identities();
      const isWhole = keys.every((key) => found.has(connection.cluster?.serverOf(key) ?? connection));
      if (isWhole) [lookedAt, generation] = [now, current];
      return keys.flatMap((key, place) => {
        const identity = found.get(connection.cluster?.serverOf(key) ?? connection);
        const before = known.get(key);
        if (identity !== undefined) known.set(key, identity);
        return identity !== undefined && before !== undefined && isAnotherServer(before, identity) ? [place] : [];
      });
    },
  };
}

/** True when the data behind the connection may be another copy than before. */
export const isAnotherServer = (before: ServerIdentity, now: ServerIdentity): boolean =>
  before.runId !== now.runId || before.replicationId !== now.replicationId;

/** At the start: each master that holds keys has to be able to keep them, and has the replicas that were promised. */
export async function checkServers(connection: Connection, durability: Durability): Promise<void> {
  for (const server of serversOf(connection))
    checkReplicas(await checkServer(server, durability), durability, server.printable);
}

/**
 * Refuses a server that cannot keep what the configuration promises: OperatingError `redis-too-old`, `redis-url`,
 * `redis-not-master`, `redis-evicts`, `durability-too-weak` or `durability-unverified`, each saying what to change; for now,
 * with `redis-unavailable`, one that has just been replaced as master. Two round trips.
 */
export async function checkServer(connection: Connection, durability: Durability): Promise<ServerIdentity> {
  const identity = await serverIdentity(connection);
  const at = connection.printable;
  if (Number.parseInt(identity.version, 10) < 7) {
    throw new OperatingError(
      'redis-too-old',
      `Redis at ${at} is ${identity.version}; 7.0 or newer is needed (functions)`,
    );
  }
  if (identity.isOfCluster && connection.cluster === undefined && !at.includes('+cluster://')) {
    throw new OperatingError(
      'redis-url',
      `Redis at ${at} is one server of a cluster; give its URL as ${at.replace(/^(rediss?):\/\/(.*)\/0$/, '$1+cluster://$2')}`,
    );
  }
  if (identity.role !== 'master') throw notMaster(identity, at);
  const config = await configOf(connection);
  const policy = config.get('maxmemory-policy');
  if (policy !== 'noeviction') {
    throw new OperatingError(
      'redis-evicts',
      `Redis at ${at} has maxmemory-policy ${policy} and would drop orders when full; set: CONFIG SET maxmemory-policy noeviction`,
    );
  }
  const weakness = weaknessOf(config, durability);
  if (weakness !== undefined) throw new OperatingError('durability-too-weak', `Redis at ${at}: ${weakness}`);
  return identity;
}

/** Where somebody tells who the master is, he will say so in a moment; else it is the URL that is wrong. */
function notMaster({ isOfCluster }: ServerIdentity, at: string): OperatingError {
  return isOfCluster || at.includes('+sentinel://')
    ? new OperatingError('redis-unavailable', `Redis at ${at} is a replica by now; waiting for its successor`, {
        retry: 'here',
      })
    : new OperatingError('redis-not-master', `Redis at ${at} is a replica; give the URL of its master`);
}

/**
 * At the start only: OperatingError `replicas-missing` where fewer replicas are online than durability `replicas:n` names. Later
 * on, as after a failover, calls are refused one by one until enough follow again (copies.ts); reads go on.
 */
export function checkReplicas({ replicasOnline }: ServerIdentity, durability: Durability, at: string): void {
  if (durability.kind !== 'replicas' || replicasOnline >= durability.count) return;
  throw new OperatingError(
    'replicas-missing',
    `Redis at ${at} has ${replicasOnline} of the ${durability.count} replicas online that durability ` +
      `replicas:${durability.count} promises; start them (replicaof), or choose durability fsync or memory`,
    { retry: 'here' },
  );
}

/** The level as it is set and told, for example `replicas:1`. */
export const durabilityText = (durability: Durability): string =>
  durability.kind === 'replicas' ? `replicas:${durability.count}` : durability.kind;

/** What stands between this configuration and the level, with the remedy; undefined when nothing does. Pure. */
export function weaknessOf(config: ReadonlyMap<string, string>, durability: Durability): string | undefined {
  const level = durability.kind;
  if (config.get('appendonly') !== 'yes') {
    return `durability ${level} needs the append-only file; set: CONFIG SET appendonly yes (and in redis.conf)`;
  }
  const fsync = config.get('appendfsync') ?? 'unknown';
  if (level === 'fsync' && fsync !== 'always') {
    return `durability fsync needs appendfsync always, it is ${fsync}; set: CONFIG SET appendfsync always, or choose durability memory`;
  }
  if (fsync !== 'always' && fsync !== 'everysec') {
    return `durability ${level} needs appendfsync everysec or always, it is ${fsync}; set: CONFIG SET appendfsync everysec`;
  }
  // While a rewrite runs, such a server does not fsync at all: up to 30 s are lost at a power failure (redis.conf).
  if (config.get('no-appendfsync-on-rewrite') === 'yes') {
    return `durability ${level} needs no-appendfsync-on-rewrite no; set: CONFIG SET no-appendfsync-on-rewrite no`;
  }
  return undefined;
}

const CHECKED = ['maxmemory-policy', 'appendonly', 'appendfsync', 'no-appendfsync-on-rewrite'] as const;

async function configOf(connection: Connection): Promise<ReadonlyMap<string, string>> {
  try {
    const flat = (await connection.call('CONFIG GET', (redis) =>
      redis.call('CONFIG', 'GET', ...CHECKED),
    )) as readonly string[];
    return new Map(Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i] ?? '', flat[2 * i + 1] ?? '']));
  } catch (error) {
    if (!(error instanceof OperatingError) || error.code === 'redis-unavailable') throw error;
    throw new OperatingError(
      'durability-unverified',
      `Redis at ${connection.printable} does not let us read its configuration, so its durability cannot be verified; grant: ACL SETUSER … +config|get`,
      { cause: error },
    );
  }
}

function infoFields(text: string): ReadonlyMap<string, string> {
  const lines = text.split('\r\n').filter((line) => line.includes(':'));
  return new Map(lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]));
}
