// What travels to tasks, and what creates them: work that a subject of either context asks a person for.
//
// A task lives in its subject's own namespace, under an id that follows from subject and name, so that asking twice is asking
// the same one. `by` and `reason` as in ordering.ts: a principal, and a word of a closed list.

import { type Static, Type } from 'typebox';
import { taskReasons } from './reasons.ts';
import { closed, type EventOf, event, id, ms, oneOf, word } from './schema.ts';

export const taskInput = closed({ taskId: id, subject: id, orderId: id, task: word });
export type TaskInput = Static<typeof taskInput>;

const by = { by: id };

export const taskEvents = {
  /** By the subject, with the terms of the table; creates the task. While it is open it is counted, and after it was closed it opens anew. */
  OPEN: event('OPEN', { desk: word, dueMs: ms, ends: oneOf('state', 'person') }),
  /** By the subject, when it left the state behind the task; by an administrator where that was forgotten. */
  CLOSE: event('CLOSE', { by: Type.Optional(id), reason: Type.Optional(oneOf(...taskReasons)) }),
  CLAIM: event('CLAIM', by),
  /** By whoever claimed it; `holder` names him when somebody else gives it back. */
  UNCLAIM: event('UNCLAIM', { ...by, holder: Type.Optional(id) }),
  /** Only where no state stands behind the task. */
  DONE: event('DONE', { ...by, reason: oneOf(...taskReasons) }),
} as const;
export type TaskMessage = EventOf<typeof taskEvents>;

/** The task of that name for a subject. `ord_x` and `dlv_x_1` of one order are different subjects. */
export const taskIdOf = (subject: string, task: string): string =>
  `tsk_${subject.slice(subject.indexOf('_') + 1)}_${task}`;
