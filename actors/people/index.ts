// The people room: the vault of personal data, masks, and the search for card numbers.

export type { Codec } from './codec.ts';
export { plain } from './codec.ts';
export { Address, IdentityDocument, maskDocumentNumber, maskEmail, maskPhone, Person, Recipient } from './records.ts';
export { type Finding, findCardNumbers, hasCardNumber, passesLuhn, type SensitiveOptions } from './sensitive.ts';
export { type People, people, type Records, type Stored } from './vault.ts';
