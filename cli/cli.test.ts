// The audit's checks on forged evidence, the demo's people without a system, and the command line against a real one:
// an api that is killed before it answers, and a watch that lives through a restart of the api while the demo plays.

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { Compile } from 'typebox/compile';
import { loadCatalogue, zoneAt } from '../actors/contract/catalogue.ts';
import { orderRequest } from '../actors/contract/dto.ts';
import { deliveryIdOf, orderIdOf } from '../actors/contract/index.ts';
import { charts as orderingCharts } from '../actors/ordering/registration.ts';
import { type Ledger, readLedger } from '../actors/partners/ledger.ts';
import { findCardNumbers } from '../actors/people/index.ts';
import { RestClient, RestError } from '../api/client/index.ts';
import type { ActorView, Client } from '../runtime/client.ts';
import { OutcomeUnknown } from '../runtime/errors.ts';
import { actorId, sequence } from '../runtime/ids.ts';
import type { JournalEntry } from '../runtime/messages.ts';
import { charts, snapshotHash, startRedis, waitUntil } from '../runtime/testing/index.ts';
import { parseAcks } from './audit/acknowledged.ts';
import { type AuditReport, check } from './audit/audit.ts';
import type { Ack, InvariantId, ShardEvidence, StoredActor } from './audit/evidence.ts';
import { shownAudit } from './audit/shown.ts';
import { lockFindings } from './commands/doctor.ts';
import { millisecondsOf } from './commands/time.ts';
import { Versions } from './commands/watch.ts';
import { application } from './demo/application.ts';
import { Chance } from './demo/chance.ts';
import { setControls } from './demo/controls.ts';
import { type Fate, fate, partnerOutcomes } from './demo/fate.ts';
import { killWorkers, parseKill } from './demo/kills.ts';
import { afterwards, type DeliverySight, type Move, nextMoves, type OrderSight, type Scene } from './demo/moves.ts';
import { countries } from './demo/places.ts';
import { stageTable, stageTimes } from './demo/stages.ts';
import { CliFailure } from './failure.ts';
import { type Clients, openClients } from './found.ts';
import { withPatientReads } from './reads.ts';
import { type System, startSystem } from './supervisor.ts';
import { duration, ranges, table } from './table.ts';
import { renewing } from './tokens.ts';

// --- Forged evidence: a journal of a real chart, and then something wrong with it ---

const compiled = charts(orderingCharts);
const applicant = compiled.byName('applicant');
const PERSON = actorId('apl_person');

/** Three steps of an applicant as a worker journals them, between a claim and a takeover. */
function journalOf(): { readonly entries: JournalEntry[]; readonly stored: StoredActor } {
  const scope = (at: number) => ({ actor: PERSON, sequence: at, now: 1_000 * at });
  const input = { userId: 'usr_person' };
  const events = [
    { type: 'RESERVE', orderId: 'ord_a', productCode: 'classic' },
    { type: 'RELEASE_KEY', orderId: 'ord_a', productCode: 'classic' },
  ];
  const shardEntry = (position: number, kind: JournalEntry['kind'], token: string): JournalEntry => ({
    shard: 0,
    position,
    token,
    kind,
    at: 1,
  });
  const moved = (
    position: number,
    token: string,
    at: number,
    text: string,
    more: Partial<JournalEntry>,
  ): JournalEntry => ({
    ...{
      shard: 0,
      position,
      token,
      kind: 'moved',
      actor: PERSON,
      sequence: sequence(at),
      machine: 'applicant',
      version: '1',
    },
    ...{ at: 1_000 * at, snapshotHash: snapshotHash(text) },
    ...more,
  });
  const first = applicant.start(input, scope(1));
  const second = applicant.step(first.held, events[0] as (typeof events)[0], scope(2));
  if (second.kind !== 'moved') throw new Error('refused');
  const third = applicant.step(second.held, events[1] as (typeof events)[0], scope(3));
  if (third.kind !== 'moved') throw new Error('refused');
  const answer = { kind: 'applied', version: sequence(2), counter: 1, at: 2_000 } as const;
  const entries: JournalEntry[] = [
    shardEntry(1, 'claimed', '1:aa'),
    moved(2, '1:aa', 1, first.stored, { event: { type: 'emboss.create' }, input }),
    moved(3, '1:aa', 2, second.stored, {
      event: events[0] as JournalEntry['event'] & object,
      messageId: 'k.1',
      answer,
      starts: [{ key: 'effect-1', name: 'card.create' }],
    }),
    shardEntry(4, 'claimed', '2:bb'),
    moved(5, '2:bb', 3, third.stored, { event: events[1] as JournalEntry['event'] & object }),
    { ...shardEntry(6, 'refused', '2:bb'), actor: PERSON, sequence: sequence(3), event: { type: 'NOPE' } },
  ];
  return { entries, stored: { actor: PERSON, version: 3, stored: third.stored, view: viewOf('applicant', ['known']) } };
}

const viewOf = (machine: string, states: readonly string[]): ActorView =>
  ({ machine, states, context: {}, version: 3 }) as unknown as ActorView; // The checks look at no more of it.

function ledgerOf(more: Partial<Ledger> = {}): Ledger {
  const counts = { calls: 1, repeats: 0, businessRepeats: 0, refused: 0, errors: 0, lostReplies: 0 };
  const entry = {
    effect: 'card.create',
    businessKey: 'ord_a',
    subject: 'ord_a',
    acts: 1,
    results: ['crd_x'],
    keys: ['effect-1'],
    firstAt: 1,
    lastAt: 1,
    ...counts,
  };
  const callbacks = { scheduled: 0, delivered: 0, pending: 0, abandoned: 0, withdrawn: 0, duplicates: 0, reordered: 0 };
  const world = {
    cards: { ord_a: [{ cardId: 'crd_x', state: 'inactive' }] },
    printJobs: {},
    shipments: {},
    fees: {},
    messages: 0,
    templates: {},
  };
  return { seed: '1', totals: {}, entries: [entry], world, callbacks, ...more };
}

