// The partners as their callers see them: real HTTP on the loopback, the adapters against the simulators.
//
// The simulators run inside this process (one test starts them as a process); faults are set through their controls.
// Conditions are waited for, with a deadline; nothing sleeps.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { Compile } from 'typebox/compile';
import { pause, systemClock } from '../../runtime/clock.ts';
import type { EffectOutcome } from '../../runtime/hosting.ts';
import { bureauStatus, carrierEvent, screeningResult } from '../contract/dto.ts';
import type { People, Person } from '../people/index.ts';
import { doubledActs, httpPartners, KEYS_KEPT_MS, type Ledger, policies, readLedger, sign, verify } from './index.ts';
import type { Partners } from './ports.ts';
import type { Faults, FaultsChange } from './simulator/faults.ts';
import { startSimulator } from './simulator/server.ts';

const clock = systemClock;
const SECRET = 'a secret of the test';
const FAST = 3_600_000; // An hour in a millisecond.

const person: Person = {
  userId: 'usr_1',
  givenName: 'Anna',
  familyName: 'Novak',
  birthDate: '1990-02-03',
  phone: '+420601234567',
};
const known: Pick<People, 'readPerson' | 'readAddress'> = {
  readPerson: async (ref) => (ref === 'ppl_gone' ? undefined : person),
  readAddress: async () => ({ countryCode: 'CZ', city: 'Praha', line1: 'Dlouhá 5' }),
};

/** A call as the runtime makes it: each has a signal of its own. */
const call = <I>(key: string, input: I) => ({ input, key, signal: new AbortController().signal });
const card = (orderId: string) => ({
  orderId,
  personRef: 'ppl_1',
  productCode: 'debit_classic',
  paymentSystem: 'visa' as const,
  designId: 'blue',
  currency: 'CZK',
});
const job = (orderId: string, n = 1) => ({
  orderId,
  jobId: `job_${orderId}_${n}`,
  batchId: 'bat_1',
  cardId: 'crd_1',
  personRef: 'ppl_1',
  productCode: 'debit_classic',
  designId: 'blue',
});
const withdrawal = (orderId: string) => ({ orderId, jobId: job(orderId).jobId });
const booking = (deliveryId: string, seq = 1) => ({
  orderId: 'ord_1',
  deliveryId,
  seq,
  envelopeId: 'EMB-A',
  method: 'courier' as const,
  personRef: 'ppl_1',
  addressRef: 'ppl_2',
  country: 'CZ',
  slot: { slotId: 'slt_1', from: 1, to: 2 },
});

const outputOf = (outcome: EffectOutcome): unknown => (outcome.kind === 'done' ? outcome.output : outcome);

function folder(t: Test): string {
  const path = mkdtempSync(join(tmpdir(), 'emboss-partners-'));
  t.teardown(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

interface Setup {
  readonly faults?: Partial<Faults>;
  readonly callbackUrl?: string;
  readonly folder?: string;
  readonly timeScale?: number;
}

async function simulator(
  t: Test,
  setup: Setup = {},
): Promise<{ url: string; partners: Partners; ledger: () => Promise<Ledger>; close: () => Promise<void> }> {
  const running = await startSimulator({
    clock,
    folder: setup.folder ?? folder(t),
    port: 0,
    callbackUrl: setup.callbackUrl ?? 'http://127.0.0.1:1',
    secret: SECRET,
    timeScale: setup.timeScale ?? FAST,
    faults: { latencyMs: [0, 0], ...setup.faults },
  });
  t.teardown(() => running.close());
  const partners = httpPartners({ url: running.url, people: known, clock });
  return { url: running.url, partners, ledger: () => readLedger(running.url), close: () => running.close() };
}

async function setFaults(url: string, change: FaultsChange): Promise<void> {
  const response = await fetch(`${url}/control/faults`, { method: 'PUT', body: JSON.stringify(change) });
  if (!response.ok) throw new Error(await response.text());
}

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let waited = 0; waited < 8_000; waited += 10) {
    if (await holds()) return;
    await pause(clock, 10);
  }
  throw new Error(`not within 8 s: ${what}`);
}

