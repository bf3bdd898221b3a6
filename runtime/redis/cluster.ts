// A connection to a Redis Cluster: one ordinary connection per master, and a map that says whose turn it is.
//
// ioredis' own Cluster is not used. It sends a command again whose connection closed while it was under way, which may execute
// it twice, and a pipeline again as a whole when one of its replies says MOVED. Here every server is a Connection as elsewhere, so
// that a lost reply is OutcomeUnknown (C3), and only what a server *refused* to execute is made again: MOVED, ASK, TRYAGAIN.
//
// Blocking reads and calls bound to one slot have sockets of their own (`apart`) and share the map.

import { type Clock, pause, systemClock } from '../clock.ts';
import { OperatingError } from '../errors.ts';
import { ClusterMap, type Informant, troubleWords } from './cluster-map.ts';
import { type Connection, type ConnectOptions, callDeadlineOf, openServer, type Profile } from './connection.ts';
import { notConnected } from './failure.ts';
import { Nodes } from './nodes.ts';
import { redirectionOf } from './redirection.ts';
import { slotOf } from './slot.ts';
import type { Changed } from './slot-map.ts';
import { type Address, type Target, textOf } from './target.ts';

const LOOK_MS = 10; // How often is looked whether a server has become ready.
const AGAIN_MS = 25; // Pause before a call is made again that a slot on its way could not serve.
const HOPS_AT_ONCE = 3; // Two servers that send a call to each other are behind: from then on with a pause.
const FOLLOW_MS = 1_000; // A server that we are sent to, and that is new to us, is connected within this.
const REMADE_WITHIN_MS = 5_000;

/** Begins to connect to the seeds and goes on trying until closed. */
export function openCluster(profile: Profile, target: Target, options: ConnectOptions): Connection {
  return new Fleet({ profile, target, options, clock: options.clock ?? systemClock }).connection();
}

interface Facts {
  readonly profile: Profile;
  readonly target: Target;
  readonly options: ConnectOptions;
  readonly clock: Clock;
}

/** Where a call goes, and what it comes back with. */
interface Place {
  readonly server: Connection;
  readonly asking: boolean;
}

/** The sockets of one connection: to every master, or, apart, to the one that holds `slot`. */
class Fleet {
  readonly #facts: Facts;
  readonly #nodes: Nodes;
  readonly #map: ClusterMap;
  readonly #slot: number | undefined;
  readonly #listeners = new Set<(generation: number) => void>();
  readonly #doubters = new Set<(concerned: (key: string) => boolean) => void>();
  readonly #stopListening: () => void;
  #owner = '';
  #generation = 1;
  #closed = false;

