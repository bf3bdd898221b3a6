// A cluster for trials: real Redis servers, real worker processes, each worker behind proxies of its own, and the verbs to
// hurt them. One or more namespaces, on one server or each on its own; locks on the namespace's server or on masters apart.
//
// Nothing here is simulated, and nothing sleeps: `until` waits for conditions and prints what it sees when they do not come.
// `close` ends every process; one that is forgotten ends with this process.

import { type Client, type ConnectOptions, connect, type ShardView, type WorkerView } from '../../client.ts';
import type { JsonObject } from '../../json.ts';
import type { ShardLimits } from '../../shards/limits.ts';
import { type RedisProxy, startRedisProxy } from '../redis-proxy.ts';
import { type WaitOptions, waitUntil } from '../waiting.ts';
import { ClusterServer } from './cluster-server.ts';
import { ClusterWorker, type LifeOptions } from './cluster-worker.ts';
import { isQuiet } from './quiet.ts';

export interface ClusterOptions {
  /** URL of the module that exports `charts` (see worker-process.ts), and what it is given. */
  readonly module: string;
  readonly given?: JsonObject;
  /** Default `['one']`. With several, each can send messages to the others. */
  readonly namespaces?: readonly string[];
  /** `shared`: all namespaces on one server; `apart`: each on its own. Default `shared`. */
  readonly servers?: 'shared' | 'apart';
  /** Lock masters: 0, locks live on the namespace's server; else 1, 3 or 5 servers of their own. Default 0. */
  readonly lockMasters?: 0 | 1 | 3 | 5;
  /** Workers per namespace. Default 3. */
  readonly workers?: number;
  /** Shards per namespace. Default 16. */
  readonly shards?: number;
  /** Divides the delays of charts. Default 1: real time. */
  readonly timeScale?: number;
  readonly durability?: string;
  /** Limits of ownership; default those of the product. */
  readonly limits?: Partial<ShardLimits>;
  /** Default true: a proxy in front of every server, for each worker. */
  readonly proxied?: boolean;
  /** State that others start and end, such as a master that sentinels name, in place of servers of ours. Never proxied. */
  readonly outside?: string;
  /** Further arguments of the state servers, for example `['--appendfsync', 'always']`. */
  readonly serverArgs?: readonly string[];
  /** `name:password` as whom workers log in. Default: the server's default user, as clients do. */
  readonly workerUser?: string;
  /** Called with each state server before anybody connects to it: to give it replicas. */
  readonly prepared?: (server: ClusterServer) => Promise<void>;
  /** Of all proxies. Default: drawn. */
  readonly seed?: number;
}

interface Space {
  readonly name: string;
  readonly server: ClusterServer;
  readonly client: Client;
  /** Numbers given to workers so far: an id is never used for two workers. */
  numbered: number;
}

const SECRET = 'a secret of trials';
const WORKERS = 3;
const SHARDS = 16;
const UNTIL_MS = 30_000; // Several takeovers under the product's limits, on a busy machine.

export class Cluster {
  readonly shards: number;
  readonly lockServers: readonly ClusterServer[];
  readonly #options: ClusterOptions;
  readonly #spaces: Map<string, Space>;
  readonly #workers = new Map<string, ClusterWorker>();
  readonly #clients: Client[] = [];
  readonly #doors: RedisProxy[] = [];

  /** Servers run, clients are connected, every worker has joined and every shard is owned. Rejects with a diagnosis. */
  static async start(options: ClusterOptions): Promise<Cluster> {
    const names = options.namespaces ?? ['one'];
    const servers: ClusterServer[] = [];
    const started = async (name: string, args?: readonly string[]): Promise<ClusterServer> => {
      const server =
        options.outside === undefined || name.startsWith('lock-')
          ? await ClusterServer.start(name, args)
          : ClusterServer.outside(name, options.outside);
      servers.push(server);
      return server;
    };
    let cluster: Cluster | undefined;
    try {
      const locks: ClusterServer[] = [];
      for (let i = 1; i <= (options.lockMasters ?? 0); i += 1) locks.push(await started(`lock-${i}`));
      const spaces = new Map<string, Space>();
      for (const name of names) {
        const shared = options.servers === 'apart' ? undefined : spaces.values().next().value?.server;
        const server = shared ?? (await started(`state-${name}`, options.serverArgs));
        if (shared === undefined) await options.prepared?.(server);
        const client = await connect(clientOptions(options, name, server.url));
        spaces.set(name, { name, server, client, numbered: 0 });
      }
      cluster = new Cluster(options, spaces, locks);
      const joining = names.flatMap((name) => Array.from({ length: options.workers ?? WORKERS }, () => name));
      await Promise.all(joining.map((name) => cluster?.add(name)));
      await cluster.owned();
      return cluster;
    } catch (error) {
      await cluster?.close();
      await Promise.all(servers.map((server) => server.close()));
      throw error;
    }
  }

