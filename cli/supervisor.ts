// The supervisor: brings a whole system up by the Procfile, keeps it up, and takes it down without leaving anything.
//
// Order up: data folder claimed, ports chosen, Redis found, processes started with static ids (`ordering.1`, L1), api
// ready. Order down: processes, then the private Redis, then the record. `emboss up`, the demo and tests use it alike.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type Environment,
  environmentOf,
  type Ports,
  readSettings,
  type Settings,
  SettingsError,
} from '../actors/contract/settings.ts';
import { CliFailure, EXIT } from './failure.ts';
import { prefixer } from './log-lines.ts';
import { choosePorts, freePorts, PORT_SETTINGS, SURFACES } from './ports.ts';
import { type ProcessType, parseProcfile, type Scale } from './procfile.ts';
import { projectRoot } from './project.ts';
import { untilReady } from './readiness.ts';
import { type KeptRedis, keepRedis } from './redis-kept.ts';
import {
  bornAt,
  claimRunning,
  forgetRunning,
  type Running,
  readRunning,
  type SystemUrls,
  writeRunning,
} from './running.ts';
import { Supervised } from './supervised.ts';
import type { System, SystemOptions } from './system.ts';
import { wallTime } from './time.ts';

/** For two cores: one worker more than needed where failover is to be seen. Types not named here get one process. */
const SCALE_DEFAULT: Scale = { api: 1, ordering: 2, delivery: 1, partners: 1 };
const READY_MS_MAX = 60_000;
const STOP_MS_MAX = 20_000; // Above what a worker takes at most: 10 s to drain, then release, leave, close.

export type { System, SystemOptions } from './system.ts';

/** Starts a system and resolves when it is ready. Rejects with CliFailure, everything stopped, when it cannot. */
export async function startSystem(options: SystemOptions = {}): Promise<System> {
  const say = options.say ?? (() => {});
  const folder = options.folder ?? projectRoot;
  const types = parseProcfile(readFileSync(join(folder, 'Procfile'), 'utf8'));
  const environment = environmentFor(options, folder);
  const settings = checkedSettings(environment);
  claim(settings);
  let redis: KeptRedis | undefined;
  try {
    const ports = await portsFor(options, environment, settings, say);
    redis = await keepRedis(settings, say);
    const system = new LiveSystem({ options, types, folder, environment, settings, ports, redis, say });
    await system.startProcesses();
    return system;
  } catch (error) {
    await redis?.stop();
    forgetRunning(settings.dataDir);
    throw error;
  }
}

function environmentFor(options: SystemOptions, folder: string): Environment {
  const dataDir = options.dataDir === undefined ? {} : { EMBOSS_DATA_DIR: options.dataDir };
  return { ...(options.environment ?? environmentOf(folder)), ...options.env, ...dataDir };
}

function checkedSettings(environment: Environment): Settings {
  try {
    return readSettings(environment, projectRoot);
  } catch (error) {
    throw error instanceof SettingsError ? new CliFailure(error.message, EXIT.settings) : error;
  }
}

function claim(settings: Settings): void {
  const record: Running = {
    state: 'starting',
    pid: process.pid,
    born: bornAt(process.pid),
    startedAt: wallTime(),
    dataDir: settings.dataDir,
    redisUrl: settings.redisUrl,
    redisKind: 'given',
    urls: urlsOf(settings.host, settings.ports),
    timeScale: settings.timeScale,
    processes: [],
  };
  if (claimRunning(settings.dataDir, record)) return;
  const other = readRunning(settings.dataDir);
  throw new CliFailure(
    `A system already runs on ${settings.dataDir}${other === undefined ? '' : ` (process ${other.pid}, ${other.urls.public})`}.\n` +
      'Stop that one first, or give this one a folder of its own: EMBOSS_DATA_DIR=.data/second',
  );
}

