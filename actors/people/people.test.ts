// The vault keeps personal data once and under ids that say nothing; the detector finds every card number and little else.
//
// The store is an object with the record methods of a client: the vault adds nothing that needs a server to be seen.

import fc from 'fast-check';
import t from 'tap';
import { actorId } from '../../runtime/ids.ts';
import {
  type Address,
  findCardNumbers,
  maskDocumentNumber,
  maskEmail,
  maskPhone,
  type Person,
  passesLuhn,
  people,
  type Records,
} from './index.ts';

const seed = Number(process.env.SEED ?? 20_261_122);
const runs = { seed, numRuns: 500 };

const person: Person = {
  userId: 'usr_1',
  givenName: 'Ирина',
  familyName: "O'Brien-Чехова",
  birthDate: '1990-02-03',
  citizenship: 'RU',
  residence: 'RU',
  phone: '+79161234567',
  documents: [{ kind: 'passport', issuingCountry: 'RU', numberMasked: '•••••••567' }],
};
const address: Address = { countryCode: 'RU', postalCode: '125009', city: 'Москва', street: 'Тверская', house: '7' };

function memory(): Records & { readonly kept: Map<string, string> } {
  const kept = new Map<string, string>();
  return {
    kept,
    derive: (prefix, ...parts) => actorId(`${prefix}_${Buffer.from(parts.join('/')).toString('hex')}`),
    putRecord: async (id, bytes) => {
      const before = kept.get(id);
      if (before === undefined) kept.set(id, bytes);
      return before === undefined ? 'stored' : before === bytes ? 'same' : 'other';
    },
    getRecord: async (id) => kept.get(id),
    dropRecord: async (id) => kept.delete(id),
  };
}

t.test('a person is stored once, read by reference, and forgotten for good', async (t) => {
  const records = memory();
  const vault = people(records);
  const first = await vault.storePerson(person, 'ord_a');
  t.match(first, { kind: 'stored', personRef: /^ppl_/ });
  t.same(await vault.readPerson(first.personRef), person);

  const shuffled = Object.fromEntries(Object.entries(person).reverse()) as unknown as Person;
  t.same(await vault.storePerson(shuffled, 'ord_a'), { ...first, kind: 'same' }, 'order of fields is no difference');
  t.same(await vault.storePerson({ ...person, phone: '+79160000000' }, 'ord_a'), { ...first, kind: 'other' });
  t.same(await vault.readPerson(first.personRef), person, 'the first content stands');

  t.equal(await vault.forget(first.personRef), true);
  t.equal(await vault.readPerson(first.personRef), undefined);
  t.equal(await vault.forget(first.personRef), false);
});

t.test('persons and addresses of one scope are different records', async (t) => {
  const vault = people(memory());
  const { personRef } = await vault.storePerson(person, 'ord_a');
  const { addressRef } = await vault.storeAddress(address, 'ord_a');
  t.not(personRef, addressRef);
  t.same(await vault.readAddress(addressRef), address);
  await t.rejects(vault.readPerson(addressRef), { code: 'record-damaged' });
});

t.test('what is no person is told by place, never by value', async (t) => {
  const vault = people(memory());
  const wrong = { ...person, phone: 'call 12345' };
  await t.rejects(vault.storePerson(wrong, 'ord_a'), { message: /\/phone/ });
  await vault.storePerson(wrong, 'ord_a').catch((error: Error) => t.notMatch(error.message, /12345/));
});

t.test('every byte of the vault passes the codec', async (t) => {
  const records = memory();
  const reversed = (text: string): string => [...text].reverse().join('');
  const vault = people(records, { encode: (_id, text) => reversed(text), decode: (_id, bytes) => reversed(bytes) });
  const { personRef } = await vault.storePerson(person, 'ord_a');
  t.notMatch(records.kept.get(personRef), /givenName/);
  t.same(await vault.readPerson(personRef), person);
});

t.test('masks show the end and hide the rest', async (t) => {
  t.equal(maskPhone('+79161234567'), '+7••••••4567');
  t.equal(maskDocumentNumber('45 10 123567'), '•••••••567');
  t.equal(maskDocumentNumber('12'), '••');
  t.equal(maskEmail('anna@example.org'), 'a•••@example.org');
  fc.assert(
    fc.property(
      fc.stringMatching(/^\+[1-9][0-9]{6,14}$/),
      (phone) => (maskPhone(phone).match(/[0-9]/g) ?? []).length <= 5,
    ),
    runs,
  );
});

/** Luhn-valid digits of the given length. */
const cardNumber = fc.integer({ min: 13, max: 19 }).chain((length) =>
  fc.array(fc.integer({ min: 0, max: 9 }), { minLength: length - 1, maxLength: length - 1 }).map((digits) => {
    const body = `${(digits[0] as number) || 4}${digits.slice(1).join('')}`;
    return [...'0123456789'].map((check) => body + check).find(passesLuhn) as string;
  }),
);

