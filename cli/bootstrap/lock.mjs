// One bootstrap at a time per checkout. The lock names its process; a lock whose process is gone is taken over.

import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Failure, root, say } from './ground.mjs';

const WAIT_MS_MAX = 15 * 60_000; // A first install on a slow line, with SQLite compiled from source, stays below.
const POLL_MS = 150;

/** Runs `task` while holding the lock. Waits for another bootstrap, at most 15 minutes. */
export async function withLock(task) {
  const release = await acquire();
  process.once('exit', release); // A signal or process.exit() in the middle leaves no lock behind.
  try {
    return await task();
  } finally {
    process.off('exit', release);
    release();
  }
}

async function acquire() {
  const folder = join(root, '.cache');
  const lock = join(folder, 'bootstrap.lock');
  mkdirSync(folder, { recursive: true });
  const deadline = Date.now() + WAIT_MS_MAX;
  let said = false;
  for (;;) {
    if (take(lock)) return () => release(lock);
    const holder = read(lock);
    if (holder !== undefined && !isAlive(holder)) {
      discard(lock, holder);
      continue;
    }
    if (!said && holder !== undefined) {
      say(`waiting for another bootstrap (process ${holder.pid}) to finish`);
      said = true;
    }
    if (Date.now() > deadline) throw new Failure(`Another bootstrap still holds ${lock}. If it is stuck, end it.`);
    await sleep(POLL_MS);
  }
}

/** Creates the lock with its content in one step: a link appears whole or not at all. */
function take(lock) {
  const own = `${lock}.${process.pid}`;
  writeFileSync(own, JSON.stringify(identity(process.pid)));
  try {
    linkSync(own, lock);
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(own, { force: true });
  }
}

function release(lock) {
  if (read(lock)?.pid === process.pid) rmSync(lock, { force: true });
}

/** Moves a dead lock aside; the rename has one winner. A lock taken in between by a living process is put back. */
function discard(lock, dead) {
  const aside = `${lock}.dead.${process.pid}`;
  try {
    renameSync(lock, aside);
    const moved = read(aside);
    if (moved !== undefined && (moved.pid !== dead.pid || moved.started !== dead.started)) linkSync(aside, lock);
  } catch (error) {
    if (error.code !== 'ENOENT' && error.code !== 'EEXIST') throw error;
  } finally {
    rmSync(aside, { force: true });
  }
}

function read(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined; // Released between two looks.
  }
}

/** A process id alone may be used again after a restart of a container; with its start time it is unique (Linux). */
function identity(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return { pid, started: stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] };
  } catch {
    return { pid, started: '' };
  }
}

function isAlive({ pid, started }) {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return error.code === 'EPERM';
  }
  return started === '' || identity(pid).started === started;
}
