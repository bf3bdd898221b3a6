// A simulated Redis server: one real server behind it does what commands do; everything that hangs on time, on connections or
// on the life of the server process is answered here.
//
//   - TIME is virtual, also inside functions; TTLs end at their virtual time.
//   - a blocking XREAD becomes a read that is repeated when its streams are written, or ends at its virtual time.
//   - CLIENT ID, LIST and UNBLOCK, INFO and CONFIG speak of simulated connections and of a simulated server.
//   - a restart is a new run_id, no connections, no scripts; a lost tail is an earlier copy of all keys.

import { createHash } from 'node:crypto';
import type { Cancel } from '../../clock.ts';
import { libraryName } from '../../functions/library.ts';
import type { Dice } from './dice.ts';
import type { Executor, Reply, Word } from './executor.ts';
import { NOW_KEY } from './library.ts';
import type { Scheduler, Subject } from './scheduler.ts';
import { EPOCH_MS } from './simulated-process.ts';

/** One command on its way, as the server sees it. */
export interface Arrival {
  readonly words: readonly string[];
}

/** The server's end of a connection. */
export interface Session {
  readonly id: number;
  readonly process: string;
  /** Takes the reply to the oldest unanswered command. */
  answer(arrival: Arrival, reply: Reply): void;
  /** The server is gone. */
  broken(): void;
  /** Its blocked read has ended: what was sent after it may be executed. */
  unblocked(): void;
}

interface Blocked {
  readonly session: Session;
  readonly arrival: Arrival;
  readonly words: readonly Word[];
  readonly keys: readonly string[];
  readonly cancel: Cancel;
}

interface Expiry {
  readonly at: number;
  readonly cancel: Cancel;
}

/** All keys of a server as they were. */
export interface ServerCopy {
  readonly at: number;
  readonly values: ReadonlyMap<string, string>;
  readonly expiries: ReadonlyMap<string, number>;
}

interface Planned {
  readonly session: Session;
  readonly arrival: Arrival;
  /** Place of its reply on the wire, or the reply itself. */
  readonly place: number;
  readonly local: Reply;
  /** A read that waits when it finds nothing. */
  readonly blockMs: number | undefined;
  /** Set where the command, if it succeeds, gives its key a time to live. */
  readonly expires: { readonly key: string; readonly ms: number; readonly good: Reply } | undefined;
}

const CONFIG = ['maxmemory-policy', 'noeviction', 'appendonly', 'yes', 'appendfsync', 'everysec'];
const CONFIG_REST = ['no-appendfsync-on-rewrite', 'no'];

export class SimulatedServer implements Subject {
  readonly name: string;
  readonly state = 'running';
  up = true;
  /** How often a function answered which word. */
  readonly heard = new Map<string, number>();
  #runId: string;
  readonly #scheduler: Scheduler;
  readonly #executor: Executor;
  readonly #dice: Dice;
  readonly #owns: (key: string) => boolean;
  readonly #sessions = new Map<number, Session>();
  readonly #blocked = new Map<number, Blocked>();
  readonly #expiries = new Map<string, Expiry>();
  /** Scripts by digest, as this server has them cached. */
  readonly #scripts = new Map<string, string>();
  #nextId = 1;

  /** `owns` says which keys of the real server are this one's. */
  constructor(name: string, scheduler: Scheduler, executor: Executor, dice: Dice, owns: (key: string) => boolean) {
    this.name = name;
    this.#scheduler = scheduler;
    this.#executor = executor;
    this.#dice = dice;
    this.#owns = owns;
    this.#runId = dice.hex(20);
  }

  keep(): void {
    throw new Error('a server does not freeze; hold its messages instead');
  }

