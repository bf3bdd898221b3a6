// The partners as their callers see them: keys, outcomes of a call, policies, signatures, files.
//
// The adapters over real HTTP against the simulators, which run inside this process; faults are set through their controls.

import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import t from 'tap';
import { Compile } from 'typebox/compile';
import { businessKey, type EffectName, effects } from '../contract/index.ts';
import { brokenFile, readFile, writeFile } from './batch-file.ts';
import {
  doubledActs,
  httpPartners,
  KEYS_KEPT_MS,
  type PartnerEffect,
  policies,
  secretOf,
  sign,
  verify,
} from './index.ts';
import type { Partners } from './ports.ts';
import { advice, booking, call, card, clock, fee, job, known, listen, outputOf, SECRET, simulator } from './testing.ts';

t.test('E2: one idempotency key is one act, and so is one business key under many idempotency keys', async (t) => {
  const { partners, ledger } = await simulator(t);
  const first = outputOf(await partners.issuer.createCard(call('k1', card('ord_1'))));
  t.match(first, { cardId: 'crd_1', last4: /^\d{4}$/, expiry: /^\d{4}-\d{2}$/ });
  t.same(outputOf(await partners.issuer.createCard(call('k1', card('ord_1')))), first, 'the same key');
  t.same(
    outputOf(await partners.issuer.createCard(call('k2', card('ord_1')))),
    first,
    'another key for the same order',
  );
  t.notSame(outputOf(await partners.issuer.createCard(call('k3', card('ord_2')))), first, 'another order');
  t.match(await partners.issuer.createCard(call('k1', card('ord_9'))), {
    kind: 'failed',
    error: { code: 'key_reused' },
  });

  const book = await ledger();
  const entry = book.entries.find(({ businessKey }) => businessKey === 'ord_1');
  t.match(entry, { effect: 'card.create', acts: 1, calls: 3, repeats: 1, businessRepeats: 1, keys: ['k1', 'k2'] });
  t.match(book.totals['card.create'], { acts: 2 });
  t.equal(book.world.cards.ord_1?.length, 1);
  t.same(doubledActs(book), []);
});

t.test('E2: a partner that knows no business keys shows a doubled act, and the ledger tells', async (t) => {
  const { partners, ledger } = await simulator(t, { faults: { ignoreBusinessKey: true } });
  await partners.issuer.createCard(call('k1', card('ord_1')));
  await partners.issuer.createCard(call('k1', card('ord_1')));
  t.same(doubledActs(await ledger()), [], 'the same key is safe all the same');
  await partners.issuer.createCard(call('k2', card('ord_1')));
  const book = await ledger();
  t.match(doubledActs(book), [{ effect: 'card.create', businessKey: 'ord_1', acts: 2 }]);
  t.equal(book.world.cards.ord_1?.length, 2);
});

