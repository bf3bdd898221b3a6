// How a record lies in the store: the one seam through which every byte of the vault passes.
//
// A record is `<codec>|<class>|<scope>|<ms of its storing>|<content>`. The header tells whose rules apply without opening the
// content; it is bound to the content together with the record's id, so that nothing can be put in another's place.

import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { OperatingError } from '../../runtime/errors.ts';
import { type DataClass, isDataClass } from './retention.ts';

export interface RecordHeader {
  readonly dataClass: DataClass;
  /** What the record belongs to: an order's id, or that with a version behind. */
  readonly scope: string;
  /** When it was first stored, in ms. */
  readonly at: number;
}

export interface Codec {
  /** First part of every record it writes. */
  readonly id: string;
  encode(key: Buffer, id: string, header: RecordHeader, text: string): string;
  /** Throws OperatingError `record-damaged` for what another codec, key or id has written. */
  decode(key: Buffer, id: string, bytes: string): string;
}

const NONCE_BYTES = 12; // Random, fresh for each write: a person has hundreds of records, not 2^32 (NIST SP 800-38D).
const TAG_BYTES = 16;
const SCOPE = /^[A-Za-z0-9_.:-]{1,200}$/;

/** AES-256-GCM under the person's key. Equal texts give other bytes each time: only decoded contents can be compared. */
export const sealed: Codec = {
  id: 's1',
  encode(key, id, header, text) {
    const head = headOf('s1', header);
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(bound(id, head));
    const body = Buffer.concat([nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]);
    return `${head}|${body.toString('base64url')}`;
  },
  decode(key, id, bytes) {
    const [head, body] = split('s1', id, bytes);
    const sealed = Buffer.from(body, 'base64url');
    if (sealed.length < NONCE_BYTES + TAG_BYTES) throw damaged(id, 'too short');
    const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, NONCE_BYTES)).setAAD(bound(id, head));
    decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
    try {
      return Buffer.concat([decipher.update(sealed.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()]).toString();
    } catch {
      throw damaged(id, 'not what was written under this id and key');
    }
  },
};

/** Readable text. No process uses it: with it the canary scan (trial 42) shows that it can find what it looks for. */
export const plain: Codec = {
  id: 'p1',
  encode: (_key, _id, header, text) => `${headOf('p1', header)}|${text}`,
  decode: (_key, id, bytes) => split('p1', id, bytes)[1],
};

/** The header of any record; throws OperatingError for what is none. */
export function headerOf(id: string, bytes: string): RecordHeader {
  const [, dataClass = '', scope = '', at = ''] = bytes.split('|', 4);
  if (!isDataClass(dataClass) || !/^\d+$/.test(at)) throw damaged(id, 'without a header');
  return { dataClass, scope, at: Number(at) };
}

function headOf(codec: string, { dataClass, scope, at }: RecordHeader): string {
  if (!SCOPE.test(scope)) throw new TypeError('a scope is 1 to 200 of A–Z a–z 0–9 _ . : -');
  return `${codec}|${dataClass}|${scope}|${Math.floor(at)}`;
}

function split(codec: string, id: string, bytes: string): readonly [head: string, body: string] {
  const [, head, body] = /^((?:[^|]*\|){3}[^|]*)\|([\s\S]*)$/.exec(bytes) ?? [];
  if (head === undefined || body === undefined || !head.startsWith(`${codec}|`))
    throw damaged(id, 'written by an unknown codec');
  return [head, body];
}

const bound = (id: string, head: string): Buffer => Buffer.from(`${id}|${head}`);

export const damaged = (id: string, reason: string): OperatingError =>
  new OperatingError('record-damaged', `record ${id} is ${reason}`, { retry: 'never' });
