// Goal: the laws at the level of calls. Method: every Redis Function through its wrapper on one private server, each test in
// a namespace of its own; the counter-example that bought a law is played call by call, and "wrote nothing" is a DUMP.

import t from 'tap';
import { timerMember } from '../commit/work.ts';
import { OperatingError } from '../errors.ts';
import { type ActorId, actorId, namespace, token, tokenCounter } from '../ids.ts';
import { outageMs } from '../limits.ts';
import type { Connection } from '../redis/connection.ts';
import { connect } from '../redis/connector.ts';
import { namespaceKeys } from '../redis/keys.ts';
import { watchKeys } from '../testing/declared-keys.ts';
import { type RedisServer, startRedis } from '../testing/redis-server.ts';
import { runOn, TrialShard, trialCommand } from '../testing/trial-shard.ts';
import { begin } from './begin.ts';
import type { Call } from './call.ts';
import { circuit } from './circuit.ts';
import type { CommitReply, CommitStep, Verdict } from './commit.ts';
import { finish } from './finish.ts';
import { functionName, library, libraryName, loadLibrary } from './library.ts';
import { limit } from './limit.ts';
import { type LaneRecord, receive } from './receive.ts';
import { release } from './release.ts';
import { resume } from './resume.ts';
import { type SendRequest, send } from './send.ts';
import { trim } from './trim.ts';
import { timerTried, trying } from './trying.ts';

const server: RedisServer = await startRedis();
const connection: Connection = await connect('writer', server.url);
const { redis } = connection;
await loadLibrary(redis);
const watch = await watchKeys([server.url]); // Whatever the tests below provoke, it is heard.
t.teardown(async () => {
  watch.end();
  await connection.close();
  await server.stop();
});

const run = <Reply>(call: Call<Reply>): Promise<Reply> => runOn(connection, call);

const A = actorId('act_a');
const B = actorId('act_b');
let spaces = 0;

/** A step that moves its actor from `sequence` on, caused by an inbox entry. */
const moved = (actor: ActorId, entry: string, sequence: number, more: Partial<CommitStep> = {}): CommitStep => ({
  kind: 'M',
  actor,
  cause: 'I',
  causeId: entry,
  sequence,
  snapshot: `snapshot ${sequence + 1}`,
  record: `record ${sequence + 1}`,
  body: '{}',
  asked: '1000 ab12',
  ...more,
});

/** A trim that drops what is handled and forgets what is old, and nothing else. */
const untouched = { relayedTo: 0, outboxFrom: 0, journalFrom: 0, cursor: '0', actors: [] };

const ok = (head: number, ...verdicts: Verdict[]): CommitReply => ({ kind: 'ok', head, verdicts });

/** A shard whose actor A exists with sequence 1, created by message `first`. */
async function withActor(more: Partial<CommitStep> = {}): Promise<TrialShard> {
  const shard = new TrialShard(connection);
  await shard.own();
  const entry = await shard.accept(A, 'first');
  await shard.commit([moved(A, entry, 0, { messageId: 'first', answer: '"made"', ...more })]);
  return shard;
}

t.test('the library is loaded once, never replaced, and another one under its name is refused', async (t) => {
  const { hash } = await library();
  t.equal((await loadLibrary(redis)).hash, hash, 'already there is a success');
  const other = await startRedis();
  t.teardown(() => other.stop());
  const second = await connect('writer', other.url);
  t.teardown(() => second.close());
  const source = `#!lua name=${libraryName}\nredis.register_function{function_name='${functionName('meta')}', callback=function() return 'old' end, flags={'no-writes'}}`;
  await second.redis.call('FUNCTION', 'LOAD', source);
  await t.rejects(loadLibrary(second.redis), { code: 'library-differs' });
  await second.redis.call('FUNCTION', 'FLUSH');
  await t.rejects(
    second.call('FCALL', (client) => client.call('FCALL', functionName('meta'), '0')),
    { code: 'function-missing', retry: 'here' },
  );
  t.equal((await loadLibrary(second.redis)).hash, hash, 'a missing one is loaded');
});

t.test('no function of another library under our name is ever called: names end with the hash', async (t) => {
  const { source, hash } = await library();
  t.ok(functionName('commit').endsWith(hash.slice(0, 8)));
  const other = await startRedis();
  t.teardown(() => other.stop());
  const second = await connect('writer', other.url);
  t.teardown(() => second.close());
  await second.redis.call('FUNCTION', 'LOAD', source.replaceAll(hash.slice(0, 8), '00000000'));
  await t.rejects(
    second.call('FCALL', (client) => client.call('FCALL', functionName('meta'), '0')),
    { code: 'function-missing' },
  );
  await t.rejects(loadLibrary(second.redis), { code: 'library-differs' });
});

// --- L2, L3: claims and tokens -----------------------------------------------------------------------------------------

t.test('L2: a claim makes no inbox and no journal anew where there was one, and writes nothing', async (t) => {
  for (const stream of ['inbox', 'journal'] as const) {
    const shard = await withActor();
    const kept = `${shard.keys[stream]}:kept`;
    await redis.rename(shard.keys[stream], kept);
    const before = await shard.dump();
    await t.rejects(shard.claim(), { message: `damaged: ${stream}` });
    t.strictSame(await shard.dump(), before, `without its ${stream} nothing is written`);
    await redis.rename(kept, shard.keys[stream]);
    t.equal((await shard.claim()).kind, 'claimed', 'put back, it is claimed');
  }
});

t.test('M5: an owner that claims anew over its own token is not counted as ended over the message', async (t) => {
  const shard = new TrialShard(connection);
  await shard.own();
  const entry = await shard.accept(A, 'first');
  await shard.own();
  t.equal(await run(trying(shard.keys, shard.token, entry)), true);
  t.match(await shard.claim({ again: true }), { kind: 'claimed', tries: 1, found: 0 }, 'it tries nothing any more');
  shard.token = token((await redis.hget(shard.keys.owner, 'token')) ?? '');
  for (const [again, tries, found] of [
    [false, 2, 1],
    [true, 2, 1],
    [false, 3, 2],
  ] as const) {
    t.equal(await run(trying(shard.keys, shard.token, entry)), true);
    const reply = await shard.claim({ again });
    t.match(reply, { kind: 'claimed', tries, found }, again ? 'the same process' : 'another one');
    shard.token = token(reply.token);
  }
});

t.test('L2: a claim is compare-and-set on the token read after the lock was granted', async (t) => {
  const shard = new TrialShard(connection);
  const [one, two] = await Promise.all([shard.claim({ worker: 'trial.1' }), shard.claim({ worker: 'trial.2' })]);
  t.same([one.kind, two.kind], ['claimed', 'stale'], 'both had read that nobody owns it');
  t.equal(two.token, one.token, 'stale tells whose it is');
  t.same(await shard.journal(), ['claimed'], 'one entry, of the one claim');
  const head = (await redis.xrange(shard.keys.journal, '-', '+'))[0]?.[1][1] ?? '';
  t.ok(head.includes(` ${one.token} `) && head.includes(' trial.1 '), 'it names token and worker');
  t.match(one.token, /^1:n\d+$/);
  t.equal(
    (await shard.claim({ expected: one.token, floor: 41 })).token.split(':')[0],
    '42',
    'above every counter its worker has seen',
  );
});

t.test(
  'L2: two tokens with one counter, the second issued after the server lost its tail, are told apart by the nonce',
  async (t) => {
    const shard = await withActor();
    const before = await shard.dump();
    const first = await shard.own();
    await shard.restore(before);
    shard.token = token((await redis.hget(shard.keys.owner, 'token')) ?? '');
    const second = await shard.own();
    t.equal(tokenCounter(second.token), tokenCounter(first.token), 'the counter was issued again');
    const entry = await shard.accept(A, 'second');
    t.same(await shard.commit([moved(A, entry, 1)], { token: first.token }), { kind: 'fenced' });
    t.same(await shard.commit([moved(A, entry, 1)]), ok(shard.head, 'COMMITTED'));
  },
);

