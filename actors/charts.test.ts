// Goal: the charts can be hosted, speak only the contract, and step as live actors do. Method: the host's own compile step, a
// whole world in memory whose every message, input and answer is checked against the schemas, and the oracle of the test kit.

import { env } from 'node:process';
import tap, { type Test, test } from 'tap';
import type { TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import { type Hosted, OperatingError, type Send } from '../runtime/index.ts';
import { type ActorId, type Behaviour, charts as compiled, type Held, type Step } from '../runtime/testing/index.ts';
import { oracle, pick, type Random, type Trial } from '../runtime/testing/oracle.ts';
import { delivery } from '../state-machines/delivery/delivery.ts';
import { run as courierRun } from '../state-machines/delivery/run.ts';
import { slot } from '../state-machines/delivery/slot.ts';
import { applicant } from '../state-machines/ordering/applicant.ts';
import { batch } from '../state-machines/ordering/batch.ts';
import { cardGuard } from '../state-machines/ordering/card-guard.ts';
import { closedBatch } from '../state-machines/ordering/closed-batch.ts';
import { order } from '../state-machines/ordering/order.ts';
import { stock } from '../state-machines/ordering/stock.ts';
import { sweep } from '../state-machines/ordering/sweep.ts';
import { task } from '../state-machines/task.ts';
import * as contract from './contract/index.ts';
import { charts as deliveryCharts } from './delivery/registration.ts';
import { charts as orderingCharts } from './ordering/registration.ts';

const hosted: readonly Hosted[] = [...new Set([...orderingCharts, ...deliveryCharts])]; // Both host tasks.
const by = 'usr_1';
const orderId = 'ord_3kTabcdefghijklmnopqrstuv';
const courierId = 'usr_courier7';
const application: contract.OrderInput = {
  orderId,
  userId: by,
  personRef: 'ppl_abcdefghijklmnopqrstuv',
  addressRef: 'ppl_abcdefghijklmnopqrstuw',
  productCode: 'debit_classic',
  cardType: 'debit',
  paymentSystem: 'mir',
  designId: 'classic',
  currency: 'EUR',
  country: 'DE',
  ageYears: 33,
  method: 'courier',
  verification: { idCheck: true, otp: true, signature: true, photo: false },
  consents: ['personal_data', 'contract'],
  phoneVerified: true,
  locale: 'de',
};

// --- A world in memory: actors, a queue of messages, open effects, running timers ---

type Event = Send['event'];
type Fields = Record<string, unknown>;

const catalogues: Record<string, Record<string, TSchema>> = {
  order: contract.orderEvents,
  applicant: contract.applicantEvents,
  batch: contract.batchEvents,
  closedBatch: contract.closedBatchEvents,
  stock: contract.stockEvents,
  cardGuard: contract.cardGuardEvents,
  sweep: contract.sweepEvents,
  task: contract.taskEvents,
  delivery: contract.deliveryEvents,
  slot: contract.slotEvents,
  run: contract.runEvents,
};
const inputs: Record<string, TSchema> = {
  order: contract.orderInput,
  applicant: contract.applicantInput,
  batch: contract.batchInput,
  closedBatch: contract.closedBatchInput,
  stock: contract.stockInput,
  cardGuard: contract.cardGuardInput,
  sweep: contract.sweepInput,
  task: contract.taskInput,
  delivery: contract.deliveryInput,
  slot: contract.slotInput,
  run: contract.runInput,
};

interface Living {
  readonly machine: string;
  readonly behaviour: Behaviour;
  held: Held;
  stored: string;
  sequence: number;
}

/** Everything that is said in it is checked; the actor is reloaded before each step. */
class World {
  readonly actors = new Map<string, Living>();
  readonly announced: string[] = [];
  storedBytesMax = 0;
  readonly #t: Test;
  readonly #charts = compiled(hosted);
  readonly #queue: Send[] = [];
  readonly #open: (Step['starts'][number] & { readonly actor: string })[] = [];
  readonly #timers: (Step['timersSet'][number] & { readonly actor: string })[] = [];
  #now = 1_800_000_000_000;

  constructor(t: Test) {
    this.#t = t;
  }

  /** Sends one event, and lets everything happen that follows from messages. False when it was refused. */
  send(actor: string, event: Fields & { type: string }, create?: Send['create']): boolean {
    const applied = this.#deliver({
      namespace: 'any',
      actor: actor as ActorId,
      event: event as Event,
      ...(create === undefined ? {} : { create }),
    });
    this.#pump();
    return applied;
  }

  /** Ends the oldest open effect of that name well. */
  done(name: contract.EffectName, output: Fields = {}): void {
    const start = this.#open.find((one) => one.name === name);
    if (start === undefined) throw new Error(`${name} is not open: ${this.#open.map((one) => one.name).join(', ')}`);
    this.#open.splice(this.#open.indexOf(start), 1);
    this.#check(contract.effects[name].output, output, `output of ${name}`);
    const living = this.#living(start.actor);
    if (start.child !== null) {
      const outcome = { kind: 'done', output: output as never } as const;
      this.#step(start.actor, living, living.behaviour.outcomeEvent(start.child, outcome), {
        kind: 'effect',
        key: start.key,
      });
    }
    this.#pump();
  }

  fire(delay: string): void {
    const timer = this.#timers.find(({ id }) => id.includes(`.${delay}.`));
    if (timer === undefined) throw new Error(`${delay} does not run: ${this.#timers.map(({ id }) => id).join(', ')}`);
    this.#timers.splice(this.#timers.indexOf(timer), 1);
    this.#step(timer.actor, this.#living(timer.actor), timer.event, { kind: 'timer', id: timer.id });
    this.#pump();
  }

  states(actor: string): string {
    return JSON.stringify(this.#living(actor).held.view.value);
  }

  open(): string[] {
    return this.#open
      .filter(({ child }) => child !== null)
      .map(({ name }) => name)
      .sort();
  }

  #living(actor: string): Living {
    const living = this.actors.get(actor);
    if (living === undefined) throw new OperatingError('unknown-actor', `nobody lives under ${actor}`);
    return living;
  }

  #pump(): void {
    for (let message = this.#queue.shift(); message !== undefined; message = this.#queue.shift())
      this.#deliver(message);
  }

  #deliver({ actor, event, create }: Send): boolean {
    let living = this.actors.get(actor);
    if (living === undefined) {
      if (create === undefined)
        throw new OperatingError('unknown-actor', `${event.type} to ${actor}, which does not exist`);
      living = this.#create(actor, create);
    }
    this.#check(catalogues[living.machine]?.[event.type], event, `${event.type} to ${living.machine}`);
    return this.#step(actor, living, event);
  }

  #create(actor: ActorId, { machine, input }: NonNullable<Send['create']>): Living {
    this.#check(inputs[machine], input, `input of ${machine}`);
    const behaviour = this.#charts.byName(machine);
    const step = behaviour.start(input, { actor, sequence: 1, now: this.#now });
    const living: Living = { machine, behaviour, held: step.held, stored: step.stored, sequence: 1 };
    this.actors.set(actor, living);
    this.#commit(actor, living, step);
    return living;
  }

  #step(actor: string, living: Living, event: Event, cause?: Parameters<Behaviour['step']>[2]['cause']): boolean {
    this.#now += 1_000;
    const held = living.behaviour.restore(living.stored, living.held.record, actor as ActorId);
    const step = living.behaviour.step(held, event, {
      actor: actor as ActorId,
      sequence: living.sequence + 1,
      now: this.#now,
      cause,
    });
    living.held = step.held;
    if (step.kind === 'refused') return false;
    living.sequence += 1;
    living.stored = step.stored;
    this.#commit(actor, living, step);
    return true;
  }

  #commit(actor: string, { machine }: Living, step: Step): void {
    for (const start of step.starts) {
      this.#check(contract.effects[start.name as contract.EffectName]?.input, start.input, `input of ${start.name}`);
      this.#open.push({ ...start, actor });
    }
    this.#drop(this.#open, ({ key }) => step.stops.includes(key));
    this.#drop(this.#timers, (timer) => timer.actor === actor && step.timersCleared.some(({ id }) => id === timer.id));
    this.#timers.push(...step.timersSet.map((timer) => ({ ...timer, actor })));
    this.#queue.push(...step.sends);
    if (machine === 'order') this.storedBytesMax = Math.max(this.storedBytesMax, step.stored.length);
    if (step.announcement !== undefined) this.announced.push(step.announcement.type);
  }

  #drop<T>(list: T[], gone: (each: T) => boolean): void {
    for (let i = list.length - 1; i >= 0; i--) if (gone(list[i] as T)) list.splice(i, 1);
  }

  #check(schema: TSchema | undefined, value: unknown, what: string): void {
    const plain: unknown = JSON.parse(JSON.stringify(value));
    if (schema === undefined) return void this.#t.fail(`${what} is not in the contract`);
    const check = Compile(schema);
    if (check.Check(plain)) return void this.#t.pass(what);
    this.#t.fail(
      `${what}: ${JSON.stringify([...check.Errors(plain)].map(({ instancePath, message }) => `${instancePath} ${message}`))}`,
    );
  }
}

