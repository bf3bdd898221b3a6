// Trial 30: thousands of timers due within seconds, some of them cancelled at about the moment when they are due, while owners
// are killed. What was armed and removed when is what the server says (MONITOR), by its own clock.

import { systemClock } from '../../clock.ts';
import { type ActorId, actorId } from '../../ids.ts';
import type { JournalEntry } from '../../messages.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { pick } from '../oracle.ts';
import { violationsOf } from './audit.ts';
import { Monitor } from './monitor.ts';
import type { Stage, StageLoad } from './stage.ts';
import { startEnded } from './supervised.ts';
import type { Trial } from './trial.ts';

const TIMERS = 5_000;
const AT_ONCE = 64; // Commands in flight while timers are armed.
const TIME_SCALE = 3; // 60 s of the chart's `wait` become 20: time to arm them all before the first is due.
const KILL_EVERY_MS = 800;
const RACED = 0.2; // Of the timers: cancelled around their due time.
const RACE_MS = 60; // So much before or after it.
const SETTLED_MS = 180_000;

interface Armed {
  readonly due: number;
  removedAt: number | undefined;
}

export const timers: Trial = {
  number: 30,
  name: 'timers',
  fault: `${TIMERS} timers; a fifth cancelled within ${RACE_MS} ms of their due time; an owner killed every ${KILL_EVERY_MS} ms meanwhile`,
  expects: "each fires once or is cancelled, never before it is due by the server's clock",
  seconds: 75,
  async run(stage) {
    const cluster = await stage.cluster({ timeScale: TIME_SCALE });
    const armed = new Map<string, Armed>();
    const monitor = await Monitor.start(cluster.server().port, ({ at, words }) => hear(armed, at, words));
    stage.atEnd(async () => monitor.stop());
    const started = await stage.load(cluster);
    const actors = Array.from({ length: stage.rounds(TIMERS) }, (_, i) => actorId(`one.t${i}`));

    await arm(stage, cluster, actors);
    await cluster.until('every timer was seen armed', () => actors.every((actor) => armed.has(actor)));
    stage.say(`${actors.length} timers are armed`);
    const kills = await kill(stage, cluster, actors, armed, started);
    await cluster.owned();
    const report = await stage.finish(cluster);
    monitor.stop();
    const { fired, doubles, cancelled } = judge(stage, actors, armed, started.subscriber.entries);
    stage.measure('timers', actors.length, 'timers');
    stage.measure('owners killed', kills, 'kills');
    stage.measure('cancelled', cancelled, 'timers');
    stage.measure('doubles', doubles + violationsOf(report, 'I3'), 'timers');
    stage.measureSpread('late by', fired, 'ms');
  },
};

/** `ZADD key due member` and `ZREM key member` of functions/commit.lua. */
function hear(armed: Map<string, Armed>, at: number, words: readonly string[]): void {
  const [name, key = '', first = '', second = ''] = words;
  if (!key.endsWith(':timers')) return;
  if (name === 'ZADD' && second.startsWith('t|one.t'))
    armed.set(actorOf(second), { due: Number(first), removedAt: undefined });
  const known = name === 'ZREM' && first.startsWith('t|one.t') ? armed.get(actorOf(first)) : undefined;
  if (known !== undefined) known.removedAt ??= at;
}

const actorOf = (member: string): string => member.split('|', 2)[1] ?? '';

async function arm(stage: Stage, cluster: Cluster, actors: readonly ActorId[]): Promise<void> {
  const client = stage.recorder.process('arming', cluster.client());
  const left = actors.values();
  const loop = async (): Promise<void> => {
    for (const actor of left) {
      const command = { actor, event: { type: 'WAIT' }, messageId: 'arm', create: { machine: 'tally', input: {} } };
      await cluster.until(
        `${actor} is armed`,
        async () => (await client.ask(command, { timeoutMs: 10_000 })).kind === 'answered',
      );
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, loop));
}

/** Kills owners and cancels timers until every one of them is removed. */
async function kill(
  stage: Stage,
  cluster: Cluster,
  actors: readonly ActorId[],
  armed: ReadonlyMap<string, Armed>,
  { namespace }: StageLoad,
): Promise<number> {
  const client = stage.recorder.process('cancelling', cluster.client());
  const now = (): number => cluster.client(namespace).now();
  const dueOf = (actor: ActorId): number => armed.get(actor)?.due ?? 0;
  const races = actors
    .filter(() => stage.random() < RACED)
    .map((actor) => ({ actor, at: dueOf(actor) + (2 * stage.random() - 1) * RACE_MS }))
    .sort((a, b) => a.at - b.at);
  const first = Math.min(...actors.map(dueOf));
  const asked: Promise<unknown>[] = [];
  let [kills, next] = [0, 0];
  await cluster.until(
    'every timer has fired or is cancelled',
    async () => {
      for (let race = races[0]; race !== undefined && race.at <= now(); race = races[0]) {
        races.shift();
        const command = { actor: race.actor, event: { type: 'DISARM' }, messageId: 'disarm' };
        asked.push(client.ask(command, { timeoutMs: 20_000 }).catch(() => undefined)); // Unknown is told to the history.
      }
      if (now() > first - KILL_EVERY_MS / 2 && systemClock.monotonic() > next) {
        next = systemClock.monotonic() + KILL_EVERY_MS;
        const running = cluster.workers.filter(({ state }) => state === 'running');
        if (running.length === cluster.workers.length) {
          await pick(stage.random, running).kill();
          kills += 1;
        }
        await startEnded(cluster);
      }
      return races.length === 0 && actors.every((actor) => armed.get(actor)?.removedAt !== undefined);
    },
    { deadlineMs: SETTLED_MS, everyMs: 10 },
  );
  await Promise.all(asked);
  await startEnded(cluster);
  return kills;
}

/** Holds what the server executed against the journal. Gives by how much those that fired were late. */
function judge(
  stage: Stage,
  actors: readonly ActorId[],
  armed: ReadonlyMap<string, Armed>,
  entries: readonly JournalEntry[],
): { readonly fired: readonly number[]; readonly doubles: number; readonly cancelled: number } {
  const fires = new Map<string, number>();
  const cancels = new Set<string>();
  for (const { actor, kind, event } of entries) {
    if (actor === undefined || kind !== 'moved') continue;
    if (event?.type.startsWith('xstate.after.')) fires.set(actor, (fires.get(actor) ?? 0) + 1);
    // After the timer a DISARM leads from `fired` to `open`: it cancelled nothing.
    if (event?.type === 'DISARM' && !fires.has(actor)) cancels.add(actor);
  }
  const fired: number[] = [];
  let doubles = 0;
  for (const actor of actors) {
    const times = fires.get(actor) ?? 0;
    const { due = 0, removedAt = 0 } = armed.get(actor) ?? {};
    if (times > 1) doubles += 1;
    stage.expect(
      times + (cancels.has(actor) ? 1 : 0) === 1,
      `T1: ${actor} fired ${times} times, cancelled: ${cancels.has(actor)}`,
    );
    if (times === 0) continue;
    fired.push(removedAt - due);
    stage.expect(removedAt >= Math.floor(due), `T1: ${actor} fired ${due - removedAt} ms before it was due`);
  }
  stage.expect(
    fired.length > 0 && cancels.size > 0,
    `${fired.length} fired, ${cancels.size} cancelled: no race was tried`,
  );
  return { fired, doubles, cancelled: cancels.size };
}
