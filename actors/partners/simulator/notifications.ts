// The notification partner, and the simulated phones its messages arrive at.
//
// A phone is a person's own thing: what it shows lives in memory only, 50 messages each, and is in no book. The book knows
// that a message was sent, under which business key, and nothing of its text or number.

import { Type } from 'typebox';
import { orderIdOf } from '../../contract/index.ts';
import { closed, id, oneOf, word } from '../../contract/schema.ts';
import { befalls, setting } from './faults.ts';
import { done, idFor, type Operation, type PhoneMessage, partnerOf, refused } from './operation.ts';

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

  /** Messages to a number (E.164), an e-mail address or a person's reference, oldest first. */
  read(recipient: string): readonly PhoneMessage[] {
    return this.#messages.get(recipient) ?? [];
  }
}

interface Message {
  readonly [field: string]: string | { readonly [kind: string]: string } | undefined;
  readonly topic: string;
  readonly recipient_ref: string;
  readonly transport: string;
  readonly template_id: string;
  readonly destination: { readonly [kind: string]: string };
  readonly one_time_code?: string;
}

const messenger = partnerOf((status_code, text) => ({ status_code, ...(text === undefined ? {} : { text }) }));

const body = closed({
  dedupe_id: Type.String({ minLength: 1, maxLength: 300 }),
  topic: id,
  recipient_ref: id,
  transport: oneOf('SMS', 'VOICE', 'EMAIL'),
  template_id: word,
  lang: word,
  destination: closed({
    msisdn: Type.Optional(Type.String({ maxLength: 20 })),
    mailbox: Type.Optional(Type.String({ maxLength: 300 })),
  }),
  one_time_code: Type.Optional(Type.String({ pattern: '^[0-9]{4,8}$' })),
});

const send = (effect: string, path: string): Operation =>
  messenger<Message>({
    effect,
    path,
    body,
    reference: 'dedupe_id',
    subject: ({ topic }) => topic,
    order: ({ topic }) => (topic.startsWith('dlv_') ? orderIdOf(topic) : topic),
    decide(message, ask, world) {
      const { transport, destination, recipient_ref, one_time_code: code } = message;
      const channels: readonly string[] | undefined = setting(world.faults, 'failChannels', ask);
      if ((channels?.includes(transport) ?? true) && befalls(world.faults, 'messageFailRate', ask))
        return refused('TRANSPORT_UNAVAILABLE');
      const address = destination.msisdn ?? destination.mailbox;
      if (address === undefined) return refused('NO_DESTINATION');
      const shown = shownAs(message, idFor('msg_', ask), code, world.now);
      return done(
        { message_id: shown.id, state: 'SENT' },
        { result: shown.id, message: { recipients: [address, recipient_ref], message: shown } },
      );
    },
  });

function shownAs(message: Message, id: string, code: string | undefined, now: number): PhoneMessage {
  const { transport, template_id: template, topic: subject } = message;
  const text =
    code === undefined ? `Emboss: ${template}` : `Emboss: your code is ${code}. Tell it to the courier only.`;
  const shown = { id, at: new Date(now).toISOString(), channel: transport.toLowerCase(), template, subject, text };
  return code === undefined ? shown : { ...shown, code };
}

export const notifications: readonly Operation[] = [
  send('notify', '/notify/v2/messages'),
  send('otp.send', '/notify/v2/codes'),
];
