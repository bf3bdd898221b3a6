// Opens a client: connections, the namespace's configuration, and the parts behind the door.

import type { ActorView, Client, ConnectOptions, Watch } from '../client.ts';
import { type Cancel, type Clock, pause, systemClock } from '../clock.ts';
import { OperatingError } from '../errors.ts';
import { command, durable } from '../functions/call.ts';
import { libraryFit } from '../functions/library.ts';
import { type ActorId, type Namespace, namespace, streamId } from '../ids.ts';
import { type StreamEntry, tokenOf } from '../journal/entry.ts';
import { startTail, type Tail } from '../journal/tail.ts';
import { travelWaitMs } from '../limits.ts';
import type { JournalPosition } from '../messages.ts';
import type { Connection } from '../redis/connection.ts';
import { connect as connectRedis } from '../redis/connector.ts';
import { namespaceKeys, type ShardKeys, shardKeys } from '../redis/keys.ts';
import { type Durability, durabilityText, parseDurability } from '../redis/server.ts';
import { at } from '../redis/topology.ts';
import { type TrustedBatch, trustedBatch, verifyServers } from '../redis/trusted.ts';
import { agreeConfig, FOUNDED, inboxLost, namespaceLost, type RecordedConfig, readConfig } from '../shards/config.ts';
import { createHasher } from '../shards/hash.ts';
import { createServerClock, type ServerClock, sampleServerClock } from '../shards/server-clock.ts';
import { domainClock } from '../timers/domain-clock.ts';
import { followTravels, noTravels } from '../timers/travels.ts';
import { derivedId, keyedDigest } from './digest.ts';
import { fleet } from './fleet.ts';
import { type Heard, intake } from './intake.ts';
import { leftovers } from './leftovers.ts';
import { operations } from './operations.ts';
import {
  actorsOf,
  head,
  history,
  inState,
  journal,
  population,
  type ReadDoors,
  readActor,
  storedText,
} from './reads.ts';
import { records } from './records.ts';
import { travelIn } from './travelling.ts';
import { watchOver } from './watch.ts';

const SECRET_CHARS_MIN = 16;
const FLOOR_WAIT_MS = 500; // P3: a read waits this long for its floor,
const FLOOR_LOOK_MS = 20; // and looks this often.
const ASK_TIMEOUT_MS = 2_000;
const TIME_SAMPLE_MS = 10_000;

/**
 * Opens a client. Throws OperatingError: `redis-unavailable`, `durability-too-weak`, `namespace-unknown` (no worker has
 * founded it and no config was given), `config-mismatch`, `bad-setting`.
 */
export async function connect(options: ConnectOptions): Promise<Client> {
  if (options.secret.length < SECRET_CHARS_MIN) {
    throw new OperatingError('bad-setting', `the secret has at least ${SECRET_CHARS_MIN} characters`);
  }
  const clock = options.clock ?? systemClock;
  const ns = namespace(options.namespace);
  const named = { name: `emboss-client-${ns}`, clock, fit: libraryFit };
  const writer = await connectRedis('writer', options.url, named, options.connector);
  try {
    return await clientOver(options, ns, writer, clock);
  } catch (error) {
    await writer.close();
    throw error;
  }
}

async function clientOver(options: ConnectOptions, ns: Namespace, writer: Connection, clock: Clock): Promise<Client> {
  const durability = parseDurability(options.durability ?? 'memory');
  const config = await founded(options, ns, writer, durability);
  const serverClock = createServerClock(clock);
  const stopSampling = await keepTime(serverClock, at(writer, namespaceKeys(ns).members), clock);
  const now = (): number => serverClock.now();
  const domain = domainClock(config);
  const { shardOf } = await createHasher();
  const keys = Array.from({ length: config.shards }, (_, shard) => shardKeys(ns, shard));
  const names = namespaceKeys(ns);
  const batch = trustedBatch({ connection: writer, clock, durability });
  const doors: ReadDoors = {
    batch,
    shards: config.shards,
    names,
    shardKeys: keys,
    shardOf: (actor) => shardOf(actor, config.shards),
  };
  const travels = config.virtualTime
    ? followTravels({ batch, config: names.config, clock }, config.travelled)
    : noTravels;
  const openTail = (): Promise<Connection> =>
    connectRedis('tail', options.url, { name: `emboss-tail-${ns}`, clock }, options.connector);
  const journals = keys.map((one) => one.journal);
  const tails = tailsOver(openTail, journals, clock);
  const keysOf = (actor: ActorId): ShardKeys => keys[doors.shardOf(actor)] as ShardKeys;
  const isKept = durability.kind === 'replicas' ? keptOver(batch, keys) : undefined;
  const door = intake({
    ...{ batch, clock, now, keysOf, tail: tails.shared, mailbox: options.mailbox, isKept },
    inboxLost: (actor) => inboxLost(ns, doors.shardOf(actor)),
  });
  const digest = (...parts: readonly string[]): string => keyedDigest(options.secret, ns, parts);

  return {
    namespace: ns,
    shards: config.shards,
    timeScale: config.timeScale,
    durability: durabilityText(durability),
    get reached() {
      return batch.reached;
    },
    virtualTime: config.virtualTime,
    get travelledMs() {
      return travels.total;
    },
    now,
    domainNow: () => (domain.isReal ? now() : domain.at(now(), travels.total)),
    travel: (ms, by, { messageId = `travel:${clock.nonce(8)}`, waitMs = travelWaitMs } = {}) =>
      travelIn({ batch, clock, names, shards: keys }, { ms, by, messageId, waitMs }).then((outcome) => {
        if (outcome.kind !== 'key-reused') travels.atLeast(outcome.totalMs);
        return outcome;
      }),
    derive: (prefix, ...parts) => derivedId(options.secret, ns, prefix, parts),
    digest,
    shardOf: doors.shardOf,
    send: door.send,
    ask: (command, { timeoutMs = ASK_TIMEOUT_MS } = {}) => door.ask(command, timeoutMs),
    read: (actor, { floor = 0, waitMs = FLOOR_WAIT_MS } = {}) => readAbove(doors, actor, floor, waitMs, clock),
    readMany: (actors) => Promise.all(actors.map((actor) => readActor(doors, actor))),
    history: (actor, { after = 0, limit = 200 } = {}) => history(doors, actor, after, limit),
    inState: (machine, state, limit = 100, after) => inState(doors, machine, state, limit, after),
    population: (machine) => population(doors, machine),
    heard: async () => (await tails.shared()).positions(),
    watch: ({ from, signal } = {}) => tails.watch(from, signal),
    journal: (shard, after, limit) => journal(doors, shard, after, limit),
    head: (shard) => head(doors, shard),
    stored: (actor) => storedText(doors, actor),
    actorsOf: (shard) => actorsOf(doors, shard),
    ...leftovers(doors),
    ...records(batch, names),
    ...operations(doors, fleet(batch, names, clock)),
    redrive: (actor, by, id = clock.nonce(8)) => door.control(actor, 'redrive', by, `redrive:${id}`),
    discard: (actor, by, id = clock.nonce(8)) => door.control(actor, 'discard', by, `discard:${id}`),
    async ping() {
      const start = clock.monotonic();
      const there = await batch.run(command(['HGET', names.config, FOUNDED], (reply) => reply as string | null));
      if ((there ?? '') !== config.founded) throw namespaceLost(ns);
      return clock.monotonic() - start;
    },
    async close() {
      stopSampling();
      travels.close();
      await tails.close();
      await writer.close();
    },
  };
}

