// Goal: what crosses the API's door is answered clearly, and nothing that comes in is lost or told to a stranger.
// Method: injected requests over an in-process client that plays the failures; real workers are in api/live.test.ts.

import { SignJWT } from 'jose';
import t, { type Test } from 'tap';
import { holdReasons, reviewReasons } from '../actors/contract/index.ts';
import { brokenFile, writeFile } from '../actors/partners/batch-file.ts';
import { secretOf, sign } from '../actors/partners/signature.ts';
import type { AskOutcome } from '../runtime/client.ts';
import { createSurface } from './app.ts';
import type { SurfaceName } from './frame.ts';
import { limits } from './limits.ts';
import type { JsonObject } from './parts.ts';
import { goodOrder, handTicker, NOW, type Played, PlayedClient, playedParts, playedView } from './testing.ts';

type Inject = {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly url: string;
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
};

async function surface(t: Test, name: SurfaceName, played: Played = playedParts()) {
  const app = await createSurface(name, played.parts);
  t.teardown(() => app.close());
  const call = async ({ method = 'GET', url, body, headers = {} }: Inject) => {
    const payload = typeof body === 'string' ? body : body === undefined ? undefined : JSON.stringify(body);
    const response = await app.inject({
      method,
      url,
      headers: { ...(payload === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
      ...(payload === undefined ? {} : { payload }),
    });
    const type = String(response.headers['content-type'] ?? '');
    return {
      status: response.statusCode,
      headers: response.headers,
      text: response.body,
      json: /json/.test(type) ? (response.json() as JsonObject) : {},
      type,
    };
  };
  return { app, call, played };
}

const applied = (data: JsonObject = {}): AskOutcome => ({
  kind: 'answered',
  replayed: false,
  answer: {
    kind: 'applied',
    version: 2 as never,
    counter: 3,
    at: NOW,
    data: { status: 'in_review', statusGroup: 'in_progress', allowedActions: ['cancel'], ...data },
  },
});

async function orders(t: Test) {
  const made = await surface(t, 'public');
  const bearer = `Bearer ${await made.played.token('usr_anna', 'customer')}`;
  const place = (body: unknown, headers: Record<string, string> = {}) =>
    made.call({
      method: 'POST',
      url: '/api/v1/orders',
      body,
      headers: { authorization: bearer, 'idempotency-key': 'k-1', ...headers },
    });
  return { ...made, bearer, place };
}

t.test('an order with what nobody may send is refused with the place named, and reaches no actor', async (t) => {
  const { place, played } = await orders(t);
  const refused = async (what: string, body: unknown, slug: string, pointer?: string, code?: string) => {
    const { status, json, type } = await place(body);
    t.match(
      { status, type, json },
      { status: 400, type: /^application\/problem\+json/, json: { type: `/problems/${slug}` } },
      what,
    );
    const errors = (json.errors ?? []) as readonly { pointer: string; code: string }[];
    if (pointer !== undefined)
      t.ok(
        errors.some((each) => each.pointer === pointer && (code === undefined || each.code === code)),
        `${what}: ${pointer} in ${JSON.stringify(errors)}`,
      );
  };
  const order = goodOrder();
  await refused('half a body', '{"cardInfo":', 'malformed-json');
  await refused('no body', '', 'malformed-json');
  await refused('a prototype in the body', '{"__proto__":{"admin":true}}', 'malformed-json');
  await refused('an unknown field', { ...order, priority: 1 }, 'unknown-field', '/priority');
  await refused(
    'an unknown field below',
    { ...order, cardInfo: { ...order.cardInfo, colour: 'red' } },
    'unknown-field',
    '/cardInfo/colour',
  );
  await refused(
    'a CVV by name',
    { ...order, cardInfo: { ...order.cardInfo, cvv: '123' } },
    'sensitive-field-forbidden',
    '/cardInfo/cvv',
  );
  await refused(
    'a missing field',
    { ...order, userInfo: { ...order.userInfo, phone: undefined } },
    'validation-failed',
    '/userInfo/phone',
    'required',
  );
  await refused(
    'a name in Cyrillic on the card',
    { ...order, cardInfo: { ...order.cardInfo, embossedName: { line1: 'АННА' } } },
    'validation-failed',
    '/cardInfo/embossedName/line1',
    'pattern',
  );
  await refused('text for an object', { ...order, deliveryInfo: 'home' }, 'validation-failed', '/deliveryInfo', 'type');
  await refused(
    'no consent to the contract',
    { ...order, legalInfo: { consents: order.legalInfo?.consents.slice(0, 1) } },
    'validation-failed',
    '/legalInfo/consents',
    'contract-required',
  );
  await refused(
    'no consents at all',
    { ...order, legalInfo: undefined },
    'validation-failed',
    '/legalInfo',
    'required',
  );
  await refused(
    'both spellings (R-56)',
    { ...order, ligalInfo: order.legalInfo },
    'validation-failed',
    '/ligalInfo',
    'given-twice',
  );
  await refused(
    'somebody else as the applicant',
    { ...order, userInfo: { ...order.userInfo, userId: 'usr_bob' } },
    'validation-failed',
    '/userInfo/userId',
  );
  await refused(
    'a child without a guardian',
    { ...order, userInfo: { ...order.userInfo, birthDate: '2011-01-01' } },
    'validation-failed',
    '/deliveryInfo/recipient/relation',
  );

  const pan = '4111 1111 1111 1111';
  const inCity = (city: unknown) => ({
    ...order,
    deliveryInfo: { ...order.deliveryInfo, address: { ...order.deliveryInfo.address, city } },
  });
  for (const text of [pan, '4111-1111-1111-1111', `my card ${pan.replaceAll(' ', '')} thanks`, 4111111111111111]) {
    await refused(
      `a card number: ${typeof text}`,
      inCity(text),
      'sensitive-field-forbidden',
      '/deliveryInfo/address/city',
      'card-number',
    );
  }
  const long = JSON.stringify(inCity('@')).replace('"@"', '6304000000000000000');
  await refused(
    'a card number too long for a double',
    long,
    'sensitive-field-forbidden',
    '/deliveryInfo/address/city',
    'unverifiable',
  );
  const named = await place({ ...order, [pan.replaceAll(' ', '')]: 1 });
  t.match(named.json, { type: '/problems/sensitive-field-forbidden' });
  t.notMatch(named.text, /4111/, 'a number in a field name is not echoed');

  const huge = await place({ ...order, clientReference: 'x'.repeat(70_000) });
  t.match(huge, { status: 413, json: { code: 'P-30' } });
  const form = await place('a=1', { 'content-type': 'application/x-www-form-urlencoded' });
  t.match(form, { status: 415, json: { code: 'P-26' } });
  const keyless = await place(order, { 'idempotency-key': '' });
  t.match(keyless, { status: 400, json: { code: 'P-04' } });
  const longKey = await place(order, { 'idempotency-key': 'k'.repeat(65) });
  t.match(longKey, { status: 400, json: { code: 'P-04' } });
  t.same(played.ordering.commands, [], 'no actor heard of any of it');
  t.equal(played.ordering.sheets.size, 0, 'and the vault neither');
});

t.test('numbers that look like cards pass where the schema says so', async (t) => {
  const { place, played } = await orders(t);
  played.ordering.onAsk = () => applied();
  const order = goodOrder();
  const phone = '+411111111111111'.slice(0, 16); // Fifteen digits.
  const sent = await place({
    ...order,
    userInfo: { ...order.userInfo, phone },
    deliveryInfo: { ...order.deliveryInfo, recipient: { name: 'Я', phone, relation: 'self' } },
  });
  t.equal(sent.status, 201, sent.text);
});

t.test('M6: a repeat is answered with the same bytes, and only references reach the actor', async (t) => {
  const { place, played } = await orders(t);
  const answers: AskOutcome[] = [applied(), { ...applied(), replayed: true } as AskOutcome];
  played.ordering.onAsk = () => answers.shift() ?? applied();

  const first = await place(goodOrder());
  const second = await place(goodOrder());
  t.equal(first.status, 201, first.text);
  t.equal(second.text, first.text, 'byte for byte');
  t.equal(second.headers.etag, first.headers.etag);
  t.equal(first.headers.etag, '"v2-3"');
  t.equal(second.headers.location, first.headers.location);
  t.equal(first.headers['idempotency-replayed'], undefined);
  t.equal(second.headers['idempotency-replayed'], 'true');
  t.equal(first.headers['emboss-durability'], 'memory', 'what the answer survives');
  t.match(first.json, {
    version: 2,
    status: 'in_review',
    cardInfo: { embossedName: { line1: 'ANNA-MARIA OREKHOVA' } },
    userInfo: { userId: 'usr_anna', familyName: 'Орехова' },
    deliveryInfo: { method: 'courier' },
  });
  t.strictSame(
    Object.keys(first.json).filter((key) => /Info$|^orderId$|^timestamp$/.test(key)),
    ['orderId', 'cardInfo', 'userInfo', 'legalInfo', 'deliveryInfo', 'timestamp'],
    'the six groups (R-56)',
  );

  const [one, two] = played.ordering.commands;
  t.equal(one?.messageId, two?.messageId);
  t.equal(one?.fingerprint, two?.fingerprint);
  t.match(one, { actor: first.json.orderId, create: { machine: 'order' }, event: { type: 'SUBMIT', by: 'usr_anna' } });
  t.notMatch(
    JSON.stringify(played.ordering.commands),
    /Орехова|OREKHOVA|79161234567|anna@|Мясницкая|k-1/,
    'no personal data and no raw key in a message',
  );
  t.notMatch(played.logged(), /Орехова|OREKHOVA|79161234567|anna@|Мясницкая|eyJ/, 'nor in the log');

  const otherKey = await place(goodOrder(), { 'idempotency-key': 'k-2' });
  t.not(otherKey.json.orderId, first.json.orderId, 'another key is another order');
  const changed = await place(goodOrder({ clientReference: 'another' }));
  t.match(changed, { status: 422, json: { code: 'P-05' } }, 'another body under the key');
});

t.test('R-56: the old spelling is taken, with a Deprecation header, and is the same order', async (t) => {
  const { place, played } = await orders(t);
  played.ordering.onAsk = () => applied();
  const { legalInfo, ...rest } = goodOrder();
  const modern = await place(goodOrder());
  const old = await place({ ...rest, ligalInfo: legalInfo });
  t.equal(old.status, 201, old.text);
  t.ok(old.headers.deprecation);
  t.equal(old.text, modern.text);
  t.equal(played.ordering.commands[0]?.fingerprint, played.ordering.commands[1]?.fingerprint);
  t.notOk(modern.headers.deprecation);
});

t.test('every way a write can end has its own answer', async (t) => {
  const { place, played } = await orders(t);
  const comesTo = async (what: string, outcome: AskOutcome, expected: JsonObject, retryAfter?: string) => {
    played.ordering.onAsk = () => outcome;
    const { status, json, headers } = await place(goodOrder());
    t.match({ status, ...json }, expected, what);
    t.equal(headers['retry-after'], retryAfter, `${what}: Retry-After`);
  };
  const answered = (answer: object) => ({ kind: 'answered', replayed: false, answer }) as unknown as AskOutcome;
  await comesTo('still running', { kind: 'running' }, { status: 409, code: 'P-06', retryable: true }, '1');
  await comesTo('key reused', { kind: 'key-reused' }, { status: 422, code: 'P-05', retryable: false });
  await comesTo(
    'mailbox full',
    { kind: 'rejected', reason: 'mailbox-full', retryAfterMs: 2_500 },
    { status: 429, code: 'P-33', retryAfterMs: 2_500 },
    '3',
  );
  await comesTo(
    'no answer in time',
    { kind: 'unknown' },
    { status: 503, type: '/problems/outcome-unknown', outcome: 'unknown' },
    '1',
  );
  await comesTo(
    'parked',
    answered({ kind: 'parked', version: 3, counter: 1 }),
    { status: 503, outcome: 'unknown' },
    '1',
  );
  await comesTo(
    'refused',
    answered({
      kind: 'refused',
      reason: 'no-transition',
      version: 9,
      counter: 1,
      allowed: ['CANCEL', 'KYC_APPROVED', 'FATAL'],
    }),
    { status: 409, code: 'P-11', version: 9 },
  );

  played.ordering.onAsk = () => {
    throw Object.assign(new Error('no reply'), { name: 'OutcomeUnknown' });
  };
  t.match(await place(goodOrder()), { status: 503, json: { outcome: 'unknown' } }, 'a lost reply');
  played.ordering.onAsk = () => {
    throw new TypeError('secret detail of our own');
  };
  const broken = await place(goodOrder());
  t.match(broken, { status: 500, json: { code: 'P-34' } });
  t.notMatch(broken.text, /secret detail|TypeError/, 'our own failures say nothing');

  played.ordering.onAsk = () => {
    throw Object.assign(new Error('the inbox is gone from Redis'), { name: 'OperatingError', code: 'namespace-lost' });
  };
  t.match(await place(goodOrder()), { status: 503, json: { code: 'P-36' } }, 'data were lost');

  played.ordering.isGone = true;
  const gone = await place(goodOrder());
  t.match(gone, { status: 503, json: { code: 'P-36', type: '/problems/store-unavailable' } });
  t.ok(gone.headers['retry-after']);
  t.notMatch(gone.text, /10\.0\.0\.1/);
});

t.test('a refused command names what is allowed in public words, and the same key is refused again', async (t) => {
  const { call, bearer, played } = await orders(t);
  played.ordering.views.set('ord_1', playedView('ord_1', 'usr_anna'));
  played.ordering.onAsk = () => ({
    kind: 'answered',
    replayed: true,
    answer: {
      kind: 'refused',
      reason: 'no-transition',
      version: 7 as never,
      counter: 1,
      allowed: ['ACTIVATE', 'HOLD', 'FATAL'],
    },
  });
  const { status, json, headers } = await call({
    method: 'POST',
    url: '/api/v1/orders/ord_1/cancellations',
    body: {},
    headers: { authorization: bearer, 'idempotency-key': 'c' },
  });
  t.match({ status, json }, { status: 409, json: { code: 'P-11', allowedActions: ['activate'] } });
  t.equal(headers['idempotency-replayed'], 'true');
});

t.test('R-08: a second order of a product names the first, but a repeat of the first is still answered', async (t) => {
  const { place, played } = await orders(t);
  played.ordering.onAsk = () => applied();
  const first = await place(goodOrder());
  const orderId = String(first.json.orderId);
  played.ordering.views.set('apl_anna', {
    ...playedView('apl_anna', 'usr_anna'),
    machine: 'applicant',
    context: { active: { debit_classic: orderId } },
  });
  const second = await place(goodOrder(), { 'idempotency-key': 'k-2' });
  t.match(second, { status: 409, json: { code: 'P-07', links: { existing: `/api/v1/orders/${orderId}` } } });

  played.ordering.views.set(orderId, playedView(orderId, 'usr_anna'));
  played.ordering.views.set('apl_anna', {
    ...playedView('apl_anna', 'usr_anna'),
    machine: 'applicant',
    context: { active: { debit_classic: 'ord_third' } },
  });
  t.equal((await place(goodOrder())).status, 201, 'the key is no longer its own, the answer is');
});

t.test('a stranger cannot tell an order of somebody else from one that does not exist', async (t) => {
  const { call, played } = await surface(t, 'public');
  played.ordering.views.set('ord_1', playedView('ord_1', 'usr_anna'));
  const stranger = { authorization: `Bearer ${await played.token('usr_bob', 'customer')}` };
  const without = ({ text }: { text: string }) => text.replace(/"requestId":"[^"]*"/, '');
  const key = { 'idempotency-key': 'x' };
  for (const [method, tail, body] of [
    ['GET', ''],
    ['GET', '/status'],
    ['GET', '/events'],
    ['GET', '/cancellations'],
    ['POST', '/cancellations', {}],
    ['GET', '/delivery/slots'],
    ['PUT', '/delivery/appointment', { slotId: 'slt_de_20261123T0900-1300' }],
  ] as const) {
    const headers = { ...stranger, ...key, 'min-version': '900', 'if-none-match': '*' };
    const foreign = await call({ method, url: `/api/v1/orders/ord_1${tail}`, body, headers });
    const unknown = await call({ method, url: `/api/v1/orders/ord_2${tail}`, body, headers });
    const odd = await call({ method, url: `/api/v1/orders/..%2f${tail}`, body, headers });
    t.equal(foreign.status, 404, `${method} ${tail}`);
    t.equal(without(foreign), without(unknown));
    t.equal(without(foreign), without(odd));
    t.strictSame(
      { ...foreign.headers, date: 0, 'x-request-id': 0 },
      { ...unknown.headers, date: 0, 'x-request-id': 0 },
    );
  }
  const card = await call({
    method: 'POST',
    url: '/api/v1/cards/crd_1/activations',
    body: { proof: 'app' },
    headers: { ...stranger, ...key },
  });
  t.equal(card.status, 404);
  const anna = { authorization: `Bearer ${await played.token('usr_anna', 'customer')}` };
  t.equal((await call({ url: '/api/v1/orders/ord_1', headers: anna })).status, 200);
  t.equal(
    (
      await call({
        url: '/api/v1/orders/ord_1',
        headers: { authorization: `Bearer ${await played.token('usr_op', 'operator')}` },
      })
    ).status,
    200,
    'staff may',
  );
});

t.test('tokens: none, expired, of another key, unsigned, of another role', async (t) => {
  const ticker = handTicker();
  const { call, played } = await surface(t, 'public', playedParts(ticker));
  played.ordering.views.set('ord_1', playedView('ord_1', 'usr_anna'));
  const read = (authorization?: string) =>
    call({ url: '/api/v1/orders/ord_1', headers: authorization === undefined ? {} : { authorization } });
  const good = await played.token('usr_anna', 'customer', 60);
  t.equal((await read(`Bearer ${good}`)).status, 200);
  const none = await read();
  t.match(none, { status: 401, json: { code: 'P-20' } });
  t.equal(none.headers['www-authenticate'], 'Bearer');
  t.equal((await read('Basic dXNyOnB3')).status, 401);
  t.equal((await read(`Bearer ${good.slice(0, -4)}AAAA`)).status, 401, 'a changed signature');
  const [, payload] = good.split('.');
  t.equal(
    (await read(`Bearer ${Buffer.from('{"alg":"none"}').toString('base64url')}.${payload}.`)).status,
    401,
    'alg none',
  );
  const symmetric = await new SignJWT({ role: 'admin' })
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject('usr_anna')
    .setIssuer('emboss-development')
    .setAudience('emboss')
    .setExpirationTime('1h')
    .sign(Buffer.from('a-secret-for-tests-only'));
  t.equal((await read(`Bearer ${symmetric}`)).status, 401, 'a symmetric key');
  t.match(await read(`Bearer ${await played.token('cou_1', 'courier')}`), { status: 403, json: { code: 'P-21' } });
  ticker.advance(120_000);
  t.equal((await read(`Bearer ${good}`)).status, 401, 'expired');
});

t.test(
  'P3: a read has an ETag with version and counter, honours a floor, and says when a version was lost',
  async (t) => {
    const { call, bearer, played } = await orders(t);
    const view = playedView('ord_1', 'usr_anna');
    played.ordering.views.set('ord_1', { ...view, version: 9 as never, announced: 7, counter: 4 });
    const read = (headers: Record<string, string> = {}) =>
      call({ url: '/api/v1/orders/ord_1', headers: { authorization: bearer, ...headers } });
    const plain = await read();
    t.equal(plain.headers.etag, '"v7-4"');
    t.match(plain.json, { orderId: 'ord_1', version: 7 });
    const same = await read({ 'if-none-match': '"v7-4"' });
    t.match(same, { status: 304, text: '' });
    t.equal(
      (await read({ 'if-none-match': '"v7-3"' })).status,
      200,
      'the same number under another owner is another version',
    );
    t.equal((await read({ 'min-version': '9' })).status, 200);
    t.match(await read({ 'min-version': '10' }), { status: 412, json: { type: '/problems/version-lost', version: 7 } });
    t.match(await read({ 'min-version': 'ten' }), { status: 400 });
    played.ordering.isGone = true;
    t.match(await read(), { status: 503, json: { code: 'P-36' } });
  },
);

t.test(
  'paths: 404, 405 with Allow, 308 for the first contract, problem types that can be followed, health',
  async (t) => {
    const { call, bearer, played } = await orders(t);
    t.match(await call({ url: '/nothing' }), { status: 404, json: { code: 'P-23' } });
    const put = await call({ method: 'DELETE', url: '/api/v1/orders', headers: { authorization: bearer } });
    t.match(put, { status: 405, json: { code: 'P-24' } });
    t.match(put.headers.allow, /POST/);
    const old = await call({ method: 'POST', url: '/api/v1/order', body: {} });
    t.equal(old.status, 308);
    t.equal(old.headers.location, '/api/v1/orders');
    t.match(await call({ url: '/problems/duplicate-order' }), { status: 200, json: { code: 'P-07' } });
    t.equal((await call({ url: '/livez' })).status, 200);
    const ready = await call({ url: '/readyz' });
    t.match(ready, { status: 200, json: { durability: { level: 'memory', reached: true } } });
    t.equal(ready.headers['emboss-durability'], undefined, 'a read promises nothing');
    played.delivery.isGone = true;
    t.equal((await call({ url: '/livez' })).status, 200, 'alive without Redis');
    t.match(await call({ url: '/readyz' }), { status: 503 });
    const traced = await call({ url: '/livez', headers: { 'x-request-id': 'abc-12345' } });
    t.equal(traced.headers['x-request-id'], 'abc-12345');
  },
);

t.test(
  'internal: roles, development tokens, four eyes carry the subject, commands are checked against the contract',
  async (t) => {
    const { call, played } = await surface(t, 'internal');
    played.ordering.views.set('ord_1', playedView('ord_1', 'usr_anna'));
    const issued = await call({
      method: 'POST',
      url: '/internal/v1/dev-tokens',
      body: { subject: 'usr_rev', role: 'reviewer' },
    });
    t.equal(issued.status, 201, issued.text);
    const as = (token: unknown, key = 'k') => ({ authorization: `Bearer ${String(token)}`, 'idempotency-key': key });
    const customer = await played.token('usr_anna', 'customer');
    t.equal((await call({ url: '/internal/v1/orders/ord_1', headers: as(customer) })).status, 403);
    t.equal((await call({ url: '/internal/v1/orders/ord_1', headers: as(issued.json.token) })).status, 200);
    t.equal((await call({ url: '/internal/v1/shards', headers: {} })).status, 401);

    played.ordering.onAsk = () => applied();
    const review = await call({
      method: 'POST',
      url: '/internal/v1/orders/ord_1/reviews',
      body: { decision: 'approve', reason: 'data_confirmed' },
      headers: as(issued.json.token),
    });
    t.equal(review.status, 201, review.text);
    t.match(played.ordering.commands.at(-1)?.event, {
      type: 'REVIEW_APPROVED',
      by: 'usr_rev',
      reason: 'data_confirmed',
    });

    const operator = await played.token('usr_op', 'operator');
    const command = (body: object) =>
      call({
        method: 'POST',
        url: '/internal/v1/orders/ord_1/commands',
        body,
        headers: as(
          operator,
          JSON.stringify(body)
            .slice(0, 60)
            .replace(/[^!-~]/g, ''),
        ),
      });
    t.equal((await command({ type: 'REVIEW_APPROVED', reason: 'other' })).status, 403);
    t.match(await command({ type: 'NO_SUCH', reason: 'other' }), {
      status: 400,
      json: { errors: [{ pointer: '/type' }] },
    });
    t.match(await command({ type: 'PRINTED', reason: 'callback_lost' }), {
      status: 400,
      json: { errors: [{ pointer: '/data' }] },
    });
    t.equal(
      (await command({ type: 'PRINTED', reason: 'callback_lost', data: { jobId: 'job_1_1', envelopeId: 'EMB-abc' } }))
        .status,
      202,
    );
    t.match(played.ordering.commands.at(-1)?.event, { type: 'PRINTED', jobId: 'job_1_1', note: 'callback_lost' });
    t.equal((await command({ type: 'RETRY', reason: '' })).status, 400, 'a reason is required');
    t.equal((await command({ type: 'xstate.done', reason: 'other' })).status, 400);

    // The event's own word, where it has one, and the desk's beside it.
    const failed = {
      type: 'ATTEMPT_FAILED',
      reason: 'callback_lost',
      data: { courierId: 'cou_1', reason: 'wrong_address' },
    };
    played.delivery.views.set('dlv_1_1', playedView('dlv_1_1', ''));
    played.delivery.onAsk = () => applied();
    const attempt = await call({
      method: 'POST',
      url: '/internal/v1/orders/dlv_1_1/commands',
      body: failed,
      headers: as(operator, 'attempt'),
    });
    t.equal(attempt.status, 202, attempt.text);
    t.match(played.delivery.commands.at(-1)?.event, { reason: 'wrong_address', note: 'callback_lost' });
  },
);

t.test('a reason is a word of its route: no text of a caller reaches an event', async (t) => {
  const played = playedParts();
  const [desk, open] = [await surface(t, 'internal', played), await surface(t, 'public', played)];
  played.ordering.views.set('ord_1', playedView('ord_1', 'usr_anna'));
  played.ordering.onAsk = () => applied();
  const post = async (made: typeof desk, role: 'operator' | 'reviewer', route: string, body: JsonObject) =>
    made.call({
      method: 'POST',
      url: `${made === desk ? '/internal' : '/api'}/v1/orders/ord_1/${route}`,
      body,
      headers: { authorization: `Bearer ${await played.token('usr_op', role)}`, 'idempotency-key': 'k' },
    });
  const routes = [
    [desk, 'reviewer', 'reviews', { decision: 'approve' }],
    [desk, 'operator', 'holds', { action: 'hold', kind: 'fraud' }],
    [desk, 'operator', 'commands', { type: 'RETRY' }],
    [desk, 'operator', 'commands', { type: 'CANCEL' }],
    [open, 'operator', 'cancellations', {}],
  ] as const;
  for (const [made, role, route, body] of routes) {
    for (const reason of ['Anna Orekhova called', 'Anna_Orekhova', '79161234567', '', 'Other']) {
      const { status, type, json, text } = await post(made, role, route, { ...body, reason });
      t.match({ status, type }, { status: 400, type: /^application\/problem\+json/ }, `${route}: ${reason}`);
      const [error] = json.errors as readonly { readonly allowed?: readonly string[] }[];
      t.match(error, { pointer: '/reason', code: 'enum' }, text);
      t.ok(error?.allowed?.includes('other'), text);
      t.notMatch(text, /Orekhova|79161234567/, 'nor is it told back');
    }
    t.equal(Math.floor((await post(made, role, route, { ...body, reason: 'other' })).status / 100), 2, route);
  }
  t.match(
    await post(desk, 'reviewer', 'reviews', { decision: 'approve', reason: 'sanctions_hit' }),
    { status: 400, json: { errors: [{ pointer: '/reason', code: 'enum', allowed: reviewReasons.approve }] } },
    'a word that speaks against the verdict',
  );
  t.match(await post(desk, 'operator', 'holds', { action: 'release', kind: 'fraud', reason: 'court_order' }), {
    status: 400,
    json: { errors: [{ pointer: '/reason', allowed: holdReasons.release }] },
  });
  const own = { type: 'FATAL', reason: 'incident', data: { reason: 'Anna_Orekhova' } };
  t.equal((await post(desk, 'operator', 'commands', own)).status, 400, 'nor by the fields of the event');
  t.notMatch(JSON.stringify(played.ordering.commands), /Orekhova|7916/);
  t.equal(played.ordering.commands.length, routes.length, 'none of the others reached an actor');
});

t.test('M6: on every surface a replayed answer says so in the header, and its body is the first one', async (t) => {
  const played = playedParts();
  const [desk, courier] = [await surface(t, 'internal', played), await surface(t, 'courier', played)];
  played.ordering.views.set('ord_1', playedView('ord_1', 'usr_anna'));
  played.delivery.views.set('dlv_1_1', {
    ...playedView('dlv_1_1', ''),
    states: ['transport.handover.otp.sent'],
    context: { orderId: 'ord_1', courierId: 'cou_1', attempt: 1, personRef: 'p', addressRef: 'a', slot: null },
  });
  const bearer = async (subject: string, role: 'operator' | 'courier') => ({
    authorization: `Bearer ${await played.token(subject, role)}`,
    'idempotency-key': 'k',
  });
  const stops = '/courier/v1/stops/dlv_1_1';
  const says = [
    [
      desk,
      '/internal/v1/orders/ord_1/commands',
      { type: 'RETRY', reason: 'other' },
      await bearer('usr_op', 'operator'),
    ],
    [courier, `${stops}/scans`, { barcode: 'EMB-abc' }, await bearer('cou_1', 'courier')],
    [courier, `${stops}/handover/otp`, { code: '000000' }, await bearer('cou_1', 'courier')],
  ] as const;
  for (const [made, url, body, headers] of says) {
    const answers = [false, true].map((replayed) => ({
      ...applied({ states: ['transport.handover.otp.sent'] }),
      replayed,
    }));
    played.ordering.onAsk = played.delivery.onAsk = () => answers.shift() as AskOutcome;
    const first = await made.call({ method: 'POST', url, body, headers });
    const second = await made.call({ method: 'POST', url, body, headers });
    const plain = ({ text }: { readonly text: string }): string => text.replace(/"requestId":"[^"]*"/, '');
    t.equal(first.headers['idempotency-replayed'], undefined, url);
    t.equal(second.headers['idempotency-replayed'], 'true', url);
    t.equal(plain(second), plain(first), url);
    t.notMatch(first.json, { replayed: false }, url);
  }
});

t.test('readiness: a tail that stands still is named, and the shards are read once for all who ask', async (t) => {
  const ticker = handTicker();
  const settle = async (): Promise<void> => {
    for (let i = 0; i < 40; i++) await Promise.resolve();
  };
  for (const [context, deaf, words] of [
    ['ordering', 'all', /answers of ordering/],
    ['delivery', 'all', /answers of delivery/],
    ['ordering', 'from', /live events/],
  ] as const) {
    const { call, played } = await surface(t, 'public', playedParts(ticker));
    await played.parts.hub.start();
    t.teardown(() => played.parts.hub.feed.close());
    const store = played[context];
    const look = async () => {
      ticker.advance(limits.shardViewsKeptMs);
      await settle();
      return call({ url: '/readyz' });
    };
    t.match(await look(), { status: 200, json: { status: 'ready', owned: { ordering: '0/1' } } });
    store.announce('ord_1', { owner: 'usr_anna', status: 'in_review' });
    ticker.advance(limits.tailLagMs * 2);
    t.equal((await look()).status, 200, 'what is heard is no lag');

    store.deaf = deaf;
    ticker.advance(limits.tailLagMs * 2);
    t.equal((await look()).status, 200, 'nothing was committed, nothing is missed');
    store.announce('ord_1', { owner: 'usr_anna', status: 'approved' });
    t.equal((await look()).status, 200, 'not yet');
    ticker.advance(limits.tailLagMs);
    const away = await look();
    t.match(away, { status: 503, json: { type: '/problems/store-unavailable', detail: words } }, away.text);
    store.deaf = 'none';
    store.wake();
    await settle();
    t.equal((await look()).status, 200, 'heard again');
  }

  const { call, played } = await surface(t, 'public', playedParts(ticker));
  const { call: callPartner } = await surface(t, 'partner', played);
  await Promise.all(Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? call : callPartner)({ url: '/readyz' })));
  t.equal(played.ordering.shardViewReads, 1, 'by all surfaces together');
  ticker.advance(limits.shardViewsKeptMs);
  await call({ url: '/readyz' });
  t.equal(played.ordering.shardViewReads, 2);

  await played.parts.hub.start();
  t.teardown(() => played.parts.hub.feed.close());
  played.ordering.breakWatches();
  await settle();
  t.match(await call({ url: '/readyz' }), { status: 503, json: { detail: /live events/ } }, 'a watch that breaks');

  played.delivery.isTailless = true;
  const untold = { status: 503, json: { detail: 'the tail of the answers of delivery cannot be opened' } };
  t.match(await call({ url: '/readyz' }), untold);
});