  private constructor(options: ClusterOptions, spaces: Map<string, Space>, locks: readonly ClusterServer[]) {
    this.#options = options;
    this.#spaces = spaces;
    this.lockServers = locks;
    this.shards = options.shards ?? SHARDS;
  }

  get namespaces(): readonly string[] {
    return [...this.#spaces.keys()];
  }

  /** All workers that were added and not removed, whatever their state. */
  get workers(): readonly ClusterWorker[] {
    return [...this.#workers.values()];
  }

  worker(id: string): ClusterWorker {
    return found(this.#workers.get(id), `worker ${id}`);
  }

  /** The server that holds the namespace's state. Default: the first namespace. */
  server(namespace = this.namespaces[0] ?? ''): ClusterServer {
    return this.#space(namespace).server;
  }

  get servers(): readonly ClusterServer[] {
    return [...new Set([...this.#spaces.values()].map(({ server }) => server))];
  }

  /** A client that speaks to the server directly: for looking, and for load that meets no fault. */
  client(namespace = this.namespaces[0] ?? ''): Client {
    return this.#space(namespace).client;
  }

  /** A further client, behind a proxy where one is given, or at another address. Closed with the cluster. */
  async connect(namespace: string, door?: { readonly url: string }): Promise<Client> {
    const url = door?.url ?? this.#space(namespace).server.url;
    const client = await connect(clientOptions(this.#options, namespace, url));
    this.#clients.push(client);
    return client;
  }

  /** A proxy for clients, in front of the namespace's server. Closed with the cluster. */
  async door(namespace = this.namespaces[0] ?? ''): Promise<RedisProxy> {
    const door = await startRedisProxy(this.#space(namespace).server, this.#seeded());
    this.#doors.push(door);
    return door;
  }

  /** Adds a worker under the next free id, starts it and waits until it has joined. */
  async add(namespace = this.namespaces[0] ?? '', life: LifeOptions = {}): Promise<ClusterWorker> {
    const worker = await this.prepare(namespace);
    await worker.start(life);
    return worker;
  }

  /** Adds a worker and does not start it. It reaches its state at `url` where one is given. */
  async prepare(namespace = this.namespaces[0] ?? '', url?: string): Promise<ClusterWorker> {
    const space = this.#space(namespace);
    space.numbered += 1;
    const id = `${namespace}.${space.numbered}`;
    const proxies = await this.#proxies();
    const { module, given, limits, durability, timeScale, workerUser } = this.#options;
    const login = workerUser === undefined ? 'redis://' : `redis://${workerUser}@`;
    const urlOf = (server: ClusterServer): string =>
      (proxies.get(server)?.url ?? server.url).replace('redis://', login);
    const others = [...this.#spaces.values()].filter(({ name }) => name !== namespace);
    const host = {
      namespace,
      worker: id,
      url: url ?? urlOf(space.server),
      shards: this.shards,
      peers: Object.fromEntries(others.map(({ name, server }) => [name, { url: urlOf(server), shards: this.shards }])),
      ...(this.lockServers.length === 0 ? {} : { lockUrls: this.lockServers.map(urlOf) }),
      ...(limits === undefined ? {} : { limits }),
      ...(durability === undefined ? {} : { durability }),
      ...(timeScale === undefined ? {} : { timeScale }),
    };
    const worker = new ClusterWorker(namespace, { module, host, ...(given === undefined ? {} : { given }) }, proxies);
    this.#workers.set(id, worker);
    return worker;
  }

  /** SIGTERM, and the worker is none of the cluster's any more. Resolves with how it ended. */
  async remove(id: string): Promise<number | NodeJS.Signals | undefined> {
    const worker = this.worker(id);
    this.#workers.delete(id);
    const how = await worker.stop();
    await worker.close();
    return how;
  }

  /** Waits until `look` gives something truthy. Rejects after `deadlineMs` (default 30,000) with what the cluster looks like. */
  until<T>(what: string, look: () => T | Promise<T>, options: WaitOptions = {}): ReturnType<typeof waitUntil<T>> {
    return waitUntil(what, look, { deadlineMs: UNTIL_MS, everyMs: 20, diagnose: () => this.picture(), ...options });
  }

  /** Waits until every shard of every namespace has an owner that runs and that the assignment names. */
  async owned(options: WaitOptions = {}): Promise<void> {
    const running = (id: string | undefined): boolean => id !== undefined && this.#workers.get(id)?.state === 'running';
    await this.until(
      'every shard is owned as assigned',
      async () => {
        const views = await Promise.all(this.namespaces.map((name) => this.client(name).shardViews()));
        return views.flat().every(({ owner, assigned }) => owner === assigned && running(owner));
      },
      options,
    );
  }

  /** Shards of its namespace that a worker owns now, as everybody can read. */
  async shardsOf(id: string): Promise<readonly number[]> {
    const views = await this.client(this.worker(id).namespace).shardViews();
    return views.filter(({ owner }) => owner === id).map(({ shard }) => shard);
  }

  /** Replies *fenced* to all workers that are of the cluster now. */
  get fenced(): number {
    return this.workers.reduce((sum, { fenced }) => sum + fenced, 0);
  }

  /** Waits until nothing is on its way: no message, effect, outbox record, nor a timer that is due within 2 s. */
  async settled(options: WaitOptions = {}): Promise<void> {
    const clients = this.namespaces.map((name) => this.client(name));
    await this.until('all is quiet', () => isQuiet(clients), { everyMs: 100, ...options });
  }

  /** What a person wants to see of a cluster that does not get there. */
  async picture(): Promise<JsonObject> {
    const processes = this.workers.map(({ id, state, pid, lives, lines }) => ({
      id,
      state,
      pid,
      lives,
      lines: lines.slice(-5),
    }));
    const servers = [...this.servers, ...this.lockServers].map(({ name, state, url }) => ({ name, state, url }));
    const spaces = await Promise.all(
      this.namespaces.map(async (name) => {
        const client = this.client(name);
        const [shards, workers, parked, timers] = await Promise.all([
          client.shardViews(),
          client.workerViews(),
          client.parked(),
          client.timers({ limit: 10 }),
        ]);
        return {
          name,
          now: client.now(),
          shards: shards.map(shardWords),
          workers: workers.map(workerWords),
          parked,
          timers,
        };
      }),
    ).catch((error: unknown) => String(error));
    return JSON.parse(JSON.stringify({ processes, servers, spaces })) as JsonObject;
  }

  /** Ends everything. Safe to call twice. */
  async close(): Promise<void> {
    for (const server of [...this.servers, ...this.lockServers]) server.thaw();
    await Promise.all(this.workers.map((worker) => worker.close()));
    await Promise.all(
      [...this.#clients, ...[...this.#spaces.values()].map(({ client }) => client)].map((one) => one.close()),
    );
    await Promise.all(this.#doors.map((door) => door.close()));
    await Promise.all([...this.servers, ...this.lockServers].map((server) => server.close()));
  }

  #space(namespace: string): Space {
    return found(this.#spaces.get(namespace), `namespace ${namespace}`);
  }

  async #proxies(): Promise<ReadonlyMap<ClusterServer, RedisProxy>> {
    const proxies = new Map<ClusterServer, RedisProxy>();
    if (this.#options.proxied === false || this.#options.outside !== undefined) return proxies;
    for (const server of [...this.servers, ...this.lockServers])
      proxies.set(server, await startRedisProxy(server, this.#seeded()));
    return proxies;
  }

  #seeded(): { readonly seed?: number } {
    return this.#options.seed === undefined ? {} : { seed: this.#options.seed };
  }
}

function clientOptions(options: ClusterOptions, namespace: string, url: string): ConnectOptions {
  const config = { shards: options.shards ?? SHARDS, timeScale: options.timeScale ?? 1 };
  const { durability } = options;
  return { namespace, url, secret: SECRET, config, ...(durability === undefined ? {} : { durability }) };
}

function found<T>(one: T | undefined, what: string): T {
  if (one === undefined) throw new Error(`there is no ${what} in this cluster`);
  return one;
}

const shardWords = ({ shard, owner, assigned, token, head, lag, effects, timers, parked }: ShardView): string =>
  `${shard}: owner ${owner} assigned ${assigned} token ${token} head ${head} lag ${lag} effects ${effects} timers ${timers} parked ${parked}`;

const workerWords = ({ worker, state, heartbeatAgeMs, shards, steps, fenced }: WorkerView): string =>
  `${worker}: ${state}, beat ${heartbeatAgeMs} ms ago, shards ${shards.join(',')}, steps ${steps}, fenced ${fenced}`;
