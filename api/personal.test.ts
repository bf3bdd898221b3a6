// Goal: documents and privacy requests over HTTP, from the person's first word to the end of his data, and nothing of him in
// the open meanwhile. Method: the surfaces, a worker with the real charts, the simulated partners, Redis and a folder; an order
// of a chart of our own answers for erasures as the contract has it. Everything personal is a canary.

import { createHash, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import t from 'tap';
import { setup } from 'xstate';
import { loadCatalogue } from '../actors/contract/catalogue.ts';
import { orderingCharts } from '../actors/ordering/registration.ts';
import { httpPartners } from '../actors/partners/index.ts';
import { startSimulator } from '../actors/partners/simulator/server.ts';
import { openPeople, plain } from '../actors/people/index.ts';
import { connect } from '../runtime/client.ts';
import { type Hosted, host, message, systemClock } from '../runtime/index.ts';
import { Canaries, startRedis, waitUntil } from '../runtime/testing/index.ts';
import { askRedis } from '../runtime/testing/redis-probe.ts';
import { createSurface } from './app.ts';
import { developmentTokens } from './auth/tokens.ts';
import { systemTicker } from './client/clock.ts';
import { RestClient, RestError } from './client/index.ts';
import { createHub } from './live/hub.ts';
import { createLog } from './log.ts';
import type { ActorId, Parts } from './parts.ts';
import { picturesOf } from './pictures.ts';
import { createReadiness } from './readiness.ts';

const SECRET = 'a-secret-for-tests-only';
const USER = 'usr_anna';
const words = {
  name: 'Zqoviranthel',
  phone: '+4915123498765',
  street: 'Zqumbrastraße',
  document: 'ZQ73519842',
  note: 'Zqlimefroth vantu',
  scan: Buffer.from('Zqscanmarkbelunothax'),
};

interface Asked {
  readonly requestId: string;
  readonly orderId: string;
}

const answered = ({ context, event }: { context: { orderId: string }; event: { requestId: string } }): Asked => ({
  requestId: event.requestId,
  orderId: context.orderId,
});

/** An order that ends when its person wants to be forgotten. */
const order = setup({
  types: {} as {
    context: { readonly userId: string; readonly orderId: string; readonly card: object | null };
    input: { readonly userId: string; readonly orderId: string };
    events: { readonly type: 'SUBJECT_ERASURE'; readonly requestId: string };
  },
  actions: { accept: (_: unknown, _to: Asked) => {}, ended: (_: unknown, _to: Asked) => {} },
}).createMachine({
  id: 'order',
  context: ({ input }) => ({ card: null, ...input }),
  initial: 'fulfilment',
  states: {
    fulfilment: {
      initial: 'screening',
      states: {
        screening: {
          on: {
            SUBJECT_ERASURE: {
              target: 'cancelled',
              actions: [
                { type: 'accept', params: answered },
                { type: 'ended', params: answered },
              ],
            },
          },
        },
        cancelled: {},
      },
    },
  },
});
const answering = (type: string) =>
  message(({ requestId, orderId }) => ({
    namespace: 'ord',
    actor: requestId as ActorId, // What the request called itself.
    event: { type, orderId },
  }));
const orders: Hosted = {
  machine: order,
  name: 'order',
  version: 'test',
  actions: { accept: answering('ERASURE_ACCEPTED'), ended: answering('ORDER_ENDED') },
};
const redis = await startRedis();
await askRedis(redis.url, ['CONFIG', 'SET', 'rdbcompression', 'no']);
const folder = t.testdir();
const config = { shards: 2, timeScale: 1 };
const open = (namespace: string) => connect({ namespace, url: redis.url, secret: SECRET, config });
const [ordering, delivery] = await Promise.all([open('ord'), open('dlv')]);
const settings = { secret: SECRET, masterKeys: undefined, regions: ['*'], objects: undefined, dataDir: folder };
const people = openPeople(ordering, settings);
const simulator = await startSimulator({
  clock: systemClock,
  folder: join(folder, 'partners'),
  port: 0,
  callbackUrl: 'http://127.0.0.1:9',
  secret: SECRET,
  timeScale: 1,
});
const partners = httpPartners({ url: simulator.url, people, clock: systemClock });
const privacy = { people, orders: ordering };
const reconcile = () => Promise.reject(new Error('no sweep was begun here'));
const charts = orderingCharts({ partners, privacy, reconcile }).filter(({ name }) => name !== 'order');
const worker = await host({
  namespace: 'ord',
  worker: 'ordering.1',
  url: redis.url,
  shards: config.shards,
  charts: [...charts, orders],
  watchdog: false,
});
await waitUntil('the shards are open', () => worker.shards().length === config.shards, { deadlineMs: 20_000 });

const lines: string[] = [];
const log = createLog({ level: 'trace', destination: { write: (line: string) => void lines.push(line) } });
const hub = createHub({
  client: ordering,
  ticker: systemTicker,
  pictures: picturesOf(ordering),
  failed: () => undefined,
});
await hub.start();
const watched = { ordering, delivery, hub, ticker: systemTicker, accepting: () => true };
const tokens = developmentTokens(SECRET, systemTicker);
const readiness = createReadiness(watched);
const parts: Parts = {
  ...watched,
  readiness,
  people,
  catalogue: loadCatalogue(),
  tokens,
  log,
  callbackSecret: SECRET,
  origins: [],
};
const surfaces = await Promise.all([createSurface('public', parts), createSurface('internal', parts)]);
const [publicUrl, internalUrl] = (await Promise.all(
  surfaces.map((surface) => surface.listen({ host: '127.0.0.1', port: 0 })),
)) as [string, string];
const restFor = async (subject: string, role: 'customer' | 'operator', baseUrl = publicUrl): Promise<RestClient> =>
  new RestClient({ baseUrl, token: (await tokens.issue?.(subject, role, 600))?.token ?? '' });
const anna = await restFor(USER, 'customer');
const orderId = ordering.derive('ord', USER, 'first');
const created = await ordering.ask({
  actor: orderId,
  messageId: 'create',
  event: { type: 'NOTHING' },
  create: { machine: 'order', input: { userId: USER, orderId } },
});
const person = {
  userId: USER,
  givenName: words.name,
  familyName: words.name,
  birthDate: '1990-02-03',
  phone: words.phone,
};
await people.storePerson(person, orderId);
await people.storeAddress({ countryCode: 'DE', city: 'Berlin', street: words.street }, orderId, { userId: USER });

const scan = Buffer.concat([Buffer.from([0xff, 0xd8, 0xff, 0xe0]), randomBytes(90_000), words.scan, randomBytes(999)]);
const sha256 = createHash('sha256').update(scan).digest('hex');
const passport = { kind: 'passport', mediaType: 'image/jpeg', bytes: scan.length, sha256, number: words.document };
const documents = `/api/v1/orders/${orderId}/documents`;
interface Announced {
  readonly documentId: string;
  readonly status: string;
  readonly upload?: { readonly url: string };
}
const announce = (body: object, idempotencyKey: string, rest = anna) =>
  rest.call<Announced>('POST', documents, { body, idempotencyKey });
const upload = (url: string, body: Buffer, type = 'image/jpeg') =>
  fetch(publicUrl + url, { method: 'PUT', headers: { 'content-type': type }, body });
/** Status and slug of a call that is refused. */
const refusal = async (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => 'no refusal',
    (error: unknown) =>
      error instanceof RestError ? [error.status, error.slug, error.problem?.errors?.[0]?.code] : error,
  );
const answerOf = async (response: Response): Promise<readonly [number, string, string | undefined]> => {
  const body = (await response.json()) as { type?: string; errors?: { code: string }[] };
  return [response.status, body.type?.split('/').at(-1) ?? '', body.errors?.[0]?.code];
};

t.teardown(async () => {
  await hub.drain();
  for (const surface of surfaces) await surface.close();
  await worker.stop();
  await simulator.close();
  await Promise.all([ordering.close(), delivery.close()]);
  await redis.stop();
});

t.test('a document is announced, uploaded without a token, told of, and never shown', async (t) => {
  t.equal(created.kind, 'answered');
  const announced = (await announce(passport, 'k1')).body;
  t.match(announced, { documentId: /^doc_/, status: 'awaiting', numberMasked: '•••••••842', number: undefined });
  const url = announced.upload?.url ?? '';
  const completion = `${documents}/${announced.documentId}/completion`;
  t.same(await refusal(anna.call('PUT', completion)), [422, 'document-rejected', 'not-uploaded']);

  const repeated = await announce(passport, 'k1');
  t.ok(repeated.replayed && repeated.body.documentId === announced.documentId);
  t.same(await refusal(announce({ ...passport, bytes: 5 }, 'k1')), [422, 'idempotency-key-reused', undefined]);
  const stranger = await restFor('usr_boris', 'customer');
  t.same(await refusal(announce(passport, 'k1', stranger)), [404, 'not-found', undefined]);
  t.same(await refusal(announce({ ...passport, mediaType: 'image/gif' }, 'k2')), [
    415,
    'unsupported-media-type',
    undefined,
  ]);
  t.same(await refusal(announce({ ...passport, bytes: 10 * 1024 * 1024 + 1 }, 'k2')), [
    413,
    'payload-too-large',
    undefined,
  ]);

  for (const changed of [
    url.replace(/expires=\d/, 'expires=9'),
    url.replace(/.$/, (last) => (last === '0' ? '1' : '0')),
  ])
    t.same((await answerOf(await upload(changed, scan)))[0], 403);
  t.same(await answerOf(await upload(url, scan, 'image/png')), [415, 'unsupported-media-type', undefined]);
  t.same(
    (await answerOf(await upload(url, Buffer.from('{"a":1}'), 'application/json')))[0],
    415,
    'there is no JSON here',
  );
  t.same(await answerOf(await upload(url, scan.subarray(1))), [422, 'document-rejected', 'size-mismatch']);
  const png = Buffer.concat([Buffer.from([0x89, 0x50, 0x4e, 0x47]), scan.subarray(4)]);
  t.same(await answerOf(await upload(url, png)), [422, 'document-rejected', 'type-mismatch']);
  const other = Buffer.concat([scan.subarray(0, -1), Buffer.from([(scan.at(-1) as number) ^ 1])]);
  t.same(await answerOf(await upload(url, other)), [422, 'document-rejected', 'hash-mismatch']);

  t.equal((await upload(url, scan)).status, 200);
  t.equal((await upload(url, scan)).status, 200, 'a repeat');
  t.match((await anna.call('PUT', completion)).body, { status: 'stored', storedAt: /Z$/ });
  const listed = (await anna.call<{ data: Announced[] }>('GET', documents)).body.data;
  t.match(listed, [{ documentId: announced.documentId, status: 'stored', numberMasked: /842$/ }]);
  t.same(await refusal(stranger.call('GET', `${documents}/${announced.documentId}`)), [404, 'not-found', undefined]);
  t.notMatch(JSON.stringify(listed), words.document);
});

interface Told {
  readonly requestId: string;
  readonly status: string;
  readonly kept: readonly object[];
  readonly download?: { readonly url: string };
  readonly complaint?: string;
}
const requests = '/api/v1/me/privacy-requests';
const place = (body: object, idempotencyKey: string) => anna.call<Told>('POST', requests, { body, idempotencyKey });
async function told(requestId: string, status: string): Promise<Told> {
  let seen: Told | undefined;
  const look = async (): Promise<boolean> => {
    seen = (await anna.call<Told>('GET', `${requests}/${requestId}`)).body;
    return seen.status === status;
  };
  await waitUntil(`the request is ${status}`, look, { deadlineMs: 20_000 });
  return seen as Told;
}

t.test('a copy holds everything, and is had by its address for a while', async (t) => {
  const placed = await place({ kind: 'rectification', note: words.note }, 'r1');
  t.match(placed, { status: 202, location: `${requests}/${placed.body.requestId}` });
  t.same(await refusal(place({ kind: 'rectification', note: 'another' }, 'r1')), [
    422,
    'idempotency-key-reused',
    undefined,
  ]);
  const operator = await restFor('ops.1', 'operator', internalUrl);
  const desk = `/internal/v1/privacy-requests/${placed.body.requestId}`;
  t.match((await operator.call('GET', desk)).body, { note: words.note, status: 'in_progress' });
  const decision = { body: { decision: 'proceed', reason: 'data_corrected' }, idempotencyKey: 'd1' };
  t.match((await operator.call('POST', `${desk}/decision`, decision)).body, { status: 'done' });
  t.same(await refusal(operator.call('POST', `${desk}/decision`, { ...decision, idempotencyKey: 'd2' })), [
    409,
    'transition-not-allowed',
    undefined,
  ]);

  const copy = await place({ kind: 'access' }, 'a1');
  const { download } = await told(copy.body.requestId, 'ready');
  const text = await (await fetch(publicUrl + (download?.url ?? ''))).text();
  for (const word of [words.name, words.phone, words.street, words.document, words.note]) t.match(text, word);
  t.notMatch(text, /contentKey/);
  t.equal((await fetch(publicUrl + (download?.url.replace(/.$/, 'x') ?? ''))).status, 400);
  t.equal((await fetch(publicUrl + (download?.url.replace(/expires=./, 'expires=9') ?? ''))).status, 403);
  const stranger = await restFor('usr_boris', 'customer');
  t.same(await refusal(stranger.call('GET', `${requests}/${copy.body.requestId}`)), [404, 'not-found', undefined]);
  t.equal((await anna.call<{ data: object[] }>('GET', requests)).body.data.length, 2);
});

/** Everything on the disk and in the log; the sheet of plain words beside it shows that the search sees. */
async function sought(): Promise<readonly string[]> {
  await askRedis(redis.url, ['SAVE'], 20_000);
  const search = new Canaries(words);
  const found = [...search.inFolder(redis.dir).findings, ...search.inFolder(folder).findings];
  return [...found, ...search.in(lines.join(''), 'log')].map(({ word, form, where }) => `${word} ${form} ${where}`);
}

t.test('nothing of it lies in the open; with the plain codec it does, and is found', async (t) => {
  t.ok(lines.length > 20);
  t.notMatch(lines.join(''), /signature=/, 'an address that is a permission is in no log');
  t.same(await sought(), []);
});

t.test('who is erased has ended orders, is told, and cannot be read or stored again', async (t) => {
  const erasure = await place({ kind: 'erasure' }, 'e1');
  const last = await told(erasure.body.requestId, 'done');
  t.same(last.kept, []);
  t.same((await ordering.read(orderId))?.states, ['fulfilment.cancelled'], 'the order was asked to end');
  const messages = (await (
    await fetch(`${simulator.url}/phone/${encodeURIComponent(words.phone)}/messages`)
  ).json()) as {
    messages: { template: string }[];
  };
  t.match(JSON.stringify(messages), /privacy_erased/);
  t.equal((await anna.call<{ data: object[] }>('GET', documents)).body.data.length, 0);
  t.same(await refusal(announce(passport, 'k9')), [410, 'archived-or-erased', undefined]);
  t.same(await sought(), []);
  const entries = await people.destructions(people.today());
  t.match(
    entries.find(({ dataClass }) => dataClass === 'person'),
    { why: 'erasure' },
  );

  const open = openPeople(ordering, settings, { codec: plain });
  await open.storePerson({ ...person, userId: 'usr_open' }, 'ord_open');
  const seen = await sought();
  t.ok(seen.some((one) => /^name plain .*\.aof/.test(one)) && seen.some((one) => /^phone plain .*\.rdb/.test(one)));
});