t.test('partners: only signed callbacks are taken, once, and each is told when it is settled', async (t) => {
  const ticker = handTicker();
  const { call, played } = await surface(t, 'partner', playedParts(ticker));
  played.ordering.views.set('ord_1', playedView('ord_1', 'usr_anna'));
  const webhook = (orderId: string, result: object) =>
    JSON.stringify({
      applicantId: 'APP-A',
      externalUserId: orderId,
      externalActionId: `${orderId}:2`,
      type: 'applicantReviewed',
      reviewStatus: 'completed',
      reviewResult: result,
    });
  const green = { reviewAnswer: 'GREEN', warnings: ['NAME_MISMATCH'] };
  const body = webhook('ord_1', green);
  const signedBy = (partner: string, text: string, at = ticker.now(), id = 'evt_1') =>
    sign(secretOf(played.parts.callbackSecret, partner), { id, body: text }, at);
  const signed = (text = body, at = ticker.now()) => signedBy('kyc', text, at);
  const tell = (text: string, headers: Record<string, string>) =>
    call({ method: 'POST', url: '/partner/kyc/v1/webhooks', body: text, headers });
  t.equal((await tell(body, {})).status, 401);
  t.equal((await tell(body.replace('GREEN', 'RED'), signed())).status, 401, 'a changed body');
  t.equal((await tell(body, { ...signed(), 'webhook-id': 'evt_2' })).status, 401, 'another id');
  t.equal((await tell(body, signedBy('bureau', body))).status, 401, 'another partner');
  t.equal((await tell(body, signed(body, ticker.now() - 3_600_000))).status, 401, 'an old one');
  played.ordering.onAsk = () => applied({});
  t.match(await tell(body, signed()), { status: 200, json: { result: 'accepted' } });
  t.match(played.ordering.commands, [
    { actor: 'ord_1', messageId: 'p.kyc.evt_1', event: { type: 'KYC_APPROVED', nameMatch: false, attempt: 2 } },
  ]);
  const before = sign(secretOf('the-secret-before-the-change', 'kyc'), { id: 'evt_1', body }, ticker.now());
  t.equal((await tell(body, before)).status, 200, 'signed with the secret before');
  played.ordering.onAsk = () => ({ kind: 'running' });
  t.match(await tell(body, signed()), { status: 200, json: { result: 'duplicate' } });
  played.ordering.onAsk = () => ({ kind: 'unknown' });
  t.equal((await tell(body, signed())).status, 503, 'an unknown outcome has to come again');
  const nobody = (replayed: boolean): AskOutcome => ({
    kind: 'answered',
    replayed,
    answer: { kind: 'refused', reason: 'unknown-actor', version: 0 as never, counter: 1, allowed: [] },
  });
  const unknown = webhook('ord_2', green);
  const reads = played.ordering.reads;
  played.ordering.onAsk = () => nobody(false);
  t.equal((await tell(unknown, signed(unknown))).status, 404);
  t.equal(played.ordering.reads, reads, 'the answer says it: no read before it');
  played.ordering.onAsk = () => nobody(true);
  t.equal((await tell(unknown, signed(unknown))).status, 404, 'and again');
  played.ordering.onAsk = ({ messageId }) => (messageId === 'p.kyc.evt_1' ? nobody(true) : applied({}));
  t.match(
    await tell(body, signed()),
    { status: 200, json: { result: 'accepted' } },
    'the order came after the first try',
  );
  played.ordering.onAsk = () => ({ kind: 'rejected', reason: 'mailbox-full', retryAfterMs: 10 });
  t.equal((await tell(body, signed())).status, 503);

  // A callback that overtook another is refused, asked for again, and taken once at a later state of the order.
  const version = played.ordering.views.get('ord_1')?.version ?? 0;
  const tooEarly = (at: number): AskOutcome => ({
    kind: 'answered',
    replayed: false,
    answer: { kind: 'refused', reason: 'no-transition', version: at as never, counter: 1, allowed: [] },
  });
  played.ordering.onAsk = () => tooEarly(version);
  t.equal((await tell(body, signed())).status, 409, 'not yet: come again');
  played.ordering.onAsk = ({ messageId }) => (messageId === 'p.kyc.evt_1' ? tooEarly(version - 1) : applied({}));
  t.match(await tell(body, signed()), { status: 200, json: { result: 'accepted' } });
  t.equal(played.ordering.commands.at(-1)?.messageId, `p.kyc.evt_1@${version}`);

  played.ordering.onAsk = () => applied({});
  for (const [label, kept] of [
    ['FORGERY', 'document_forged'],
    ['Anna_Orekhova', 'other'],
  ]) {
    const red = webhook('ord_1', { reviewAnswer: 'RED', reviewRejectType: 'FINAL', rejectLabels: [label] });
    t.equal((await tell(red, signed(red))).status, 200);
    t.match(played.ordering.commands.at(-1)?.event, { type: 'KYC_REJECTED', reason: kept });
  }
  const purple = webhook('ord_1', { reviewAnswer: 'PURPLE' });
  t.match(await tell(purple, signed(purple)), { status: 200, json: { result: 'ignored' } }, 'a word that nobody knows');
  t.match(played.logged(), /PURPLE/, 'is in the log');
  played.ordering.isGone = true;
  t.equal((await tell(body, signed())).status, 503);
});

