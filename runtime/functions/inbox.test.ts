// Goal: an inbox that was lost is never made anew, by nobody: what would be written to it is refused, and nothing else is written.
// Method: every function that adds to an inbox, or begins with one, meets a shard whose inbox was taken away and later put back;
// "wrote nothing" is a DUMP.

import t, { type Test } from 'tap';
import { timerMember } from '../commit/work.ts';
import { actorId, token } from '../ids.ts';
import type { Connection } from '../redis/connection.ts';
import { connect } from '../redis/connector.ts';
import { startRedis } from '../testing/redis-server.ts';
import { runOn, TrialShard, trialCommand } from '../testing/trial-shard.ts';
import { begin } from './begin.ts';
import type { Call } from './call.ts';
import type { CommitStep } from './commit.ts';
import { finish } from './finish.ts';
import { found } from './found.ts';
import { loadLibrary } from './library.ts';
import { type LaneRecord, receive } from './receive.ts';
import { send } from './send.ts';

const server = await startRedis();
const connection: Connection = await connect('writer', server.url);
const { redis } = connection;
await loadLibrary(redis);
t.teardown(async () => {
  await connection.close();
  await server.stop();
});

const run = <Reply>(call: Call<Reply>): Promise<Reply> => runOn(connection, call);

const A = actorId('act_a');
const B = actorId('act_b');

const step = (cause: CommitStep['cause'], causeId: string, sequence: number, more: Partial<CommitStep> = {}) => ({
  ...({ kind: 'M', actor: A, cause, causeId, sequence, snapshot: '{}', record: '{}', body: '{}' } as const),
  ...more,
});

const timer = { member: timerMember(A, 'fuse'), generation: '1.0', dueAt: 1, resume: '', event: '{}' };

/** A shard whose actor A has taken a first step, with an effect begun and a timer that is due. */
async function withActor(): Promise<TrialShard> {
  const shard = new TrialShard(connection);
  await shard.own();
  const entry = await shard.accept(A, 'first');
  const effects = [{ key: 'k1', dueAt: 1, record: '{}' }];
  await shard.commit([step('I', entry, 0, { messageId: 'first', asked: '1000 ab12', effects, timersSet: [timer] })]);
  await run(begin(shard.keys, shard.token, [{ key: 'k1', attemptsSoFar: 0, lookAgainAt: 9 }]));
  return shard;
}

/** Takes the inbox away, and puts it back when `act` has been refused and nothing was written. */
async function without(t: Test, shard: TrialShard, act: () => Promise<void>): Promise<void> {
  const { inbox } = shard.keys;
  await redis.rename(inbox, `${inbox}:kept`);
  const before = await shard.dump();
  await act();
  t.strictSame(await shard.dump(), before, 'nothing is written, and no inbox made');
  await redis.rename(`${inbox}:kept`, inbox);
}

t.test('M1: send to an inbox that is gone accepts nothing and takes back what it noted', async (t) => {
  const shard = await withActor();
  await without(t, shard, async () => {
    const command = trialCommand(A, 'm1');
    t.same(await run(send(shard.keys, command)), { kind: 'gone' }, 'by an actor that exists');
    t.same(await run(send(shard.keys, command)), { kind: 'gone' }, 'again: it left no record of itself');
    t.same(await run(send(shard.keys, trialCommand(B, 'm2'))), { kind: 'gone' }, 'by one that does not');
    const control = { ...trialCommand(A, 'm3'), perActorMax: 0 };
    t.same(await run(send(shard.keys, control)), { kind: 'gone' }, "an operator's act, which has no limit");
    const full = { ...trialCommand(A, 'm4'), perShardMax: 0 };
    t.match(await run(send(shard.keys, full)), { kind: 'full' }, 'a full mailbox is told first');
    t.match(
      await run(send(shard.keys, trialCommand(A, 'first'))),
      { kind: 'duplicate' },
      'as is what was accepted before',
    );
  });
  t.same(await run(send(shard.keys, trialCommand(A, 'm1'))), { kind: 'accepted', position: 2 }, 'put back, it goes on');
  t.same(await shard.backlog(), { '*': '1', act_a: '1' });
});

