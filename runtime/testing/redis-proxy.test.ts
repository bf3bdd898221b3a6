// Goal: each fault of the proxy really happens, to the request it is meant for and to no other. Method: ioredis 6 (RESP3, and
// RESP2) through the proxy to a private server; what the server has is asked beside the proxy.

import { connect as connectSocket } from 'node:net';
import { Redis } from 'ioredis';
import t, { type Test } from 'tap';
import { systemClock } from '../clock.ts';
import { seeded } from './oracle.ts';
import { FrameCutter, isPush, NotRedis, wordsOf } from './proxy/frames.ts';
import { askRedis } from './redis-probe.ts';
import { type RedisProxy, startRedisProxy } from './redis-proxy.ts';
import { startRedis } from './redis-server.ts';
import { waitUntil } from './waiting.ts';

const server = await startRedis();
t.teardown(() => server.kill());
const beside = (...command: readonly string[]) => askRedis(server.url, command);

/** A proxy of its own and a client behind it that never sends anything twice by itself. */
async function open(t: Test, protocol: 2 | 3 = 3): Promise<{ proxy: RedisProxy; redis: Redis }> {
  const proxy = await startRedisProxy(server, { seed: 1 });
  const redis = client(proxy, protocol);
  t.teardown(async () => {
    redis.disconnect();
    await proxy.close();
  });
  await redis.ping();
  return { proxy, redis };
}

function client(proxy: RedisProxy, protocol: 2 | 3 = 3): Redis {
  const redis = new Redis(proxy.url, {
    protocol,
    replyMapping: 'legacy',
    maxRetriesPerRequest: 0,
    disableClientInfo: true,
    retryStrategy: () => 5,
  });
  redis.on('error', () => undefined);
  return redis;
}

const isReady = (redis: Redis): Promise<unknown> => waitUntil('it is connected again', () => redis.status === 'ready');

t.test('frames end where values end, however the bytes are cut', async (t) => {
  const replies = [
    '+OK\r\n',
    '-ERR no\r\n',
    ':12\r\n',
    '$5\r\nab\r\nc\r\n',
    '$-1\r\n',
    '$0\r\n\r\n',
    '*-1\r\n',
    '*0\r\n',
    '*2\r\n*1\r\n$1\r\na\r\n:1\r\n',
    '%2\r\n+a\r\n*2\r\n:1\r\n:2\r\n+b\r\n%0\r\n',
    '~1\r\n,1.5\r\n',
    '_\r\n',
    '#t\r\n',
    '(123456789012345678901\r\n',
    '=7\r\ntxt:abc\r\n',
    '!6\r\nERR no\r\n',
    '|1\r\n+ttl\r\n:3\r\n*1\r\n+x\r\n',
    '>2\r\n+invalidate\r\n*1\r\n$1\r\na\r\n',
  ];
  const stream = Buffer.from(replies.join(''));
  const random = seeded(42);
  for (let run = 0; run < 50; run += 1) {
    const cutter = new FrameCutter('replies');
    const found: string[] = [];
    for (let at = 0; at < stream.length; ) {
      const to = at + 1 + Math.floor(random() * (run === 0 ? 1 : 40));
      found.push(...cutter.cut(stream.subarray(at, to)).map(String));
      at = to;
    }
    t.same(found, replies, 'seed 42');
  }
  t.same(replies.map((reply) => isPush(Buffer.from(reply))).indexOf(true), replies.length - 1);
  const requests = '*2\r\n$4\r\nECHO\r\n$4\r\nå\r\n\r\nPING  hello\r\n';
  const frames = new FrameCutter('requests').cut(Buffer.from(requests));
  t.same(frames.map(wordsOf), [
    ['ECHO', 'å\r\n'],
    ['PING', 'hello'],
  ]);
  t.throws(() => new FrameCutter('replies').cut(Buffer.from('HTTP/1.1 400\r\n')), NotRedis);
  t.throws(() => new FrameCutter('requests').cut(Buffer.from('*1\r\n$x\r\n')), NotRedis);
});

