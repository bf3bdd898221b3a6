// The people room: the vault of personal data with its keys, documents and time limits, masks, and the search for card numbers.

export { KEY_REMEMBERED_MS, type Owner, type Sheets, type Stored } from './cabinet.ts';
export { type Codec, plain, sealed } from './codec.ts';
export { type Announced, DOCUMENT_BYTES_MAX, DocumentRejected, type DocumentView, objectKey } from './documents.ts';
export { type MediaType, mediaTypes } from './file-kind.ts';
export { type Kms, localKms, type MasterKey, readMasterKeys } from './master-keys.ts';
export { fileStore } from './objects/files.ts';
export { s3Store, signedHeaders } from './objects/s3.ts';
export type { ObjectStore } from './objects/store.ts';
export { openPeople } from './opening.ts';
export { isPermitted, PERMISSION_MS, type Permission, permit } from './presigned.ts';
export {
  Address,
  IdentityDocument,
  maskDocumentNumber,
  maskEmail,
  maskPhone,
  Person,
  Recipient,
  residencyOf,
} from './records.ts';
export { type DataClass, dataClasses, dayOf, type OrderFact, rules, YEAR } from './retention.ts';
export type { RotationCount } from './rotation.ts';
export { openStream, sealedLength, sealStream } from './sealed-stream.ts';
export { type Finding, findCardNumbers, hasCardNumber, passesLuhn, type SensitiveOptions } from './sensitive.ts';
export type { Classification, OrderFacts } from './subject.ts';
export { type People, people, type VaultOptions } from './vault.ts';