// --- Ways through the world ---

function placed(t: Test): World {
  const world = new World(t);
  world.send(orderId, { type: 'SUBMIT', by }, { machine: 'order', input: application as never });
  return world;
}

function printed(t: Test): World {
  const world = placed(t);
  world.done('kyc.start', { verificationId: 'ver_1' });
  world.done('aml.screen', { result: 'clear' });
  world.done('eligibility.check', { eligible: true, risk: 'low' });
  world.done('address.validate', { result: 'likely_deliverable', inZone: true });
  world.send(orderId, { type: 'KYC_APPROVED', attempt: 1, risk: 'low' });
  world.done('card.create', { cardId: 'crd_1', last4: '4242', expiry: '2031-05' });
  world.fire('editWindow');
  world.fire('cutOff');
  world.done('bureau.submit');
  const jobId = contract.jobIdOf(orderId, 1);
  world.send(orderId, { type: 'BUREAU_ACK', jobId });
  world.send(orderId, { type: 'PRINT_STARTED', jobId });
  world.send(orderId, { type: 'PRINTED', jobId, envelopeId: 'ENV-1' });
  world.done('zone.check', {
    zoneId: 'de',
    allowed: true,
    alternatives: [],
    carriers: ['emboss-couriers'],
    stopsPerRun: 25,
  });
  return world;
}

