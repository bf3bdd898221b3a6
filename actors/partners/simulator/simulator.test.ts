// The simulated partners themselves: what they make of an order, how they tell of it, their book, and their controls.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, readFileSync, statSync, truncateSync } from 'node:fs';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { httpPartners, readLedger } from '../index.ts';
import {
  advice,
  booking,
  call,
  card,
  clock,
  folder,
  job,
  known,
  listen,
  outputOf,
  person,
  receiver,
  SECRET,
  simulator,
  until,
} from '../testing.ts';

/** The envelope that an event names, if it does. */
const envelopeIn = (event: unknown): string | undefined =>
  (event as { readonly envelopeId?: string } | undefined)?.envelopeId;

const withdrawal = (orderId: string) => ({ orderId, jobId: job(orderId).jobId });
const kyc = (orderId: string, attempt = 1) => ({ orderId, attempt, personRef: 'ppl_1' });

t.test('the issuer moves a card through its states, closes it for good, and makes another plastic of it', async (t) => {
  const { partners, ledger } = await simulator(t);
  const made = outputOf(await partners.issuer.createCard(call('k0', card('ord_1')))) as {
    cardId: string;
    last4: string;
  };
  const { cardId, last4 } = made;
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

  const again = outputOf(await partners.issuer.createCard(call('r1', { ...card('ord_2'), reissueOf: cardId })));
  t.match(again, { cardId: 'crd_2', last4 }, 'the same number');
  t.equal((await ledger()).world.cards.ord_2?.[0]?.plastic, 2, 'another plastic');

  await partners.issuer.closeCard(call('k7', { orderId: 'ord_1', cardId, reason: 'lost' }));
  t.equal((await partners.issuer.closeCard(call('k8', { orderId: 'ord_1', cardId, reason: 'stolen' }))).kind, 'done');
  t.match(await partners.issuer.suspendCard(call('k9', input(3))), { kind: 'failed', error: { code: 'card_closed' } });
  t.match(await partners.issuer.createCard(call('r2', { ...card('ord_3'), reissueOf: cardId })), {
    error: { code: 'card_closed' },
  });
  t.match(await partners.issuer.activateCard(call('k10', { ...input(3), cardId: 'crd_none' })), {
    kind: 'failed',
    error: { code: 'card_unknown' },
  });
});

