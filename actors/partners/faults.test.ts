// Every failure of domain sections 4.2 and 4.4 that a partner can cause, on demand, as it reaches us: in our words.
//
// Also the carriers' tables, the wishes of the controls, and a bad day that changes no outcome.

import { readFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { pause } from '../../runtime/clock.ts';
import type { EffectOutcome } from '../../runtime/hosting.ts';
import { carrierFor, carriers, type EffectInput, trackingRank } from '../contract/index.ts';
import { meanings } from './callbacks/carriers.ts';
import { toldByCarrier, toldByKyc } from './callbacks/index.ts';
import { doubledActs, type PartnerEffect, policies } from './index.ts';
import type { Partners } from './ports.ts';
import { carrierWords, type Happening } from './simulator/carrier-words.ts';
import { attemptWords, type OutcomeRates } from './simulator/faults.ts';
import {
  advice,
  booking,
  call,
  card,
  clock,
  job,
  outputOf,
  type Receiver,
  receiver,
  type Simulated,
  simulator,
  until,
} from './testing.ts';

/** A simulator and a receiver where each subject has outcomes of its own. */
async function stage(
  t: Test,
  overrides: { readonly [subject: string]: OutcomeRates },
  timeScale?: number,
): Promise<Simulated & Receiver> {
  const ears = await receiver(t);
  const scale = timeScale === undefined ? {} : { timeScale };
  const simulated = await simulator(t, { callbackUrl: ears.url, faults: { overrides }, ...scale });
  return { ...ears, ...simulated };
}

/** Types of the events that one subject was told, in order. */
const toldTo = ({ received }: Receiver, actor: string): readonly string[] =>
  received.flatMap(({ told }) => told.flatMap((one) => (one.actor === actor && one.event ? [one.event.type] : [])));
const eventTo = ({ received }: Receiver, actor: string) =>
  received.flatMap(({ told }) => told.flatMap((one) => (one.actor === actor && one.event ? [one.event] : []))).at(-1);
const settled = (on: Simulated): Promise<void> =>
  until('all is told', async () => (await on.ledger()).callbacks.pending === 0);

t.test(
  'O-05 … O-08: the KYC vendor approves, refers, wants more, rejects, lets it expire, or says nothing',
  async (t) => {
    const on = await stage(t, {
      ord_1: {},
      ord_2: { kycRejectRate: 1 },
      ord_3: { kycResubmitRate: 1 },
      ord_4: { kycReviewRate: 1 },
      ord_5: { kycHighRiskRate: 1 },
      ord_6: { kycNameMismatchRate: 1 },
      ord_7: { kycExpireRate: 1 },
      ord_8: { kycSilentRate: 1 },
    });
    for (let n = 1; n <= 8; n += 1)
      await on.partners.screening.startKyc(call(`k${n}`, { orderId: `ord_${n}`, attempt: 1, personRef: 'ppl_1' }));
    await settled(on);
    t.match(eventTo(on, 'ord_1'), { type: 'KYC_APPROVED', risk: 'low', attempt: 1 });
    t.match(eventTo(on, 'ord_2'), { type: 'KYC_REJECTED', reason: 'document_forged' });
    t.match(eventTo(on, 'ord_3'), { type: 'KYC_RESUBMIT', reason: 'document_blurred' });
    t.same(toldTo(on, 'ord_4'), ['KYC_IN_REVIEW', 'KYC_APPROVED']);
    t.match(eventTo(on, 'ord_5'), { type: 'KYC_APPROVED', risk: 'high' });
    t.match(eventTo(on, 'ord_6'), { type: 'KYC_APPROVED', nameMatch: false });
    t.match(eventTo(on, 'ord_7'), { type: 'KYC_EXPIRED' });
    t.same(toldTo(on, 'ord_8'), []);
  },
);

t.test('O-41: a verification and a decision that are taken back come to nothing, also before they began', async (t) => {
  const on = await stage(t, {}, 1);
  const { screening } = on.partners;
  const start = (orderId: string) =>
    screening.startKyc(call(`s ${orderId}`, { orderId, attempt: 1, personRef: 'ppl_1' }));
  await start('ord_1');
  t.match(await screening.cancelKyc(call('c1', { orderId: 'ord_1', attempt: 1 })), { kind: 'done' });
  t.match((await on.ledger()).callbacks, { withdrawn: 1, pending: 0 });
  await screening.cancelKyc(call('c2', { orderId: 'ord_2', attempt: 1 }));
  t.match(await start('ord_2'), { kind: 'failed', error: { code: 'verification_cancelled' } });
  await screening.withdrawCredit(call('w1', { orderId: 'ord_3' }));
  const credit = { orderId: 'ord_3', personRef: 'ppl_1', productCode: 'credit_gold', currency: 'CZK' };
  t.match(await screening.decideCredit(call('d1', credit)), {
    kind: 'failed',
    error: { code: 'application_withdrawn' },
  });
});

t.test('O-05, O-13, O-38: those that answer at once say every no that they have', async (t) => {
  const on = await stage(t, {
    ord_1: { amlPotentialRate: 1, creditCounterRate: 1, undeliverableAddressRate: 1, cardRefusalRate: 1 },
    ord_2: { amlHitRate: 1, creditDeclineRate: 1, outOfZoneRate: 1, activationRefusalRate: 1 },
    ord_3: { amlUnavailableRate: 1, creditUnavailableRate: 1, unsureAddressRate: 1 },
  });
  const { screening, issuer } = on.partners;
  const ask = async (orderId: string): Promise<readonly EffectOutcome[]> => [
    await screening.screenAml(call(`a ${orderId}`, { orderId, personRef: 'ppl_1', listVersion: 'v1' })),
    await screening.decideCredit(
      call(`c ${orderId}`, { orderId, personRef: 'ppl_1', productCode: 'credit_gold', currency: 'CZK' }),
    ),
    await screening.validateAddress(
      call(`v ${orderId}`, { orderId, addressRef: `${orderId}_address`, method: 'courier', country: 'CZ' }),
    ),
    await issuer.createCard(call(`i ${orderId}`, card(orderId))),
  ];
  t.match(await ask('ord_1'), [
    { output: { result: 'potential_match' } },
    { output: { decision: 'counter_offered', limitMinor: /^\d+$/ } },
    { output: { result: 'likely_undeliverable' } },
    { kind: 'failed', error: { code: 'product_suspended' } },
  ]);
  t.match(await ask('ord_2'), [
    { output: { result: 'confirmed_match' } },
    { output: { decision: 'declined' } },
    { output: { result: 'likely_deliverable', inZone: false } },
    { kind: 'done' },
  ]);
  const activated = await issuer.activateCard(call('act', { orderId: 'ord_2', cardId: 'crd_2', n: 1 }));
  t.match(activated, { kind: 'failed', error: { code: 'activation_declined' } });
  t.match(await ask('ord_3'), [
    { kind: 'unknown', reason: 'aml: status 503' },
    { kind: 'unknown', reason: 'credit: status 503' },
    { output: { result: 'indeterminate', inZone: true } },
    { kind: 'done' },
  ]);
});

t.test(
  'O-17 … O-23: the bureau rejects, spoils so many times, is silent, breaks its files, and tells twice',
  async (t) => {
    const on = await stage(t, {
      ord_1: { bureauRejectRate: 1 },
      ord_2: { bureauRejectFinalRate: 1 },
      ord_3: { spoilTimes: 2 },
      ord_4: { bureauSilentRate: 1 },
      ord_5: { bureauBadChecksumRate: 1 },
      ord_6: { bureauTwiceRate: 1 },
    });
    const submit = (key: string, orderId: string, n = 1) => on.partners.bureau.submitJob(call(key, job(orderId, n)));
    for (const orderId of ['ord_1', 'ord_2', 'ord_4', 'ord_6']) await submit(orderId, orderId);
    for (let n = 1; n <= 3; n += 1) await submit(`ord_3 ${n}`, 'ord_3', n);
    await settled(on);
    t.match(eventTo(on, 'ord_1'), { type: 'BUREAU_REJECTED', fixable: true, reason: 'name_too_long' });
    t.match(eventTo(on, 'ord_2'), { type: 'BUREAU_REJECTED', fixable: false, reason: 'design_unavailable' });
    const ends = toldTo(on, 'ord_3').filter((type) => type === 'PRINT_SPOILED' || type === 'PRINTED');
    t.same([...ends].sort(), ['PRINTED', 'PRINT_SPOILED', 'PRINT_SPOILED'], 'the third job is printed');
    t.same(toldTo(on, 'ord_4'), [], 'silence');
    t.equal((await on.ledger()).world.printJobs.ord_4?.[0]?.stage, 'submitted');
    t.same(toldTo(on, 'ord_6'), ['BUREAU_ACK', 'PRINT_STARTED', 'PRINTED', 'PRINTED']);
    const whole = ['BUREAU_ACK', 'PRINT_STARTED', 'PRINTED'];
    await submit('resend', 'ord_4');
    await settled(on);
    t.same(toldTo(on, 'ord_4'), whole, 'the same job sent again under another key');
    t.match((await on.ledger()).world.printJobs.ord_4, [{ stage: 'printed' }]);

    await submit('ord_5', 'ord_5');
    await settled(on);
    t.same(toldTo(on, 'ord_5'), [], 'a broken file tells nothing');
    await submit('resend 5', 'ord_5');
    await settled(on);
    t.same(toldTo(on, 'ord_5'), whole);
    t.same(doubledActs(await on.ledger()), [], 'sent twice, printed once');
  },
);

t.test('D-03, D-07 … D-10, D-41: hub and courier firms, with all that can go wrong before the door', async (t) => {
  const overrides: { readonly [subject: string]: OutcomeRates } = {
    dlv_1_1: {},
    dlv_2_1: { hubSilentRate: 1, courierNotFoundRate: 1 },
    dlv_3_1: { hubDamagedRate: 1, courierNeverArrivesRate: 1 },
    dlv_4_1: { courierOfflineRate: 1 },
    dlv_5_1: { unattendedRate: 1 },
    dlv_6_1: { bookingRefusalRate: 1 },
  };
  const on = await stage(t, overrides);
  for (const deliveryId of Object.keys(overrides)) {
    await on.partners.carrier.preadvise(call(`p ${deliveryId}`, advice(deliveryId)));
    const outcome = await on.partners.carrier.createShipment(call(`b ${deliveryId}`, booking(deliveryId, { seq: 2 })));
    if (deliveryId === 'dlv_6_1') t.match(outcome, { kind: 'failed', error: { code: 'refused' } });
    else t.match(outcome, { output: { carrier: 'swift', shipmentId: /^SWIFT-/, trackingNumber: /^TRK-/ } });
  }
  await settled(on);
  const heard = (deliveryId: string) => [...toldTo(on, deliveryId)].sort();
  t.same(heard('dlv_1_1'), ['COURIER_ARRIVED', 'COURIER_FOUND', 'ENVELOPE_READY']);
  t.same(heard('dlv_2_1'), ['COURIER_NOT_FOUND']);
  t.same(heard('dlv_3_1'), ['COURIER_FOUND', 'DAMAGED']);
  t.same(heard('dlv_4_1'), ['COURIER_ARRIVED', 'COURIER_FOUND', 'ENVELOPE_READY', 'TRACKING']);
  t.match(on.eventOf('COURIER_FOUND'), { courierId: /^cur_/, seq: 2 });
  t.match(
    on.received
      .flatMap(({ told }) => told)
      .find(({ actor, event }) => actor === 'dlv_4_1' && event?.type === 'TRACKING'),
    {
      strange: 'performer_offline',
      event: { status: 'unknown', rank: 0, reason: 'courier_offline' },
    },
  );
  t.match(eventTo(on, 'dlv_5_1'), { type: 'TRACKING', status: 'delivered', rank: 90 }, 'delivered without a handover');
});

const byPost = (deliveryId: string, more: Partial<EffectInput<'carrier.createShipment'>> = {}) =>
  booking(deliveryId, { method: 'post', service: 'priority', ...more });

t.test('D-11, D-12, D-25, D-34 … D-40: points and posts tell of the envelope, or lose it', async (t) => {
  const on = await stage(t, {
    dlv_2_1: { trackingSilentRate: 1 },
    dlv_3_1: { lostRate: 1 },
    dlv_4_1: { foundRate: 1 },
    dlv_5_1: { stolenRate: 1 },
    dlv_6_1: { damagedRate: 1 },
    dlv_7_1: { returnedRate: 1 },
    dlv_8_1: { trackingShuffleRate: 1 },
    dlv_9_1: { trackingTwiceRate: 1 },
    dlv_10_1: { trackingBackwardsRate: 1 },
  });
  const book = (input: EffectInput<'carrier.createShipment'>) =>
    on.partners.carrier.createShipment(call(`b ${input.deliveryId}`, input));
  for (let n = 1; n <= 10; n += 1) t.match(await book(byPost(`dlv_${n}_1`)), { output: { carrier: 'parcelpost' } });
  const point = await book(booking('dlv_11_1', { method: 'pickup_point', pickupPointId: 'pp_cz_7' }));
  t.match(point, { output: { carrier: 'pointnet' } });
  const letter = outputOf(await book(booking('dlv_12_1', { method: 'post' })));
  t.match(letter, { carrier: 'letterpost' });
  t.notOk('trackingNumber' in (letter as object), 'a letter is not tracked');
  t.match(await book(booking('dlv_13_1', { carrier: 'nobody' })), { error: { code: 'carrier_unknown' } });
  await settled(on);

  const way = (deliveryId: string): readonly string[] =>
    on.received.flatMap(({ told }) =>
      told.flatMap(({ actor, event }) =>
        actor !== deliveryId || event === undefined ? [] : [event.type === 'TRACKING' ? event.status : event.type],
      ),
    );
  const whole = ['pre_transit', 'in_transit', 'at_hub', 'out_for_delivery', 'delivered'];
  t.same(way('dlv_1_1'), whole);
  t.same(way('dlv_2_1'), ['pre_transit'], 'silent');
  t.same(way('dlv_3_1'), ['pre_transit', 'in_transit', 'LOST_REPORTED', 'LOST_CONFIRMED']);
  t.same(way('dlv_4_1'), ['pre_transit', 'in_transit', 'LOST_REPORTED', 'FOUND', ...whole.slice(2)]);
  t.same(way('dlv_5_1'), ['pre_transit', 'in_transit', 'STOLEN_REPORTED']);
  t.same(way('dlv_6_1'), ['pre_transit', 'in_transit', 'DAMAGED', 'returning', 'returned']);
  t.same(way('dlv_7_1'), ['pre_transit', 'in_transit', 'at_hub', 'returning', 'returned']);
  t.same(way('dlv_8_1'), [...whole].reverse(), 'the newest first');
  t.same(
    way('dlv_9_1'),
    whole.flatMap((status) => [status, status]),
    'each scan twice',
  );
  const twice = on.received.flatMap(({ id, told }) => told.map((one) => ({ id, own: one.id, actor: one.actor })));
  const ids = twice.filter(({ actor }) => actor === 'dlv_9_1');
  t.equal(new Set(ids.map(({ id }) => id)).size, 10, 'under two ids');
  t.equal(new Set(ids.map(({ own }) => own)).size, 5, 'and is one scan all the same');
  t.same(way('dlv_10_1'), [...whole, 'in_transit'], 'an old one after a newer');
  t.same(way('dlv_11_1'), ['pre_transit', 'in_transit', 'at_hub', 'ready_for_pickup']);
  t.match(eventTo(on, 'dlv_11_1'), { pickupPointId: 'pp_cz_7', rank: 35 });
  t.same(way('dlv_12_1'), ['in_transit'], 'a letter was posted, and that is all');
});

t.test('D-24: a carrier’s failed attempt has each reason of section 4.4', async (t) => {
  const on = await stage(t, {});
  const reasons: unknown[] = [];
  for (const [index, word] of attemptWords.entries()) {
    const deliveryId = `dlv_${index}_1`;
    await on.control('PUT', `subjects/${deliveryId}`, { attemptFailRate: 1, attemptReason: word });
    await on.partners.carrier.createShipment(call(deliveryId, byPost(deliveryId)));
  }
  await settled(on);
  for (const { told } of on.received)
    for (const { event } of told)
      if (event?.type === 'TRACKING' && event.status === 'attempt_failed') reasons.push(event.reason);
  t.same(reasons.sort(), [
    'access_problem',
    'courier_fault',
    'customer_asked_later',
    'customer_moved',
    'damaged',
    'id_expired',
    'id_mismatch',
    'id_missing',
    'no_show',
    'refused',
    'weather_or_force_majeure',
    'wrong_address',
  ]);
});

t.test(
  'D-29: a booking is given back at the carrier that has it, and one that is given back is not made',
  async (t) => {
    const on = await stage(t, {}, 1);
    const { carrier } = on.partners;
    t.match(await carrier.createShipment(call('b1', booking('dlv_1_1', { carrier: 'dash' }))), {
      output: { carrier: 'dash' },
    });
    await carrier.createShipment(call('b2', booking('dlv_2_1')));
    for (const deliveryId of ['dlv_1_1', 'dlv_2_1', 'dlv_3_1'])
      await carrier.voidShipment(call(`v ${deliveryId}`, { orderId: 'ord_1', deliveryId, seq: 1 }));
    t.match(await carrier.createShipment(call('b3', booking('dlv_3_1'))), { error: { code: 'booking_void' } });
    t.match((await on.ledger()).world.shipments, {
      dlv_1_1: [{ state: 'void', carrier: 'dash' }],
      dlv_2_1: [{ state: 'void', carrier: 'swift' }],
      dlv_3_1: [{ state: 'void' }],
    });
    t.match((await on.ledger()).callbacks, { pending: 0, delivered: 0, withdrawn: 4 });
  },
);

t.test(
  'one thing now to one subject: verdict, stage, scan, shipment; held callbacks wait for their release',
  async (t) => {
    const on = await stage(t, {}, 1);
    await on.partners.screening.startKyc(call('k', { orderId: 'ord_1', attempt: 1, personRef: 'ppl_1' }));
    await on.control('POST', 'kyc/verdict', { orderId: 'ord_1', verdict: 'rejected' });
    await on.partners.bureau.submitJob(call('j', job('ord_1')));
    await on.control('POST', 'bureau/stage', { jobId: 'job_1_1', stage: 'printed' });
    await on.partners.carrier.preadvise(call('p', advice('dlv_1_1')));
    await on.control('POST', 'hub/scan', { deliveryId: 'dlv_1_1', barcode: 'EMB-A' });
    await on.partners.carrier.createShipment(call('b', byPost('dlv_1_1')));
    const pendingBefore = (await on.ledger()).callbacks.pending;
    await on.control('POST', 'shipments/advance', {
      deliveryId: 'dlv_1_1',
      to: 'attempt_failed',
      reason: 'bad_address',
    });
    await until('all four are told', () => on.types().length === 4);
    t.same([...on.types()].sort(), ['ENVELOPE_READY', 'KYC_REJECTED', 'PRINTED', 'TRACKING']);
    t.match(on.eventOf('TRACKING'), { status: 'attempt_failed', reason: 'wrong_address' });
    t.match(on.eventOf('PRINTED'), { envelopeId: /^EMB-/ });
    t.match((await on.ledger()).world.printJobs.ord_1, [{ stage: 'printed' }]);
    t.equal(
      (await on.ledger()).callbacks.pending,
      pendingBefore,
      'an advance adds to the course, the others replace it',
    );
    await t.rejects(
      on.control('POST', 'shipments/advance', { deliveryId: 'dlv_1_1', to: 'courier_found' }),
      /no_such_word/,
    );

    await on.control('POST', 'callbacks/hold', { subject: 'ord_2' });
    await on.partners.screening.startKyc(call('k2', { orderId: 'ord_2', attempt: 1, personRef: 'ppl_1' }));
    await on.control('POST', 'kyc/verdict', { orderId: 'ord_2', verdict: 'approved' });
    const response = await fetch(`${on.url}/control/callbacks?subject=ord_2`);
    const { pending } = (await response.json()) as { pending: { eventId: string; from: string }[] };
    t.match(pending, [{ from: 'kyc' }]);
    t.same(toldTo(on, 'ord_2'), [], 'held');
    t.match(await on.control('POST', 'callbacks/release', { subject: 'ord_2' }), { released: 1 });
    await until('released', () => toldTo(on, 'ord_2').length === 1);
    const waiting = (await (await fetch(`${on.url}/control/callbacks?subject=dlv_1_1`)).json()) as {
      pending: { eventId: string }[];
    };
    const last = waiting.pending.at(-1)?.eventId;
    await on.control('POST', 'callbacks/release', { eventId: last });
    await until('told out of turn', () => on.received.some(({ id }) => id === last));
  },
);

t.test('E2: a bad day costs no outcome: every call succeeds within its policy, and every callback comes', async (t) => {
  const on = await stage(t, {});
  await on.control('PUT', 'faults', { outcomes: { amlPotentialRate: 0.2, spoilRate: 0.2 } });
  await on.control('PUT', 'profile', { name: 'bad-day' });
  await on.control('PUT', 'faults', { latencyMs: [0, 5], errorRate: 0.3, loseReplyRate: 0.2 }); // Worse than that.
  const counts = { tries: 0, failures: 0 };
  /** As the runtime tries: again under the same key, as often as the policy says. */
  const tried = async (name: PartnerEffect, one: (partners: Partners) => Promise<EffectOutcome>): Promise<void> => {
    for (let attempt = 1; attempt <= policies[name].attempts; attempt += 1) {
      const outcome = await one(on.partners);
      counts.tries += 1;
      if (outcome.kind === 'done') return;
      counts.failures += 1;
      if (outcome.kind === 'failed') break;
      await pause(clock, 1);
    }
    t.fail(`${name} was given up`);
  };
  const orders = Array.from({ length: 30 }, (_, index) => `ord_${index}`);
  await Promise.all(
    orders.map(async (orderId) => {
      const deliveryId = `dlv_${orderId.slice(4)}_1`;
      const address = { orderId, addressRef: `${orderId}_a`, method: 'courier' as const, country: 'CZ' };
      const otp = { deliveryId, attempt: 1, n: 1, personRef: 'ppl_1', locale: 'cs' };
      await tried('address.validate', ({ screening }) => screening.validateAddress(call(`v ${orderId}`, address)));
      await tried('card.create', ({ issuer }) => issuer.createCard(call(`c ${orderId}`, card(orderId))));
      await tried('bureau.submit', ({ bureau }) => bureau.submitJob(call(`j ${orderId}`, job(orderId))));
      await tried('carrier.createShipment', ({ carrier }) =>
        carrier.createShipment(call(`b ${orderId}`, byPost(deliveryId))),
      );
      await tried('otp.send', ({ notifications }) => notifications.sendCode(call(`o ${orderId}`, otp), '123456'));
    }),
  );
  t.ok(counts.failures > 20, `a bad day: ${counts.failures} of ${counts.tries} tries failed`);
  await until('all is told', async () => (await on.ledger()).callbacks.pending === 0);
  const book = await on.ledger();
  t.same(doubledActs(book), []);
  t.match(book.callbacks, { abandoned: 0 });
  t.equal(Object.keys(book.world.cards).length, orders.length);
  t.equal(book.world.messages, orders.length);
});

// --- The carriers' words ---

/** What happens, as the event that it is for us. */
const means: { readonly [happening in Happening]: string } = {
  courier_found: 'COURIER_FOUND',
  courier_not_found: 'COURIER_NOT_FOUND',
  courier_at_hub: 'COURIER_ARRIVED',
  courier_offline: 'unknown',
  pre_transit: 'pre_transit',
  in_transit: 'in_transit',
  at_hub: 'at_hub',
  out_for_delivery: 'out_for_delivery',
  ready_for_pickup: 'ready_for_pickup',
  arrived: 'arrived',
  attempt_failed: 'attempt_failed',
  delivered: 'delivered',
  returning: 'returning',
  returned: 'returned',
  missing: 'LOST_REPORTED',
  found: 'FOUND',
  lost: 'LOST_CONFIRMED',
  stolen: 'STOLEN_REPORTED',
  damaged: 'DAMAGED',
};

t.test('D-11: each carrier’s words mean what happened, and the document says so', async (t) => {
  for (const [carrier, words] of Object.entries(carrierWords)) {
    for (const [happening, word] of Object.entries(words) as [Happening, string][])
      t.equal(meanings[carrier]?.[word] ?? 'unknown', means[happening], `${carrier}: ${word}`);
  }
  for (const method of ['courier', 'pickup_point', 'parcel_locker', 'branch', 'post', 'bulk'] as const)
    for (const service of ['standard', 'express'] as const) t.ok(carrierFor(method, service).methods.includes(method));
  t.same(Object.keys(meanings).sort(), carriers.map(({ code }) => code).sort());

  const page = readFileSync(new URL('../../../docs/carriers.md', import.meta.url), 'utf8');
  const documented = new Set<string>();
  for (const [, meaning = '', cells = ''] of page.matchAll(/^\| `([A-Za-z_]+)`[^|]*\| (.*) \|$/gm)) {
    if (carriers.some(({ code }) => code === meaning)) continue; // The table of the carriers themselves.
    const ranked = cells.split('|').map((cell) => cell.trim());
    const rank = (trackingRank as { readonly [status: string]: number })[meaning];
    t.equal(ranked[0], rank === undefined ? '–' : String(rank), `${meaning}: rank`);
    for (const [index, { code }] of carriers.entries())
      for (const [, word = ''] of (ranked[index + 1] ?? '').matchAll(/`([^`]+)`/g))
        documented.add(`${code} ${word} ${meaning}`);
  }
  const table = Object.entries(meanings).flatMap(([code, words]) =>
    Object.entries(words).map(([word, meaning]) => `${code} ${word} ${meaning}`),
  );
  t.same([...documented].sort(), table.sort(), 'docs/carriers.md has the same table');
});

t.test('what partners call otherwise is unknown, never a crash and never a verdict', async (t) => {
  const swift = carriers.find(({ code }) => code === 'swift');
  if (swift === undefined) throw new Error('there is a first carrier');
  const event = { client_reference: 'dlv_1_1:1', revision_id: 'r1', updated_ts: '2026-01-01T00:00:00Z' };
  const said = (status: string, more = {}) => toldByCarrier(swift, { ...event, claim_status: status, ...more });
  for (const word of ['teleported', 'constructor', '__proto__', ''])
    t.match(said(word), { strange: word, event: { type: 'TRACKING', status: 'unknown', rank: 0 } }, word);
  t.equal(said('performer_found').event, undefined, 'nobody without an account comes');
  t.match(said('delivery_attempt_failed', { comment_code: 'eclipse' }).event, { status: 'attempt_failed' });
  t.equal(
    (said('delivery_attempt_failed', { comment_code: 'eclipse' }).event as { reason?: string }).reason,
    undefined,
  );

  const applicant = { applicantId: 'A', externalUserId: 'ord_1', type: 'applicantReviewed', reviewStatus: 'completed' };
  const judged = (reviewResult: { reviewAnswer: string; [field: string]: unknown }) =>
    toldByKyc({ ...applicant, reviewResult }, 'evt_1');
  t.match(judged({ reviewAnswer: 'GREEN', riskLevel: 'EXTREME' }).event, { type: 'KYC_APPROVED', risk: 'high' });
  t.equal(judged({ reviewAnswer: 'RED', reviewRejectType: 'MAYBE' }).event, undefined);
  t.match(judged({ reviewAnswer: 'AMBER' }), { event: undefined, strange: 'applicantReviewed/AMBER' });
  t.match(toldByKyc({ ...applicant, type: 'applicantDeleted' }, 'evt_1'), { event: undefined });
});