t.test(
  'O-17: partners: a file with a wrong trailer is no file; a carrier’s scan counts under its own id',
  async (t) => {
    const ticker = handTicker();
    const { call, played } = await surface(t, 'partner', playedParts(ticker));
    const post = (partner: string, url: string, body: string, type: string) =>
      call({
        method: 'POST',
        url,
        body,
        headers: {
          ...sign(secretOf(played.parts.callbackSecret, partner), { id: `evt_${partner}`, body }, ticker.now()),
          'content-type': type,
        },
      });
    const sendFile = (body: string) => post('bureau', '/partner/bureau/v1/files', body, 'text/plain');
    played.ordering.onAsk = () => applied({});
    const file = writeFile({
      kind: 'ACK',
      reference: 'WO-A.10',
      batch: 'bat_1',
      records: [
        ['WO-A', 'job_1_1', 'ord_1', '10', '', ''],
        ['WO-B', 'job_2_1', 'ord_2', '50', '', 'EMB-ABC'],
      ],
    });
    for (const broken of [brokenFile(file), file.replace('T|2|', 'T|3|'), file.replace('|10|', '|30|')]) {
      t.match(await sendFile(broken), { status: 400, json: { errors: [{ pointer: '/trailer', code: 'checksum' }] } });
    }
    t.same(played.ordering.commands, [], 'nothing of a broken file is taken');
    t.match(await sendFile('nonsense'), { status: 400, json: { errors: [{ code: 'file' }] } });
    t.match(await sendFile(file), { status: 200, json: { result: 'accepted', records: 2 } });
    t.match(played.ordering.commands, [
      { actor: 'ord_1', messageId: 'p.bureau.evt_bureau.0', event: { type: 'BUREAU_ACK', jobId: 'job_1_1' } },
      { actor: 'ord_2', messageId: 'p.bureau.evt_bureau.1', event: { type: 'PRINTED', envelopeId: 'EMB-ABC' } },
    ]);

    const scan = (status: string) =>
      JSON.stringify({
        tracking_event_id: 'SCAN-A',
        reference: 'dlv_1_1:2',
        shipment_id: 'PARCEL-A',
        tracker_status: status,
        tracked_at: '2026-11-22T06:31:00.000Z',
      });
    const track = (status: string) =>
      post('parcelpost', '/partner/carrier/v1/parcelpost/tracking-events', scan(status), 'application/json');
    played.delivery.onAsk = () => applied({});
    t.equal((await track('out_for_delivery')).status, 200);
    t.match(played.delivery.commands.at(-1), {
      actor: 'dlv_1_1',
      messageId: 'p.parcelpost.SCAN-A',
      event: {
        type: 'TRACKING',
        status: 'out_for_delivery',
        rank: 30,
        carrier: 'parcelpost',
        occurredAt: 1795329060000,
      },
    });
    t.equal((await track('sunny_weather')).status, 200);
    t.match(played.delivery.commands.at(-1)?.event, { type: 'TRACKING', status: 'unknown', rank: 0 });
    t.match(played.logged(), /sunny_weather/);
  },
);