t.test(
  'what meets no rule passes as it came: RESP2 and RESP3, pipelines, transactions, blocks, pushes, large values',
  async (t) => {
    for (const protocol of [2, 3] as const) {
      const { proxy, redis } = await open(t, protocol);
      t.same(await redis.hset(`h${protocol}`, 'a', '1'), 1);
      t.same(await redis.hgetall(`h${protocol}`), { a: '1' });
      const values = await Promise.all(Array.from({ length: 500 }, (_, i) => redis.echo(String(i))));
      t.same(
        values,
        Array.from({ length: 500 }, (_, i) => String(i)),
      );
      t.same(await redis.multi().incr('n').incr('n').del('n').exec(), [
        [null, 1],
        [null, 2],
        [null, 1],
      ]);
      const large = 'x'.repeat(3_000_000);
      await redis.set('large', large);
      t.equal(await redis.get('large'), large);
      const blocked = redis.xread('BLOCK', 5_000, 'STREAMS', `s${protocol}`, '0');
      await waitUntil('it blocks', async () => String(await beside('INFO', 'clients')).includes('blocked_clients:1'));
      await beside('XADD', `s${protocol}`, '1-1', 'k', 'v');
      t.same(await blocked, [[`s${protocol}`, [['1-1', ['k', 'v']]]]]);
      const heard: string[] = [];
      const subscriber = client(proxy, protocol);
      subscriber.on('message', (_, text) => heard.push(text));
      await subscriber.subscribe('news');
      await beside('PUBLISH', 'news', 'one');
      await waitUntil('it is heard', () => heard.length === 1);
      subscriber.disconnect();
      await waitUntil('only one is left', () => proxy.connections === 1);
    }
  },
);

t.test('lose-reply: executed, told before it, never told itself, and the connection is cut', async (t) => {
  const { proxy, redis } = await open(t);
  const rule = proxy.addRule({ of: 'incr', times: 1, skip: 1, fault: { kind: 'lose-reply' } });
  const asked = await Promise.allSettled([redis.incr('l1'), redis.echo('before'), redis.incr('l1'), redis.incr('l2')]);
  t.same(
    asked.map(({ status }) => status),
    ['fulfilled', 'fulfilled', 'rejected', 'rejected'],
  );
  await rule.happened();
  t.equal(await beside('GET', 'l1'), '2', 'executed once');
  t.equal(rule.hits, 1);
  await isReady(redis);
  t.equal(await redis.incr('l1'), 3, 'the rule has ended');
});

t.test('lose-request: not executed, and the connection is cut', async (t) => {
  const { proxy, redis } = await open(t);
  proxy.addRule({ of: ([name, key]) => name === 'set' && key === 'r2', fault: { kind: 'lose-request' } });
  const asked = await Promise.allSettled([redis.set('r1', 'x'), redis.set('r2', 'x'), redis.set('r3', 'x')]);
  t.equal(asked[1].status, 'rejected');
  t.same(await beside('EXISTS', 'r2', 'r3'), 0, 'nor what was sent behind it');
  await isReady(redis);
  await t.rejects(redis.set('r2', 'x'), 'again and again');
  proxy.clearRules();
  await isReady(redis);
  t.equal(await redis.set('r2', 'x'), 'OK');
});

t.test('delay: later both ways, and a pipeline keeps its order', async (t) => {
  const { proxy, redis } = await open(t);
  const since = systemClock.monotonic();
  const order: string[] = [];
  proxy.addRule({
    of: ([name, key]) => name === 'rpush' && key === 'd',
    times: 1,
    fault: { kind: 'delay', requestMs: 120 },
  });
  proxy.addRule({ of: 'llen', times: 1, fault: { kind: 'delay', replyMs: [60, 61] } });
  const note = (name: string) => (): void => void order.push(name);
  const asked = [
    redis.rpush('d', 'first').then(note('first')),
    redis.rpush('d', 'second').then(note('second')),
    redis.llen('d').then(note('length')),
    redis.rpush('d', 'third').then(note('third')),
  ];
  t.equal(await beside('LLEN', 'd'), 0, 'nothing has arrived yet');
  await Promise.all(asked);
  t.same(order, ['first', 'second', 'length', 'third']);
  t.same(await beside('LRANGE', 'd', '0', '-1'), ['first', 'second', 'third']);
  t.ok(systemClock.monotonic() - since >= 180, 'never earlier than asked');
});

t.test('repeat: executed twice, told once', async (t) => {
  const { proxy, redis } = await open(t);
  proxy.addRule({ of: 'INCR', fault: { kind: 'repeat' } });
  t.same(await Promise.all([redis.incr('twice'), redis.echo('a'), redis.incr('twice'), redis.echo('b')]), [
    1,
    'a',
    3,
    'b',
  ]);
  t.equal(await beside('GET', 'twice'), '4');
});

