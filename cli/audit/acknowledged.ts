// I1: what a client was told against what the journals have. An answer the client got must have been committed, as told.

import type { JournalEntry } from '../../runtime/messages.ts';
import type { Ack } from './evidence.ts';
import type { Findings } from './findings.ts';

/** Entries that answered a caller, by actor: what acknowledgements are looked up in. */
export type Answered = ReadonlyMap<string, readonly JournalEntry[]>;

export function answeredEntries(entries: Iterable<JournalEntry>): Answered {
  const byActor = new Map<string, JournalEntry[]>();
  for (const entry of entries) {
    if (entry.actor === undefined || entry.answer === undefined) continue;
    const own = byActor.get(entry.actor);
    if (own === undefined) byActor.set(entry.actor, [entry]);
    else own.push(entry);
  }
  return byActor;
}

/**
 * Each acknowledgement with 2xx has a step of that version that answered applied; each refusal an entry that answered
 * refused; and two commands never share a step. Acknowledgements without a version are not about one actor's step.
 */
export function checkAcks(acks: readonly Ack[], answered: Answered, findings: Findings): void {
  const takenBy = new Map<string, string>();
  for (const ack of acks) {
    const { actor, status, version } = ack;
    const isApplied = status >= 200 && status < 300;
    const isRefused = status === 409;
    if (version === undefined || !(isApplied || isRefused)) continue;
    findings.looked('I1');
    const kind = isApplied ? 'applied' : 'refused';
    const entry = answered.get(actor)?.find((one) => fits(one, ack, kind));
    if (entry === undefined) {
      const said = `${ack.scope} (key ${ack.key}, ${ack.at}) was answered ${status} with version ${version}`;
      findings.violated('I1', actor, `${said}, and no entry of the journal says so`);
    } else if (isApplied) {
      checkAlone(takenBy, entry, ack, findings);
    }
  }
}

function fits({ answer }: JournalEntry, { version, counter }: Ack, kind: 'applied' | 'refused'): boolean {
  if (answer?.kind !== kind || answer.version !== version) return false;
  return counter === undefined || answer.counter === counter;
}

/** A step stands for one command: the same answer under two keys means that one of them was not carried out. */
function checkAlone(takenBy: Map<string, string>, entry: JournalEntry, ack: Ack, findings: Findings): void {
  const step = `${entry.actor}:${entry.sequence}`;
  const command = `${ack.scope} ${ack.key}`;
  const other = takenBy.get(step);
  if (other !== undefined && other !== command)
    findings.violated(
      'I1',
      ack.actor,
      `version ${ack.version} was given as the answer to "${other}" and to "${command}"`,
    );
  takenBy.set(step, command);
}

/** Reads a log of acknowledgements, one JSON object a line. Throws with the number of a line that is none. */
export function parseAcks(text: string): readonly Ack[] {
  return text.split('\n').flatMap((line, index) => {
    if (line.trim() === '') return [];
    const ack = parsedLine(line);
    if (ack === undefined) throw new Error(`line ${index + 1} is not an acknowledgement`);
    return [ack];
  });
}

function parsedLine(line: string): Ack | undefined {
  try {
    const value = JSON.parse(line) as Partial<Ack> | null;
    const isAck = typeof value?.actor === 'string' && typeof value.key === 'string' && typeof value.status === 'number';
    return isAck ? { ...(value as Ack), scope: value.scope ?? '', at: value.at ?? '' } : undefined;
  } catch {
    return undefined;
  }
}