  constructor(facts: Facts, shared?: { readonly map: ClusterMap; readonly slot: number }) {
    const { target, profile, options, clock } = facts;
    this.#facts = facts;
    this.#slot = shared?.slot;
    const open = (address: Address): Connection =>
      openServer(
        profile,
        { options: { ...target.options, ...address }, printable: `${target.printable} (${textOf(address)})` },
        options,
      );
    this.#map =
      shared?.map ??
      new ClusterMap(
        clock,
        () => this.#informants(),
        () => !this.#isWhole(),
      );
    this.#nodes = new Nodes(clock, open, {
      ready: (at, again) => this.#ready(at, again),
      gone: () => this.#map.lookSoon(),
    });
    this.#stopListening = this.#map.onChange((changed) => {
      this.#doubt(changed);
      this.#remapped();
    });
    if (shared === undefined) this.#map.start();
    else this.#remapped();
  }

  connection(): Connection {
    return this.#view(this.#slot);
  }

  /** Seeds are asked where no server of the map answers: at the start, and after everything has moved. */
  #informants(): readonly Informant[] {
    if (this.#closed) return [];
    this.#nodes.keep(this.#wanted());
    const answering = this.#nodes.answering();
    if (answering.length > 0) return answering;
    return this.#facts.target.seeds.map((seed) => ({ connection: this.#nodes.to(seed), host: seed.host }));
  }

  #wanted(): readonly Address[] {
    if (this.#slot === undefined) return this.#map.servers();
    const owner = this.#map.ownerOf(this.#slot);
    return owner === undefined ? [] : [owner];
  }

  /** Connects to who is new in the map. Apart, only the owner of the slot is news. */
  #remapped(): void {
    if (this.#closed) return;
    const wanted = this.#wanted();
    for (const address of wanted) this.#nodes.to(address);
    this.#nodes.keep(wanted);
    const owner = wanted.map(textOf).join();
    if (this.#slot !== undefined && owner === this.#owner) return;
    this.#owner = owner;
    this.#changed();
  }

  #ready(address: Address, again: boolean): void {
    const text = textOf(address);
    if (again) this.#doubt((slot) => textOf(this.#map.ownerOf(slot) ?? address) === text);
    this.#changed();
  }

  #doubt(concerned: Changed): void {
    for (const listener of this.#doubters) listener((key) => concerned(slotOf(key)));
  }

  #changed(): void {
    this.#generation += 1;
    for (const listener of this.#listeners) listener(this.#generation);
  }

  #isWhole(): boolean {
    const servers = this.#servers();
    return this.#map.isComplete && servers.every(({ ready }) => ready);
  }

  #servers(): readonly Connection[] {
    return this.#closed ? [] : this.#wanted().map((address) => this.#nodes.to(address));
  }

  #serverOf(slot: number): Connection | undefined {
    const owner = this.#closed ? undefined : this.#map.ownerOf(slot);
    return owner === undefined ? undefined : this.#nodes.to(owner);
  }

  /** Without a slot: whoever answers. */
  #server(slot: number | undefined): Connection | undefined {
    if (slot !== undefined) return this.#serverOf(slot);
    const servers = this.#servers();
    return servers.find(({ ready }) => ready) ?? servers[0];
  }

  async #untilReady(slot: number | undefined, ms: number): Promise<void> {
    const { clock, target } = this.#facts;
    const isReady = (): boolean => (slot === undefined ? this.#isWhole() : this.#serverOf(slot)?.ready === true);
    const deadline = clock.monotonic() + ms;
    while (!isReady() && !this.#closed && clock.monotonic() < deadline) {
      await this.#unlessDenied();
      await pause(clock, LOOK_MS);
    }
    if (isReady()) return;
    const words =
      this.#map.trouble === undefined && this.#map.isComplete
        ? 'not every master answers'
        : troubleWords(this.#map.trouble);
    throw new OperatingError('redis-unavailable', `no usable Redis Cluster at ${target.printable}: ${words}`, {
      retry: 'here',
      cause: this.#map.trouble,
    });
  }

  /** A password that is refused will not be accepted later. */
  async #unlessDenied(): Promise<void> {
    const all = [...this.#servers(), ...this.#informants().map(({ connection }) => connection)];
    for (const server of all) {
      const denied = server.ready ? undefined : await server.untilReady(0).then(noError, (error: unknown) => error);
      if (denied instanceof OperatingError && denied.code === 'redis-denied') throw denied;
    }
  }

  /** Undefined when nobody is sent elsewhere by this error. */
  #follow(error: unknown, slot: number, hop: number): Promise<Place> | undefined {
    const asked = this.#map.ownerOf(slot)?.host ?? '';
    const redirection = redirectionOf(error, asked);
    if (redirection === undefined) return undefined;
    if (redirection.kind === 'moved') this.#map.moved(redirection.slot, redirection.address);
    return this.#arrive(redirection.kind === 'ask' ? redirection.address : undefined, slot, {
      waits: redirection.kind === 'again' || hop >= HOPS_AT_ONCE,
    });
  }

  async #arrive(address: Address | undefined, slot: number, { waits }: { readonly waits: boolean }): Promise<Place> {
    const { clock } = this.#facts;
    if (waits) await pause(clock, AGAIN_MS);
    const server = address === undefined || this.#closed ? this.#serverOf(slot) : this.#nodes.to(address);
    if (server === undefined) throw notConnected('a call to a slot that nobody holds');
    if (!server.ready) await server.untilReady(FOLLOW_MS);
    return { server, asking: address !== undefined };
  }

  /** Makes the call where the map says, and where the servers send it. */
  async #routed<T>(slot: number | undefined, what: string, ms: number, make: (place: Place) => Promise<T>): Promise<T> {
    const { clock, profile } = this.#facts;
    const deadline = clock.monotonic() + ms;
    if (profile === 'query') await this.#untilReady(slot, ms).catch(() => undefined); // As a query waits elsewhere.
    let server = this.#server(slot);
    let asking = false;
    for (let hop = 1; ; hop += 1) {
      if (server === undefined) throw notConnected(what);
      try {
        return await make({ server, asking });
      } catch (error) {
        if (!server.ready) this.#map.lookSoon();
        const next = slot === undefined || clock.monotonic() >= deadline ? undefined : this.#follow(error, slot, hop);
        if (next === undefined) throw error;
        ({ server, asking } = await next);
      }
    }
  }

  #view(slot: number | undefined): Connection {
    const { profile, target, options } = this.#facts;
    const fleet = this;
    const deadlineMs = callDeadlineOf(profile, options);
    return {
      get redis() {
        const server = fleet.#server(slot);
        if (server === undefined) throw notConnected('a call to a cluster');
        return server.redis;
      },
      profile,
      printable: target.printable,
      user: target.options.username ?? 'default',
      fit: options.fit,
      get generation() {
        return fleet.#generation;
      },
      get ready() {
        return fleet.#server(slot)?.ready === true;
      },
      untilReady: (ms) => fleet.#untilReady(slot, ms),
      onReady(listener) {
        fleet.#listeners.add(listener);
        return () => fleet.#listeners.delete(listener);
      },
      call: (what, run, ms = deadlineMs) =>
        fleet.#routed(slot, what, ms, ({ server, asking }) => server.call(what, asking ? asked(run) : run, ms)),
      async block(what, blockMs, run) {
        await fleet.#untilReady(slot, blockMs).catch(() => undefined); // Waiting is what it is there for.
        return await fleet.#routed(slot, what, blockMs, ({ server, asking }) =>
          server.block(what, blockMs, asking ? asked(run) : run),
        );
      },
      async remake() {
        await fleet
          .#server(slot)
          ?.remake()
          .catch(() => undefined); // Its successor will do.
        await fleet.#untilReady(slot, REMADE_WITHIN_MS);
      },
      // What hangs on the sockets of another is not closed with it.
      close: () => (slot === fleet.#slot ? fleet.#close() : Promise.resolve()),
      cluster: {
        at: (key) => fleet.#view(slotOf(key)),
        apart: (key) => new Fleet(fleet.#facts, { map: fleet.#map, slot: slotOf(key) }).connection(),
        serverOf: (key) => fleet.#serverOf(slotOf(key)),
        servers: () => fleet.#servers(),
        onDoubt(listener) {
          fleet.#doubters.add(listener);
          return () => fleet.#doubters.delete(listener);
        },
        follow: (error, key, hop) => fleet.#follow(error, slotOf(key), hop),
      },
    };
  }

  async #close(): Promise<void> {
    this.#closed = true;
    this.#stopListening();
    this.#listeners.clear();
    this.#doubters.clear();
    if (this.#slot === undefined) this.#map.close();
    await this.#nodes.close();
  }
}

const noError = (): undefined => undefined;

/** ASKING holds for the very next command of its connection. */
const asked =
  <T>(run: (redis: Connection['redis']) => Promise<T>) =>
  (redis: Connection['redis']): Promise<T> => {
    redis.asking().catch(() => undefined);
    return run(redis);
  };
