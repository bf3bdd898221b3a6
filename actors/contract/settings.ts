// Settings: every environment variable the processes read, in one schema. `docs/settings.md` and `.env.example` are
// written from it (`npm run docs:settings`), so a setting that is not here does not exist.

import { createHmac } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseEnv } from 'node:util';
import envSchema from 'env-schema';
import { type Static, Type } from 'typebox';
import { oneOf } from './schema.ts';
import { type ObjectsPlace, objectsPlace, personalSettings } from './settings-personal.ts';
import { workerIdOf } from './worker-id.ts';

export const DEVELOPMENT_SECRET = 'emboss-development-secret-not-for-production';
const SECRET_CHARS_MIN = 16;

const port = (description: string, byDefault: number) =>
  Type.Integer({ description, minimum: 1, maximum: 65_535, default: byDefault });
const REDIS_URL = /^(rediss?(\+sentinel|\+cluster)?:\/\/|redis\+unix:\/\/|unix:\/\/|\/).+/;
const SERVER_URL = /^(rediss?:\/\/|redis\+unix:\/\/|unix:\/\/|\/).+/; // Of one server: what a lock master is.
const redisUrl = (description: string) => Type.String({ description, pattern: REDIS_URL.source });
const httpUrl = (description: string) => Type.String({ description, pattern: '^https?://[^ ]+$' });
const secret = (description: string) => Type.String({ description, minLength: SECRET_CHARS_MIN });