t.test('M1: after all data of a shard were deleted send leaves nothing behind but a count of 0', async (t) => {
  const shard = await withActor();
  await redis.del(...(await shard.dump()).keys());
  t.same(await run(send(shard.keys, trialCommand(A, 'm1'))), { kind: 'gone' });
  t.same([...(await shard.dump()).keys()], [shard.keys.backlog]);
  t.same(await shard.backlog(), { '*': '0' });
});

t.test('M1: founding makes an inbox whose first entry is 0-1, and leaves one that is there as it is', async (t) => {
  const shard = new TrialShard(connection);
  t.same(
    (await Promise.all([run(found(shard.keys)), run(found(shard.keys))])).sort(),
    ['founded', 'there'],
    'two at once make it once',
  );
  t.same(await redis.xinfo('GROUPS', shard.keys.inbox), []);
  t.equal(await shard.accept(A, 'before any claim'), '0-1');
  t.match(await shard.own(), { oldest: '0-1' }, 'which the first claim finds');
  const before = await shard.dump();
  t.equal(await run(found(shard.keys)), 'there');
  t.strictSame(await shard.dump(), before);
});

t.test(
  'L2: the first claim of a shard makes no inbox either: there was one, with what had been accepted',
  async (t) => {
    const shard = await TrialShard.founded(connection);
    await shard.accept(A, 'm1');
    await without(t, shard, async () => {
      await t.rejects(shard.claim(), { message: 'damaged: inbox' });
    });
    t.match(await shard.own(), { kind: 'claimed', oldest: '0-1' }, 'put back, it is claimed');
  },
);

t.test('M3: receive into an inbox that is gone takes nothing, and says so before it asks for the lane', async (t) => {
  const shard = await withActor();
  const lane = { lane: 'o:0>s:0', actor: B, body: '{}' };
  const record = (n: number, more: Partial<LaneRecord> = {}): LaneRecord => ({
    ...lane,
    ...{ token: token('1:n'), n, previous: n === 1 ? '' : `1:n|${n - 1}`, messageId: `r${n}` },
    ...more,
  });
  const take = (one: LaneRecord) => run(receive(shard.keys, one, ''));
  t.same(await take(record(1)), { kind: 'taken' });
  await without(t, shard, async () => {
    for (const one of [record(2), record(1), record(4), record(1, { token: token('2:n'), previous: '' })])
      t.same(await take(one), { kind: 'gone' }, `${one.token} ${one.n} behind "${one.previous}"`);
  });
  t.same(await take(record(1)), { kind: 'duplicate' }, 'put back, the lane goes on');
  t.same(await take(record(2)), { kind: 'taken' });
  await redis.del(shard.keys.inbox, shard.keys.lanesIn);
  t.same(await take(record(3)), { kind: 'gone' }, 'also where the place of the lane is gone with it');
});

t.test('E1: an outcome for an inbox that is gone leaves its record open', async (t) => {
  const shard = await withActor();
  const outcome = { key: 'k1', attempt: 1, actor: A, body: '{"done":1}' };
  await without(t, shard, async () => {
    t.equal(await run(finish(shard.keys, shard.token, outcome, '')), 'damaged');
  });
  t.equal(await run(finish(shard.keys, shard.token, outcome, '')), 'settled', 'put back, it is told');
  t.match(await redis.xrange(shard.keys.inbox, '0-2', '0-2'), [['0-2', ['h', /k1$/, 'b', outcome.body]]]);
});

t.test('C1: a step that tells somebody of its own shard is not half done where the inbox is gone', async (t) => {
  const shard = await withActor();
  const tells = [
    step('T', timer.member, 1, { generation: timer.generation, own: [{ actor: B, messageId: 'o1', body: '{}' }] }),
  ];
  await without(t, shard, async () => {
    t.same(await shard.commit(tells), { kind: 'damaged' });
  });
  t.match(await shard.commit(tells), { kind: 'ok', verdicts: ['COMMITTED'] }, 'put back, it is done');
  t.equal(await redis.xlen(shard.keys.inbox), 2);
});
