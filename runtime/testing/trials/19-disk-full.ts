// Trial 19: the disk of the append-only file is full: a small memory file system under the Redis server's folder.

import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pause, systemClock } from '../../clock.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { ClusterServer } from '../cluster/cluster-server.ts';
import { violationsOf } from './audit.ts';
import type { Stage, StageLoad } from './stage.ts';
import type { Trial } from './trial.ts';

const DISK_BYTES = 8 * 1024 * 1024;
const ROOM_BYTES = 256 * 1024; // Left when the disk is filled: a few seconds of load.
const FULL_MS = 4_000; // Longer than a lease.

const MODES = [
  { durability: 'fsync', fsync: 'always' },
  { durability: 'memory', fsync: 'everysec' },
] as const;

export const diskFull: Trial = {
  number: 19,
  name: 'disk-full',
  fault: `the append-only file stands on a file system of ${DISK_BYTES / 1_048_576} MB that becomes full, with always and with everysec, and has room again`,
  expects:
    'always: the server ends, callers hear unknown or unavailable; everysec: it refuses writes; no false acknowledgement; I1 to I8 hold',
  seconds: 60,
  missing: whyNoMount,
  async run(stage) {
    for (const mode of MODES) await fillingUp(stage, mode);
  },
};

async function fillingUp(stage: Stage, { durability, fsync }: (typeof MODES)[number]): Promise<void> {
  const cluster = await stage.cluster({ durability, serverArgs: ['--appendfsync', fsync] });
  const server = cluster.server();
  const unmount = await onSmallDisk(stage, server);
  await cluster.owned();
  const started = await stage.load(cluster);
  const ballast = join(server.dir, 'ballast');
  const { bavail, bsize } = statfsSync(server.dir);
  writeFileSync(ballast, Buffer.alloc(Math.max(0, bavail * bsize - ROOM_BYTES), 1));
  await refused(stage, cluster, started, fsync);
  rmSync(ballast);
  const roomAt = systemClock.monotonic();
  if (server.state === 'ended') await server.start();
  const { answered } = started.load;
  await cluster.until('answers come again', () => started.load.answered > answered + 20);
  stage.measure(`until answers come when there is room, ${fsync}`, systemClock.monotonic() - roomAt, 'ms');
  await cluster.owned();
  const report = await stage.finish(cluster);
  stage.measure(`false acknowledgements, ${fsync}`, violationsOf(report, 'I1', 'I7'), 'commands');
  await unmount();
  await cluster.close();
}

/** Waits for the outage and watches it for longer than a lease. */
async function refused(stage: Stage, cluster: Cluster, { load }: StageLoad, fsync: string): Promise<void> {
  const trouble = (): number => load.counts.rejected + load.counts.unknown;
  const before = trouble();
  if (fsync === 'always') {
    await cluster.until('the server has ended', () => !isThere(cluster.server().pid));
    await cluster.server().kill(); // It is gone by itself; this takes note of it.
  }
  await cluster.until('callers hear of it', () => trouble() > before + 3);
  await pause(systemClock, FULL_MS);
  stage.say(`${fsync}: full, ${trouble() - before} commands were not taken or not answered`);
}

/** The server's folder becomes a file system of its own with what was in it. Returns how to undo it, safe to call twice. */
async function onSmallDisk(stage: Stage, server: ClusterServer): Promise<() => Promise<void>> {
  await server.stop();
  const kept = mkdtempSync(join(tmpdir(), 'emboss-kept-'));
  cpSync(server.dir, kept, { recursive: true });
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_BYTES}`, 'tmpfs', server.dir]);
  let mounted = true;
  const unmount = async (): Promise<void> => {
    await server.kill();
    if (mounted) execFileSync('umount', [server.dir]);
    mounted = false;
  };
  stage.atEnd(unmount);
  cpSync(kept, server.dir, { recursive: true });
  rmSync(kept, { recursive: true });
  await server.start();
  return unmount;
}

function isThere(pid: number | undefined): boolean {
  return pid !== undefined && existsSync(`/proc/${pid}/exe`);
}

function whyNoMount(): string | undefined {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'mounting a tmpfs needs root on Linux';
  const folder = mkdtempSync(join(tmpdir(), 'emboss-mount-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=65536', 'tmpfs', folder], { stdio: 'ignore' });
    execFileSync('umount', [folder], { stdio: 'ignore' });
    return undefined;
  } catch {
    return 'this machine does not let us mount a tmpfs';
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