const ACK: Ack = { actor: PERSON, key: 'key-1', scope: 'POST /x', status: 201, version: 2, counter: 1, at: '' };

interface Forgery {
  readonly shard?: (shard: ShardEvidence) => ShardEvidence;
  readonly ledger?: Ledger;
  readonly acks?: readonly Ack[];
  readonly deliveries?: readonly StoredActor[];
}

function auditOf({
  shard = (same) => same,
  ledger = ledgerOf(),
  acks = [ACK],
  deliveries = [],
}: Forgery = {}): AuditReport {
  const { entries, stored } = journalOf();
  const honest: ShardEvidence = { shard: 0, head: 6, entries, actors: [stored] };
  const deliveryShard: ShardEvidence = { shard: 0, head: 0, entries: [], actors: deliveries };
  const chartOf = (machine: string) => compiled.all.find((chart) => chart.machine === machine);
  return check({
    contexts: [
      { context: 'ordering', shards: [shard(honest)], parked: [] },
      { context: 'delivery', shards: [deliveryShard], parked: [] },
    ],
    ledger,
    acks,
    chartOf,
  });
}

const edited =
  (position: number, change: (entry: JournalEntry) => JournalEntry) =>
  (shard: ShardEvidence): ShardEvidence => ({
    ...shard,
    entries: shard.entries.map((entry) => (entry.position === position ? change(entry) : entry)),
  });
const without =
  (position: number) =>
  (shard: ShardEvidence): ShardEvidence => ({
    ...shard,
    entries: shard.entries.filter((entry) => entry.position !== position),
  });
const deliveryIn = (seq: number, state: string): StoredActor => ({
  actor: `dlv_a_${seq}`,
  version: 1,
  stored: '',
  view: viewOf('delivery', [state]),
});

t.test('the audit of honest evidence is clean, and says how much it looked at', async (t) => {
  const report = auditOf();
  t.ok(report.clean, JSON.stringify(report.violations));
  const checked = Object.fromEntries(report.invariants.map((one) => [one.id, one.checked]));
  t.same(checked, { I1: 1, I2: 3, I3: 6, I4: 1, I6: 6 });
  t.match(shownAudit(report, false), /I2.*3 steps replayed.*holds/);
});

t.test('each check of the audit can fail', async (t) => {
  const forged: readonly (readonly [string, InvariantId, RegExp, Forgery])[] = [
    [
      'an event that the chart was never sent',
      'I2',
      /another snapshot/,
      {
        shard: edited(3, (entry) => ({
          ...entry,
          event: { type: 'RESERVE', orderId: 'ord_b', productCode: 'classic' },
        })),
      },
    ],
    [
      'a step the chart refuses',
      'I2',
      /refuses/,
      { shard: edited(5, (entry) => ({ ...entry, event: { type: 'NOPE' } })) },
    ],
    ['a chart nobody knows', 'I2', /not known/, { shard: edited(2, (entry) => ({ ...entry, machine: 'stranger' })) }],
    [
      'a stored snapshot that was written by hand',
      'I2',
      /stored snapshot/,
      { shard: (shard) => ({ ...shard, actors: shard.actors.map((one) => ({ ...one, stored: `${one.stored} ` })) }) },
    ],
    ['an actor that vanished from the store', 'I3', /is not stored/, { shard: (shard) => ({ ...shard, actors: [] }) }],
    [
      'a stored actor without a journal',
      'I3',
      /no entry/,
      {
        shard: (shard) => ({
          ...shard,
          actors: [...shard.actors, { ...(shard.actors[0] as StoredActor), actor: 'apl_other' }],
        }),
      },
    ],
    [
      'a stored version that no entry reaches',
      'I3',
      /stored at version 9/,
      { shard: (shard) => ({ ...shard, actors: shard.actors.map((one) => ({ ...one, version: 9 })) }) },
    ],
    ['a missing journal position', 'I3', /follows 3/, { shard: without(4) }],
    [
      'a version that comes twice',
      'I3',
      /where 3 was due/,
      { shard: edited(5, (entry) => ({ ...entry, sequence: sequence(2) })) },
    ],
    [
      'a refusal that moved the actor',
      'I3',
      /where 3 was due/,
      { shard: edited(6, (entry) => ({ ...entry, sequence: sequence(4) })) },
    ],
    ['a journal that lost its tail', 'I3', /its record says 6/, { shard: without(6) }],
    [
      'an entry of a deposed owner',
      'I6',
      /while 2:bb owns/,
      { shard: edited(5, (entry) => ({ ...entry, token: '1:aa' })) },
    ],
    ['a claim that goes back', 'I6', /after counter 1/, { shard: edited(4, (entry) => ({ ...entry, token: '1:cc' })) }],
    ['an acknowledged step that is not there', 'I1', /no entry of the journal/, { acks: [{ ...ACK, version: 7 }] }],
    [
      'an acknowledgement by another owner than the one who committed',
      'I1',
      /no entry of the journal/,
      { acks: [{ ...ACK, counter: 5 }] },
    ],
    ['a refusal nobody journaled', 'I1', /no entry of the journal/, { acks: [{ ...ACK, status: 409 }] }],
    [
      'one step given as the answer to two commands',
      'I1',
      /was given as the answer/,
      { acks: [ACK, { ...ACK, key: 'key-2' }] },
    ],
    [
      'an effect that happened twice',
      'I4',
      /happened 2 times/,
      { ledger: ledgerOf({ entries: ledgerOf().entries.map((entry) => ({ ...entry, acts: 2 })) }) },
    ],
    [
      'an effect that no step started',
      'I4',
      /no journaled step started/,
      { ledger: ledgerOf({ entries: ledgerOf().entries.map((entry) => ({ ...entry, keys: ['made-up'] })) }) },
    ],
    [
      'two cards of one order',
      'I4',
      /2 cards/,
      {
        ledger: ledgerOf({
          world: {
            ...ledgerOf().world,
            cards: {
              ord_a: [
                { cardId: 'a', state: 'active' },
                { cardId: 'b', state: 'active' },
              ],
            },
          },
        }),
      },
    ],
    [
      'two printed envelopes of one order',
      'I4',
      /2 printed/,
      {
        ledger: ledgerOf({
          world: {
            ...ledgerOf().world,
            printJobs: {
              ord_a: ['1', '2'].map((jobId) => ({ jobId, orderId: 'ord_a', batchId: 'b', stage: 'printed' as never })),
            },
          },
        }),
      },
    ],
    [
      'two handovers of one order',
      'I4',
      /handed over 2 times/,
      { deliveries: [deliveryIn(1, 'transport.delivered'), deliveryIn(2, 'transport.delivered')] },
    ],
    [
      'two deliveries of one order at once',
      'I4',
      /2 deliveries under way/,
      { deliveries: [deliveryIn(1, 'transport.moving'), deliveryIn(2, 'transport.created')] },
    ],
  ];
  for (const [what, invariant, words, forgery] of forged) {
    const { clean, violations } = auditOf(forgery);
    t.notOk(clean, what);
    t.ok(
      violations.some((one) => one.invariant === invariant && words.test(one.words)),
      `${what}: ${JSON.stringify(violations)}`,
    );
  }
  t.ok(
    auditOf({ deliveries: [deliveryIn(1, 'transport.returned'), deliveryIn(2, 'transport.delivered')] }).clean,
    'a redelivery is no second delivery',
  );
  t.ok(
    auditOf({ acks: [ACK, ACK, { ...ACK, status: 422 }] }).clean,
    'a replayed answer is the first one; other refusals are not about a step',
  );
});

