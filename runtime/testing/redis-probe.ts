// One question to a Redis server without a client library: start-up polling, `emboss doctor`, tests of the supervisor.

import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { systemClock } from '../clock.ts';

export type RedisReply = string | number | null | readonly RedisReply[];

/**
 * Sends one command on a connection of its own and resolves to its reply. `url` is `redis://`, `rediss://`,
 * `redis+unix://` or the path of a Unix socket. Rejects after `timeoutMs`, when nobody listens, and with the server's words on an error reply.
 */
export function askRedis(url: string, command: readonly string[], timeoutMs = 2_000): Promise<RedisReply> {
  return new Promise((resolve, reject) => {
    const { socket, login } = open(url);
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

function open(url: string): { socket: Socket; login: string[][] } {
  const [, path] = /^(?:(?:redis\+)?unix:\/\/)?(\/[^?]+)/.exec(url) ?? [];
  if (path !== undefined) return { socket: connect(path), login: [] };
  const { protocol, hostname, port, username, password, pathname } = new URL(url);
  const host = hostname.replace(/^\[|\]$/g, '');
  const target = { host, port: Number(port || 6379) };
  const login: string[][] = [];
  if (password !== '')
    login.push(['AUTH', ...[username, password].filter((part) => part !== '').map(decodeURIComponent)]);
  if (pathname.length > 1) login.push(['SELECT', pathname.slice(1)]);
  return { socket: protocol === 'rediss:' ? connectTls({ ...target, servername: host }) : connect(target), login };
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
