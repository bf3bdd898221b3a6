// Documents: scans that belong to an order. What is known of one is a record of the vault; its bytes lie sealed in the object
// store, under a key of their own that stands in that record. So the person's key opens both, and its end closes both.
//
//   A document is announced with size, hash and type; its bytes are taken once they are those, and not before.
//   It is `stored` when they are. The content is never shown: who asks is told what is known of it.

import { createHash, randomBytes } from 'node:crypto';
import { canonical } from '../../runtime/json.ts';
import type { Cabinet, Owner, Stored } from './cabinet.ts';
import { isOfType, type MediaType, SIGNATURE_BYTES_MAX } from './file-kind.ts';
import { KEY_BYTES } from './master-keys.ts';
import type { ObjectStore } from './objects/store.ts';
import { maskDocumentNumber } from './records.ts';
import { orderOf } from './retention.ts';
import { openStream, sealedLength, sealStream } from './sealed-stream.ts';

export const DOCUMENT_BYTES_MAX = 10 * 1024 * 1024;
export const DOCUMENTS_MAX = 20; // Of an order: five kinds, asked for again three times.

/** What is announced. `sha256` in lower-case hex. */
export interface Announced {
  readonly kind: string;
  readonly mediaType: MediaType | 'application/json';
  readonly bytes: number;
  readonly sha256: string;
  readonly issuingCountry?: string;
  readonly number?: string;
  readonly issuedOn?: string;
  readonly expiresOn?: string;
}

/** What may be shown of a document. */
export interface DocumentView extends Omit<Announced, 'number'> {
  readonly documentId: string;
  readonly orderId: string;
  readonly numberMasked?: string;
  readonly status: 'awaiting' | 'stored';
  readonly storedAt?: number;
}

interface Held extends Announced {
  readonly orderId: string;
  readonly contentKey: string;
  readonly storedAt?: number;
}

export type RejectionCode = 'too-large' | 'size-mismatch' | 'hash-mismatch' | 'type-mismatch' | 'too-many';

/** The bytes are not what was announced. Nothing was stored. */
export class DocumentRejected extends Error {
  readonly code: RejectionCode;
  constructor(code: RejectionCode) {
    super(`the document was rejected: ${code}`);
    this.name = 'DocumentRejected';
    this.code = code;
  }
}

export interface Documents {
  /** Announces a document of an order. `key` tells a repeat from another one. Throws DocumentRejected `too-many`. */
  announce(
    owner: Owner,
    orderId: string,
    key: string,
    announced: Announced,
  ): Promise<{ readonly document: DocumentView; readonly kind: Stored }>;
  read(documentId: string): Promise<DocumentView | undefined>;
  /** Takes the bytes. Undefined when there is no such document. Throws DocumentRejected; then nothing is stored. */
  receive(documentId: string, bytes: AsyncIterable<Buffer>): Promise<DocumentView | undefined>;
  /** The content, for whoever must see it. Undefined when it is not there, or cannot be opened any more. */
  content(documentId: string): Promise<AsyncIterable<Buffer> | undefined>;
  ofOrder(orderId: string, userId: string): Promise<readonly DocumentView[]>;
  /** Puts a text of ours away for a person, sealed. Gives the id under which `content` has it; the same for the same scope. */
  deposit(owner: Owner, scope: string, text: string): Promise<string>;
  /** Removes record and bytes of one. False when there was none. */
  destroy(documentId: string): Promise<boolean>;
}

