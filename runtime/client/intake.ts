// Intake from callers: send, and ask, which waits for the answer in the journal's tail (M1, M6).

import { hash } from 'node:crypto';
import type { AskOutcome, Command, SendOutcome } from '../client.ts';
import { type Clock, pause } from '../clock.ts';
import { OperatingError, OutcomeUnknown } from '../errors.ts';
import { type SendReply, send as sendCall } from '../functions/send.ts';
import { isActorId } from '../ids.ts';
import type { Tail } from '../journal/tail.ts';
import { mailboxPerActorMax, mailboxPerShardMax, mailboxRetryMs, messageCharsMax } from '../limits.ts';
import type { Answer, Message } from '../messages.ts';
import type { Batch } from '../redis/batch.ts';
import type { ShardKeys } from '../redis/keys.ts';

export interface IntakeDoors {
  readonly batch: Batch;
  readonly clock: Clock;
  readonly now: () => number;
  readonly keysOf: (actor: Command['actor']) => ShardKeys;
  /** What a caller is told whose actor has no inbox any more. */
  readonly inboxLost: (actor: Command['actor']) => OperatingError;
  readonly tail: () => Promise<Tail>;
  /** Whether the entry that told an answer has reached the durability level; undefined where it has when it can be heard. */
  readonly isKept?: ((entry: Heard) => Promise<boolean>) | undefined;
  readonly mailbox: { readonly perActorMax?: number; readonly perShardMax?: number } | undefined;
}

/** The journal entry by which an answer was heard. */
export interface Heard {
  readonly shard: number;
  readonly position: number;
  readonly token: string;
}

export interface Intake {
  send(command: Command): Promise<SendOutcome>;
  ask(command: Command, timeoutMs: number): Promise<AskOutcome>;
  /** An operator's act on a parked actor: never limited. */
  control(actor: Command['actor'], act: 'redrive' | 'discard', by: string, messageId: string): Promise<SendOutcome>;
}

interface Told {
  readonly answer: Answer;
  readonly entry: Heard;
}

type Tell = (told: Told) => void;

/** What is told and not thrown. */
type Accepted = Exclude<SendReply, { kind: 'gone' }>;

const REPEAT_ONCE_AFTER_MS = 50; // After an unknown outcome a repeat under the same id tells what happened (M1).
const TIMEOUT_MS_MAX = 60_000;

