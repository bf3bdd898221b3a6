// The notification partner, and the simulated phones its messages arrive at.
//
// A phone is a person's own thing: what it shows lives in memory only, 50 messages each, and is in no book. The book knows
// that a message was sent, under which business key, and nothing of its text or number.

import { Type } from 'typebox';
import { closed, id, word } from '../../contract/schema.ts';
import { done, idFor, type Operation, operation, type PhoneMessage } from './operation.ts';

const MESSAGES_PER_PHONE_MAX = 50;
const PHONES_MAX = 20_000; // Number and reference of 10,000 people; the longest silent one goes first.

export class Phones {
  readonly #messages = new Map<string, PhoneMessage[]>();

  receive(recipients: readonly string[], message: PhoneMessage): void {
    for (const recipient of recipients) {
      const messages = this.#messages.get(recipient) ?? [];
      messages.push(message);
      if (messages.length > MESSAGES_PER_PHONE_MAX) messages.shift();
      this.#messages.delete(recipient); // Back to the end of the row.
      this.#messages.set(recipient, messages);
    }
    for (const silent of this.#messages.keys()) {
      if (this.#messages.size <= PHONES_MAX) break;
      this.#messages.delete(silent);
    }
  }

  /** Messages to a number (E.164) or a person's reference, oldest first. */
  read(recipient: string): readonly PhoneMessage[] {
    return this.#messages.get(recipient) ?? [];
  }
}

interface Message {
  readonly [field: string]: string | { readonly phone: string } | { readonly code: string } | undefined;
  readonly subject: string;
  readonly personRef: string;
  readonly channel: string;
  readonly template: string;
  readonly to: { readonly phone: string };
  readonly params?: { readonly code: string };
}

const body = closed({
  subject: id,
  personRef: id,
  channel: word,
  template: word,
  locale: word,
  to: closed({ phone: Type.String({ maxLength: 20 }) }),
  params: Type.Optional(closed({ code: Type.String({ pattern: '^[0-9]{4,8}$' }) })),
});

const send = (effect: string, path: string): Operation =>
  operation<Message>({
    effect,
    path,
    body,
    subject: (message) => message.subject,
    decide(message, ask, world) {
      const messageId = idFor('msg_', ask);
      const code = message.params?.code;
      const text =
        code === undefined
          ? `Emboss: ${message.template}`
          : `Emboss: your code is ${code}. Tell it to the courier only.`;
      const shown: PhoneMessage = {
        id: messageId,
        at: new Date(world.now).toISOString(),
        channel: message.channel,
        template: message.template,
        subject: message.subject,
        text,
        ...(code === undefined ? {} : { code }),
      };
      return done(
        { messageId },
        { result: messageId, message: { recipients: [message.to.phone, message.personRef], message: shown } },
      );
    },
  });

export const notifications: readonly Operation[] = [
  send('notify', '/notify/messages'),
  send('otp.send', '/notify/codes'),
];