t.test('a log of acknowledgements is read line by line, and a bad line is named', async (t) => {
  t.same(parseAcks(`${JSON.stringify(ACK)}\n\n`), [ACK]);
  t.throws(() => parseAcks(`${JSON.stringify(ACK)}\n{"actor":1}\n`), /line 2/);
});

// --- The demo's people ---

t.test('applications are what the API takes, in many scripts, the same for the same seed', async (t) => {
  const isOrder = Compile(orderRequest);
  const scripts = new Set<string>();
  const phones = new Set<string>();
  for (let index = 0; index < 400; index += 1) {
    const { order, phone } = application(new Chance('seed').of(`order ${index}`), index, 1_790_000_000_000);
    const faults = [...isOrder.Errors(order)]
      .filter(({ keyword }) => keyword !== 'format')
      .map(({ instancePath, message }) => `${instancePath} ${message}`);
    if (faults.length > 0) t.fail(`${JSON.stringify(order.userInfo)}: ${faults.join(', ')}`);
    const numbers = findCardNumbers({ ...order, userInfo: { ...order.userInfo, phone: '' } });
    if (numbers.length > 0) t.fail(`looks like a card number: ${JSON.stringify(order)}`);
    for (const script of ['Latin', 'Cyrillic', 'Greek', 'Arabic', 'Han', 'Devanagari', 'Hebrew', 'Georgian', 'Hangul'])
      if (new RegExp(`\\p{Script=${script}}`, 'u').test(order.userInfo.familyName)) scripts.add(script);
    phones.add(phone);
  }
  t.ok(scripts.size >= 9, [...scripts].join(' '));
  t.equal(phones.size, 400, 'nobody shares a phone');
  t.ok(countries.length >= 12);
  const twice = [1, 2].map(() => JSON.stringify([application(new Chance('x'), 7, 0), fate(new Chance('x'))]));
  t.equal(twice[0], twice[1]);
});

const calmFate: Fate = {
  cancelsAt: undefined,
  doors: [],
  afterReturn: 'destroy',
  counterOffer: 'accept',
  reviewers: 'approve',
  possibleHit: 'left',
  waivesEditing: false,
  activates: 'by_last4',
};

const orderAt = (states: readonly string[], more: Partial<OrderSight['context']> = {}): OrderSight => ({
  actor: 'ord_a',
  version: 1,
  states: ['hold.clear', 'card.inactive', ...states],
  context: {
    card: { last4: '4242' },
    wrongTries: 0,
    firstOpinion: null,
    delivery: { seq: 1, open: true, deliveryId: 'dlv_a_1' },
    ...more,
  },
});
const deliveryAt = (states: readonly string[], attempt = 1): DeliverySight => ({
  actor: 'dlv_a_1',
  version: 1,
  states,
  context: { courierId: 'cur_anna', attempt, envelopeId: 'EMB-X' },
});
const movesIn = (order: OrderSight, more: Partial<Scene> = {}): readonly string[] =>
  nextMoves({ order, delivery: undefined, fate: calmFate, done: new Map(), ...more }).map(wordsOf);
const wordsOf = (move: Move): string => {
  if (move.kind === 'courier') return move.reason === undefined ? move.act : `${move.act} ${move.reason}`;
  if (move.kind === 'command') return `${move.by} ${move.type}`;
  return move.kind === 'review' ? `${move.by} ${move.decision}` : move.kind;
};

t.test('couriers come to every country of the demo', async (t) => {
  const catalogue = loadCatalogue();
  for (const { code } of countries) t.ok(zoneAt(catalogue, { countryCode: code })?.methods.includes('courier'), code);
});

