// Masks show little; the detector finds every card number and little else. The vault has its own tests: vault.test.ts.

import fc from 'fast-check';
import t from 'tap';
import { findCardNumbers, maskDocumentNumber, maskEmail, maskPhone, passesLuhn } from './index.ts';

const seed = Number(process.env.SEED ?? 20_261_122);
const runs = { seed, numRuns: 500 };

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