t.test('L3: every function called as owner answers FENCED to a dead token and writes nothing', async (t) => {
  const shard = await withActor({ effects: [{ key: 'k1', dueAt: 1, record: '{}' }] });
  const dead = shard.token;
  const entry = await shard.accept(A, 'second');
  await shard.own({ worker: 'trial.2' });
  const before = await shard.dump();
  const head = shard.head;
  t.same(await shard.commit([moved(A, entry, 1)], { token: dead }), { kind: 'fenced' });
  t.equal(await run(begin(shard.keys, dead, [{ key: 'k1', attemptsSoFar: 0, lookAgainAt: 5 }])), 'fenced');
  const outcome = { key: 'k1', attempt: 0, actor: A, body: '{}' };
  t.equal(await run(finish(shard.keys, dead, outcome, '')), 'fenced');
  t.equal(await run(finish(shard.keys, dead, { ...outcome, retryAt: 9 }, '')), 'fenced');
  t.equal(await run(trying(shard.keys, dead, entry)), false);
  t.equal(await run(resume(shard.keys, dead, A, 2)), 'fenced');
  t.equal(await run(release(shard.keys, dead, 'n', '')), false);
  t.equal(await run(trim(shard.keys, dead, { ...untouched, relayedTo: 9, journalFrom: 9, actors: [A] }, '')), 'fenced');
  t.equal((await shard.claim({ expected: dead })).kind, 'stale');
  t.same(await shard.dump(), before, 'not a byte');
  t.equal(shard.head, head);
  const counterOnly = token(String(tokenCounter(shard.token)));
  t.same(await shard.commit([], { token: counterOnly }), { kind: 'fenced' }, 'a token is compared whole');
});

t.test('L3: a late copy of a commit that arrives after a new claim meets a dead token', async (t) => {
  const shard = await withActor();
  const entry = await shard.accept(A, 'second');
  const late = { token: shard.token, call: 'late', head: shard.head };
  await shard.own(); // Unknown outcome: the owner claims anew before it reads back (C3).
  t.match(await redis.hget(shard.keys.actor(A), 'line'), /^1 /, 'it read back: not done');
  t.same(await shard.commit([moved(A, entry, 1)], late), { kind: 'fenced' }, 'and will not be done behind its back');
  t.same(await shard.unread(), [entry], 'its message is read again');
  t.same((await shard.commit([moved(A, entry, 1)])).kind, 'ok');
  t.same(await shard.journal(), ['claimed', 'M:a1', 'claimed', 'M:a2']);
});

t.test(
  'L4: a released shard has a token of its own, so that its owner of before is fenced and the next waits for nobody',
  async (t) => {
    const shard = await withActor();
    const dead = shard.token;
    t.equal(await run(release(shard.keys, dead, 'x', '')), true);
    t.same(await shard.commit([], { token: dead }), { kind: 'fenced' });
    t.equal((await shard.claim()).kind, 'stale', 'a claim compares with what the release left');
    const free = (await redis.hget(shard.keys.owner, 'token')) ?? '';
    t.match(free, /^1:free-x$/);
    t.equal((await shard.claim({ expected: free })).kind, 'claimed');
    t.same(await shard.journal(), ['claimed', 'M:a1', 'released', 'claimed']);
  },
);

// --- C1 to C4: commits -------------------------------------------------------------------------------------------------

t.test(
  'C1: one call writes snapshot, sequence, journal, outbox, effects, timers, index, answer, last entry and acknowledgement',
  async (t) => {
    const shard = new TrialShard(connection);
    const { keys } = shard;
    await shard.own();
    const entry = await shard.accept(A, 'first');
    const open = keys.state('tally', 'open');
    const timer = {
      member: `t|${A}|fuse`,
      generation: '1.0',
      dueAt: 50.2,
      resume: 'remaining 70',
      event: '{"type":"FUSE"}',
    };
    const reply = await shard.commit(
      [
        moved(A, entry, 0, {
          messageId: 'first',
          answer: '{"kind":"applied"}',
          entered: [open],
          timersSet: [timer],
          effects: [{ key: 'k1', dueAt: 7, record: '{"name":"call"}' }],
          sends: [
            { lane: 's:0>d:1', actor: B, messageId: 'm1', body: '{}' },
            { lane: 's:0>d:1', actor: B, messageId: 'm2', body: '{}' },
          ],
          own: [{ actor: B, messageId: 'm3', body: '{"own":1}' }],
        }),
      ],
      { reading: '1700000000000' },
    );
    t.same(reply, ok(2, 'COMMITTED'));
    t.same(await redis.hgetall(keys.actor(A)), {
      line: '1 1 1700000000000',
      open: '0',
      snap: 'snapshot 1',
      rec: 'record 1',
    });
    t.same(await shard.journal(), ['claimed', 'M:a1']);
    t.same(await redis.lrange(keys.positions(A), 0, -1), ['2'], 'C2: the position, in the list of its actor');
    t.same(await redis.zrange(open, '0', '-1', 'WITHSCORES'), [A, '1700000000000']);
    t.same(
      await redis.zrange(keys.timers, '0', '-1', 'WITHSCORES'),
      ['e|k1', '7', timer.member, '51'],
      'a due time is never rounded down',
    );
    t.same(await redis.hgetall(keys.rows), { [timer.member]: '1.0 {"type":"FUSE"}' });
    t.same(await redis.hgetall(keys.resumable), { [timer.member]: 'remaining 70' });
    t.same(await redis.hgetall(keys.effects), { k1: '{"name":"call"}' });
    const sent = (await redis.xrange(keys.outbox, '-', '+')).map(([id, fields]) => [id, fields[5], fields[7]]);
    t.same(
      sent,
      [
        ['0-1', '1', ''],
        ['0-2', '2', `${shard.token}|1`],
      ],
      'M3: each names its predecessor on the lane',
    );
    t.match(await redis.hget(keys.dedupe, `${A}|first`), /^1000 ab12 \{"kind":"applied"\}$/);
    t.same(await shard.backlog(), { '*': '1', [B]: '1' }, 'handled; and one message of its own to come');
    t.equal(await shard.pending(), 0);

    const second = await shard.accept(A, 'second');
    const working = keys.state('tally', 'working');
    await shard.commit([
      moved(A, second, 1, {
        left: [open],
        entered: [working],
        timersCleared: [{ member: timer.member, generation: '1.0' }],
      }),
    ]);
    t.equal(await redis.exists(open, keys.rows, keys.resumable), 0, 'left and cleared');
    t.equal(await redis.zcard(working), 1);
  },
);

t.test(
  'C2: a commit that expects another head answers REWOUND and writes nothing; after a claim sequences and positions are gapless',
  async (t) => {
    const shard = await withActor();
    const older = await shard.dump();
    for (const [i, id] of ['second', 'third'].entries()) {
      const entry = await shard.accept(A, id);
      await shard.commit([moved(A, entry, i + 1)]);
    }
    await shard.restore(older); // The server comes back without its tail; the token is still ours.
    const entry = await shard.accept(A, 'fourth');
    const before = await shard.dump();
    t.same(await shard.commit([moved(A, entry, 3)]), { kind: 'rewound', head: 2 });
    t.same(await shard.dump(), before);
    await shard.own({ floor: tokenCounter(shard.token) });
    t.same(await shard.unread(), [entry]);
    t.same(await shard.commit([moved(A, entry, 1)]), ok(4, 'COMMITTED'));
    t.same(await shard.journal(), ['claimed', 'M:a1', 'claimed', 'M:a2']);
    t.same(
      (await redis.xrange(shard.keys.journal, '-', '+')).map(([id]) => id),
      ['0-1', '0-2', '0-3', '0-4'],
    );
  },
);

