// Goal: what is kept of a person can be read by those who have the keys, for as long as the law says, and by nobody after.
// Method: the vault on a private Redis and a folder; time is the test's; stored bytes are looked at, changed and swapped.

import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { connect } from '../../runtime/client.ts';
import { startRedis } from '../../runtime/testing/index.ts';
import {
  type Address,
  fileStore,
  KEY_REMEMBERED_MS,
  type Kms,
  localKms,
  type MasterKey,
  type OrderFact,
  type OrderFacts,
  type Person,
  people,
  plain,
  readMasterKeys,
  type VaultOptions,
  YEAR,
} from './index.ts';

const redis = await startRedis();
const client = await connect({
  namespace: 'ord',
  url: redis.url,
  secret: 'a-secret-for-tests-only',
  config: { shards: 1, timeScale: 1 },
});
t.teardown(async () => {
  await client.close();
  await redis.stop();
});

const DAY = 86_400_000;
let now = Date.UTC(2026, 10, 22);
const later = (ms: number): void => {
  now += ms;
};
const sheets = { ...client, now: () => now };

const masterKey = (id: string): MasterKey => ({ id, key: randomBytes(32) });
const first = masterKey('m1');
const folder = t.testdir();
const objects = fileStore(folder);
const vaultWith = (over: Partial<VaultOptions> = {}) => people(sheets, { kms: localKms([first]), objects, ...over });
const vault = vaultWith();

let count = 0;
const user = (): string => {
  count += 1;
  return `usr_${count}`;
};
const personOf = (userId: string, more: Partial<Person> = {}): Person => ({
  userId,
  givenName: 'Ирина',
  familyName: "O'Brien-Чехова",
  birthDate: '1990-02-03',
  citizenship: 'DE',
  phone: '+4915112345678',
  ...more,
});
const address: Address = {
  countryCode: 'DE',
  postalCode: '10115',
  city: 'Berlin',
  street: 'Invalidenstraße',
  house: '7',
};

/** The sheet of the person that a reference belongs to. */
const sheetOf = (ref: string): string => `person.${/_([0-9a-z]+)\./.exec(ref)?.[1]}`;
const fieldOf = (ref: string): string => `r.${ref.split('.')[1]}`;

/** An order with a card that was closed. */
const ended = (orderId: string, more: Partial<OrderFact> = {}): OrderFact => ({
  orderId,
  endedAt: now,
  hadCard: true,
  cardAlive: false,
  legalHold: false,
  ...more,
});
const facts =
  (...orders: readonly OrderFact[]): OrderFacts =>
  async (ids) =>
    orders.filter(({ orderId }) => ids.includes(orderId));

t.test('a person is stored once, read by reference, and forgotten for good', async (t) => {
  const person = personOf(user());
  const stored = await vault.storePerson(person, 'ord_a');
  t.match(stored, { kind: 'stored', personRef: /^ppl_[0-9a-z]{26}\.[0-9a-z]{26}$/ });
  t.same(await vault.readPerson(stored.personRef), person);
  const bytes = JSON.stringify(await sheets.readSheet(sheetOf(stored.personRef)));
  for (const word of ['Ирина', person.phone, 'birthDate', person.userId]) t.notMatch(bytes, word);

  const shuffled = Object.fromEntries(Object.entries(person).reverse()) as unknown as Person;
  t.same(await vault.storePerson(shuffled, 'ord_a'), { ...stored, kind: 'same' }, 'nonces and order are no difference');
  t.same(await vault.storePerson({ ...person, phone: '+79160000000' }, 'ord_a'), { ...stored, kind: 'other' });
  t.same(await vault.readPerson(stored.personRef), person, 'the first content stands');

  t.equal(await vault.forget(stored.personRef), true);
  t.equal(await vault.readPerson(stored.personRef), undefined);
  t.equal(await vault.forget(stored.personRef), false);
  t.equal(await vault.readPerson('ppl_of_an_older_kind'), undefined);
});

t.test('records of one person that are first written at once share one key, and none is lost', async (t) => {
  const userId = user();
  const written = await Promise.all([
    vault.storePerson(personOf(userId), 'ord_a'),
    ...[1, 2, 3, 4].map((n) => vaultWith().storeAddress({ ...address, house: String(n) }, `ord_a:${n}`, { userId })),
  ]);
  t.ok(written.every(({ kind }) => kind === 'stored'));
  const [person, ...others] = written as readonly [{ personRef: string }, ...{ addressRef: string }[]];
  t.equal((await vault.readPerson(person.personRef))?.userId, userId);
  for (const { addressRef } of others) t.ok(await vault.readAddress(addressRef));
});

