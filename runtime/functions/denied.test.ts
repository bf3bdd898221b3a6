// Goal: a right that a user loses while it works stops its call before the first write. Method: one scenario that comes to every
// command of every function; before each call its user loses one of the function's commands after the other, and whenever the call
// then fails, a DUMP of everything is what it was, byte for byte.

import { Redis } from 'ioredis';
import t from 'tap';
import { actorId, namespace, workerId } from '../ids.ts';
import { answersKeptMs, outageMs } from '../limits.ts';
import type { Connection } from '../redis/connection.ts';
import { connect } from '../redis/connector.ts';
import { redisFailure } from '../redis/failure.ts';
import { namespaceKeys } from '../redis/keys.ts';
import { startRedis } from '../testing/redis-server.ts';
import { runOn, TrialShard, trialCommand } from '../testing/trial-shard.ts';
import { advance } from './advance.ts';
import { beat } from './beat.ts';
import { begin } from './begin.ts';
import type { Call } from './call.ts';
import { circuit } from './circuit.ts';
import type { CommitStep } from './commit.ts';
import { finish } from './finish.ts';
import { innerCommands } from './inner.ts';
import { join } from './join.ts';
import { leave } from './leave.ts';
import { functionName, loadLibrary } from './library.ts';
import { limit } from './limit.ts';
import { publish } from './publish.ts';
import { receive } from './receive.ts';
import { release } from './release.ts';
import { resume } from './resume.ts';
import { send } from './send.ts';
import { swap } from './swap.ts';
import { travel } from './travel.ts';
import { trim } from './trim.ts';
import { trying } from './trying.ts';

const server = await startRedis();
const raw: Connection = await connect('writer', server.url);
const { redis } = raw;
await loadLibrary(redis);
await redis.call('ACL', 'SETUSER', 'app', 'on', '>pw', '~*', '+@all');
const app = new Redis(`redis://app:pw@127.0.0.1:${server.port}`, { replyMapping: 'legacy' });
const inner = await innerCommands();
t.teardown(async () => {
  app.disconnect();
  await raw.close();
  await server.stop();
});

/** `function command` of every call that was refused, and those that had written something by then. */
const refused = new Set<string>();
const halves: string[] = [];
const misread: string[] = [];

async function everything(): Promise<ReadonlyMap<string, Buffer>> {
  const names = (await redis.keys('*')).sort();
  const dumps = await Promise.all(names.map((name) => redis.dumpBuffer(name)));
  return new Map(names.map((name, index) => [name, dumps[index] ?? Buffer.alloc(0)]));
}

const isSame = (a: ReadonlyMap<string, Buffer>, b: ReadonlyMap<string, Buffer>): boolean =>
  a.size === b.size && [...a].every(([name, bytes]) => b.get(name)?.equals(bytes) === true);

async function putBack(before: ReadonlyMap<string, Buffer>): Promise<void> {
  const transaction = redis.multi().flushdb();
  for (const [name, bytes] of before) transaction.restore(name, 0, bytes);
  await transaction.exec();
}

/** Makes the call without each of its rights, and then with all of them. */
async function triedCall(...words: [string, ...(string | number)[]]): Promise<unknown> {
  const name = [...inner.keys()].find((one) => functionName(one) === words[1]) ?? '';
  const before = await everything();
  for (const rule of words[0] === 'FCALL' ? (inner.get(name) ?? []) : []) {
    await redis.call('ACL', 'SETUSER', 'app', '+@all', `-${rule}`);
    const error: unknown = await app.call(...words).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    if (error === undefined) {
      await putBack(before); // This path of the function does not come to it.
      continue;
    }
    refused.add(`${name} ${rule}`);
    if (!isSame(before, await everything())) halves.push(`${name} ${rule}`);
    const { code } = redisFailure(name, error) as { code?: string };
    if (code !== 'redis-denied') misread.push(`${name} ${rule}: ${String(error)}`);
  }
  return await redis.call(...words);
}

/** The real server behind a connection that tries each call so. */
const denying: Connection = {
  ...raw,
  redis,
  call: (_, run) => run({ call: triedCall } as unknown as Redis),
};
const run = <Reply>(call: Call<Reply>): Promise<Reply> => runOn(denying, call);

const A = actorId('act_a');
const B = actorId('act_b');
const step = (
  kind: CommitStep['kind'],
  causeId: string,
  sequence: number,
  more: Partial<CommitStep> = {},
): CommitStep => ({
  kind,
  actor: A,
  cause: 'I',
  causeId,
  sequence,
  snapshot: '{}',
  record: '{}',
  body: '{}',
  ...more,
});