t.test('C3: a repeated commit changes nothing and returns the first answer; CONFLICT tells a stale copy', async (t) => {
  const shard = await withActor();
  const entry = await shard.accept(A, 'second');
  const request = { call: 'once', head: shard.head };
  const steps = [moved(A, entry, 1), { ...moved(B, 't|b|x', 7), cause: 'T' as const, generation: '1' }];
  const first = await shard.commit(steps, request);
  t.same(first, ok(shard.head, 'COMMITTED', 'GONE'));
  const before = await shard.dump();
  t.same(await shard.commit(steps, request), first);
  t.same(await shard.dump(), before);
  t.same(
    await shard.verdicts({ ...moved(A, entry, 2), kind: 'D' }),
    ['DUPLICATE'],
    'what the owner takes for a duplicate is one',
  );
  const third = await shard.accept(A, 'third');
  t.same(await shard.verdicts({ ...moved(A, third, 2), kind: 'D' }), ['CONFLICT'], 'or its copy is stale');
  t.equal(await shard.pending(), 1, 'and it was not acknowledged');
  const fourth = await shard.accept(A, 'fourth');
  for (const more of [{}, { generation: '-' }])
    t.same(await shard.verdicts(moved(A, fourth, 7, more)), ['CONFLICT'], 'so it is when it moves, either way');
});

t.test(
  'C4: a group commit judges every step first, writes the good ones, and refuses the successor of a refused one',
  async (t) => {
    const shard = await withActor();
    const entries: string[] = [];
    for (const actor of [A, B, A, B, A]) entries.push(await shard.accept(actor, `m${entries.length}`));
    const [a1 = '', b1 = '', a2 = '', b2 = '', a3 = ''] = entries;
    const verdicts = await shard.verdicts(
      moved(A, a1, 1),
      moved(B, b1, 5),
      moved(A, a2, 2),
      moved(B, b2, 6),
      moved(A, a3, 3),
    );
    t.same(verdicts, ['COMMITTED', 'CONFLICT', 'COMMITTED', 'SKIPPED', 'COMMITTED']);
    t.same(await shard.journal(), ['claimed', 'M:a1', 'M:a2', 'M:a3', 'M:a4'], 'the sequence has no gap');
    t.same(await redis.hgetall(shard.keys.actor(B)), { open: '2' }, 'nothing but the count of what waits');
    t.same(await shard.verdicts(moved(B, b1, 0, { kind: 'C' }), moved(B, b1, 1), moved(B, b2, 2)), [
      'COMMITTED',
      'COMMITTED',
      'COMMITTED',
    ]);
    t.same(
      await shard.verdicts(moved(A, a1, 4, { kind: 'C' }), moved(A, a1, 5)),
      ['DUPLICATE', 'DUPLICATE'],
      'a create and its message are one',
    );
    t.equal(await shard.pending(), 0);
  },
);

t.test(
  'C1: one plain step, which has a short way of its own, leaves the very bytes that the long way leaves',
  async (t) => {
    const shard = await withActor();
    const { keys } = shard;
    const entry = await shard.accept(A, 'second');
    await shard.accept(B, 'third');
    const before = await shard.dump();
    const head = shard.head;
    const sets = { left: [`${keys.actors}:x`], entered: [`${keys.actors}:y`, `${keys.actors}:z`] };
    for (const more of [
      {},
      { answer: '"done"' },
      { messageId: 'a|b c\nd' },
      sets,
      { left: sets.entered, entered: sets.left, answer: '"done"' },
    ]) {
      const plain = moved(A, entry, 1, { messageId: 'second', ...more });
      t.same(await shard.commit([plain], { call: 'c', head }), ok(head + 1, 'COMMITTED'));
      const short = await shard.dump();
      await shard.restore(before);
      // A generation is for timers; one that stands for none changes nothing, and is not plain.
      t.same(await shard.commit([{ ...plain, generation: '-' }], { call: 'c', head }), ok(head + 1, 'COMMITTED'));
      t.same(await shard.dump(), short);
      await shard.restore(before);
    }
    const duplicate = moved(A, '0-1', 1, { messageId: 'first' });
    t.same(
      await shard.commit([duplicate], { head }),
      ok(head, 'DUPLICATE'),
      'what is not plain after all is judged as ever',
    );
    const stale = moved(A, entry, 4, { messageId: 'second' });
    t.same(await shard.commit([stale], { head }), ok(head, 'CONFLICT'));
    t.same(await shard.commit([moved(B, '0-3', 1)], { head }), ok(head, 'CONFLICT'), 'nor where an entry is left out');
  },
);

t.test('C4: a hundred steps of a hundred actors go in one call', async (t) => {
  const shard = new TrialShard(connection);
  await shard.own();
  const actors = Array.from({ length: 100 }, (_, i) => actorId(`act_${i}`));
  for (const actor of actors) await shard.accept(actor, 'm');
  const entries = await shard.unread();
  const reply = await shard.commit(
    actors.map((actor, i) => moved(actor, entries[i] ?? '', 0, { snapshot: 'x'.repeat(9_000) })),
  );
  t.same(reply, ok(101, ...actors.map((): Verdict => 'COMMITTED')));
  t.same(await shard.backlog(), { '*': '0' });
});

// --- M1 to M7: messages ------------------------------------------------------------------------------------------------

t.test('M1: send answers accepted, duplicate, key reused or full; full is for callers only', async (t) => {
  const shard = await withActor();
  const { keys } = shard;
  const ask = (id: string, more: Partial<SendRequest> = {}) =>
    run(send(keys, trialCommand(A, id, { perActorMax: 2, perShardMax: 3, ...more })));
  t.same(await ask('first'), { kind: 'duplicate', answer: '"made"' });
  t.same(await ask('first', { digest: 'cd34' }), { kind: 'key-reused' });
  t.same(await ask('second'), { kind: 'accepted', position: 2 });
  t.same(await ask('second'), { kind: 'duplicate', answer: '' }, 'it runs');
  t.equal((await ask('third')).kind, 'accepted');
  const before = await shard.dump();
  t.equal((await ask('fourth')).kind, 'full', 'two accepted and not handled for one actor');
  t.same(await shard.dump(), before, 'and nothing is left of it');
  t.equal((await ask('fourth', { actor: B })).kind, 'accepted');
  t.equal((await ask('fifth', { actor: B })).kind, 'full', 'three for the shard');
  t.equal((await ask('second')).kind, 'duplicate', 'a repeat is answered all the same');
  t.equal((await ask('redrive', { perActorMax: 0 })).kind, 'accepted', 'an operator is not limited');
  const lane = { lane: 'x:0>y:0', token: '1:x', n: 1, previous: '', actor: A, messageId: 'r', body: '{}' };
  t.same(await run(receive(keys, lane, '')), { kind: 'taken' }, 'nor is another shard');
  await shard.verdicts(moved(A, '0-2', 1), moved(A, '0-3', 2));
  t.equal((await ask('fourth')).kind, 'full', 'they count, though');
  t.same(await shard.backlog(), { '*': '3', [A]: '2', [B]: '1' });
});

t.test('M1: bounds that are no whole numbers are refused before anything is written', async (t) => {
  const shard = await withActor();
  const before = await shard.dump();
  for (const more of [{ perActorMax: 2.5 }, { perShardMax: Number.POSITIVE_INFINITY }])
    await t.rejects(run(send(shard.keys, trialCommand(A, 'second', more))), { code: 'bad-setting' });
  t.same(await shard.dump(), before);
  t.equal(await shard.accept(A, 'second'), '0-2', 'and the bounds of before still hold');
});