/** Throws OperatingError `bad-setting` for bounds of a mailbox that are no whole numbers from 1 on. */
export function intake(doors: IntakeDoors): Intake {
  for (const [name, bound] of Object.entries(doors.mailbox ?? {})) {
    if (bound !== undefined && !(Number.isSafeInteger(bound) && bound > 0))
      throw new OperatingError('bad-setting', `mailbox.${name} is a whole number from 1 on, not ${bound}`);
  }
  /** Who waits for the answer to a command; one command may be asked several times at once. */
  const waiters = new Map<string, Set<Tell>>();
  let listening: Promise<void> | undefined;

  function listen(): Promise<void> {
    listening ??= doors.tail().then(
      (tail) => {
        tail.listen({
          entry({ who, messageId, answer, shard, position, token }) {
            if (answer === undefined) return;
            const waiting = waiters.get(`${who}|${messageId}`);
            if (waiting === undefined) return;
            const told = { answer: JSON.parse(answer) as Answer, entry: { shard, position, token } };
            for (const tell of waiting) tell(told);
          },
        });
      },
      (error: unknown) => {
        listening = undefined; // The next ask tries again.
        throw error;
      },
    );
    return listening;
  }

  function wait(key: string, tell: Tell): () => void {
    const waiting = waiters.get(key) ?? new Set();
    waiters.set(key, waiting.add(tell));
    return () => {
      waiting.delete(tell);
      if (waiting.size === 0 && waiters.get(key) === waiting) waiters.delete(key);
    };
  }

  async function accept(
    actor: Command['actor'],
    messageId: string,
    message: Message,
    fingerprint: string,
    limited: boolean,
  ): Promise<Accepted> {
    const body = JSON.stringify(message);
    if (body.length > messageCharsMax) {
      throw new OperatingError(
        'message-too-large',
        `a message has at most ${messageCharsMax} characters, this one ${body.length}`,
      );
    }
    const request = {
      actor,
      messageId,
      digest: hash('sha256', fingerprint).slice(0, 32),
      body,
      perActorMax: limited ? (doors.mailbox?.perActorMax ?? mailboxPerActorMax) : 0,
      perShardMax: doors.mailbox?.perShardMax ?? mailboxPerShardMax,
      now: doors.now(),
    };
    const reply = await doors.batch.run(sendCall(doors.keysOf(actor), request));
    if (reply.kind === 'gone') throw doors.inboxLost(actor);
    return reply;
  }

  async function send(command: Command): Promise<SendOutcome> {
    check(command);
    const message: Message = {
      kind: 'call',
      event: command.event,
      ...(command.create === undefined ? {} : { create: command.create }),
      ...(command.from === undefined ? {} : { from: command.from }),
      ...(command.trace === undefined ? {} : { trace: command.trace }),
    };
    const fingerprint = command.fingerprint ?? JSON.stringify([command.event, command.create]);
    return outcome(await accept(command.actor, command.messageId, message, fingerprint, true));
  }

  /** Sends, and once more when the first reply was lost: the same id makes it the same command. */
  async function sendSurely(
    command: Command,
  ): Promise<{ readonly outcome: SendOutcome | undefined; readonly repeated: boolean }> {
    try {
      return { outcome: await send(command), repeated: false };
    } catch (error) {
      if (!(error instanceof OutcomeUnknown)) throw error;
    }
    await pause(doors.clock, REPEAT_ONCE_AFTER_MS);
    const again = await send(command).catch((error: unknown) => {
      // That the repeat was not sent says nothing of the first one.
      if (error instanceof OutcomeUnknown || (error instanceof OperatingError && error.retry === 'here'))
        return undefined;
      throw error;
    });
    return { outcome: again, repeated: true };
  }

  /** Where it cannot be told, it may not be: the caller repeats under the same id and hears it once it is. */
  async function isKept(entry: Heard): Promise<boolean> {
    return doors.isKept === undefined || (await doors.isKept(entry).catch(() => false));
  }

  async function ask(command: Command, timeoutMs: number): Promise<AskOutcome> {
    await listen(); // Before the send: no answer can pass unseen.
    let stopWaiting = (): void => undefined;
    let cancel = (): void => undefined;
    const answered = new Promise<Told | undefined>((resolve) => {
      stopWaiting = wait(`${command.actor}|${command.messageId}`, resolve);
      cancel = doors.clock.after(Math.min(timeoutMs, TIMEOUT_MS_MAX), () => resolve(undefined));
    });
    try {
      const { outcome: sent, repeated } = await sendSurely(command);
      if (sent?.kind === 'duplicate' && sent.answer !== undefined) {
        return { kind: 'answered', answer: sent.answer, replayed: true };
      }
      // A duplicate of our own first sending is no other's command: its answer is ours.
      if (sent?.kind === 'duplicate' && !repeated) return { kind: 'running' };
      if (sent?.kind === 'key-reused') return sent;
      // A mailbox that is full for the repeat may not be full for the first sending, where that is still on its way (C3).
      if (sent?.kind === 'rejected' && !repeated) return sent;
      const told = await answered;
      if (told === undefined || !(await isKept(told.entry))) return { kind: 'unknown' };
      return { kind: 'answered', answer: told.answer, replayed: false };
    } finally {
      cancel();
      stopWaiting();
    }
  }

  return {
    send,
    ask,
    async control(actor, act, by, messageId) {
      checkAddress(actor, messageId);
      const message: Message = { kind: 'control', event: { type: act }, from: by };
      return outcome(await accept(actor, messageId, message, act, false));
    },
  };
}

const bad = (what: string): never => {
  throw new OperatingError('bad-command', what);
};

function checkAddress(actor: Command['actor'], messageId: string): void {
  if (!isActorId(actor)) bad(`not an actor id: ${String(actor).slice(0, 100)}`);
  if (messageId.length < 1 || messageId.length > 200) bad('a message id has 1 to 200 characters');
  // Half a surrogate pair is stored as U+FFFD: two ids would become one, and the waiter would never hear of either.
  if (LONE_SURROGATE.test(messageId)) bad('a message id is well-formed Unicode');
}

const LONE_SURROGATE = /\p{Surrogate}/u;

function check(command: Command): void {
  checkAddress(command.actor, command.messageId);
  if (typeof command.event?.type !== 'string' || command.event.type === '') bad('an event has a type');
  if (/^(xstate|emboss)\./.test(command.event.type) && command.event.type !== 'emboss.create') {
    bad(`callers cannot send ${command.event.type}: that name belongs to the runtime`);
  }
}

function outcome(reply: Accepted): SendOutcome {
  switch (reply.kind) {
    case 'accepted':
      return reply;
    case 'duplicate':
      return { kind: 'duplicate', answer: reply.answer === '' ? undefined : (JSON.parse(reply.answer) as Answer) };
    case 'key-reused':
      return reply;
    case 'full':
      return { kind: 'rejected', reason: 'mailbox-full', retryAfterMs: mailboxRetryMs };
  }
}
