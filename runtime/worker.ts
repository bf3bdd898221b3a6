// A worker: hosts charts on the shards of one namespace that the assignment gives it.
//
// It puts the parts together and decides one thing itself: what happens when a shard is lost. Fenced, rewound or in doubt,
// everything held of it is dropped at once, and it is claimed anew if lock and assignment still name us (L2, C3).

import { type Clock, pause, systemClock } from './clock.ts';
import { Claiming } from './commit/claiming.ts';
import type { Loss } from './commit/loss.ts';
import { OpenShard } from './commit/open-shard.ts';
import { type Counters, type Log, newCounters, type Scene, silentLog } from './commit/scene.ts';
import { StepGate } from './commit/step-gate.ts';
import { Warming } from './commit/warming.ts';
import { EffectRunner } from './effects/runner.ts';
import { type InvariantBroken, OperatingError, OutcomeUnknown } from './errors.ts';
import { libraryFit } from './functions/library.ts';
import type { Host, HostOptions } from './host.ts';
import type { Send } from './hosting.ts';
import {
  namespace as checkedNamespace,
  type Namespace,
  type ShardIndex,
  shardIndex,
  type WorkerId,
  workerId,
} from './ids.ts';
import { callDeadlineMs, residentsMax } from './limits.ts';
import { type Reader, startReader } from './mailbox/reader.ts';
import type { Batch } from './redis/batch.ts';
import type { Connection } from './redis/connection.ts';
import { connect } from './redis/connector.ts';
import { ballotKey, namespaceKeys } from './redis/keys.ts';
import { checkRights } from './redis/rights.ts';
import { type Durability, durabilityText, parseDurability } from './redis/server.ts';
import { at, batchTo, onDoubt } from './redis/topology.ts';
import { type TrustedBatch, trustedBatch, verifyServers } from './redis/trusted.ts';
import { agreeConfig, type RecordedConfig, readFounded } from './shards/config.ts';
import { createHasher, type Hasher } from './shards/hash.ts';
import { SHARD_LIMITS } from './shards/limits.ts';
import { createOwnership, type Ownership } from './shards/ownership.ts';
import { connectLockMasters, type LockMasters } from './shards/redlock.ts';
import { factsText } from './shards/takeover.ts';
import { startWatchdog } from './shards/watchdog.ts';
import { type Charts, charts as compileCharts } from './statechart/charts.ts';
import { domainClock } from './timers/domain-clock.ts';
import { followTravels, noTravels, type Travels } from './timers/travels.ts';

/**
 * Starts hosting and resolves when the worker has joined; shards open soon after. Throws NotHostable before anything is
 * connected, and OperatingError for a server that cannot be used, a taken worker id or another configuration.
 */
export async function host(options: HostOptions): Promise<Host> {
  const compiled = compileCharts(options.charts);
  const opened: Connection[] = [];
  const open = async (profile: 'writer' | 'reader' | 'query', url: string, role: string): Promise<Connection> => {
    const name = { name: `emboss-${options.worker}-${role}`, clock: options.clock ?? systemClock, fit: libraryFit };
    const connection = await connect(profile, url, name, options.connector);
    opened.push(connection);
    return connection;
  };
  try {
    const worker = new Worker(options, compiled, await openAll(options, open));
    await worker.start();
    return worker;
  } catch (error) {
    await Promise.all(opened.map((connection) => connection.close()));
    throw error;
  }
}

interface Connections {
  readonly config: RecordedConfig;
  readonly writer: Connection;
  readonly members: Connection;
  readonly reader: Connection;
  readonly query: Connection;
  readonly peers: ReadonlyMap<string, Connection>;
}

