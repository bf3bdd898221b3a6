// Replay: a journal's steps taken again, for the auditor. The chart is pure, so the stored texts must come out the same.

import { invariant } from '../errors.ts';
import type { ActorId } from '../ids.ts';
import type { JournalEntry } from '../messages.ts';
import type { Behaviour, Held } from './behaviour.ts';
import { snapshotHash } from './definition.ts';

export interface Replayed {
  readonly sequence: number;
  readonly stored: string;
  /** As the journal's `snapshotHash`. */
  readonly hash: string;
  readonly states: readonly string[];
  readonly held: Held;
}

/**
 * Steps one actor's entries, oldest first, from its creation; entries that are not `moved` changed nothing and are passed over.
 * Throws InvariantBroken (C2) at a gap, and whatever the chart throws. Lazy: stop at the first difference.
 */
export function* replay(behaviour: Behaviour, actor: ActorId, entries: Iterable<JournalEntry>): Generator<Replayed> {
  let held: Held | undefined;
  let sequence = 0;
  for (const entry of entries) {
    if (entry.kind !== 'moved') continue;
    sequence += 1;
    invariant(entry.sequence === sequence, `C2: ${actor} has sequence ${entry.sequence} where ${sequence} was due`);
    const scope = { actor, sequence, now: entry.at };
    const step =
      held === undefined
        ? behaviour.start(entry.input ?? {}, scope)
        : behaviour.step(held, movingEvent(entry, actor), scope);
    invariant(step.kind === 'moved', `C1: ${actor} refuses at ${sequence} what its journal says moved it`);
    held = step.held;
    yield { sequence, stored: step.stored, hash: snapshotHash(step.stored), states: step.states, held };
  }
}

function movingEvent({ event, sequence }: JournalEntry, actor: ActorId): NonNullable<JournalEntry['event']> {
  invariant(event !== undefined, `C2: entry ${sequence} of ${actor} carries no event`);
  return event;
}
