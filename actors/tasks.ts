// Tasks as both contexts host them: the chart, and the two actions by which any other chart asks for a person.
//
// The message that opens a task creates it where it is not, and both go by the outbox of the subject's shard: once, and in the
// order in which the subject asked (M3).

import {
  type Announcement,
  type Hosted,
  type MessageRegistration,
  message,
  type Send,
  type StateView,
} from '../runtime/hosting.ts';
import { type ActorId, actorId } from '../runtime/ids.ts';
import type { Event, Json, JsonObject } from '../runtime/json.ts';
import { type TaskContext, task } from '../state-machines/task.ts';
import { taskKind } from '../state-machines/tasks.ts';
import { type TaskInput, type TaskMessage, taskIdOf } from './contract/index.ts';

const VERSION = '1';

/** What a chart says. Without `subject` it is the chart's own actor. */
interface Asked {
  readonly subject?: string;
  readonly orderId: string;
  readonly task: string;
}

/** The actions `openTask` and `closeTask` of a chart whose actors live in `namespace`. */
export function taskActions(namespace: string): {
  readonly openTask: MessageRegistration;
  readonly closeTask: MessageRegistration;
} {
  const said = (build: (asked: Required<Asked>) => Send): MessageRegistration =>
    message((params: JsonObject, from: { readonly actor: ActorId }) => {
      const asked = params as unknown as Asked; // The charts' actions are typed with it.
      return build({ subject: from.actor, ...asked });
    });
  const to = (subject: string, name: string, event: TaskMessage): Send => ({
    namespace,
    actor: actorId(taskIdOf(subject, name)),
    event: event as unknown as Event, // A contract message is an event of JSON fields.
  });
  return {
    openTask: said(({ subject, orderId, task: name }) => {
      const { desk, dueMs, ends } = taskKind(name);
      const input: TaskInput = { taskId: taskIdOf(subject, name), subject, orderId, task: name };
      return { ...to(subject, name, { type: 'OPEN', desk, dueMs, ends }), create: { machine: 'task', input } };
    }),
    closeTask: said(({ subject, task: name }) => to(subject, name, { type: 'CLOSE' })),
  };
}

export const taskChart: Hosted = { machine: task, name: 'task', version: VERSION, stamp: true, announce, answer };

/** Told to desks: opened, claimed, given back, closed, and each escalation or reminder. A repeated asking is not. */
function announce(before: StateView | undefined, after: StateView, event: Event): Announcement | undefined {
  const { work } = after.value as { readonly work: string };
  const now = contextOf(after);
  if (before === undefined || now.openings === 0) return undefined; // Created, and not opened yet.
  const was = contextOf(before);
  const escalated = now.escalations > was.escalations;
  if (!escalated && (before.value as { readonly work: string }).work === work) return undefined;
  return {
    type: `task.${escalated ? 'escalated' : work}`,
    data: { ...faceOf(after), ...(typeof event.at === 'number' ? { changedAt: event.at } : {}) },
  };
}

function answer(after: StateView): Json {
  return faceOf(after);
}

function faceOf(view: StateView): JsonObject {
  const { taskId, subject, orderId, task: name, desk, claimedBy, escalations } = contextOf(view);
  const { work } = view.value as { readonly work: string };
  return { taskId, subject, orderId, task: name, desk, state: work, claimedBy, escalations };
}

const contextOf = ({ context }: StateView): TaskContext => context as unknown as TaskContext; // Written by the chart alone.
