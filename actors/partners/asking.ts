// What every adapter needs: the vault, the clock, and one way of asking. An adapter builds a request in its partner's words, and
// says how to read the answer.

import { Type } from 'typebox';
import type { Clock } from '../../runtime/clock.ts';
import { storedError } from '../../runtime/errors.ts';
import type { EffectOutcome } from '../../runtime/hosting.ts';
import type { JsonObject } from '../../runtime/json.ts';
import { businessKey, type EffectInput } from '../contract/index.ts';
import type { People, Person } from '../people/index.ts';
import { type Errors, exchange, type Reading, reading, STRANGE } from './exchange.ts';
import { type PartnerEffect, policies } from './policies.ts';
import type { Try } from './ports.ts';

export interface HttpPartnersOptions {
  /** Base URL of all partners. */
  readonly url: string;
  readonly people: Pick<People, 'readPerson' | 'readAddress'>;
  readonly clock: Clock;
  /** Which carrier a booking was sent to, where it was not the first choice: a booking given back is given back there. */
  readonly bookings?: Bookings;
  /** Deadline of one try in ms, by effect; the policies' otherwise. */
  readonly timeouts?: { readonly [name in PartnerEffect]?: number };
  readonly log?: (line: { readonly [field: string]: unknown }, message: string) => void;
}

/** Records of the namespace: written once, and read by key. */
export interface Bookings {
  putRecord(id: string, bytes: string): Promise<unknown>;
  getRecord(id: string): Promise<string | undefined>;
}

/** What is sent: a body, or the text of a file. Undefined: the personal data it needs is not there any more. */
type Body = JsonObject | string | undefined;

export interface Question<N extends PartnerEffect> {
  readonly path: string;
  readonly errors: Errors;
  /** `key` is the business key: it goes along in the field that the partner has for it. */
  readonly build: (input: EffectInput<N>, key: string) => Promise<Body> | Body;
  readonly read?: Reading;
  /** Instead of `read`, where the answer has to agree with what was sent. */
  readonly readEcho?: (sent: JsonObject | string) => Reading;
}

export interface Asking {
  readonly people: HttpPartnersOptions['people'];
  readonly bookings: Bookings | undefined;
  ask<N extends PartnerEffect>(name: N, call: Try<N>, question: Question<N>): Promise<EffectOutcome>;
  /** The body made from a person; none when the person was forgotten. */
  about(personRef: string, build: (person: Person) => Body): Promise<Body>;
}

export function asking(options: HttpPartnersOptions): Asking {
  const { people, clock, url, timeouts, log, bookings } = options;
  return {
    people,
    bookings,
    async ask(name, call, { path, errors, build, read = nothing, readEcho }) {
      let body: Body;
      try {
        body = await build(call.input, businessKey(name, call.input));
      } catch (error) {
        // The vault could not be read; nothing has left the house, and the next try may be luckier.
        return { kind: 'unknown', reason: `vault: ${storedError(error).code ?? storedError(error).name}` };
      }
      if (body === undefined) return { kind: 'failed', error: { code: 'person_unknown' } };
      const timeoutMs = timeouts?.[name] ?? policies[name].timeoutMs;
      const reads = readEcho?.(body) ?? read;
      const request = { clock, url, path, body, errors, key: call.key, signal: call.signal, timeoutMs };
      const outcome = await exchange(request, reads);
      if (outcome.kind === 'failed' && outcome.error.code === 'unknown')
        log?.({ effect: name, word: outcome.error.detail }, 'a partner refused in a word that we do not know');
      if (outcome.kind === 'unknown' && outcome.reason.endsWith(STRANGE)) log?.({ effect: name }, outcome.reason);
      return outcome;
    },
    async about(personRef, build) {
      const person = await people.readPerson(personRef);
      return person === undefined ? undefined : build(person);
    },
  };
}

/** An answer that says no more than yes; it still has to be an object. */
const nothing = reading(Type.Object({}), () => ({}));

export const nameOf = (person: Person): string =>
  [person.givenName, person.middleName, person.familyName].filter((part) => part !== undefined).join(' ');

/** The name on the card as it was asked for; a card without one carries the applicant's own. */
export const embossedNameOf = ({ embossedName, ...person }: Person): string =>
  embossedName === undefined
    ? nameOf(person).slice(0, 60)
    : [embossedName.line1, embossedName.line2].filter((line) => line !== undefined).join(' ');