t.test('what is no person is told by place, never by value', async (t) => {
  const wrong = personOf(user(), { phone: 'call 12345' });
  await t.rejects(vault.storePerson(wrong, 'ord_a'), { message: /\/phone/ });
  await vault.storePerson(wrong, 'ord_a').catch((error: Error) => t.notMatch(error.message, /12345/));
});

t.test('stored bytes that were changed, swapped or copied do not open', async (t) => {
  const [one, two] = [
    await vault.storePerson(personOf(user()), 'ord_a'),
    await vault.storePerson(personOf(user()), 'ord_b'),
  ];
  const { addressRef } = await vault.storeAddress(address, 'ord_a', { userId: `usr_${count - 1}` });
  const sheet = await sheets.readSheet(sheetOf(one.personRef));
  const other = await sheets.readSheet(sheetOf(two.personRef));
  const own = sheet[fieldOf(one.personRef)] as string;
  const put = (value: string) =>
    sheets.changeSheet(sheetOf(one.personRef), { set: { [fieldOf(one.personRef)]: value } });
  const attacks: Record<string, string> = {
    'a bit of the content': own.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A')),
    'its class': own.replace('|identity|', '|contact|'),
    'its order': own.replace('|ord_a|', '|ord_b|'),
    'another record of the same person': sheet[fieldOf(addressRef)] as string,
    'the record of another person': other[fieldOf(two.personRef)] as string,
    'a record of the plain codec': `p1|identity|ord_a|1|${JSON.stringify(personOf('usr_x'))}`,
  };
  for (const [what, value] of Object.entries(attacks)) {
    await put(value);
    await t.rejects(vaultWith().readPerson(one.personRef), { code: 'record-damaged' }, what);
  }
  await put(own);
  await sheets.changeSheet(sheetOf(one.personRef), { set: { key: other.key } });
  await t.rejects(vaultWith().readPerson(one.personRef), { code: 'key-damaged' }, 'the key of another person');
  const done = await vault.keys.rekey('all');
  t.ok(done.failed.length === 1 && done.changed > 1, 'a walk over all goes past what does not open, and names it');
  await sheets.changeSheet(sheetOf(one.personRef), { set: { key: sheet.key } });
  t.ok(await vault.readPerson(one.personRef));
});

t.test('master keys are rotated; the old one is needed until nothing is under it', async (t) => {
  const refs = await Promise.all(
    [1, 2, 3].map(async () => (await vault.storePerson(personOf(user()), 'ord_r')).personRef),
  );
  const second = masterKey('m2');
  const both = vaultWith({ kms: localKms([second, first]) });
  const before = await vault.keys.status();
  t.ok((before.get('m1') ?? 0) >= 3);
  t.ok(await both.readPerson(refs[0] as string), 'what the old one wraps is readable meanwhile');
  const seen: number[] = [];
  const done = await both.keys.rotate(({ persons }) => seen.push(persons));
  t.equal(done.changed, before.get('m1'));
  t.same(
    seen,
    [...seen].sort((a, b) => a - b),
  );
  t.equal((await both.keys.rotate()).changed, 0, 'begun again, it passes over what was done');
  t.same([...(await both.keys.status())], [['m2', done.changed]]);
  const alone = vaultWith({ kms: localKms([second]) });
  for (const ref of refs) t.ok(await alone.readPerson(ref));
  await t.rejects(vaultWith().readPerson(refs[0] as string), { code: 'master-key-unknown', message: /add it/ });
  await vaultWith({ kms: localKms([first, second]) }).keys.rotate();
});

t.test('another key for a person: every record is written anew under it, also while others write', async (t) => {
  const userId = user();
  const { personRef } = await vault.storePerson(personOf(userId), 'ord_a');
  const before = await sheets.readSheet(sheetOf(personRef));
  const [done, ...stored] = await Promise.all([
    vaultWith().keys.rekey({ userId }),
    ...[1, 2, 3].map((n) => vault.storeAddress(address, `ord_k:${n}`, { userId })),
  ]);
  t.ok(done.changed === 1 && done.records >= 1);
  const after = await sheets.readSheet(sheetOf(personRef));
  t.not(after.key, before.key);
  t.not(after[fieldOf(personRef)], before[fieldOf(personRef)]);
  t.equal((await vault.readPerson(personRef))?.userId, userId);
  for (const { addressRef } of stored) t.same(await vault.readAddress(addressRef), address);
  t.ok((await vault.keys.rekey('all')).changed > 1);
  t.equal((await vault.readPerson(personRef))?.userId, userId);
});