t.test('M1: what is acknowledged, trimmed or read again does not disturb the counters', async (t) => {
  const shard = await withActor();
  const inbox = async () => (await redis.xrange(shard.keys.inbox, '-', '+')).map(([id]) => id);
  for (const id of ['m1', 'm2', 'm3']) await shard.accept(A, id);
  t.same(await shard.verdicts(moved(A, '0-2', 7), moved(A, '0-3', 1)), ['CONFLICT', 'SKIPPED']);
  t.equal(await shard.pending(), 2, 'taken and not handled');
  await shard.verdicts(moved(A, '0-2', 1));
  await run(trim(shard.keys, shard.token, untouched, ''));
  t.same(await inbox(), ['0-3', '0-4'], 'trimmed to the oldest unacknowledged');
  await shard.own();
  t.same(await shard.unread(), ['0-3', '0-4']);
  t.same(await shard.backlog(), { '*': '2', [A]: '2' });
  await shard.verdicts(moved(A, '0-3', 2), moved(A, '0-4', 3));
  t.same(await shard.backlog(), { '*': '0' });
  await run(trim(shard.keys, shard.token, untouched, ''));
  t.same(await inbox(), []);
  t.equal(await shard.accept(A, 'm4'), '0-5', 'ids stay gapless through a trim');
});

t.test(
  'M2: a claim begins at the oldest unhandled entry in a group of its own; the deposed owner takes none',
  async (t) => {
    const shard = await withActor();
    for (const [actor, id] of [
      [A, 'one'],
      [B, 'two'],
      [A, 'three'],
      [A, 'four'],
    ] as const)
      await shard.accept(actor, id);
    // Handled out of order: 0-3 waits for its actor's true sequence.
    t.same(await shard.verdicts(moved(A, '0-2', 1), moved(B, '0-3', 9), moved(A, '0-4', 2)), [
      'COMMITTED',
      'CONFLICT',
      'COMMITTED',
    ]);
    const deposed = { token: shard.token };
    const claimed = await shard.own({ worker: 'trial.2' });
    t.same([claimed.oldest, claimed.below], ['0-3', 2]);
    t.same(await shard.unread(), ['0-3', '0-4', '0-5']);
    t.same(await shard.commit([moved(B, '0-3', 0)], deposed), { kind: 'fenced' });
    const group = redis.xreadgroup('GROUP', deposed.token, 'x', 'STREAMS', shard.keys.inbox, '>');
    await t.rejects(group, /NOGROUP/, 'its group is gone');
    t.equal(
      ((await redis.xinfo('GROUPS', shard.keys.inbox)) as unknown[]).length,
      1,
      'one group per claim, no leftover',
    );
    t.same(
      await shard.verdicts(moved(B, '0-3', 0), moved(A, '0-4', 3), moved(A, '0-5', 3)),
      ['COMMITTED', 'DUPLICATE', 'COMMITTED'],
      'what was handled above the oldest is known by its actor',
    );
    t.same(await shard.journal(), ['claimed', 'M:a1', 'M:a2', 'M:a3', 'claimed', 'M:b1', 'M:a4']);
    t.same(await shard.backlog(), { '*': '0' });
  },
);

t.test('M2: an entry at or below the last handled one is a duplicate, also when its group was lost', async (t) => {
  const shard = await withActor();
  const entry = await shard.accept(A, 'second');
  await shard.verdicts(moved(A, entry, 1));
  t.same(await shard.verdicts(moved(A, entry, 2)), ['DUPLICATE']);
  t.same(await shard.verdicts(moved(A, '0-1', 2)), ['DUPLICATE'], 'an older one too');
  const claimed = await shard.own();
  t.same([claimed.oldest, claimed.below], ['', 2], 'nothing is pending: it goes on where the other has read to');
  await redis.xgroup('DESTROY', shard.keys.inbox, shard.token);
  t.equal((await shard.own()).below, 0, 'a group that is gone starts at the beginning');
  t.same(await shard.verdicts(moved(A, '0-1', 2), moved(A, entry, 2)), ['DUPLICATE', 'DUPLICATE']);
  t.same(await shard.journal(), ['claimed', 'M:a1', 'M:a2', 'claimed', 'claimed'], 'nothing was applied twice');
  t.same(await shard.backlog(), { '*': '0' }, 'nor counted twice');
});

t.test(
  'M2: a handled entry is a duplicate also where it is the one step of a call and another one waits',
  async (t) => {
    const shard = await withActor();
    await shard.accept(A, 'second');
    await redis.xgroup('DESTROY', shard.keys.inbox, shard.token);
    t.equal((await shard.own()).below, 0);
    t.same(await shard.verdicts(moved(A, '0-1', 1)), ['DUPLICATE']);
    t.same(await shard.verdicts(moved(A, '0-2', 1)), ['COMMITTED']);
    t.same(await shard.backlog(), { '*': '0' });
  },
);

t.test('M2: a call that leaves out an entry does not take it away', async (t) => {
  const shard = await withActor();
  const [one, two] = [await shard.accept(B, 'one'), await shard.accept(A, 'two')];
  t.same(await shard.verdicts(moved(A, two, 1)), ['COMMITTED']);
  t.equal((await shard.own()).oldest, one);
});

t.test(
  'M3: receive takes a record whose predecessor it knows, and answers duplicate, gap or rewound to all others',
  async (t) => {
    const shard = new TrialShard(connection);
    const { keys } = shard;
    const record = (stamp: string, previous: string): LaneRecord => {
      const [source = '', n] = stamp.split('|');
      return { lane: 'o:1>d:0', token: source, n: Number(n), previous, actor: A, messageId: stamp, body: '{}' };
    };
    const take = (stamp: string, previous: string) => run(receive(keys, record(stamp, previous), ''));
    t.same(
      await take('5:a|2', '5:a|1'),
      { kind: 'gap', last: '' },
      'the lane begins with a record without predecessor',
    );
    t.same(await take('5:a|1', ''), { kind: 'taken' });
    t.same(await take('5:a|1', ''), { kind: 'duplicate' });
    t.same(await take('5:a|3', '5:a|2'), { kind: 'gap', last: '5:a|1' });
    t.same(await take('5:a|2', '5:a|1'), { kind: 'taken' });
    t.same(await take('5:a|3', '5:a|2'), { kind: 'taken' });
    t.same(await take('6:b|1', '5:a|3'), { kind: 'taken' }, 'the next owner of the source goes on');
    t.same(
      await take('5:a|3', '5:a|2'),
      { kind: 'gap', last: '6:b|1' },
      'a late record of the deposed relay is not taken',
    );
    t.same(await take('5:a|4', '5:a|3'), { kind: 'gap', last: '6:b|1' }, 'nor one that its dead token made');
    t.same(
      await take('7:c|1', '5:a|2'),
      { kind: 'source-rewound', last: '6:b|1' },
      'a new token from below: the source lost its tail',
    );
    t.same(await take('7:c|1', '5:a|2'), { kind: 'duplicate' });
    t.same(
      await take('8:d|1', '7:c|3'),
      { kind: 'gap', last: '7:c|1' },
      'a new token from above: something is missing',
    );
    t.same(await take('6:b|2', '6:b|1'), { kind: 'gap', last: '7:c|1' }, 'the lost tail does not come back');
    t.same(await shard.backlog(), { '*': '5', [A]: '5' });
    t.same(
      await run(receive(keys, { ...record('1:x|1', ''), lane: 'o:2>d:0' }, '')),
      { kind: 'taken' },
      'lanes know nothing of each other',
    );
  },
);