export function documents(cabinet: Cabinet, objects: ObjectStore): Documents {
  const held = async (documentId: string): Promise<Held | undefined> => {
    const text = await cabinet.read(documentId);
    return text === undefined ? undefined : (JSON.parse(text) as Held); // Written by `announce` and nobody else.
  };
  const destroy = async (documentId: string): Promise<boolean> => {
    await objects.delete(objectKey(documentId)); // First: without its record nobody would find it.
    return cabinet.drop(documentId);
  };

  const ofOrder = async (orderId: string, userId: string): Promise<readonly DocumentView[]> => {
    const records = await cabinet.list(cabinet.personOf(userId));
    const ids = records
      .filter(({ dataClass, scope }) => dataClass === 'document' && orderOf(scope) === orderId)
      .map(({ ref }) => ref.replace(/^ppl_/, 'doc_'));
    const found = await Promise.all(ids.map(async (id) => [id, await held(id)] as const));
    return found.flatMap(([id, document]) => (document === undefined ? [] : [viewOf(id, document)]));
  };

  return {
    ofOrder,
    destroy,
    async announce(owner, orderId, key, announced) {
      const parts = ['document', orderId, key];
      const documentId = cabinet.refOf(owner.userId, parts, 'doc');
      const before = await held(documentId);
      if (before !== undefined) {
        const kind = canonical(announcedOf(before)) === canonical(announced) ? 'same' : 'other';
        return { document: viewOf(documentId, before), kind };
      }
      if ((await ofOrder(orderId, owner.userId)).length >= DOCUMENTS_MAX) throw new DocumentRejected('too-many');
      const made: Held = { ...announced, orderId, contentKey: randomBytes(KEY_BYTES).toString('base64url') };
      const text = canonical(made);
      const record = { parts, prefix: 'doc', dataClass: 'document', scope: orderId, text } as const;
      const { kind } = await cabinet.store(owner, record);
      // Announced by two at once: the other's stands, under a content key that is not ours.
      const there = kind === 'stored' ? made : ((await held(documentId)) ?? made);
      const isSame = canonical(announcedOf(there)) === canonical(announced);
      return { document: viewOf(documentId, there), kind: kind === 'other' && isSame ? 'same' : kind };
    },
    async deposit(owner, scope, text) {
      const id = cabinet.refOf(owner.userId, ['export', scope], 'exp');
      const bytes = Buffer.from(text);
      const storedAt = Math.floor(cabinet.sheets.now());
      const made: Held = {
        kind: 'export',
        mediaType: 'application/json',
        bytes: bytes.length,
        sha256: createHash('sha256').update(bytes).digest('hex'),
        orderId: scope,
        contentKey: randomBytes(KEY_BYTES).toString('base64url'),
        storedAt,
      };
      await objects.put(objectKey(id), sealStream(once(bytes), sealOf(id, made)), sealedLength(bytes.length));
      await cabinet.drop(id); // Of a try before, whose bytes were replaced just now.
      await cabinet.store(owner, {
        parts: ['export', scope],
        prefix: 'exp',
        dataClass: 'export',
        scope,
        text: canonical(made),
      });
      return id;
    },
    async read(documentId) {
      const document = await held(documentId);
      return document === undefined ? undefined : viewOf(documentId, document);
    },
    async receive(documentId, bytes) {
      const document = await held(documentId);
      if (document === undefined) return undefined;
      const content = document.storedAt === undefined ? bytes : undefined;
      if (content === undefined) {
        await drained(checked(bytes, document)); // A repeat: the same bytes are there, and others are told so.
        return viewOf(documentId, document);
      }
      const seal = sealOf(documentId, document);
      const length = sealedLength(document.bytes);
      await objects.put(objectKey(documentId), sealStream(checked(content, document), seal), length);
      const storedAt = Math.floor(cabinet.sheets.now());
      const text = await cabinet.update(documentId, (before) =>
        canonical({ ...(JSON.parse(before) as Held), storedAt }),
      );
      if (text !== undefined) return viewOf(documentId, JSON.parse(text) as Held);
      await objects.delete(objectKey(documentId)); // The person was erased meanwhile.
      return undefined;
    },
    async content(documentId) {
      const document = await held(documentId);
      if (document?.storedAt === undefined) return undefined;
      const stored = await objects.get(objectKey(documentId));
      return stored === undefined ? undefined : openStream(stored, sealOf(documentId, document));
    },
  };
}

/** The bytes as they come. Throws DocumentRejected at the first that cannot be the announced ones, at the end at the latest. */
async function* checked(bytes: AsyncIterable<Buffer>, { mediaType, bytes: length, sha256 }: Announced) {
  const hash = createHash('sha256');
  let count = 0;
  let first: Buffer = Buffer.alloc(0);
  for await (const piece of bytes) {
    count += piece.length;
    if (count > DOCUMENT_BYTES_MAX) throw new DocumentRejected('too-large');
    if (count > length) throw new DocumentRejected('size-mismatch');
    if (first.length < SIGNATURE_BYTES_MAX) {
      first = Buffer.concat([first, piece.subarray(0, SIGNATURE_BYTES_MAX)]);
      if (first.length >= SIGNATURE_BYTES_MAX && !isA(first, mediaType)) throw new DocumentRejected('type-mismatch');
    }
    hash.update(piece);
    yield piece;
  }
  if (count !== length) throw new DocumentRejected('size-mismatch');
  if (!isA(first, mediaType)) throw new DocumentRejected('type-mismatch');
  if (hash.digest('hex') !== sha256) throw new DocumentRejected('hash-mismatch');
}

async function* once(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}

async function drained(bytes: AsyncIterable<Buffer>): Promise<void> {
  for await (const _ of bytes);
}

const isA = (first: Buffer, type: Announced['mediaType']): boolean =>
  type !== 'application/json' && isOfType(first, type);

/** Where the bytes of a document lie: as unspeaking as its id. */
export const objectKey = (documentId: string): string => documentId.replace(/^[a-z]+_/, '').replace('.', '/');

const sealOf = (documentId: string, { contentKey }: Held) => ({
  key: Buffer.from(contentKey, 'base64url'),
  about: `document|${documentId}`,
});

function announcedOf({ orderId: _order, contentKey: _key, storedAt: _at, ...announced }: Held): Announced {
  return announced;
}

function viewOf(documentId: string, document: Held): DocumentView {
  const { number, ...shown } = announcedOf(document);
  const { storedAt, orderId } = document;
  return {
    documentId,
    orderId,
    ...shown,
    ...(number === undefined ? {} : { numberMasked: maskDocumentNumber(number) }),
    status: storedAt === undefined ? 'awaiting' : 'stored',
    ...(storedAt === undefined ? {} : { storedAt }),
  };
}