t.test('who does what next follows from where the order stands and from its fate', async (t) => {
  const at = 'fulfilment.delivery.scheduling';
  const door = (fates: Fate['doors'], states: readonly string[], done: readonly string[] = []) =>
    movesIn(orderAt([at]), {
      delivery: deliveryAt(states),
      fate: { ...calmFate, doors: fates },
      done: new Map(done.map((name) => [name, 1])),
    });

  t.same(movesIn(orderAt(['fulfilment.production.printing'])), [], 'nothing to do while it is printed');
  t.same(movesIn(orderAt(['fulfilment.completed'])), [], 'nothing after the end');
  t.same(movesIn(orderAt(['fulfilment.manualReview.firstOpinion'])), ['reviewer approve']);
  const second = orderAt(['fulfilment.manualReview.secondOpinion'], { firstOpinion: { by: 'ops.reviewer' } });
  t.same(movesIn(second), ['second_reviewer approve'], 'four eyes');
  t.same(movesIn(orderAt(['fulfilment.handedOver.awaitingActivation'])), ['activate']);
  t.same(movesIn(orderAt(['fulfilment.destroying'])), ['operator DESTROYED']);
  t.same(
    movesIn({
      ...orderAt(['fulfilment.approved.awaitingBatch.joining']),
      states: ['hold.held.aml', 'fulfilment.approved.awaitingBatch.joining'],
    }),
    ['reviewer RELEASE'],
    'a hold for sanctions is a reviewer’s matter',
  );
  t.same(movesIn(orderAt([at]), { delivery: deliveryAt(['appointment.proposed', 'transport.awaitingEnvelope']) }), [
    'choose_slot',
  ]);

  t.same(door([], ['transport.pickup.courierArrived']), ['scan']);
  t.same(door([], ['transport.lastMile.arrived']), ['start']);
  t.same(door(['no_show'], ['transport.lastMile.arrived']), ['fail no_show']);
  t.same(door(['id_mismatch'], ['transport.handover.idCheck.pending']), ['id photo']);
  const waiting = [
    'transport.handover.idCheck.passed',
    'transport.handover.otp.sent',
    'transport.handover.signature.pending',
  ];
  t.same(door(['wrong_code_first'], waiting), ['wrong_code']);
  t.same(door(['wrong_code_first'], waiting, ['wrong_code dlv_a_1 1']), ['code']);
  t.same(door(['envelope_lost'], ['transport.lastMile.outForDelivery']), ['operator LOST_REPORTED']);
  t.same(door(['envelope_found_again'], ['transport.investigating.tracing']), ['operator FOUND']);

  const signing = deliveryAt([
    'transport.handover.idCheck.passed',
    'transport.handover.otp.verified',
    'transport.handover.signature.pending',
  ]);
  t.same(
    movesIn(orderAt([at]), { delivery: signing, fate: { ...calmFate, cancelsAt: 'door' } }),
    ['cancel', 'signature'],
    'the race of O-44',
  );
  const scan = nextMoves({
    order: orderAt([at]),
    delivery: deliveryAt(['transport.pickup.courierArrived']),
    fate: calmFate,
    done: new Map(),
  })[0];
  t.same(
    afterwards(scan as Extract<Move, { kind: 'courier' }>)?.states,
    ['transport.pickup.scanned'],
    'a courier goes on without a look',
  );
});

t.test('stages are read from journals, and percentiles from stages', async (t) => {
  const at = (ms: number, state: string, event = 'X'): JournalEntry => ({
    shard: 0,
    position: 1,
    token: '1:a',
    kind: 'moved',
    at: ms,
    states: [state],
    event: { type: event },
  });
  const order = [
    at(100, 'fulfilment.screening.aml.pending', 'SUBMIT'),
    at(150, 'fulfilment.approved.creatingCard'),
    at(400, 'fulfilment.production.submitted'),
    at(900, 'fulfilment.delivery.requesting'),
    at(1_500, 'fulfilment.handedOver.awaitingActivation'),
    at(1_600, 'fulfilment.completed'),
  ];
  const delivery = [
    at(1_100, 'x', 'SCANNED'),
    at(1_200, 'x', 'START_HANDOVER'),
    at(1_300, 'x', 'SCANNED'),
    at(1_450, 'x', 'START_HANDOVER'),
  ];
  const times = stageTimes(order, [delivery]);
  t.same(times, {
    screening: 50,
    'approval→batch': 250,
    production: 500,
    'delivery scheduling': 400,
    transit: 150,
    handover: 50,
    activation: 100,
    'whole order': 1_500,
  });
  const row = stageTable([times, { screening: 150 }], 3_600).find(({ stage }) => stage === 'screening');
  t.same(row, {
    stage: 'screening',
    count: 2,
    wallMs: { p50: 50, p99: 150 },
    domainMs: { p50: 180_000, p99: 540_000 },
  });
});

t.test('kills come one after the other, only while enough orders are in flight', async (t) => {
  t.same(parseKill('ordering=2'), { type: 'ordering', count: 2 });
  for (const bad of ['api=1', 'ordering', 'ordering=0', 'delivery=x']) t.throws(() => parseKill(bad), CliFailure);
  const killed: string[] = [];
  const stop = new AbortController();
  const done = await killWorkers({
    wishes: [{ type: 'ordering', count: 1 }],
    fleet: {
      pids: () => ({ 'ordering.1': 11, 'ordering.2': 12, 'api.1': 13 }),
      kill: (id) => killed.push(id) > 0,
      shardsOf: async (worker) => (worker === 'ordering.1' ? [] : [3, 4]),
    },
    inFlight: () => 25,
    firstAfterMs: 0,
    expectedMs: 0,
    signal: stop.signal,
    onKill: () => stop.abort(),
  });
  t.same(killed, ['ordering.2'], 'one without shards is spared');
  t.match(done, [{ worker: 'ordering.2', pid: 12, shards: [3, 4], inFlight: 25 }]);
});

