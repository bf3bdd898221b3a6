// What stands behind a Redis URL, read once: one server, the master that sentinels name, or a cluster. What topology a URL
// means is decided here alone, and passwords never leave this file except into the client's options.
//
//   redis://[user:password@]host:6379/0          one server
//   redis+unix:///run/redis.sock?db=0            one server, also unix:///run/redis.sock and /run/redis.sock
//   redis+sentinel://h1:26379,h2:26379/mymaster/0   the master of that name, wherever a failover takes it
//   redis+cluster://h1:6379,h2:6379              a cluster; the hosts named are where its map is first asked for
//
// rediss://, rediss+sentinel:// and rediss+cluster:// are the same over TLS, with ?ca=, ?cert= and ?key= naming PEM files.
// Sentinels with a password of their own: ?sentinelUsername=…&sentinelPassword=….

import type { RedisOptions } from 'ioredis';
import { OperatingError } from '../errors.ts';
import { tlsOptions } from './tls.ts';

export interface Address {
  readonly host: string;
  readonly port: number;
}

export interface Target {
  readonly kind: 'server' | 'sentinel' | 'cluster';
  /** What the client needs to reach the server, or of a cluster any server of it. Holds the password: never log it. */
  readonly options: RedisOptions;
  /** Sentinels, or where to ask a cluster for its map; empty for one server. */
  readonly seeds: readonly Address[];
  /** For people: addresses and database, no user, no password and no files. */
  readonly printable: string;
}

interface Parts {
  readonly scheme: string;
  readonly username: string;
  readonly password: string;
  readonly hosts: string;
  readonly path: string;
  readonly query: URLSearchParams;
}

const FORMS =
  'expected redis://host:port/db, redis+sentinel://host:port,…/master/db, redis+cluster://host:port,…, ' +
  'one of them as rediss… for TLS, or redis+unix:///path?db=n';
const PARAMETERS = ['ca', 'cert', 'key', 'sentinelUsername', 'sentinelPassword'];

/** Reads a Redis URL. Throws OperatingError `redis-url` saying what is wrong with it, without its secrets. */
export function redisTarget(url: string): Target {
  if (url.startsWith('/')) return unixTarget(partsOf(`unix://${url}`));
  const parts = partsOf(url);
  switch (parts.scheme) {
    case 'redis':
    case 'rediss':
      return serverTarget(checked(parts));
    case 'redis+sentinel':
    case 'rediss+sentinel':
      return sentinelTarget(checked(parts));
    case 'redis+cluster':
    case 'rediss+cluster':
      return clusterTarget(checked(parts));
    case 'redis+unix':
    case 'unix':
      return unixTarget(parts);
    default:
      throw bad(FORMS);
  }
}

// The URL class takes one host and one port only.
const URL_FORM = /^([a-z+]+):\/\/(?:([^/?]*)@)?([^/?@]*)(\/[^?]*)?(?:\?(.*))?$/;

function partsOf(url: string): Parts {
  const [, scheme, user = '', hosts = '', path = '', query = ''] = URL_FORM.exec(url) ?? [];
  if (scheme === undefined) throw bad(FORMS);
  const colon = user.indexOf(':');
  return {
    scheme,
    username: decoded(colon < 0 ? user : user.slice(0, colon)),
    password: colon < 0 ? '' : decoded(user.slice(colon + 1)),
    hosts,
    path: decoded(path.slice(1)),
    query: new URLSearchParams(query),
  };
}

/** A misspelt parameter would go unnoticed, and with `ca` that is a matter of safety. */
function checked(parts: Parts): Parts {
  for (const name of parts.query.keys()) {
    if (!PARAMETERS.includes(name)) throw bad(`?${name}= is not known; there are ${PARAMETERS.join(', ')}`);
  }
  return parts;
}

function serverTarget(parts: Parts): Target {
  const [address, ...others] = addressesOf(parts, 6379);
  if (address === undefined || others.length > 0) {
    throw bad(
      `${parts.scheme}:// names one server; several are ${parts.scheme}+sentinel:// or ${parts.scheme}+cluster://`,
    );
  }
  const db = databaseOf(parts.path);
  return {
    kind: 'server',
    seeds: [],
    options: { ...address, db, ...secretsOf(parts), ...tlsOf(parts, address.host) },
    printable: `${parts.scheme}://${textOf(address)}/${db}`,
  };
}