interface Received {
  readonly path: string;
  readonly body: {
    readonly eventId: string;
    readonly status?: string;
    readonly code?: string;
    readonly attempt?: number;
    readonly outcome?: string;
    readonly envelopeId?: string;
  };
  readonly verdict: string;
}

/** A receiver of callbacks; `answer` decides each status. */
async function receiver(
  t: Test,
  answer: (received: Received, count: number) => number = () => 204,
): Promise<{ url: string; received: Received[] }> {
  const received: Received[] = [];
  async function receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = '';
    for await (const chunk of request) body += String(chunk);
    const header = request.headers['emboss-signature'];
    t.ok(isCallback(request.url ?? '', body), 'a callback as the contract has it');
    const verdict = verify(
      SECRET,
      { header: typeof header === 'string' ? header : undefined, body },
      clock.wall(),
    ).kind;
    const one: Received = { path: request.url ?? '', body: JSON.parse(body) as Received['body'], verdict };
    received.push(one);
    response.writeHead(answer(one, received.length)).end();
  }
  const url = await listen(
    t,
    createServer((request, response) => void receive(request, response)),
  );
  return { url, received };
}

const callbackSchemas = {
  screening: Compile(screeningResult),
  bureau: Compile(bureauStatus),
  carrier: Compile(carrierEvent),
};

/** Whether a callback's body is what the contract says of its path. */
function isCallback(path: string, body: string): boolean {
  const partner = path.split('/')[2] as keyof typeof callbackSchemas; // Any other path fails here, as it should.
  return callbackSchemas[partner].Check(JSON.parse(body));
}

async function listen(t: Test, server: Server): Promise<string> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