t.test(
  'a KMS is asked once per person and few seconds; of an erased person nobody reads on with a remembered key',
  async (t) => {
    let asked = 0;
    const inner = localKms([first]);
    const unwrap: Kms['unwrap'] = (wrapped, person) => {
      asked += 1;
      return inner.unwrap(wrapped, person);
    };
    const kms: Kms = { ...inner, unwrap };
    const [one, two] = [vaultWith({ kms }), vaultWith()];
    const userId = user();
    const { personRef } = await two.storePerson(personOf(userId), 'ord_a');
    for (let i = 0; i < 5; i += 1) await one.readPerson(personRef);
    t.equal(asked, 1);
    later(KEY_REMEMBERED_MS);
    await one.readPerson(personRef);
    t.equal(asked, 2);

    t.same(await two.eraseSubject(userId), { erased: true, rememberedMs: KEY_REMEMBERED_MS });
    t.equal(await one.readPerson(personRef), undefined, 'at once, in another process too');
    t.same(await two.eraseSubject(userId), { erased: false, rememberedMs: KEY_REMEMBERED_MS });
    await t.rejects(
      one.storePerson(personOf(userId), 'ord_a'),
      { code: 'subject-erased' },
      'a late retry stores nothing',
    );
    t.same(Object.keys(await sheets.readSheet(sheetOf(personRef))).sort(), ['erased', 'rev']);
  },
);

t.test('data of a person are written only where his law wants them', async (t) => {
  const abroad = vaultWith({ regions: ['DE', 'FR'] });
  const userId = user();
  const russian = personOf(userId, { citizenship: 'RU' });
  await t.rejects(abroad.storePerson(russian, 'ord_a'), { code: 'region-refused', message: /RU.*DE, FR/ });
  t.equal((await sheets.readSheet(sheetOf(`ppl_x.`))).rev, undefined);
  const home = vaultWith({ regions: ['RU'] });
  const { personRef } = await home.storePerson(russian, 'ord_a');
  await t.rejects(
    abroad.storeAddress(address, 'ord_a', { userId }),
    { code: 'region-refused' },
    'nor what belongs to him',
  );
  t.same(await home.readPerson(personRef), russian);
  t.equal((await abroad.storePerson(personOf(user()), 'ord_a')).kind, 'stored');
});

t.test('settings of master keys are told apart without quoting them', async (t) => {
  const key = randomBytes(32).toString('base64');
  t.same(
    readMasterKeys(`a:${key}, b:${key}`).map(({ id }) => id),
    ['a', 'b'],
  );
  for (const [text, words] of [
    [`a:${key},b:short`, /number 2/],
    [`a:${key},a:${key}`, /one id twice/],
    ['', /number 1/],
  ] as const)
    t.throws(() => readMasterKeys(text), { message: words });
  try {
    readMasterKeys(`a:${key},b:${key}x`);
    t.fail('it was taken');
  } catch (error) {
    t.notOk((error as Error).message.includes(key.slice(0, 8)));
  }
});

// --- Documents, seen by their bytes on the disk ---

const jpeg = (bytes: number): Buffer => Buffer.concat([Buffer.from([0xff, 0xd8, 0xff, 0xe0]), randomBytes(bytes - 4)]);
const sha256 = async (content: Buffer): Promise<string> =>
  Buffer.from(await crypto.subtle.digest('SHA-256', content)).toString('hex');
async function* inPieces(content: Buffer, size = 50_000): AsyncGenerator<Buffer> {
  for (let at = 0; at < content.length; at += size) yield content.subarray(at, at + size);
}
async function whole(content: AsyncIterable<Buffer> | undefined): Promise<Buffer | undefined> {
  if (content === undefined) return undefined;
  const pieces: Buffer[] = [];
  for await (const piece of content) pieces.push(piece);
  return Buffer.concat(pieces);
}
const files = (): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));

