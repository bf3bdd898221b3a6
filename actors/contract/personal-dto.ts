// What crosses the API surfaces about documents and privacy requests. The rest of the bodies is in dto.ts.

import { type Static, Type } from 'typebox';
import { privacyKinds } from './privacy.ts';
import { commandReasons } from './reasons.ts';
import { closed, country, oneOf } from './schema.ts';

const date = Type.String({ format: 'date' });
const time = Type.String();
const sha256 = Type.String({ pattern: '^[0-9a-f]{64}$', digits: 'exempt' });

export const documentKinds = ['passport', 'national_id', 'residence_permit', 'birth_certificate', 'selfie'] as const;

export const documentAnnouncement = closed({
  kind: oneOf(...documentKinds),
  mediaType: Type.String({ maxLength: 100 }),
  bytes: Type.Integer({ minimum: 1 }),
  sha256,
  issuingCountry: Type.Optional(country),
  /** Kept in the vault; shown with all but the last three characters hidden. */
  number: Type.Optional(Type.String({ pattern: '^[A-Za-z0-9 -]{4,40}$', digits: 'exempt' })),
  issuedOn: Type.Optional(date),
  expiresOn: Type.Optional(date),
});

const documentFields = {
  documentId: Type.String(),
  orderId: Type.String(),
  kind: Type.String(),
  status: Type.String(),
  mediaType: Type.String(),
  bytes: Type.Integer(),
  sha256: Type.String(),
  issuingCountry: Type.Optional(Type.String()),
  numberMasked: Type.Optional(Type.String()),
  issuedOn: Type.Optional(Type.String()),
  expiresOn: Type.Optional(Type.String()),
  storedAt: Type.Optional(time),
};
/** What is known of a document; never the document. */
export const documentResource = closed(documentFields);
export type DocumentResource = Static<typeof documentResource>;
export const documentList = closed({ data: Type.Array(documentResource) });

/** `url`: PUT the bytes there, with the announced media type and no token, before `expiresAt`. */
export const documentAnnounced = closed({
  ...documentFields,
  upload: Type.Optional(closed({ method: Type.Literal('PUT'), url: Type.String(), expiresAt: time })),
});

export const privacyRequest = closed({
  kind: oneOf(...privacyKinds),
  /** What is wrong, for a rectification. Kept in the vault. */
  note: Type.Optional(Type.String({ minLength: 1, maxLength: 500 })),
});

export const privacyResource = closed({
  requestId: Type.String(),
  kind: Type.String(),
  status: Type.String(),
  requestedAt: Type.Optional(time),
  reason: Type.Optional(Type.String()),
  /** What stays, by which duty, and until when: without a date while the relationship goes on. */
  kept: Type.Array(closed({ dataClass: Type.String(), duty: Type.String(), until: Type.Optional(time) })),
  /** A copy made for an access request: GET it there, without a token, before `expiresAt`. */
  download: Type.Optional(closed({ url: Type.String(), expiresAt: time })),
  /** How to complain about the outcome. */
  complaint: Type.Optional(Type.String()),
});
export type PrivacyResource = Static<typeof privacyResource>;
export const privacyList = closed({ data: Type.Array(privacyResource) });

export const privacyDecision = closed({
  decision: oneOf('proceed', 'retry', 'refuse'),
  reason: oneOf(...commandReasons),
});