function sentinelTarget(parts: Parts): Target {
  const seeds = addressesOf(parts, 26379);
  const [name = '', database = '', ...rest] = parts.path.split('/');
  if (name === '' || rest.length > 0) {
    throw bad(
      `${parts.scheme}:// ends in the name of the master, as the sentinels know it: ${parts.scheme}://host:port,…/mymaster`,
    );
  }
  const db = databaseOf(database);
  const { tls } = tlsOf(parts, undefined);
  const sentinelUsername = parts.query.get('sentinelUsername');
  const sentinelPassword = parts.query.get('sentinelPassword');
  return {
    kind: 'sentinel',
    seeds,
    options: {
      ...{ sentinels: [...seeds], name, role: 'master', db, ...secretsOf(parts) },
      ...(tls === undefined ? {} : { tls, sentinelTLS: tls, enableTLSForSentinelMode: true }),
      ...(sentinelUsername === null ? {} : { sentinelUsername }),
      ...(sentinelPassword === null ? {} : { sentinelPassword }),
    },
    printable: `${parts.scheme}://${seeds.map(textOf).join(',')}/${name}/${db}`,
  };
}

function clusterTarget(parts: Parts): Target {
  const seeds = addressesOf(parts, 6379);
  if (parts.path !== '' && parts.path !== '0') throw bad('a cluster has database 0 only; leave it out of the URL');
  return {
    kind: 'cluster',
    seeds,
    options: { ...secretsOf(parts), ...tlsOf(parts, undefined) },
    printable: `${parts.scheme}://${seeds.map(textOf).join(',')}`,
  };
}

function unixTarget(parts: Parts): Target {
  const path = `/${parts.path}`;
  const db = databaseOf(parts.query.get('db') ?? '');
  const secrets = secretsOf({
    username: parts.query.get('username') ?? '',
    password: parts.query.get('password') ?? '',
  });
  return { kind: 'server', seeds: [], options: { path, db, ...secrets }, printable: `redis+unix://${path}?db=${db}` };
}

function addressesOf({ hosts, scheme }: Parts, portByDefault: number): readonly Address[] {
  if (hosts === '' && !scheme.includes('+')) return [{ host: '127.0.0.1', port: portByDefault }];
  return hosts.split(',').map((text) => {
    // An IPv6 address stands in brackets, and the client takes it without.
    const [, bracketed, plain, port = String(portByDefault)] =
      /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s]+))(?::(\d+))?$/.exec(text) ?? [];
    const host = bracketed ?? plain;
    if (host === undefined || Number(port) < 1 || Number(port) > 65_535) {
      throw bad(`"${text}" is no address; each is host:port`);
    }
    return { host, port: Number(port) };
  });
}

export const textOf = ({ host, port }: Address): string => `${host}:${port}`;

function databaseOf(text: string): number {
  const db = text === '' ? 0 : Number(text);
  if (Number.isInteger(db) && db >= 0) return db;
  throw bad(`the database of a Redis URL is a number, got "${text}"`);
}

function tlsOf({ scheme, query }: Parts, host: string | undefined): Pick<RedisOptions, 'tls'> {
  const files = { ca: query.get('ca'), cert: query.get('cert'), key: query.get('key') };
  if (scheme.startsWith('rediss')) return { tls: tlsOptions(files, host) };
  if (Object.values(files).some((file) => file !== null)) throw bad('?ca=, ?cert= and ?key= are for rediss… only');
  return {};
}

const secretsOf = ({ username, password }: Pick<Parts, 'username' | 'password'>): RedisOptions => ({
  ...(username === '' ? {} : { username }),
  ...(password === '' ? {} : { password }),
});

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw bad('a % in it begins no escape; write it as %25');
  }
}

const bad = (what: string): OperatingError => new OperatingError('redis-url', `not a usable Redis URL: ${what}`);
