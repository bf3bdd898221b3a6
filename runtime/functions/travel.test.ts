// Goal: a travel is noted once and moves a shard once, and only its timers. Method: the two functions on one private server.

import t from 'tap';
import { actorId, namespace } from '../ids.ts';
import { travelledMsMax } from '../limits.ts';
import { connect } from '../redis/connector.ts';
import { namespaceKeys } from '../redis/keys.ts';
import { startRedis } from '../testing/redis-server.ts';
import { runOn, TrialShard } from '../testing/trial-shard.ts';
import { advance } from './advance.ts';
import type { Call } from './call.ts';
import { loadLibrary } from './library.ts';
import { travel } from './travel.ts';

const server = await startRedis();
const connection = await connect('writer', server.url);
const { redis } = connection;
await loadLibrary(redis);
t.teardown(async () => {
  await connection.close();
  await server.stop();
});
const run = <Reply>(call: Call<Reply>): Promise<Reply> => runOn(connection, call);
const names = namespaceKeys(namespace('trial'));

t.test('T2: a travel is noted once under its message id, forwards and within a hundred years', async (t) => {
  t.same(await run(travel(names, 'm1', 500, 'op')), { kind: 'real' }, 'nobody founded it so');
  await redis.hset(names.config, 'virtualTime', 'false');
  t.same(await run(travel(names, 'm1', 500, 'op')), { kind: 'real' });
  t.equal(await redis.exists(names.travels), 0, 'nothing was written');

  await redis.hset(names.config, 'virtualTime', 'true');
  t.same(await run(travel(names, 'm1', 500, 'op')), { kind: 'travelled', totalMs: 500 });
  t.same(await run(travel(names, 'm2', 7, 'op of the night')), { kind: 'travelled', totalMs: 507 });
  t.same(await run(travel(names, 'm1', 500, 'op')), { kind: 'same', totalMs: 500 }, 'a repeat gets the first answer');
  t.same(await run(travel(names, 'm1', 501, 'op')), { kind: 'key-reused', ms: 500 });
  t.same(await run(travel(names, 'm3', travelledMsMax - 506, 'op')), { kind: 'full', totalMs: 507 });
  t.same(await redis.hget(names.config, 'travelled'), '507');
  t.match(await redis.hget(names.travels, 'm2'), /^7 507 \d{13} op of the night$/, 'who, when and how far');
});

t.test('T2: an owner moves the timers of its shard and no effect, once, and never back', async (t) => {
  const shard = new TrialShard(connection);
  await shard.own();
  const { timers, owner } = shard.keys;
  await redis.zadd(timers, 1_000_000, 't|act_a|day', 2_000_000, 't|act_b|day', 1_500_000, 'e|key');
  const dues = async () => await redis.zrange(timers, 0, '-1', 'WITHSCORES');
  const move = (totalMs: number) => run(advance(shard.keys, shard.token, totalMs, 1));

  t.equal(await move(600_000), 600_000);
  const moved = ['t|act_a|day', '400000', 't|act_b|day', '1400000', 'e|key', '1500000'];
  t.same(await dues(), moved, 'a retry stays where it was (T2)');
  t.equal(await move(600_000), 600_000, 'a late copy');
  t.equal(await move(5_000), 600_000, 'and one that is later still');
  t.same(await dues(), moved, 'move nothing');
  await shard.own();
  t.equal(await redis.hget(owner, 'travelled'), '600000', 'a claim keeps it');
});

t.test('L3: a deposed owner moves no timer', async (t) => {
  const shard = new TrialShard(connection);
  await shard.own();
  const dead = shard.token;
  await shard.own();
  await redis.zadd(shard.keys.timers, 1_000, 't|act_a|day');
  const before = await shard.dump();
  t.equal(await run(advance(shard.keys, dead, 500, 1)), undefined);
  t.same(await shard.dump(), before);
});

t.test('T1: many small travels bring a scaled timer no nearer than their sum', async (t) => {
  const shard = new TrialShard(connection);
  await shard.own();
  await redis.zadd(shard.keys.timers, 1_000, `t|${actorId('act_a')}|day`);
  for (let totalMs = 1; totalMs <= 13; totalMs++) await run(advance(shard.keys, shard.token, totalMs, 7));
  t.same(await redis.zrange(shard.keys.timers, 0, '-1', 'WITHSCORES'), ['t|act_a|day', '999'], '13 ms at 7 to 1');
});
