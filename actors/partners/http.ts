// The partners over HTTP: each port function builds its request from input and vault, and names the answer it expects.

import { type Static, type TSchema, Type } from 'typebox';
import type { Clock } from '../../runtime/clock.ts';
import { storedError } from '../../runtime/errors.ts';
import type { EffectOutcome } from '../../runtime/hosting.ts';
import type { JsonObject } from '../../runtime/json.ts';
import { businessKey, type EffectInput, effects } from '../contract/effects.ts';
import type { People, Person } from '../people/index.ts';
import { exchange, type Reading, reading } from './exchange.ts';
import { type PartnerEffect, policies } from './policies.ts';
import type { Partners, Try } from './ports.ts';

export interface HttpPartnersOptions {
  /** Base URL of all partners. */
  readonly url: string;
  readonly people: Pick<People, 'readPerson' | 'readAddress'>;
  readonly clock: Clock;
  /** Deadline of one try in ms, by effect; the policies' otherwise. */
  readonly timeouts?: { readonly [name in PartnerEffect]?: number };
}

/** Builds the body of a call, besides the business key. `undefined`: the personal data it needs is not there any more. */
type Build<N extends PartnerEffect> = (
  input: EffectInput<N>,
) => Promise<JsonObject | undefined> | JsonObject | undefined;

/** Every port, over HTTP. Holds no state; sockets are kept alive by the platform. */
export function httpPartners(options: HttpPartnersOptions): Partners {
  const { people } = options;

  const ask = async <N extends PartnerEffect>(
    name: N,
    path: string,
    call: Try<N>,
    build: Build<N>,
    read: Reading,
  ): Promise<EffectOutcome> => {
    let body: JsonObject | undefined;
    try {
      body = await build(call.input);
    } catch (error) {
      // The vault could not be read; nothing has left the house, and the next try may be luckier.
      return { kind: 'unknown', reason: `vault: ${storedError(error).code ?? storedError(error).name}` };
    }
    if (body === undefined) return { kind: 'failed', error: { code: 'person_unknown' } };
    const { clock, url } = options;
    const timeoutMs = options.timeouts?.[name] ?? policies[name].timeoutMs;
    const sent = { ...body, businessKey: businessKey(name, call.input) };
    return exchange({ clock, url, path, body: sent, key: call.key, signal: call.signal, timeoutMs }, read);
  };

  /** The body made from input and person; none when the person was forgotten. */
  const about = async (personRef: string, build: (person: Person) => JsonObject): Promise<JsonObject | undefined> => {
    const person = await people.readPerson(personRef);
    return person === undefined ? undefined : build(person);
  };
  const message = (personRef: string, build: (phone: string) => JsonObject): Promise<JsonObject | undefined> =>
    about(personRef, ({ phone }) => ({ personRef, channel: 'sms', to: { phone }, ...build(phone) }));

  return {
    screening: {
      startKyc: (call) =>
        ask(
          'kyc.start',
          '/kyc/verifications',
          call,
          ({ personRef, ...input }) =>
            about(personRef, (person) => ({ ...input, person: identityOf(person), documents: documentsOf(person) })),
          outputs['kyc.start'],
        ),
      screenAml: (call) =>
        ask(
          'aml.screen',
          '/aml/screenings',
          call,
          ({ personRef, ...input }) => about(personRef, (person) => ({ ...input, person: identityOf(person) })),
          outputs['aml.screen'],
        ),
      decideCredit: (call) =>
        ask(
          'credit.decide',
          '/credit/decisions',
          call,
          ({ personRef, ...input }) => about(personRef, (person) => ({ ...input, person: identityOf(person) })),
          outputs['credit.decide'],
        ),
      validateAddress: (call) =>
        ask(
          'address.validate',
          '/carrier/address-validations',
          call,
          async ({ addressRef, ...input }) => {
            const address = await people.readAddress(addressRef);
            return address === undefined ? undefined : { ...input, address };
          },
          outputs['address.validate'],
        ),
    },
    issuer: {
      createCard: (call) =>
        ask(
          'card.create',
          '/issuer/cards',
          call,
          ({ personRef, ...input }) =>
            about(personRef, (person) => ({ ...input, embossedName: embossedNameOf(person) })),
          outputs['card.create'],
        ),
      activateCard: (call) => ask('card.activate', '/issuer/activations', call, same, nothing),
      suspendCard: (call) => ask('card.suspend', '/issuer/suspensions', call, same, nothing),
      resumeCard: (call) => ask('card.resume', '/issuer/resumptions', call, same, nothing),
      closeCard: (call) => ask('card.close', '/issuer/closures', call, same, nothing),
    },
    bureau: {
      submitJob: (call) =>
        ask(
          'bureau.submit',
          '/bureau/jobs',
          call,
          ({ personRef, ...input }) =>
            about(personRef, (person) => ({ ...input, embossedName: embossedNameOf(person) })),
          nothing,
        ),
      withdrawJob: (call) => ask('bureau.withdraw', '/bureau/withdrawals', call, same, outputs['bureau.withdraw']),
    },
    carrier: {
      preadvise: (call) => ask('carrier.preadvise', '/carrier/preadvices', call, same, nothing),
      createShipment: (call) =>
        ask(
          'carrier.createShipment',
          '/carrier/shipments',
          call,
          async ({ personRef, addressRef, ...input }) => {
            const [person, address] = await Promise.all([people.readPerson(personRef), people.readAddress(addressRef)]);
            return person === undefined || address === undefined
              ? undefined
              : { ...input, address, recipient: recipientOf(person) };
          },
          outputs['carrier.createShipment'],
        ),
      voidShipment: (call) => ask('carrier.void', '/carrier/voids', call, same, nothing),
    },
    notifications: {
      notify: (call) =>
        ask(
          'notify',
          '/notify/messages',
          call,
          ({ personRef, subject, template, locale }) => message(personRef, () => ({ subject, template, locale })),
          nothing,
        ),
      sendCode: (call, code) =>
        ask(
          'otp.send',
          '/notify/codes',
          call,
          ({ personRef, deliveryId, locale }) =>
            message(personRef, () => ({ subject: deliveryId, template: 'handover_code', locale, params: { code } })),
          nothing,
        ),
    },
  };
}