/** Every effect that a partner carries out, asked once. */
const asked: { readonly [name in PartnerEffect]: (partners: Partners, key: string) => Promise<unknown> } = {
  'kyc.start': ({ screening }, key) =>
    screening.startKyc(call(key, { orderId: 'ord_1', attempt: 1, personRef: 'ppl_1' })),
  'kyc.cancel': ({ screening }, key) => screening.cancelKyc(call(key, { orderId: 'ord_1', attempt: 1 })),
  'aml.screen': ({ screening }, key) =>
    screening.screenAml(call(key, { orderId: 'ord_1', personRef: 'ppl_1', listVersion: 'v1' })),
  'address.validate': ({ screening }, key) =>
    screening.validateAddress(call(key, { orderId: 'ord_1', addressRef: 'ppl_2', method: 'courier', country: 'CZ' })),
  'credit.decide': ({ screening }, key) =>
    screening.decideCredit(
      call(key, { orderId: 'ord_1', personRef: 'ppl_1', productCode: 'credit_gold', currency: 'CZK' }),
    ),
  'credit.withdraw': ({ screening }, key) => screening.withdrawCredit(call(key, { orderId: 'ord_1' })),
  'card.create': ({ issuer }, key) => issuer.createCard(call(key, card('ord_1'))),
  'card.activate': ({ issuer }, key) => issuer.activateCard(call(key, { orderId: 'ord_1', cardId: 'crd_1', n: 1 })),
  'card.suspend': ({ issuer }, key) => issuer.suspendCard(call(key, { orderId: 'ord_1', cardId: 'crd_1', n: 1 })),
  'card.resume': ({ issuer }, key) => issuer.resumeCard(call(key, { orderId: 'ord_1', cardId: 'crd_1', n: 1 })),
  'card.close': ({ issuer }, key) => issuer.closeCard(call(key, { orderId: 'ord_1', cardId: 'crd_1', reason: 'lost' })),
  'fee.charge': ({ billing }, key) => billing.charge(call(key, fee('ord_1'))),
  'fee.refund': ({ billing }, key) => billing.refund(call(key, fee('ord_1'))),
  'bureau.submit': ({ bureau }, key) => bureau.submitJob(call(key, job('ord_1'))),
  'bureau.withdraw': ({ bureau }, key) => bureau.withdrawJob(call(key, { orderId: 'ord_1', jobId: 'job_1_1' })),
  'carrier.preadvise': ({ carrier }, key) => carrier.preadvise(call(key, advice('dlv_1_1'))),
  'carrier.createShipment': ({ carrier }, key) => carrier.createShipment(call(key, booking('dlv_1_1'))),
  'carrier.void': ({ carrier }, key) =>
    carrier.voidShipment(call(key, { orderId: 'ord_1', deliveryId: 'dlv_1_1', seq: 1 })),
  'otp.send': ({ notifications }, key) =>
    notifications.sendCode(
      call(key, { deliveryId: 'dlv_1_1', attempt: 1, n: 1, personRef: 'ppl_1', locale: 'cs' }),
      '123456',
    ),
  notify: ({ notifications }, key) =>
    notifications.notify(call(key, { subject: 'ord_1', personRef: 'ppl_1', locale: 'cs', template: 'welcome', n: 1 })),
};
const askedNames = Object.keys(asked) as PartnerEffect[];

t.test(
  'E2: every effect carries its business key to its partner, and its answer has the contract’s form',
  async (t) => {
    const { partners, ledger } = await simulator(t, { timeScale: 1 });
    for (const name of askedNames) {
      const outcome = await asked[name](partners, `key ${name}`);
      t.match(outcome, { kind: 'done' }, name);
      const { output } = outcome as { output: unknown };
      t.ok(Compile(effects[name].output).Check(output), `${name}: ${JSON.stringify(output)}`);
    }
    const { entries } = await ledger();
    t.same(entries.map(({ effect }) => effect).sort(), [...askedNames].sort(), 'each under its name');
    t.ok(entries.every(({ acts, subject }) => acts === 1 && /^(ord_1|dlv_1_1)$/.test(subject)));
    const keyOf = (name: string) => entries.find(({ effect }) => effect === name)?.businessKey;
    t.equal(keyOf('carrier.createShipment'), businessKey('carrier.createShipment', booking('dlv_1_1')));
    t.equal(keyOf('bureau.submit'), businessKey('bureau.submit', job('ord_1')));
    t.equal(keyOf('fee.refund'), 'ord_1:issue:refund');
  },
);

t.test(
  'E1: whatever befalls the line to a partner, no call is failed for it, and a repeat is no second act',
  async (t) => {
    const { partners, ledger, control } = await simulator(t);
    for (const how of ['error', 'limit', 'lost', 'half', 'malformed'] as const) {
      for (const name of askedNames) await control('POST', 'next-failure', { effect: name, how });
      for (const name of askedNames)
        t.match(await asked[name](partners, `key ${name}`), { kind: 'unknown' }, `${name} ${how}`);
    }
    for (const name of askedNames) t.match(await asked[name](partners, `key ${name}`), { kind: 'done' }, name);
    const book = await ledger();
    t.same(doubledActs(book), []);
    t.ok(book.entries.every(({ acts, errors, lostReplies }) => acts === 1 && errors === 2 && lostReplies === 3));
  },
);

t.test('E1: a lost reply is unknown, and the next try gets the card that was made', async (t) => {
  const { control, partners, ledger } = await simulator(t, { faults: { loseReplyRate: 1 } });
  t.match(await partners.issuer.createCard(call('k1', card('ord_1'))), {
    kind: 'unknown',
    reason: /^issuer: connection failed/,
  });
  const [made] = (await ledger()).world.cards.ord_1 ?? [];
  await control('PUT', 'faults', { loseReplyRate: 0 });
  t.match(outputOf(await partners.issuer.createCard(call('k1', card('ord_1')))), { cardId: made?.cardId });
  t.match((await ledger()).entries, [{ acts: 1, lostReplies: 1, repeats: 1 }]);
});