/** In the order of the table: where things are, how they behave, who may speak to whom, and what is seen of it. */
export const SettingsSchema = Type.Object({
  REDIS_URL: Type.Optional(
    redisUrl(
      'Redis of both contexts: `redis://[user:password@]host:port/db`, `redis+sentinel://host:port,…/master/db`, ' +
        '`redis+cluster://host:port,…`, any of them as `rediss…` for TLS, or `redis+unix:///path`. Processes take ' +
        '`redis://127.0.0.1:6379` without it; `npm start` then runs a private server instead.',
    ),
  ),
  REDIS_TLS_CA: Type.Optional(
    Type.String({
      description:
        'PEM file of who vouches for the Redis servers of `rediss…` URLs that name none by `?ca=`. Default: whom the system trusts.',
      minLength: 1,
    }),
  ),
  REDIS_TLS_CERT: Type.Optional(
    Type.String({
      description: 'PEM file of the certificate that we show to them, for those that ask for one. In URLs: `?cert=`.',
      minLength: 1,
    }),
  ),
  REDIS_TLS_KEY: Type.Optional(
    Type.String({ description: 'PEM file of its private key. In URLs: `?key=`.', minLength: 1 }),
  ),
  EMBOSS_ORDERING_REDIS_URL: Type.Optional(redisUrl('Redis of the ordering context. Default: `REDIS_URL`.')),
  EMBOSS_DELIVERY_REDIS_URL: Type.Optional(redisUrl('Redis of the delivery context. Default: `REDIS_URL`.')),
  LOCK_REDIS_URLS: Type.Optional(
    Type.String({
      description:
        'Lock masters, separated by commas: 1, 3 or 5 independent servers, each named once; both contexts use them. Progress ' +
        'needs a majority of them. Default: the context’s own Redis; on a cluster each lock is then with its shard.',
    }),
  ),
  EMBOSS_REDIS: Type.Unsafe<'auto' | 'fetch'>({
    ...oneOf('auto', 'fetch'),
    description:
      'Where `npm start`, `npm test` and the demo find a Redis server when `REDIS_URL` is unset. `auto`: from PATH, else ' +
      'fetched. `fetch`: always the fetched one (Debian and Ubuntu, no root needed).',
    default: 'auto',
  }),
  EMBOSS_DATA_DIR: Type.String({
    description: 'Folder of everything kept on disk: data of the private Redis, the record of the running system.',
    default: '.data',
    minLength: 1,
  }),
  EMBOSS_CATALOGUE_DIR: Type.Optional(
    Type.String({
      description:
        'Folder of the delivery catalogue: `zones.json`, `points.json` and `carriers.json`. Read at the start of the delivery ' +
        'workers and of the API, which need the same one. Default: the catalogue of the project.',
      minLength: 1,
    }),
  ),
  EMBOSS_WORKER_ID: Type.Optional(
    Type.String({
      description:
        'Static id of a worker, such as `ordering.1`; no two live processes share one. Default: what the Procfile runner ' +
        'sets (`PS`, `FOREMAN_WORKER_NAME`, `HONCHO_PROCESS_NAME` or `DYNO`), else the process type with number 1.',
      pattern: '^[A-Za-z][A-Za-z0-9-]{0,40}\\.[0-9]{1,5}$',
    }),
  ),
  EMBOSS_WEIGHT: Type.Number({
    description:
      'Share of the shards that a worker takes, beside the others of its context: one of weight 2 gets twice as many as one ' +
      'of weight 1. 0 takes none: such a worker stands by.',
    minimum: 0,
    maximum: 16,
    default: 1,
  }),
  EMBOSS_SHARDS: Type.Integer({
    description:
      'Shards per context. Recorded in Redis at the first start; a process with another number refuses to start.',
    minimum: 1,
    maximum: 1_024,
    default: 64,
  }),
  EMBOSS_DURABILITY: Type.String({
    description:
      'What an acknowledged write survives: `memory` (a crash of Redis, less at most a second), `fsync` (a power cut), ' +
      '`replicas:n` (loss of the server). A Redis configured weaker is refused.',
    pattern: '^(memory|fsync|replicas:[1-9])$',
    default: 'memory',
  }),
  EMBOSS_TIME_SCALE: Type.Number({
    description:
      'How much faster than real time the business runs: its delays are divided by it. Leases, retries and deadlines are ' +
      'not. 1 is real time; `npm start` and the demo choose a faster one and say so.',
    minimum: 0.001,
    maximum: 10_000_000,
    default: 1,
  }),
  EMBOSS_TIME_MODE: Type.Unsafe<'real' | 'virtual'>({
    ...oneOf('real', 'virtual'),
    description:
      '`virtual`: the business may be moved forward in time, for tests (`emboss time travel`). Recorded in Redis at the first ' +
      'start; a process with another mode refuses to start. Not possible when NODE_ENV is `production`.',
    default: 'real',
  }),
  EMBOSS_TIME_ORIGIN: Type.Optional(
    Type.Integer({
      description:
        'Where scaled time begins, in ms since 1970, so that both contexts agree on dates; only the first start’s counts. ' +
        'Default: that start; `npm start` gives both contexts its own.',
      minimum: 1,
    }),
  ),
  EMBOSS_HOST: Type.String({ description: 'Address the listeners bind to.', default: '127.0.0.1', minLength: 1 }),
  EMBOSS_PUBLIC_PORT: port('Port of the public API: customers, WebSocket.', 8080),
  EMBOSS_INTERNAL_PORT: port('Port of the internal API: operators, reviewers, metrics.', 8081),
  EMBOSS_COURIER_PORT: port('Port of the couriers’ API.', 8082),
  EMBOSS_PARTNER_PORT: port('Port of the partners’ callbacks.', 8083),
  EMBOSS_SIMULATOR_PORT: port('Port of the partner simulators.', 8090),
  EMBOSS_CONTEXT: Type.Unsafe<'both' | 'ordering' | 'delivery'>({
    ...oneOf('both', 'ordering', 'delivery'),
    description: 'Contexts an api process serves.',
    default: 'both',
  }),
  EMBOSS_API_URL: Type.Optional(
    httpUrl('Where the command line finds the public API. Default: the running system’s, else this host and port.'),
  ),
  EMBOSS_PARTNERS_URL: Type.Optional(httpUrl('Base address of the partners. Default: the simulators on this machine.')),
  EMBOSS_CALLBACK_URL: Type.Optional(
    httpUrl('Where the simulated partners send their callbacks. Default: the partner port on this machine.'),
  ),
  EMBOSS_FAULTS: Type.Optional(
    Type.String({
      description:
        'Faults the partner simulators begin with, as JSON: what `PUT /control/faults` takes. Default: none.',
    }),
  ),
  EMBOSS_SECRET: secret(
    'Key material for derived ids, access tokens and one-time codes, at least 16 characters; the same for all processes. ' +
      'Changing it makes issued tokens and codes void. Required when NODE_ENV is `production`.',
  ),
  EMBOSS_PARTNER_SECRET: Type.Optional(
    secret(
      'What the secrets are made from with which the partners sign their callbacks, at least 16 characters. Default: made ' +
        'from `EMBOSS_SECRET`.',
    ),
  ),
  EMBOSS_PARTNER_SECRET_BEFORE: Type.Optional(
    secret(
      'The `EMBOSS_PARTNER_SECRET` before a change: callbacks signed with it are taken as well. Take it away when every ' +
        'partner has the new one.',
    ),
  ),
  ...personalSettings,
  EMBOSS_AUTH_JWKS_URL: Type.Optional(
    httpUrl(
      'Where the identity provider publishes its keys (JWKS). Default: the development issuer, which gives a token to ' +
        'whoever asks the internal API. Required with `EMBOSS_AUTH_ISSUER` when NODE_ENV is `production`.',
    ),
  ),
  EMBOSS_AUTH_ISSUER: Type.Optional(
    Type.String({ description: 'Issuer (`iss`) that access tokens must name.', minLength: 1 }),
  ),
  EMBOSS_ORIGINS: Type.Optional(
    Type.String({
      description:
        'Origins, separated by commas, whose pages may open the WebSocket; `*` for all. Default: the public API’s own.',
    }),
  ),
  EMBOSS_LOG_LEVEL: Type.Unsafe<LogLevel>({
    ...oneOf('fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'),
    description: 'Least severe level that is logged.',
    default: 'info',
  }),
  EMBOSS_BOOTSTRAP: Type.Unsafe<'auto' | 'skip'>({
    ...oneOf('auto', 'skip'),
    description:
      '`skip`: neither install nor build, run what is there. For container images; the supervisor sets it for its processes.',
    default: 'auto',
  }),
});

