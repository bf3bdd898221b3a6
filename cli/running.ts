// The record of the running system, `<data folder>/emboss.json`: how other commands find it, and why a second one on the
// same data refuses to start, also when both start at the same instant.

import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

export interface SystemUrls {
  readonly public: string;
  readonly internal: string;
  readonly courier: string;
  readonly partner: string;
  readonly simulator: string;
}

export interface Running {
  readonly state: 'starting' | 'ready' | 'stopping';
  /** The supervisor. */
  readonly pid: number;
  /** Tells a process from a later one with the same id. */
  readonly born: string;
  readonly startedAt: string;
  readonly dataDir: string;
  readonly redisUrl: string;
  readonly redisKind: 'given' | 'private';
  readonly redisPid?: number;
  readonly urls: SystemUrls;
  readonly timeScale: number;
  readonly processes: readonly RunningProcess[];
}

export interface RunningProcess {
  readonly id: string;
  readonly pid: number | null;
  readonly restarts: number;
}

const fileOf = (dataDir: string): string => join(dataDir, 'emboss.json');

/** The system that runs on this data folder, or undefined. A record whose supervisor is gone does not count. */
export function readRunning(dataDir: string): Running | undefined {
  try {
    const record = JSON.parse(readFileSync(fileOf(dataDir), 'utf8')) as Running; // Written by writeRunning only.
    return isSame(record.pid, record.born) ? record : undefined;
  } catch {
    return undefined; // None, or half of a record that is being replaced.
  }
}

/** Makes the data folder ours; false when a living system has it, or is just taking it. Of several at once one wins. */
export function claimRunning(dataDir: string, record: Running): boolean {
  const file = fileOf(dataDir);
  const own = `${file}.${process.pid}`;
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(own, JSON.stringify(record));
  try {
    return take(file, own);
  } finally {
    rmSync(own, { force: true });
  }
}

const TAKES_MAX = 10; // Each one more than the first means that another process ended, or gave up, in between.

/**
 * Puts `own` at `path` if nobody living is there. A link appears whole or not at all. What a dead process left is removed only
 * by who holds the right to bury that very process, and looks again under it: the record of a quicker one stays.
 */
function take(path: string, own: string): boolean {
  for (let takes = 0; takes < TAKES_MAX; takes += 1) {
    if (isLinked(own, path)) return true;
    const holder = holderOf(path);
    if (holder === undefined) continue;
    if (isSame(holder.pid, holder.born)) return false;
    const burial = `${path}.${nameOf(holder)}`;
    if (!take(burial, own)) return false;
    const present = holderOf(path);
    if (present !== undefined && nameOf(present) === nameOf(holder)) rmSync(path, { force: true });
    rmSync(burial, { force: true });
  }
  return false;
}

function isLinked(own: string, path: string): boolean {
  try {
    linkSync(own, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

type Holder = Pick<Running, 'pid' | 'born'>;
const NOBODY: Holder = { pid: 0, born: '' }; // Half a record, as a crash of the machine leaves it.
const nameOf = ({ pid, born }: Holder): string => `${pid}-${born}`;

/** Who wrote the record; undefined when there is none. */
function holderOf(path: string): Holder | undefined {
  try {
    const { pid, born } = JSON.parse(readFileSync(path, 'utf8')) as Partial<Running>;
    return typeof pid === 'number' && typeof born === 'string' ? { pid, born } : NOBODY;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? undefined : NOBODY;
  }
}

/** Replaces our record in one step. */
export function writeRunning(record: Running): void {
  const file = fileOf(record.dataDir);
  writeFileSync(`${file}.new`, `${JSON.stringify(record, null, 2)}\n`);
  renameSync(`${file}.new`, file);
}

export function forgetRunning(dataDir: string): void {
  rmSync(fileOf(dataDir), { force: true });
}

/** When a process began, in ticks since boot; empty where the system does not say (macOS). */
export function bornAt(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    return '';
  }
}

function isSame(pid: number, born: string): boolean {
  if (pid <= 0) return false; // Not a process, but a group.
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false; // Somebody else's process lives, too.
  }
  return born === '' || bornAt(pid) === born;
}
