// Travel of a namespace in domain time, as an operator asks for it (T2): noted once, then waited for, shard by shard.

import type { TravelOutcome } from '../client.ts';
import { type Clock, pause } from '../clock.ts';
import { OperatingError } from '../errors.ts';
import { command } from '../functions/call.ts';
import { travel } from '../functions/travel.ts';
import { travelledMsMax, travelWaitLookMs } from '../limits.ts';
import type { Batch } from '../redis/batch.ts';
import type { NamespaceKeys, ShardKeys } from '../redis/keys.ts';

export interface TravelDoors {
  readonly batch: Batch;
  readonly clock: Clock;
  readonly names: NamespaceKeys;
  readonly shards: readonly ShardKeys[];
}

export interface Travel {
  readonly ms: number;
  readonly by: string;
  readonly messageId: string;
  readonly waitMs: number;
}

const BY_CHARS_MAX = 200;

/** Throws OperatingError: `bad-setting`, `not-virtual`, `travel-too-far`; OutcomeUnknown: repeat under the same message id. */
export async function travelIn(doors: TravelDoors, { ms, by, messageId, waitMs }: Travel): Promise<TravelOutcome> {
  const { batch, names } = doors;
  if (!Number.isSafeInteger(ms) || ms < 1 || ms > travelledMsMax)
    throw new OperatingError('bad-setting', `a travel goes 1 … ${travelledMsMax} whole ms forward, got ${ms}`);
  if (messageId.length < 1 || messageId.length > BY_CHARS_MAX || by.length > BY_CHARS_MAX)
    throw new OperatingError(
      'bad-setting',
      `a travel has a message id and a name of at most ${BY_CHARS_MAX} characters`,
    );
  const reply = await batch.run(travel(names, messageId, ms, by));
  switch (reply.kind) {
    case 'travelled':
    case 'same':
      return { kind: reply.kind, totalMs: reply.totalMs, arrived: await arrivedWithin(doors, reply.totalMs, waitMs) };
    case 'key-reused':
      return { kind: 'key-reused' };
    case 'real':
      throw new OperatingError(
        'not-virtual',
        'the namespace was founded with real time, which nobody can travel in; found another one with virtual time for tests',
      );
    case 'full':
      throw new OperatingError(
        'travel-too-far',
        `the namespace has travelled ${reply.totalMs} ms in all; at most ${travelledMsMax} ms are possible: found another one`,
      );
  }
}

/** True when every shard is there; false where one has no owner, or a slow one: it will be before its next step. */
async function arrivedWithin(doors: TravelDoors, totalMs: number, waitMs: number): Promise<boolean> {
  const until = doors.clock.monotonic() + waitMs;
  let left = doors.shards;
  for (;;) {
    const there = await Promise.all(left.map((shard) => travelledOf(doors.batch, shard)));
    left = left.filter((_, index) => (there[index] as number) < totalMs);
    if (left.length === 0) return true;
    if (doors.clock.monotonic() >= until) return false;
    await pause(doors.clock, travelWaitLookMs);
  }
}

const travelledOf = (batch: Batch, { owner }: ShardKeys): Promise<number> =>
  batch.run(command(['HGET', owner, 'travelled'], (reply) => Number(reply ?? 0)));