t.test(
  'a document is taken when it is what was announced, lies sealed, and opens for its person’s key only',
  async (t) => {
    const userId = user();
    for (const size of [8, 65_536, 65_537, 200_000]) {
      const content = jpeg(size);
      const announced = {
        kind: 'passport',
        mediaType: 'image/jpeg',
        bytes: size,
        sha256: await sha256(content),
        number: '45 10 123567',
      } as const;
      const { document, kind } = await vault.documents.announce({ userId }, 'ord_d', `k${size}`, announced);
      t.equal(kind, 'stored');
      t.match(document, { documentId: /^doc_/, status: 'awaiting', numberMasked: '•••••••567', number: undefined });
      t.equal((await vault.documents.announce({ userId }, 'ord_d', `k${size}`, announced)).kind, 'same');
      t.equal(
        (await vault.documents.announce({ userId }, 'ord_d', `k${size}`, { ...announced, bytes: 9 })).kind,
        'other',
      );
      t.match(await vault.documents.receive(document.documentId, inPieces(content)), {
        status: 'stored',
        storedAt: now,
      });
      t.ok((await whole(await vault.documents.content(document.documentId)))?.equals(content), `${size} bytes`);
      t.match(await vault.documents.receive(document.documentId, inPieces(content)), { status: 'stored' }, 'a repeat');
    }
    t.equal((await vault.documents.ofOrder('ord_d', userId)).length, 4);
    for (const file of files()) t.notOk(readFileSync(file).includes(Buffer.from([0xff, 0xd8, 0xff, 0xe0])));

    t.equal(await vault.shredDocuments('ord_d', userId), 4);
    t.equal(await vault.shredDocuments('ord_d', userId), 0);
    t.same(files(), []);
  },
);

t.test('a document that is something else is refused, and nothing of it stays', async (t) => {
  const userId = user();
  const content = jpeg(100_000);
  const good = {
    kind: 'passport',
    mediaType: 'image/jpeg',
    bytes: content.length,
    sha256: await sha256(content),
  } as const;
  const { document } = await vault.documents.announce({ userId }, 'ord_d', 'k', good);
  const cases: readonly (readonly [string, Buffer])[] = [
    ['size-mismatch', content.subarray(0, -1)],
    ['size-mismatch', Buffer.concat([content, Buffer.from('x')])],
    ['type-mismatch', Buffer.concat([Buffer.from('%PDF-1.7'), content.subarray(8)])],
    ['hash-mismatch', Buffer.concat([content.subarray(0, -1), Buffer.from([(content.at(-1) as number) ^ 1])])],
  ];
  for (const [code, bytes] of cases) {
    await t.rejects(vault.documents.receive(document.documentId, inPieces(bytes)), { name: 'DocumentRejected', code });
    t.same(files(), [], code);
    t.match(await vault.documents.read(document.documentId), { status: 'awaiting' });
  }
  t.match(await vault.documents.receive(document.documentId, inPieces(content)), { status: 'stored' });

  const [file] = files() as [string];
  const sealed = readFileSync(file);
  const chunk = 65_536 + 16;
  const swapped = Buffer.concat([sealed.subarray(0, 9), sealed.subarray(9 + chunk), sealed.subarray(9, 9 + chunk)]);
  for (const damaged of [
    sealed.subarray(0, 9 + chunk),
    swapped,
    Buffer.concat([sealed, Buffer.alloc(1)]),
    Buffer.alloc(0),
  ]) {
    writeFileSync(file, damaged);
    await t.rejects(vault.documents.content(document.documentId).then(whole), { code: 'object-damaged' });
  }
  writeFileSync(file, sealed);
  const stolen = readFileSync(file);
  await vault.eraseSubject(userId);
  t.same(files(), []);
  writeFileSync(file, stolen);
  t.equal(await vault.documents.content(document.documentId), undefined, 'a copy from a backup does not open either');
  await objects.delete(`${file.split('/').at(-2)}/${file.split('/').at(-1)}`);
});

// --- Duties and time ---