t.test('E1: errors, refusals and a call in progress are told apart', async (t) => {
  const { url, control, partners, ledger } = await simulator(t, { faults: { errorRate: 1 } });
  const create = (key: string, orderId: string) => partners.issuer.createCard(call(key, card(orderId)));
  t.match(await create('k1', 'ord_1'), { kind: 'unknown', reason: 'issuer: status 500' });
  t.match((await ledger()).entries, [{ acts: 0, errors: 1 }]);

  await control('PUT', 'faults', { errorRate: 0, partners: { issuer: { limitRate: 1 } } });
  t.match(await create('k1', 'ord_1'), { kind: 'unknown', reason: 'issuer: status 429', retryAfterMs: 1_000 });
  t.match(await asked.notify(partners, 'n1'), { kind: 'done' }, 'another partner is not limited');

  await control('PUT', 'faults', { partners: {}, down: ['issuer'] });
  t.match(await create('k1', 'ord_1'), { kind: 'unknown', reason: 'issuer: status 503' });

  await control('PUT', 'faults', { down: [], outcomes: { cardRefusalRate: 1 } });
  const refusal = { kind: 'failed', error: { code: 'product_suspended' } };
  t.match(await create('k1', 'ord_1'), refusal);
  await control('PUT', 'faults', { outcomes: {} });
  await control('POST', 'next-failure', { effect: 'card.create', subject: 'ord_7', how: 'refuse' });
  t.match(await create('k6', 'ord_6'), { kind: 'done' }, 'another subject');
  const strange = { kind: 'failed', error: { code: 'unknown', detail: 'REFUSED_ON_DEMAND' } };
  t.match(await create('k7', 'ord_7'), strange, 'a no in a word that we do not know is a no');
  await control('PUT', 'faults', { latencyMs: [150, 150] });
  t.match(await create('k1', 'ord_1'), refusal, 'a refusal stays one under its key');

  const twice = await Promise.all([0, 1].map(() => create('k2', 'ord_2')));
  t.same(twice.map(({ kind }) => kind).sort(), ['done', 'unknown']);
  t.match(
    twice.find(({ kind }) => kind === 'unknown'),
    { reason: 'issuer: status 409', retryAfterMs: 1_000 },
  );

  const impatient = httpPartners({ url, people: known, clock, timeouts: { 'card.create': 20 } });
  t.match(await impatient.issuer.createCard(call('k3', card('ord_3'))), {
    kind: 'unknown',
    reason: 'issuer: no answer within 20 ms',
  });
  const stopped = new AbortController();
  stopped.abort();
  const ended = await partners.issuer.createCard({ ...call('k4', card('ord_4')), signal: stopped.signal });
  t.match(ended, { kind: 'unknown', reason: 'issuer: call ended by the worker' });
  t.match(await partners.issuer.createCard(call('k5', { ...card('ord_5'), personRef: 'ppl_gone' })), {
    kind: 'failed',
    error: { code: 'person_unknown' },
  });
});

t.test('E1: an answer that cannot be right is unknown, and is not quoted', async (t) => {
  const good = { external_card_id: 'crd_1', last_four: '1234', exp_month: '01' };
  const answers: { status: number; body: string; headers?: Record<string, string> }[] = [
    { status: 200, body: 'not JSON but private' },
    { status: 200, body: JSON.stringify({ ...good, exp_year: '2031', last_four: 'private' }) },
    { status: 200, body: JSON.stringify(good) },
    { status: 200, body: '{"external_card_id":"crd_1"' },
    { status: 200, body: `"${'private'.repeat(20_000)}"` },
    { status: 302, body: '', headers: { location: 'http://127.0.0.1:1/' } },
    { status: 400, body: '<html>private</html>' },
    { status: 429, body: '{}', headers: { 'retry-after': '7' } },
    { status: 503, body: '', headers: { 'retry-after': 'nonsense' } },
  ];
  let next = 0;
  const url = await listen(
    t,
    createServer((request, response) => {
      request.resume();
      const answer = answers[next++];
      response.writeHead(answer?.status ?? 500, answer?.headers).end(answer?.body);
    }),
  );
  const partners = httpPartners({ url, people: known, clock });
  for (const answer of answers) {
    const outcome = await partners.issuer.createCard(call('k', card('ord_1')));
    t.equal(outcome.kind, 'unknown', `${answer.status} ${answer.body.slice(0, 20)}`);
    t.notMatch(JSON.stringify(outcome), /private/);
    if (answer.status === 429) t.match(outcome, { retryAfterMs: 7_000 });
  }
  const nobody = httpPartners({ url: 'http://127.0.0.1:1', people: known, clock });
  t.match(await nobody.issuer.createCard(call('k', card('ord_1'))), {
    kind: 'unknown',
    reason: /ECONNREFUSED|connection failed/,
  });
});