t.test('M3: each record of a lane names the one before it, also across owners', async (t) => {
  const lane = (name: string) => ({ sends: [{ lane: name, actor: B, messageId: 'm', body: '{}' }] });
  const shard = await withActor(lane('s:0>d:1'));
  const first = shard.token;
  await shard.verdicts(moved(A, await shard.accept(A, 'second'), 1, lane('s:0>d:1')));
  await shard.verdicts(moved(A, await shard.accept(A, 'third'), 2, lane('s:0>d:2')));
  await shard.own();
  await shard.verdicts(moved(A, await shard.accept(A, 'fourth'), 3, lane('s:0>d:1')));
  const sent = (await redis.xrange(shard.keys.outbox, '-', '+')).map(([, [, to, , by, , n, , previous]]) => [
    `${to} ${by}|${n}`,
    previous,
  ]);
  t.same(sent, [
    [`s:0>d:1 ${first}|1`, ''],
    [`s:0>d:1 ${first}|2`, `${first}|1`],
    [`s:0>d:2 ${first}|1`, ''],
    [`s:0>d:1 ${shard.token}|1`, `${first}|2`],
  ]);
});

t.test(
  'M4: a refusal is a commit: answer, last entry, journal, unchanged sequence; an unknown actor leaves no key behind',
  async (t) => {
    const shard = await withActor();
    const [one, two] = [await shard.accept(A, 'one'), await shard.accept(B, 'two')];
    const refused = (actor: ActorId, entry: string, sequence: number, id: string): CommitStep => ({
      kind: 'R',
      actor,
      cause: 'I',
      causeId: entry,
      sequence,
      body: '{}',
      messageId: id,
      asked: '1000 ab12',
      answer: '{"kind":"refused"}',
    });
    t.same(await shard.verdicts(refused(A, one, 1, 'one'), refused(B, two, 0, 'two')), ['COMMITTED', 'COMMITTED']);
    t.same(await shard.journal(), ['claimed', 'M:a1', 'R:a1', 'R:b0']);
    t.same(await redis.hmget(shard.keys.actor(A), 'line', 'rec'), ['1 2 1700000000000', 'record 1']);
    t.same(await run(send(shard.keys, trialCommand(A, 'one'))), { kind: 'duplicate', answer: '{"kind":"refused"}' });
    t.equal(await redis.exists(shard.keys.actor(B), shard.keys.positions(B)), 0);
    t.equal(await shard.pending(), 0);
    t.same(await shard.backlog(), { '*': '0' });
  },
);

t.test(
  'M1: a refusal by an actor that does not exist, taken twice after its group was lost, is counted once',
  async (t) => {
    const shard = await withActor();
    const entry = await shard.accept(B, 'one');
    const refused: CommitStep = { kind: 'R', actor: B, cause: 'I', causeId: entry, sequence: 0, body: '{}' };
    t.same(await shard.verdicts(refused), ['COMMITTED']);
    await redis.xgroup('DESTROY', shard.keys.inbox, shard.token);
    await shard.own();
    await shard.verdicts(moved(A, '0-1', 1), refused);
    t.same(await shard.backlog(), { '*': '0' });
    t.equal(await redis.exists(shard.keys.actor(B)), 0);
    const full = await run(send(shard.keys, trialCommand(B, 'two', { perShardMax: 0 })));
    t.equal(full.kind, 'full');
    t.equal(await redis.exists(shard.keys.actor(B)), 0, 'nor does a full mailbox leave a key of it');
    t.same(await shard.backlog(), { '*': '0' });
  },
);

/** Parks A on message `bad`, with `more` behind it in the waiting list. */
async function withParked(...more: readonly string[]): Promise<{ shard: TrialShard; entries: readonly string[] }> {
  const shard = await withActor();
  const entries: string[] = [];
  for (const id of ['bad', ...more]) entries.push(await shard.accept(A, id));
  const steps = entries.map(
    (entry, i): CommitStep => ({
      kind: i === 0 ? 'P' : 'Q',
      actor: A,
      cause: 'I',
      causeId: entry,
      sequence: 1,
      entry: `${entry} {}`,
      ...(i === 0 ? { body: '{}', why: '{"error":{}}' } : {}),
    }),
  );
  const verdicts = await shard.verdicts(...steps);
  if (verdicts.some((verdict) => verdict !== 'COMMITTED')) throw new Error(`not parked: ${verdicts}`);
  return { shard, entries };
}

const waiting = (entry: string, sequence: number, more: Partial<CommitStep> = {}): CommitStep => ({
  ...moved(A, entry, sequence),
  cause: 'W',
  ...more,
});
const redrive = (entry: string): CommitStep => ({
  kind: 'V',
  actor: A,
  cause: 'I',
  causeId: entry,
  sequence: 1,
  body: '{}',
});

t.test('M5: a parked actor keeps its messages in order, and the shard goes on', async (t) => {
  const { shard, entries } = await withParked('next');
  t.equal(await shard.pending(), 0, 'acknowledged: nothing stands in the way of the shard');
  t.same(
    await redis.lrange(shard.keys.waiting(A), 0, -1),
    entries.map((entry) => `${entry} {}`),
  );
  t.same(
    await shard.backlog(),
    { '*': '2', [A]: '2' },
    'waiting is not handled: the list is bounded by the mailbox (M1)',
  );
  const [other, late] = [await shard.accept(B, 'other'), await shard.accept(A, 'late')];
  t.same(
    await shard.verdicts(moved(B, other, 0), moved(A, late, 1)),
    ['COMMITTED', 'PARKED'],
    'an owner that does not know is told',
  );
  t.same(await shard.verdicts({ kind: 'Q', actor: B, cause: 'I', causeId: '0-9', sequence: 1, entry: 'x' }), [
    'CONFLICT',
  ]);
  t.equal(await shard.pending(), 1);
});

t.test('M5: redrive steps the list in order, the actor counting as parked until it is empty', async (t) => {
  const { shard, entries } = await withParked('next');
  const [bad = '', next = ''] = entries;
  const act = await shard.accept(A, 'redrive');
  t.same(await shard.verdicts(redrive(act)), ['COMMITTED']);
  t.same(await shard.verdicts(waiting(next, 1)), ['GONE'], 'not out of turn');
  t.same(await shard.verdicts(waiting(bad, 1)), ['COMMITTED']);
  t.equal(await redis.hexists(shard.keys.parked, A), 1);
  t.same(
    await shard.verdicts(waiting(next, 2, { kind: 'P', why: '{}' })),
    ['COMMITTED'],
    'it throws again: it stays first in line',
  );
  t.same(await redis.lrange(shard.keys.waiting(A), 0, -1), [`${next} {}`]);
  t.same(await shard.verdicts(waiting(next, 2)), ['COMMITTED']);
  t.equal(await redis.exists(shard.keys.parked, shard.keys.waiting(A)), 0);
  t.same(await shard.backlog(), { '*': '0' });
});

t.test('M5: a redrive is resumed twice over one message, and anew once that one is handled', async (t) => {
  const { shard, entries } = await withParked('next', 'third');
  const act = await shard.accept(A, 'redrive');
  await shard.verdicts(redrive(act));
  const resumed = () => run(resume(shard.keys, shard.token, A, 2));
  const how = async () => (await redis.hget(shard.keys.parked, A))?.split(' ')[0];
  t.equal(await run(resume(shard.keys, token('9:dead'), A, 2)), 'fenced');
  t.same([await resumed(), await how()], ['resumed', 'V+1']);
  t.same([await resumed(), await how()], ['resumed', 'V+2']);
  t.same(await shard.verdicts(waiting(entries[0] ?? '', 1)), ['COMMITTED']);
  t.equal(await how(), 'V');
  for (const word of ['resumed', 'resumed', 'parked']) t.equal(await resumed(), word);
  t.equal(await redis.hget(shard.keys.parked, A), 'P {"error":{}}', 'it waits for the operator again');
  t.equal(await run(resume(shard.keys, shard.token, B, 2)), 'gone');
});

