// What a namespace decided at its first start and cannot change: shards, hash, time scale, virtual time (L1, T2).

import { type Clock, systemClock } from '../clock.ts';
import { OperatingError } from '../errors.ts';
import { found } from '../functions/found.ts';
import type { Namespace } from '../ids.ts';
import { callDeadlineMs } from '../limits.ts';
import type { Connection } from '../redis/connection.ts';
import { namespaceKeys, shardKeys } from '../redis/keys.ts';
import { at, batchTo } from '../redis/topology.ts';
import type { TimeRecord } from '../timers/domain-clock.ts';
import { HASH_NAME } from './hash.ts';

export interface NamespaceConfig {
  /** 1 … 16,384. */
  readonly shards: number;
  /** 1 is real time; domain delays are divided by it (T2). */
  readonly timeScale: number;
  /** The namespace may travel in time: for tests. Default false. */
  readonly virtualTime?: boolean;
  /**
   * Where a scaled clock begins, in ms of the server's clock; only the first start's counts. Default: the time of that start.
   * Contexts that are founded with the same one agree on dates.
   */
  readonly timeOrigin?: number;
}

export interface RecordedConfig extends TimeRecord {
  readonly shards: number;
  /** Milliseconds of domain time in all, when it was read (T2). */
  readonly travelled: number;
  /** Drawn at the first start; '' where that was before marks were drawn. */
  readonly founded: string;
}

/** Field of the configuration that is drawn at the first start: a namespace that was emptied and founded anew is another. */
export const FOUNDED = 'founded';
const FOUNDED_BYTES = 8;

/** Inboxes made at once: 4 ms of the server, and callers wait no longer for it. */
const FOUNDED_AT_ONCE = 512;

/**
 * Makes the inboxes and records the configuration at the first start, and compares at each later one. Throws OperatingError
 * `config-mismatch` naming both values. Resolves to what is recorded. One round trip; at the first start two
 * more, and one per 512 shards.
 *
 * The inboxes come first: where a configuration stands an inbox that is not there was lost, and nobody makes it anew (M1). Who
 * founds at the same time, or founds again what a crash left without a configuration, finds inboxes and leaves them as they are.
 */
export async function agreeConfig(
  connection: Connection,
  namespace: Namespace,
  config: NamespaceConfig,
  clock: Clock = systemClock,
): Promise<RecordedConfig> {
  if (!Number.isInteger(config.shards) || config.shards < 1 || config.shards > 16_384) {
    throw new OperatingError('bad-setting', `the number of shards is 1 … 16384, got ${config.shards}`);
  }
  const wanted = {
    shards: String(config.shards),
    hashName: HASH_NAME,
    timeScale: String(config.timeScale),
    virtualTime: String(config.virtualTime ?? false),
  };
  let recorded = await readFields(connection, namespace);
  const isFirst = recorded.shards === undefined;
  if (isFirst) await makeInboxes(connection, namespace, config.shards, clock);
  if (isFirst || recorded.origin === undefined)
    recorded = await recordFirst(connection, namespace, isFirst ? wanted : {}, config.timeOrigin, clock);
  recorded = { virtualTime: 'false', ...recorded }; // Those of before there was virtual time say nothing of it.
  for (const [field, value] of Object.entries(wanted)) {
    if (recorded[field] === value) continue;
    throw new OperatingError(
      'config-mismatch',
      `namespace ${namespace} was started with ${field} ${recorded[field]}, this process is set to ${field} ${value}; ` +
        `set it back to ${recorded[field]} (it cannot change while the namespace holds data)`,
    );
  }
  return configOf(recorded);
}

async function makeInboxes(connection: Connection, namespace: Namespace, shards: number, clock: Clock): Promise<void> {
  const batch = batchTo(connection, clock, callDeadlineMs);
  for (let from = 0; from < shards; from += FOUNDED_AT_ONCE) {
    const count = Math.min(FOUNDED_AT_ONCE, shards - from);
    await Promise.all(Array.from({ length: count }, (_, i) => batch.run(found(shardKeys(namespace, from + i)))));
  }
}

/** What is recorded then: of two first starts at once the first one's. A namespace of before there was an origin is given one. */
async function recordFirst(
  connection: Connection,
  namespace: Namespace,
  wanted: Readonly<Record<string, string>>,
  origin: number | undefined,
  clock: Clock,
): Promise<Fields> {
  const key = namespaceKeys(namespace).config;
  return await at(connection, key).call('founding', async (redis) => {
    const begins = origin ?? Number((await redis.time())[0]) * 1_000; // Whole seconds: no date lies before what happened.
    const transaction = redis.multi(); // All fields or none: two first starts at once cannot mix.
    for (const [field, value] of Object.entries(wanted)) transaction.hsetnx(key, field, value);
    transaction.hsetnx(key, 'origin', String(begins));
    if (wanted.shards !== undefined) transaction.hsetnx(key, FOUNDED, clock.nonce(FOUNDED_BYTES));
    const replies = await transaction.hgetall(key).exec();
    const [error, fields] = replies?.at(-1) ?? [new Error('the transaction was dropped'), undefined];
    if (error !== null) throw error;
    return fields as Fields; // HGETALL by ioredis: an object of strings.
  });
}

/** A worker never serves, and a client never calls ready, what stands where its namespace was. */
export const namespaceLost = (namespace: Namespace): OperatingError =>
  new OperatingError(
    'namespace-lost',
    `namespace ${namespace} is gone from Redis: its configuration was deleted, or it was founded anew. Restore the data, then start again; see "Data is gone" in docs/operating.md`,
  );

/** A caller is never told *accepted* where the inbox of its actor is gone. The same code: what helps is the same. */
export const inboxLost = (namespace: Namespace, shard: number): OperatingError =>
  new OperatingError(
    'namespace-lost',
    `the inbox of shard ${shard} of namespace ${namespace} is gone from Redis; nothing was accepted. Restore the data; see "Data is gone" in docs/operating.md`,
  );

/** The mark that the namespace bears now; undefined when it is gone. One round trip. */
export async function readFounded(connection: Connection, namespace: Namespace): Promise<string | undefined> {
  const key = namespaceKeys(namespace).config;
  return (await at(connection, key).call('HGET config', (redis) => redis.hget(key, FOUNDED))) ?? undefined;
}

/** What the namespace has recorded; undefined before its first start. One round trip. */
export async function readConfig(connection: Connection, namespace: Namespace): Promise<RecordedConfig | undefined> {
  const fields = await readFields(connection, namespace);
  return fields.shards === undefined ? undefined : configOf(fields);
}

function configOf(fields: Fields): RecordedConfig {
  return {
    shards: Number(fields.shards),
    timeScale: Number(fields.timeScale ?? 1),
    virtualTime: fields.virtualTime === 'true',
    origin: Number(fields.origin ?? 0),
    travelled: Number(fields.travelled ?? 0),
    founded: fields[FOUNDED] ?? '',
  };
}

type Fields = Readonly<Record<string, string>>;

async function readFields(connection: Connection, namespace: Namespace): Promise<Fields> {
  const key = namespaceKeys(namespace).config;
  return await at(connection, key).call('namespace config', (redis) => redis.hgetall(key));
}
