// `emboss watch [orderId]`: follows one order, or all, over the live WebSocket, through restarts of everything behind it.
//
//   P2  Each version of each order is printed once and in order. What is missing is asked for from the last one printed; a
//       gap that cannot be filled is said on stderr, never passed over.

import { Command, InvalidArgumentError } from 'commander';
import { LiveClient, type LiveEvent, type LiveSnapshot, type Problem, RestError } from '../../api/client/index.ts';
import { liveUrl, openSocket } from '../demo/following.ts';
import { CliFailure, EXIT } from '../failure.ts';
import { apiFailure, type Found, findSystem, restFor } from '../found.ts';
import { stopSignal } from '../watching.ts';

interface WatchOptions {
  readonly since?: number;
  readonly untilDone?: boolean;
  readonly json?: boolean;
  readonly token?: string;
}

export interface Line {
  readonly orderId: string;
  readonly version: number;
  readonly type: string;
  readonly at: string | undefined;
  readonly status: string | undefined;
  readonly reason?: string | undefined;
}

export function watchCommand(): Command {
  return new Command('watch')
    .description('Follow an order, or all of them, live.')
    .argument('[orderId]', 'default: all orders')
    .option('--since <version>', 'one order: begin above this version; 0 prints its whole history', version)
    .option('--until-done', 'one order: end when it has ended')
    .option('--json', 'one JSON object per version')
    .option('--token <token>', 'bearer token; default: an operator’s of the development issuer')
    .addHelpText('after', '\nEnds with Ctrl-C, exit code 0. When the API is away, it waits and goes on where it was.')
    .action(watch);
}

async function watch(orderId: string | undefined, options: WatchOptions): Promise<void> {
  if (orderId === undefined && (options.since !== undefined || options.untilDone === true))
    throw new CliFailure('--since and --until-done are about one order: name it', EXIT.usage);
  const found = findSystem();
  const desk = restFor(found, 'public', { subject: 'ops.operator', role: 'operator', token: options.token });
  if (orderId !== undefined) await desk.status(orderId).catch((error: unknown) => Promise.reject(apiFailure(error)));
  await desk.ticket().catch((error: unknown) => Promise.reject(apiFailure(error))); // Nobody there at all is told at once.

  const stop = stopSignal();
  let end: (why: CliFailure | undefined) => void = () => undefined;
  const over = new Promise<void>((resolve, reject) => {
    end = (why) => (why === undefined ? resolve() : reject(why));
    stop.addEventListener('abort', () => resolve(), { once: true });
  });
  const note = (words: string): void => void process.stderr.write(`emboss: ${words}\n`);
  const seen = new Versions();
  const { since = 0 } = options;
  const out = (line: Line): void => {
    if (!seen.isNew(line) || line.version <= since) return;
    process.stdout.write(options.json === true ? `${JSON.stringify(line)}\n` : `${plain(line)}\n`);
    if (options.untilDone === true && line.status !== undefined)
      void isOver(found, line, options.token).then((over) => over && end(undefined));
  };
  const live = new LiveClient({
    url: liveUrl(found.urls.public),
    ticket: () => freshTicket(found, options.token),
    connect: openSocket,
    onState: stateWords(note),
  });
  live.subscribe({
    topic: orderId === undefined ? 'ops.orders' : `order:${orderId}`,
    ...(options.since === undefined ? {} : { since: 0 }), // From the beginning, where no number can be of an undone version.
    onEvent: (event) => out(lineOf(event)),
    onSnapshot: (snapshot) => {
      if (snapshot.gap) note('some versions in between could not be had any more');
      const line = orderId === undefined ? undefined : lineOfSnapshot(orderId, snapshot);
      if (line !== undefined) out(line);
    },
    onRefused: (problem) => end(refused(problem)),
  });
  try {
    await over;
  } finally {
    await live.close();
  }
}

const DONE = new Set(['completed', 'rejected', 'cancelled', 'lost', 'expired']);

/** Whether the order has ended. `returned` alone does not say so: it may be sent once more. */
async function isOver(found: Found, { orderId, status }: Line, token: string | undefined): Promise<boolean> {
  if (status !== 'returned') return status !== undefined && DONE.has(status);
  const desk = restFor(found, 'internal', { subject: 'ops.operator', role: 'operator', token });
  const path = `/internal/v1/orders/${encodeURIComponent(orderId)}`;
  const view = await desk.call<{ readonly states: readonly string[] }>('GET', path).catch(() => undefined);
  return view?.body.states.includes('fulfilment.undeliverable') ?? false; // No answer: the watch goes on.
}

/** Guards the promise of the header against whatever comes down the wire: versions of an order only rise. */
export class Versions {
  readonly #last = new Map<string, number>();

  isNew({ orderId, version: next }: Pick<Line, 'orderId' | 'version'>): boolean {
    if (next <= (this.#last.get(orderId) ?? 0)) return false;
    this.#last.set(orderId, next);
    return true;
  }
}

const word = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);

export const lineOf = ({ orderId, version: at, type, occurredAt, data }: LiveEvent): Line => ({
  orderId,
  version: at,
  type,
  at: occurredAt,
  status: word(data.status),
  ...(word(data.reason) === undefined ? {} : { reason: word(data.reason) }),
});

function lineOfSnapshot(orderId: string, { version: at, state }: LiveSnapshot): Line | undefined {
  if (at === 0) return undefined; // It has shown nothing yet.
  return { orderId, version: at, type: 'snapshot', at: word(state.statusChangedAt), status: word(state.status) };
}

const plain = ({ orderId, version: at, type, at: when, status, reason }: Line): string =>
  [
    (when ?? '').padEnd(24),
    orderId,
    `v${at}`.padEnd(5),
    (status ?? '').padEnd(16),
    type,
    reason === undefined ? '' : `(${reason})`,
  ]
    .join('  ')
    .trimEnd();

/** Says once that the connection is gone, and once that it is back. */
function stateWords(note: (words: string) => void): (state: string, detail: string) => void {
  let isAway = false;
  return (state, detail) => {
    if (state === 'waiting' && !isAway) note(`the live connection is gone (${detail.trim()}); waiting for it`);
    if (state === 'live' && isAway) note('live again');
    isAway = state === 'waiting' || (isAway && state !== 'live');
  };
}

/** A token may have died with a long outage: each ticket is asked for with a new one, unless one was given. */
async function freshTicket(found: Found, token: string | undefined): Promise<string> {
  try {
    return await restFor(found, 'public', { subject: 'ops.operator', role: 'operator', token }).ticket();
  } catch (error) {
    throw error instanceof RestError
      ? new Error(error.status === 0 ? 'the API does not answer' : error.message)
      : error;
  }
}

const refused = (problem: Problem): CliFailure => new CliFailure(`${problem.code} ${problem.title}`);

function version(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 0) return value;
  throw new InvalidArgumentError('a version is a whole number, 0 or above.');
}
