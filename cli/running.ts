// The record of the running system, `<data folder>/emboss.json`: how other commands find it, and why a second one on the
// same data refuses to start.

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

/** Makes the data folder ours; false when a living system has it. */
export function claimRunning(dataDir: string, record: Running): boolean {
  if (readRunning(dataDir) !== undefined) return false;
  const file = fileOf(dataDir);
  const own = `${file}.${process.pid}`;
  mkdirSync(dirname(file), { recursive: true });
  rmSync(file, { force: true });
  writeFileSync(own, JSON.stringify(record));
  try {
    linkSync(own, file); // Fails when another one was faster: of two at once, one wins.
    return true;
  } catch {
    return false;
  } finally {
    rmSync(own, { force: true });
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
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  return born === '' || bornAt(pid) === born;
}