const deliveryId = contract.deliveryIdOf(orderId, 1);

const slotId = 'slt_de_20270118T0900-1300';

/** The first choice makes the slot, which asks what it is. */
function chosen(world: World): void {
  const from = 1_800_000_000_000 + 3 * 86_400_000;
  const to = from + 14_400_000;
  const isFirst = !world.actors.has(slotId);
  world.send(deliveryId, { type: 'SLOT_CHOSEN', by, slotId, from, to });
  if (isFirst) world.done('slot.terms', { offered: true, from, to, capacity: 2, leadMs: 3_600_000 });
}

function atTheDoor(world: World, booking: number): void {
  chosen(world);
  world.done('carrier.createShipment', { shipmentId: `shp_${booking}`, carrier: 'inhouse', trackingNumber: 'TR-1' });
  world.send(deliveryId, { type: 'COURIER_FOUND', courierId, seq: booking });
  world.send(deliveryId, { type: 'COURIER_ARRIVED' });
  world.send(deliveryId, { type: 'SCANNED', courierId, barcode: 'ENV-1' });
  world.send(deliveryId, { type: 'OUT_FOR_DELIVERY', courierId });
  world.send(deliveryId, { type: 'ARRIVED', courierId, distanceMetres: 12 });
}

test('DL5: an order and its delivery talk from the application to the active card, in the contract’s words', (t) => {
  const world = printed(t);
  world.done('carrier.preadvise');
  world.send(deliveryId, { type: 'ENVELOPE_READY', envelopeId: 'ENV-1' });
  atTheDoor(world, 1);
  t.match(world.states(orderId), 'outForDelivery', 'ordering hears what delivery does');
  world.send(deliveryId, { type: 'START_HANDOVER', courierId });
  world.done('otp.send');
  world.send(deliveryId, { type: 'ID_SCANNED', courierId });
  world.send(deliveryId, { type: 'OTP_CHECKED', courierId, ok: true, attempt: 1 });
  world.send(deliveryId, { type: 'SIGNATURE_CAPTURED', courierId });
  t.match(world.states(orderId), 'awaitingActivation');
  world.send(orderId, { type: 'ACTIVATE', by, proof: 'last4', last4: '4242' });
  world.done('card.activate');

  t.match(world.states(orderId), '"fulfilment":"completed"');
  t.match(world.states(contract.applicantIdOf(by)), 'known');
  t.same(world.actors.get(contract.applicantIdOf(by))?.held.view.context.active, {}, 'CO5: the key is free again');
  t.ok(world.storedBytesMax <= 2_048, `a stored order has ${world.storedBytesMax} bytes at most`);
  const statuses = world.announced
    .filter((type) => type.startsWith('order.'))
    .map((type) => type.slice('order.'.length));
  t.same(
    [...new Set(statuses)],
    [
      'draft',
      'in_review',
      'approved',
      'in_production',
      'ready_to_ship',
      'in_transit',
      'out_for_delivery',
      'delivered',
      'completed',
    ],
  );
  t.end();
});

