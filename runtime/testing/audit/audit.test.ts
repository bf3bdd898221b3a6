// Goal: the audit is clean of what is so, and finds what is not. Method: evidence of a real chart, written by hand and then
// forged, once for each thing that a check looks at; and real workers on a private server, over a proxy that loses replies,
// with clients, a watcher and a partner who note what they saw, and a server that loses its tail.

import t from 'tap';
import type { AskOutcome, ShardLeftovers } from '../../client.ts';
import { effect } from '../../hosting.ts';
import { type ActorId, actorId, sequence } from '../../ids.ts';
import type { Event } from '../../json.ts';
import type { Answer, JournalEntry } from '../../messages.ts';
import type { Connection } from '../../redis/connection.ts';
import { connect as connectRedis } from '../../redis/connector.ts';
import { charts } from '../../statechart/charts.ts';
import { snapshotHash } from '../../statechart/definition.ts';
import { startRedisProxy } from '../redis-proxy.ts';
import { startRedis } from '../redis-server.ts';
import { trialChart } from '../trial-chart.ts';
import { TrialSpace } from '../trial-space.ts';
import { audit, check } from './audit.ts';
import { readProcess } from './baseline.ts';
import type {
  Evidence,
  HistoryModel,
  LedgerAct,
  NamespaceEvidence,
  ShardEvidence,
  Sight,
  SubscriberLog,
} from './evidence.ts';
import type { InvariantId } from './findings.ts';
import type { History, Operation, Outcome } from './history.ts';
import { tally } from './models.ts';
import { HistoryRecorder, type RecordedClient } from './recorder.ts';

// --- Honest evidence -----------------------------------------------------------------------------------------------------

const compiled = charts([trialChart()]);
const chart = compiled.byName('tally');
const A = actorId('act_a');
const KEY = 'act_a:4:0:d1';

type Entry = Partial<JournalEntry> & Pick<JournalEntry, 'kind' | 'token'>;

/** What the tally A does in four steps, under two owners. */
function journalOf(): { readonly entries: readonly JournalEntry[]; readonly stored: string } {
  const events: readonly Event[] = [
    { type: 'ADD', id: 'x' },
    { type: 'ADD', id: 'y' },
    { type: 'POST', id: 'p' },
  ];
  const first = chart.start({}, { actor: A, sequence: 1, now: 1_000 });
  let { held } = first;
  const texts = [first.stored];
  for (const [index, event] of events.entries()) {
    const step = chart.step(held, event, { actor: A, sequence: index + 2, now: 1_000 * (index + 2) });
    if (step.kind !== 'moved') throw new Error(`${event.type} is refused`);
    held = step.held;
    texts.push(step.stored);
  }
  const moved = (token: string, at: number, more: Partial<JournalEntry>): Entry => ({
    ...{ kind: 'moved', token, actor: A, sequence: sequence(at), machine: 'tally', version: '1', at: 1_000 * at },
    ...{ snapshotHash: snapshotHash(texts[at - 1] ?? ''), ...more },
  });
  const applied = (version: number, counter: number): Answer => ({
    ...{ kind: 'applied', version: sequence(version), counter, at: 1_000 * version },
  });
  const told = { announcement: { type: 'counted', data: {} } };
  const entries: readonly Entry[] = [
    { kind: 'claimed', token: '1:aa' },
    moved('1:aa', 1, { event: { type: 'emboss.create' }, input: {}, ...told }),
    moved('1:aa', 2, { event: events[0] as Event, messageId: 'm1', answer: applied(2, 1), ...told }),
    { kind: 'released', token: '1:aa' },
    { kind: 'claimed', token: '2:bb' },
    moved('2:bb', 3, { event: events[1] as Event, messageId: 'm2', answer: applied(3, 2), ...told }),
    {
      ...{ kind: 'refused', token: '2:bb', actor: A, sequence: sequence(3), event: { type: 'NOPE' }, messageId: 'm3' },
      answer: { kind: 'refused', reason: 'no', version: sequence(3), counter: 2, allowed: [] },
    },
    moved('2:bb', 4, { event: events[2] as Event, messageId: 'm4', starts: [{ key: KEY, name: 'post' }] }),
  ];
  return {
    entries: entries.map((one, index) => ({ shard: 0, position: index + 1, at: 1, ...one })),
    stored: texts[3] ?? '',
  };
}