t.test('M5: two redrives at once do not step one waiting message twice', async (t) => {
  const { shard, entries } = await withParked('next');
  const [bad = '', next = ''] = entries;
  t.same(await shard.verdicts(waiting(bad, 1), waiting(bad, 2)), ['COMMITTED', 'GONE']);
  t.same(await redis.lrange(shard.keys.waiting(A), 0, -1), [`${next} {}`], 'and the next one is not lost');
  t.match(await redis.hget(shard.keys.actor(A), 'line'), /^2 /);
});

t.test(
  'M5: a message that meets the last redriven one in a call is not left behind an actor that is parked no more',
  async (t) => {
    for (const last of ['waiting', 'redrive'] as const) {
      const { shard, entries } = last === 'waiting' ? await withParked() : { shard: await withActor(), entries: [] };
      if (last === 'redrive') {
        // Parked by a timer: no entry waits.
        await redis.zadd(shard.keys.timers, '1', `t|${A}|x`);
        await redis.hset(shard.keys.rows, `t|${A}|x`, '1.0 {}');
        await shard.verdicts({
          kind: 'P',
          actor: A,
          cause: 'T',
          causeId: `t|${A}|x`,
          generation: '1.0',
          sequence: 1,
          why: '{}',
        });
      }
      const act = last === 'redrive' ? await shard.accept(A, 'act') : '';
      const late = await shard.accept(A, 'late');
      const first = last === 'redrive' ? redrive(act) : waiting(entries[0] ?? '', 1);
      const queued: CommitStep = {
        kind: 'Q',
        actor: A,
        cause: 'I',
        causeId: late,
        sequence: last === 'redrive' ? 1 : 2,
        entry: `${late} {}`,
      };
      t.same(await shard.verdicts(first, queued), ['COMMITTED', 'CONFLICT'], last);
      t.equal(await redis.exists(shard.keys.parked, shard.keys.waiting(A)), 0);
      t.same(
        await shard.verdicts(moved(A, late, last === 'redrive' ? 1 : 2)),
        ['COMMITTED'],
        'it is stepped in its turn',
      );
    }
  },
);

t.test('M5: discard is kept until each waiting message has been refused, and its caller answered', async (t) => {
  const { shard, entries } = await withParked('next');
  const [act, after] = [await shard.accept(A, 'discard'), await shard.accept(A, 'after')];
  t.same(await shard.verdicts({ ...redrive(act), kind: 'X' }, moved(A, after, 1)), ['COMMITTED', 'PARKED']);
  t.equal(await redis.hget(shard.keys.parked, A), `X${act.slice(2)} {"error":{}}`, 'the next owner goes on with it');
  const dropped = (entry: string, id: string): CommitStep => ({
    ...waiting(entry, 1, {
      messageId: id,
      answer: '{"kind":"refused","reason":"discarded"}',
      snapshot: '',
      record: '',
    }),
    kind: 'R',
  });
  t.same(await shard.verdicts(dropped(entries[0] ?? '', 'bad')), ['COMMITTED']);
  t.equal(await redis.hexists(shard.keys.parked, A), 1);
  t.same(await shard.verdicts(dropped(entries[1] ?? '', 'next'), moved(A, after, 1)), ['COMMITTED', 'COMMITTED']);
  t.match(await run(send(shard.keys, trialCommand(A, 'next'))), { kind: 'duplicate', answer: /discarded/ });
  t.equal(await redis.exists(shard.keys.parked, shard.keys.waiting(A)), 0);
  t.same(await shard.backlog(), { '*': '0' });
  t.same((await shard.journal()).slice(-4), ['X:a1', 'R:a1', 'R:a1', 'M:a2']);
});

t.test(
  'M5: claims in a row over one oldest entry are counted, and an entry found being tried twice is told',
  async (t) => {
    const shard = await withActor();
    const [bad, next] = [await shard.accept(A, 'bad'), await shard.accept(A, 'next')];
    const counts: unknown[] = [];
    for (let i = 0; i < 5; i += 1) {
      const { oldest, tries, found } = await shard.own();
      counts.push([oldest, tries, found]);
      if (tries >= 3 || found > 0) t.equal(await run(trying(shard.keys, shard.token, bad)), true);
    }
    t.same(counts, [
      [bad, 1, 0],
      [bad, 2, 0],
      [bad, 3, 0],
      [bad, 4, 1],
      [bad, 5, 2],
    ]);
    await shard.verdicts({ kind: 'P', actor: A, cause: 'I', causeId: bad, sequence: 1, entry: `${bad} {}`, why: '{}' });
    const { oldest, tries, found } = await shard.own();
    t.same([oldest, tries, found], [next, 1, 0], 'the next one starts afresh');
    await run(release(shard.keys, shard.token, 'x', ''));
    shard.token = token((await redis.hget(shard.keys.owner, 'token')) ?? '');
    t.equal((await shard.own()).tries, 1, 'a release is no crash');
  },
);

t.test('M5: claims in a row over one due timer are counted, and a timer found being tried twice is told', async (t) => {
  const shard = await withActor();
  const member = timerMember(A, 'fuse');
  const timer = { member, generation: 'g1', dueAt: 1, resume: '', event: '{"type":"X"}' };
  await shard.verdicts(moved(A, await shard.accept(A, 'arm'), 1, { timersSet: [timer] }));
  const tried = timerTried(member, 'g1');
  const counts: unknown[] = [];
  for (let i = 0; i < 5; i += 1) {
    const { tries, found, tried: told } = await shard.own();
    counts.push(`${tries} ${found} ${told}`);
    // Others of the shard go on meanwhile, and it is found all the same.
    await shard.verdicts(moved(A, await shard.accept(A, `other${i}`), 2 + i));
    if (tries >= 3 || found > 0) t.equal(await run(trying(shard.keys, shard.token, tried)), true);
  }
  t.same(counts, ['1 0 ', '2 0 ', '3 0 ', `4 1 ${tried}`, `5 2 ${tried}`]);
  const again = { ...timer, generation: 'g2' };
  await shard.verdicts(moved(A, await shard.accept(A, 'again'), 7, { timersSet: [again] }));
  const { tries, found } = await shard.own();
  t.same([tries, found], [1, 0], 'armed again it is another one');
  await run(release(shard.keys, shard.token, 'x', ''));
  shard.token = token((await redis.hget(shard.keys.owner, 'token')) ?? '');
  t.equal((await shard.own()).tries, 1, 'a release is no crash');
});

t.test('M6: a create and its answer are kept with its actor, and replayed as they were', async (t) => {
  const shard = new TrialShard(connection);
  await shard.own();
  const create = trialCommand(A, 'order-1');
  const first = await run(send(shard.keys, create));
  t.equal(first.kind, 'accepted');
  t.same(await run(send(shard.keys, create)), { kind: 'duplicate', answer: '' });
  await shard.verdicts(
    moved(A, '0-1', 0, { kind: 'C' }),
    moved(A, '0-1', 1, { messageId: 'order-1', answer: '{"version":2,"text":"ä\\n"}' }),
  );
  t.same(await run(send(shard.keys, create)), { kind: 'duplicate', answer: '{"version":2,"text":"ä\\n"}' });
  t.same(await run(send(shard.keys, { ...create, digest: 'ff' })), { kind: 'key-reused' });
  t.same(
    await run(send(shard.keys, { ...create, actor: B })),
    { kind: 'accepted', position: 2 },
    'a key belongs to its actor',
  );
  t.same(await shard.journal(), ['claimed', 'C:a1', 'M:a2']);
});