t.test('tables, durations and ranges are plain text where nobody looks', async (t) => {
  t.match(table({ head: ['a'], rows: [['x'], [1]] }, false), /│ x/);
  t.notOk(table({ head: ['a'], rows: [] }, false).includes('\u001b'));
  t.same([5, 1_500, 61_000, 7_260_000, 90_000_000].map(duration), [
    '5 ms',
    '1.5 s',
    '1 min 1 s',
    '2 h 1 min',
    '1 d 1 h',
  ]);
  t.same(['90s', '1d12h', '+2w'].map(millisecondsOf), [90_000, 129_600_000, 1_209_600_000]);
  for (const wrong of ['', '3', 'd', '3 d', '-3d', '0d', '3dd'])
    t.throws(() => millisecondsOf(wrong), { message: /no stretch of time/ });
  t.equal(ranges([3, 1, 2, 7, 2]), '1-3, 7');
  const seen = new Versions();
  t.same(
    [2, 2, 1, 3].map((version) => seen.isNew({ orderId: 'o', version })),
    [true, false, false, true],
  );
});

// --- What outlives a slow answer and the end of a token ---

t.test('a read without a reply is repeated, three times in all; then the words say what was asked for', async (t) => {
  const silence = new OutcomeUnknown('no reply within 2000 ms');
  let asked = 0;
  const clientThat = (answers: (tries: number) => unknown): Client => {
    asked = 0;
    const read = async (): Promise<unknown> => {
      asked += 1;
      return answers(asked);
    };
    const actorsOf = async function* (): AsyncGenerator<string> {
      yield 'ord_a';
      await read();
      yield 'ord_b';
    };
    return withPatientReads({ shardViews: read, actorsOf } as unknown as Client, 0); // No more of it is used.
  };
  const failing = (times: number, error: Error) => (tries: number) => {
    if (tries <= times) throw error;
    return [];
  };

  t.same(await clientThat(failing(2, silence)).shardViews(), []);
  t.equal(asked, 3);
  const error = await clientThat(failing(3, silence))
    .shardViews()
    .catch((thrown: unknown) => thrown);
  t.ok(error instanceof CliFailure);
  t.match(error, { exitCode: 69, message: /3 times in a row when asked for the shards: .*no reply within 2000 ms/ });
  await t.rejects(clientThat(failing(1, new Error('our fault'))).shardViews(), /our fault/);
  t.equal(asked, 1, 'only silence is worth another try');
  const ids: string[] = [];
  for await (const id of clientThat(failing(1, silence)).actorsOf(0)) ids.push(id);
  t.same(ids, ['ord_a', 'ord_b'], 'each once, although the first try broke off');
});

t.test('a token is shared, renewed before its end, and a failed fetch is not remembered', async (t) => {
  let now = 0;
  let fetches = 0;
  let fails = true;
  const token = renewing(
    async () => {
      fetches += 1;
      if (fails) throw new Error('no issuer');
      return { token: `token ${fetches}`, expiresAt: new Date(now + 3_600_000).toISOString() };
    },
    () => now,
  );
  await t.rejects(token(), /no issuer/);
  fails = false;
  t.same(await Promise.all([token(), token()]), ['token 2', 'token 2']);
  now = 3_200_000;
  t.equal(await token(), 'token 2');
  now = 3_300_000;
  t.same(await Promise.all([token(), token()]), ['token 3', 'token 3'], 'five minutes before the end');
});

// --- The command line against a real system ---

const SLOW_MS = 40_000; // Of a busy machine: what is waited for takes a second on a quiet one.

interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Ran>;
  out(): string;
  err(): string;
}

/** Runs `emboss …` as a process of its own. `json()` of the result is the test's business. */
const emboss = (dataDir: string, args: readonly string[]): Running =>
  program('main.js', args, { NO_COLOR: '1', EMBOSS_DATA_DIR: dataDir });