const command = (
  messageId: string,
  times: readonly [number, number?],
  outcome: Outcome,
  id = messageId,
): Operation => ({
  ...{ actor: A, process: 'p1', kind: 'command', messageId, event: { type: 'ADD', id }, invokedAt: times[0], outcome },
  returnedAt: times[1],
});
const read = (times: readonly [number, number], version: number, seen: readonly string[]): Operation => ({
  ...{ actor: A, process: 'p2', kind: 'read', invokedAt: times[0], returnedAt: times[1] },
  outcome: { kind: 'read', version, seen },
});

const history: readonly Operation[] = [
  command('m1', [0, 10], { kind: 'applied', version: 2, counter: 1 }, 'x'),
  read([11, 12], 2, ['x']),
  command('m2', [13], { kind: 'unknown' }, 'y'),
  command('m2', [20, 30], { kind: 'applied', version: 3, counter: 2 }, 'y'),
  { ...command('m3', [31, 32], { kind: 'refused', version: 3, counter: 2 }), event: { type: 'NOPE' } },
  read([33, 34], 3, ['x', 'y']),
  command('m8', [35, 36], { kind: 'rejected' }),
  command('m9', [37], { kind: 'unknown' }),
];

const told = (version: number, previous?: number): Sight => ({
  ...{ kind: 'told', actor: A, version },
  ...(previous === undefined ? {} : { previous }),
});
const resumed = (after: number): Sight => ({ kind: 'resumed', actor: A, after });

const watcher: SubscriberLog = {
  ...{ name: 'watcher', of: 'versions', everything: true, caughtUp: true },
  sights: [told(1), told(2), resumed(2), told(3), told(4)],
};
const customer: SubscriberLog = {
  ...{ name: 'customer', of: 'announcements', caughtUp: true },
  sights: [resumed(0), told(1, 0), { kind: 'snapshot', actor: A, version: 2 }, resumed(2), told(3, 2)],
};

const ledger: readonly LedgerAct[] = [
  { name: 'post', key: KEY, attempt: 1, actor: A, businessKey: 'letter of a' },
  { name: 'post', key: KEY, attempt: 2, actor: A, businessKey: 'letter of a' },
];

const leftovers: ShardLeftovers = {
  ...{ shard: 0, group: '2:bb', groups: [{ name: '2:bb', pending: 0 }], unread: 0, backlog: 0, open: 0 },
  ...{ due: 1, rows: 1, effects: 0, attempts: 0, lanesIn: { 'n:0>n:0': '2:bb|1' }, lanesOut: { 'n:0>n:0': '2:bb|1' } },
};

function honest(): Evidence {
  const { entries, stored } = journalOf();
  const shard: ShardEvidence = { shard: 0, head: 8, entries, actors: [{ actor: A, version: 4, stored }] };
  return {
    ...{ namespaces: [{ namespace: 'n', shards: [shard], parked: [], leftovers: [leftovers] }], quiet: true },
    ...{ chartOf: (machine) => (machine === 'tally' ? chart : undefined), modelOf: () => tally },
    ...{ history, subscribers: [watcher, customer], ledger, before: { handles: 5 }, after: { handles: 5 } },
  };
}

// --- Forgeries -----------------------------------------------------------------------------------------------------------

type Forge = (evidence: Evidence) => Evidence;

const inNamespace =
  (change: (namespace: NamespaceEvidence) => Partial<NamespaceEvidence>): Forge =>
  (evidence) => ({ ...evidence, namespaces: evidence.namespaces.map((one) => ({ ...one, ...change(one) })) });
const inShard = (change: (shard: ShardEvidence) => Partial<ShardEvidence>): Forge =>
  inNamespace(({ shards }) => ({ shards: shards.map((one) => ({ ...one, ...change(one) })) }));
const entry = (position: number, more: Partial<JournalEntry>): Forge =>
  inShard(({ entries }) => ({
    entries: entries.map((one) => (one.position === position ? { ...one, ...more } : one)),
  }));
const without = (position: number): Forge =>
  inShard(({ entries }) => ({ entries: entries.filter((one) => one.position !== position) }));
const appended = (more: Entry): Forge =>
  inShard(({ entries }) => ({ entries: [...entries, { shard: 0, position: entries.length + 1, at: 2_000, ...more }] }));
const stored = (more: object): Forge =>
  inShard(({ actors }) => ({ actors: actors.map((one) => ({ ...one, ...more })) }));
