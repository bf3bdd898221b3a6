// A worker process of a context: settings, the clients its handlers read with, the host, and a clean end.
//
// It stops in this order: no new work, what is in hand, shards released, membership left, clients closed; exit 0 (L4).
// SIGUSR2 does the same with the word that the worker comes back: its shards wait for it (decision 0015).

import closeWithGrace from 'close-with-grace';
import { type Logger, pino } from 'pino';
import { type Client, connect } from '../runtime/client.ts';
import { type Host, type Hosted, host, NotHostable, OperatingError, pause, systemClock } from '../runtime/index.ts';
import { DELIVERY, ORDERING } from './contract/index.ts';
import { loadSettings, type Settings, SettingsError, timeOf } from './contract/settings.ts';
import { unmendableCodes } from './contract/unmendable.ts';

const STORE_RETRY_MS = 500;
const STOP_WITHIN_MS = 15_000; // Longer than any deadline of a call in hand.

/** For what handlers find strange; without personal data, like every log line. */
export type WorkerLog = (line: { readonly [field: string]: unknown }, message: string) => void;

export interface Context {
  /** Process type: the default worker id is `<name>.1`. */
  readonly name: 'ordering' | 'delivery';
  readonly namespace: typeof ORDERING | typeof DELIVERY;
  /** The charts with their handlers. `open` connects a client, closed when the worker ends. */
  readonly charts: (
    open: (namespace: string) => Promise<Client>,
    settings: Settings,
    log: WorkerLog,
  ) => Promise<readonly Hosted[]>;
}

/** Runs the worker until a signal or a fatal error ends it. Sets the exit code: 2 where no restart helps, 1 for what cannot go on. */
export async function runWorker(context: Context): Promise<void> {
  const settings = settingsOf();
  if (settings === undefined) return;
  const worker = settings.workerId ?? `${context.name}.1`;
  const log = pino({ level: settings.logLevel, base: { process: context.name, worker, pid: process.pid } });
  for (const notice of settings.notices) log.warn(notice);

  const ending = new AbortController();
  const opened: Client[] = [];
  let running: Host | undefined;
  let exitCode = 0;
  let lastWords = '';
  const grace = closeWithGrace({ delay: STOP_WITHIN_MS, logger: false }, async ({ signal, err }) => {
    // Asked twice to come back, it drains all the same: in a hurry is only who sends another signal a second time.
    process.removeAllListeners('SIGUSR2').on('SIGUSR2', () => {});
    if (err === undefined) log.info({ signal }, 'stopping');
    else log.error({ error: wordsOf(err) }, 'stopping after an error');
    ending.abort();
    await running?.stop({ restart: signal === 'SIGUSR2' });
    await Promise.all(opened.map((client) => client.close()));
    log.info({ ...running?.counters }, 'stopped');
    process.stderr.write(lastWords);
    if (exitCode !== 0) process.exit(exitCode); // An end that we asked for ourselves would be taken for a good one.
  });

  try {
    const open = async (namespace: string): Promise<Client> => {
      const client = await once(() => connect(clientOptions(namespace, settings)), log, ending.signal);
      opened.push(client);
      return client;
    };
    const charts = await context.charts(open, settings, (line, message) => log.warn(line, message));
    const onFatal = (error: Error): void => {
      log.fatal({ error: wordsOf(error) }, 'cannot go on');
      exitCode = exitCodeOf(error);
      if (exitCode === 2) lastWords = `${error.message}\n`;
      grace.close();
    };
    running = await once(
      () => host({ ...hostOptions(context, settings, worker), charts, log, onFatal }),
      log,
      ending.signal,
    );
    log.info(
      { charts: charts.map(({ name, version }) => `${name}@${version}`), timeScale: settings.timeScale },
      'ready',
    );
  } catch (error) {
    log.fatal({ error: wordsOf(error) }, error instanceof NotHostable ? 'a chart cannot be hosted' : 'cannot start');
    exitCode = exitCodeOf(error);
    if (exitCode === 2 && error instanceof Error) lastWords = `${error.message}\n`; // For people, below all log lines.
    grace.close();
  }
}

const exitCodeOf = (error: unknown): number =>
  error instanceof NotHostable || (error instanceof OperatingError && unmendableCodes.has(error.code)) ? 2 : 1;

const urlOf = (namespace: string, settings: Settings): string =>
  namespace === DELIVERY ? settings.deliveryRedisUrl : settings.orderingRedisUrl;

const clientOptions = (namespace: string, settings: Settings) => ({
  namespace,
  url: urlOf(namespace, settings),
  secret: settings.secret,
  durability: settings.durability,
  config: { shards: settings.shards, ...timeOf(settings) },
});

function hostOptions({ namespace }: Context, settings: Settings, worker: string) {
  const other = namespace === ORDERING ? DELIVERY : ORDERING;
  return {
    namespace,
    worker,
    weight: settings.weight,
    url: urlOf(namespace, settings),
    shards: settings.shards,
    durability: settings.durability,
    ...timeOf(settings),
    peers: { [other]: { url: urlOf(other, settings), shards: settings.shards } },
    ...(settings.lockRedisUrls.length === 0 ? {} : { lockUrls: settings.lockRedisUrls }),
  };
}

/** Waits for a store that may start after us. Any other error is final: a setting is wrong, or the server is too weak. */
async function once<T>(start: () => Promise<T>, log: Logger, signal: AbortSignal): Promise<T> {
  for (let tries = 0; ; tries++) {
    try {
      return await start();
    } catch (error) {
      if (!(error instanceof OperatingError) || error.code !== 'redis-unavailable' || signal.aborted) throw error;
      if (tries % 20 === 0) log.warn({ why: error.message }, 'waiting for the store');
      await pause(systemClock, STORE_RETRY_MS, signal);
    }
  }
}

function settingsOf(): Settings | undefined {
  try {
    return loadSettings();
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 2;
    return undefined;
  }
}

/** What names an error, without what it may quote. */
const wordsOf = (error: unknown): object =>
  error instanceof Error
    ? {
        name: error.name,
        message: error.message,
        ...('code' in error ? { code: error.code } : {}),
        stack: error.stack?.split('\n').slice(1, 8),
      }
    : { name: 'NonError' };