t.test('an erasure takes what no duty keeps, names what stays and until when, and ends it then', async (t) => {
  const userId = user();
  const person = await vault.storePerson(personOf(userId), 'ord_e');
  const { addressRef } = await vault.storeAddress(address, 'ord_e', { userId });
  await vault.storeApplication({ consents: 2 }, 'ord_e', { userId });
  const open = facts({ ...ended('ord_e'), endedAt: undefined });
  t.match(await vault.classify(userId, open), { open: ['ord_e'], erasable: 1, personRef: person.personRef });
  await vault.prune(userId, open);
  t.ok(await vault.readAddress(addressRef), 'an order that goes on still needs it');

  const closed = facts(ended('ord_e'));
  const left = await vault.prune(userId, closed);
  t.equal(await vault.readAddress(addressRef), undefined);
  t.same(
    left.kept,
    [
      { dataClass: 'business', duty: 'business-record', until: now + 10 * YEAR },
      { dataClass: 'identity', duty: 'aml', until: now + 5 * YEAR },
    ].sort(
      (a, b) =>
        left.kept.findIndex((k) => k.dataClass === a.dataClass) -
        left.kept.findIndex((k) => k.dataClass === b.dataClass),
    ),
  );

  const start = now;
  later(5 * YEAR + DAY);
  t.same(
    (await vault.prune(userId, facts(ended('ord_e', { endedAt: start })))).kept.map(({ dataClass }) => dataClass),
    ['business'],
  );
  t.equal(await vault.readPerson(person.personRef), undefined);
  later(5 * YEAR);
  t.same((await vault.prune(userId, facts(ended('ord_e', { endedAt: start })))).kept, []);
  t.same(Object.keys(await sheets.readSheet(sheetOf(person.personRef))).sort(), ['erased', 'rev']);
});

t.test('a person without a card ever, and one with a living card', async (t) => {
  const [never, living] = [user(), user()];
  const { personRef } = await vault.storePerson(personOf(never), 'ord_n');
  t.same((await vault.prune(never, facts(ended('ord_n', { hadCard: false })))).kept, []);
  t.equal(await vault.readPerson(personRef), undefined, 'there was no relationship: nothing is kept');
  await vault.storePerson(personOf(living), 'ord_l');
  const kept = (await vault.prune(living, facts(ended('ord_l', { cardAlive: true })))).kept;
  t.same(kept, [{ dataClass: 'identity', duty: 'aml', until: undefined }]);
});

t.test('R15: what is due is destroyed by the daily look, with an entry of it; a prolonged scan later', async (t) => {
  const userId = user();
  const { personRef } = await vault.storePerson(personOf(userId), 'ord_s');
  const content = jpeg(5_000);
  const announced = { kind: 'passport', mediaType: 'image/jpeg', bytes: 5_000, sha256: await sha256(content) } as const;
  const { document } = await vault.documents.announce({ userId }, 'ord_s', 'k', announced);
  await vault.documents.receive(document.documentId, inPieces(content));
  await vault.storeApplication({ agreement: 1 }, 'ord_s', { userId });
  t.ok(await vault.extend(document.documentId, { reason: 'compliance', by: 'ops.1' }));
  const order = facts(ended('ord_s', { endedAt: now + 30 * DAY }));
  let day = vault.today();
  const years = async (wanted: number): Promise<void> => {
    const end = now + wanted * YEAR;
    while (now < end) {
      later(DAY * 300);
      ({ nextDay: day } = await vault.sweep(day, order));
    }
  };
  await years(4);
  t.ok(await vault.readPerson(personRef));
  await years(2);
  t.equal(await vault.readPerson(personRef), undefined, 'five years after the order ended');
  t.ok(await whole(await vault.documents.content(document.documentId)));
  t.ok(await vault.readApplication('ord_s', userId));
  await years(5);
  t.equal(await vault.documents.read(document.documentId), undefined);
  t.equal(await vault.readApplication('ord_s', userId), undefined);
  t.same(files(), []);
  const entries = (
    await Promise.all(Array.from({ length: 4_500 }, (_, back) => vault.destructions(vault.today() - back)))
  ).flat();
  const own = entries.filter(({ ref }) => ref.includes(personRef.slice(4, 30)));
  t.match(
    own.find(({ ref }) => ref === personRef),
    { dataClass: 'identity', why: 'retention', at: Number },
  );
  t.ok(
    own.some(({ dataClass }) => dataClass === 'person' || dataClass === 'document'),
    JSON.stringify(own),
  );
  t.notMatch(JSON.stringify(entries), userId);
});

t.test(
  'the codec is the one seam: with the plain one everything lies open, which the canary scan has to notice',
  async (t) => {
    const open = vaultWith({ codec: plain });
    const { personRef } = await open.storePerson(personOf(user()), 'ord_p');
    t.match(JSON.stringify(await sheets.readSheet(sheetOf(personRef))), /Ирина/);
    t.ok(await open.readPerson(personRef));
    await t.rejects(vault.readPerson(personRef), { code: 'record-damaged' });
  },
);