t.test('M7: answers leave by age, in a fenced call, and those of commands that still run stay', async (t) => {
  const shard = await withActor();
  const week = 7 * 24 * 3_600_000;
  const forget = (at: number) => run(trim(shard.keys, shard.token, untouched, String(at)));
  await run(send(shard.keys, trialCommand(A, 'runs')));
  t.equal(await forget(999 + week), '0', 'the walk is over');
  t.equal((await run(send(shard.keys, trialCommand(A, 'first')))).kind, 'duplicate', 'seven days are kept');
  await forget(1_000 + week);
  t.equal((await run(send(shard.keys, trialCommand(A, 'runs')))).kind, 'duplicate');
  t.equal((await run(send(shard.keys, trialCommand(A, 'first')))).kind, 'accepted', 'forgotten');
});

t.test('a journal is trimmed strictly below what is asked, with the positions of its actors', async (t) => {
  const shard = await withActor();
  for (const sequence of [1, 2]) await shard.verdicts(moved(A, await shard.accept(A, `m${sequence}`), sequence));
  await run(trim(shard.keys, shard.token, { ...untouched, journalFrom: 3, actors: [A] }, ''));
  t.same(await shard.journal(), ['M:a2', 'M:a3']);
  t.same(await redis.lrange(shard.keys.positions(A), 0, -1), ['3', '4']);
});

// --- T1, T2: time ------------------------------------------------------------------------------------------------------

const ROW = `t|${A}|fuse`;
const timerSet = (generation: string, dueAt: number, resume = ''): NonNullable<CommitStep['timersSet']> => [
  { member: ROW, generation, dueAt, resume, event: '{}' },
];
const fired = (generation: string, sequence: number, more: Partial<CommitStep> = {}): CommitStep => ({
  ...moved(A, ROW, sequence),
  cause: 'T',
  generation,
  ...more,
});

t.test('T1: a timer fires by a commit that finds its row and generation; never early, and once', async (t) => {
  const shard = await withActor({ timersSet: timerSet('1.0', 5_000) });
  const at = async (reading: number, ...steps: CommitStep[]) => {
    const reply = await shard.commit(steps, { reading: String(reading) });
    return reply.kind === 'ok' ? reply.verdicts : reply.kind;
  };
  t.same(await at(4_999, fired('1.0', 1)), ['EARLY']);
  t.same(await at(5_000, fired('0.9', 1)), ['GONE'], 'another generation');
  t.equal(await redis.zcard(shard.keys.timers), 1);
  t.same(await at(5_000, fired('1.0', 1), fired('1.0', 2)), ['COMMITTED', 'GONE'], 'handed over twice, fired once');
  t.equal(await redis.exists(shard.keys.timers, shard.keys.rows), 0);
  t.same(await at(5_001, fired('1.0', 2)), ['GONE']);
  t.same(await shard.journal(), ['claimed', 'M:a1', 'M:a2']);
});

t.test('T1: a timer that its own step arms again is another one, also within one call', async (t) => {
  const shard = await withActor({ timersSet: timerSet('1.0', 10) });
  t.same(await shard.verdicts(fired('1.0', 1, { timersSet: timerSet('2.0', 20) }), fired('1.0', 2)), [
    'COMMITTED',
    'GONE',
  ]);
  t.equal(await redis.hget(shard.keys.rows, ROW), '2.0 {}', 'the new row stands under the old name');
  t.same(await shard.verdicts(fired('2.0', 2)), ['COMMITTED']);
  t.equal(await redis.exists(shard.keys.timers, shard.keys.rows), 0);
});

t.test(
  'T1: the server judges by its own clock unless the namespace records virtual time; a cancelled timer is gone',
  async (t) => {
    const shard = await withActor({ timersSet: timerSet('1.0', 9_000_000_000_000) });
    t.same(await shard.verdicts(fired('1.0', 1)), ['EARLY'], 'the year 2255');
    const entry = await shard.accept(A, 'cancel');
    t.same(await shard.verdicts(moved(A, entry, 1, { timersCleared: [{ member: ROW, generation: '0.7' }] })), [
      'COMMITTED',
    ]);
    t.equal(await redis.zcard(shard.keys.timers), 1, 'a newer generation is not cleared by an older one');
    const again = await shard.accept(A, 'again');
    t.same(await shard.verdicts(moved(A, again, 2, { timersCleared: [{ member: ROW, generation: '1.0' }] })), [
      'COMMITTED',
    ]);
    t.equal(await redis.exists(shard.keys.timers, shard.keys.rows), 0);
    t.same(await shard.verdicts(fired('1.0', 3)), ['GONE']);
  },
);

t.test('T1: an outage moves the timers whose policy says so, and only an outage', async (t) => {
  const start = 1_000_000;
  const due = start + 60_000;
  const shard = new TrialShard(connection);
  await shard.own({ reading: String(start) });
  const entry = await shard.accept(A, 'first');
  const rows = [
    ['deadline', ''],
    ['remaining', 'remaining 60000'],
    ['restart', 'restart 60000'],
  ] as const;
  const timersSet = rows.map(([id, resume]) => ({
    member: `t|${A}|${id}`,
    generation: '1.0',
    dueAt: due,
    resume,
    event: '{}',
  }));
  await shard.commit([moved(A, entry, 0, { timersSet })], { reading: String(start) });
  const dues = async () =>
    Object.fromEntries(
      await Promise.all(rows.map(async ([id]) => [id, Number(await redis.zscore(shard.keys.timers, `t|${A}|${id}`))])),
    );
  await shard.own({ reading: String(start + outageMs - 1) });
  t.same(await dues(), { deadline: due, remaining: due, restart: due }, 'a takeover is none');
  const back = start + outageMs - 1 + 100_000;
  await shard.own({ reading: String(back) });
  t.same(await dues(), { deadline: due, remaining: due + 100_000, restart: back + 60_000 });
  await shard.commit([fired('1.0', 1, { causeId: `t|${A}|restart` })], { reading: String(back + 60_000) });
  t.same(await redis.hkeys(shard.keys.resumable), [`t|${A}|remaining`], 'a fired one resumes no more');
});

t.test('T2: where virtual time is recorded the reading passed in counts, and the server clock does not', async (t) => {
  const shard = await withActor({ timersSet: timerSet('1.0', 500) });
  t.equal((await shard.commit([fired('1.0', 1)], { reading: '499' })).kind, 'ok');
  t.equal(await redis.zcard(shard.keys.timers), 1, 'early by the virtual clock, however late by the real one');
  t.same(await shard.verdicts(fired('1.0', 1)), ['COMMITTED'], 'late by the clock of the server');
});

// --- E1 to E3: effects -------------------------------------------------------------------------------------------------

const started = (...keys: readonly string[]): Partial<CommitStep> => ({
  effects: keys.map((key) => ({ key, dueAt: 1, record: '{}' })),
});

t.test(
  'E1: the attempt number is written before the call, and only for an open record at the number that the caller knows',
  async (t) => {
    const { keys, token: mine } = await withActor(started('k1', 'k2'));
    const ask = (key: string, attemptsSoFar: number) =>
      run(begin(keys, mine, [{ key, attemptsSoFar, lookAgainAt: 12_000.4 }]));
    t.same(await ask('k1', 0), [true]);
    t.same(await redis.hgetall(keys.attempts), { k1: '1r' });
    t.equal(await redis.zscore(keys.timers, 'e|k1'), '12001', 'looked at again when its answer must be here');
    t.same(await ask('k1', 0), [false], 'a late copy begins nothing');
    t.same(await ask('k1', 1), [true]);
    t.same(await ask('k9', 0), [false]);
    t.same(
      await run(
        begin(keys, mine, [
          { key: 'k2', attemptsSoFar: 0, lookAgainAt: 1 },
          { key: 'k1', attemptsSoFar: 2, lookAgainAt: 1 },
        ]),
      ),
      [true, true],
    );
  },
);