t.test(
  'E1: a word of a partner that we do not know is never taken for yes, and is logged without the answer',
  async (t) => {
    let answer: unknown;
    const url = await listen(
      t,
      createServer((request, response) => {
        request.resume();
        response.end(typeof answer === 'string' ? answer : JSON.stringify(answer));
      }),
    );
    const logged: string[] = [];
    const log = (line: object, message: string): void => void logged.push(`${JSON.stringify(line)} ${message}`);
    const partners = httpPartners({ url, people: known, clock, log });
    const unknown = { kind: 'unknown', reason: /a word that we do not know$/ };
    answer = { DecisionCode: 'Z01' };
    t.match(await asked['credit.decide'](partners, 'k'), unknown);
    answer = { state: 'FROZEN_SOLID' };
    t.match(await asked['card.activate'](partners, 'k'), unknown);
    answer = { entryState: 'PERHAPS' };
    t.match(await asked['fee.charge'](partners, 'k'), unknown);
    answer = { verdict: 'CLOUDY', serviced: true };
    t.match(await asked['address.validate'](partners, 'k'), unknown);
    t.equal(logged.length, 4);
    t.notMatch(logged.join(), /Z01|FROZEN|PERHAPS|CLOUDY/);
    answer = { search_id: 'S', hits: [{ match_strength: 'FUZZY' }] };
    t.match(
      await asked['aml.screen'](partners, 'k'),
      { output: { result: 'potential_match' } },
      'a hit is never clear',
    );
  },
);

t.test('O-17: a receipt that does not repeat count and checksum of the file that was sent is no receipt', async (t) => {
  let make = (file: Exclude<ReturnType<typeof readFile>, string>): string => file.reference;
  const url = await listen(
    t,
    createServer((request, response) => {
      let text = '';
      request.setEncoding('utf8');
      request.on('data', (part: string) => {
        text += part;
      });
      request.on('end', () => {
        const file = readFile(text);
        if (typeof file !== 'string') response.end(make(file));
      });
    }),
  );
  const partners = httpPartners({ url, people: known, clock });
  const receipt = (reference: string, count: string, checksum: string): string =>
    writeFile({
      kind: 'RECEIPT',
      reference,
      batch: 'bat_1',
      records: [
        [count, checksum],
        ['job_1_1', 'W9'],
      ],
    });
  const submit = (): Promise<unknown> => asked['bureau.submit'](partners, 'k');
  make = ({ reference, count, checksum }) => receipt(reference, String(count), checksum);
  t.match(await submit(), { kind: 'done' });
  t.match(await asked['bureau.withdraw'](partners, 'k'), { kind: 'unknown', reason: /a word that we do not know/ });
  make = ({ reference, count, checksum }) => brokenFile(receipt(reference, String(count), checksum));
  t.match(await submit(), { kind: 'unknown', reason: /count or checksum/ });
  make = ({ reference, checksum }) => receipt(reference, '2', checksum);
  t.match(await submit(), { kind: 'unknown', reason: /another file/ });
  make = ({ reference }) => receipt(reference, '1', '0'.repeat(64));
  t.match(await submit(), { kind: 'unknown', reason: /another file/ });
  make = ({ count, checksum }) => receipt('another', String(count), checksum);
  t.match(await submit(), { kind: 'unknown', reason: /another file/ });
  make = () => 'OK';
  t.match(await submit(), { kind: 'unknown', reason: /malformed receipt/ });
});

t.test('R-80: files keep every character, and a changed or cut one is found out', async (t) => {
  const file = {
    kind: 'SUBMIT',
    reference: 'bat_1:job_1',
    batch: 'bat_1',
    records: [['a|b', '50 %', 'x\ny', '', 'Ž'], ['%7c']],
  };
  const text = writeFile(file);
  t.match(readFile(text), { ...file, count: 2, whole: true });
  t.match(readFile(text.replace('50', '51')), { whole: false });
  t.match(readFile(text.replace(/^D\|%257c\n/m, '')), { whole: false, count: 2 });
  t.match(readFile(brokenFile(text)), { whole: false });
  for (const broken of [
    '',
    'nonsense\n',
    text.slice(0, -1),
    text.replace('H|', 'X|'),
    text.replace('D|', 'Q|'),
    `${text}more\n`,
  ])
    t.type(readFile(broken), 'string', broken.slice(0, 12));
});

