// The cause of a step: a timer that fired or an effect that ended is over, whether the chart moves or not (M4).
//
// XState forgets a timer when it fires and an invoke when it ends; the record and the snapshot's children do so here, before
// the machine sees the event.

import type { AnyMachineSnapshot } from 'xstate';
import type { Event } from '../json.ts';
import type { ActorRecord, Execution, StepScope } from './behaviour.ts';
import { withoutFired } from './timers.ts';

export const DONE = 'xstate.done.actor.';
export const FAILED = 'xstate.error.actor.';
const AFTER = 'xstate.after.';

/** The execution whose outcome the event is, if the event is one and the record still waits for it. */
export function endedExecution(record: ActorRecord, event: Event, { cause }: StepScope): Execution | undefined {
  const { type } = event;
  const child = type.startsWith(DONE)
    ? type.slice(DONE.length)
    : type.startsWith(FAILED)
      ? type.slice(FAILED.length)
      : undefined;
  if (child === undefined) return undefined;
  const key = cause?.kind === 'effect' ? cause.key : undefined;
  return record.executions.find(
    (open) => open.child === child && (key === undefined ? !open.unreachable : open.key === key),
  );
}

/** Types that begin `xstate.` come from the runtime only: an armed timer's event, or the outcome of an open execution. */
export function isAdmitted(
  record: ActorRecord,
  { type }: Event,
  { cause }: StepScope,
  ended: Execution | undefined,
): boolean {
  if (!type.startsWith('xstate.')) return true;
  if (type.startsWith(DONE) || type.startsWith(FAILED)) return ended !== undefined;
  return cause?.kind === 'timer' || (type.startsWith(AFTER) && record.timers[type] !== undefined);
}

export function withoutCause(
  record: ActorRecord,
  { type }: Event,
  { cause }: StepScope,
  ended: Execution | undefined,
): ActorRecord {
  if (ended !== undefined)
    return { ...record, executions: record.executions.filter((execution) => execution !== ended) };
  const row = cause?.kind === 'timer' ? cause.id : type.startsWith(AFTER) ? type : undefined;
  if (row === undefined || record.timers[row] === undefined) return record;
  return { ...record, timers: withoutFired(record.timers, row) };
}

/** An ended execution's stand-in goes before the step: nothing is left to be stopped. */
export function withoutChild(snapshot: AnyMachineSnapshot, ended: Execution | undefined): AnyMachineSnapshot {
  if (ended === undefined || ended.unreachable) return snapshot;
  const { [ended.child as string]: _, ...children } = snapshot.children as Record<string, unknown>;
  return { ...snapshot, children } as AnyMachineSnapshot;
}
