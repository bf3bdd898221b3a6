// A person whose every personal field is a canary: a word that exists nowhere else. Drawn from the seed of the trial.

import { createHash, randomBytes } from 'node:crypto';
import type { OrderRequest } from '../../actors/contract/dto.ts';
import { type Applicant, application } from '../demo/application.ts';
import { Chance } from '../demo/chance.ts';

export interface SecretPerson {
  readonly userId: string;
  readonly applicant: Applicant;
  /** Name → canary, for everything personal that is filed, announced or uploaded. */
  readonly words: { readonly [name: string]: string | Buffer };
  readonly documentNumber: string;
  readonly note: string;
  /** A JPEG by its first bytes, with a canary inside. */
  readonly scan: Buffer;
}

const CONSONANTS = 'bcdfghjklmnpqrstvwxz';
const VOWELS = 'aeiouy';
const SCAN_BYTES = 150_000; // More than two sealed chunks.
const CONSENTED_AT = 1_790_000_000_000; // Applications are the same under one seed.

/** Person `name` of a seed. Equal arguments give equal words; the bytes of the scan are drawn anew. */
export function secretPerson(seed: number, name: string): SecretPerson {
  const chance = new Chance(`canaries ${seed} ${name}`);
  const word = (syllables = 5): string =>
    `Zq${Array.from({ length: syllables }, () => `${pick(chance, CONSONANTS)}${pick(chance, VOWELS)}`).join('')}`;
  const { order, ...rest } = application(chance.of('application'), 1, CONSENTED_AT);
  const phone = `+4915${chance.digits(9)}`;
  const words = {
    givenName: word(),
    familyName: `${word()}-Шъ${word(3)}`, // Two scripts: what escapes one may forget the other.
    middleName: word(),
    email: `${word().toLowerCase()}@canary.example`,
    phone,
    embossedName: `${word().toUpperCase()} ${word(3).toUpperCase()}`.slice(0, 24),
    clientReference: word(8),
    postalCode: `${chance.digits(4)} ZQ${chance.digits(3)}`,
    region: word(),
    city: `${word()} ${word(3)}`,
    street: `${word()}straße`,
    house: word(4),
    flat: word(4),
    recipientName: `${word()} ${word()}`,
    recipientPhone: `+4916${chance.digits(9)}`,
    documentNumber: `ZQ${chance.digits(8)}`,
    note: `${word()} ${word()}`,
  };
  const mark = Buffer.from(`${word(12)}${word(12)}`);
  const scan = Buffer.concat([Buffer.from([0xff, 0xd8, 0xff, 0xe0]), randomBytes(SCAN_BYTES - 4)]);
  mark.copy(scan, SCAN_BYTES / 2);
  mark.copy(scan, 1_000);
  return {
    userId: `usr_canary${seed}${name}`,
    applicant: { ...rest, phone, order: withSecrets(order, words) },
    words: { ...words, scan: mark },
    documentNumber: words.documentNumber,
    note: words.note,
    scan,
  };
}

const pick = (chance: Chance, letters: string): string => letters[chance.between(0, letters.length - 1)] as string;

function withSecrets(order: OrderRequest, words: { readonly [name: string]: string }): OrderRequest {
  const word = (name: string): string => words[name] as string; // Of the table above.
  return {
    ...order,
    clientReference: word('clientReference'),
    // Debit: nobody has to answer an offer.
    cardInfo: {
      ...order.cardInfo,
      productCode: 'classic_debit',
      cardType: 'debit',
      designId: 'classic',
      embossedName: { line1: word('embossedName') },
    },
    userInfo: {
      ...order.userInfo,
      givenName: word('givenName'),
      familyName: word('familyName'),
      middleName: word('middleName'),
      email: word('email'),
      phone: word('phone'),
    },
    legalInfo: {
      consents: (order.legalInfo?.consents ?? []).filter(({ type }) => type !== 'credit_bureau'),
      documents: [{ kind: 'passport', issuingCountry: 'DE', numberMasked: '******123' }],
    },
    deliveryInfo: {
      method: 'courier',
      address: {
        ...order.deliveryInfo.address,
        postalCode: word('postalCode'),
        region: word('region'),
        city: word('city'),
        street: word('street'),
        house: word('house'),
        flat: word('flat'),
      },
      recipient: { name: word('recipientName'), phone: word('recipientPhone'), relation: 'self' },
    },
  };
}

export const sha256 = (content: Buffer): string => createHash('sha256').update(content).digest('hex');