test('DL2, CO4: three times nobody at home, and the envelope is destroyed at the end', (t) => {
  const world = printed(t);
  world.done('carrier.preadvise');
  world.send(deliveryId, { type: 'ENVELOPE_READY', envelopeId: 'ENV-1' });
  for (const attempt of [1, 2, 3]) {
    atTheDoor(world, attempt);
    world.send(deliveryId, { type: 'NO_SHOW', courierId });
  }
  world.fire('offerOverdue');
  t.match(world.states(orderId), '"fulfilment":"returning"');
  world.send(deliveryId, { type: 'RECEIVED', by: 'usr_vault', barcode: 'ENV-1', seal: 'intact' });
  world.send(orderId, { type: 'DESTROY', by: 'usr_op' });
  world.send(orderId, { type: 'DESTROYED', by: 'usr_op', witness: 'usr_op2' });
  world.done('card.close');
  t.match(world.states(orderId), '"fulfilment":"undeliverable"');
  t.match(world.states(deliveryId), '"custody":"destroyed"');
  for (const id of [orderId, deliveryId]) t.equal(world.actors.get(id)?.held.view.status, 'done');
  t.match(world.actors.get(slotId)?.held.view.context, { taken: {} }, 'DL8: every place was given back');
  t.match(world.actors.get('run_courier7_20270118')?.held.view.context, { stops: {} });
  t.end();
});

test('CO3, CO4, O-44: a cancellation meets the delivery in time, too late for a return, and too late for anything', (t) => {
  const early = printed(t);
  early.send(orderId, { type: 'CANCEL', by, reason: 'changed_mind' });
  early.done('card.suspend');
  early.done('bureau.withdraw', { outcome: 'intercepted' });
  early.done('card.close');
  t.match(early.states(orderId), '"fulfilment":"cancelled"');
  t.match(early.states(deliveryId), '"transport":"cancelled"');
  t.same(early.open(), []);

  const out = printed(t);
  out.send(deliveryId, { type: 'ENVELOPE_READY', envelopeId: 'ENV-1' });
  atTheDoor(out, 1);
  out.send(orderId, { type: 'CANCEL', by, reason: 'changed_mind' });
  t.match(out.states(deliveryId), '"returning"');
  out.done('card.suspend');
  out.done('bureau.withdraw', { outcome: 'shipped' });
  t.match(out.states(orderId), '"recalling"');
  out.send(deliveryId, { type: 'RECEIVED', by: 'usr_vault', barcode: 'ENV-1', seal: 'intact' });
  out.done('card.close');
  t.match(out.states(orderId), '"fulfilment":"cancelled"');

  const late = printed(t);
  late.send(deliveryId, { type: 'ENVELOPE_READY', envelopeId: 'ENV-1' });
  atTheDoor(late, 1);
  late.send(deliveryId, { type: 'START_HANDOVER', courierId });
  late.send(deliveryId, { type: 'ID_SCANNED', courierId });
  late.send(deliveryId, { type: 'OTP_CHECKED', courierId, ok: true, attempt: 1 });
  late.send(deliveryId, { type: 'SIGNATURE_CAPTURED', courierId });
  t.notOk(late.send(orderId, { type: 'CANCEL', by, reason: 'changed_mind' }));
  t.match(late.states(orderId), 'awaitingActivation');
  t.end();
});

test('E1: a card made for an order that was stopped meanwhile is closed, not forgotten', (t) => {
  const register = orderingCharts.find(({ name }) => name === 'order')?.invokes?.['card.create'];
  const input = { orderId } as never;
  const made = { kind: 'done', output: { cardId: 'crd_1', last4: '4242', expiry: '2031-05' } } as const;
  t.same(register?.onLate?.(made, input), {
    effect: 'card.close',
    input: { orderId, cardId: 'crd_1', reason: 'cancelled' },
  });
  t.equal(register?.onLate?.({ kind: 'failed', error: { code: 'no' } }, input), undefined);
  t.end();
});