type LogLevel = 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'silent';
type Raw = Static<typeof SettingsSchema>;
export type Environment = { readonly [name: string]: string | undefined };

/** Settings as processes use them: frozen, complete, with the defaults that depend on other settings filled in. */
export interface Settings {
  /** `redisUrlGiven` tells whether somebody chose it. */
  readonly redisUrl: string;
  readonly redisUrlGiven: boolean;
  readonly orderingRedisUrl: string;
  readonly deliveryRedisUrl: string;
  /** Empty: the context's own Redis is its lock master. */
  readonly lockRedisUrls: readonly string[];
  readonly redis: 'auto' | 'fetch';
  /** Absolute path. */
  readonly dataDir: string;
  /** Absolute path. Undefined: the catalogue of the project. */
  readonly catalogueDir: string | undefined;
  readonly workerId: string | undefined;
  readonly weight: number;
  readonly shards: number;
  /** `memory`, `fsync` or `replicas:n`. */
  readonly durability: string;
  readonly timeScale: number;
  /** The business may be moved forward in time, for tests. */
  readonly virtualTime: boolean;
  /** Where scaled time begins, ms since 1970. Undefined: at the first start. */
  readonly timeOrigin: number | undefined;
  /** NODE_ENV is `production`: nothing that is for development or tests only. */
  readonly production: boolean;
  readonly host: string;
  readonly ports: Ports;
  readonly context: 'both' | 'ordering' | 'delivery';
  readonly apiUrl: string;
  readonly partnersUrl: string;
  readonly callbackUrl: string;
  /** JSON, for the partner simulators. */
  readonly faults: string | undefined;
  readonly secret: string;
  readonly partnerSecret: string;
  /** While the secret is changed. */
  readonly partnerSecretBefore: string | undefined;
  /** Undefined: the master key of development. */
  readonly masterKeys: string | undefined;
  readonly regions: readonly string[];
  /** Undefined: a folder. */
  readonly objects: ObjectsPlace | undefined;
  /** Undefined: the development issuer. */
  readonly authJwksUrl: string | undefined;
  readonly authIssuer: string | undefined;
  readonly origins: readonly string[];
  readonly logLevel: LogLevel;
  /** What the operator should hear at start, in sentences: development secrets, scaled time, misspelt settings. Empty under the supervisor. */
  readonly notices: readonly string[];
}

