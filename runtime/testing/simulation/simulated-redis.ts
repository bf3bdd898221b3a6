// The client's end of a simulated connection: what the runtime uses of ioredis, over the network of the simulation.
//
// Commands, pipelines and transactions are built by ioredis itself; here begins what would be the socket. A connection keeps
// its order. When it breaks, each command under way is either executed later or lost, and nobody hears which.

import { type Command, Redis } from 'ioredis';
import type { Cancel, Clock } from '../../clock.ts';
import { functionName } from '../../functions/library.ts';
import { type Connection, connectionOver, type Profile } from '../../redis/connection.ts';
import type { Connector } from '../../redis/connector.ts';
import type { Dice } from './dice.ts';
import type { Reply } from './executor.ts';
import type { Network } from './network.ts';
import type { Scheduler } from './scheduler.ts';
import type { Session, SimulatedServer } from './server.ts';
import type { SimulatedProcess } from './simulated-process.ts';

export interface World {
  readonly scheduler: Scheduler;
  readonly network: Network;
  readonly dice: Dice;
  /** Chance that a connection breaks instead of handing on the reply to a function call. */
  lostReplies: number;
  /** Told when a process is about to send a commit: the moment at which to make it a zombie. */
  onCommit: ((process: SimulatedProcess) => void) | undefined;
  server(url: string): SimulatedServer;
}

interface Call {
  readonly command: Command;
  readonly words: readonly string[];
  arrivesAt: number;
  /** Lost on the way. */
  dropped: boolean;
}

/** As runtime/redis/connection.ts sets them for the real client, in ms. */
const SOCKET_TIMEOUT_MS: Readonly<Record<Profile, number>> = {
  writer: 5_000,
  query: 5_000,
  lock: 1_000,
  reader: 6_000,
  tail: 10_000,
};
const COMMAND_TIMEOUT_MS: Readonly<Partial<Record<Profile, number>>> = { query: 2_000, lock: 150 };
const RECONNECT_MS_FIRST = 20;
const RECONNECT_MS_MAX = 1_000;
const UNREACHABLE_MS = 1_000; // A server that does not answer at all is found out later than one that refuses.
const COMMIT = functionName('commit');
const STRAGGLE_MS_MAX = 6_000;

export class SimulatedRedis extends Redis {
  readonly #world: World;
  readonly #process: SimulatedProcess;
  readonly #server: SimulatedServer;
  readonly #profile: Profile;
  /** Sent on the present session and not answered. */
  #pending: Call[] = [];
  /** Of these, those that have not arrived. */
  #travelling: Call[] = [];
  #offline: Command[] = [];
  #session: Session | undefined;
  /** Ended by its server, which we may not have heard yet. */
  #reset: Session | undefined;
  #lastArrival = 0;
  #lastDelivery = 0;
  #failures = 0;
  #ended = false;
  #cancelSocketTimeout: Cancel | undefined;

