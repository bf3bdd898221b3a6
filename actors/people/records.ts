// What is known of a person: the records of the vault, their schemas, and how they look with the private part masked.
//
// Everything here is personal data. It leaves the vault only for the partner call or the screen that needs it.

import Type, { type Static } from 'typebox';
import { Compile } from 'typebox/compile';

const text = (max: number) => Type.String({ minLength: 1, maxLength: max });
const country = Type.String({ pattern: '^[A-Z]{2}$' });
const date = Type.String({ pattern: '^[0-9]{4}-[0-9]{2}-[0-9]{2}$' });
const phone = Type.String({ pattern: '^\\+[1-9][0-9]{6,14}$' });

/** An identity document. The number is whole in the vault, since the courier's check compares its last characters. */
export const IdentityDocument = Type.Object(
  {
    kind: text(40),
    issuingCountry: country,
    number: Type.Optional(text(40)),
    numberMasked: Type.Optional(text(40)),
    issuedOn: Type.Optional(date),
    expiresOn: Type.Optional(date),
  },
  { additionalProperties: false },
);

export const Recipient = Type.Object(
  { name: text(200), phone: Type.Optional(phone), relation: text(40) },
  { additionalProperties: false },
);

/** Who applies. Phone is E.164, dates are `YYYY-MM-DD`, countries ISO 3166-1 alpha-2. */
export const Person = Type.Object(
  {
    userId: text(80),
    givenName: text(64),
    familyName: text(64),
    middleName: Type.Optional(text(64)),
    birthDate: date,
    citizenship: Type.Optional(country),
    residence: Type.Optional(country),
    phone,
    email: Type.Optional(text(254)),
    locale: Type.Optional(text(35)),
    timeZone: Type.Optional(text(64)),
    embossedName: Type.Optional(
      Type.Object({ line1: text(26), line2: Type.Optional(text(26)) }, { additionalProperties: false }),
    ),
    documents: Type.Optional(Type.Array(IdentityDocument, { maxItems: 10 })),
    recipient: Type.Optional(Recipient),
  },
  { additionalProperties: false },
);
export type Person = Static<typeof Person>;

export const Address = Type.Object(
  {
    countryCode: country,
    postalCode: Type.Optional(text(16)),
    region: Type.Optional(text(120)),
    city: Type.Optional(text(120)),
    street: Type.Optional(text(200)),
    house: Type.Optional(text(40)),
    building: Type.Optional(text(40)),
    flat: Type.Optional(text(40)),
    entrance: Type.Optional(text(40)),
    floor: Type.Optional(text(40)),
    intercom: Type.Optional(text(40)),
    line1: Type.Optional(text(200)),
    line2: Type.Optional(text(200)),
    note: Type.Optional(text(255)),
    geo: Type.Optional(
      Type.Object(
        { lat: Type.Number({ minimum: -90, maximum: 90 }), lon: Type.Number({ minimum: -180, maximum: 180 }) },
        { additionalProperties: false },
      ),
    ),
  },
  { additionalProperties: false },
);
export type Address = Static<typeof Address>;

/** The region whose law says where a person's data are stored. 152-FZ art. 18(5): those of Russian citizens in Russia. */
export const residencyOf = ({ citizenship }: Pick<Person, 'citizenship'>): string | undefined =>
  citizenship === 'RU' ? 'RU' : undefined;

export const isPerson = Compile(Person);
export const isAddress = Compile(Address);

/** `+7 ••• ••• 45 67` as `+7•••••4567`: country and last four digits at most; short numbers show less. */
export function maskPhone(number: string): string {
  const digits = number.replace(/\D/g, '');
  const shown = Math.min(4, Math.max(0, digits.length - 5));
  const country = digits.length >= 9 ? digits.slice(0, 1) : '';
  return `+${country}${'•'.repeat(Math.max(0, digits.length - shown - country.length))}${digits.slice(digits.length - shown)}`;
}

/** Last three characters of a document number; everything before becomes a dot. Short numbers show nothing. */
export function maskDocumentNumber(number: string): string {
  const plain = number.replace(/[^\p{L}\p{N}]/gu, '');
  const shown = plain.length >= 6 ? 3 : 0;
  return '•'.repeat(plain.length - shown) + plain.slice(plain.length - shown);
}

/** First character of the name and the domain: `a•••@example.org`. Not an address: three dots. */
export function maskEmail(address: string): string {
  const at = address.lastIndexOf('@');
  return at < 1 ? '•••' : `${address.slice(0, 1)}•••${address.slice(at)}`;
}
