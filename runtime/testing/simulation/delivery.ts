// Whether messages arrived once: what actors told each other, outcomes of effects, commands. Read from the journals alone.
//
// A message id is handled once per actor (M1, M3, E1), whatever was repeated on the way; what a journaled step told another
// actor is handled at last, and messages of one lane to one actor in the order in which they were told (M2, M3).

import type { JournalEntry } from '../../messages.ts';
import type { NamespaceEvidence } from '../audit/evidence.ts';

interface Told {
  readonly id: string;
  readonly from: string;
  readonly lane: string;
}

const HANDLED: ReadonlySet<JournalEntry['kind']> = new Set(['moved', 'refused']);

/** What does not hold, in words. `settled`: all is at rest, so what was told must have been handled. */
export function undelivered(evidence: readonly NamespaceEvidence[], settled: boolean): readonly string[] {
  const found: string[] = [];
  const handled = new Map<string, string[]>();
  for (const { shards } of evidence)
    for (const { entries } of shards) for (const entry of entries) note(handled, entry, found);

  for (const { namespace, shards } of evidence) {
    for (const { shard, entries } of shards) {
      const toldTo = new Map<string, Told[]>();
      for (const entry of entries)
        for (const one of tellings(entry, `${namespace}:${shard}`)) append(toldTo, one.to, one);
      for (const [to, told] of toldTo) check(to, told, handled.get(to) ?? [], settled, found);
    }
  }
  return found;
}

function note(handled: Map<string, string[]>, entry: JournalEntry, found: string[]): void {
  const { actor, messageId, kind, event } = entry;
  if (actor === undefined || messageId === undefined || !HANDLED.has(kind) || event?.type === 'emboss.create') return;
  const ids = handled.get(actor) ?? [];
  handled.set(actor, ids);
  if (ids.includes(messageId)) found.push(`delivery: ${actor} handled ${messageId} twice`);
  ids.push(messageId);
}

/** What a step of the trial chart told: one message per id. */
function tellings(
  { kind, actor, sequence, event }: JournalEntry,
  lane: string,
): readonly (Told & { readonly to: string })[] {
  if (kind !== 'moved' || event?.type !== 'TELL') return [];
  const { to, ids } = event as unknown as { to: string; ids: readonly string[] }; // As the workload makes it.
  return ids.map((_, index) => ({ to, id: `${actor}:${sequence}:${index}`, from: String(actor), lane }));
}

function check(to: string, told: readonly Told[], handled: readonly string[], settled: boolean, found: string[]): void {
  let last = -1;
  for (const { id, lane } of told) {
    const first = handled.indexOf(id);
    if (first < 0) {
      if (settled) found.push(`delivery: ${to} never handled ${id}, told over lane ${lane}`);
      continue;
    }
    if (first < last) found.push(`delivery: ${to} handled ${id} out of the order of lane ${lane}`);
    last = first;
  }
}

function append<T>(lists: Map<string, T[]>, name: string, item: T): void {
  const list = lists.get(name);
  if (list === undefined) lists.set(name, [item]);
  else list.push(item);
}
