// Waiting for a system to be usable: the api says so itself, and the simulators answer on their port.

import { connect } from 'node:net';
import { CliFailure, EXIT } from './failure.ts';
import { readable } from './log-lines.ts';
import type { SystemUrls } from './running.ts';
import type { Supervised } from './supervised.ts';
import { monotonic, pause } from './time.ts';

const POLL_MS = 50;
const ASK_MS_MAX = 2_000;

export interface Awaited {
  readonly urls: SystemUrls;
  readonly all: ReadonlyMap<string, Supervised>;
  readonly givenUp: ReadonlyMap<string, string>;
  readonly readyMsMax: number;
  /** Ends the wait: somebody changed their mind. */
  readonly signal?: AbortSignal | undefined;
}

/** Resolves when the system is ready. Rejects with CliFailure quoting the last lines of the process that stands in the way. */
export async function untilReady({ urls, all, givenUp, readyMsMax, signal }: Awaited): Promise<void> {
  const deadline = monotonic() + readyMsMax;
  const conditions = [
    { id: 'api.1', name: 'the api', holds: () => isReady(`${urls.public}/readyz`) },
    { id: 'ordering.1', name: 'the ordering workers', holds: () => allOwned(`${urls.public}/readyz`, 'ordering') },
    { id: 'delivery.1', name: 'the delivery workers', holds: () => allOwned(`${urls.public}/readyz`, 'delivery') },
    { id: 'partners.1', name: 'the partner simulators', holds: () => accepts(urls.simulator) },
  ];
  for (const { id, name, holds } of conditions.filter((condition) => all.has(condition.id))) {
    while (!(await holds())) {
      if (signal?.aborted === true) throw new CliFailure('stopped before it was ready', EXIT.interrupted);
      const [dead] = givenUp;
      if (dead !== undefined) throw failed(dead[0], dead[1], all.get(dead[0]));
      if (monotonic() > deadline) {
        throw new CliFailure(`${name} did not become ready within ${readyMsMax / 1_000} s.${quote(all.get(id))}`);
      }
      await pause(POLL_MS);
    }
  }
}

function failed(id: string, why: string, process: Supervised | undefined): CliFailure {
  if (process?.refused !== true) return new CliFailure(`${id} ${why}.${quote(process)}`);
  const advice =
    'No restart mends that: correct what it names (--real-time and --time-scale set the time scale). Data keep the settings ' +
    'they were begun with; for others, give the system data of its own: EMBOSS_DATA_DIR=.data/second, or another database ' +
    'where REDIS_URL is set.';
  return new CliFailure(`${id} ${why}.${quote(process)}\n${advice}`, EXIT.settings);
}

/** Every shard of the context has an owner, as the api sees it. A system without an api has nobody to ask, and nobody who waits. */
async function allOwned(url: string, context: 'ordering' | 'delivery'): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(ASK_MS_MAX) });
    const body = (await response.json()) as { readonly owned?: { readonly [context: string]: string } };
    const [owned, all] = (body.owned?.[context] ?? '').split('/');
    return !response.ok || owned === undefined || owned === '' || owned === all;
  } catch {
    return true;
  }
}

async function isReady(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(ASK_MS_MAX) });
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
}

function accepts(url: string): Promise<boolean> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    const socket = connect({ host: hostname.replace(/^\[|\]$/g, ''), port: Number(port), timeout: ASK_MS_MAX });
    const end = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => end(true));
    socket.once('error', () => end(false));
    socket.once('timeout', () => end(false));
  });
}

function quote(process: Supervised | undefined): string {
  if (process === undefined || process.lastLines.length === 0) return '';
  return ` Last lines of ${process.id}:\n${process.lastLines.map((line) => `  ${readable(line)}`).join('\n')}`;
}