test('E2: equal acts have equal business keys, and different acts do not', (t) => {
  const key = contract.businessKey;
  t.equal(key('card.create', { orderId } as never), orderId);
  t.not(
    key('bureau.submit', { batchId: 'b', jobId: contract.jobIdOf(orderId, 1) } as never),
    key('bureau.submit', { batchId: 'b', jobId: contract.jobIdOf(orderId, 2) } as never),
  );
  t.equal(contract.orderIdOf(deliveryId), orderId);
  t.equal(contract.orderIdOf(contract.jobIdOf(orderId, 12)), orderId);
  t.not(contract.applicantIdOf('usr_x'), contract.applicantIdOf('x'), 'no two users share an applicant');
  t.end();
});

// --- The oracle ---

const sequences = Math.max(40, Number(env.EMBOSS_ORACLE_SEQUENCES ?? 0));
const firstSeed = Number(env.EMBOSS_ORACLE_SEED ?? 40_000);
const STEPS = 60;
tap.setTimeout(1_800_000); // The whole takes minutes.

const usually = <T>(random: Random, value: T, otherwise: T): T => (random() < 0.85 ? value : otherwise);

/**
 * One event with every field that any event of the chart reads, mostly right: what fits is used, the rest is ignored. Most
 * lead on, so that a sequence sees more than the first states; one in ten is not allowed at all.
 */
function anyEvent(
  random: Random,
  types: readonly string[],
  leadOn: RegExp,
  allowed: readonly string[],
  fields: Fields,
): Event {
  const ahead = allowed.filter((type) => leadOn.test(type));
  const from =
    random() < 0.1
      ? types
      : ahead.length > 0 && random() < 0.85
        ? ahead
        : allowed.filter((type) => types.includes(type));
  return { type: pick(random, from.length > 0 ? from : types), ...fields } as Event;
}

const orderTypes = Object.keys(contract.orderEvents);
const outputs: { readonly [source: string]: readonly Fields[] } = {
  'kyc.start': [{ verificationId: 'ver_1' }],
  'aml.screen': [{ result: 'clear' }, { result: 'potential_match' }, { result: 'confirmed_match' }],
  'eligibility.check': [
    { eligible: true, risk: 'low' },
    { eligible: true, risk: 'high' },
    { eligible: false, risk: 'low' },
  ],
  'address.validate': [
    { result: 'likely_deliverable', inZone: true },
    { result: 'likely_undeliverable', inZone: true },
    { result: 'indeterminate', inZone: false },
  ],
  'credit.decide': [{ decision: 'approved' }, { decision: 'counter_offered' }, { decision: 'declined' }],
  'card.create': [{ cardId: 'crd_1', last4: '4242', expiry: '2031-05' }],
  'bureau.withdraw': [{ outcome: 'withdrawn' }, { outcome: 'shipped' }],
  'zone.check': [
    {
      ...{ zoneId: 'de', allowed: true, alternatives: [], carriers: ['a', 'b'], stopsPerRun: 9 },
      ...{ pickupPointId: 'pp_1', distanceMetres: 900 },
    },
    { zoneId: 'dd', allowed: true, alternatives: [], carriers: ['a'], stopsPerRun: 9 },
    { allowed: false, alternatives: [] },
  ],
  'slot.terms': [
    { offered: true, from: 8_000_000_000_000, to: 8_000_000_100_000, capacity: 2, leadMs: 1 },
    { offered: false },
  ],
  'carrier.createShipment': [
    { shipmentId: 'shp_1', carrier: 'inhouse', trackingNumber: 'TR-1' },
    { shipmentId: 'shp_1', carrier: 'inhouse' },
  ],
};
/** The first one usually. */
const output: NonNullable<Trial['output']> = (random, source) => {
  const all = outputs[source] ?? [{}];
  return usually(random, all[0], pick(random, all)) as never;
};

