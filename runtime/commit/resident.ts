// An actor in memory between steps: what the owner of a shard believes of it, checked by every commit (C2).

import { OperatingError } from '../errors.ts';
import { command } from '../functions/call.ts';
import type { Announcement } from '../hosting.ts';
import type { ActorId } from '../ids.ts';
import type { Batch } from '../redis/batch.ts';
import type { ShardKeys } from '../redis/keys.ts';
import type { ActorRecord, Behaviour, Held } from '../statechart/behaviour.ts';
import type { Charts } from '../statechart/charts.ts';

export interface Resident {
  readonly actor: ActorId;
  sequence: number;
  /** Position of the last inbox entry handled (M2). */
  last: number;
  behaviour: Behaviour | undefined;
  /** Undefined while the actor does not exist. */
  held: Held | undefined;
  states: readonly string[];
  /** Domain time of the last step, where that is not the server's (T2); 0 where it is, or nothing is known. */
  at: number;
  /** The last one made, as JSON; kept in the record so that a read of the actor has it (P2). */
  announcement: string | undefined;
  /** Why the stored state cannot be used: the next message parks the actor as stalled (M5). */
  stalled: Error | undefined;
}

/** Loads actors as committed. One round trip for all of them. */
export async function loadResidents(
  batch: Batch,
  keys: ShardKeys,
  charts: Charts,
  actors: readonly ActorId[],
): Promise<readonly Resident[]> {
  const rows = await Promise.all(
    actors.map((id) =>
      batch.run(
        command(['HMGET', keys.actor(id), 'line', 'snap', 'rec'], (reply) => reply as readonly (string | null)[]),
      ),
    ),
  );
  return rows.map((row, index) => resident(charts, actors[index] as ActorId, row));
}

function resident(charts: Charts, actor: ActorId, [line, snap, rec]: readonly (string | null)[]): Resident {
  const { sequence, last } = actorLine(line);
  const blank: Resident = {
    actor,
    sequence,
    last,
    behaviour: undefined,
    held: undefined,
    states: [],
    at: 0,
    announcement: undefined,
    stalled: undefined,
  };
  if (snap == null || rec == null) return blank;
  try {
    const behaviour = charts.forStored(snap);
    const { states, announcement, at = 0, ...record } = JSON.parse(rec) as StoredRecord;
    const told = announcement === undefined ? undefined : JSON.stringify(announcement);
    return { ...blank, behaviour, held: behaviour.restore(snap, record, actor), states, at, announcement: told };
  } catch (error) {
    const stalled = error instanceof Error ? error : new OperatingError('version-missing', String(error));
    return { ...blank, stalled };
  }
}

/** What every step of an actor changes, in one field: sequence, position of the last inbox entry handled, time in ms. */
export function actorLine(line: string | null | undefined): {
  readonly sequence: number;
  readonly last: number;
  readonly at: number;
} {
  const [sequence = '0', last = '0', at = '0'] = (line ?? '').split(' ');
  return { sequence: Number(sequence), last: Number(last), at: Number(at) };
}

/** What stands beside the snapshot: the record, and what readers want without restoring a chart. */
export interface StoredRecord extends ActorRecord {
  readonly states: readonly string[];
  /** Domain time of the last step; left out where that is the server's, which stands in the actor's line. */
  readonly at?: number;
  readonly announcement?: Announcement;
}

/** The record text a commit stores: what `resident` reads back. States and announcement come as JSON, made once per step. */
export function recordText(
  { executions, timers, announced }: ActorRecord,
  states: string,
  { at, announcement }: Pick<Resident, 'at' | 'announcement'>,
): string {
  const told = announcement === undefined ? '' : `,"announcement":${announcement}`;
  const open = executions.length === 0 ? '[]' : JSON.stringify(executions);
  const time = at === 0 ? '' : `,"at":${at}`;
  return `{"executions":${open},"timers":${JSON.stringify(timers)},"announced":${announced},"states":${states}${time}${told}}`;
}
