// One supervised process: started with an id of its own, started again when it dies, stopped with patience.
//
// It runs in a process group of its own, so that a Ctrl-C in the terminal reaches the supervisor alone, and it holds the
// other end of a pipe from us as its stdin: the bootstrap in it ends the process when that pipe closes, also when the
// supervisor was killed. One that is stopped by a signal then cannot notice: on Linux the kernel lets it go on.

import { type ChildProcess, spawn } from 'node:child_process';
import { findOnPath } from '../runtime/testing/redis-server.ts';
import { LineCutter } from './log-lines.ts';
import { shellLine } from './procfile.ts';
import { monotonic, pause, settledWithin } from './time.ts';

/** Pauses before the first, second, … start in a row; the last one repeats. Milliseconds. */
const RESTART_PAUSES_MS = [100, 250, 500, 1_000, 2_000, 5_000];
/** Deaths in a row, none of them after a life of HEALTHY_MS, after which a process is given up. */
const DEATHS_IN_A_ROW_MAX = 12;
const HEALTHY_MS = 20_000;
const LAST_LINES_MAX = 30;
/** With this exit code a process says that it would fail the same way again: settings that cannot be used. */
const REFUSAL = 2;

export interface SupervisedOptions {
  readonly id: string;
  readonly command: string;
  readonly cwd: string;
  readonly env: { readonly [name: string]: string | undefined };
  readonly restart: boolean;
  /** From SIGTERM to SIGKILL. */
  readonly stopMsMax: number;
  /** Each line the process prints, without its name. */
  readonly line: (line: string) => void;
  /** What happened to the process, in a sentence. */
  readonly say: (line: string) => void;
  /** After each start and each end. */
  readonly changed: () => void;
  /** The process died too often in a row, refused to run, or died with `restart` off: it stays down. */
  readonly givenUp: (why: string) => void;
}

export class Supervised {
  readonly id: string;
  readonly #options: SupervisedOptions;
  readonly #last: string[] = [];
  #child: ChildProcess | undefined;
  #ended: Promise<void> = Promise.resolve();
  #wanted = false;
  #restarts = 0;
  #deaths = 0;
  #refused = false;
  #pausing = new AbortController();

  constructor(options: SupervisedOptions) {
    this.id = options.id;
    this.#options = options;
  }

  /** Process id while it runs. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  get restarts(): number {
    return this.#restarts;
  }

  /** True when it ended with the word that no restart mends what stands in its way. */
  get refused(): boolean {
    return this.#refused;
  }

  /** The last 30 lines it printed, oldest first: for reports of a failed start. */
  get lastLines(): readonly string[] {
    return this.#last;
  }

  start(): void {
    if (this.#wanted) return;
    this.#wanted = true;
    this.#deaths = 0;
    this.#refused = false;
    this.#pausing = new AbortController();
    this.#launch();
  }

  /** SIGTERM, SIGKILL after `stopMsMax`. Resolves when the process is gone and stays down. */
  async stop(): Promise<void> {
    this.#wanted = false;
    this.#pausing.abort();
    if (this.#child === undefined) return;
    this.signal('SIGTERM');
    const { stopMsMax, say } = this.#options;
    if (await settledWithin(this.#ended, stopMsMax)) return;
    say(`${this.id} did not stop within ${stopMsMax / 1000} s: killed`);
    this.signal('SIGKILL');
    await this.#ended;
  }

  /** Ends the process at once and for good, without waiting. */
  abandon(): void {
    this.#wanted = false;
    this.#pausing.abort();
    this.signal('SIGKILL');
  }

  /** Sends a signal to the process and what it started. Nothing happens when it is not running. */
  signal(name: NodeJS.Signals): void {
    const pid = this.#child?.pid;
    if (pid === undefined) return;
    try {
      process.kill(-pid, name); // Its group: it leads one.
    } catch {
      this.#child?.kill(name);
    }
  }

  #launch(): void {
    const { command, cwd, env } = this.#options;
    const [program, ...args] = thawedWithoutUs(['/bin/sh', '-c', shellLine(command)], env.PATH);
    const child = spawn(program, args, {
      cwd,
      env: { ...env },
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const begun = monotonic();
    this.#child = child;
    child.stdin.on('error', () => {}); // It may close its end whenever it likes.
    for (const stream of [child.stdout, child.stderr]) {
      const cutter = new LineCutter((line) => this.#print(line));
      stream.setEncoding('utf8').on('data', (chunk: string) => cutter.push(chunk));
      stream.on('end', () => cutter.end());
    }
    this.#ended = new Promise((resolve) => {
      const end = (how: string, code: number | null): void => {
        if (this.#child !== child) return;
        this.#child = undefined;
        this.#refused = code === REFUSAL;
        killGroup(child.pid); // What it started and left behind.
        this.#options.changed();
        resolve();
        void this.#after(how, monotonic() - begun);
      };
      child.once('error', (error) => end(`could not be started: ${error.message}`, null));
      // Not 'close': a grandchild that keeps the pipes open must not hide the death.
      child.once('exit', (code, signal) =>
        end(signal === null ? `ended with exit code ${code}` : `was ended by ${signal}`, code),
      );
    });
    this.#options.changed();
  }

  async #after(how: string, livedMs: number): Promise<void> {
    if (!this.#wanted) return;
    const { restart, say, givenUp } = this.#options;
    this.#deaths = livedMs >= HEALTHY_MS ? 1 : this.#deaths + 1;
    const isTooOften = this.#deaths >= DEATHS_IN_A_ROW_MAX;
    if (!restart || this.#refused || isTooOften) {
      this.#wanted = false;
      const tail = this.#refused ? ', and would again' : isTooOften ? `, ${this.#deaths} times in a row: given up` : '';
      say(`${this.id} ${how}${tail}`);
      return givenUp(`${how}${tail}`);
    }
    const pauseMs = RESTART_PAUSES_MS[Math.min(this.#deaths, RESTART_PAUSES_MS.length) - 1] ?? 0;
    say(`${this.id} ${how}; starting it again in ${pauseMs} ms`);
    await pause(pauseMs, this.#pausing.signal);
    if (!this.#wanted) return;
    this.#restarts += 1;
    this.#launch();
  }

  #print(line: string): void {
    this.#last.push(line);
    if (this.#last.length > LAST_LINES_MAX) this.#last.shift();
    this.#options.line(line);
  }
}

/** A process that is frozen as we die would stay for ever; SIGCONT is nothing to one that runs. */
function thawedWithoutUs(
  line: readonly [string, ...string[]],
  path: string | undefined,
): readonly [string, ...string[]] {
  const setpriv = process.platform === 'linux' ? findOnPath('setpriv', path) : undefined;
  return setpriv === undefined ? line : [setpriv, '--pdeathsig', 'CONT', ...line];
}

function killGroup(leader: number | undefined): void {
  try {
    if (leader !== undefined) process.kill(-leader, 'SIGKILL');
  } catch {
    // Nobody is left in it.
  }
}