t.test('fees are taken once and given back once, and one that was given back first is never taken', async (t) => {
  const { partners, ledger, control } = await simulator(t, {
    faults: { overrides: { ord_3: { refundRefusalRate: 1 } } },
  });
  const { charge, refund } = partners.billing;
  const fee = (orderId: string) => ({
    orderId,
    userId: 'usr_1',
    feeType: 'issue' as const,
    amountMinor: '19900',
    currency: 'CZK',
  });
  await charge(call('c1', fee('ord_1')));
  await charge(call('c1', fee('ord_1')));
  t.match((await ledger()).world.fees.ord_1, [
    { feeType: 'issue', amountMinor: '19900', currency: 'CZK', state: 'charged' },
  ]);
  t.match(await refund(call('r1', fee('ord_1'))), { kind: 'done' });
  t.match((await ledger()).world.fees.ord_1, [{ state: 'refunded' }]);
  t.match(await refund(call('r2', fee('ord_2'))), { kind: 'done' });
  t.match(await charge(call('c2', fee('ord_2'))), { kind: 'failed', error: { code: 'fee_given_back' } });
  t.match((await ledger()).world.fees.ord_2, [{ state: 'barred' }]);
  await charge(call('c3', fee('ord_3')));
  t.match(await refund(call('r3', fee('ord_3'))), { kind: 'failed', error: { code: 'refund_refused' } });
  await control('PUT', 'subjects/ord_4', { chargeRefusalRate: 1 });
  t.match(await charge(call('c4', fee('ord_4'))), { kind: 'failed', error: { code: 'charge_refused' } });
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

t.test('callbacks are signed, retried until taken, and carry one id each', async (t) => {
  const { url: callbackUrl, received, types, eventOf } = await receiver(t, (_one, count) => (count <= 3 ? 503 : 204));
  const { partners, ledger } = await simulator(t, { callbackUrl, faults: { wrongSignatureRate: 1 } });
  await partners.bureau.submitJob(call('k1', job('ord_1')));
  await until('the ledger knows', async () => (await ledger()).callbacks.delivered === 3);

  t.same(types(), ['BUREAU_ACK', 'BUREAU_ACK', 'BUREAU_ACK', 'PRINT_STARTED', 'PRINTED']);
  t.equal(new Set(received.map(({ id }) => id)).size, 3);
  t.equal(received.filter(({ verdict }) => verdict === 'invalid').length, 3, 'the first try of each was forged');
  t.ok(received.every(({ path }) => path === '/partner/bureau/v1/files'));
  t.match(eventOf('PRINTED'), { jobId: 'job_1_1', envelopeId: /^EMB-[A-Z]{12}$/ });
  t.match((await ledger()).world.printJobs.ord_1, [{ stage: 'printed', batchId: 'bat_1' }]);
});

t.test('duplicated and reordered callbacks on demand keep their ids', async (t) => {
  const { url: callbackUrl, received } = await receiver(t);
  const { partners, ledger } = await simulator(t, {
    callbackUrl,
    faults: { duplicateCallbackRate: 1, reorderCallbackRate: 1 },
  });
  await partners.bureau.submitJob(call('k1', job('ord_1')));
  await until('each came twice', () => received.length === 6);
  const firsts = received.filter(({ id }, index) => received.findIndex((other) => other.id === id) === index);
  t.same(
    firsts.map(({ told }) => told[0]?.event?.type),
    ['PRINT_STARTED', 'BUREAU_ACK', 'PRINTED'],
    'the first two changed places',
  );
  const times = new Map<string, number>();
  for (const { id } of received) times.set(id, (times.get(id) ?? 0) + 1);
  t.same([...times.values()], [2, 2, 2]);
  await until('the ledger knows', async () => (await ledger()).callbacks.duplicates === 3);
  t.match((await ledger()).callbacks, { scheduled: 3, delivered: 3, reordered: 1, pending: 0 });
});

t.test('a callback out of turn that the receiver refuses is told again after its predecessor', async (t) => {
  const seen = new Set<string | undefined>();
  const { url: callbackUrl, received } = await receiver(t, ({ told: [told] }) => {
    const type = told?.event?.type;
    if (type === 'PRINT_STARTED' && !seen.has('BUREAU_ACK')) return 409;
    seen.add(type);
    return 204;
  });
  const { partners, ledger } = await simulator(t, { callbackUrl, faults: { reorderCallbackRate: 1 } });
  await partners.bureau.submitJob(call('k1', job('ord_1')));
  await until('all three are taken', async () => (await ledger()).callbacks.delivered === 3);
  t.equal(received[0]?.told[0]?.event?.type, 'PRINT_STARTED');
  t.same([...seen], ['BUREAU_ACK', 'PRINT_STARTED', 'PRINTED']);
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

  const { url: callbackUrl, eventOf, received } = await receiver(t);
  const fast = await simulator(t, { callbackUrl });
  const envelopes: string[] = [];
  for (const orderId of ['ord_3', 'ord_4']) {
    await fast.partners.bureau.submitJob(call(`s${orderId}`, job(orderId)));
    const printed = () =>
      received.flatMap(({ told }) => told).find(({ actor, event }) => actor === orderId && event?.type === 'PRINTED');
    await until('printed', () => printed() !== undefined);
    envelopes.push(envelopeIn(printed()?.event) ?? '');
  }
  t.same(outputOf(await fast.partners.bureau.withdrawJob(call('w3', withdrawal('ord_3')))), { outcome: 'intercepted' });
  await fast.partners.carrier.preadvise(call('p4', { ...advice('dlv_4_1', envelopes[1]), orderId: 'ord_4' }));
  await until('at the hub', () => eventOf('ENVELOPE_READY') !== undefined);
  t.same(outputOf(await fast.partners.bureau.withdrawJob(call('w4', withdrawal('ord_4')))), { outcome: 'shipped' });
});

t.test('messages and codes reach the phone, by number and by reference, and leave no trace in the book', async (t) => {
  const dir = folder(t);
  const { url, partners, ledger, control } = await simulator(t, { folder: dir });
  const note = { subject: 'ord_1', personRef: 'ppl_1', locale: 'cs', template: 'order_approved', n: 1 };
  await partners.notifications.notify(call('k1', note));
  const otp = { deliveryId: 'dlv_1_1', attempt: 1, n: 1, personRef: 'ppl_1', locale: 'cs' };
  await partners.notifications.sendCode(call('k2', otp), '123456');
  await partners.notifications.sendCode(call('k2', otp), '123456');
  for (const recipient of [encodeURIComponent(person.phone), 'ppl_1']) {
    const { messages } = (await (await fetch(`${url}/phone/${recipient}/messages`)).json()) as { messages: unknown[] };
    t.match(messages, [
      { template: 'order_approved', subject: 'ord_1', channel: 'sms' },
      { subject: 'dlv_1_1', code: '123456', text: /123456/ },
    ]);
    t.equal(messages.length, 2);
  }
  await control('PUT', 'subjects/ord_1', { messageFailRate: 1, failChannels: ['SMS'] });
  const sms = await partners.notifications.sendCode(call('k6', { ...otp, n: 2 }), '123456');
  t.match(sms, { kind: 'failed', error: { code: 'channel_unavailable' } }, 'one channel');
  const voice = await partners.notifications.sendCode(call('k7', { ...otp, n: 3, channel: 'voice' }), '123456');
  t.match(voice, { kind: 'done' }, 'another one');
  const mail = await partners.notifications.sendCode(call('k8', { ...otp, n: 4, channel: 'email' }), '123456');
  t.match(mail, { kind: 'failed', error: { code: 'channel_unavailable' } }, 'nobody has no address');
  t.match((await ledger()).world, { messages: 3, templates: { order_approved: 1, handover_code: 2 } });

  await partners.screening.startKyc(call('k3', kyc('ord_1')));
  await partners.carrier.createShipment(call('k4', booking('dlv_1_1')));
  await partners.bureau.submitJob(call('k5', job('ord_1')));
  t.notMatch(readFileSync(join(dir, 'book.ndjson'), 'utf8'), /Anna|Novak|1990|601234567|123456|Praha|Dlouh/);
});

t.test('the ledger survives a killed process, and what was due is told after it', async (t) => {
  const dir = folder(t);
  const { url: callbackUrl, eventOf } = await receiver(t);
  const port = await freePort(t);
  const url = `http://127.0.0.1:${port}`;
  const start = async (timeScale: number): Promise<ChildProcess> => {
    const child = spawn(process.execPath, [new URL('./main.js', import.meta.url).pathname], {
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
  await partners.screening.startKyc(call('k2', kyc('ord_1')));
  await partners.bureau.submitJob(call('k3', job('ord_1')));
  const before = await readLedger(url);
  first.kill('SIGKILL');
  await once(first, 'exit');

  const second = await start(120_000);
  t.same((await readLedger(url)).entries, before.entries);
  t.same(outputOf(await partners.issuer.createCard(call('k1', card('ord_1')))), made);
  t.same(outputOf(await partners.issuer.createCard(call('k9', card('ord_1')))), made);
  await until('all is told', async () => (await readLedger(url)).callbacks.delivered === 4);
  t.match(eventOf('KYC_APPROVED'), { attempt: 1 });
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
  const { url: callbackUrl, received, types } = await receiver(t);
  const { partners, ledger } = await simulator(t, { callbackUrl });
  await partners.bureau.submitJob(call('k1', job('ord_1')));
  await until('told', async () => (await ledger()).callbacks.delivered === 3);
  await partners.bureau.submitJob(call('k1', job('ord_1')));
  await partners.bureau.submitJob(call('k2', job('ord_1')));
  await until('told anew', () => received.length === 6);
  const all = ['BUREAU_ACK', 'PRINT_STARTED', 'PRINTED'];
  t.same(types(), [...all, ...all]);
  t.equal(new Set(received.map(({ id }) => id)).size, 6, 'another answer is another event');
  const envelopes = received.flatMap(({ told }) => envelopeIn(told[0]?.event) ?? []);
  t.equal(new Set(envelopes).size, 1, 'about the same envelope');
});

t.test('controls and requests that cannot be used are refused with the place', async (t) => {
  const { url, control } = await simulator(t);
  const put = await fetch(`${url}/control/faults`, { method: 'PUT', body: '{"errorRate":2}' });
  t.match([put.status, await put.json()], [400, { detail: /errorRate/ }]);
  await t.rejects(control('PUT', 'faults', { partners: { kyc: { latencyMs: [2, 1] } } }), /latencyMs/);
  await t.rejects(control('PUT', 'profile', { name: 'sunny' }), /\/name/);
  await t.rejects(control('PUT', 'subjects/ord_1', { sunRate: 1 }), /additional/);
  await t.rejects(control('POST', 'next-failure', { effect: 'notify', how: 'softly' }), /\/how/);
  await t.rejects(control('POST', 'kyc/verdict', { orderId: 'ord_1', verdict: 'approved' }), /unknown_subject/);
  await t.rejects(control('POST', 'shipments/advance', { deliveryId: 'dlv_1_1', to: 'delivered' }), /unknown_subject/);
  await t.rejects(control('POST', 'nothing', {}), /not_found/);
  const post = (path: string, body: string, headers: Record<string, string> = {}) =>
    fetch(url + path, { method: 'POST', body, headers });
  t.match(await (await post('/issuer/v1/cards', '{}')).json(), { error_code: 'idempotency_key_missing' });
  const key = { 'idempotency-key': 'k' };
  t.match(await (await post('/issuer/v1/cards', '{"external_id":"x"}', key)).json(), {
    error_code: 'malformed_request',
    message: /required/,
  });
  t.match(await (await post('/kyc/v1/applicants', '{', key)).json(), { errorCode: 'malformed_request' });
  t.match(await (await post('/bureau/files', 'H|\n', key)).json(), { fault_code: 'malformed_request' });
  t.equal((await post('/issuer/nothing', '{}', key)).status, 404);
  t.equal((await readLedger(url)).entries.length, 0, 'nothing of it was done');
  const { partners } = await simulator(t);
  await partners.issuer.createCard(call('k1', card('ord_1')));
  await control('POST', 'reset', {});
  t.equal((await readLedger(url)).entries.length, 0);
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