export interface Ports {
  readonly public: number;
  readonly internal: number;
  readonly courier: number;
  readonly partner: number;
  readonly simulator: number;
}

/** Settings that cannot be used. `problems` has one sentence per setting, naming it and what it takes. */
export class SettingsError extends Error {
  readonly code = 'bad-setting';
  readonly problems: readonly string[];
  constructor(problems: readonly string[]) {
    super(`Settings that cannot be used:\n${problems.map((problem) => `  ${problem}`).join('\n')}`);
    this.name = 'SettingsError';
    this.problems = problems;
  }
}

/** The settings of this process: its environment over the `.env` file of `folder`, if there is one. */
export const loadSettings = (folder = process.cwd()): Settings => readSettings(environmentOf(folder), folder);

/** The process's environment over the `.env` file of `folder`: what a supervisor hands to its processes. */
export function environmentOf(folder: string): Environment {
  const file = resolve(folder, '.env');
  return existsSync(file) ? { ...parseEnv(readFileSync(file, 'utf8')), ...process.env } : process.env;
}

/** Reads settings from an environment; paths count from `folder`. Pure. Throws SettingsError naming all faults. */
export function readSettings(environment: Environment, folder = process.cwd()): Settings {
  const given = withoutEmpty(environment);
  const workerId = workerIdOf(given);
  const secretGiven = given.EMBOSS_SECRET;
  if (given.NODE_ENV === 'production' && secretGiven === undefined) {
    throw new SettingsError(['EMBOSS_SECRET is required when NODE_ENV is production']);
  }
  if (given.NODE_ENV === 'production' && given.EMBOSS_MASTER_KEYS === undefined) {
    throw new SettingsError([
      'EMBOSS_MASTER_KEYS is required when NODE_ENV is production: a key is `<id>:$(openssl rand -base64 32)`',
    ]);
  }
  const issuer = [given.EMBOSS_AUTH_JWKS_URL, given.EMBOSS_AUTH_ISSUER].filter((value) => value !== undefined).length;
  if (issuer === 1 || (issuer === 0 && given.NODE_ENV === 'production')) {
    throw new SettingsError([
      'EMBOSS_AUTH_JWKS_URL and EMBOSS_AUTH_ISSUER are given together, and required when NODE_ENV is production',
    ]);
  }
  const data = {
    EMBOSS_SECRET: DEVELOPMENT_SECRET,
    ...given,
    ...(workerId === undefined ? {} : { EMBOSS_WORKER_ID: workerId }),
  };
  const raw = validate(data);
  // The supervisor has said it once, for all of its processes.
  const notices = given.EMBOSS_SUPERVISED === '1' ? [] : [...noticesOf(raw, secretGiven), ...misspelt(given)];
  const production = given.NODE_ENV === 'production';
  if (production && raw.EMBOSS_TIME_MODE === 'virtual')
    throw new SettingsError(['EMBOSS_TIME_MODE must be real when NODE_ENV is production']);
  return Object.freeze(complete(raw, { folder, notices, production }));
}

function validate(data: Record<string, string>): Raw {
  try {
    const raw = envSchema<Raw>({ schema: structuredClone(SettingsSchema), data, env: false });
    // To Ajv "Infinity" is a number within any bounds.
    const endless = Object.entries(raw).flatMap(([name, value]) =>
      typeof value === 'number' && !Number.isFinite(value)
        ? [`${name} must be a finite number, got "${data[name]}"`]
        : [],
    );
    if (endless.length > 0) throw new SettingsError(endless);
    return raw;
  } catch (error) {
    const faults = (error as { errors?: readonly Fault[] }).errors; // env-schema adds Ajv's list to the error it throws.
    if (faults === undefined) throw error;
    throw new SettingsError([...new Set(faults.map((fault) => sentence(fault, data)))]);
  }
}

/** How the business's time passes, as a namespace is founded with it. */
export const timeOf = ({ timeScale, virtualTime, timeOrigin }: Settings) => ({
  timeScale,
  virtualTime,
  ...(timeOrigin === undefined ? {} : { timeOrigin }),
});

interface Circumstances {
  readonly folder: string;
  readonly notices: readonly string[];
  readonly production: boolean;
}