t.test('couriers: only their own stops; the code is compared here and goes no further', async (t) => {
  const { call, played } = await surface(t, 'courier');
  const delivery = { ...playedView('dlv_1_1', ''), machine: 'delivery', states: ['transport.handover.otp.sent'] };
  played.delivery.views.set('dlv_1_1', {
    ...delivery,
    context: {
      orderId: 'ord_1',
      courierId: 'cou_1',
      attempt: 2,
      otpTries: 3,
      personRef: 'ppl_1',
      addressRef: 'ppl_2',
      slot: null,
    },
  });
  // What the chart makes of a verdict: the proof is given, or a try is counted.
  played.delivery.onAsk = ({ event }) =>
    applied(
      event.ok === true
        ? { states: ['transport.handover.otp.verified'] }
        : { states: ['transport.handover.otp.sent'], triesLeft: 1 },
    );
  const as = async (subject: string, key = 'k') => ({
    authorization: `Bearer ${await played.token(subject, 'courier')}`,
    'idempotency-key': key,
  });
  t.equal((await call({ url: '/courier/v1/stops/dlv_1_1', headers: await as('cou_2') })).status, 404);
  const shown = await call({ url: '/courier/v1/stops/dlv_1_1', headers: await as('cou_1') });
  t.match(shown, {
    status: 200,
    json: { status: 'handover', allowedActions: ['check_code', 'resend_code', 'report_failure'] },
  });

  const { codeOf } = await import('../actors/contract/dto.ts');
  const code = codeOf(played.parts.delivery.digest('otp', 'dlv_1_1', '2'));
  const check = async (given: string, key: string) =>
    call({
      method: 'POST',
      url: '/courier/v1/stops/dlv_1_1/handover/otp',
      body: { code: given },
      headers: await as('cou_1', key),
    });
  const wrong = await check(code === '000000' ? '000001' : '000000', 'a');
  t.match(wrong, { status: 422, json: { code: 'P-17', triesLeft: 1 } });
  t.match(await check(code, 'b'), { status: 200 });
  played.delivery.onAsk = () => applied({ states: ['transport.assigning.waitingForSlot'], triesLeft: 5 });
  t.match(await check(code, 'c'), { status: 423, json: { code: 'P-31', triesLeft: 0 } }, 'the attempt is over');
  t.match(
    played.delivery.commands.map(({ event }) => event),
    [{ type: 'OTP_CHECKED', ok: false, attempt: 2 }, { type: 'OTP_CHECKED', ok: true, attempt: 2 }, {}],
  );
  t.notMatch(JSON.stringify(played.delivery.commands), new RegExp(code), 'the code is in no message');
  t.notMatch(played.logged(), new RegExp(`\\b${code}\\b`), 'and in no log');
});

t.test('the played client itself is of use only if it changes sheets from the state that was seen', async (t) => {
  const client = new PlayedClient().asClient();
  const write = (value: string) => client.changeSheet('a', { when: { x: undefined }, set: { x: value } });
  t.same(await write('1'), { kind: 'swapped', revision: 1 });
  t.same(await write('2'), { kind: 'other', field: 'x' });
  t.same(await client.readSheet('a', ['x']), { x: '1' });
});