const orderTrial: Trial = {
  machine: order,
  stamp: true,
  input: (random) => ({ ...application, cardType: pick(random, ['debit', 'debit', 'credit']) }) as never,
  output,
  event: (random, allowed, view) => {
    const context = view.context as {
      kycAttempt: number;
      job: number;
      designId: string;
      delivery: { seq: number; version: number };
    };
    const { seq, version } = context.delivery;
    const kinds = ['fraud', 'legal', 'customer', 'operator', 'lost', 'stolen', 'not_received'];
    const leadOn =
      /^(SUBMIT|KEY_GRANTED|KYC_APPROVED|ADDRESS_|OFFER_ACC|REVIEW_APP|EDIT|PLASTIC_|BATCH_|BUREAU_ACK|PRINT|CORRECTED|RETRY|RELEASE|Delivery(Acc|Disp|Out|Hand|Returned)|Appoint|CHANGE_METHOD|REDELIVER|ACTIV|DESTROYED|FORCE)/;
    return anyEvent(random, orderTypes, leadOn, allowed, {
      ...{
        by: pick(random, ['usr_a', 'usr_b']),
        witness: pick(random, ['usr_a', 'usr_c']),
        reason: pick(random, ['why', 'id_mismatch']),
      },
      ...{
        kind: pick(random, kinds),
        attempt: usually(random, context.kycAttempt, 9),
        nameMatch: random() < 0.9,
        risk: pick(random, ['low', 'high']),
      },
      ...{
        jobId: usually(random, contract.jobIdOf(orderId, context.job), 'job_other'),
        fixable: random() < 0.5,
        envelopeId: 'ENV-1',
        batchId: 'bat_main_1',
      },
      ...{
        orderId,
        deliveryId,
        schemaVersion: 1,
        seq: usually(random, seq, seq + 1),
        deliveryVersion: usually(random, version + 1, version),
      },
      ...{
        slotId: 'slt_1',
        from: 1,
        to: 2,
        proof: pick(random, ['app', 'last4', 'last4_otp']),
        last4: '4242',
        existing: 'ord_b',
        method: pick(random, ['courier', 'post', 'pickup_point']),
        country: 'DE',
        addressRef: pick(random, ['ppl_b', 'ppl_c']),
        designId: usually(random, context.designId, pick(random, ['night', 'dawn'])),
      },
      ...{
        proofs: usually(random, application.verification, { ...application.verification, otp: false }),
        status: pick(random, ['in_transit', 'returned', 'delivered', 'cancelled', 'stolen']),
        next: 'decision',
        fee: pick(random, ['none', 'late']),
        seal: usually(random, 'intact', 'broken'),
        requestId: 'prv_1',
      },
    });
  },
};

const deliveryTypes = Object.keys(contract.deliveryEvents);
const deliveryTrial: Trial = {
  machine: delivery,
  stamp: true,
  input: (random) =>
    ({
      ...{
        deliveryId,
        orderId,
        seq: 1,
        envelopeId: 'ENV-1',
        personRef: 'ppl_a',
        addressRef: 'ppl_b',
        country: 'DE',
        locale: 'de',
        attemptsMax: 3,
      },
      verification: { idCheck: true, otp: random() < 0.7, signature: random() < 0.7, photo: random() < 0.3 },
      ...pick<Fields>(random, [
        { method: 'courier' },
        { method: 'courier' },
        { method: 'pickup_point' },
        { method: 'post', verification: { idCheck: false, otp: false, signature: false, photo: false } },
      ]),
    }) as never,
  output,
  event: (random, allowed, view) => {
    const context = view.context as {
      readonly attempt: number;
      readonly booking: number;
      readonly turn: number;
      readonly courierId: string | null;
      readonly runId: string | null;
    };
    const [status, rank] = pick(random, scans);
    const isRunsAnswer = context.runId !== null && random() < 0.5;
    const leadOn =
      /^(delivery\.create|SLOT_|BOARDED|TRACKING|COLLECT|REROUTE_ACC|ENVELOPE|COURIER_(FOUND|ARR)|SCANNED|OUT_FOR|ARRIVED|START_|ID_SCANNED|OTP_CHECKED|SIGNATURE_CAP|PHOTO|RETRY|FOUND|RECEIVED|delivery\.destroy)/;
    return anyEvent(random, deliveryTypes, leadOn, allowed, {
      ...{
        by: pick(random, ['usr_a', 'usr_b']),
        witness: 'usr_c',
        role: pick(random, ['customer', 'operator']),
        slotId: 'slt_1',
      },
      ...{
        from: 8_000_000_000_000,
        to: 8_000_000_100_000,
        envelopeId: 'ENV-1',
        barcode: usually(random, 'ENV-1', 'ENV-2'),
        seal: 'intact',
      },
      ...{
        courierId: usually(random, context.courierId ?? 'usr_c', 'usr_d'),
        seq: usually(random, context.booking, 99),
        distanceMetres: 12,
      },
      ...{
        ok: random() < 0.6,
        attempt: usually(random, context.attempt, 9),
        reason: pick(random, ['access_problem', 'wrong_address', 'courier_fault']),
      },
      ...{
        turn: usually(random, isRunsAnswer ? context.booking : context.turn, 99),
        runId: context.runId ?? 'run_1',
        status,
        rank,
        occurredAt: Math.floor(random() * 1_000_000),
        carrier: 'a',
        method: pick(random, ['courier', 'pickup_point', 'post']),
        addressRef: pick(random, ['ppl_b', 'ppl_c']),
        country: 'DE',
        kind: 'not_me',
      },
    });
  },
};
const scans = [
  ...(['pre_transit', 'in_transit', 'at_hub', 'out_for_delivery', 'ready_for_pickup'] as const).map(
    (status, i) => [status, 10 + 5 * i] as const,
  ),
  ...(['attempt_failed', 'delivered', 'returning', 'damaged', 'lost'] as const).map((status) => [status, 60] as const),
];