/** Runs a compiled program, named from here, in the environment of a bare shell and `more`. */
function program(file: string, args: readonly string[], more: NodeJS.ProcessEnv): Running {
  const env = { PATH: process.env.PATH, HOME: process.env.HOME, ...more };
  const path = fileURLToPath(new URL(file, import.meta.url));
  const child = spawn(process.execPath, [path, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '';
  let err = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
  const ended = new Promise<Ran>((resolve) => child.once('close', (code) => resolve({ code, out, err })));
  return { child, ended, out: () => out, err: () => err };
}

const run = (dataDir: string, ...args: string[]): Promise<Ran> => emboss(dataDir, args).ended;

async function system(t: Test): Promise<System> {
  const dataDir = mkdtempSync(join(tmpdir(), 'emboss-cli-'));
  t.teardown(() => rmSync(dataDir, { recursive: true, force: true }));
  const started = await startSystem({
    dataDir,
    ports: 'free',
    scale: { ordering: 1, delivery: 1 },
    env: { REDIS_URL: '', EMBOSS_TIME_SCALE: '14400', EMBOSS_TIME_MODE: 'virtual', EMBOSS_LOG_LEVEL: 'warn' },
  });
  t.teardown(() => started.stop());
  return started;
}

t.test('the doctor looks at each lock master, and says whether a majority is there', async (t) => {
  const server = await startRedis();
  t.teardown(() => server.kill());
  const [there, away] = [server.url, 'redis://u:secret@127.0.0.1:1'];
  const look = async (...lockRedisUrls: string[]) => await lockFindings({ lockRedisUrls });
  const states = (findings: Awaited<ReturnType<typeof look>>) => findings.map(({ state }) => state);
  t.same(await look(), []);
  t.same(states(await look(there)), ['ok']);
  t.same(states(await look(there, away, there)), ['ok', 'warn', 'ok']);
  const lost = await look(away, there, away);
  t.same(states(lost), ['bad', 'ok', 'bad']);
  t.match(lost[0]?.words, /lock master 1 of 3 does not answer: .*without a majority no shard is served/);
  t.notMatch(JSON.stringify(lost), /secret/);
});

t.test('without a system, and with a wrong call, the exit codes say so', async (t) => {
  const nowhere = mkdtempSync(join(tmpdir(), 'emboss-none-'));
  t.teardown(() => rmSync(nowhere, { recursive: true, force: true }));
  const [none, wrong, unknown] = await Promise.all([
    run(nowhere, 'shards'),
    run(nowhere, 'demo', '--kill', 'ordering=1', '--orders', '5'),
    run(nowhere, 'order', 'create', '--nonsense'),
  ]);
  t.equal(none.code, 69, none.err);
  t.match(none.err, /npm start/);
  t.equal(wrong.code, 2, wrong.err);
  t.equal(unknown.code, 2, unknown.err);
  t.match(unknown.err, /nonsense/);
});

t.test('the command line against a real system', async (t) => {
  const started = await system(t);
  const { settings } = started;
  const { orderingRedisUrl, deliveryRedisUrl } = settings;
  const clients = await openClients({ settings, orderingRedisUrl, deliveryRedisUrl });
  t.teardown(() => clients.close());
  let placed: readonly Placed[] = [];
  await t.test(
    'M6: an api killed between accepting and answering: the retry gets one answer, byte for byte',
    async (t) => {
      placed = await retriedAfterKills(t, started, clients);
      await spareFromOutcomes(
        started,
        placed.map(({ orderId }) => orderId),
      );
    },
  );
  // Days pass in seconds here, and a slot has to be chosen in its time: not after the demo, but beside it.
  const booked = Promise.all(placed.map(({ orderId, customer }) => slotChosen(orderId, customer)));
  booked.catch(() => undefined); // Told by the last test.
  await t.test(
    'P2: a watch lives through a restart of the api and prints each version once, while the demo plays',
    async (t) => watchedThroughRestart(t, started, placed.length),
  );
  await t.test('a worker set to another pace than its data ends with 2, and says what to set', async (t) => {
    const env = { REDIS_URL: started.redisUrl, EMBOSS_WORKER_ID: 'ordering.9' };
    const worker = await program('../actors/ordering/main.js', [], env).ended;
    t.equal(worker.code, 2, worker.out);
    t.match(worker.err, /started with timeScale 14400, this process is set to timeScale 1; set it back to 14400/);
  });
  await t.test('M6: what was retried happened once: one card, one print job, one delivery', async (t) => {
    await booked;
    for (const { orderId } of placed) await happenedOnce(t, started, clients, orderId);
  });
  await t.test('T2: business time is moved from the command line, in both contexts, once under a key', async (t) => {
    const { dataDir } = settings;
    const before = clients.ordering.domainNow();
    for (const _ of ['once', 'and again']) {
      const gone = await run(dataDir, 'time', 'travel', '30d', '--key', 'a-month', '--json');
      t.match(JSON.parse(gone.out), {
        ordering: { travelledMs: 2_592_000_000 },
        delivery: { travelledMs: 2_592_000_000 },
      });
    }
    const shown = JSON.parse((await run(dataDir, 'time', '--json')).out) as { contexts: { now: string }[] };
    for (const { now } of shown.contexts) t.ok(Date.parse(now) - before >= 2_592_000_000, now);
    t.equal((await run(dataDir, 'time', 'travel')).code, 2, 'how far?');
  });
});

/** An order whose first answer was lost with the api process that owed it. */
interface Placed {
  readonly orderId: string;
  readonly customer: RestClient;
}

/**
 * Two customers, two kills of the api. The first dies while the order's message lies in the inbox, the second after the order was
 * committed: frozen meanwhile, so that it cannot have answered. Nothing else runs yet, so all that waits is theirs.
 */
async function retriedAfterKills(t: Test, started: System, { ordering }: Clients): Promise<readonly Placed[]> {
  const issuer = new RestClient({ baseUrl: started.urls.internal });
  const customers = await Promise.all(
    [1, 2].map(async (number) => {
      const options = {
        baseUrl: started.urls.public,
        token: await issuer.developmentToken(`usr_retries${number}`, 'customer'),
      };
      const { order } = application(new Chance('retries').of(`order ${number}`), number, 1_790_000_000_000);
      const place = (client: RestClient) => client.createOrder(order, `lost-${number}`);
      return { once: new RestClient({ ...options, attemptsMax: 1 }), patient: new RestClient(options), place };
    }),
  );
  const [first, second] = customers;
  if (first === undefined || second === undefined) throw new Error('two were made');
  const lag = async (): Promise<number> => (await ordering.shardViews()).reduce((sum, shard) => sum + shard.lag, 0);
  const lies = (count: number): Promise<unknown> =>
    waitUntil(`${count} messages to lie in the inboxes`, async () => (await lag()) === count, { deadlineMs: SLOW_MS });
  const lost = (call: Promise<unknown>) => t.rejects(call, { message: /status 0/ }, 'nothing was answered');

  await started.stopProcesses(['ordering.1']);
  const inbox = lost(first.place(first.once));
  await lies(1);
  started.kill('api.1');
  await inbox;
  await waitUntil('another api', async () => (await fetch(`${started.urls.public}/readyz`)).ok, {
    deadlineMs: SLOW_MS,
  });

  const committed = lost(second.place(second.once));
  await lies(2);
  started.kill('api.1', 'SIGSTOP');
  const killed = lies(0).then(() => started.kill('api.1'));
  await Promise.all([started.startProcesses(['ordering.1']), killed, committed]);

  return Promise.all(customers.map(({ patient, place }) => answeredTwice(t, ordering, patient, place)));
}

/** The retry and a further one are told the same, as a replay, and the order has been created once. */
async function answeredTwice(
  t: Test,
  ordering: Clients['ordering'],
  customer: RestClient,
  place: (client: RestClient) => ReturnType<RestClient['createOrder']>,
): Promise<Placed> {
  const retry = await place(customer);
  const again = await place(customer);
  const { orderId } = retry.body;
  t.strictSame([retry.status, retry.replayed, again.replayed], [201, true, true]);
  t.match(retry, { location: `/api/v1/orders/${orderId}`, etag: /^"v\d+-\d+"$/ });
  t.strictSame(
    [again.status, again.text, again.location, again.etag],
    [201, retry.text, retry.location, retry.etag],
    'the same bytes',
  );
  const types = (await ordering.history(actorId(orderId))).map(({ event }) => event?.type);
  t.same(
    types.filter((type) => type === 'emboss.create' || type === 'SUBMIT'),
    ['emboss.create', 'SUBMIT'],
  );
  return { orderId, customer };
}

/** Says of these orders that no partner has anything against them, whatever the rates of the demo will be. */
async function spareFromOutcomes(started: System, orderIds: readonly string[]): Promise<void> {
  const never = Object.fromEntries(Object.keys(partnerOutcomes).map((outcome) => [outcome, 0]));
  const subjects = orderIds.flatMap((orderId) => [orderId, deliveryIdOf(orderId, 1)]);
  await setControls(started.urls.simulator, { overrides: Object.fromEntries(subjects.map((id) => [id, never])) });
}

/** Chooses a slot as soon as some are on offer; one that is gone meanwhile is refused, and the next is tried. */
async function slotChosen(orderId: string, customer: RestClient): Promise<void> {
  let tries = 0;
  await waitUntil(
    'a slot to be ours',
    async () => {
      try {
        const last = (await customer.slots(orderId)).body.data.at(-1);
        tries += 1;
        return last && (await customer.chooseSlot(orderId, last.slotId, `slot-${tries}`));
      } catch (error) {
        if (error instanceof RestError) return undefined; // Gone meanwhile, or the api is: it is killed once more beside us.
        throw error;
      }
    },
    { deadlineMs: SLOW_MS },
  );
}

/** The order goes its way until a courier is booked; then the partners' books are counted by business key. */
async function happenedOnce(t: Test, started: System, { delivery }: Clients, orderId: string): Promise<void> {
  const deliveryId = deliveryIdOf(orderId, 1);
  const { world, entries } = await waitUntil(
    'a shipment',
    async () => {
      const ledger = await readLedger(started.urls.simulator);
      return ledger.world.shipments[deliveryId] === undefined ? undefined : ledger;
    },
    { deadlineMs: SLOW_MS },
  );
  const booked = Object.keys(world.shipments).filter((id) => orderIdOf(id) === orderId);
  t.same(booked, [deliveryId]);
  const counts = [world.cards[orderId], world.printJobs[orderId], world.shipments[deliveryId]].map(
    (all) => all?.length,
  );
  t.same(counts, [1, 1, 1], 'one card, one print job, one shipment');
  const own = entries.filter(({ subject }) => subject === orderId || subject === deliveryId);
  for (const effect of ['card.create', 'bureau.submit', 'carrier.createShipment'])
    t.same(
      own.filter((entry) => entry.effect === effect).map(({ acts }) => acts),
      [1],
      effect,
    );
  t.same(
    own.filter(({ acts }) => acts > 1),
    [],
  );
  t.equal(await delivery.read(actorId(deliveryIdOf(orderId, 2))), undefined, 'one delivery');
}

/** A watch beside the demo, with `before` orders placed earlier. */
async function watchedThroughRestart(t: Test, started: System, before: number): Promise<void> {
  const dataDir = started.settings.dataDir;
  const acks = join(dataDir, 'acks.ndjson');
  const watch = emboss(dataDir, ['watch', '--json']);
  t.teardown(() => void watch.child.kill('SIGKILL'));
  const placed = JSON.parse((await run(dataDir, 'order', 'create', '--json', '--seed', 'cli', '--key', 'cli-1')).out);
  const orderId: string = placed.order.orderId;
  await waitUntil('the watch to see an order', () => watch.out().includes(orderId) || undefined, {
    deadlineMs: SLOW_MS,
    diagnose: watch.out,
  });

  const demo = emboss(dataDir, ['demo', '--orders', '6', '--seed', '3', '--json', '--acks', acks]);
  t.teardown(() => void demo.child.kill('SIGKILL'));
  const seen = (): number => new Set(linesOf(watch.out()).map((line) => line.orderId)).size;
  await waitUntil('orders of the demo to be in flight', () => seen() > before + 4 || undefined, {
    deadlineMs: SLOW_MS,
    diagnose: () => [watch.out(), demo.err()],
  });
  await started.stopProcesses(['api.1']);
  await started.startProcesses(['api.1']);
  await commandsOverOne(t, dataDir, orderId);

  const played = await demo.ended;
  t.equal(played.code, 0, played.err);
  const report = JSON.parse(played.out);
  t.ok(report.ok && report.audit.clean, played.out);
  t.equal(
    Object.values(report.outcomes as Record<string, number>).reduce((sum, count) => sum + count, 0),
    6,
  );
  await everyVersionOnce(t, dataDir, watch.out, orderId, acks);
  watch.child.kill('SIGINT');
  t.equal((await watch.ended).code, 0, 'Ctrl-C is how a watch ends');
  await lookedAfter(t, dataDir, acks, before + 8);
}

/** Order commands beside the running demo. */
async function commandsOverOne(t: Test, dataDir: string, orderId: string): Promise<void> {
  const again = JSON.parse(
    (await run(dataDir, 'order', 'create', '--json', '--seed', 'cli', '--key', 'cli-1', '--user', 'usr_nobody')).out,
  );
  t.not(again.order.orderId, orderId, 'another customer has other keys');
  const [shown, unknown, refused, cancelled] = await Promise.all([
    run(dataDir, 'order', 'show', orderId),
    run(dataDir, 'order', 'show', 'ord_unknown'),
    run(dataDir, 'order', 'send', again.order.orderId, 'CORRECTED'),
    run(dataDir, 'order', 'cancel', again.order.orderId, '--json'),
  ]);
  t.match(shown, { code: 0, out: /states/ });
  t.match(unknown, { code: 1, err: /P-23/ });
  t.match(refused, { code: 1, err: /allowed now/ });
  t.match(cancelled, { code: 0, out: /cancel/ }, cancelled.err);
}

/** What the watch printed of each order is what the order's own timeline says: from the first version on, none twice. */
async function everyVersionOnce(
  t: Test,
  dataDir: string,
  out: () => string,
  orderId: string,
  acks: string,
): Promise<void> {
  const orders = new Set(
    parseAcks(readFileSync(acks, 'utf8'))
      .map(({ actor }) => actor)
      .filter((actor) => actor.startsWith('ord_')),
  );
  for (const order of [...orders].slice(0, 3)) {
    const { entries } = JSON.parse((await run(dataDir, 'order', 'history', order, '--json')).out) as {
      entries: JournalEntry[];
    };
    const told = entries.map((entry) => entry.sequence);
    const printed = (): number[] =>
      linesOf(out())
        .filter((line) => line.orderId === order)
        .map((line) => line.version);
    await waitUntil('the last version to be printed', () => printed().at(-1) === told.at(-1) || undefined);
    t.same(printed(), told, `${order}: each version once and in order`);
  }
  t.ok(linesOf(out()).some((line) => line.orderId === orderId));
}

const linesOf = (out: string): readonly { readonly orderId: string; readonly version: number }[] =>
  out.split('\n').flatMap((line) => (line.endsWith('}') ? [JSON.parse(line)] : []));

/** The operator's commands: readable, and right about a system at rest. */
async function lookedAfter(t: Test, dataDir: string, acks: string, orders: number): Promise<void> {
  const [audited, shards, workers, parked, timers, listed, redrive] = await Promise.all([
    run(dataDir, 'audit', '--json', '--acks', acks),
    run(dataDir, 'shards', '--json'),
    run(dataDir, 'workers'),
    run(dataDir, 'parked'),
    run(dataDir, 'timers', '--json'),
    run(dataDir, 'order', 'list', '--json'),
    run(dataDir, 'redrive', 'ord_x'),
  ]);
  t.equal(audited.code, 0, audited.out + audited.err);
  t.ok(
    JSON.parse(audited.out).invariants.every((one: { checked: number }) => one.checked > 0),
    audited.out,
  );
  t.equal(JSON.parse(shards.out).shards.length, 128);
  t.match(workers.out, /ordering\.1 *│ alive/);
  t.match(parked.out, /No actor is parked/);
  t.ok(JSON.parse(timers.out).timers.length > 0);
  t.equal(JSON.parse(listed.out).total, orders);
  t.match(redrive, { code: 1, err: /not parked/ });
  await keysLookedAfter(t, dataDir);

  const [unknown, nowhere, usage] = await Promise.all([
    run(dataDir, 'shards', 'pin', 'ord:7', 'ordering.9'),
    run(dataDir, 'shards', 'pin', 'ord:64', 'ordering.1'),
    run(dataDir, 'shards', 'pin', '7', 'ordering.1'),
  ]);
  t.match(unknown, { code: 1, err: /no worker is called ordering\.9; there are: .*ordering\.1/ });
  t.match(nowhere, { code: 1, err: /from 0 to 63/ });
  t.match(usage, { code: 2, err: /ord:7/ });
  t.match(await run(dataDir, 'shards', 'pin', 'ord:7', 'ordering.1'), { code: 0, out: /ordering\.1, which serves it/ });
  t.match(await run(dataDir, 'shards', '--all'), { code: 0, out: /pinned to ordering\.1/ });
  t.match(await run(dataDir, 'shards', 'unpin', 'ord:7'), { code: 0, out: /free again/ });
}

/** Keys of the persons who ordered: counted, rotated to what they are, and replaced, with everything readable after. */
async function keysLookedAfter(t: Test, dataDir: string): Promise<void> {
  const [status, rotated, stranger, known, both, waiting, destroyed] = await Promise.all([
    run(dataDir, 'keys', 'status', '--json'),
    run(dataDir, 'keys', 'rotate', '--json'),
    run(dataDir, 'keys', 'rekey', 'usr_stranger', '--json'),
    run(dataDir, 'keys', 'rekey', 'usr_nobody', '--json'),
    run(dataDir, 'keys', 'rekey'),
    run(dataDir, 'privacy', 'waiting'),
    run(dataDir, 'privacy', 'destroyed', '--json'),
  ]);
  const { current, persons } = JSON.parse(status.out);
  t.ok(current === 'dev' && persons.dev > 1, status.out + status.err);
  t.same(JSON.parse(rotated.out), { persons: persons.dev, changed: 0, records: 0, failed: [] });
  t.match(JSON.parse(stranger.out), { changed: 0, records: 0 });
  t.match(JSON.parse(known.out), { changed: 1 }, 'who has ordered above');
  t.equal(both.code, 2, both.err);
  t.match(waiting.out, /No request waits/);
  t.same(JSON.parse(destroyed.out), { destroyed: [] });
  const all = await run(dataDir, 'keys', 'rekey', '--all', '--json');
  t.match(JSON.parse(all.out), { changed: persons.dev, failed: [] });
}
