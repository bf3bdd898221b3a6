// Master keys: they wrap the keys of persons, and nothing else. Who keeps them is a port, so that a KMS can stand behind it.
//
// Wire format of a wrapped key: `w1.<id of the master key>.<nonce, ciphertext and tag in base64url>`. AES-256-GCM; the person's
// id is bound as additional data, so that a wrapped key of one person is of no use under another.

import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto';
import { OperatingError } from '../../runtime/errors.ts';

export const KEY_BYTES = 32;
const NONCE_BYTES = 12; // NIST SP 800-38D. Random: one master key wraps far fewer than 2^32 keys.
const TAG_BYTES = 16;
const FORMAT = 'w1';

/** Who wraps and unwraps. Rejects with OperatingError `master-key-unknown`, or `key-damaged` for what was changed. */
export interface Kms {
  /** Id of the master key under which new keys are wrapped. */
  readonly current: string;
  wrap(key: Buffer, person: string): Promise<string>;
  unwrap(wrapped: string, person: string): Promise<Buffer>;
}

export interface MasterKey {
  readonly id: string;
  readonly key: Buffer;
}

/** Id of the master key that a wrapped key needs. */
export const masterOf = (wrapped: string): string => wrapped.split('.', 2)[1] ?? '';

/** Master keys in this process's memory; the first is current, the others are still readable. */
export function localKms(keys: readonly MasterKey[]): Kms {
  const [current] = keys;
  if (current === undefined) throw new TypeError('at least one master key is needed');
  const byId = new Map(keys.map(({ id, key }) => [id, key]));
  return {
    current: current.id,
    wrap: async (key, person) => `${FORMAT}.${current.id}.${locked(current.key, key, person).toString('base64url')}`,
    async unwrap(wrapped, person) {
      const [format, id = '', text = ''] = wrapped.split('.');
      const master = byId.get(id);
      if (format !== FORMAT) throw damaged(person);
      if (master === undefined)
        throw new OperatingError(
          'master-key-unknown',
          `a key is wrapped by the master key ${id}, which EMBOSS_MASTER_KEYS does not have: add it behind the current one`,
          { retry: 'never' },
        );
      return unlocked(master, Buffer.from(text, 'base64url'), person);
    },
  };
}

/** The master key of development: whoever knows the secret has it. */
export const developmentMasterKey = (secret: string): MasterKey => ({
  id: 'dev',
  key: createHmac('sha256', secret).update('emboss development master key v1').digest(),
});

/** Reads `id:base64,…`. Throws TypeError that says which part is wrong and quotes no key. */
export function readMasterKeys(text: string): readonly MasterKey[] {
  const keys = text.split(',').map((part, index) => {
    const [, id = '', base64 = ''] = /^\s*([A-Za-z0-9_-]{1,40}):([A-Za-z0-9+/_-]{43}=?)\s*$/.exec(part) ?? [];
    const key = Buffer.from(base64, 'base64');
    if (id === '' || key.length !== KEY_BYTES)
      throw new TypeError(
        `takes id:base64 of ${KEY_BYTES} bytes each, separated by commas; number ${index + 1} is not`,
      );
    return { id, key };
  });
  if (new Set(keys.map(({ id }) => id)).size !== keys.length) throw new TypeError('names one id twice');
  return keys;
}

function locked(master: Buffer, key: Buffer, person: string): Buffer {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', master, nonce).setAAD(bound(person));
  return Buffer.concat([nonce, cipher.update(key), cipher.final(), cipher.getAuthTag()]);
}

function unlocked(master: Buffer, bytes: Buffer, person: string): Buffer {
  if (bytes.length !== NONCE_BYTES + KEY_BYTES + TAG_BYTES) throw damaged(person);
  const decipher = createDecipheriv('aes-256-gcm', master, bytes.subarray(0, NONCE_BYTES)).setAAD(bound(person));
  decipher.setAuthTag(bytes.subarray(bytes.length - TAG_BYTES));
  try {
    return Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()]);
  } catch {
    throw damaged(person);
  }
}

const bound = (person: string): Buffer => Buffer.from(`${FORMAT}|${person}`);
const damaged = (person: string): OperatingError =>
  new OperatingError(
    'key-damaged',
    `the key of person ${person} does not open: it was changed, or copied from another`,
    {
      retry: 'never',
    },
  );
