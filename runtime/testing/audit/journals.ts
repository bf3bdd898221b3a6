// Checks over the journal of one shard and the journals of its actors: gaps and repeats (I3), owners (I6), replay (I2).

import { actorId } from '../../ids.ts';
import type { JournalEntry } from '../../messages.ts';
import { snapshotHash } from '../../statechart/definition.ts';
import { replay } from '../../statechart/replay.ts';
import type { ChartOf, ShardEvidence, StoredActor } from './evidence.ts';
import type { Findings } from './findings.ts';

/** All checks of one shard. CPU: one chart step per committed step. */
export function checkShard(namespace: string, shard: ShardEvidence, chartOf: ChartOf, findings: Findings): void {
  const where = `${namespace} shard ${shard.shard}`;
  checkPositions(where, shard, findings);
  checkOwners(where, shard.entries, findings);

  const byActor = entriesByActor(shard.entries);
  const stored = new Map(shard.actors.map((one) => [one.actor, one]));
  for (const [actor, entries] of byActor) {
    if (!checkSequences(actor, entries, findings)) continue;
    const hashes = checkReplay(actor, entries, chartOf, findings);
    // What began after the shard's record was read may be stored without our having seen it.
    const isOld = (entries.find(({ kind }) => kind === 'moved')?.position ?? Number.POSITIVE_INFINITY) <= shard.head;
    if (hashes !== undefined) checkStored(actor, hashes, stored.get(actor), isOld, findings);
  }
  for (const { actor, version } of shard.actors) {
    if (!byActor.has(actor) && shard.entries[0]?.position === 1)
      findings.violated('I3', actor, `is stored at version ${version} and has no entry in the journal`);
  }
}

/** I3: positions follow one another, and reach the head that the shard's record names. */
export function checkPositions(where: string, { head, entries }: ShardEvidence, findings: Findings): void {
  findings.looked('I3', entries.length);
  for (const [index, { position }] of entries.entries()) {
    const before = entries[index - 1]?.position;
    if (before === undefined || position === before + 1) continue;
    findings.violated('I3', where, `journal position ${position} follows ${before}`);
  }
  const last = entries.at(-1)?.position ?? 0;
  if (last < head) findings.violated('I3', where, `the journal ends at ${last}, its record says ${head}`);
  const first = entries[0]?.position ?? 1;
  if (first > 1) findings.remark(`${where}: the journal begins at ${first}; what was trimmed cannot be replayed`);
}

/** I6: each entry bears the token of the last claim, and each claim's counter is above all before it. */
export function checkOwners(where: string, entries: readonly JournalEntry[], findings: Findings): void {
  let token: string | undefined;
  let highest = 0;
  for (const entry of entries) {
    findings.looked('I6');
    const counter = Number.parseInt(entry.token, 10);
    if (entry.kind === 'claimed') {
      if (!(counter > highest))
        findings.violated(
          'I6',
          where,
          `position ${entry.position} is claimed with ${entry.token} after counter ${highest}`,
        );
      token = entry.token;
      highest = Math.max(highest, counter);
    } else if (token === undefined) {
      token = entry.token; // The claim was trimmed away.
      highest = counter;
    } else if (entry.token !== token) {
      findings.violated(
        'I6',
        where,
        `position ${entry.position} bears token ${entry.token} while ${token} owns the shard`,
      );
    }
  }
}

/**
 * I3: 1, 2, 3 … over the steps, and what did not move stays where it was. True when the journal has the actor's beginning,
 * so that it can be replayed.
 */
export function checkSequences(actor: string, entries: readonly JournalEntry[], findings: Findings): boolean {
  const first = entries.find(({ kind }) => kind === 'moved')?.sequence ?? 0;
  const isTrimmed = first > 1 || (entries[0]?.sequence ?? 0) > 1;
  let version = isTrimmed ? first - 1 : 0;
  for (const { kind, sequence, position } of entries) {
    if (sequence === undefined || (isTrimmed && version < first && kind !== 'moved')) continue;
    const due = kind === 'moved' ? version + 1 : version;
    if (sequence !== due)
      findings.violated('I3', actor, `position ${position} (${kind}) has version ${sequence} where ${due} was due`);
    version = sequence;
  }
  return !isTrimmed;
}

/** I2: the chart takes the same steps again, and each ends in the snapshot that was journaled. The hashes by version. */
export function checkReplay(
  actor: string,
  entries: readonly JournalEntry[],
  chartOf: ChartOf,
  findings: Findings,
): ReadonlyMap<number, string> | undefined {
  const moved = entries.filter(({ kind }) => kind === 'moved');
  const machine = moved[0]?.machine;
  if (machine === undefined) return undefined; // Refused messages to an actor that never was.
  const broken = (words: string): undefined => void findings.violated('I2', actor, words);
  const behaviour = chartOf(machine);
  if (behaviour === undefined) return broken(`the chart "${machine}" is not known here`);
  const hashes = new Map<number, string>();
  try {
    for (const step of replay(behaviour, actorId(actor), moved)) {
      findings.looked('I2');
      hashes.set(step.sequence, step.hash);
      const entry = moved[step.sequence - 1];
      if (entry?.snapshotHash === step.hash) continue;
      return broken(`step ${step.sequence} (${entry?.event?.type}) replays to another snapshot than was journaled`);
    }
  } catch (error) {
    const words = error instanceof Error ? error.message : String(error);
    return broken(`cannot be replayed at step ${hashes.size + 1}: ${words}`);
  }
  return hashes;
}

/** I2 and I3: what is stored is the last journaled step, or a later reading of it. */
export function checkStored(
  actor: string,
  hashes: ReadonlyMap<number, string>,
  stored: StoredActor | undefined,
  isOld: boolean,
  findings: Findings,
): void {
  if (stored === undefined) {
    if (isOld) findings.violated('I3', actor, `has ${hashes.size} steps in the journal and is not stored`);
  } else if (!hashes.has(stored.version)) {
    findings.violated('I3', actor, `is stored at version ${stored.version}, its journal ends at ${hashes.size}`);
  } else if (hashes.get(stored.version) !== snapshotHash(stored.stored)) {
    findings.violated(
      'I2',
      actor,
      `the stored snapshot of version ${stored.version} is not what its journal replays to`,
    );
  }
}

/** Entries that are about an actor, by actor, in their order. */
export function entriesByActor(entries: readonly JournalEntry[]): ReadonlyMap<string, readonly JournalEntry[]> {
  const byActor = new Map<string, JournalEntry[]>();
  for (const entry of entries) {
    if (entry.actor === undefined) continue;
    const own = byActor.get(entry.actor);
    if (own === undefined) byActor.set(entry.actor, [entry]);
    else own.push(entry);
  }
  return byActor;
}