t.test('E2: one idempotency key is one act, and so is one business key under many idempotency keys', async (t) => {
  const { partners, ledger } = await simulator(t);
  const first = outputOf(await partners.issuer.createCard(call('k1', card('ord_1'))));
  t.match(first, { cardId: /^crd_[A-Z]+$/, last4: /^\d{4}$/, expiry: /^\d{4}-\d{2}$/ });
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

t.test('E1: a lost reply is unknown, and the next try gets the card that was made', async (t) => {
  const { url, partners, ledger } = await simulator(t, { faults: { loseReplyRate: 1 } });
  t.match(await partners.issuer.createCard(call('k1', card('ord_1'))), {
    kind: 'unknown',
    reason: /^issuer: connection failed/,
  });
  const [made] = (await ledger()).world.cards.ord_1 ?? [];
  await setFaults(url, { loseReplyRate: 0 });
  t.match(outputOf(await partners.issuer.createCard(call('k1', card('ord_1')))), { cardId: made?.cardId });
  t.match((await ledger()).entries, [{ acts: 1, lostReplies: 1, repeats: 1 }]);
});

t.test('E1: errors, refusals and a call in progress are told apart', async (t) => {
  const { url, partners, ledger } = await simulator(t, { faults: { errorRate: 1 } });
  t.match(await partners.issuer.createCard(call('k1', card('ord_1'))), {
    kind: 'unknown',
    reason: 'issuer: status 500',
  });
  t.match((await ledger()).entries, [{ acts: 0, errors: 1 }]);

  await setFaults(url, { errorRate: 0, down: ['issuer'] });
  t.match(await partners.issuer.createCard(call('k1', card('ord_1'))), {
    kind: 'unknown',
    reason: 'issuer: status 503',
  });

  await setFaults(url, { down: [], outcomes: { cardRefusalRate: 1 } });
  const refusal = { kind: 'failed', error: { code: 'product_suspended' } };
  t.match(await partners.issuer.createCard(call('k1', card('ord_1'))), refusal);
  await setFaults(url, { outcomes: {}, latencyMs: [150, 150] });
  t.match(await partners.issuer.createCard(call('k1', card('ord_1'))), refusal, 'a refusal stays one under its key');

  const twice = await Promise.all([0, 1].map(() => partners.issuer.createCard(call('k2', card('ord_2')))));
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
  const answers: { status: number; body: string; headers?: Record<string, string> }[] = [
    { status: 200, body: 'not JSON but private' },
    { status: 200, body: '{"cardId":"crd_1","last4":"private","expiry":"2031-01"}' },
    { status: 200, body: '{"cardId":"crd_1"' },
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

t.test('E2: every retry policy ends within the time a partner keeps keys', async (t) => {
  for (const [effect, policy] of Object.entries(policies)) {
    t.ok(policy.deadlineMs < KEYS_KEPT_MS && policy.timeoutMs <= policy.deadlineMs && policy.attempts > 1, effect);
  }
});

t.test('the issuer moves a card through its states and closes it for good', async (t) => {
  const { partners, ledger } = await simulator(t);
  const { cardId } = outputOf(await partners.issuer.createCard(call('k0', card('ord_1')))) as { cardId: string };
  const state = async () => (await ledger()).world.cards.ord_1?.[0]?.state;
  const input = (n: number) => ({ orderId: 'ord_1', cardId, n });

  t.equal(await state(), 'inactive');
  t.equal((await partners.issuer.suspendCard(call('k1', input(1)))).kind, 'done');
  t.match(await partners.issuer.activateCard(call('k2', input(1))), {
    kind: 'failed',
    error: { code: 'card_suspended' },
  });
  await partners.issuer.resumeCard(call('k3', input(1)));
  t.equal(await state(), 'inactive');
  await partners.issuer.activateCard(call('k4', input(2)));
  t.equal(await state(), 'active');
  await partners.issuer.suspendCard(call('k5', input(2)));
  await partners.issuer.resumeCard(call('k6', input(2)));
  t.equal(await state(), 'active', 'back to what it was');
  await partners.issuer.closeCard(call('k7', { orderId: 'ord_1', cardId, reason: 'lost' }));
  t.equal((await partners.issuer.closeCard(call('k8', { orderId: 'ord_1', cardId, reason: 'stolen' }))).kind, 'done');
  t.match(await partners.issuer.suspendCard(call('k9', input(3))), { kind: 'failed', error: { code: 'card_closed' } });
  t.match(await partners.issuer.activateCard(call('k10', { ...input(3), cardId: 'crd_none' })), {
    kind: 'failed',
    error: { code: 'card_unknown' },
  });
});

t.test('outcomes follow from seed and business key, whatever the order of calls', async (t) => {
  const outcomes = { kycRejectRate: 0.3, amlHitRate: 0.3, creditDeclineRate: 0.3 };
  const decide = async (t: Test, seed: string, orders: string[]): Promise<string[]> => {
    const { partners } = await simulator(t, {
      faults: { seed, outcomes, overrides: { ord_7: { amlHitRate: 1 }, gold: { creditDeclineRate: 1 } } },
    });
    const one = async (orderId: string): Promise<string> => {
      const aml = await partners.screening.screenAml(call(orderId, { orderId, personRef: 'ppl_1', listVersion: 'v1' }));
      const credit = {
        orderId,
        personRef: 'ppl_1',
        productCode: orderId === 'ord_8' ? 'gold' : 'classic',
        currency: 'CZK',
      };
      return JSON.stringify([
        orderId,
        outputOf(aml),
        outputOf(await partners.screening.decideCredit(call(orderId, credit))),
      ]);
    };
    return (await Promise.all(orders.map(one))).sort();
  };
  const orders = Array.from({ length: 20 }, (_, index) => `ord_${index}`);
  const first = await decide(t, 'a', orders);
  t.same(await decide(t, 'a', [...orders].reverse()), first);
  t.notSame(await decide(t, 'b', orders), first);
  t.match(
    first.find((line) => line.includes('ord_7')),
    /confirmed_match/,
  );
  t.match(
    first.find((line) => line.includes('ord_8')),
    /declined/,
  );
});

t.test('callbacks are signed, retried until taken, and carry one eventId each', async (t) => {
  const { url: callbackUrl, received } = await receiver(t, (_one, count) => (count <= 2 ? 503 : 204));
  const { partners, ledger } = await simulator(t, { callbackUrl });
  await partners.bureau.submitJob(call('k1', job('ord_1')));
  await until('the job is printed', () => received.some(({ body }) => body.status === 'printed'));
  await until('the ledger knows', async () => (await ledger()).callbacks.delivered === 3);

  t.same(
    received.map(({ body }) => body.status),
    ['acknowledged', 'acknowledged', 'acknowledged', 'printing', 'printed'],
  );
  t.equal(new Set(received.map(({ body }) => body.eventId)).size, 3);
  t.ok(received.every(({ verdict, path }) => verdict === 'valid' && path === '/partner/bureau/v1/jobs/ord_1/status'));
  t.match(received.at(-1)?.body.envelopeId, /^EMB-[A-Z]{12}$/);
  t.match((await ledger()).world.printJobs.ord_1, [{ stage: 'printed', batchId: 'bat_1' }]);
});

t.test('duplicated and reordered callbacks on demand keep their eventIds', async (t) => {
  const { url: callbackUrl, received } = await receiver(t);
  const { partners, ledger } = await simulator(t, {
    callbackUrl,
    faults: { duplicateCallbackRate: 1, reorderCallbackRate: 1 },
  });
  await partners.bureau.submitJob(call('k1', job('ord_1')));
  await until('each came twice', () => received.length === 6);
  const firsts = received.filter(
    ({ body }, index) => received.findIndex((other) => other.body.eventId === body.eventId) === index,
  );
  t.same(
    firsts.map(({ body }) => body.status),
    ['printing', 'acknowledged', 'printed'],
    'the first two changed places',
  );
  const times = new Map<string, number>();
  for (const { body } of received) times.set(body.eventId, (times.get(body.eventId) ?? 0) + 1);
  t.same([...times.values()], [2, 2, 2]);
  await until('the ledger knows', async () => (await ledger()).callbacks.duplicates === 3);
  t.match((await ledger()).callbacks, { scheduled: 3, delivered: 3, reordered: 1, pending: 0 });
});

t.test('a callback out of turn that the receiver refuses is told again after its predecessor', async (t) => {
  const seen = new Set<string | undefined>();
  const { url: callbackUrl, received } = await receiver(t, ({ body }) => {
    if (body.status === 'printing' && !seen.has('acknowledged')) return 409;
    seen.add(body.status);
    return 204;
  });
  const { partners, ledger } = await simulator(t, { callbackUrl, faults: { reorderCallbackRate: 1 } });
  await partners.bureau.submitJob(call('k1', job('ord_1')));
  await until('all three are taken', async () => (await ledger()).callbacks.delivered === 3);
  t.equal(received[0]?.body.status, 'printing');
  t.same([...seen], ['acknowledged', 'printing', 'printed']);
});

t.test('hub and carrier scan the envelope, find a courier, and stop when the booking is given back', async (t) => {
  const { url: callbackUrl, received } = await receiver(t);
  const { url, partners, ledger } = await simulator(t, { callbackUrl });
  await partners.carrier.preadvise(
    call('k1', { orderId: 'ord_1', deliveryId: 'dlv_1', envelopeId: 'EMB-A', method: 'courier', country: 'CZ' }),
  );
  t.match(outputOf(await partners.carrier.createShipment(call('k2', booking('dlv_1')))), {
    shipmentId: /^shp_/,
    trackingNumber: /^TRK-[A-Z]+$/,
  });
  await until('courier at the hub', () => received.some(({ body }) => body.code === 'courier_arrived'));
  await until('envelope at the hub', () => received.some(({ body }) => body.code === 'envelope_ready'));
  t.match(
    received.find(({ body }) => body.code === 'courier_found'),
    {
      path: '/partner/carrier/v1/tracking-events',
      body: { deliveryId: 'dlv_1', data: { courierId: /^cur_/, seq: 1 } },
    },
  );

  await setFaults(url, { overrides: { dlv_2: { courierNotFoundRate: 1 } } });
  await partners.carrier.createShipment(call('k3', booking('dlv_2')));
  await until('nobody found', () => received.some(({ body }) => body.code === 'courier_not_found'));
  await partners.carrier.voidShipment(call('k4', { orderId: 'ord_1', deliveryId: 'dlv_3', seq: 1 }));
  t.match(await partners.carrier.createShipment(call('k5', booking('dlv_3'))), {
    kind: 'failed',
    error: { code: 'booking_void' },
  });
  t.match((await ledger()).world.shipments, { dlv_1: [{ state: 'booked' }], dlv_3: [{ state: 'void' }] });
});

t.test('the bureau withdraws, intercepts, or says that the envelope is gone', async (t) => {
  const slow = await simulator(t, { timeScale: 1 });
  await slow.partners.bureau.submitJob(call('k1', job('ord_1')));
  t.same(outputOf(await slow.partners.bureau.withdrawJob(call('k2', withdrawal('ord_1')))), { outcome: 'withdrawn' });
  t.same(
    outputOf(await slow.partners.bureau.withdrawJob(call('k3', withdrawal('ord_2')))),
    { outcome: 'withdrawn' },
    'a job it never got',
  );
  t.match(await slow.partners.bureau.submitJob(call('k4', job('ord_2'))), {
    kind: 'failed',
    error: { code: 'job_withdrawn' },
  });
  t.match((await slow.ledger()).callbacks, { withdrawn: 3, pending: 0 });

  const { url: callbackUrl, received } = await receiver(t);
  const fast = await simulator(t, { callbackUrl });
  const envelopes: string[] = [];
  for (const orderId of ['ord_3', 'ord_4']) {
    await fast.partners.bureau.submitJob(call(`s${orderId}`, job(orderId)));
    await until('printed', () =>
      received.some(({ body, path }) => body.status === 'printed' && path.includes(orderId)),
    );
    envelopes.push(received.at(-1)?.body.envelopeId ?? '');
  }
  t.same(outputOf(await fast.partners.bureau.withdrawJob(call('w3', withdrawal('ord_3')))), { outcome: 'intercepted' });
  const advice = {
    orderId: 'ord_4',
    deliveryId: 'dlv_4',
    envelopeId: envelopes[1] ?? '',
    method: 'courier' as const,
    country: 'CZ',
  };
  await fast.partners.carrier.preadvise(call('p4', advice));
  await until('at the hub', () => received.some(({ body }) => body.code === 'envelope_ready'));
  t.same(outputOf(await fast.partners.bureau.withdrawJob(call('w4', withdrawal('ord_4')))), { outcome: 'shipped' });
});

t.test('messages and codes reach the phone, by number and by reference, and leave no trace in the book', async (t) => {
  const dir = folder(t);
  const { url, partners } = await simulator(t, { folder: dir });
  await partners.notifications.notify(
    call('k1', { subject: 'ord_1', personRef: 'ppl_1', locale: 'cs', template: 'order_approved', n: 1 }),
  );
  const otp = { deliveryId: 'dlv_1', attempt: 1, n: 1, personRef: 'ppl_1', locale: 'cs' };
  await partners.notifications.sendCode(call('k2', otp), '123456');
  await partners.notifications.sendCode(call('k2', otp), '123456');
  for (const recipient of [encodeURIComponent(person.phone), 'ppl_1']) {
    const { messages } = (await (await fetch(`${url}/phone/${recipient}/messages`)).json()) as { messages: unknown[] };
    t.match(messages, [
      { template: 'order_approved', subject: 'ord_1' },
      { subject: 'dlv_1', code: '123456', text: /123456/ },
    ]);
    t.equal(messages.length, 2);
  }
  await partners.screening.startKyc(call('k3', { orderId: 'ord_1', attempt: 1, personRef: 'ppl_1' }));
  await partners.carrier.createShipment(call('k4', booking('dlv_1')));
  t.notMatch(readFileSync(join(dir, 'book.ndjson'), 'utf8'), /Anna|Novak|1990|601234567|123456|Praha|Dlouh/);
});

t.test('the ledger survives a killed process, and what was due is told after it', async (t) => {
  const dir = folder(t);
  const { url: callbackUrl, received } = await receiver(t);
  const port = await freePort(t);
  const url = `http://127.0.0.1:${port}`;
  const start = async (timeScale: number): Promise<ChildProcess> => {
    const child = spawn(process.execPath, [new URL('./simulator/main.js', import.meta.url).pathname], {
      env: {
        PATH: process.env.PATH,
        EMBOSS_DATA_DIR: dir,
        EMBOSS_SIMULATOR_PORT: String(port),
        EMBOSS_CALLBACK_URL: callbackUrl,
        EMBOSS_PARTNER_SECRET: SECRET,
        EMBOSS_TIME_SCALE: String(timeScale),
        EMBOSS_LOG_LEVEL: 'silent',
        EMBOSS_FAULTS: '{"latencyMs":[0,0],"seed":"restart"}',
      },
      stdio: 'ignore',
    });
    t.teardown(() => child.kill('SIGKILL'));
    await until('ready', async () => (await fetch(`${url}/readyz`).catch(() => undefined))?.ok === true);
    return child;
  };

  const partners = httpPartners({ url, people: known, clock });
  const first = await start(120_000); // The verdict takes up to 5 ms, the whole print job about half a second.
  const made = outputOf(await partners.issuer.createCard(call('k1', card('ord_1'))));
  await partners.screening.startKyc(call('k2', { orderId: 'ord_1', attempt: 1, personRef: 'ppl_1' }));
  await partners.bureau.submitJob(call('k3', job('ord_1')));
  const before = await readLedger(url);
  first.kill('SIGKILL');
  await once(first, 'exit');

  const second = await start(120_000);
  t.same((await readLedger(url)).entries, before.entries);
  t.same(outputOf(await partners.issuer.createCard(call('k1', card('ord_1')))), made);
  t.same(outputOf(await partners.issuer.createCard(call('k9', card('ord_1')))), made);
  await until('all is told', async () => (await readLedger(url)).callbacks.delivered === 4);
  t.match(
    received.find(({ body }) => body.outcome !== undefined),
    { path: '/partner/screening/v1/results', body: { check: 'kyc', attempt: 1, outcome: 'approved' } },
  );
  second.kill('SIGTERM');
  const [code] = (await once(second, 'exit')) as [number | null];
  t.equal(code, 0);
});

t.test('a line that was cut off when its writer died is dropped, and a line that is none is named', async (t) => {
  const dir = folder(t);
  const path = join(dir, 'book.ndjson');
  const first = await simulator(t, { folder: dir });
  await first.partners.issuer.createCard(call('k1', card('ord_1')));
  await first.partners.issuer.createCard(call('k2', card('ord_2')));
  await first.close();
  truncateSync(path, statSync(path).size - 10);

  const second = await simulator(t, { folder: dir });
  t.same(
    (await second.ledger()).entries.map(({ businessKey }) => businessKey),
    ['ord_1'],
  );
  await second.partners.issuer.createCard(call('k2', card('ord_2')));
  await second.close();
  const third = await simulator(t, { folder: dir });
  t.equal((await third.ledger()).entries.length, 2);
  await third.close();

  appendFileSync(path, 'nonsense\n');
  await t.rejects(simulator(t, { folder: dir }), { message: /line 3 / });
});

t.test('asked anew under another key, a partner tells its callbacks anew', async (t) => {
  const { url: callbackUrl, received } = await receiver(t);
  const { partners } = await simulator(t, { callbackUrl });
  await partners.bureau.submitJob(call('k1', job('ord_1')));
  await until('told', () => received.length === 3);
  await partners.bureau.submitJob(call('k1', job('ord_1')));
  await partners.bureau.submitJob(call('k2', job('ord_1')));
  await until('told anew', () => received.length === 6);
  t.same(
    received.map(({ body }) => body.status),
    ['acknowledged', 'printing', 'printed', 'acknowledged', 'printing', 'printed'],
  );
  t.equal(new Set(received.map(({ body }) => body.eventId)).size, 6, 'another answer is another event');
  t.equal(new Set(received.flatMap(({ body }) => body.envelopeId ?? [])).size, 1, 'about the same envelope');
});

t.test('controls and requests that cannot be used are refused with the place', async (t) => {
  const { url } = await simulator(t);
  const put = await fetch(`${url}/control/faults`, { method: 'PUT', body: '{"errorRate":2}' });
  t.match([put.status, await put.json()], [400, { detail: /errorRate/ }]);
  const post = (path: string, body: string, headers: Record<string, string> = {}) =>
    fetch(url + path, { method: 'POST', body, headers });
  t.equal((await post('/issuer/cards', '{}')).status, 400);
  const key = { 'idempotency-key': 'k' };
  t.match(await (await post('/issuer/cards', '{"businessKey":"x"}', key)).json(), {
    code: 'malformed_request',
    detail: /required/,
  });
  t.match(await (await post('/issuer/cards', '{', key)).json(), { code: 'malformed_json' });
  t.equal((await post('/issuer/nothing', '{}', key)).status, 404);
  await post(
    '/issuer/cards',
    JSON.stringify({ ...card('ord_1'), personRef: undefined, embossedName: 'ANNA NOVAK', businessKey: 'ord_1' }),
    key,
  );
  t.equal((await readLedger(url)).entries.length, 1);
  t.equal((await post('/control/reset', '')).status, 200);
  t.equal((await readLedger(url)).entries.length, 0);
});

t.test('a signature holds for its body, its time and its secret', async (t) => {
  const now = 1_900_000_000_000;
  const header = sign(SECRET, '{"a":1}', now);
  const check = (received: { header: string | undefined; body: string }, at = now) => verify(SECRET, received, at);
  t.same(check({ header, body: '{"a":1}' }), { kind: 'valid' });
  t.match(check({ header, body: '{"a":2}' }), { reason: 'mismatch' });
  t.match(check({ header: header.replace(/^t=\d+/, 't=1900000001'), body: '{"a":1}' }), { reason: 'mismatch' });
  t.match(verify('another secret', { header, body: '{"a":1}' }, now), { reason: 'mismatch' });
  t.match(check({ header, body: '{"a":1}' }, now + 301_000), { reason: 'expired' });
  t.match(check({ header, body: '{"a":1}' }, now - 301_000), { reason: 'expired' });
  const both = `${header.replace(/v1=.*/, `v1=${'0'.repeat(64)}`)},v0=old,${header.split(',')[1]}`;
  t.same(check({ header: both, body: '{"a":1}' }), { kind: 'valid' }, 'one of several');
  for (const broken of [undefined, '', 't=1', 'v1=00', 'nonsense', `${header},x`, 'v1='.repeat(1_000)]) {
    t.match(check({ header: broken, body: '{"a":1}' }), { reason: 'malformed' });
  }
});

async function freePort(t: Test): Promise<number> {
  const server = createServer();
  const url = await listen(t, server);
  server.close();
  await until('the port is free', () => isClosed(Number(new URL(url).port)));
  return Number(new URL(url).port);
}

function isClosed(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(false);
    });
    socket.once('error', () => resolve(true));
  });
}
