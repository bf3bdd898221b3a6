// I5: what a subscriber was told, against what the journals have: each version once, in order, also across its resumes.

import type { JournalEntry } from '../../messages.ts';
import type { NamespaceEvidence, ReadEntry, ShardEvidence, Sight, SubscriberLog } from './evidence.ts';
import type { Findings } from './findings.ts';
import type { Losses } from './losses.ts';

/** Per actor the versions that a subscriber is to be told, rising; undefined where the journal does not begin at 1. */
export interface Tellable {
  readonly versions: ReadonlyMap<string, readonly number[]>;
  readonly announcements: ReadonlyMap<string, readonly number[]>;
}

/** With whole journals: what every subscriber must be told. */
export function tellable(entriesByActor: ReadonlyMap<string, readonly JournalEntry[]>): Tellable {
  const versions = new Map<string, number[]>();
  const announcements = new Map<string, number[]>();
  for (const [actor, entries] of entriesByActor) {
    const moved = entries.filter(({ kind }) => kind === 'moved');
    if ((moved[0]?.sequence ?? 1) !== 1) continue; // Trimmed: judged by the log alone.
    versions.set(actor, moved.map(versionOf));
    announcements.set(actor, moved.filter(({ announcement }) => announcement !== undefined).map(versionOf));
  }
  return { versions, announcements };
}

const versionOf = ({ sequence }: JournalEntry): number => sequence ?? 0;

/** Follows one subscriber through its log. */
export function checkSubscriber(log: SubscriberLog, told: Tellable, losses: Losses, findings: Findings): void {
  const due = told[log.of];
  const broken = (actor: string, words: string): void => findings.violated('I5', `${log.name}: ${actor}`, words);
  /** Version up to which it has everything, by actor; who is not in it may begin anywhere, or at 0. */
  const at = new Map<string, number>();
  let rewound = 0;
  const knownOf = (actor: string): number | undefined =>
    at.get(actor) ?? (log.everything === true && rewound === 0 ? 0 : undefined);
  for (const sight of log.sights) {
    if (sight.kind === 'rewound') {
      rewound += 1;
      if (sight.actor === undefined) at.clear();
      else at.delete(sight.actor);
      continue;
    }
    const { actor } = sight;
    if (sight.kind !== 'resumed') {
      findings.looked('I5');
      // What was told before a loss may be gone from the journal.
      const fault = faultOf(sight, knownOf(actor), losses.isDeclared ? undefined : due.get(actor));
      if (fault !== undefined) broken(actor, fault);
    }
    at.set(actor, sight.kind === 'resumed' ? sight.after : sight.version);
  }
  if (rewound > 0 && !losses.isDeclared)
    findings.violated('I5', log.name, `was told ${rewound} times of a rewind, and no loss was declared`);
  if (log.caughtUp === true) checkCaughtUp(knownOf, due, broken);
}

/** What is wrong with being told this after everything up to `known`, in words. `due` are the versions there are to tell. */
function faultOf(
  sight: Extract<Sight, { kind: 'told' | 'snapshot' }>,
  known: number | undefined,
  due: readonly number[] | undefined,
): string | undefined {
  const { kind, version } = sight;
  if (kind === 'snapshot')
    return known !== undefined && version < known ? `was shown version ${version} after ${known}` : undefined;
  if (version === known) return `was told version ${version} twice`;
  if (known !== undefined && version < known) return `was told version ${version} after ${known}`;
  if (due !== undefined && !due.includes(version))
    return `was told version ${version}, which no entry of the journal has`;
  if (known === undefined) return undefined;
  const next = due?.find((one) => one > known);
  if (next !== undefined && next < version)
    return `was told version ${version} after ${known}: version ${next} is missing`;
  // A picture may lie between two announcements: it then covers the earlier one.
  const { previous = 0 } = sight;
  return previous > known ? `was told version ${version}, which follows ${previous}, after ${known}` : undefined;
}

function checkCaughtUp(
  knownOf: (actor: string) => number | undefined,
  due: ReadonlyMap<string, readonly number[]>,
  broken: (actor: string, words: string) => void,
): void {
  for (const [actor, versions] of due) {
    const known = knownOf(actor);
    const last = versions.at(-1) ?? 0;
    if (known !== undefined && known < last)
      broken(actor, `was told up to version ${known}, and the journal goes on to ${last}`);
  }
}

/**
 * What a reader of journals holds in the end is what they have: since it was last told of a rewind, each position once, in
 * order, and under the token that the journal gives it. This holds over declared losses, too: what was undone must be told.
 */
export function checkReader(log: SubscriberLog, { namespace, shards }: NamespaceEvidence, findings: Findings): void {
  for (const shard of shards) {
    const told = (log.journals?.entries ?? []).filter((entry) => entry.shard === shard.shard);
    const words = readerFault(told, shard, log.caughtUp === true);
    findings.looked('I5', told.length);
    if (words !== undefined) findings.violated('I5', `${log.name}: ${namespace} shard ${shard.shard}`, words);
  }
}

/** The first thing that is wrong, in words. */
function readerFault(told: readonly ReadEntry[], { entries }: ShardEvidence, caughtUp: boolean): string | undefined {
  const from = told.findLastIndex(({ kind }) => kind === 'rewound');
  const held = told.slice(from + 1);
  const tokens = new Map(entries.map(({ position, token }) => [position, token]));
  const begins = entries[0]?.position ?? 1;
  let last = from < 0 ? (held[0]?.position ?? 1) - 1 : (told[from]?.position ?? 0);
  for (const { position, token } of held) {
    if (position !== last + 1) return `was told position ${position} after ${last}`;
    last = position;
    const kept = tokens.get(position);
    if (kept !== token && position >= begins)
      return `was told position ${position} under ${token}, the journal has ${kept ?? 'none'}, and no rewind was told`;
  }
  const end = entries.at(-1)?.position ?? 0;
  return caughtUp && last < end ? `was told up to position ${last}, and the journal goes on to ${end}` : undefined;
}