t.test('a card number is found in any text, with any spaces and dashes between its groups', async () => {
  const separators = fc.constantFrom('', ' ', '-', ' - ', '\u00a0', '–');
  const surroundings = fc.constantFrom('', 'card: ', '(', 'номер ', '"', '№');
  fc.assert(
    fc.property(
      cardNumber,
      separators,
      surroundings,
      fc.integer({ min: 2, max: 6 }),
      (digits, separator, around, size) => {
        const groups = digits.match(new RegExp(`.{1,${size}}`, 'g')) as string[];
        const payload = { a: [{ note: `${around}${groups.join(separator)}.` }] };
        return findCardNumbers(payload)[0]?.pointer === '/a/0/note';
      },
    ),
    runs,
  );
});

t.test('a card number is found as a number and as the name of a field, and is never repeated', async (t) => {
  t.same(findCardNumbers({ x: 4111111111111111 }), [{ pointer: '/x', reason: 'card-number' }]);
  t.same(findCardNumbers({ x: -4111111111111111 }), [{ pointer: '/x', reason: 'card-number' }]);
  t.same(findCardNumbers(JSON.parse('{"x": 6304000000000000000}')), [{ pointer: '/x', reason: 'unverifiable' }]);
  const named = findCardNumbers({ deep: { '4111 1111 1111 1111': { y: '5500005555555559' } } });
  t.same(named, [{ pointer: '/deep', reason: 'card-number' }]);
  t.same(findCardNumbers({ 'a/b~c': '4111111111111111' })[0]?.pointer, '/a~1b~0c');
  t.same(findCardNumbers('４１１１１１１１１１１１１１１１').length, 1, 'full-width digits');
  t.same(findCardNumbers('٤١١١ ١١١١ ١١١١ ١١١١').length, 1, 'Arabic digits');
  for (const glued of [
    'PAN4111111111111111',
    'pan-4111-1111-1111-1111x',
    'PAN4111 1111 1111 1111',
    'amex-3782-822463-10005',
  ]) {
    t.same(findCardNumbers(glued).length, 1, glued);
  }
  t.same(findCardNumbers('flat 12 4111 1111 1111 1111 25').length, 1, 'other numbers before and behind');
  t.same(findCardNumbers({ id: '1023920310232327' }).length, 1, 'an id that passes the check by chance');
});

t.test('what is no card number is let through', async (t) => {
  const harmless = {
    at: '2026-11-22T06:31:00.123Z',
    local: '2026-11-22 06:31:00',
    uuid: '0f8fad5b-d9cd-4716-8a16-446655440000',
    phone: '+7 916 123-45-67',
    amount: 4111111,
    wrongCheck: '4111 1111 1111 1112',
    longer: '41111111111111110000',
    big: 1e30,
    geo: { lat: 55.751244, lon: 37.618423 },
    reference: 'order-2026-11-22-000007',
    hash: 'a716-4111111-11111111-1b',
    nothing: null,
  };
  t.ok(passesLuhn('20261122000007'));
  t.same(findCardNumbers(harmless), []);
  fc.assert(
    fc.property(fc.uuid(), (uuid) => findCardNumbers({ uuid, text: `ref ${uuid}!` }).length === 0),
    runs,
  );
  // A run that is longer than a card number is another kind of number, whatever stands inside it.
  fc.assert(
    fc.property(
      cardNumber,
      fc.stringMatching(/^[0-9]{7,12}$/),
      (card, more) => findCardNumbers(card + more).length === 0,
    ),
    runs,
  );
});

t.test('exempt fields are exempt by name or place, and nothing below them', async (t) => {
  const payload = {
    phone: '4111111111111111',
    d: { trackingNumber: '4111111111111111', barcode: ['4111111111111111'] },
  };
  t.same(findCardNumbers(payload, { exempt: ['phone', 'barcode', '/d/trackingNumber'] }), []);
  t.same(
    findCardNumbers(payload, { exempt: ['phone', 'barcode', '/trackingNumber'] }).map((found) => found.pointer),
    ['/d/trackingNumber'],
  );
  t.same(findCardNumbers({ phone: { note: '4111111111111111' } }, { exempt: ['phone'] }).length, 1);
});

t.test('depth and number are bounded', async (t) => {
  let deep: unknown = '4111111111111111';
  for (let level = 0; level < 50_000; level++) deep = [deep];
  t.equal(findCardNumbers(deep).length, 1);
  t.equal(findCardNumbers(Array(1_000).fill('4111111111111111')).length, 20);
});
