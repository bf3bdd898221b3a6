// One question to a Redis server without a client library: start-up polling, `emboss doctor`, tests of the supervisor.

import { connect, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { systemClock } from '../clock.ts';
import { rangesOf } from '../redis/slot-map.ts';
import { type Address, redisTarget, type Target, textOf } from '../redis/target.ts';
import { encoded, type Reply, repliesIn } from './resp.ts';

export type RedisReply = Reply;

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
        const replies = repliesIn(received, commands.length, { encoding: 'utf8', onError: thrown });
        if (replies !== undefined) end(undefined, replies.at(-1));
      } catch (error) {
        end(error as Error); // It throws Errors only.
      }
    });
    socket.write(commands.map((words) => encoded(words, 'utf8')).join(''));
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

const thrown = (words: string): never => {
  throw new Error(`Redis: ${words}`);
};