  constructor(world: World, process: SimulatedProcess, profile: Profile, url: string) {
    super({ lazyConnect: true, enableOfflineQueue: profile === 'query', maxRetriesPerRequest: 0 });
    this.#world = world;
    this.#process = process;
    this.#server = world.server(url);
    this.#profile = profile;
    process.onEnd(() => this.#abandon(world.dice.chance(0.8)));
  }

  get address(): string {
    return this.#server.name;
  }

  override connect(): Promise<void> {
    this.status = 'connecting';
    this.#attempt(this.#delay() + this.#delay());
    return Promise.resolve();
  }

  override disconnect(): void {
    this.#ended = true;
    this.#break('Connection is closed.');
    this.status = 'end';
    for (const command of this.#offline.splice(0)) command.reject(new Error('Connection is closed.'));
  }

  override sendCommand(command: Command): unknown {
    if (this.#process.state === 'ended') return command.promise; // Never settled: nobody lives to hear of it.
    if (this.status !== 'ready' || this.stream.destroyed) {
      if (this.#profile === 'query' && !this.#ended) this.#offline.push(command);
      else command.reject(new Error("Stream isn't writeable and enableOfflineQueue options is false"));
      return command.promise;
    }
    this.#send(command);
    return command.promise;
  }

  /** The connection breaks: by the network, or by the server. */
  breakNow(): void {
    if (this.#session !== undefined) this.#break('read ECONNRESET');
  }

  #delay(): number {
    return this.#world.network.delay();
  }

  #attempt(afterMs: number): void {
    const { scheduler, network } = this.#world;
    scheduler.schedule(
      scheduler.now + afterMs,
      this.#process,
      `connects ${this.#profile} to ${this.#server.name}`,
      () => {
        if (this.#ended || this.status === 'ready') return;
        const cut = network.isCut(this.#process.name, this.#server.name);
        if (this.#server.up && !cut) return this.#ready();
        this.#failures += 1;
        const ceiling = Math.min(RECONNECT_MS_MAX, RECONNECT_MS_FIRST * 2 ** Math.min(this.#failures - 1, 10));
        this.emit('error', new Error(cut ? 'connect ETIMEDOUT' : 'connect ECONNREFUSED'));
        this.#attempt((cut ? UNREACHABLE_MS : 0) + ceiling * (0.5 + this.#process.clock.random() / 2));
      },
      false,
    );
  }

  #ready(): void {
    this.#failures = 0;
    this.#pending = [];
    this.#travelling = [];
    this.#lastArrival = 0;
    this.#lastDelivery = 0;
    this.#session = this.#server.open((id) => this.#sessionOf(id));
    const socket = { destroyed: false, destroy: () => this.#destroy(socket) };
    this.stream = socket as unknown as Redis['stream']; // Of the socket, the runtime uses these two.
    this.status = 'ready';
    this.emit('ready');
    for (const command of this.#offline.splice(0)) this.#send(command);
  }

  /** The server's end of this very connection: a later one has another. */
  #sessionOf(id: number): Session {
    const calls = this.#pending;
    const session: Session = {
      id,
      process: this.#process.name,
      answer: (arrival, reply) => this.#deliver(session, calls, arrival as Call, reply),
      broken: () => {
        // What had not been executed is lost with the server's socket, and so are replies under way: a reset discards them.
        for (const call of calls) call.dropped = true;
        this.#reset = session;
        const { scheduler } = this.#world;
        scheduler.schedule(
          scheduler.now + Math.min(this.#delay(), 50),
          this.#process,
          'hears that its server is gone',
          () => {
            if (this.#session === session) this.#break('read ECONNRESET');
          },
          false,
        );
      },
      unblocked: () => this.#arriveLater(session, this.#world.scheduler.now),
    };
    return session;
  }

  #destroy(socket: { destroyed: boolean }): void {
    if (socket.destroyed) return;
    socket.destroyed = true;
    const { scheduler } = this.#world;
    const session = this.#session;
    scheduler.schedule(
      scheduler.now + 0.01,
      this.#process,
      `closes ${this.#profile}`,
      () => {
        if (session !== undefined && this.#session === session) this.#break('Connection is closed.');
      },
      false,
    );
  }

  /** The client's side of a broken connection: everything unanswered is unknown, and a new connection is begun. */
  #break(why: string): void {
    const session = this.#session;
    if (session === undefined) return;
    this.#session = undefined;
    this.#cancelSocketTimeout?.();
    this.#cancelSocketTimeout = undefined;
    this.#leave(session, true);
    const unanswered = this.#pending;
    this.#pending = [];
    if (this.stream !== undefined) (this.stream as { destroyed: boolean }).destroyed = true;
    this.status = this.#ended ? 'end' : 'reconnecting';
    for (const { command } of unanswered) command.reject(new Error(why));
    if (!this.#ended) this.#attempt(RECONNECT_MS_FIRST * (0.5 + this.#process.clock.random() / 2));
  }

  /** The process ended. `heard`: the server learns of it, as when a process dies; else its machine died, and it does not. */
  #abandon(heard: boolean): void {
    this.#ended = true;
    const session = this.#session;
    this.#session = undefined;
    if (session !== undefined) this.#leave(session, heard);
  }

  /** What is on the way arrives up to somewhere, now or late; then the server's end closes. */
  #leave(session: Session, heard: boolean): void {
    const { dice, scheduler } = this.#world;
    const travelling = this.#travelling.filter((call) => !call.dropped);
    const surviving = dice.whole(0, travelling.length);
    for (const call of travelling.slice(surviving)) call.dropped = true;
    const late = surviving > 0 && dice.chance(0.3) ? dice.between(0, STRAGGLE_MS_MAX) : 0;
    let last = scheduler.now;
    for (const call of travelling.slice(0, surviving)) {
      call.arrivesAt = Math.max(call.arrivesAt, scheduler.now + late);
      last = Math.max(last, call.arrivesAt);
      this.#arriveLater(session, call.arrivesAt);
    }
    if (heard) this.#closeLater(session, last + this.#delay());
  }

  #closeLater(session: Session, at: number): void {
    const { scheduler, network } = this.#world;
    const [process, server] = [this.#process.name, this.#server];
    scheduler.schedule(
      at,
      server,
      `hears that ${process} closed ${this.#profile}`,
      () => {
        if (network.isCut(process, server.name)) {
          network.whenHealed(process, server.name, () => this.#closeLater(session, scheduler.now + this.#delay()));
          return;
        }
        server.close(session);
      },
      false,
    );
  }

  #send(command: Command): void {
    const words = [command.name, ...(command.args as readonly string[])];
    const call: Call = { command, words, arrivesAt: 0, dropped: false };
    const session = this.#session as Session;
    this.#pending.push(call);
    const { clock } = this.#process;
    const commandMs = COMMAND_TIMEOUT_MS[this.#profile];
    if (commandMs !== undefined) this.#timeCommand(command, commandMs, clock);
    if (this.#cancelSocketTimeout === undefined) this.#timeSocket();
    if (words[1] === COMMIT) this.#world.onCommit?.(this.#process);
    this.#process.emit(() => {
      if (this.#session === session) this.#depart(session, call);
    });
  }

  #depart(session: Session, call: Call): void {
    const { scheduler } = this.#world;
    // Written in one go, it arrives in one packet; else it takes its own time, behind what was sent before.
    const previous = this.#travelling.at(-1);
    const together = call.command.inTransaction || call.command.name === 'exec' || this.#world.dice.chance(0.85);
    const alike = previous !== undefined && previous.arrivesAt === this.#lastArrival && together;
    call.arrivesAt = alike ? this.#lastArrival : Math.max(this.#lastArrival, scheduler.now + this.#delay());
    this.#lastArrival = call.arrivesAt;
    this.#travelling.push(call);
    if (!alike) this.#arriveLater(session, call.arrivesAt);
  }

  #timeCommand(command: Command, ms: number, clock: Clock): void {
    const cancel = clock.after(ms, () => command.reject(new Error('Command timed out')));
    (command.promise as Promise<unknown>).then(cancel, cancel);
  }

  /** As the client's socketTimeout: nothing heard for so long while something is asked. */
  #timeSocket(): void {
    const { stream } = this;
    this.#cancelSocketTimeout = this.#process.clock.after(SOCKET_TIMEOUT_MS[this.#profile], () => {
      this.#cancelSocketTimeout = undefined;
      if (this.#pending.length > 0) stream.destroy();
    });
  }

  #arriveLater(session: Session, at: number): void {
    const travelling = this.#travelling;
    const head = travelling.find((call) => !call.dropped);
    if (head === undefined) return;
    const what = `executes ${head.words[0]} ${head.words[1]} of ${this.#process.name}`;
    this.#world.scheduler.schedule(at, this.#server, what, () => this.#arrive(session, travelling));
  }

  /** Executes what has arrived by now, in order. */
  async #arrive(session: Session, travelling: Call[]): Promise<void> {
    const { scheduler, network } = this.#world;
    const server = this.#server;
    while (travelling[0]?.dropped) travelling.shift();
    const head = travelling[0];
    if (head === undefined || head.arrivesAt > scheduler.now || !server.isOpen(session) || server.isBlocked(session))
      return;
    if (network.isCut(this.#process.name, server.name)) {
      network.whenHealed(this.#process.name, server.name, () => {
        const at = scheduler.now + this.#delay();
        for (const call of travelling) call.arrivesAt = Math.max(call.arrivesAt, at);
        this.#lastArrival = Math.max(this.#lastArrival, at);
        this.#arriveLater(session, at);
      });
      return;
    }
    const count = travelling.findIndex((call) => call.arrivesAt > scheduler.now || call.dropped);
    const arrived = travelling.slice(0, count < 0 ? travelling.length : count);
    const begun = unfinished(arrived);
    // A transaction whose end is lost is forgotten by the server together with the connection.
    for (const call of arrived.slice(begun)) call.dropped = true;
    travelling.splice(0, await server.execute(session, arrived.slice(0, begun)));
  }

  /** The reply travels back; it is lost when the connection breaks before it arrives. */
  #deliver(session: Session, calls: readonly Call[], call: Call, reply: Reply): void {
    const { scheduler } = this.#world;
    if (this.#session !== session || !calls.includes(call)) return;
    const at = Math.max(this.#lastDelivery, scheduler.now + this.#delay());
    this.#lastDelivery = at;
    this.#handOn(session, call, reply, at);
  }

  #handOn(session: Session, call: Call, reply: Reply, at: number): void {
    const { scheduler, network, dice } = this.#world;
    scheduler.schedule(
      at,
      this.#process,
      `hears of ${call.words[0]} ${call.words[1]}`,
      () => {
        if (this.#session !== session || this.#reset === session) return;
        if (network.isCut(this.#process.name, this.#server.name)) {
          network.whenHealed(this.#process.name, this.#server.name, () =>
            this.#handOn(session, call, reply, scheduler.now + 0.2),
          );
          return;
        }
        if (call.words[0] === 'FCALL' && this.#world.lostReplies > 0 && dice.chance(this.#world.lostReplies))
          return this.#break('read ECONNRESET');
        this.#hear(call, reply);
      },
      false,
    );
  }

  #hear(call: Call, reply: Reply): void {
    const place = this.#pending.indexOf(call);
    if (place >= 0) this.#pending.splice(place, 1);
    this.#cancelSocketTimeout?.();
    this.#cancelSocketTimeout = undefined;
    if (this.#pending.length > 0) this.#timeSocket();
    if (reply instanceof Error) call.command.reject(reply);
    else call.command.resolve(reply as never); // Raw, as from the socket: ioredis makes of it what it makes of any reply.
  }
}

/** Where a transaction begins that does not end among these; their number when there is none. */
function unfinished(calls: readonly Call[]): number {
  const begin = calls.findLastIndex(({ words }) => words[0] === 'multi');
  const isWhole = begin < 0 || calls.slice(begin).some(({ words }) => words[0] === 'exec');
  return isWhole ? calls.length : begin;
}

/** Connections of one process. `made` is told of each, for faults to choose among. */
export function simulatedConnector(
  world: World,
  process: SimulatedProcess,
  made: (redis: SimulatedRedis) => void,
): Connector {
  return {
    open(profile, url, options): Connection {
      const redis = new SimulatedRedis(world, process, profile, url);
      made(redis);
      const connection = connectionOver(redis, profile, url, options, options.clock ?? process.clock);
      redis.connect().catch(() => undefined);
      return connection;
    },
  };
}