t.test('C1: a right that is taken away stops a call before its first write', async (t) => {
  const shard = new TrialShard(denying);
  const { keys } = shard;
  const states = { left: [keys.state('tally', 'a')], entered: [keys.state('tally', 'b')] };
  const timer = (name: string, resumes: string) => ({
    member: `t|${A}|${name}`,
    generation: '1.0',
    dueAt: 5,
    resume: resumes,
    event: '{}',
  });
  await shard.own();
  const first = await shard.accept(A, 'm1');
  await run(send(keys, trialCommand(A, 'm1'))); // A duplicate.
  await run(send(keys, trialCommand(B, 'm2', { perActorMax: 1, perShardMax: 1 }))); // Full.
  await shard.commit([
    step('M', first, 0, {
      ...states,
      messageId: 'm1',
      asked: '1000 ab12',
      answer: '"made"',
      timersSet: [timer('x', 'remaining 7'), timer('y', ''), timer('z', 'restart 7')],
      effects: ['k1', 'k2', 'k3'].map((key) => ({ key, dueAt: 1, record: '{}' })),
      sends: [{ lane: 's:0>d:1', actor: B, messageId: 'o1', body: '{}' }],
      own: [{ actor: B, messageId: 'o2', body: '{}' }],
    }),
  ]);
  // The usual call: one message, the next of the shard.
  await shard.commit([step('D', '0-2', 0, { actor: B })]);
  await shard.commit([step('R', '0-2', 0, { actor: B, messageId: 'o2' })]);
  const usual = await shard.accept(A, 'm3');
  await shard.commit([step('M', usual, 1, { ...states, messageId: 'm3' })]);
  await shard.commit([step('M', timer('y', '').member, 2, { cause: 'T', generation: '1.0', messageId: '' })]);
  t.same(await run(begin(keys, shard.token, [{ key: 'k1', attemptsSoFar: 0, lookAgainAt: 9 }])), [true]);
  await run(finish(keys, shard.token, { key: 'k1', attempt: 1, actor: A, retryAt: 10, body: '' }, ''));
  await run(finish(keys, shard.token, { key: 'k1', attempt: 1, actor: A, body: '{}' }, ''));
  await run(begin(keys, shard.token, [{ key: 'k3', attemptsSoFar: 0, lookAgainAt: 9 }]));
  const outcome = (await shard.unread()).at(-1) ?? '';
  await shard.commit([
    step('M', outcome, 3, {
      stops: ['k2', 'k3'],
      timersCleared: [{ member: timer('z', '').member, generation: '1.0' }],
    }),
  ]);
  await shard.commit([step('L', 'k3', 4, { cause: 'E', generation: '1', record: '{}' })]);

  // Parking, and the ways out of it.
  const [bad, next, skipped] = [await shard.accept(A, 'm5'), await shard.accept(A, 'm6'), await shard.accept(A, 'm7')];
  await shard.commit([step('P', bad, 4, { entry: `${bad} {}`, why: '{}' })]);
  await shard.commit([step('Q', skipped, 4, { entry: `${skipped} {}` })]); // One is left out: the group is read.
  await shard.commit([step('Q', next, 4, { entry: `${next} {}` })]);
  const act = await shard.accept(A, 'm8');
  await shard.commit([step('V', act, 4)]);
  await run(resume(keys, shard.token, A, 2));
  await run(trying(keys, shard.token, bad));
  await shard.commit([step('M', bad, 4, { cause: 'W' })]);
  await shard.commit([step('M', skipped, 5, { cause: 'W' })]);

  await run(
    trim(
      keys,
      shard.token,
      { relayedTo: 0, outboxFrom: 0, journalFrom: 3, cursor: '0', actors: [A] },
      `${2e12 + answersKeptMs}`,
    ),
  );
  await run(trim(keys, shard.token, { relayedTo: 0, outboxFrom: 0, journalFrom: 0, cursor: '0', actors: [] }, ''));
  const record = {
    lane: 'o:0>s:0',
    token: '1:n' as TrialShard['token'],
    n: 1,
    previous: '',
    actor: B,
    messageId: 'r',
    body: '{}',
  };
  await run(receive(keys, record, ''));
  await run(receive(keys, record, '')); // A duplicate.
  await shard.own({ reading: String(3e12 + outageMs) });
  await run(advance(keys, shard.token, 1_000, 1));
  await run(advance(keys, shard.token, 1_000, 1)); // It is there.
  await run(release(keys, shard.token, 'free', ''));

  const names = namespaceKeys(namespace('s1'));
  const worker = workerId('w.1');
  await run(join(names, worker, '', '{"incarnation":"i"}'));
  await run(beat(names, worker, '{"incarnation":"i"', '{"incarnation":"i","seq":1}'));
  await run(leave(names, worker, '{'));
  await run(publish(names, '', '{"version":1}'));
  await redis.hset(names.config, 'virtualTime', 'true');
  await run(travel(names, 'm1', 1_000, 'op'));
  await run(travel(names, 'm1', 1_000, 'op'));
  await run(swap(names.sheet('x'), { set: { a: '1', b: '2' } }));
  await run(swap(names.sheet('x'), { when: { a: '1' }, set: { a: '3', b: undefined } }));
  await run(circuit(names, 'kyc', 'enter', ''));
  await run(circuit(names, 'kyc', 'ok', ''));
  await run(limit(names.limit('x'), { count: 1, perMs: 1_000, burst: 1 }, ''));

  t.same(halves, [], 'nothing was half done');
  t.same(misread, [], 'and each of them is told as denied');
  const all = [...inner].flatMap(([name, rules]) => rules.map((rule) => `${name} ${rule}`));
  t.same(
    all.filter((one) => !refused.has(one)),
    [],
    'every command of every function was missing once',
  );
});