const left = (more: Partial<ShardLeftovers>): Forge => inNamespace(() => ({ leftovers: [{ ...leftovers, ...more }] }));
const given =
  (more: Partial<Evidence>): Forge =>
  (evidence) => ({ ...evidence, ...more });
const operations = (...more: readonly Operation[]): Forge => given({ history: [...history, ...more] });
const watched = (...sights: readonly Sight[]): Forge =>
  given({ subscribers: [{ ...watcher, caughtUp: false, sights }] });
/** Positions with their tokens as a reader of the journal was told them, or `rewound` to one. */
const readAs = (...told: readonly (readonly [position: number, token: string])[]): Forge => {
  const entries = told.map(([position, token]) => ({
    ...{ shard: 0, position, token, kind: token === 'rewound' ? ('rewound' as const) : ('moved' as const) },
  }));
  return given({ subscribers: [{ ...watcher, journals: { namespace: 'n', entries } }] });
};
const firstFour = [1, 2, 3, 4].map((position) => [position, '1:aa'] as const);
const followed = (...sights: readonly Sight[]): Forge => given({ subscribers: [{ ...customer, sights }] });
const rows = (...more: readonly Partial<LedgerAct>[]): Forge =>
  given({ ledger: more.map((one) => ({ name: 'post', key: KEY, actor: A, ...one })) });

const parked = { actor: A, shard: 0, mode: 'parked', cause: {}, waiting: 2, at: 1 } as const;

