// The api process: settings, clients of both contexts, the live hub, and one listener per surface.
//
// It stops in this order: not ready, no new connections, goodbye to the live ones, what is in hand, then the clients.

import closeWithGrace from 'close-with-grace';
import type { FastifyInstance } from 'fastify';
import { CatalogueError, loadCatalogue } from '../actors/contract/catalogue.ts';
import { DELIVERY, ORDERING } from '../actors/contract/index.ts';
import { loadSettings, type Settings, SettingsError, timeOf } from '../actors/contract/settings.ts';
import { unmendableCodes } from '../actors/contract/unmendable.ts';
import { openPeople } from '../actors/people/index.ts';
import { type Client, connect, OperatingError } from '../runtime/client.ts';
import { createSurface, surfaces } from './app.ts';
import { developmentTokens, issuerTokens, type Tokens } from './auth/tokens.ts';
import { pause, systemTicker } from './client/clock.ts';
import type { SurfaceName } from './frame.ts';
import { limits } from './limits.ts';
import { createHub } from './live/hub.ts';
import { createLog } from './log.ts';
import { partnerControls } from './partner-controls.ts';
import type { Parts } from './parts.ts';
import { picturesOf } from './pictures.ts';
import { createReadiness } from './readiness.ts';

const settings = settingsOrExit();
const log = createLog({ level: settings.logLevel });
for (const notice of settings.notices) log.warn(notice);

const closing = new AbortController();
const opened: { close(): Promise<unknown> }[] = [];
let lastWords: string | undefined;
const grace = closeWithGrace({ delay: limits.drainMs, logger: log }, async ({ signal, err }) => {
  if (err !== undefined) log.error({ err }, 'stopping after an error');
  else log.info({ signal }, 'stopping');
  closing.abort();
  for (const each of opened.reverse()) await each.close();
  log.info('stopped');
  if (lastWords === undefined) return;
  process.stderr.write(`${lastWords}\n`); // For people, below all log lines.
  process.exit(2); // An end that we asked for ourselves would be taken for a good one.
});

try {
  await serve();
} catch (error) {
  const isFinal = error instanceof CatalogueError || error instanceof OperatingError;
  if (!isFinal || !unmendableCodes.has(error.code)) throw error;
  log.fatal({ err: error }, 'cannot start');
  lastWords = error.message;
  grace.close();
}

async function serve(): Promise<void> {
  const catalogue = loadCatalogue(settings.catalogueDir);
  const ordering = await connected(ORDERING, settings.orderingRedisUrl);
  const delivery = await connected(DELIVERY, settings.deliveryRedisUrl);
  const hub = createHub({
    client: ordering,
    ticker: systemTicker,
    pictures: picturesOf(ordering),
    failed: (error) => log.warn({ err: error }, 'live'),
  });
  await hub.start();

  const watched = { ordering, delivery, hub, ticker: systemTicker, accepting: () => !closing.signal.aborted };
  const parts: Parts = {
    ...watched,
    readiness: createReadiness(watched),
    people: openPeople(ordering, settings),
    catalogue,
    tokens: tokensOf(settings),
    log,
    callbackSecret: settings.partnerSecret,
    callbackSecretBefore: settings.partnerSecretBefore,
    controls: isPlayed(ordering) ? partnerControls(settings.partnersUrl) : undefined,
    origins: settings.origins,
  };
  const apps = await Promise.all(surfaces.map(async (name) => ({ name, app: await createSurface(name, parts) })));
  for (const { app } of apps) opened.push(app);
  opened.push({ close: () => hub.drain() }); // Last in, first out: the live ones hear it before their listener closes.
  for (const { name, app } of apps) await listen(name, app);
  log.info('ready');
}

/** Business that does not run in real time is no one's business: time and partners may be played with. */
function isPlayed({ timeScale, virtualTime }: Client): boolean {
  return !settings.production && (timeScale !== 1 || virtualTime);
}

async function listen(name: SurfaceName, app: FastifyInstance): Promise<void> {
  await app.listen({
    host: settings.host,
    port: settings.ports[name],
    listenTextResolver: (address) => `listening at ${address}`,
  });
}

const STORE_RETRY_MS = 500;

/** Waits for the store, which may start after us. Any other error ends the process: a setting is wrong, or the server too weak. */
async function connected(namespace: string, url: string): Promise<Client> {
  for (let tries = 0; ; tries++) {
    try {
      const { secret, durability, shards } = settings;
      const client = await connect({ namespace, url, secret, durability, config: { shards, ...timeOf(settings) } });
      opened.push(client);
      return client;
    } catch (error) {
      const code = (error as { code?: unknown }).code;
      if (code !== 'redis-unavailable' || closing.signal.aborted) throw error;
      if (tries % 20 === 0) log.warn({ namespace, code }, 'waiting for the store');
      await pause(systemTicker, STORE_RETRY_MS, closing.signal);
    }
  }
}

function tokensOf({ authJwksUrl, authIssuer, secret }: Settings): Tokens {
  if (authJwksUrl !== undefined && authIssuer !== undefined) {
    return issuerTokens({ jwksUrl: authJwksUrl, issuer: authIssuer }, systemTicker);
  }
  log.warn(
    'DEVELOPMENT TOKENS: POST /internal/v1/dev-tokens gives a token for any subject and role to whoever reaches the internal port.',
  );
  return developmentTokens(secret, systemTicker);
}

function settingsOrExit(): Settings {
  try {
    return loadSettings();
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exit(2);
  }
}