const sharedTypes = [
  ...['RESERVE', 'RELEASE_KEY', 'JOIN', 'LEAVE', 'CLOSE_BATCH', 'CUT_OFF', 'BATCH_RESULT', 'RECONCILED'],
  ...[
    'RESERVE_PLASTIC',
    'RELEASE_PLASTIC',
    'USE_PLASTIC',
    'RECEIVE_PLASTIC',
    'DeliveryStolen',
    'RETRY',
    'BEGIN',
    'SWEEP_NOW',
  ],
  ...Object.keys(contract.slotEvents),
  ...Object.keys(contract.runEvents),
];
const sharedTrial = (machine: Trial['machine'], input: Fields): Trial => ({
  machine,
  stamp: true,
  input: () => input as never,
  output,
  event: (random, allowed) =>
    anyEvent(random, sharedTypes, /./, allowed, {
      orderId: pick(random, ['ord_a', 'ord_b', 'ord_c']),
      key: pick(random, ['a', 'b']),
      quantity: pick(random, [-1, 2]),
      result: pick(random, ['printed', 'held']),
      deliveryId: pick(random, ['dlv_a', 'dlv_b', 'dlv_c']),
      turn: pick(random, [1, 2]),
      by,
    }),
});

const taskTrial: Trial = {
  machine: task,
  stamp: true,
  input: () => ({ taskId: 'tsk_a_held', subject: 'ord_a', orderId: 'ord_a', task: 'held' }),
  event: (random, allowed) =>
    anyEvent(random, Object.keys(contract.taskEvents), /./, allowed, {
      ...{ desk: 'operations', dueMs: pick(random, [1, 1_000]), ends: pick(random, ['state', 'person']) },
      ...{ by: pick(random, ['ops.a', 'ops.b']), reason: 'mended' },
    }),
};

test('C1: our charts step as live actors do, from cache and after reloads', async (t) => {
  const trials = {
    order: orderTrial,
    delivery: deliveryTrial,
    applicant: sharedTrial(applicant, { userId: by }),
    batch: sharedTrial(batch, { line: 'bat_main' }),
    closedBatch: sharedTrial(closedBatch, { batchId: 'bat_main_1', members: ['ord_a', 'ord_b', 'ord_c'] }),
    stock: sharedTrial(stock, { designId: 'classic', received: 2 }),
    cardGuard: sharedTrial(cardGuard, { orderId: 'ord_a', cardId: 'crd_a' }),
    sweep: sharedTrial(sweep, { everyMs: 900_000 }),
    slot: sharedTrial(slot, { slotId }),
    run: sharedTrial(courierRun, { runId: 'run_1', courierId, capacity: 2, until: 1 }),
    task: taskTrial,
  };
  for (const [name, trial] of Object.entries(trials)) {
    const share = name === 'order' || name === 'delivery' ? sequences : Math.ceil(sequences / 8);
    const run = oracle(trial);
    const ended: Record<string, number> = {};
    for (let seed = firstSeed; seed < firstSeed + share; seed++) {
      const verdict = await run({ seed, steps: STEPS });
      ended[verdict.ended] = (ended[verdict.ended] ?? 0) + 1;
    }
    t.comment(`${name}: ${share} sequences, seeds from ${firstSeed}: ${JSON.stringify(ended)}`);
    t.equal(ended.threw, undefined, `${name}: none throws`);
    if (name === 'order' || name === 'delivery') t.ok((ended.final ?? 0) > 0, `${name}: some reach their end`);
  }
});
