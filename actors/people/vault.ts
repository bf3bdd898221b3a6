// The vault: personal data kept beside the actors, under ids that say nothing and never change, sealed with a key per person.
//
// A record is written once. Its id is derived from the caller's scope (an order, or an order and a version), so a retry
// finds its own record, and another content under the same scope is told, not stored. Charts, events, journals and logs
// carry the reference alone; the record is read at the moment a partner or a screen needs it. `forget` ends one record,
// `eraseSubject` all of a person.

import { canonical, type JsonObject } from '../../runtime/json.ts';
import { Cabinet, type CabinetOptions, type Owner, type Sheets, type Stored } from './cabinet.ts';
import { damaged } from './codec.ts';
import { type Documents, documents } from './documents.ts';
import type { ObjectStore } from './objects/store.ts';
import { type Address, isAddress, isPerson, type Person, residencyOf } from './records.ts';
import type { DataClass } from './retention.ts';
import { type Rotation, rotation } from './rotation.ts';
import { type Subjects, subjects } from './subject.ts';

export interface People extends Subjects {
  /** Writes a person under the id of `scope`. Throws TypeError for a value that is no person. */
  storePerson(person: Person, scope: string): Promise<{ readonly personRef: string; readonly kind: Stored }>;
  /** Writes an address of `owner` under the id of `scope`. Throws TypeError for a value that is no address. */
  storeAddress(
    address: Address,
    scope: string,
    owner: Owner,
  ): Promise<{ readonly addressRef: string; readonly kind: Stored }>;
  /** Writes what else was filed with an order: part of its business record. */
  storeApplication(
    application: object,
    orderId: string,
    owner: Owner,
  ): Promise<{ readonly applicationRef: string; readonly kind: Stored }>;
  /** Writes what a person said about a request of his. */
  storeNote(note: object, requestId: string, owner: Owner): Promise<{ readonly ref: string; readonly kind: Stored }>;
  readNote(requestId: string, userId: string): Promise<JsonObject | undefined>;
  /** The person, or undefined when forgotten or never stored. One round trip. Throws OperatingError for a damaged record. */
  readPerson(personRef: string): Promise<Person | undefined>;
  readAddress(addressRef: string): Promise<Address | undefined>;
  readApplication(orderId: string, userId: string): Promise<JsonObject | undefined>;
  /** Removes a record for good. False when there was none. */
  forget(ref: string): Promise<boolean>;
  /** Keeps a record longer than its class says, where its class may be. `reason` and `by` are words, no personal data. */
  extend(ref: string, why: { readonly reason: string; readonly by: string }): Promise<boolean>;
  readonly documents: Documents;
  readonly keys: Rotation;
}

export interface VaultOptions extends CabinetOptions {
  readonly objects: ObjectStore;
}

/** The vault over a client's sheets. */
export function people(sheets: Sheets, options: VaultOptions): People {
  const cabinet = new Cabinet(sheets, options);
  const docs = documents(cabinet, options.objects);
  const put = (owner: Owner, kind: string, dataClass: DataClass, scope: string, value: object) =>
    cabinet.store(owner, { parts: [kind, scope], dataClass, scope, text: canonical(value) });
  const get = async (ref: string): Promise<unknown> => {
    const text = await cabinet.read(ref);
    return text === undefined ? undefined : parsed(ref, text);
  };

  return {
    ...subjects(cabinet, docs, options.objects),
    documents: docs,
    keys: rotation(cabinet),
    async storePerson(person, scope) {
      if (!isPerson.Check(person)) throw new TypeError(`not a person: ${places(isPerson.Errors(person))}`);
      const owner = { userId: person.userId, residency: residencyOf(person) };
      const { ref, kind } = await put(owner, 'person', 'identity', scope, person);
      return { personRef: ref, kind };
    },
    async storeAddress(address, scope, owner) {
      if (!isAddress.Check(address)) throw new TypeError(`not an address: ${places(isAddress.Errors(address))}`);
      const { ref, kind } = await put(owner, 'address', 'contact', scope, address);
      return { addressRef: ref, kind };
    },
    async storeApplication(application, orderId, owner) {
      const { ref, kind } = await put(owner, 'application', 'business', orderId, application);
      return { applicationRef: ref, kind };
    },
    storeNote: (note, requestId, owner) => put(owner, 'note', 'contact', requestId, note),
    readNote: async (requestId, userId) =>
      (await get(cabinet.refOf(userId, ['note', requestId]))) as JsonObject | undefined, // Written by `storeNote` alone.
    async readPerson(personRef) {
      const value = await get(personRef);
      if (value === undefined || isPerson.Check(value)) return value;
      throw damaged(personRef, 'not a person');
    },
    async readAddress(addressRef) {
      const value = await get(addressRef);
      if (value === undefined || isAddress.Check(value)) return value;
      throw damaged(addressRef, 'not an address');
    },
    readApplication: async (orderId, userId) =>
      (await get(cabinet.refOf(userId, ['application', orderId]))) as JsonObject | undefined, // Written by `storeApplication` alone.
    forget: (ref) => cabinet.drop(ref),
    extend: (ref, why) => cabinet.extend(ref, why),
  };
}

function parsed(id: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw damaged(id, 'not JSON'); // Without the cause: its message quotes the record.
  }
}

/** Where a value fails its schema, without the value: this text may reach a log. */
const places = (errors: readonly { readonly instancePath: string; readonly keyword: string }[]): string =>
  errors.map((error) => `${error.instancePath || '/'} ${error.keyword}`).join(', ');
