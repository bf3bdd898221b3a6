// What can be asked of a running system, and how one is wished for. The supervisor fulfils it.

import type { Environment, Settings } from '../actors/contract/settings.ts';
import type { Scale } from './procfile.ts';
import type { Running, SystemUrls } from './running.ts';

export interface SystemOptions {
  /** Over the defaults: api=1, ordering=2, delivery=1, partners=1. */
  readonly scale?: Scale;
  /** Settings for all processes, over those of the environment. */
  readonly env?: Environment;
  /** Default: this process's environment over the project's `.env`. */
  readonly environment?: Environment;
  /** `free`: ports nobody uses, without asking for the configured ones. Default `settings`. */
  readonly ports?: 'settings' | 'free';
  /** Default: the setting EMBOSS_DATA_DIR. */
  readonly dataDir?: string;
  /** Folder with the Procfile, in which the processes run. Default: the project. */
  readonly folder?: string;
  /** Start again what dies. Default true. */
  readonly restart?: boolean;
  /** Gets each log line of the processes, with the process's name in front. Default: none are shown. */
  readonly write?: (line: string) => void;
  /** Gets what the supervisor itself has to say, in sentences. */
  readonly say?: (line: string) => void;
  readonly colour?: boolean;
  /** Grace between SIGTERM and SIGKILL when stopping. Default 10 s. */
  readonly stopMsMax?: number;
  /** How long the start may take. Default 60 s. */
  readonly readyMsMax?: number;
  /** Aborted during the start, it ends the start and stops what was started. */
  readonly signal?: AbortSignal;
}

export interface System {
  readonly urls: SystemUrls;
  readonly redisUrl: string;
  readonly settings: Settings;
  /** The environment of the processes: for programs that are to speak with them. */
  readonly env: Environment;
  record(): Running;
  /** Process ids of what runs at this moment, by id such as `ordering.1`. */
  pids(): { readonly [id: string]: number };
  /** Signals one process; SIGKILL by default. It is started again unless `restart` is off. False for an unknown id. */
  kill(id: string, signal?: NodeJS.Signals): boolean;
  /** Stops one process, or all of them, gracefully and keeps the rest up: Redis stays. */
  stopProcesses(ids?: readonly string[]): Promise<void>;
  /** Starts them again and resolves when the api is ready. */
  startProcesses(ids?: readonly string[]): Promise<void>;
  /** Processes that were given up, with the reason. */
  givenUp(): { readonly [id: string]: string };
  lastLines(id: string): readonly string[];
  /** SIGTERM to all, SIGKILL to what is left after `stopMsMax`, then Redis. Safe to call twice. */
  stop(): Promise<void>;
}