t.test(
  'E2: every retry policy ends within the time a partner keeps keys, and is the one of the document',
  async (t) => {
    for (const [effect, policy] of Object.entries(policies)) {
      t.ok(policy.deadlineMs < KEYS_KEPT_MS && policy.timeoutMs <= policy.deadlineMs && policy.attempts > 1, effect);
    }
    const outside = Object.entries(effects).filter(([, { partner }]) => partner !== 'local');
    t.same(Object.keys(policies).sort(), outside.map(([name]) => name).sort(), 'every effect of a partner has one');

    const rows = new Map<string, readonly string[]>();
    const page = readFileSync(new URL('../../../docs/partners.md', import.meta.url), 'utf8');
    for (const [, name = '', rest = ''] of page.matchAll(/^\| `([a-z]+(?:\.[A-Za-z]+)?)` \| (.*) \|$/gm))
      if (name in effects) rows.set(name, rest.split(' | '));
    t.same([...rows.keys()].sort(), Object.keys(policies).sort(), 'the table has every effect');
    for (const [name, policy] of Object.entries(policies)) {
      const [partner, , timeout, retry] = rows.get(name) ?? [];
      t.equal(partner, effects[name as EffectName].partner, `${name}: partner`);
      t.equal(timeout, spoken(policy.timeoutMs), `${name}: timeout`);
      const words = `${spoken(policy.firstDelayMs)} → ${spoken(policy.maxDelayMs)}, ${policy.attempts} tries, ${spoken(policy.deadlineMs)}`;
      t.equal(retry, words, `${name}: retry`);
    }
  },
);

/** A time as the document writes it. */
function spoken(ms: number): string {
  const units = [
    [86_400_000, 'd'],
    [3_600_000, 'h'],
    [60_000, 'min'],
    [1_000, 's'],
  ] as const;
  const unit = units.find(([size]) => ms % size === 0);
  return unit === undefined ? `${ms} ms` : `${ms / unit[0]} ${unit[1]}`;
}

t.test('a signature holds for its id, its body, its time and its partner', async (t) => {
  const now = 1_900_000_000_000;
  const secret = secretOf(SECRET, 'kyc');
  t.match(secret, /^whsec_[A-Za-z0-9+/]{43}=$/);
  const body = '{"a":1}';
  const headers: Record<string, string> = sign(secret, { id: 'evt_1', body }, now);
  const check = (changes: Record<string, string | undefined> = {}, at = now, text = body, secrets = [secret]) =>
    verify(secrets, { headers: { ...headers, ...changes }, body: text }, at);
  t.same(check(), { kind: 'valid', id: 'evt_1' });
  t.match(check({}, now, '{"a":2}'), { reason: 'mismatch' });
  t.match(check({ 'webhook-id': 'evt_2' }), { reason: 'mismatch' });
  t.match(check({ 'webhook-timestamp': '1900000001' }), { reason: 'mismatch' });
  t.match(check({}, now, body, [secretOf(SECRET, 'bureau')]), { reason: 'mismatch' });
  t.same(check({}, now, body, [secretOf('the next one', 'kyc'), secret]), { kind: 'valid', id: 'evt_1' }, 'two in use');
  t.match(check({}, now + 301_000), { reason: 'expired' });
  t.match(check({}, now - 301_000), { reason: 'expired' });
  const several = `v1,${'A'.repeat(43)}= v1a,other ${headers['webhook-signature']}`;
  t.same(check({ 'webhook-signature': several }), { kind: 'valid', id: 'evt_1' }, 'one of several');
  for (const broken of [undefined, '', 'v1', 'v1,AA==', 'nonsense', 'v1,'.repeat(1_000)])
    t.match(check({ 'webhook-signature': broken }), { reason: 'malformed' });
  for (const name of ['webhook-id', 'webhook-timestamp'])
    for (const broken of [undefined, '', 'a b']) t.match(check({ [name]: broken }), { reason: 'malformed' });
});