async function openAll(
  options: HostOptions,
  open: (profile: 'writer' | 'reader' | 'query', url: string, name: string) => Promise<Connection>,
): Promise<Connections> {
  const writer = await open('writer', options.url, 'writer');
  const durability = parseDurability(options.durability ?? 'memory');
  const ns = checkedNamespace(options.namespace);
  await verifyServers(writer, { door: 'host', namespace: ns, durability });
  const { shards = 64, timeScale = 1, virtualTime = false, timeOrigin } = options;
  const wanted = { shards, timeScale, virtualTime, ...(timeOrigin === undefined ? {} : { timeOrigin }) };
  const config = await agreeConfig(writer, ns, wanted, options.clock);
  const peers = new Map<string, Connection>();
  for (const [name, peer] of Object.entries(options.peers ?? {})) {
    const connection = peer.url === options.url ? writer : await open('writer', peer.url, `to-${name}`);
    await verifyServers(connection, { door: 'relay', namespace: checkedNamespace(name), durability });
    peers.set(name, connection);
  }
  return {
    config,
    writer,
    peers,
    members: await open('writer', options.url, 'members'),
    reader: await open('reader', options.url, 'reader'),
    query: await open('query', options.url, 'query'),
  };
}

const TROUBLE_LOG_MS = 10_000;
const RECLAIM_PAUSE_MS = 50;
const RECLAIM_PAUSE_MS_MAX = 1_000; // A second between claims keeps the journal small, and is about as long as a caller waits.
const RECLAIM_CALM_MS = 10_000; // A shard that lasted this long, or has worked meanwhile, starts with the short pause again.

class Worker implements Host {
  readonly worker: string;
  readonly counters: Counters = newCounters();
  readonly #options: HostOptions;
  readonly #charts: Charts;
  readonly #connections: Connections;
  readonly #namespace: Namespace;
  readonly #id: WorkerId;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #open = new Map<number, OpenShard>();
  readonly #batches = new Map<Connection, TrustedBatch>();
  readonly #durability: Durability;
  /** When each shard was last opened, and the pause before its last reclaim. */
  readonly #openedAt = new Map<number, number>();
  readonly #reclaimPause = new Map<number, number>();
  #ownership!: Ownership; // Set in start, before anything else can run.
  #scene!: Scene;
  #claiming!: Claiming;
  #warming!: Warming;
  #effects!: EffectRunner;
  #reader!: Reader;
  #watchdog: { stop(): Promise<void> } | undefined;
  #travels: Travels = noTravels;
  #stopped: Promise<void> | undefined;
  #displaced = false;
  /** Shards whose inbox or journal is not what it was. */
  readonly #damaged = new Set<number>();
  #troubleLoggedAt = Number.NEGATIVE_INFINITY;

  constructor(options: HostOptions, charts: Charts, connections: Connections) {
    this.#options = options;
    this.#durability = parseDurability(options.durability ?? 'memory');
    this.#charts = charts;
    this.#connections = connections;
    this.#namespace = checkedNamespace(options.namespace);
    this.#id = workerId(options.worker);
    this.worker = this.#id;
    this.#log = options.log ?? silentLog;
    this.#clock = options.clock ?? systemClock;
  }

