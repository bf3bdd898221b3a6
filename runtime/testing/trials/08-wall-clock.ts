// Trial 8: the wall clock of a worker jumps by two hours in either direction and runs ten times as fast, while its monotonic
// clock goes on as it was: libfaketime in front of one worker.

import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pause, systemClock } from '../../clock.ts';
import type { JournalEntry } from '../../messages.ts';
import { trialDelays } from '../trial-chart.ts';
import { violationsOf } from './audit.ts';
import type { Trial } from './trial.ts';

const LIBRARIES = [
  '/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1',
  '/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1',
  '/usr/lib64/faketime/libfaketime.so.1',
];
const ROUNDS = 2;
/** As libfaketime reads them from its file. */
const JUMPS = ['+2h', '-2h', '+0 x10', '+0'] as const;
const EACH_MS = 4_000;
const ESTIMATE_MS = 50; // Two workers' estimates of the server's clock differ by less. Whether a timer is due the server says (T1).
const HEARD_LATE_MS = 10_000; // More than any entry is told late, and far less than the jumps.

const libraryPath = (): string | undefined => LIBRARIES.find((path) => existsSync(path));

export const wallClock: Trial = {
  number: 8,
  name: 'wall-clock',
  fault:
    'the wall clock of a worker jumps by +2 h and -2 h and runs at ten times its speed; its monotonic clock does not',
  expects: 'timers are neither lost, doubled, early nor hours late; journals tell the true time; I1 to I8 hold',
  seconds: 60,
  missing: () => (libraryPath() === undefined ? 'libfaketime is not installed: apt-get install faketime' : undefined),
  async run(stage) {
    const cluster = await stage.cluster();
    const { subscriber } = await stage.load(cluster);
    const worker = cluster.worker('one.1');
    const folder = mkdtempSync(join(tmpdir(), 'emboss-clock-'));
    stage.atEnd(async () => rmSync(folder, { recursive: true, force: true }));
    const file = join(folder, 'faketime');
    writeFileSync(file, '+0\n');
    await worker.restart({
      env: {
        LD_PRELOAD: libraryPath() ?? '',
        FAKETIME_TIMESTAMP_FILE: file,
        FAKETIME_DONT_FAKE_MONOTONIC: '1',
        FAKETIME_NO_CACHE: '1',
      },
    });
    await cluster.owned();
    const from = subscriber.entries.length;
    const rounds = stage.rounds(ROUNDS);
    let farthest = 0;
    for (let round = 1; round <= rounds; round += 1) {
      for (const jump of JUMPS) {
        writeFileSync(file, `${jump}\n`);
        await cluster.until('it sees the jump', async () => isAt(jump, (await worker.counters()).wallClock));
        const heard = subscriber.entries.length;
        const since = systemClock.wall();
        await pause(systemClock, EACH_MS);
        const until = systemClock.wall();
        for (const { at } of subscriber.entries.slice(heard)) farthest = Math.max(farthest, since - at, at - until);
        stage.say(`round ${round} of ${rounds}: ${jump}`);
      }
    }
    const { timers } = await worker.counters();
    const report = await stage.finish(cluster);
    const errors = timerErrors(subscriber.entries.slice(from));
    stage.measure('timers fired by the worker with the wrong clock', timers, 'timers');
    stage.measureSpread('timers fired after they were due', errors, 'ms');
    stage.measure('timers fired early', errors.filter((ms) => ms < -ESTIMATE_MS).length, 'timers');
    stage.measure('timers lost or doubled', violationsOf(report, 'I2', 'I3', 'I8'), 'timers');
    stage.measure('farthest time in a journal from when it was told', farthest, 'ms');
    stage.expect(timers > 0, 'the worker fired no timer: nothing was tried');
    stage.expect(
      errors.every((ms) => ms >= -ESTIMATE_MS),
      'T1: a timer fired before it was due',
    );
    stage.expect(farthest < HEARD_LATE_MS, `T2: a journal entry was ${farthest} ms from the true time`);
  },
};

/** Whether a wall clock shows the jump; one that runs fast is away from ours soon. */
function isAt(jump: (typeof JUMPS)[number], wallClock: number): boolean {
  const away = wallClock - systemClock.wall();
  const hours = 3_600_000;
  if (jump === '+2h') return away > hours;
  if (jump === '-2h') return away < -hours;
  return jump === '+0' ? Math.abs(away) < hours : away > 1_000;
}

/** Per fuse that burnt: how long after its time its step was made, by the clock readings of the two steps. */
function timerErrors(entries: readonly JournalEntry[]): readonly number[] {
  const armed = new Map<string, number>();
  return entries.flatMap(({ kind, actor = '', event, at }) => {
    if (kind !== 'moved') return [];
    if (event?.type === 'ARM') armed.set(actor, at);
    const since = armed.get(actor);
    if (since === undefined || event?.type.startsWith('xstate.after.fuse') !== true) return [];
    armed.delete(actor);
    return [at - since - trialDelays.fuse];
  });
}