/** The server can be trusted with the namespace, and the namespace has been founded. */
async function founded(
  options: ConnectOptions,
  ns: Namespace,
  writer: Connection,
  durability: Durability,
): Promise<RecordedConfig> {
  await verifyServers(writer, { door: 'client', namespace: ns, durability });
  if (options.config !== undefined) return await agreeConfig(writer, ns, options.config, options.clock);
  const config = await readConfig(writer, ns);
  if (config !== undefined) return config;
  throw new OperatingError(
    'namespace-unknown',
    `namespace ${ns} has not been founded at ${writer.printable}; start a worker first`,
  );
}

/**
 * An answer is heard as soon as its entry stands in the journal, perhaps before the owner's replicas have it. Kept is what this
 * connection finds there, too, with replicas that confirm it: the same server, then, and not one that was deposed meanwhile.
 * The answers of a turn share one round trip.
 */
function keptOver(batch: TrustedBatch, keys: readonly ShardKeys[]): (entry: Heard) => Promise<boolean> {
  return async ({ shard, position, token }) => {
    const id = streamId(position);
    const { journal } = keys[shard] as ShardKeys;
    const read = command(['XRANGE', journal, id, id], (reply) => (reply as readonly StreamEntry[])[0]);
    const found = await batch.run(durable(read));
    return found !== undefined && tokenOf(found) === token;
  };
}

/** Samples the server's clock now and from time to time (T2). Returns how to stop. */
async function keepTime(serverClock: ServerClock, writer: Connection, clock: Clock): Promise<() => void> {
  await sampleServerClock(serverClock, writer, clock);
  let cancel: Cancel = () => undefined;
  let stopped = false;
  const next = (): void => {
    if (stopped) return;
    cancel = clock.after(TIME_SAMPLE_MS, () => {
      sampleServerClock(serverClock, writer, clock)
        .catch(() => undefined)
        .finally(next);
    });
  };
  next();
  return () => {
    stopped = true;
    cancel();
  };
}

/** P3: waits for the floor, and answers with what there is when it is not reached in time. */
async function readAbove(
  doors: ReadDoors,
  actor: ActorId,
  floor: number,
  waitMs: number,
  clock: Clock,
): Promise<ActorView | undefined> {
  const until = clock.monotonic() + waitMs;
  for (;;) {
    const view = await readActor(doors, actor);
    if ((view?.version ?? 0) >= floor || clock.monotonic() >= until) return view;
    await pause(clock, FLOOR_LOOK_MS);
  }
}

/** The shared tail, opened on first use, and tails of their own for watches that begin in the past. */
function tailsOver(connectTail: () => Promise<Connection>, journals: readonly string[], clock: Clock) {
  let shared: Promise<Tail> | undefined;
  const own = new Set<Promise<Tail>>();
  const open = async (from?: ReadonlyMap<number, JournalPosition>): Promise<Tail> =>
    await startTail(await connectTail(), journals, clock, from);
  return {
    shared(): Promise<Tail> {
      shared ??= open().catch((error: unknown) => {
        shared = undefined;
        throw error;
      });
      return shared;
    },
    watch(from: ReadonlyMap<number, JournalPosition> | undefined, signal: AbortSignal | undefined): Watch {
      if (from === undefined) return watchOver(this.shared(), signal, () => undefined);
      const tail = open(from);
      own.add(tail);
      return watchOver(tail, signal, () => {
        own.delete(tail);
        tail.then((started) => started.close()).catch(() => undefined);
      });
    },
    async close(): Promise<void> {
      const opening = [...own, ...(shared === undefined ? [] : [shared])];
      await Promise.all(opening.map((tail) => tail.then((started) => started.close()).catch(() => undefined)));
    },
  };
}