  async start(): Promise<void> {
    const { writer, reader, query } = this.#connections;
    const hasher = await createHasher();
    await this.#announceCharts();
    const masters = await this.#lockMasters();
    this.#ownership = await this.#makeOwnership(hasher, masters).catch(async (error: unknown) => {
      await masters.close(); // The ownership does, where there is one.
      throw error;
    });
    this.#scene = this.#makeScene(hasher, writer);
    if (this.#connections.config.virtualTime) this.#travels = this.#followTravels();
    for (const [name, peer] of this.#connections.peers)
      onDoubt(peer, () => {
        for (const shard of this.#open.values()) shard.compareLanes(name);
      });
    this.#claiming = new Claiming(this.#scene, {
      members: () => this.#ownership.members(),
      isFounded: () => this.#isFounded(),
      damaged: (one, what) => this.#keepClosed(one, what),
    });
    this.#warming = new Warming(this.#scene, batchTo(query, this.#clock, callDeadlineMs));
    onDoubt(writer, (concerned) => this.#drop(concerned));
    this.#effects = new EffectRunner(this.#scene);
    this.#reader = startReader({
      connection: reader,
      writer,
      query,
      inboxes: () => [...this.#open.values()],
      clock: this.#clock,
      onTrouble: (error) => this.#hearOf(error),
    });
    await this.#ownership.start().catch(async (error: unknown) => {
      await Promise.all([this.#reader.close(), this.#ownership.leave()]); // Nothing of ours goes on running.
      throw error;
    });
    if (this.#options.watchdog ?? true)
      this.#watchdog = startWatchdog({ ...SHARD_LIMITS, ...this.#options.limits }.leaseMs);
  }

  shards(): readonly number[] {
    return [...this.#open.keys()].sort((a, b) => a - b);
  }

  residents(): number {
    let sum = 0;
    for (const shard of this.#open.values()) sum += shard.residents;
    return sum;
  }

  /** What `emboss shards` shows of each shard beside what Redis holds. */
  #facts(): string {
    const facts = [...this.#open.values()].map(({ shard, residents }) => {
      const leaseMs = this.#ownership.remainingMs(shardIndex(shard));
      return { shard, leaseMs, residents, takeover: this.#claiming.takeover(shard) };
    });
    return factsText(facts);
  }

  healthy(): boolean {
    return (
      this.#stopped === undefined &&
      !this.#displaced &&
      this.#damaged.size === 0 &&
      this.#connections.members.ready &&
      this.#connections.writer.ready
    );
  }

  stop(how: { readonly restart?: boolean } = {}): Promise<void> {
    this.#stopped ??= this.#stop(how);
    return this.#stopped;
  }

  async #stop(how: { readonly restart?: boolean }): Promise<void> {
    await this.#ownership.leave(how);
    for (const shard of this.#open.values()) shard.lose(new Error('the worker stops'));
    this.#travels.close();
    await this.#reader.close();
    await this.#watchdog?.stop();
    const { writer, members, query, peers } = this.#connections;
    await Promise.all(
      [...new Set([writer, members, query, ...peers.values()])].map((connection) => connection.close()),
    );
  }

  /** Reads fail while a server is away; what goes on failing has to be seen. */
  #hearOf(error: unknown): void {
    const now = this.#clock.monotonic();
    if (now - this.#troubleLoggedAt < TROUBLE_LOG_MS) return;
    this.#troubleLoggedAt = now;
    this.#log.warn({ error: String(error) }, 'inboxes are not read; trying on');
  }

  /**
   * L2: before anything leaves on the new connection, what was believed over the old one is dropped. The server behind it may
   * have lost its tail, and an entry that we read before would be committed at a place that the next message is given.
   */
  #drop(concerned: (key: string) => boolean): void {
    for (const shard of [...this.#open.values()])
      if (concerned(shard.keys.owner)) shard.lose(new OutcomeUnknown('the connection was made anew'));
  }

  /** Says which machines and leaf states there are, for readers of the index. One round trip. */
  async #announceCharts(): Promise<void> {
    const names = namespaceKeys(this.#namespace);
    const fields = this.#charts.all.flatMap(({ machine, version, hash, leaves }) => [
      machine,
      JSON.stringify({ version, hash, leaves }),
    ]);
    if (fields.length > 0)
      await at(this.#connections.writer, names.machines).call('HSET machines', (redis) =>
        redis.hset(names.machines, ...fields),
      );
  }

  #followTravels(): Travels {
    const reading = { batch: this.#scene.batch, config: namespaceKeys(this.#namespace).config, clock: this.#clock };
    return followTravels(reading, this.#connections.config.travelled, () => {
      for (const shard of this.#open.values()) shard.travel();
    });
  }

  #lockMasters(): Promise<LockMasters> {
    const { url, lockUrls = [url], connector } = this.#options;
    const asked = { door: 'lock', namespace: this.#namespace, durability: this.#durability } as const;
    const check = (one: Connection): Promise<void> => checkRights(one, asked);
    const ballot = ballotKey(this.#namespace, this.#clock.nonce(8));
    return connectLockMasters(lockUrls, { clock: this.#clock, check, ballot }, connector);
  }

  async #makeOwnership(hasher: Hasher, masters: LockMasters): Promise<Ownership> {
    return createOwnership({
      namespace: this.#namespace,
      worker: this.#id,
      shards: this.#options.shards ?? 64,
      founded: this.#connections.config.founded,
      host: {
        awaiting: (shard) => this.#warming.begin(shard),
        open: (shard) => this.#openShard(shard),
        shut: (shard) => this.#shutShard(shard),
        lost: (shard) => this.#lostShard(shard),
      },
      // Beats, and who is connected, are matters of the one server that holds the membership.
      connection: at(this.#connections.members, namespaceKeys(this.#namespace).members),
      servers: this.#connections.members,
      masters,
      hasher,
      clock: this.#clock,
      onDisplaced: (error) => {
        this.#displaced = true;
        this.#options.onFatal?.(error);
      },
      weight: this.#options.weight ?? 1,
      version: this.#options.version ?? '',
      stats: () => ({ ...this.counters, residents: this.residents(), shards: this.#facts() }),
      limits: this.#options.limits ?? {},
      note: (what, fields) => this.#log.info(fields, what),
    });
  }

  #makeScene(hasher: Hasher, writer: Connection): Scene {
    const own = this.#options.shards ?? 64;
    const shardsOf = (name: string): number =>
      name === this.#namespace ? own : (this.#options.peers?.[name]?.shards ?? own);
    return {
      namespace: this.#namespace,
      worker: this.#id,
      batch: this.#batch(writer),
      charts: this.#charts,
      clock: this.#clock,
      timeScale: this.#connections.config.timeScale,
      domain: domainClock(this.#connections.config),
      travelled: () => this.#travels.total,
      counters: this.counters,
      log: this.#log,
      gate: new StepGate(),
      serverNow: () => this.#ownership.serverClock.now(),
      reading: () => '',
      mayWork: (shard) => this.#ownership.mayWork(shardIndex(shard)),
      lane: (from, send) => this.#lane(hasher, from, send, shardsOf),
      residentsPerShard: () => Math.max(100, Math.floor(residentsMax / Math.max(1, this.#open.size))),
      forgetful: this.#options.forgetful ?? false,
    };
  }

  #lane(hasher: Hasher, from: number, send: Send, shardsOf: (name: string) => number): string {
    if (send.namespace !== this.#namespace && this.#options.peers?.[send.namespace] === undefined) {
      const words = `nothing is known of namespace "${send.namespace}"; add it to peers`;
      throw new OperatingError('unknown-namespace', words);
    }
    return `${this.#namespace}:${from}>${send.namespace}:${hasher.shardOf(send.actor, shardsOf(send.namespace))}`;
  }

  #batch(connection: Connection): TrustedBatch {
    const known = this.#batches.get(connection);
    if (known !== undefined) return known;
    const at = connection.printable;
    const batch = trustedBatch({
      connection,
      clock: this.#clock,
      durability: this.#durability,
      onRefused: (error) => {
        this.#log.error({ at, error: String(error) }, 'the server cannot be used any more');
        if (connection === this.#connections.writer) this.#options.onFatal?.(error); // A peer's lanes wait for it.
      },
      onCopies: (reached, confirmed) => {
        const level = durabilityText(this.#durability);
        if (reached) this.#log.warn({ at, level, confirmed }, 'replicas have caught up');
        else this.#log.error({ at, level, confirmed }, 'too few replicas confirm; work waits for them');
      },
    });
    this.#batches.set(connection, batch);
    return batch;
  }

  async #openShard(shard: ShardIndex): Promise<'open' | 'failed'> {
    const claimed = await this.#claiming.claim(shard);
    if (claimed === undefined) return 'failed';
    const opened: OpenShard = new OpenShard(
      this.#scene,
      {
        effects: this.#effects,
        relay: { target: (name) => this.#target(name) },
        onLost: (_, loss, why) => this.#lostByItself(opened, loss, why),
      },
      shard,
      claimed,
    );
    this.#damaged.delete(shard);
    this.#open.get(shard)?.abandon(); // Its token died with this claim.
    this.#open.set(shard, opened);
    this.#openedAt.set(shard, this.#clock.monotonic());
    try {
      await opened.start(this.#warming.take(shard));
    } catch (error) {
      if (this.#open.get(shard) === opened) this.#open.delete(shard);
      opened.abandon();
      throw error;
    }
    this.#reader.changed();
    return 'open';
  }

  /** A shard without an owner's record was never claimed, or all is gone: then the next look at the others says so. */
  async #isFounded(): Promise<boolean> {
    return (await readFounded(this.#connections.writer, this.#namespace)) === this.#connections.config.founded;
  }

  /** Said once. It is asked for again, so that it opens when somebody has restored it. */
  #keepClosed(shard: ShardIndex, what: string): void {
    if (this.#damaged.has(shard)) return;
    this.#damaged.add(shard);
    this.#log.error(
      { shard, what },
      'the shard stays closed: its stream is gone or lost its end; see "Data is gone" in docs/operating.md',
    );
  }

  async #shutShard(shard: ShardIndex): Promise<void> {
    const opened = this.#open.get(shard);
    this.#damaged.delete(shard);
    await opened?.shut();
    if (this.#open.get(shard) === opened) this.#open.delete(shard);
  }

  /** Told by the ownership, which opens the shard again if it comes back. */
  #lostShard(shard: ShardIndex): void {
    this.#damaged.delete(shard); // Whoever has it now says so.
    this.#open.get(shard)?.abandon();
    this.#open.delete(shard);
  }

  /** The shard dropped itself: claim anew first, read back second (C3). */
  #lostByItself(opened: OpenShard, loss: Loss, why: unknown): void {
    const { shard } = opened;
    this.#claiming.lost(shard, opened.token, loss);
    this.#log.warn({ shard, loss, error: String(why) }, 'shard dropped');
    if (this.#open.get(shard) !== opened) return; // A later claim of ours serves it.
    this.#open.delete(shard);
    if (loss === 'law-broken') this.#options.onFatal?.(why as InvariantBroken);
    if (this.#stopped !== undefined || loss === 'law-broken') return;
    this.#reopen(shardIndex(shard), opened.hasWorked).catch((error: unknown) =>
      this.#log.error({ shard, error: String(error) }, 'shard not reclaimed'),
    );
  }

  /** Claims anew, with a growing pause where it keeps being lost: each claim is a journal entry that stays. */
  async #reopen(shard: ShardIndex, hasWorked: boolean): Promise<void> {
    const soon =
      !hasWorked && this.#clock.monotonic() - (this.#openedAt.get(shard) ?? Number.NEGATIVE_INFINITY) < RECLAIM_CALM_MS;
    let pauseMs = soon
      ? Math.min((this.#reclaimPause.get(shard) ?? RECLAIM_PAUSE_MS) * 2, RECLAIM_PAUSE_MS_MAX)
      : RECLAIM_PAUSE_MS;
    for (;;) {
      this.#reclaimPause.set(shard, pauseMs);
      await pause(this.#clock, pauseMs);
      if (this.#stopped !== undefined || this.#open.has(shard)) return;
      // Fenced, and neither lock nor assignment names us: somebody else owns it, which is normal.
      if (!(await this.#ownership.reclaim(shard))) return;
      const outcome = await this.#openShard(shard).catch((error: unknown) => {
        this.#log.warn({ shard, error: String(error) }, 'claim has no answer, will be tried again');
        if (error instanceof OperatingError && error.code === 'function-missing')
          this.#batch(this.#connections.writer).doubt();
        return 'failed' as const;
      });
      if (outcome === 'open') return;
      pauseMs = Math.min(pauseMs * 2, RECLAIM_PAUSE_MS_MAX);
    }
  }

  #target(name: string): Batch | undefined {
    if (name === this.#namespace) return this.#scene.batch;
    const connection = this.#connections.peers.get(name);
    return connection?.ready === true ? this.#batch(connection) : undefined;
  }
}
