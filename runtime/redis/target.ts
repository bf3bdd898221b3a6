// Where a Redis server is, read from a URL once. Passwords never leave this file except into the client's options.
//
// Forms: redis://host:6379/0, rediss:// for TLS, redis+unix:///run/redis.sock?db=0, unix:///run/redis.sock, /run/redis.sock.
// Sentinel and Cluster URLs are recognised and refused by name: what topology a URL means is decided here alone.

import type { RedisOptions } from 'ioredis';
import { OperatingError } from '../errors.ts';

export interface Target {
  /** What the client needs to reach the server. Holds the password: never log it. */
  readonly options: RedisOptions;
  /** For people: address and database, no user and no password. */
  readonly printable: string;
}

/** Reads a Redis URL. Throws OperatingError `redis-url` naming the form it could not read. */
export function redisTarget(url: string): Target {
  if (url.startsWith('/')) return unixTarget(new URL(`unix://${url}`));
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  switch (parsed?.protocol) {
    case 'redis:':
      return tcpTarget(parsed, false);
    case 'rediss:':
      return tcpTarget(parsed, true);
    case 'redis+unix:':
    case 'unix:':
      return unixTarget(parsed);
    case 'redis+sentinel:':
    case 'redis+cluster:':
      throw new OperatingError(
        'redis-url',
        `this version speaks to one Redis server; ${parsed.protocol}// is not supported yet`,
      );
    default:
      throw new OperatingError('redis-url', 'expected redis://host:port/db, rediss://… or redis+unix:///path?db=n');
  }
}

function tcpTarget(url: URL, tls: boolean): Target {
  const host = url.hostname.replace(/^\[|\]$/g, '') || '127.0.0.1'; // ioredis takes an IPv6 address without brackets.
  const port = url.port === '' ? 6379 : Number(url.port);
  const db = databaseOf(url.pathname.slice(1));
  const secrets = secretsOf(decodeURIComponent(url.username), decodeURIComponent(url.password));
  return {
    options: { host, port, db, ...secrets, ...(tls ? { tls: { servername: host } } : {}) },
    printable: `${tls ? 'rediss' : 'redis'}://${host}:${port}/${db}`,
  };
}

function unixTarget(url: URL): Target {
  const path = decodeURIComponent(url.pathname);
  const db = databaseOf(url.searchParams.get('db') ?? '');
  const secrets = secretsOf(url.searchParams.get('username') ?? '', url.searchParams.get('password') ?? '');
  return { options: { path, db, ...secrets }, printable: `redis+unix://${path}?db=${db}` };
}

function databaseOf(text: string): number {
  const db = text === '' ? 0 : Number(text);
  if (Number.isInteger(db) && db >= 0) return db;
  throw new OperatingError('redis-url', `the database of a Redis URL is a number, got "${text}"`);
}

const secretsOf = (username: string, password: string): RedisOptions => ({
  ...(username === '' ? {} : { username }),
  ...(password === '' ? {} : { password }),
});
