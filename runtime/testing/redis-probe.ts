// One question to a Redis server without a client library: start-up polling, `emboss doctor`, tests of the supervisor.

import { connect, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { systemClock } from '../clock.ts';
import { rangesOf } from '../redis/slot-map.ts';
import { type Address, redisTarget, type Target, textOf } from '../redis/target.ts';

export type RedisReply = string | number | null | readonly RedisReply[];

/** A server that can be asked. */
export interface RedisPlace {
  /** Address for people, without secrets. */
  readonly printable: string;
  ask(command: readonly string[], timeoutMs?: number): Promise<RedisReply>;
}

const TIMEOUT_MS = 2_000;

/**
 * Sends one command on a connection of its own and resolves to its reply. `url` names one server, or sentinels, who are asked
 * for the master. Rejects after `timeoutMs`, when nobody listens, and with the server's words on an error reply.
 */
export async function askRedis(
  url: string,
  command: readonly string[],
  timeoutMs: number = TIMEOUT_MS,
): Promise<RedisReply> {
  const [place, ...others] = await mastersAt(url, timeoutMs);
  if (place === undefined || others.length > 0) throw new Error('a cluster is asked server by server');
  return await place.ask(command, timeoutMs);
}

/** Who holds the data behind a URL: one server, the master that the sentinels name, every master of a cluster. */
export async function mastersAt(url: string, timeoutMs: number = TIMEOUT_MS): Promise<readonly RedisPlace[]> {
  const target = redisTarget(url);
  switch (target.kind) {
    case 'server':
      return [placeOf(target.options, target.printable)];
    case 'sentinel': {
      const name = target.options.name ?? '';
      const [, answer] = await firstAnswer(target, ['SENTINEL', 'get-master-addr-by-name', name], timeoutMs);
      if (!Array.isArray(answer)) throw new Error(`the sentinels know no master called ${name}`);
      const [host, port] = answer.map(String);
      return [placeAt(target, { host: host ?? '', port: Number(port) })];
    }
    case 'cluster': {
      const [seed, answer] = await firstAnswer(target, ['CLUSTER', 'SLOTS'], timeoutMs);
      const owners = new Map(rangesOf(answer, seed.host).map(({ address }) => [textOf(address), address]));
      if (owners.size === 0) throw new Error('no server of the cluster holds any slot');
      return [...owners.values()].map((address) => placeAt(target, address));
    }
  }
}

/** Asks the seeds in turn: one that answers is enough. Rejects with what the last one said. */
async function firstAnswer(
  target: Target,
  command: readonly string[],
  timeoutMs: number,
): Promise<readonly [Address, RedisReply]> {
  const isSentinel = target.kind === 'sentinel';
  const { sentinelUsername, sentinelPassword, ...options } = target.options;
  // Sentinels have users of their own and no databases.
  const login = isSentinel ? { ...options, username: sentinelUsername, password: sentinelPassword, db: 0 } : options;
  let trouble: unknown;
  for (const seed of target.seeds) {
    try {
      return [seed, await askAt({ ...login, ...seed }, command, timeoutMs)];
    } catch (error) {
      trouble = error;
    }
  }
  throw trouble;
}

function placeAt({ options, printable }: Target, address: Address): RedisPlace {
  const scheme = printable.startsWith('rediss') ? 'rediss' : 'redis';
  return placeOf({ ...options, ...address }, `${scheme}://${textOf(address)}`);
}

const placeOf = (options: Login, printable: string): RedisPlace => ({
  printable,
  ask: (command, timeoutMs = TIMEOUT_MS) => askAt(options, command, timeoutMs),
});

function askAt(options: Login, command: readonly string[], timeoutMs: number): Promise<RedisReply> {
  return new Promise((resolve, reject) => {
    const { socket, login } = open(options);
    const commands = [...login, command];
    let received: Buffer = Buffer.alloc(0);
    const end = (error: Error | undefined, reply: RedisReply = null): void => {
      cancel();
      socket.destroy();
      if (error === undefined) resolve(reply);
      else reject(error);
    };
    const cancel = systemClock.after(timeoutMs, () => end(new Error(`no answer from Redis within ${timeoutMs} ms`)));
    socket.on('error', (error) => end(error));
    socket.on('close', () => end(new Error('Redis closed the connection')));
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      try {
        const replies = readReplies(received, commands.length);
        if (replies !== undefined) end(undefined, replies.at(-1));
      } catch (error) {
        end(error as Error); // readReplies throws Errors only.
      }
    });
    socket.write(commands.map(encode).join(''));
  });
}

interface Login {
  readonly path?: string | undefined;
  readonly host?: string | undefined;
  readonly port?: number | undefined;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  readonly db?: number | undefined;
  readonly tls?: ConnectionOptions | undefined;
}

function open({ path, host, port, username, password, db, tls }: Login): { socket: Socket; login: string[][] } {
  const login: string[][] = [];
  if (password !== undefined) login.push(['AUTH', ...(username === undefined ? [] : [username]), password]);
  if (db !== undefined && db > 0) login.push(['SELECT', String(db)]);
  if (path !== undefined) return { socket: connect(path), login };
  const place = { host: host ?? '127.0.0.1', port: port ?? 6379 };
  return { socket: tls === undefined ? connect(place) : connectTls({ ...tls, ...place }), login };
}

const encode = (command: readonly string[]): string =>
  `*${command.length}\r\n${command.map((part) => `$${Buffer.byteLength(part)}\r\n${part}\r\n`).join('')}`;

/** The first `count` replies, or undefined while some are still under way. An error reply is thrown. */
function readReplies(buffer: Buffer, count: number): RedisReply[] | undefined {
  const replies: RedisReply[] = [];
  let offset = 0;
  while (replies.length < count) {
    const read = readReply(buffer, offset);
    if (read === undefined) return undefined;
    replies.push(read.reply);
    offset = read.end;
  }
  return replies;
}

function readReply(buffer: Buffer, start: number): { reply: RedisReply; end: number } | undefined {
  const lineEnd = buffer.indexOf('\r\n', start);
  if (lineEnd < 0) return undefined;
  const line = buffer.toString('utf8', start + 1, lineEnd);
  const end = lineEnd + 2;
  switch (String.fromCharCode(buffer[start] ?? 0)) {
    case '+':
      return { reply: line, end };
    case ':':
      return { reply: Number(line), end };
    case '-':
      throw new Error(`Redis: ${line}`);
    case '$':
      return readBulk(buffer, end, Number(line));
    case '*':
      return readArray(buffer, end, Number(line));
    default:
      throw new Error('this is not a Redis server: its answer does not follow the protocol');
  }
}

function readBulk(buffer: Buffer, start: number, length: number): { reply: RedisReply; end: number } | undefined {
  if (length < 0) return { reply: null, end: start };
  if (buffer.length < start + length + 2) return undefined;
  return { reply: buffer.toString('utf8', start, start + length), end: start + length + 2 };
}

function readArray(buffer: Buffer, start: number, length: number): { reply: RedisReply; end: number } | undefined {
  if (length < 0) return { reply: null, end: start };
  const reply: RedisReply[] = [];
  let end = start;
  for (let index = 0; index < length; index++) {
    const read = readReply(buffer, end);
    if (read === undefined) return undefined;
    reply.push(read.reply);
    end = read.end;
  }
  return { reply, end };
}
