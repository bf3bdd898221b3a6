// The vault: personal data kept beside the actors, under ids that say nothing and never change.
//
// A record is written once. Its id is derived from the caller's scope (an order, or an order and a version), so a retry
// finds its own record, and another content under the same scope is told, not stored. Charts, events, journals and logs
// carry the reference alone; the record is read at the moment a partner or a screen needs it, and `forget` ends it.

import type { Client } from '../../runtime/client.ts';
import { OperatingError } from '../../runtime/errors.ts';
import { canonical } from '../../runtime/json.ts';
import { type Codec, plain } from './codec.ts';
import { type Address, isAddress, isPerson, type Person } from './records.ts';

/** The part of a runtime client that the vault needs. */
export type Records = Pick<Client, 'derive' | 'putRecord' | 'getRecord' | 'dropRecord'>;

/** `other`: the scope already holds another content, which stays as it was. */
export type Stored = 'stored' | 'same' | 'other';

export interface People {
  /** Writes a person under the id of `scope`. One round trip. Throws TypeError for a value that is no person. */
  storePerson(person: Person, scope: string): Promise<{ readonly personRef: string; readonly kind: Stored }>;
  /** Writes an address under the id of `scope`. One round trip. Throws TypeError for a value that is no address. */
  storeAddress(address: Address, scope: string): Promise<{ readonly addressRef: string; readonly kind: Stored }>;
  /** The person, or undefined when forgotten or never stored. Throws OperatingError for a damaged record. */
  readPerson(personRef: string): Promise<Person | undefined>;
  readAddress(addressRef: string): Promise<Address | undefined>;
  /** Removes a record for good. False when there was none. */
  forget(ref: string): Promise<boolean>;
}

const RECORD_BYTES_MAX = 16_384; // The longest record its schema allows is about 6 KB of UTF-8.

/** The vault over a client's records. `codec` decides how they lie in the store. */
export function people(records: Records, codec: Codec = plain): People {
  const put = async (id: string, value: Person | Address): Promise<Stored> => {
    const bytes = codec.encode(id, canonical(value));
    if (Buffer.byteLength(bytes) > RECORD_BYTES_MAX)
      throw new TypeError(`record ${id} is larger than ${RECORD_BYTES_MAX} bytes`);
    return records.putRecord(id, bytes);
  };
  const get = async (id: string): Promise<unknown> => {
    const bytes = await records.getRecord(id);
    return bytes === undefined ? undefined : parsed(id, codec.decode(id, bytes));
  };

  return {
    async storePerson(person, scope) {
      if (!isPerson.Check(person)) throw new TypeError(`not a person: ${places(isPerson.Errors(person))}`);
      const personRef = records.derive('ppl', 'person', scope);
      return { personRef, kind: await put(personRef, person) };
    },
    async storeAddress(address, scope) {
      if (!isAddress.Check(address)) throw new TypeError(`not an address: ${places(isAddress.Errors(address))}`);
      const addressRef = records.derive('ppl', 'address', scope);
      return { addressRef, kind: await put(addressRef, address) };
    },
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
    forget: (ref) => records.dropRecord(ref),
  };
}

function parsed(id: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw damaged(id, 'not JSON'); // Without the cause: its message quotes the record.
  }
}

const damaged = (id: string, reason: string): OperatingError =>
  new OperatingError('record-damaged', `record ${id} is ${reason}`, { retry: 'never' });

/** Where a value fails its schema, without the value: this text may reach a log. */
const places = (errors: readonly { readonly instancePath: string; readonly keyword: string }[]): string =>
  errors.map((error) => `${error.instancePath || '/'} ${error.keyword}`).join(', ');