function complete(raw: Raw, { folder, notices, production }: Circumstances): Settings {
  const withTls = tlsFiles(raw);
  const redisUrl = withTls(raw.REDIS_URL ?? 'redis://127.0.0.1:6379');
  const ports = Object.freeze({
    public: raw.EMBOSS_PUBLIC_PORT,
    internal: raw.EMBOSS_INTERNAL_PORT,
    courier: raw.EMBOSS_COURIER_PORT,
    partner: raw.EMBOSS_PARTNER_PORT,
    simulator: raw.EMBOSS_SIMULATOR_PORT,
  });
  if ((raw.EMBOSS_OBJECTS_URL === undefined) !== (raw.EMBOSS_OBJECTS_KEY === undefined))
    throw new SettingsError(['EMBOSS_OBJECTS_URL and EMBOSS_OBJECTS_KEY are given together']);
  return {
    redisUrl,
    redisUrlGiven: raw.REDIS_URL !== undefined,
    orderingRedisUrl: withTls(raw.EMBOSS_ORDERING_REDIS_URL ?? redisUrl),
    deliveryRedisUrl: withTls(raw.EMBOSS_DELIVERY_REDIS_URL ?? redisUrl),
    lockRedisUrls: lockMasters(raw.LOCK_REDIS_URLS).map(withTls),
    redis: raw.EMBOSS_REDIS,
    dataDir: resolve(folder, raw.EMBOSS_DATA_DIR),
    catalogueDir: raw.EMBOSS_CATALOGUE_DIR === undefined ? undefined : resolve(folder, raw.EMBOSS_CATALOGUE_DIR),
    workerId: raw.EMBOSS_WORKER_ID,
    weight: raw.EMBOSS_WEIGHT,
    shards: raw.EMBOSS_SHARDS,
    durability: raw.EMBOSS_DURABILITY,
    timeScale: raw.EMBOSS_TIME_SCALE,
    virtualTime: raw.EMBOSS_TIME_MODE === 'virtual',
    timeOrigin: raw.EMBOSS_TIME_ORIGIN,
    production,
    host: raw.EMBOSS_HOST,
    ports,
    context: raw.EMBOSS_CONTEXT,
    apiUrl: base(raw.EMBOSS_API_URL, ports.public),
    partnersUrl: base(raw.EMBOSS_PARTNERS_URL, ports.simulator),
    callbackUrl: base(raw.EMBOSS_CALLBACK_URL, ports.partner),
    faults: raw.EMBOSS_FAULTS,
    secret: raw.EMBOSS_SECRET,
    partnerSecret:
      raw.EMBOSS_PARTNER_SECRET ?? createHmac('sha256', raw.EMBOSS_SECRET).update('partner callbacks').digest('hex'),
    partnerSecretBefore: raw.EMBOSS_PARTNER_SECRET_BEFORE,
    masterKeys: raw.EMBOSS_MASTER_KEYS,
    regions: list(raw.EMBOSS_REGIONS),
    objects: objectsPlace(raw),
    authJwksUrl: raw.EMBOSS_AUTH_JWKS_URL,
    authIssuer: raw.EMBOSS_AUTH_ISSUER,
    origins: raw.EMBOSS_ORIGINS === undefined ? originsOf(ports.public) : list(raw.EMBOSS_ORIGINS),
    logLevel: raw.EMBOSS_LOG_LEVEL,
    notices,
  };
}

/** Adds the files of the settings to a URL for TLS that does not name its own. */
function tlsFiles({ REDIS_TLS_CA, REDIS_TLS_CERT, REDIS_TLS_KEY }: Raw): (url: string) => string {
  const files = Object.entries({ ca: REDIS_TLS_CA, cert: REDIS_TLS_CERT, key: REDIS_TLS_KEY });
  return (url) => {
    if (!url.startsWith('rediss')) return url;
    const [place = '', query] = url.split('?', 2);
    const named = new URLSearchParams(query);
    for (const [name, file] of files) if (file !== undefined && !named.has(name)) named.set(name, file);
    return named.size === 0 ? place : `${place}?${named.toString()}`;
  };
}

