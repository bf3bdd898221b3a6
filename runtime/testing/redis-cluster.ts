// A real Redis Cluster on loopback: three masters, their replicas, and servers that hold nothing yet. Processes of their own,
// gone with us.

import { SLOTS } from '../redis/slot.ts';
import { rangesOf } from '../redis/slot-map.ts';
import { askRedis, type RedisReply } from './redis-probe.ts';
import { inStep, QUICK_COPY } from './redis-sentinel.ts';
import { freePort, type RedisServer, startRedis } from './redis-server.ts';
import { startTlsRedis, type TrialCertificates } from './redis-tls.ts';
import { waitUntil } from './waiting.ts';

export interface RedisCluster {
  /** `redis+cluster://…` with the first masters. */
  readonly url: string;
  /** As they were at the start: those that hold slots, their replicas in the same order, and members that hold nothing. */
  readonly masters: readonly RedisServer[];
  readonly replicas: readonly RedisServer[];
  readonly spares: readonly RedisServer[];
  /** The server that holds a slot, as the first one that answers knows it. */
  holderOf(slot: number): Promise<RedisServer>;
  /** Begins to move a slot: from then on it is migrating at one server and importing at the other. */
  openMove(slot: number, to: RedisServer): Promise<SlotMove>;
  stop(): Promise<void>;
}

/** A slot on its way, as `redis-cli --cluster reshard` does it. */
export interface SlotMove {
  /** Moves at most so many keys; resolves with how many are left. */
  keys(count: number): Promise<number>;
  /** Tells every master who holds the slot now. */
  end(): Promise<void>;
}

export interface RedisClusterOptions {
  /** Replicas of each master, 0 or 1. Default 1. */
  readonly replicas?: 0 | 1;
  /** Members that hold no slots: for those that are given some later. Default 0. */
  readonly spares?: number;
  /** TLS instead of plain connections, also among the servers. */
  readonly certificates?: TrialCertificates;
  /** Silence after which a server is suspected. Default 1,000: a busy machine must not look like a dead one. */
  readonly nodeTimeoutMs?: number;
  /** Further arguments of every server. */
  readonly args?: readonly string[];
}

const MASTERS = 3;
const MIGRATE_MS = '5000';

/** Resolves when every server calls the cluster sound and every replica has what its master has. About 2 s. */
export async function startCluster(options: RedisClusterOptions = {}): Promise<RedisCluster> {
  const { replicas = 1, spares = 0 } = options;
  const servers = await Promise.all(Array.from({ length: MASTERS * (1 + replicas) + spares }, () => startOne(options)));
  const masters = servers.slice(0, MASTERS);
  const copies = servers.slice(MASTERS, MASTERS * (1 + replicas));
  await Promise.all(servers.map(({ url }, i) => askRedis(url, ['CLUSTER', 'SET-CONFIG-EPOCH', String(i + 1)])));
  await Promise.all(masters.map(({ url }, i) => askRedis(url, ['CLUSTER', 'ADDSLOTSRANGE', ...share(i)])));
  for (const server of servers.slice(1)) await meet(servers[0] as RedisServer, server);
  await allKnow(servers);
  for (const [i, copy] of copies.entries()) {
    await askRedis(copy.url, ['CLUSTER', 'REPLICATE', await idOf(masters[i] as RedisServer)]);
  }
  await Promise.all(masters.map(({ url }) => waitUntil('the replica is in step', () => inStep(url, replicas))));
  await allKnow(servers);
  const query = options.certificates?.query ?? '';
  const scheme = query === '' ? 'redis+cluster' : 'rediss+cluster';
  return {
    url: `${scheme}://${masters.map(({ port }) => `127.0.0.1:${port}`).join(',')}${query}`,
    masters,
    replicas: copies,
    spares: servers.slice(masters.length + copies.length),
    ...verbs(servers),
  };
}

async function startOne({ nodeTimeoutMs = 1_000, certificates, args = [] }: RedisClusterOptions): Promise<RedisServer> {
  const all = [
    ...['--cluster-enabled', 'yes', '--cluster-node-timeout', String(nodeTimeoutMs)],
    ...['--cluster-port', String(await freePort()), '--cluster-require-full-coverage', 'no'],
    ...QUICK_COPY,
    ...args,
  ];
  return await (certificates === undefined ? startRedis({ args: all }) : startTlsRedis(certificates, { args: all }));
}

/** First and last slot of a master. */
const share = (i: number): readonly string[] =>
  [Math.floor((i * SLOTS) / MASTERS), Math.floor(((i + 1) * SLOTS) / MASTERS) - 1].map(String);

async function meet(known: RedisServer, server: RedisServer): Promise<void> {
  const bus = (await askRedis(server.url, ['CONFIG', 'GET', 'cluster-port'])) as readonly string[];
  await askRedis(known.url, ['CLUSTER', 'MEET', '127.0.0.1', String(server.port), String(bus[1])]);
}

const idOf = async ({ url }: RedisServer): Promise<string> => String(await askRedis(url, ['CLUSTER', 'MYID']));

async function allKnow(servers: readonly RedisServer[]): Promise<void> {
  const sound = async ({ url }: RedisServer): Promise<boolean> => {
    const info = String(await askRedis(url, ['CLUSTER', 'INFO']));
    return info.includes('cluster_state:ok') && info.includes(`cluster_known_nodes:${servers.length}`);
  };
  await waitUntil('the cluster is sound', async () => (await Promise.all(servers.map(sound))).every(Boolean), {
    deadlineMs: 20_000,
    everyMs: 50,
  });
}

function verbs(servers: readonly RedisServer[]): Pick<RedisCluster, 'holderOf' | 'openMove' | 'stop'> {
  async function holderOf(slot: number): Promise<RedisServer> {
    const replies = servers.map(({ url }) => askRedis(url, ['CLUSTER', 'SLOTS'], 500));
    const reply = await Promise.any(replies);
    const range = rangesOf(reply, '127.0.0.1').find(({ from, to }) => from <= slot && slot <= to);
    const holder = servers.find(({ port }) => port === range?.address.port);
    if (holder === undefined) throw new Error(`nobody holds slot ${slot}`);
    return holder;
  }

  return {
    holderOf,
    async openMove(slot, to) {
      const from = await holderOf(slot);
      const [source, target] = await Promise.all([idOf(from), idOf(to)]);
      await askRedis(to.url, ['CLUSTER', 'SETSLOT', String(slot), 'IMPORTING', source]);
      await askRedis(from.url, ['CLUSTER', 'SETSLOT', String(slot), 'MIGRATING', target]);
      return {
        async keys(count) {
          const found = await askRedis(from.url, ['CLUSTER', 'GETKEYSINSLOT', String(slot), String(count)]);
          const keys = (found as readonly RedisReply[]).map(String);
          const words = ['MIGRATE', '127.0.0.1', String(to.port), '', '0', MIGRATE_MS, 'KEYS', ...keys];
          if (keys.length > 0) await askRedis(from.url, words, Number(MIGRATE_MS));
          return Number(await askRedis(from.url, ['CLUSTER', 'COUNTKEYSINSLOT', String(slot)]));
        },
        async end() {
          // The new owner first: were it to fail in between, the slot would have an owner all the same.
          for (const { url } of [to, from]) await askRedis(url, ['CLUSTER', 'SETSLOT', String(slot), 'NODE', target]);
        },
      };
    },
    async stop() {
      await Promise.all(servers.map((server) => server.kill()));
    },
  };
}
