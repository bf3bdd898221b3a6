// I1: what a client was told against what the journals have. An answer the client got must have been committed, as told.

import { answersKeptMs } from '../../limits.ts';
import type { Answer, JournalEntry } from '../../messages.ts';
import type { Findings } from './findings.ts';
import { described, type History, type Operation, type Outcome } from './history.ts';
import type { Losses } from './losses.ts';

/** Entries that answered a caller: what acknowledgements are looked up in. */
export interface Answered {
  readonly entries: readonly JournalEntry[];
  /** By `actor message id`, and by `actor version` for those who do not know the message id. */
  readonly byName: ReadonlyMap<string, readonly JournalEntry[]>;
  /** False: some journal does not begin at its first entry, so an answer that is missing may have been trimmed. */
  readonly isWhole: boolean;
}

export function answeredEntries(journals: Iterable<readonly JournalEntry[]>): Answered {
  const byName = new Map<string, JournalEntry[]>();
  const answered: JournalEntry[] = [];
  let isWhole = true;
  for (const entries of journals) {
    if ((entries[0]?.position ?? 1) > 1) isWhole = false;
    for (const entry of entries) {
      const { actor, messageId, answer } = entry;
      if (actor === undefined || answer === undefined) continue;
      answered.push(entry);
      append(byName, versionName(actor, answer.version), entry);
      if (messageId !== undefined) append(byName, messageName(actor, messageId), entry);
    }
  }
  return { entries: answered, byName, isWhole };
}

const versionName = (actor: string, version: number): string => `version ${actor} ${version}`;
const messageName = (actor: string, messageId: string): string => `message ${actor} ${messageId}`;

function append(lists: Map<string, JournalEntry[]>, name: string, entry: JournalEntry): void {
  const list = lists.get(name);
  if (list === undefined) lists.set(name, [entry]);
  else list.push(entry);
}

/** True when the journals have the answer of this operation as it was told. */
export const isJournaled = (operation: Operation, answered: Answered): boolean =>
  entryOf(operation, answered) !== undefined;

function entryOf(operation: Operation, { byName }: Answered): JournalEntry | undefined {
  const { actor, messageId, outcome } = operation;
  if (!('version' in outcome)) return undefined;
  const name = messageId === undefined ? versionName(actor, outcome.version) : messageName(actor, messageId);
  return byName.get(name)?.find((entry) => fits(entry, outcome));
}

/**
 * Each operation that was told applied, refused or parked has an entry that says the same; none that was told rejected has
 * one; two commands never share a step, nor two steps a command. Those that a declared loss excuses are counted as lost.
 */
export function checkAcknowledged(history: History, answered: Answered, losses: Losses, findings: Findings): void {
  const takenBy = new Map<string, string>();
  const accepted = new Set<string>();
  for (const operation of history) if (operation.outcome.kind !== 'rejected') accepted.add(commandOf(operation));
  for (const operation of history) {
    const { kind } = operation.outcome;
    if (operation.kind === 'read' || kind === 'read' || kind === 'unknown') continue;
    findings.looked('I1');
    if (kind === 'rejected') {
      if (!accepted.has(commandOf(operation))) checkRejected(operation, answered, findings);
      continue;
    }
    const entry = entryOf(operation, answered);
    if (entry === undefined) missing(operation, answered, losses, findings);
    else if (kind === 'applied') checkAlone(takenBy, entry, operation, findings);
  }
  checkAnsweredOnce(answered.entries, findings);
}

function fits({ answer }: JournalEntry, outcome: Outcome): boolean {
  if (answer?.kind !== outcome.kind || !('version' in outcome) || answer.version !== outcome.version) return false;
  return !('counter' in outcome) || outcome.counter === undefined || answer.counter === outcome.counter;
}

/** Any answer to the operation's message, whatever it says. */
const otherAnswer = ({ actor, messageId }: Operation, { byName }: Answered): JournalEntry | undefined =>
  messageId === undefined ? undefined : byName.get(messageName(actor, messageId))?.[0];

function missing(operation: Operation, answered: Answered, losses: Losses, findings: Findings): void {
  const { actor } = operation;
  const ageMs = losses.ageMs(operation);
  if (ageMs !== undefined) losses.lostCommand(ageMs);
  else if (!answered.isWhole)
    findings.remark(`${actor}: an entry of ${described(operation)} may have been trimmed: not checked`);
  else {
    const other = otherAnswer(operation, answered);
    const instead = other === undefined ? '' : `; position ${other.position} answered it ${told(other.answer)}`;
    const words = `${described(operation)} was acknowledged, and no entry of the journal says so${instead}`;
    findings.violated('I1', actor, words);
  }
}

const told = (answer: Answer | undefined): string => `${answer?.kind} at version ${answer?.version}`;

/** A step stands for one command: the same answer under two keys means that one of them was not carried out. */
function checkAlone(takenBy: Map<string, string>, entry: JournalEntry, operation: Operation, findings: Findings): void {
  const step = `${entry.actor}:${entry.sequence}`;
  const command = commandOf(operation);
  const other = takenBy.get(step);
  takenBy.set(step, command);
  if (other === undefined || other === command) return;
  const words = `version ${entry.sequence} was given as the answer to "${other}" and to "${command}"`;
  findings.violated('I1', operation.actor, words);
}

/** What was rejected is nowhere: its caller went on as if nothing had happened. */
function checkRejected(operation: Operation, answered: Answered, findings: Findings): void {
  const entry = otherAnswer(operation, answered);
  if (entry === undefined) return;
  const words = `${described(operation)} was rejected, and position ${entry.position} answered it ${told(entry.answer)}`;
  findings.violated('I1', operation.actor, words);
}

/** One command has one answer, as long as answers are kept; a parked one gets its own when it is redriven. */
function checkAnsweredOnce(entries: readonly JournalEntry[], findings: Findings): void {
  const first = new Map<string, JournalEntry>();
  for (const entry of entries) {
    const { actor = '', messageId, answer, position } = entry;
    if (messageId === undefined || answer?.kind === 'parked') continue;
    const name = messageName(actor, messageId);
    const before = first.get(name);
    first.set(name, entry);
    if (before === undefined || committedAt(entry) - committedAt(before) >= answersKeptMs) continue;
    const words = `message ${messageId} was answered at position ${before.position} (${told(before.answer)}) and at ${position} (${told(answer)})`;
    findings.violated('I1', actor, words);
  }
}

const committedAt = ({ at, committedAt = at }: JournalEntry): number => committedAt;

/** What makes two operations the same command; an operation without a name is a command of its own. */
const commandOf = ({ messageId, command, actor, process, invokedAt }: Operation): string =>
  messageId ?? command ?? `${actor} ${process} ${invokedAt}`;