const forgeries: readonly (readonly [what: string, InvariantId, RegExp, Forge])[] = [
  [
    'an acknowledged command that is nowhere',
    'I1',
    /m7 .*version 5.* no entry/,
    operations(command('m7', [40, 41], { kind: 'applied', version: 5, counter: 2 })),
  ],
  [
    'an answer at another version',
    'I1',
    /no entry.*position 3 answered it applied at version 9/,
    entry(3, { answer: { kind: 'applied', version: sequence(9), counter: 1, at: 1 } }),
  ],
  [
    'an answer under another token',
    'I1',
    /no entry/,
    given({ acknowledged: [command('m2', [0, 1], { kind: 'applied', version: 3, counter: 1 })] }),
  ],
  [
    'a refusal that nobody journaled',
    'I1',
    /m7 .*refused.* no entry/,
    operations(command('m7', [40, 41], { kind: 'refused', version: 4 })),
  ],
  [
    'a parking that nobody journaled',
    'I1',
    /m7 .*parked.* no entry/,
    operations(command('m7', [40, 41], { kind: 'parked', version: 4 })),
  ],
  [
    'a rejected command that was applied',
    'I1',
    /m1 .*was rejected, and position 3/,
    given({ history: [command('m1', [0, 10], { kind: 'rejected' })] }),
  ],
  [
    'one step for two commands',
    'I1',
    /version 2 was given as the answer/,
    given({
      acknowledged: ['a', 'b'].map((name) => ({
        ...command('m1', [0, 1], { kind: 'applied', version: 2 }),
        messageId: undefined,
        command: name,
      })),
    }),
  ],
  [
    'one command answered twice',
    'I1',
    /m1 was answered at position 3 .* and at 9/,
    appended({
      kind: 'refused',
      token: '2:bb',
      actor: A,
      sequence: sequence(4),
      messageId: 'm1',
      answer: { kind: 'refused', reason: '', version: sequence(4), counter: 2, allowed: [] },
    }),
  ],
  [
    'an event that was never sent',
    'I2',
    /step 3 \(ADD\) replays to another snapshot/,
    entry(6, { event: { type: 'ADD', id: 'z' } }),
  ],
  ['a step the chart refuses', 'I2', /cannot be replayed at step 3: .*refuses/, entry(6, { event: { type: 'NOPE' } })],
  ['a chart nobody knows', 'I2', /"stranger" is not known/, entry(2, { machine: 'stranger' })],
  ['a snapshot written by hand', 'I2', /stored snapshot of version 4/, stored({ stored: '{}' })],
  ['a missing position', 'I3', /position 5 follows 3/, without(4)],
  [
    'a version that comes twice',
    'I3',
    /position 6 \(moved\) has version 2 where 3/,
    entry(6, { sequence: sequence(2) }),
  ],
  ['a refusal that counts', 'I3', /position 7 \(refused\) has version 4 where 3/, entry(7, { sequence: sequence(4) })],
  ['a journal without its end', 'I3', /ends at 7, its record says 8/, without(8)],
  ['a stored version no entry has', 'I3', /stored at version 9/, stored({ version: 9 })],
  ['an actor that is gone', 'I3', /is not stored/, inShard(() => ({ actors: [] }))],
  [
    'an actor from nowhere',
    'I3',
    /no entry in the journal/,
    inShard(({ actors }) => ({ actors: [...actors, { actor: 'act_b', version: 1, stored: '' }] })),
  ],
  ['an act that happened twice', 'I4', /happened 2 times \(l1, l2\)/, rows({ acts: 2, results: ['l1', 'l2'] })],
  [
    'one act under two keys',
    'I4',
    /happened 2 times/,
    rows({ businessKey: 'l' }, { key: 'act_a:4:1:d2', businessKey: 'l' }),
  ],
  [
    'one effect under two keys',
    'I4',
    /asked for under act_a:4:0:d1 and under act_a:4:0:d2/,
    rows({}, { key: 'act_a:4:0:d2' }),
  ],
  ['an attempt that was made twice', 'I4', /attempt 1 was made twice/, rows({ attempt: 1 }, { attempt: 1 })],
  [
    'an effect that no step started',
    'I4',
    /act_a:9:0:d1, which no journaled step started/,
    rows({ key: 'act_a:9:0:d1' }),
  ],
  [
    'an effect that two steps started',
    'I4',
    /started at position 8 under .* and at 6/,
    entry(6, { starts: [{ key: KEY, name: 'post' }] }),
  ],
  ['a version told twice', 'I5', /version 2 twice/, watched(told(1), told(2), told(2))],
  ['a version told again after a resume', 'I5', /version 2 twice/, watched(told(1), told(2), resumed(2), told(2))],
  ['versions out of order', 'I5', /version 1 after 2/, watched(told(2), told(1))],
  ['a version left out', 'I5', /version 3 after 1: version 2 is missing/, watched(told(1), told(3))],
  ['a version left out over a resume', 'I5', /version 4 after 2: version 3 is missing/, watched(resumed(2), told(4))],
  ['a version that never was', 'I5', /version 7, which no entry/, watched(told(1), resumed(6), told(7))],
  [
    'a picture that goes back',
    'I5',
    /shown version 1 after 3/,
    followed(resumed(3), { kind: 'snapshot', actor: A, version: 1 }, resumed(3)),
  ],
  [
    'an announcement that skips one',
    'I5',
    /which follows 2, after 1/,
    (evidence) => followed(resumed(1), told(3, 2))(entry(3, { announcement: undefined as never })(evidence)),
  ],
  [
    'an end that was not told',
    'I5',
    /up to version 2, and the journal goes on to 3/,
    followed(resumed(0), told(1), told(2)),
  ],
  ['a position left out', 'I5', /position 4 after 2/, readAs([1, '1:aa'], [2, '1:aa'], [4, '1:aa'])],
  [
    'what was undone and is another entry by now',
    'I5',
    /position 5 under 1:zz, the journal has 2:bb, and no rewind/,
    readAs(...firstFour, [5, '1:zz'], [6, '2:bb'], [7, '2:bb'], [8, '2:bb']),
  ],
  [
    'an end of a journal that was not read',
    'I5',
    /up to position 7, and the journal goes on to 8/,
    readAs(...firstFour, [5, '2:bb'], [6, '2:bb'], [7, '2:bb']),
  ],
  ['what stays unread behind a rewind', 'I5', /position 8 after 6/, readAs([9, '1:zz'], [6, 'rewound'], [8, '2:bb'])],
  ['a rewind out of the blue', 'I5', /1 times of a rewind/, watched(told(1), { kind: 'rewound' })],
  ['an entry of a deposed owner', 'I6', /position 6 bears token 1:aa while 2:bb/, entry(6, { token: '1:aa' })],
  ['a claim that goes back', 'I6', /claimed with 1:cc after counter 1/, entry(5, { token: '1:cc' })],
  [
    'a read that goes back',
    'I7',
    /no order .*\(tally\).*read of p2 \(read at version 2/,
    operations(read([40, 41], 2, ['x'])),
  ],
  ['a read of what nobody added', 'I7', /no order/, operations(read([40, 41], 5, ['x', 'y', 'ghost']))],
  ['a read in another order', 'I7', /no order/, operations(read([40, 41], 4, ['y', 'x']))],
  ['a read of what was rejected', 'I7', /no order/, operations(read([40, 41], 4, ['x', 'y', 'm8']))],
  [
    'an applied command that no later read shows',
    'I7',
    /no order/,
    operations(command('m7', [40, 41], { kind: 'applied', version: 4, counter: 2 }), read([42, 43], 5, ['x', 'y'])),
  ],
  [
    'two groups of one inbox',
    'I8',
    /\[1:aa, 2:bb\]/,
    left({
      groups: [
        { name: '1:aa', pending: 0 },
        { name: '2:bb', pending: 0 },
      ],
    }),
  ],
  ['no group at all', 'I8', /consumer groups \[\]/, left({ groups: [] })],
  ['a group of nobody', 'I8', /never claimed/, left({ group: undefined })],
  ['a pending entry', 'I8', /1 entries are pending/, left({ groups: [{ name: '2:bb', pending: 1 }] })],
  ['an unread entry', 'I8', /2 inbox entries/, left({ unread: 2 })],
  ['a counter that leaks', 'I8', /-1 messages stand in the backlog counter of the shard/, left({ backlog: -1 })],
  ['an actor’s counter that leaks', 'I8', /1 messages stand in the backlog counters of its actors/, left({ open: 1 })],
  ['an open effect', 'I8', /1 effects are open/, left({ effects: 1, due: 2 })],
  ['an attempt nobody forgot', 'I8', /1 attempts/, left({ attempts: 1 })],
  ['a row without a due time', 'I8', /1 due times have no row/, left({ rows: 2 })],
  [
    'a record on its way',
    'I8',
    /sent up to 2:bb\|2, received up to 2:bb\|1/,
    left({ lanesOut: { 'n:0>n:0': '2:bb|2' } }),
  ],
  ['a parked actor', 'I8', /is parked, 2 messages wait/, inNamespace(() => ({ parked: [parked] }))],
  [
    'handles that stay',
    'I8',
    /was 5 before and is 9 after, 3 more/,
    given({ after: { handles: 9 }, allowances: { growth: { handles: 3 } } }),
  ],
];

t.test('the audit of honest evidence is clean, and says how much it looked at', async (t) => {
  const report = check(honest());
  t.same(report.violations, []);
  t.same(report.remarks, []);
  t.ok(report.clean);
  const checked = Object.fromEntries(report.invariants.map((one) => [one.id, one.checked]));
  t.same(checked, { I1: 4, I2: 4, I3: 8, I4: 1, I5: 7, I6: 8, I7: 7, I8: 11 });
  t.same(report.counts, { actors: 1, entries: 8, claims: 2, refused: 1 });
  t.same(JSON.parse(JSON.stringify(report)), report, 'plain JSON');
});

for (const id of ['I1', 'I2', 'I3', 'I4', 'I5', 'I6', 'I7', 'I8'] as const) {
  t.test(`${id}: whatever it looks at can be seen to be wrong`, async (t) => {
    for (const [what, invariant, words, forge] of forgeries) {
      if (invariant !== id) continue;
      const { clean, violations } = check(forge(honest()));
      t.notOk(clean, what);
      t.ok(
        violations.some((one) => one.invariant === id && words.test(one.words)),
        `${what}: ${JSON.stringify(violations, undefined, 1)}`,
      );
    }
  });
}

// --- What is excused -----------------------------------------------------------------------------------------------------

t.test('I1, I7: a declared loss excuses what was acknowledged in its window, and nothing older', async (t) => {
  const lost = [
    command('m5', [50, 60], { kind: 'applied', version: 5, counter: 2 }),
    read([61, 62], 5, ['x', 'y', 'm5']),
    command('m6', [63, 64], { kind: 'refused', version: 5, counter: 2 }),
    // After the loss: the version is issued again, by another owner.
    read([110, 111], 4, ['x', 'y']),
    command('m7', [112, 113], { kind: 'applied', version: 5, counter: 4 }, 'm7'),
    read([114, 115], 5, ['x', 'y', 'm7']),
  ];
  const again = [
    { kind: 'claimed', token: '4:dd' } as const,
    { ...journalOf().entries[5], position: 10, token: '4:dd', sequence: sequence(5), messageId: 'm7' },
  ];
  const step = chart.step(restored(), { type: 'ADD', id: 'm7' }, { actor: A, sequence: 5, now: 3_000 });
  if (step.kind !== 'moved') throw new Error('refused');
  const event = { type: 'ADD', id: 'm7' };
  const answer: Answer = { kind: 'applied', version: sequence(5), counter: 4, at: 3_000 };
  const moved = { ...again[1], kind: 'moved', event, answer, snapshotHash: snapshotHash(step.stored) } as JournalEntry;
  const rewound =
    (told: History): Forge =>
    (evidence) =>
      stored({ version: 5, stored: step.stored })(
        appended(moved)(appended({ kind: 'claimed', token: '4:dd' })(operations(...told)(evidence))),
      );
  const of = (lossAllowed: readonly { at: number; sinceMs: number }[], more: Partial<Evidence> = {}, told = lost) =>
    check({
      ...rewound(told)(honest()),
      ...left({ group: '4:dd', groups: [{ name: '4:dd', pending: 0 }] })(rewound(told)(honest())),
      subscribers: [],
      allowances: { lossAllowed },
      ...more,
    });

  const excused = of([{ at: 100, sinceMs: 50 }]);
  t.same(excused.violations, []);
  t.ok(excused.clean);
  t.same(excused.lost, { commands: 2, effects: 0, ageMsMax: 40 });

  const { violations } = of([]);
  t.same(
    [...new Set(violations.map(({ invariant }) => invariant))].sort(),
    ['I1', 'I7'],
    'undeclared, it is a violation',
  );
  const narrow = of([{ at: 100, sinceMs: 37 }]);
  t.match(narrow.violations, [{ invariant: 'I1', words: /m5/ }, { invariant: 'I7' }], 'm5 is older than the window');
  t.equal(narrow.lost.commands, 1);
  const later = of([{ at: 100, sinceMs: 50 }], {
    subscribers: [{ ...watcher, sights: [told(1), told(2), told(3), told(4), told(5), { kind: 'rewound' }, told(5)] }],
  });
  t.same(later.violations, [], 'a subscriber is told of it');
  const again7 = [
    command('m7', [60, 61], { kind: 'applied', version: 5, counter: 4 }, 'm7'),
    read([110, 111], 4, ['x', 'y']),
    read([114, 115], 5, ['x', 'y', 'm7']),
  ];
  t.same(of([{ at: 100, sinceMs: 50 }], {}, again7).violations, [], 'it was lost, and taken from the inbox again');
  t.match(of([], {}, again7).violations, [{ invariant: 'I7' }], 'without a loss a step is not done later than told');
  const unstarted = of([{ at: 100, sinceMs: 50 }], {
    ledger: [...ledger, { name: 'post', key: 'act_a:5:0:d9', actor: A }],
  });
  t.same([unstarted.violations.length, unstarted.lost.effects], [0, 1], 'a partner may know of a step that is gone');
  t.throws(() => of([{ at: 100, sinceMs: -1 }]), /window of 0 ms or more/);
});

/** The tally A after its four steps. */
function restored() {
  const events = journalOf().entries.flatMap(({ kind, event }) =>
    kind === 'moved' && event !== undefined ? [event] : [],
  );
  let { held } = chart.start({}, { actor: A, sequence: 1, now: 1_000 });
  for (const [index, event] of events.slice(1).entries()) {
    const step = chart.step(held, event, { actor: A, sequence: index + 2, now: 1_000 * (index + 2) });
    if (step.kind === 'moved') held = step.held;
  }
  return held;
}

t.test('I7: a history too wide to judge is not decided, which is not clean', async (t) => {
  const crowd = Array.from({ length: 18 }, (_, index) =>
    command(`c${index}`, [50, 60], { kind: 'refused', version: 3 }),
  );
  const wide: HistoryModel = {
    name: 'wide',
    initial: () => '',
    step: (state, { messageId, kind }) => (kind === 'read' ? undefined : `${state} ${messageId}`),
  };
  const crowded = [...crowd, read([70, 71], 9, [])];
  const report = check({ ...honest(), modelOf: () => wide, history: crowded });
  t.notOk(report.clean);
  t.match(report.undecided, [{ invariant: 'I7', where: A, words: /not decided \(wide\): more than 200000 states/ }]);
  t.equal(report.invariants.find(({ id }) => id === 'I7')?.undecided, 1);
});

t.test('a journal whose beginning was trimmed is not held to what it no longer has', async (t) => {
  const report = check(inShard(({ entries }) => ({ entries: entries.slice(5) }))(honest()));
  t.same(report.violations, []);
  t.ok(report.remarks.some((words) => words.includes('begins at 6')));
  t.ok(report.remarks.some((words) => words.includes('ADD m1') && words.includes('trimmed')));
});

t.test('actors that are meant to be parked, and a system at work, are let be', async (t) => {
  const parkedOne = inNamespace(() => ({ parked: [parked] }));
  t.ok(check({ ...parkedOne(honest()), allowances: { parked: [A] } }).clean);
  t.ok(check({ ...left({ unread: 3, backlog: 3, open: 3, effects: 1 })(honest()), quiet: false }).clean);
});

// --- Recorded on real workers --------------------------------------------------------------------------------------------

t.test('a recorder hands on answers and errors as they are, and notes what they make certain', async (t) => {
  let now = 0;
  const recorder = new HistoryRecorder({ clock: { monotonic: () => ++now } });
  const answers: readonly (AskOutcome | Error)[] = [
    {
      kind: 'answered',
      replayed: false,
      answer: { kind: 'applied', version: sequence(2), counter: 1, at: 1, data: 7 },
    },
    { kind: 'answered', replayed: true, answer: { kind: 'parked', version: sequence(2), counter: 1 } },
    { kind: 'rejected', reason: 'mailbox-full', retryAfterMs: 1 },
    { kind: 'key-reused' },
    { kind: 'running' },
    { kind: 'unknown' },
    new Error('gone'),
  ];
  const left = answers.values();
  const client = recorder.process('p', {
    ask: async () => {
      const next = left.next().value;
      if (next instanceof Error || next === undefined) throw next;
      return next;
    },
    read: async () => undefined,
  });
  for (const answer of answers) {
    const asked = client.ask({ actor: A, event: { type: 'ADD', id: 'x' }, messageId: 'm' });
    if (answer instanceof Error) await t.rejects(asked, answer);
    else t.equal(await asked, answer);
  }
  t.equal(await client.read(A), undefined);
  t.same(
    recorder.history.map(({ outcome: { kind }, invokedAt, returnedAt }) => `${kind} ${invokedAt} ${returnedAt}`),
    [
      'applied 1 2',
      'parked 3 4',
      'rejected 5 6',
      'rejected 7 8',
      'unknown 9 undefined',
      'unknown 10 undefined',
      'unknown 11 undefined',
      'read 12 13',
    ],
  );
  t.match(recorder.history[0], { outcome: { version: 2, counter: 1, data: 7 }, event: { id: 'x' }, process: 'p' });
});

const server = await startRedis();
const raw: Connection = await connectRedis('query', server.url);
t.teardown(async () => {
  await raw.close();
  await server.stop();
});

/** Asks and reads of one process, one after the other. */
async function drive(client: RecordedClient, process: string, actors: readonly ActorId[]): Promise<void> {
  for (let round = 0; round < 12; round += 1) {
    const actor = actors[round % actors.length] as ActorId;
    const id = `${process}-${round}`;
    const event = round % 5 === 4 ? { type: 'POST', id } : { type: 'ADD', id };
    const create = { machine: 'tally', input: {} };
    await client.ask({ actor, event, messageId: id, create }, { timeoutMs: 4_000 });
    await client.read(actor);
    if (round % 6 === 5) await client.ask({ actor, event: { type: 'CHIME' }, messageId: `${id} no`, create });
  }
}

t.test(
  'I1, I8: two workers, five processes, lost replies and a takeover: the audit is clean, and has seen it all',
  async (t) => {
    const space = await TrialSpace.open(t, raw.redis, { url: server.url, shards: 3 });
    const proxy = await startRedisProxy(server);
    t.teardown(() => proxy.close());
    const acts: LedgerAct[] = [];
    const post = effect(async ({ key, attempt, actor, input }) => {
      acts.push({ name: 'post', key, attempt, actor, businessKey: String(input.id) });
      return { kind: 'done', output: null };
    });
    const chartAtWork = trialChart({ post });
    const first = await space.host(chartAtWork, { url: proxy.url });
    await space.host(chartAtWork);

    const sights: Sight[] = [];
    await space.client.heard();
    const watch = space.client.watch();
    const watching = (async () => {
      for await (const { kind, actor, sequence } of watch)
        if (kind === 'moved' && actor !== undefined) sights.push({ kind: 'told', actor, version: Number(sequence) });
    })();
    const before = { ...readProcess('trial'), 'trial heapBytes': 0 };

    const recorder = new HistoryRecorder();
    const actors = ['a', 'b', 'c', 'd'].map((name) => actorId(`act_${name}`));
    const lost = proxy.loseReplyOf('emboss_v1_commit');
    const driving = ['p1', 'p2', 'p3', 'p4', 'p5'].map((name) =>
      drive(recorder.process(name, space.client), name, actors),
    );
    await lost;
    await first.stop();
    await Promise.all(driving);
    await space.settled();

    const sources = () => ({
      ...{ clients: [space.client], charts: [chartAtWork], modelOf: () => tally, history: recorder.history },
      ...{ ledger: acts, before, after: { ...before, ...readProcess('trial') } },
      allowances: { growth: { 'trial heapBytes': Number.MAX_SAFE_INTEGER, 'trial handles': 50 } },
      subscribers: [{ name: 'watch', of: 'versions', everything: true, caughtUp: true, sights }] as const,
    });
    // Attempts are forgotten and the watch is caught up a moment after the last answer.
    const report = await space.until(
      'the audit is clean',
      async () => {
        const found = await audit(sources());
        return found.clean && found;
      },
      { diagnose: async () => (await audit(sources())).violations },
    );
    watch.close();
    await watching;
    t.ok(report.clean);
    t.ok(
      report.invariants.every(({ checked }) => checked > 0),
      JSON.stringify(report.invariants),
    );
    t.ok(report.counts.claims > 3, 'shards were taken over');
    t.ok(recorder.history.some(({ outcome }) => outcome.kind === 'refused'));
    t.match(report.lost, { commands: 0, effects: 0 });
  },
);

t.test('I1, I7: a server that lost its tail: clean where the loss is declared, and only there', async (t) => {
  const space = await TrialSpace.open(t, raw.redis, { url: server.url, shards: 1 });
  await space.host();
  const recorder = new HistoryRecorder();
  const client = recorder.process('p', space.client);
  const add = (id: string) =>
    client.ask({ actor: A, event: { type: 'ADD', id }, messageId: id, create: { machine: 'tally', input: {} } });
  await add('kept');
  await client.read(A);
  const older = await space.dump(A);
  const since = recorder.now();
  for (const id of ['lost', 'lost too']) await add(id);
  await client.read(A);
  await space.restore(A, older);
  const at = recorder.now();
  // The third one lies beyond what the owner has read: by it the loss is noticed.
  await Promise.all(['one', 'two', 'three'].map(add));
  await client.read(A);
  await space.settled();

  const sources = { clients: [space.client], charts: [trialChart()], modelOf: () => tally, history: recorder.history };
  const declared = await audit({ ...sources, allowances: { lossAllowed: [{ at, sinceMs: at - since }] } });
  t.same(declared.violations, []);
  t.ok(declared.clean);
  t.equal(declared.lost.commands, 2);
  t.ok(declared.lost.ageMsMax > 0 && declared.lost.ageMsMax <= at - since);
  const undeclared = await audit(sources);
  t.match(
    undeclared.violations.map(({ invariant }) => invariant),
    ['I1', 'I1', 'I7'],
  );
});

t.test('I8: what is left over in Redis is seen through the client', async (t) => {
  const space = await TrialSpace.open(t, raw.redis, { url: server.url, shards: 1 });
  t.match(await space.client.leftovers(), [{ group: undefined, groups: [], unread: 0 }], 'nobody ever claimed it');
  const worker = await space.host();
  await space.ask(A, { type: 'ADD', id: 'one' });
  await space.send(A, { type: 'THROW' });
  await space.until('it is parked', async () => (await space.client.parked()).length === 1);
  const of = async (): Promise<readonly string[]> =>
    (await audit({ clients: [space.client], charts: [trialChart()] })).violations.map(({ words }) => words);
  t.match(await of(), [
    /1 messages stand in the backlog counter of the shard/,
    /counters of its actors/,
    /is parked, 1 /,
  ]);
  await worker.stop();
  await space.send(actorId('act_b'), { type: 'ADD', id: 'two' });
  await raw.redis.xgroup('CREATE', space.keys(A).inbox, 'stray', '0');
  t.match(await of(), [
    /consumer groups \[.*stray.*\]/,
    /1 inbox entries are not read/,
    /2 messages/,
    /./,
    /is parked/,
  ]);
});
