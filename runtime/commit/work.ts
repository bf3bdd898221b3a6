// What a shard has to do next: messages, due timers, late outcomes, entries of parked actors. One step each.

import type { EffectOutcome, LateFollowUp } from '../hosting.ts';
import type { ActorId } from '../ids.ts';
import { positionOf } from '../ids.ts';
import type { StreamEntry } from '../journal/entry.ts';
import type { Event } from '../json.ts';
import type { Message } from '../messages.ts';

export interface EntryWork {
  /** `entry` from the inbox, `waiting` from a parked actor's list (M5). */
  readonly kind: 'entry' | 'waiting';
  readonly actor: ActorId;
  readonly id: string;
  readonly position: number;
  readonly messageId: string;
  /** Time of acceptance and digest of the caller's command, as its dedupe record has them; '' where no caller waits. */
  readonly dedupe: string;
  readonly body: string;
  readonly message: Message;
  /** Found twice to have ended its process: parked without being stepped (M5). */
  readonly crashed?: boolean;
}

export interface TimerWork {
  readonly kind: 'timer';
  readonly actor: ActorId;
  readonly member: string;
  readonly timerId: string;
  readonly generation: string;
  readonly event: Event;
  /** When it was due, in domain time. */
  readonly dueAt: number;
  /** As an entry's. */
  readonly crashed?: boolean;
}

export interface LateWork {
  readonly kind: 'late';
  readonly actor: ActorId;
  readonly key: string;
  readonly attempt: number;
  readonly machine: string;
  readonly name: string;
  readonly outcome: EffectOutcome;
  readonly followUp: LateFollowUp;
}

export type Work = EntryWork | TimerWork | LateWork;

/** An effect's record as the commit stores it. */
export interface EffectRecord {
  readonly actor: ActorId;
  /** The chart whose registration runs it. */
  readonly machine: string;
  readonly name: string;
  readonly child: string | null;
  readonly input: { readonly [key: string]: never };
  /** Server's clock at the commit that started it: the policy's deadline counts from here, and no travel moves it (T2). */
  readonly at: number;
}

export const timerMember = (actor: ActorId, timerId: string): string => `t|${actor}|${timerId}`;

/** A row is `generation event`, under its member. Undefined when the row is not a timer's. */
export function timerWork(member: string, row: string, dueAt: number): TimerWork | undefined {
  const [, actor, ...rest] = member.split('|');
  if (!member.startsWith('t|') || actor === undefined) return undefined;
  const space = row.indexOf(' ');
  return {
    kind: 'timer',
    actor: actor as ActorId,
    member,
    timerId: rest.join('|'),
    generation: row.slice(0, space),
    event: JSON.parse(row.slice(space + 1)) as Event,
    dueAt,
  };
}

export function entryWork([id, fields]: StreamEntry): EntryWork {
  const { actor, at, digest, messageId } = inboxHead(fields[1] as string);
  const body = fields[3] as string;
  const dedupe = digest === '-' ? '' : `${at} ${digest}`;
  const message = parsedMessage(body);
  return { kind: 'entry', actor: actor as ActorId, id, position: positionOf(id), messageId, dedupe, body, message };
}

/** The event of an entry that is no message: what somebody else wrote into the inbox parks its actor, and harms no other (M5). */
export const UNREADABLE = 'emboss.unreadable';

function parsedMessage(body: string): Message {
  try {
    const message = JSON.parse(body) as Partial<Message> | null;
    if (typeof message?.event?.type === 'string') return message as Message; // Our own format, written by `accept`.
  } catch {
    // Told below.
  }
  return { kind: 'call', event: { type: UNREADABLE } };
}

/** `time digest actor|message id`: the last may hold any character. */
export function inboxHead(head: string) {
  const one = head.indexOf(' ');
  const two = head.indexOf(' ', one + 1);
  const bar = head.indexOf('|', two + 1);
  return {
    at: head.slice(0, one),
    digest: head.slice(one + 1, two),
    actor: head.slice(two + 1, bar),
    messageId: head.slice(bar + 1),
  };
}

/** How an entry stands in a parked actor's list: `id {…}`. */
export const waitingText = (work: EntryWork): string =>
  `${work.id} ${JSON.stringify({ m: work.messageId, d: work.dedupe, b: work.body })}`;

export function waitingWork(actor: ActorId, text: string): EntryWork {
  const space = text.indexOf(' ');
  const id = text.slice(0, space);
  const { m, d, b } = JSON.parse(text.slice(space + 1)) as { m: string; d: string; b: string };
  return {
    kind: 'waiting',
    actor,
    id,
    position: positionOf(id),
    messageId: m,
    dedupe: d,
    body: b,
    message: parsedMessage(b),
  };
}