  open(make: (id: number) => Session): Session {
    const session = make(this.#nextId++);
    this.#sessions.set(session.id, session);
    return session;
  }

  close({ id }: Session): void {
    this.#sessions.delete(id);
    this.#blocked.get(id)?.cancel();
    this.#blocked.delete(id);
  }

  isOpen({ id }: Session): boolean {
    return this.#sessions.has(id);
  }

  isBlocked({ id }: Session): boolean {
    return this.#blocked.has(id);
  }

  /** Executes what has arrived on one connection, up to a read that blocks. Returns how many it took. */
  async execute(session: Session, arrivals: readonly Arrival[]): Promise<number> {
    const wire: Word[][] = [];
    const planned: Planned[] = [];
    for (const arrival of arrivals) {
      const one = this.#plan(session, arrival, wire);
      planned.push(one);
      if (one.blockMs !== undefined) break;
    }
    this.#pollBlocked(planned, wire);
    await this.#run(wire, planned);
    return planned.filter((one) => one.session === session).length;
  }

  /** A restart: all connections end. With a copy the server comes back with what it held then. It is up again by `rise`. */
  async fall(copy?: ServerCopy): Promise<void> {
    this.up = false;
    this.#runId = this.#dice.hex(20);
    const sessions = [...this.#sessions.values()];
    for (const session of sessions) this.close(session);
    for (const session of sessions) session.broken();
    this.#scripts.clear();
    if (copy !== undefined) await this.#restore(copy);
  }

  rise(): void {
    this.up = true;
  }

  async copy(): Promise<ServerCopy> {
    const keys = await this.#keys();
    const { replies } = await this.#executor.run(
      keys.map((key) => ['DUMP', key]),
      'latin1',
    );
    const values = new Map(keys.map((key, index) => [key, replies[index] as string]));
    const expiries = new Map([...this.#expiries].map(([key, { at }]) => [key, at]));
    return { at: this.#scheduler.now, values, expiries };
  }

  async #restore({ values, expiries }: ServerCopy): Promise<void> {
    for (const { cancel } of this.#expiries.values()) cancel();
    this.#expiries.clear();
    const keys = await this.#keys();
    const deletions: Word[][] = keys.length === 0 ? [] : [['DEL', ...keys]];
    const restorations = [...values].map(([key, bytes]): Word[] => ['RESTORE', key, 0, bytes]);
    const { replies } = await this.#executor.run([...deletions, ...restorations], 'latin1');
    for (const reply of replies) if (reply instanceof Error) throw reply;
    for (const [key, at] of expiries) this.#expire(key, at);
  }

  async #keys(): Promise<readonly string[]> {
    const keys = (await this.#executor.ask('KEYS', '*')) as readonly string[];
    return keys.filter((key) => key !== NOW_KEY && this.#owns(key)).sort();
  }

  /** Removes a key, as an operator or an eviction would. */
  async remove(key: string): Promise<void> {
    await this.#executor.ask('DEL', key);
    this.#forget(key);
  }

  #forget(key: string): void {
    this.#expiries.get(key)?.cancel();
    this.#expiries.delete(key);
  }

  #expire(key: string, at: number): void {
    this.#forget(key);
    const cancel = this.#scheduler.schedule(
      at,
      this,
      `expires ${key}`,
      async () => {
        this.#expiries.delete(key);
        await this.#executor.ask('DEL', key);
      },
      false,
    );
    this.#expiries.set(key, { at, cancel });
  }

  async #run(wire: readonly (readonly Word[])[], planned: readonly Planned[]): Promise<void> {
    const now = Math.floor(EPOCH_MS + this.#scheduler.now);
    const { replies, bytes } = await this.#executor.run(wire.length === 0 ? [] : [['SET', NOW_KEY, now], ...wire]);
    this.#scheduler.note(bytes);
    for (const one of planned) {
      const reply = one.place < 0 ? one.local : (replies[one.place + 1] as Reply);
      this.#hear(one.arrival, reply);
      if (one.expires !== undefined && reply === one.expires.good)
        this.#expire(one.expires.key, this.#scheduler.now + one.expires.ms);
      if (one.blockMs === undefined) this.#answer(one, reply);
      else if (reply !== null) this.#answer(one, reply);
      else if (!this.#blocked.has(one.session.id)) this.#block(one, one.blockMs, wire[one.place] as readonly Word[]);
    }
  }

  /** What functions answered, by word: a sweep shows by it which paths its runs took. */
  #hear({ words: [name, what = ''] }: Arrival, reply: Reply): void {
    if (name !== 'FCALL') return;
    const text = String(Array.isArray(reply) ? reply[0] : reply);
    for (const word of text.match(/[A-Z]{2,}/g) ?? []) {
      const answer = `${what.slice(libraryName.length + 1)} ${word}`;
      this.heard.set(answer, (this.heard.get(answer) ?? 0) + 1);
    }
  }

  #answer({ session, arrival }: Planned, reply: Reply): void {
    const blocked = this.#blocked.get(session.id);
    if (blocked?.arrival === arrival) {
      blocked.cancel();
      this.#blocked.delete(session.id);
      session.answer(arrival, reply);
      session.unblocked();
    } else session.answer(arrival, reply);
  }

  #block({ session, arrival }: Planned, ms: number, words: readonly Word[]): void {
    const cancel = this.#scheduler.schedule(
      this.#scheduler.now + ms,
      this,
      `block of ${session.process} ends`,
      () => {
        this.#endBlock(session.id);
      },
      false,
    );
    this.#blocked.set(session.id, { session, arrival, words, keys: streamsOf(words), cancel });
  }

  /** True when there was one to end. */
  #endBlock(id: number): boolean {
    const blocked = this.#blocked.get(id);
    if (blocked === undefined) return false;
    blocked.cancel();
    this.#blocked.delete(id);
    blocked.session.answer(blocked.arrival, null);
    blocked.session.unblocked();
    return true;
  }

  /** Reads that wait are repeated in the same breath as the command that wrote one of their streams. */
  #pollBlocked(planned: Planned[], wire: Word[][]): void {
    if (this.#blocked.size === 0) return;
    const touched = new Set(wire.flatMap(functionKeys));
    for (const { session, arrival, words, keys } of [...this.#blocked.values()]) {
      if (!keys.some((key) => touched.has(key))) continue;
      wire.push([...words]);
      planned.push({ session, arrival, place: wire.length - 1, local: null, blockMs: 0, expires: undefined });
    }
  }

  #plan(session: Session, arrival: Arrival, wire: Word[][]): Planned {
    this.#scheduler.note(arrival.words.join(' '));
    const local = this.#local(session, arrival.words);
    const common = { session, arrival, blockMs: undefined, expires: undefined };
    if (local !== undefined) return { ...common, place: -1, local };
    const [name = '', ...args] = arrival.words;
    switch (name.toUpperCase()) {
      case 'XREAD': {
        const block = args.indexOf('BLOCK');
        if (block < 0) break;
        wire.push([name, ...args.slice(0, block), ...args.slice(block + 2)]);
        return { ...common, place: wire.length - 1, local: null, blockMs: Number(args[block + 1]) };
      }
      case 'EVAL':
      case 'EVALSHA':
        return this.#planScript(common, name.toUpperCase(), args, wire);
      case 'SET': {
        const at = args.indexOf('PX');
        if (at < 0) break;
        wire.push([name, ...args.slice(0, at), ...args.slice(at + 2)]);
        const expires = { key: args[0] as string, ms: Number(args[at + 1]), good: 'OK' };
        return { ...common, place: wire.length - 1, local: null, expires };
      }
    }
    wire.push([...arrival.words]);
    return { ...common, place: wire.length - 1, local: null };
  }

  /** A script that leases a key: the lease ends by virtual time, so the real one is taken off at once. */
  #planScript(
    common: Pick<Planned, 'session' | 'arrival' | 'blockMs'>,
    name: string,
    args: readonly string[],
    wire: Word[][],
  ): Planned {
    const [given = '', count = '0', key = ''] = args;
    const digest = name === 'EVAL' ? createHash('sha1').update(given).digest('hex') : given;
    const script = name === 'EVAL' ? given : this.#scripts.get(digest);
    if (script === undefined)
      return { ...common, place: -1, local: replyError('NOSCRIPT No matching script.'), expires: undefined };
    this.#scripts.set(digest, script);
    // The cache of the real server is shared and outlives this one.
    wire.push(['EVAL', script, ...args.slice(1)]);
    const place = wire.length - 1;
    if (!/["']PX["']/.test(script)) return { ...common, place, local: null, expires: undefined };
    wire.push(...args.slice(2, 2 + Number(count)).map((leased): Word[] => ['PERSIST', leased]));
    return { ...common, place, local: null, expires: { key, ms: Number(args.at(-1)), good: 1 } };
  }

  /** What is answered without the real server; undefined for all else. */
  #local(session: Session, [name = '', first = '', ...rest]: readonly string[]): Reply | undefined {
    switch (name.toUpperCase()) {
      case 'INFO':
        return `redis_version:7.0.15\r\nrun_id:${this.#runId}\r\nrole:master\r\nmaster_replid:${this.#runId}\r\n`;
      case 'TIME': {
        const micros = Math.floor((EPOCH_MS + this.#scheduler.now) * 1_000);
        return [String(Math.floor(micros / 1e6)), String(micros % 1e6)];
      }
      case 'CONFIG':
        return [...CONFIG, ...CONFIG_REST];
      case 'FUNCTION': // The library is there, with a clock of ours: see library.ts.
        return replyError(`ERR Library '${libraryName}' already exists`);
      case 'CLIENT':
        if (first.toUpperCase() === 'ID') return session.id;
        if (first.toUpperCase() === 'UNBLOCK') return this.#endBlock(Number(rest[0])) ? 1 : 0;
        return rest.flatMap((id) => (this.#sessions.has(Number(id)) ? [`id=${id} addr=simulated\n`] : [])).join('');
      default:
        return undefined;
    }
  }
}

function replyError(text: string): Error {
  const error = new Error(text);
  error.name = 'ReplyError';
  return error;
}

/** Keys of a function call: what it may have written. */
function functionKeys([name, , count, ...rest]: readonly Word[]): readonly string[] {
  return name === 'FCALL' ? rest.slice(0, Number(count)).map(String) : [];
}

function streamsOf(words: readonly Word[]): readonly string[] {
  const from = words.indexOf('STREAMS') + 1;
  return words.slice(from, from + (words.length - from) / 2).map(String);
}
