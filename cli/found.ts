// Finding the running system: by the record that `emboss up` keeps in its data folder, else by REDIS_URL and EMBOSS_*.

import type { Role } from '../actors/contract/dto.ts';
import { DELIVERY, ORDERING } from '../actors/contract/index.ts';
import { environmentOf, readSettings, type Settings } from '../actors/contract/settings.ts';
import { RestClient, RestError } from '../api/client/index.ts';
import { type Client, connect } from '../runtime/client.ts';
import { OperatingError } from '../runtime/errors.ts';
import { CliFailure, EXIT } from './failure.ts';
import { projectRoot } from './project.ts';
import { withPatientReads } from './reads.ts';
import { type Running, readRunning, type SystemUrls } from './running.ts';
import { developmentToken, renewing } from './tokens.ts';

export interface Found {
  readonly settings: Settings;
  /** The record, where the system was started by our supervisor on this machine. */
  readonly running: Running | undefined;
  readonly urls: SystemUrls;
  readonly orderingRedisUrl: string;
  readonly deliveryRedisUrl: string;
}

const NOT_FOUND =
  'No running system was found. Start one with `npm start`, or say where it is: REDIS_URL, EMBOSS_API_URL (docs/settings.md).';

/** Throws CliFailure, exit code 69, when nothing says where a system is. Nothing is connected yet. */
export function findSystem(): Found {
  const environment = environmentOf(projectRoot);
  const settings = readSettings(environment, projectRoot);
  const running = readRunning(settings.dataDir);
  const isPointedAt =
    settings.redisUrlGiven || Boolean(environment.EMBOSS_API_URL) || Boolean(environment.EMBOSS_ORDERING_REDIS_URL);
  if (running === undefined && !isPointedAt) throw new CliFailure(NOT_FOUND, EXIT.unavailable);
  const redisUrl = settings.redisUrlGiven ? settings.redisUrl : (running?.redisUrl ?? settings.redisUrl);
  const own = urlsOf(settings);
  return {
    settings,
    running,
    urls: { ...own, ...running?.urls, ...(environment.EMBOSS_API_URL ? { public: settings.apiUrl } : {}) },
    orderingRedisUrl: environment.EMBOSS_ORDERING_REDIS_URL ? settings.orderingRedisUrl : redisUrl,
    deliveryRedisUrl: environment.EMBOSS_DELIVERY_REDIS_URL ? settings.deliveryRedisUrl : redisUrl,
  };
}

function urlsOf(settings: Settings): SystemUrls {
  const at = (port: number): string => `http://127.0.0.1:${port}`;
  const { internal, courier, partner } = settings.ports;
  return {
    public: settings.apiUrl,
    internal: at(internal),
    courier: at(courier),
    partner: at(partner),
    simulator: settings.partnersUrl,
  };
}

export interface Clients {
  readonly ordering: Client;
  readonly delivery: Client;
  close(): Promise<void>;
}

/**
 * Clients of both contexts, with reads that are repeated. Throws CliFailure, exit code 69, when Redis cannot be reached or no
 * worker was ever there.
 */
export async function openClients(
  found: Pick<Found, 'settings' | 'orderingRedisUrl' | 'deliveryRedisUrl'>,
): Promise<Clients> {
  const { secret } = found.settings;
  const open = async (namespace: string, url: string): Promise<Client> =>
    withPatientReads(await connect({ namespace, url, secret }));
  try {
    const ordering = await open(ORDERING, found.orderingRedisUrl);
    const delivery = await open(DELIVERY, found.deliveryRedisUrl).catch(async (error: unknown) => {
      await ordering.close();
      throw error;
    });
    return { ordering, delivery, close: async () => void (await Promise.all([ordering.close(), delivery.close()])) };
  } catch (error) {
    throw unavailable(error);
  }
}

const unavailable = (error: unknown): unknown =>
  inWords(error, EXIT.unavailable, ({ code }) =>
    code === 'namespace-unknown' ? '. Start the system with `npm start`.' : '. Is it running? See `emboss doctor`.',
  );

/** What the runtime said, as a failure of the command: its words without a stack, and what could be done. */
export function inWords(
  error: unknown,
  exitCode: number = EXIT.failed,
  hint: (error: OperatingError) => string = () => '',
): unknown {
  return error instanceof OperatingError ? new CliFailure(`${error.message}${hint(error)}`, exitCode) : error;
}

/** Runs `work` with both clients and closes them. */
export async function withClients<T>(work: (clients: Clients, found: Found) => Promise<T>): Promise<T> {
  const found = findSystem();
  const clients = await openClients(found);
  try {
    return await work(clients, found);
  } finally {
    await clients.close();
  }
}

/** The context an actor lives in, by its id. */
export const homeOf = (actor: string, { ordering, delivery }: Clients): Client =>
  actor.startsWith('dlv_') ? delivery : ordering;

/** A client of one surface in a role: with the token given, else with one of the development issuer. */
export function restFor(
  found: Found,
  surface: 'public' | 'internal',
  who: { readonly subject: string; readonly role: Role; readonly token?: string | undefined },
): RestClient {
  const quick = { deadlineMs: 15_000, attemptsMax: 6 };
  const issuer = new RestClient({ baseUrl: found.urls.internal, ...quick });
  const token = who.token ?? renewing(() => developmentToken(issuer, who.subject, who.role));
  return new RestClient({ baseUrl: found.urls[surface], token, ...quick });
}

/** What the API said, as a failure of the command: words, and what could be done instead. */
export function apiFailure(error: unknown): unknown {
  if (!(error instanceof RestError)) return error;
  const { problem, status } = error;
  if (problem === undefined) {
    if (status === 0)
      return new CliFailure('The API does not answer. Is the system running? See `emboss doctor`.', EXIT.unavailable);
    return new CliFailure(`The API answered ${status} and nothing readable.`);
  }
  const details = [
    problem.detail,
    ...(problem.errors ?? []).map(({ pointer, code }) => `${pointer}: ${code}`),
    problem.allowedActions === undefined ? undefined : `allowed now: ${problem.allowedActions.join(', ') || 'nothing'}`,
    problem.links?.existing === undefined ? undefined : `the other one: ${problem.links.existing.split('/').at(-1)}`,
  ].filter((detail) => detail !== undefined);
  return new CliFailure([`${problem.code} ${problem.title}`, ...details.map((detail) => `  ${detail}`)].join('\n'));
}