async function portsFor(
  options: SystemOptions,
  environment: Environment,
  settings: Settings,
  say: (line: string) => void,
): Promise<Ports> {
  if (options.ports === 'free') return freePorts();
  const isChosen = (surface: keyof Ports): boolean => Boolean(environment[PORT_SETTINGS[surface]]);
  return choosePorts({ ports: settings.ports, host: settings.host, isChosen, say });
}

function urlsOf(host: string, ports: Ports): SystemUrls {
  const name = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
  const at = (port: number): string => `http://${name.includes(':') ? `[${name}]` : name}:${port}`;
  return {
    public: at(ports.public),
    internal: at(ports.internal),
    courier: at(ports.courier),
    partner: at(ports.partner),
    simulator: at(ports.simulator),
  };
}

interface Parts {
  readonly options: SystemOptions;
  readonly types: readonly ProcessType[];
  readonly folder: string;
  readonly environment: Environment;
  readonly settings: Settings;
  readonly ports: Ports;
  readonly redis: KeptRedis;
  readonly say: (line: string) => void;
}

class LiveSystem implements System {
  readonly urls: SystemUrls;
  readonly redisUrl: string;
  readonly settings: Settings;
  readonly env: Environment;
  readonly #parts: Parts;
  readonly #all: ReadonlyMap<string, Supervised>;
  readonly #givenUp = new Map<string, string>();
  readonly #startedAt = wallTime();
  readonly #onExit = (): void => this.#killAll();
  #state: Running['state'] = 'starting';
  #stopping: Promise<void> | undefined;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.urls = urlsOf(parts.settings.host, parts.ports);
    this.redisUrl = parts.redis.url;
    this.env = processEnvironment(parts, this.urls);
    this.settings = checkedSettings({ ...this.env, EMBOSS_SUPERVISED: undefined }); // With the notices, for whoever started us.
    this.#all = processesOf(parts, this.env, {
      changed: () => this.#note(),
      givenUp: (id, why) => this.#givenUp.set(id, why),
    });
    process.once('exit', this.#onExit);
  }

  record(): Running {
    const { settings, redis } = this.#parts;
    return {
      state: this.#state,
      pid: process.pid,
      born: bornAt(process.pid),
      startedAt: this.#startedAt,
      dataDir: settings.dataDir,
      redisUrl: redis.url,
      redisKind: redis.kind,
      ...(redis.pid === undefined ? {} : { redisPid: redis.pid }),
      urls: this.urls,
      timeScale: settings.timeScale,
      processes: [...this.#all.values()].map((one) => ({ id: one.id, pid: one.pid ?? null, restarts: one.restarts })),
    };
  }

  pids(): { readonly [id: string]: number } {
    const running = [...this.#all.values()].flatMap(({ id, pid }) => (pid === undefined ? [] : [[id, pid] as const]));
    return Object.fromEntries(running);
  }

  kill(id: string, signal: NodeJS.Signals = 'SIGKILL'): boolean {
    const one = this.#all.get(id);
    this.#parts.say(one === undefined ? `there is no process ${id}` : `${signal} to ${id}`);
    one?.signal(signal);
    return one !== undefined;
  }

  async stopProcesses(ids?: readonly string[]): Promise<void> {
    await Promise.all(this.#pick(ids).map((one) => one.stop()));
  }

  async startProcesses(ids?: readonly string[]): Promise<void> {
    for (const one of this.#pick(ids)) {
      this.#givenUp.delete(one.id);
      one.start();
    }
    try {
      const { readyMsMax = READY_MS_MAX, signal } = this.#parts.options;
      await untilReady({ urls: this.urls, all: this.#all, givenUp: this.#givenUp, readyMsMax, signal });
    } catch (error) {
      await this.stop();
      throw error;
    }
    this.#state = 'ready';
    this.#note();
  }

  givenUp(): { readonly [id: string]: string } {
    return Object.fromEntries(this.#givenUp);
  }

  lastLines(id: string): readonly string[] {
    return this.#all.get(id)?.lastLines ?? [];
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#takeDown();
    return this.#stopping;
  }

  async #takeDown(): Promise<void> {
    this.#state = 'stopping';
    await this.stopProcesses();
    await this.#parts.redis.stop();
    process.off('exit', this.#onExit);
    forgetRunning(this.#parts.settings.dataDir);
  }

  #killAll(): void {
    for (const one of this.#all.values()) one.abandon();
    forgetRunning(this.#parts.settings.dataDir);
  }

  #pick(ids: readonly string[] | undefined): Supervised[] {
    return [...this.#all.values()].filter((one) => ids?.includes(one.id) ?? true);
  }

  #note(): void {
    if (this.#stopping === undefined) writeRunning(this.record());
  }
}

/** What all processes get: the chosen ports, the found Redis, and the addresses that follow from them. */
function processEnvironment({ environment, settings, ports, redis }: Parts, urls: SystemUrls): Environment {
  return {
    ...environment,
    REDIS_URL: redis.url,
    EMBOSS_DATA_DIR: settings.dataDir,
    EMBOSS_API_URL: environment.EMBOSS_API_URL || urls.public,
    EMBOSS_PARTNERS_URL: environment.EMBOSS_PARTNERS_URL || urls.simulator,
    EMBOSS_CALLBACK_URL: environment.EMBOSS_CALLBACK_URL || urls.partner,
    // One for both contexts; where a first start has recorded another, that one counts.
    EMBOSS_TIME_ORIGIN: environment.EMBOSS_TIME_ORIGIN || String(Date.parse(wallTime())),
    EMBOSS_BOOTSTRAP: 'skip', // We come through the bootstrap ourselves: nobody rebuilds below a running system.
    EMBOSS_SUPERVISED: '1',
    ...portVariables(ports),
  };
}

const portVariables = (ports: Ports): Environment =>
  Object.fromEntries(SURFACES.map((surface) => [PORT_SETTINGS[surface], String(ports[surface])]));

interface Hooks {
  readonly changed: () => void;
  readonly givenUp: (id: string, why: string) => void;
}

function processesOf(parts: Parts, env: Environment, hooks: Hooks): Map<string, Supervised> {
  const { options, types, folder, say } = parts;
  const scale = { ...SCALE_DEFAULT, ...options.scale };
  const ids = types.flatMap((type) =>
    Array.from({ length: scale[type.name] ?? 1 }, (_, i) => ({ type, id: `${type.name}.${i + 1}` })),
  );
  const width = Math.max(...ids.map(({ id }) => id.length), 0);
  return new Map(
    ids.map(({ type, id }, index) => {
      const print = options.write === undefined ? undefined : prefixer(id, width, index, options.colour ?? false);
      const supervised = new Supervised({
        id,
        command: type.command,
        cwd: folder,
        env: { ...env, ...(id.endsWith('.1') ? {} : offsetPorts(parts.ports, id)), EMBOSS_WORKER_ID: id },
        restart: options.restart ?? true,
        stopMsMax: options.stopMsMax ?? STOP_MS_MAX,
        line: (line) => print !== undefined && options.write?.(print(line)),
        say,
        changed: hooks.changed,
        givenUp: (why) => hooks.givenUp(id, why),
      });
      return [id, supervised];
    }),
  );
}

/** A second api or simulator listens 100 ports further, the third 200: as Procfile runners space out PORT. */
function offsetPorts(ports: Ports, id: string): Environment {
  const offset = 100 * (Number(id.slice(id.lastIndexOf('.') + 1)) - 1);
  const moved = Object.fromEntries(
    SURFACES.map((surface) => [surface, ((ports[surface] + offset - 1_024) % 64_000) + 1_024]),
  );
  return portVariables(moved as unknown as Ports); // fromEntries over all surfaces gives every field.
}