const same = <I extends JsonObject>(input: I): I => input;

/** Reads the contract's output from an answer that may hold more than it. */
function outputReading<S extends TSchema>(schema: S): Reading {
  const properties = (schema as unknown as { readonly properties: { readonly [field: string]: TSchema } }).properties; // Every output is an object.
  const fields = Object.keys(properties);
  return reading(Type.Object({ ...properties }), (answer: Static<TSchema>) => {
    const found = answer as JsonObject; // An object, by the schema it was just checked against.
    return Object.fromEntries(
      fields.flatMap((field) => (found[field] === undefined ? [] : [[field, found[field]]])),
    ) as JsonObject;
  });
}

const outputs = {
  'kyc.start': outputReading(effects['kyc.start'].output),
  'aml.screen': outputReading(effects['aml.screen'].output),
  'credit.decide': outputReading(effects['credit.decide'].output),
  'address.validate': outputReading(effects['address.validate'].output),
  'card.create': outputReading(effects['card.create'].output),
  'bureau.withdraw': outputReading(effects['bureau.withdraw'].output),
  'carrier.createShipment': outputReading(effects['carrier.createShipment'].output),
} as const;

/** An answer that says no more than yes; it still has to be an object. */
const nothing = reading(Type.Object({}), () => ({}));

const nameOf = (person: Person): string =>
  [person.givenName, person.middleName, person.familyName].filter((part) => part !== undefined).join(' ');

const identityOf = (person: Person): JsonObject => ({
  name: nameOf(person),
  birthDate: person.birthDate,
  ...(person.citizenship === undefined ? {} : { citizenship: person.citizenship }),
});

const documentsOf = (person: Person): readonly JsonObject[] =>
  (person.documents ?? []).map(({ kind, issuingCountry }) => ({ kind, issuingCountry }));

/** The name on the card as it was asked for; a card without one carries the applicant's own. */
const embossedNameOf = ({ embossedName, ...person }: Person): string =>
  embossedName === undefined
    ? nameOf(person).slice(0, 60)
    : [embossedName.line1, embossedName.line2].filter((line) => line !== undefined).join(' ');

const recipientOf = (person: Person): JsonObject => {
  const { recipient } = person;
  if (recipient === undefined) return { name: nameOf(person), phone: person.phone };
  return { name: recipient.name, ...(recipient.phone === undefined ? {} : { phone: recipient.phone }) };
};
