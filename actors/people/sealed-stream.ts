// A long content sealed in chunks, so that it passes through memory piece by piece and is authenticated all the same.
//
// Wire format: `E1` and 7 random bytes, then chunks of 64 KiB of content and a tag of 16 bytes each. The nonce of a chunk is the
// random prefix, its index, and a flag on the last one: chunks cannot be dropped, swapped, repeated or cut off unnoticed.
// Source: Hoang, Reyhanitabar, Rogaway, Vizár, "Online Authenticated-Encryption and its Nonce-Reuse Misuse-Resistance" (STREAM).

import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { OperatingError } from '../../runtime/errors.ts';

const CHUNK_BYTES = 64 * 1024;
const TAG_BYTES = 16;
const PREFIX_BYTES = 7;
const MAGIC = Buffer.from('E1');
const HEADER_BYTES = MAGIC.length + PREFIX_BYTES;

export interface Seal {
  /** A key of its own for each content; sealing it twice is safe by the random prefix. */
  readonly key: Buffer;
  /** What the content is: bound to every chunk. */
  readonly about: string;
}

/** Bytes of a sealed content. */
export const sealedLength = (bytes: number): number =>
  HEADER_BYTES + bytes + TAG_BYTES * Math.max(1, Math.ceil(bytes / CHUNK_BYTES));

/** The last chunk is made after `content` has ended: where that throws, what was given is no sealed content. */
export async function* sealStream(content: AsyncIterable<Buffer>, seal: Seal): AsyncGenerator<Buffer> {
  const prefix = randomBytes(PREFIX_BYTES);
  yield Buffer.concat([MAGIC, prefix]);
  let index = 0;
  let held: Buffer = Buffer.alloc(0);
  for await (const piece of content) {
    held = Buffer.concat([held, piece]);
    for (; held.length > CHUNK_BYTES; index += 1) {
      yield sealChunk(held.subarray(0, CHUNK_BYTES), seal, nonceOf(prefix, index, false));
      held = held.subarray(CHUNK_BYTES);
    }
  }
  yield sealChunk(held, seal, nonceOf(prefix, index, true));
}

/** The content, chunk by chunk. Throws OperatingError `object-damaged` at the first that is not what was sealed. */
export async function* openStream(sealed: AsyncIterable<Buffer>, seal: Seal): AsyncGenerator<Buffer> {
  let held: Buffer = Buffer.alloc(0);
  let prefix: Buffer | undefined;
  let index = 0;
  for await (const piece of sealed) {
    held = Buffer.concat([held, piece]);
    if (prefix === undefined && held.length >= HEADER_BYTES) {
      if (!held.subarray(0, MAGIC.length).equals(MAGIC)) throw damagedObject();
      prefix = held.subarray(MAGIC.length, HEADER_BYTES);
      held = held.subarray(HEADER_BYTES);
    }
    if (prefix === undefined) continue;
    for (; held.length > CHUNK_BYTES + TAG_BYTES; index += 1) {
      yield openChunk(held.subarray(0, CHUNK_BYTES + TAG_BYTES), seal, nonceOf(prefix, index, false));
      held = held.subarray(CHUNK_BYTES + TAG_BYTES);
    }
  }
  if (prefix === undefined) throw damagedObject();
  yield openChunk(held, seal, nonceOf(prefix, index, true));
}

function sealChunk(chunk: Buffer, { key, about }: Seal, nonce: Buffer): Buffer {
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(about));
  return Buffer.concat([cipher.update(chunk), cipher.final(), cipher.getAuthTag()]);
}

function openChunk(chunk: Buffer, { key, about }: Seal, nonce: Buffer): Buffer {
  if (chunk.length < TAG_BYTES) throw damagedObject();
  const decipher = createDecipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(about));
  decipher.setAuthTag(chunk.subarray(-TAG_BYTES));
  try {
    return Buffer.concat([decipher.update(chunk.subarray(0, -TAG_BYTES)), decipher.final()]);
  } catch {
    throw damagedObject();
  }
}

/** 7 bytes of prefix, 4 of index, 1 that is set on the last chunk. */
function nonceOf(prefix: Buffer, index: number, isLast: boolean): Buffer {
  const tail = Buffer.alloc(5);
  tail.writeUInt32BE(index);
  tail.writeUInt8(isLast ? 1 : 0, 4);
  return Buffer.concat([prefix, tail]);
}

const damagedObject = (): OperatingError =>
  new OperatingError('object-damaged', 'a stored document is not what was sealed: cut, changed, or of another', {
    retry: 'never',
  });