function noticesOf(raw: Raw, secretGiven: string | undefined): string[] {
  const notices: string[] = [];
  if (secretGiven === undefined || secretGiven === DEVELOPMENT_SECRET) {
    notices.push(
      'EMBOSS_SECRET is not set: the public development secret is used. Anyone can forge tokens. Not for production.',
    );
  }
  if (raw.EMBOSS_MASTER_KEYS === undefined) {
    notices.push(
      'EMBOSS_MASTER_KEYS is not set: personal data are sealed under a key made from EMBOSS_SECRET. Not for production.',
    );
  }
  if (raw.EMBOSS_TIME_SCALE !== 1) {
    notices.push(
      `EMBOSS_TIME_SCALE is ${raw.EMBOSS_TIME_SCALE}: a business day passes in ${duration(86_400 / raw.EMBOSS_TIME_SCALE)}.`,
    );
  }
  if (raw.EMBOSS_TIME_MODE === 'virtual')
    notices.push('EMBOSS_TIME_MODE is virtual: operators may move the business forward in time. For tests.');
  return notices;
}

const LOCK_MASTERS = [0, 1, 3, 5]; // An even number survives no more failures than one less, and splits its votes.

/** The lock masters, checked. URLs are not quoted: they may hold a password. */
function lockMasters(text: string | undefined): readonly string[] {
  const urls = list(text);
  const wrong = urls.findIndex((url) => !SERVER_URL.test(url));
  const places = urls.map(placeOf);
  const twice = places.findIndex((place, i) => places.indexOf(place) !== i);
  const problems = [
    ...(LOCK_MASTERS.includes(urls.length) ? [] : [`takes 1, 3 or 5 servers, got ${urls.length}`]),
    ...(wrong < 0 ? [] : [`has a part that is no Redis URL: number ${wrong + 1}`]),
    ...(twice < 0 ? [] : [`names one server twice: number ${twice + 1}; a server has one vote`]),
  ];
  if (problems.length > 0) throw new SettingsError(problems.map((problem) => `LOCK_REDIS_URLS ${problem}`));
  return urls;
}

/** Which server a URL means, whoever logs in and whatever database is named. */
function placeOf(url: string): string {
  if (url.startsWith('/') || !URL.canParse(url)) return url;
  const { host, pathname, hostname, port } = new URL(url);
  return host === '' ? pathname : `${hostname}:${port || '6379'}`;
}

function withoutEmpty(environment: Environment): Record<string, string> {
  return Object.fromEntries(
    Object.entries(environment).filter((entry): entry is [string, string] => Boolean(entry[1])),
  );
}

/** Said by one part of the system to another, never by a person. */
const INTERNAL = new Set(['EMBOSS_SUPERVISED', 'EMBOSS_CRASH_POINT']);

function misspelt(given: Record<string, string>): string[] {
  const unknown = Object.keys(given).filter(
    (name) => name.startsWith('EMBOSS_') && !(name in SettingsSchema.properties) && !INTERNAL.has(name),
  );
  return unknown.map((name) => `${name} is not a setting and is ignored; see docs/settings.md.`);
}

interface Fault {
  readonly instancePath: string;
  readonly keyword: string;
  readonly message?: string;
  readonly params: { readonly allowedValues?: readonly string[]; readonly limit?: number };
}

/** Says which setting is wrong and what it takes. A secret is never quoted. */
function sentence(fault: Fault, data: Record<string, string>): string {
  const name = fault.instancePath.slice(1);
  const got = /(SECRET|URLS?|KEYS?)$/.test(name) ? '' : `, got "${data[name]}"`;
  const allowed = fault.params.allowedValues?.join(', ');
  return `${name} ${allowed === undefined ? fault.message : `must be one of ${allowed}`}${got}`;
}

const list = (text: string | undefined): string[] =>
  (text ?? '')
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
const base = (url: string | undefined, port: number): string => (url ?? `http://127.0.0.1:${port}`).replace(/\/+$/, '');
const originsOf = (port: number): string[] => [`http://127.0.0.1:${port}`, `http://localhost:${port}`];
const duration = (seconds: number): string =>
  seconds < 120 ? `${Number(seconds.toPrecision(3))} s` : `${Number((seconds / 60).toPrecision(3))} min`;
