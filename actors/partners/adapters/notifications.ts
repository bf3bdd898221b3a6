// Messages over HTTP: by text message, call or e-mail. The code of an `otp.send` is in the request alone.

import type { JsonObject } from '../../../runtime/json.ts';
import type { Person } from '../../people/index.ts';
import type { Asking } from '../asking.ts';
import type { Errors } from '../exchange.ts';
import type { NotificationsPort } from '../ports.ts';

type Channel = 'sms' | 'voice' | 'email';

export function notificationsOver({ ask, about }: Asking): NotificationsPort {
  return {
    notify: (call) =>
      ask('notify', call, {
        path: '/notify/v2/messages',
        errors,
        build: ({ personRef, subject, template, locale }, key) =>
          about(personRef, (person) => ({
            dedupe_id: key,
            topic: subject,
            recipient_ref: personRef,
            transport: 'SMS',
            destination: { msisdn: person.phone },
            template_id: template,
            lang: locale,
          })),
      }),
    async sendCode(call, code) {
      const channel: Channel = call.input.channel ?? 'sms';
      return ask('otp.send', call, {
        path: '/notify/v2/codes',
        errors,
        build: ({ personRef, deliveryId, locale }, key) =>
          about(personRef, (person) => ({
            dedupe_id: key,
            topic: deliveryId,
            recipient_ref: personRef,
            transport: channel.toUpperCase(),
            destination: destinationOf(person, channel),
            template_id: 'handover_code',
            lang: locale,
            one_time_code: code,
          })),
      });
    },
  };
}

/** Somebody without an e-mail address has an empty destination: the partner says no, and another channel is tried. */
function destinationOf({ phone, email }: Person, channel: Channel): JsonObject {
  if (channel !== 'email') return { msisdn: phone };
  return email === undefined ? {} : { mailbox: email };
}

const errors: Errors = {
  at: ({ status_code }) => status_code,
  words: { TRANSPORT_UNAVAILABLE: 'channel_unavailable', NO_DESTINATION: 'channel_unavailable' },
};