t.test(
  'E1: an outcome closes its record and enters the inbox in one go; another attempt, or a second time, is gone',
  async (t) => {
    const shard = await withActor(started('k1'));
    const { keys } = shard;
    const settle = (attempt: number, more: { retryAt?: number; body?: string } = {}) =>
      run(finish(keys, shard.token, { key: 'k1', attempt, actor: A, body: '{"done":1}', ...more }, ''));
    await run(begin(keys, shard.token, [{ key: 'k1', attemptsSoFar: 0, lookAgainAt: 5 }]));
    t.equal(await settle(1, { retryAt: 99.5 }), 'retry');
    t.equal(await redis.zscore(keys.timers, 'e|k1'), '100');
    t.same(await redis.hgetall(keys.attempts), { k1: '1' }, 'tried once, not running');
    await run(begin(keys, shard.token, [{ key: 'k1', attemptsSoFar: 1, lookAgainAt: 5 }]));
    t.equal(await settle(1), 'gone', 'the answer of the first try comes after the second was begun');
    t.equal(await settle(2), 'settled');
    t.equal(await settle(2), 'gone');
    t.equal(await redis.exists(keys.effects, keys.attempts, keys.timers), 0);
    const entries = await redis.xrange(keys.inbox, '(0-1', '+');
    t.same(
      entries.map(([, [, head, , body]]) => [head?.replace(/^\d+ /, 'at '), body]),
      [[`at - ${A}|k1`, '{"done":1}']],
      'one message, under the key',
    );
    t.same(await shard.backlog(), { '*': '1', [A]: '1' });
  },
);

t.test(
  'E1: leaving the state cancels an untried record; a tried one runs to its outcome, which is late and journaled once',
  async (t) => {
    const shard = await withActor(started('untried', 'running', 'waits'));
    const { keys } = shard;
    const [leave, other] = [await shard.accept(A, 'leave'), await shard.accept(A, 'other')];
    await run(
      begin(
        keys,
        shard.token,
        ['running', 'waits'].map((key) => ({ key, attemptsSoFar: 0, lookAgainAt: 5 })),
      ),
    );
    await run(finish(keys, shard.token, { key: 'waits', attempt: 1, actor: A, retryAt: 9, body: '' }, ''));
    await shard.verdicts(moved(A, leave, 1, { stops: ['untried', 'running', 'waits', 'never'] }));
    t.same((await redis.hkeys(keys.effects)).sort(), ['running', 'waits']);
    t.same(await redis.hgetall(keys.attempts), { running: '1rl', waits: '1l' });
    t.same(await run(begin(keys, shard.token, [{ key: 'untried', attemptsSoFar: 0, lookAgainAt: 5 }])), [false]);
    t.same(
      await run(begin(keys, shard.token, [{ key: 'waits', attemptsSoFar: 1, lookAgainAt: 5 }])),
      [true],
      'it is tried on',
    );
    t.equal(await run(finish(keys, shard.token, { key: 'running', attempt: 1, actor: A, body: '{}' }, '')), 'late');
    t.same(await redis.hget(keys.attempts, 'waits'), '2rl');

    const late: CommitStep = {
      kind: 'L',
      actor: A,
      cause: 'E',
      causeId: 'running',
      generation: '1',
      sequence: 2,
      body: '{}',
      ...started('undo'),
    };
    const followed: CommitStep = { ...late, own: [{ actor: A, messageId: 'x', body: '{}' }] };
    t.same(await shard.verdicts({ ...late, generation: '2' }), ['GONE']);
    t.same(await shard.verdicts(followed, followed), ['COMMITTED', 'GONE'], 'once, also within one call');
    t.same((await redis.hkeys(keys.effects)).sort(), ['undo', 'waits']);
    t.same(await shard.backlog(), { '*': '2', [A]: '2' }, 'the message of the follow-up, and the other one');
    t.same(await shard.verdicts(moved(A, other, 2)), ['COMMITTED'], 'a late outcome moves no sequence');
    t.same(await shard.journal(), ['claimed', 'M:a1', 'M:a2', 'L:a2', 'M:a3']);
  },
);

t.test(
  'E3: a circuit opens when half of 20 calls failed, lets one probe through per rest, and closes or opens on what it finds',
  async (t) => {
    const keys = namespaceKeys(namespace(`c${++spaces}`));
    const ask = (what: Parameters<typeof circuit>[2], now: number) => run(circuit(keys, 'bureau', what, String(now)));
    for (let i = 0; i < 20; i += 1) await ask(i < 9 ? 'bad' : 'ok', 1_000);
    t.same(await ask('enter', 1_000), { pass: true, state: 'closed' }, 'nine of twenty are borne');
    for (let i = 0; i < 19; i += 1) await ask(i < 10 ? 'bad' : 'ok', 1_000);
    t.same(await ask('enter', 1_000), { pass: true, state: 'closed' }, 'nineteen say nothing yet');
    t.same(await ask('ok', 1_000), { pass: true, state: 'open' });
    t.same(await ask('enter', 1_001), { pass: false, waitMs: 9_999 });
    t.same(
      await ask('ok', 2_000),
      { pass: true, state: 'open' },
      'a late report of a call from before does not close it',
    );
    const probes = await Promise.all([1, 2, 3].map(() => ask('enter', 11_000)));
    t.same(
      probes.map(({ pass }) => pass),
      [true, false, false],
      'one probe, whoever asks',
    );
    t.same(await ask('ok', 11_100), { pass: true, state: 'half-open' }, 'only the probe decides');
    t.same(await ask('probe-bad', 11_500), { pass: true, state: 'open' });
    t.same(await ask('enter', 21_499), { pass: false, waitMs: 1 });
    t.same(await ask('enter', 21_500), { pass: true, state: 'half-open' });
    t.same(await ask('enter', 31_499), { pass: false, waitMs: 1 }, 'a probe that is lost blocks nobody for ever');
    t.same(await ask('enter', 31_500), { pass: true, state: 'half-open' });
    t.same(await ask('probe-ok', 31_600), { pass: true, state: 'closed' });
    t.same(await redis.smembers(keys.circuits), ['bureau']);
  },
);

t.test('a rate allows its burst at once, then one per interval, and says how long to wait', async (t) => {
  const rate = { count: 10, perMs: 1_000, burst: 3 };
  const ask = (now: number) => run(limit(`{limit${spaces}}`, rate, String(now)));
  const answers = await Promise.all([ask(5_000), ask(5_000), ask(5_000), ask(5_000)]);
  t.same(
    answers.map(({ allowed, retryAfterMs }) => (allowed ? 'yes' : retryAfterMs)),
    ['yes', 'yes', 'yes', 100],
  );
  t.same(await ask(5_099), { allowed: false, retryAfterMs: 1 });
  t.same(await ask(5_100), { allowed: true, retryAfterMs: 0 });
  t.same(await ask(60_000), { allowed: true, retryAfterMs: 0 });
});

t.test(
  'a server without memory refuses intake before it has written anything, and still lets owners claim and release',
  async (t) => {
    const shard = await withActor();
    const before = await shard.dump();
    await redis.config('SET', 'maxmemory', '1');
    t.teardown(() => redis.config('SET', 'maxmemory', '0'));
    await t.rejects(
      run(send(shard.keys, trialCommand(A, 'x'))),
      new OperatingError('redis-full', 'FCALL', { retry: 'here' }) && { code: 'redis-full' },
    );
    await t.rejects(shard.commit([moved(A, '0-1', 1)]), { code: 'redis-full' });
    t.same(await shard.dump(), before);
    await shard.own();
    t.equal(await run(trim(shard.keys, shard.token, untouched, '')), '0');
    t.equal(await run(release(shard.keys, shard.token, 'x', '')), true);
  },
);

t.test('C1: no function has touched a key that it does not declare, or declared keys of two slots', async (t) => {
  await watch.caughtUp();
  t.same([...watch.findings], []);
});
t.test('the tests of this file call most functions', async (t) => t.ok(watch.called.size > 10));
