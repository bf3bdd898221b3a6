// The ground the demo plays on: the running system where there is one in scaled time, else one of its own that leaves
// nothing behind.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { environmentOf, readSettings } from '../../actors/contract/settings.ts';
import type { Client } from '../../runtime/client.ts';
import { CliFailure, EXIT } from '../failure.ts';
import { type Clients, findSystem, openClients } from '../found.ts';
import { projectRoot } from '../project.ts';
import { type Running, readRunning, type SystemUrls } from '../running.ts';
import { type System, startSystem } from '../supervisor.ts';
import type { Fleet } from './kills.ts';

/** A business day in 24 seconds: an order lives for about half a minute. */
export const TIME_SCALE = 3_600;
/** Below this an order's life takes longer than anybody watches. */
const TIME_SCALE_MIN = 600;

export interface Ground {
  readonly kind: 'own' | 'running';
  readonly urls: SystemUrls;
  readonly timeScale: number;
  readonly clients: Clients;
  readonly fleet: Fleet;
  /** Folder of the own system's data. */
  readonly dataDir: string;
  /** Ends the own system and removes its data, unless it is kept; leaves a running one as it is. */
  leave(): Promise<void>;
}

export interface GroundWish {
  /** Never use a running system. */
  readonly own: boolean;
  readonly keep: boolean;
  readonly timeScale: number | undefined;
  readonly scale: { readonly [type: string]: number };
  readonly say: (line: string) => void;
  /** Log lines of the own system's processes. */
  readonly write?: ((line: string) => void) | undefined;
  readonly signal: AbortSignal;
}

export async function ground(wish: GroundWish): Promise<Ground> {
  const settings = readSettings(environmentOf(projectRoot), projectRoot);
  const running = wish.own ? undefined : readRunning(settings.dataDir);
  if (running === undefined || running.state !== 'ready') return ownGround(wish);
  if (running.timeScale >= TIME_SCALE_MIN) {
    wish.say(`using the running system at ${running.urls.public}, ${running.timeScale} times as fast as real time`);
    return runningGround(settings.dataDir, running);
  }
  wish.say(
    `the system at ${running.urls.public} runs ${running.timeScale === 1 ? 'in real time' : `only ${running.timeScale} times as fast as real time`}: ` +
      'an order would take days there, so the demo starts a system of its own',
  );
  return ownGround(wish);
}

async function ownGround(wish: GroundWish): Promise<Ground> {
  const timeScale = wish.timeScale ?? TIME_SCALE;
  const dataDir = mkdtempSync(join(tmpdir(), 'emboss-demo-'));
  let system: System | undefined;
  const leave = async (): Promise<void> => {
    await system?.stop();
    if (wish.keep) wish.say(`data kept in ${dataDir}`);
    else rmSync(dataDir, { recursive: true, force: true });
  };
  try {
    system = await startSystem({
      ports: 'free',
      dataDir,
      scale: wish.scale,
      env: { EMBOSS_TIME_SCALE: String(timeScale), EMBOSS_LOG_LEVEL: wish.write === undefined ? 'warn' : 'info' },
      say: wish.say,
      signal: wish.signal,
      ...(wish.write === undefined ? {} : { write: wish.write }),
    });
    const { settings } = system;
    const clients = await openClients({
      settings,
      orderingRedisUrl: settings.orderingRedisUrl,
      deliveryRedisUrl: settings.deliveryRedisUrl,
    });
    const own = system;
    return {
      kind: 'own',
      urls: own.urls,
      timeScale,
      clients,
      dataDir,
      fleet: { pids: () => own.pids(), kill: (id) => own.kill(id), shardsOf: (worker) => shardsOf(clients, worker) },
      leave: async () => {
        await clients.close();
        await leave();
      },
    };
  } catch (error) {
    await leave();
    throw error;
  }
}

async function runningGround(dataDir: string, running: Running): Promise<Ground> {
  const clients = await openClients(findSystem());
  const pids = (): { readonly [id: string]: number } =>
    Object.fromEntries(
      (readRunning(dataDir)?.processes ?? []).flatMap(({ id, pid }) => (pid === null ? [] : [[id, pid]])),
    );
  return {
    kind: 'running',
    urls: running.urls,
    timeScale: running.timeScale,
    clients,
    dataDir,
    fleet: { pids, kill: (id) => killProcess(pids()[id]), shardsOf: (worker) => shardsOf(clients, worker) },
    leave: () => clients.close(),
  };
}

/** The supervisor starts it again. */
function killProcess(pid: number | undefined): boolean {
  if (pid === undefined) return false;
  try {
    process.kill(pid, 'SIGKILL');
    return true;
  } catch {
    return false; // Gone already.
  }
}

async function shardsOf(clients: Clients, worker: string): Promise<readonly number[]> {
  const client: Client = worker.startsWith('delivery.') ? clients.delivery : clients.ordering;
  return (await client.shardViews()).filter(({ owner }) => owner === worker).map(({ shard }) => shard);
}

/** Reads `--time-scale`. */
export function checkedTimeScale(value: number): number {
  if (value >= TIME_SCALE_MIN) return value;
  throw new CliFailure(`--time-scale ${value}: the demo needs at least ${TIME_SCALE_MIN}`, EXIT.usage);
}