t.test('hold: kept, not executed, and delivered when asked', async (t) => {
  const { proxy, redis } = await open(t);
  const held = proxy.holdBack('late word');
  await t.rejects(redis.set('held', 'a late word å'));
  const { command, deliver } = await held;
  t.same(command, ['set', 'held', 'a late word å']);
  t.equal(await beside('EXISTS', 'held'), 0);
  t.equal(await deliver(), 'OK');
  t.equal(await beside('GET', 'held'), 'a late word å');
  const lost = proxy.loseReplyOf('other word');
  await isReady(redis);
  await t.rejects(redis.set('lost', 'another word, other word'));
  await lost;
  t.equal(await beside('EXISTS', 'lost'), 1);
});

t.test(
  'half-open: sockets stay open, nothing passes, new connections neither; what was sent arrives at the end',
  async (t) => {
    const { proxy, redis } = await open(t);
    proxy.halfOpen();
    const asked = redis.set('open', 'late');
    const socket = connectSocket(Number(new URL(proxy.url).port), '127.0.0.1');
    let heard = '';
    socket.on('data', (chunk) => (heard += chunk.toString()));
    socket.write('*1\r\n$4\r\nPING\r\n');
    await waitUntil('it is connected', () => proxy.connections === 2);
    t.equal(await beside('EXISTS', 'open'), 0);
    t.equal(redis.status, 'ready', 'nobody was told');
    proxy.heal();
    t.equal(await asked, 'OK');
    await waitUntil('the other one, too', () => heard === '+PONG\r\n');
    // A client that has gone does not take back what it sent.
    proxy.halfOpen('requests');
    socket.end('*3\r\n$3\r\nSET\r\n$4\r\ngone\r\n$1\r\n1\r\n');
    const unheard = redis.incr('one way');
    t.equal(await beside('EXISTS', 'gone'), 0);
    proxy.heal();
    await waitUntil('it arrives', async () => (await beside('EXISTS', 'gone')) === 1);
    t.equal(await unheard, 1);
    // The other way: executed, and not told before the end.
    proxy.halfOpen('replies');
    const told: number[] = [];
    const untold = redis.incr('one way').then((n) => told.push(n));
    await waitUntil('it is executed', async () => (await beside('GET', 'one way')) === '2');
    t.same(told, []);
    proxy.heal();
    await untold;
    // By rule, one connection alone.
    const rule = proxy.addRule({ of: 'incr', times: 1, fault: { kind: 'half-open' } });
    const stuck = redis.incr('one way');
    await rule.happened();
    const other = client(proxy);
    t.equal(await other.get('one way'), '2');
    other.disconnect();
    proxy.heal();
    t.equal(await stuck, 3);
  },
);

t.test('cut and heal; taps see what is lost; the same seed meets the same requests', async (t) => {
  const { proxy, redis } = await open(t);
  proxy.cut();
  await waitUntil('it is cut', () => redis.status !== 'ready' && proxy.connections === 0);
  await t.rejects(redis.ping());
  proxy.heal();
  await isReady(redis);
  t.equal(await redis.ping(), 'PONG');
  const seen: string[] = [];
  const end = proxy.tap(([name, key], reply) => void seen.push(`${name} ${key} ${reply.toString().trim()}`));
  proxy.addRule({ of: 'incr', times: 1, fault: { kind: 'lose-reply' } });
  await t.rejects(redis.incr('tapped'));
  t.same(seen, ['incr tapped :1']);
  end();
  const struck = async (): Promise<readonly number[]> => {
    const fresh = await open(t);
    fresh.proxy.addRule({ of: 'incr', chance: 0.2, fault: { kind: 'repeat' } });
    await beside('DEL', 'dice');
    return await Promise.all(Array.from({ length: 100 }, () => fresh.redis.incr('dice')));
  };
  const first = await struck();
  t.same(await struck(), first);
  const hits = Number(await beside('GET', 'dice')) - 100;
  t.ok(hits > 5 && hits < 40, `${hits} of 100 met a chance of 0.2`);
  for (const rule of [{ chance: 2 }, { skip: -1 }, { times: 0 }])
    t.throws(() => proxy.addRule({ ...rule, fault: { kind: 'repeat' } }), TypeError);
  t.throws(() => proxy.addRule({ fault: { kind: 'hold' } }), /give times/);
});
