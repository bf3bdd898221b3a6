// Goal: what a Redis call's failure means is never guessed, and a server weaker than promised is refused. Method: a private
// server that is frozen, killed, renamed and reconfigured under the connections.

import t from 'tap';
import { pause, systemClock } from '../clock.ts';
import { OperatingError, OutcomeUnknown } from '../errors.ts';
import { command } from '../functions/call.ts';
import { startRedis } from '../testing/redis-server.ts';
import { batchOver } from './batch.ts';
import { type ClusterRoutes, type Connection, withDeadline } from './connection.ts';
import { connect } from './connector.ts';
import { redisFailure, replyWord } from './failure.ts';
import { Pace } from './pace.ts';
import { redirectionOf } from './redirection.ts';
import { checkServer, isAnotherServer, parseDurability, serverIdentity, weaknessOf } from './server.ts';
import { slotOf } from './slot.ts';
import { redisTarget } from './target.ts';
import { clusterBatch } from './topology.ts';

t.test('Redis URLs: TCP, TLS, Unix sockets; what is not supported is said, and no secret is printable', async (t) => {
  t.match(redisTarget('redis://me:s%3Acret@[::1]:7000/3'), {
    options: { host: '::1', port: 7000, db: 3, username: 'me', password: 's:cret' },
    printable: 'redis://::1:7000/3',
  });
  t.match(redisTarget('redis://localhost').options, { host: 'localhost', port: 6379, db: 0 });
  t.match(redisTarget('rediss://cache.example:6380').options, { tls: { servername: 'cache.example' } });
  for (const url of [
    '/run/redis.sock?db=2',
    'unix:///run/redis.sock?db=2',
    'redis+unix:///run/redis.sock?db=2&password=x',
  ]) {
    t.match(redisTarget(url), {
      options: { path: '/run/redis.sock', db: 2 },
      printable: 'redis+unix:///run/redis.sock?db=2',
    });
  }
  t.notMatch(redisTarget('redis://u:hidden@h:1/0').printable, /hidden/);
  t.match(redisTarget('redis+sentinel://u:p%2Fw@h1:1,h2,[::1]:3/orders/2?sentinelPassword=x'), {
    kind: 'sentinel',
    seeds: [
      { host: 'h1', port: 1 },
      { host: 'h2', port: 26379 },
      { host: '::1', port: 3 },
    ],
    options: { name: 'orders', db: 2, username: 'u', password: 'p/w', sentinelPassword: 'x' },
    printable: 'redis+sentinel://h1:1,h2:26379,::1:3/orders/2',
  });
  t.match(redisTarget('redis+cluster://:secret@h1:1,h2:2'), {
    kind: 'cluster',
    seeds: [
      { host: 'h1', port: 1 },
      { host: 'h2', port: 2 },
    ],
    options: { password: 'secret' },
    printable: 'redis+cluster://h1:1,h2:2',
  });
  t.match(redisTarget('rediss+cluster://h1').options.tls, {});
  t.equal(redisTarget('rediss://10.0.0.1').options.tls?.servername, undefined, 'an address is not named (RFC 6066)');
});

t.test('Redis URLs: what is wrong with one is said, and never with its secrets', async (t) => {
  const faults: readonly (readonly [url: string, words: RegExp])[] = [
    ['http://x', /expected redis:\/\/host:port/],
    ['nonsense', /expected redis:\/\/host:port/],
    ['redis://h/zero', /the database .* is a number, got "zero"/],
    ['redis://:hidden@h1,h2', /redis:\/\/ names one server; several are redis\+sentinel:/],
    ['redis+sentinel://:hidden@h1:1', /ends in the name of the master/],
    ['redis+sentinel://h1:1/master/0/more', /ends in the name of the master/],
    ['redis+cluster://h1:1/3', /database 0 only/],
    ['redis+cluster://:hidden@h1:99999', /"h1:99999" is no address/],
    ['redis+cluster://', /"" is no address/],
    ['redis://u:%hidden@h', /a % in it begins no escape/],
    ['redis://h?ca=/tmp/ca.pem', /for rediss… only/],
    ['rediss://h?cacert=/tmp/ca.pem', /\?cacert= is not known; there are ca, cert, key/],
    ['rediss://h?cert=/tmp/cert.pem', /belong together/],
    ['rediss://h?ca=/nowhere/ca.pem', /\?ca= names \/nowhere\/ca.pem, which cannot be read/],
  ];
  for (const [url, words] of faults) {
    t.throws(() => redisTarget(url), { code: 'redis-url', message: words }, url);
    t.throws(() => redisTarget(url), { message: /^(?!.*hidden)/ }, url);
  }
});

t.test('hash slots are those of the cluster specification', async (t) => {
  t.equal(slotOf('123456789'), 0x31c3, 'the check value of its appendix');
  t.equal(slotOf('{ord:7}:inbox'), slotOf('{ord:7}:journal'));
  t.equal(slotOf('{ord:7}:inbox'), slotOf('ord:7'));
  t.equal(slotOf('foo{}{bar}'), slotOf('foo{}{bar}'), 'an empty tag is none');
  t.equal(slotOf('foo{{bar}}zap'), slotOf('{bar'));
});

t.test('what a server of a cluster refused to execute is told apart from what nobody knows', async (t) => {
  const reply = (message: string): Error => Object.assign(new Error(message), { name: 'ReplyError' });
  const moved = { kind: 'moved', slot: 12, address: { host: 'h2', port: 7 } };
  t.same(redirectionOf(reply('MOVED 12 h2:7'), 'h1'), moved);
  t.same(redirectionOf(redisFailure('call', reply('MOVED 12 h2:7')), 'h1'), moved, 'also inside of our own error');
  t.match(redirectionOf(reply('MOVED 12 :7'), 'h1'), { address: { host: 'h1', port: 7 } }, 'the one that was asked');
  t.same(redirectionOf(reply('ASK 12 ::1:7'), 'h1'), { kind: 'ask', slot: 12, address: { host: '::1', port: 7 } });
  t.same(redirectionOf(reply('TRYAGAIN Multiple keys request'), 'h1'), { kind: 'again' });
  t.equal(redirectionOf(reply('CLUSTERDOWN Hash slot not served'), 'h1'), undefined);
  t.equal(redirectionOf(new OutcomeUnknown('MOVED 12 h2:7'), 'h1'), undefined);
});

t.test('durability levels are parsed and a weaker configuration is named with its remedy', async (t) => {
  t.same(parseDurability('replicas:2'), { kind: 'replicas', count: 2 });
  t.throws(() => parseDurability('replicas:0'), { code: 'bad-setting' });
  const config = (fields: Record<string, string>): Map<string, string> =>
    new Map(
      Object.entries({ appendonly: 'yes', appendfsync: 'everysec', 'no-appendfsync-on-rewrite': 'no', ...fields }),
    );
  t.equal(weaknessOf(config({}), { kind: 'memory' }), undefined);
  t.match(weaknessOf(config({}), { kind: 'fsync' }), /appendfsync always/);
  t.equal(weaknessOf(config({ appendfsync: 'always' }), { kind: 'fsync' }), undefined);
  t.match(weaknessOf(config({ appendfsync: 'no' }), { kind: 'memory' }), /appendfsync everysec/);
  t.match(weaknessOf(config({ appendonly: 'no' }), { kind: 'memory' }), /CONFIG SET appendonly yes/);
  t.match(weaknessOf(config({ 'no-appendfsync-on-rewrite': 'yes' }), { kind: 'memory' }), /on-rewrite no/);
  t.equal(weaknessOf(config({}), { kind: 'replicas', count: 1 }), undefined);
  t.match(weaknessOf(config({ appendonly: 'no' }), { kind: 'replicas', count: 1 }), /CONFIG SET appendonly yes/);
});

const dir = t.testdir();
let server = await startRedis({ dir, args: ['--unixsocket', `${dir}/redis.sock`] });
const { port, url } = server;
t.teardown(() => server.kill());

t.test('a server that keeps less than promised is refused; an identity changes with each start', async (t) => {
  const connection = await connect('query', url);
  t.teardown(() => connection.close());
  const identity = await checkServer(connection, { kind: 'memory' });
  t.match(identity, { role: 'master', version: /^[7-9]\./ });
  t.equal(isAnotherServer(identity, await serverIdentity(connection)), false);
  await t.rejects(checkServer(connection, { kind: 'fsync' }), { code: 'durability-too-weak' });
  await connection.redis.config('SET', 'maxmemory-policy', 'allkeys-lru');
  await t.rejects(checkServer(connection, { kind: 'memory' }), { code: 'redis-evicts', message: /noeviction/ });
  await connection.redis.config('SET', 'maxmemory-policy', 'noeviction');
  await connection.redis.call('ACL', 'SETUSER', 'app', 'on', '>pw', '~*', '+@all', '-config');
  const app = await connect('query', `redis://app:pw@127.0.0.1:${port}`);
  await t.rejects(checkServer(app, { kind: 'memory' }), { code: 'durability-unverified', message: /config\|get/ });
  await app.close();
});

t.test('connecting: an absent server within the deadline, a wrong password at once, a Unix socket', async (t) => {
  const started = systemClock.monotonic();
  await t.rejects(connect('writer', 'redis://127.0.0.1:1', { readyWithinMs: 200 }), {
    code: 'redis-unavailable',
    retry: 'here',
  });
  await t.rejects(connect('writer', `redis://nobody:wrong@127.0.0.1:${port}`), {
    code: 'redis-denied',
    retry: 'never',
  });
  t.ok(systemClock.monotonic() - started < 2_000);
  const socket = await connect('query', `redis+unix://${dir}/redis.sock?db=1`);
  t.equal(await socket.call('PING', (redis) => redis.ping()), 'PONG');
  await socket.close();
  await t.rejects(
    socket.call('PING', (redis) => redis.ping()),
    { code: 'redis-unavailable' },
    'closed is closed',
  );
});

t.test('a connection that its client has given up is made anew, one that was closed is not', async (t) => {
  const server = await startRedis();
  t.teardown(() => server.stop());
  const connection = await connect('reader', server.url);
  connection.redis.disconnect(); // As ioredis ends a client whose sentinels were asked when its detector spoke.
  await new Promise((resolve) => connection.redis.once('end', resolve));
  await connection.untilReady(5_000);
  t.equal(await connection.call('PING', (redis) => redis.ping()), 'PONG');
  t.equal(connection.generation, 2);
  await connection.close();
  await t.rejects(connection.untilReady(50), { code: 'redis-unavailable' });
});

t.test('C3: a lost reply is an unknown outcome, and the client does not send the command again', async (t) => {
  const writer = await connect('writer', url, { callDeadlineMs: 150 });
  const watcher = await connect('query', url);
  t.teardown(() => Promise.all([writer.close(), watcher.close()]));
  const generation = writer.generation;
  server.signal('SIGSTOP');
  const late = writer.call('XADD', (redis) => redis.xadd('c3', '*', 'n', '1'));
  await t.rejects(late, OutcomeUnknown);
  writer.redis.stream.destroy(); // The socket breaks before the server has looked at it.
  const notSent = writer.call('XADD', (redis) => redis.xadd('c3', '*', 'n', '2'));
  await t.rejects(notSent);
  server.signal('SIGCONT');
  await until('connected again', () => writer.ready && writer.generation > generation);
  await until('the late command was executed', async () => (await watcher.redis.xlen('c3')) > 0);
  t.equal(await watcher.redis.xlen('c3'), 1, 'once');
});

t.test(
  'C3: a server that dies with a call in hand leaves its outcome unknown; while it is away nothing is sent',
  async (t) => {
    const writer = await connect('writer', url);
    t.teardown(() => writer.close());
    const heard: number[] = [];
    writer.onReady((generation) => heard.push(generation));
    server.signal('SIGSTOP');
    const inHand = writer.call('SET', (redis) => redis.set('c3:a', '1'));
    await Promise.all([t.rejects(inHand, OutcomeUnknown), server.kill()]);
    await until('noticed', () => !writer.ready);
    await t.rejects(
      writer.call('SET', (redis) => redis.set('c3:a', '2')),
      { code: 'redis-unavailable', retry: 'here' },
    );
    server = await startRedis({ dir, port, args: ['--unixsocket', `${dir}/redis.sock`] });
    await until('connected again', () => writer.ready);
    t.same(heard, [2], 'told of the new connection');
    t.equal(await writer.call('GET', (redis) => redis.get('c3:a')), null);
  },
);

t.test('M2: a blocking read past its deadline costs the socket; one that ends in time does not', async (t) => {
  const reader = await connect('reader', url);
  t.teardown(() => reader.close());
  t.equal(await reader.block('XREAD', 20, (redis) => redis.xread('BLOCK', 20, 'STREAMS', 'none', '$')), null);
  t.equal(reader.generation, 1);
  const stuck = reader.block('XREAD', 1, (redis) => redis.xread('BLOCK', 60_000, 'STREAMS', 'none', '$'));
  await t.rejects(stuck, OutcomeUnknown);
  await until('a new socket', () => reader.ready && reader.generation === 2);
  const clients = async (): Promise<number> =>
    Number(/blocked_clients:(\d+)/.exec(await reader.call('INFO', (redis) => redis.info('clients')))?.[1]);
  await until('the old block is gone at the server', async () => (await clients()) === 0);
  await reader.remake();
  t.equal(reader.generation, 3);
});

t.test('what the server says is told apart from what nobody knows', async (t) => {
  const reply = (message: string): Error => Object.assign(new Error(message), { name: 'ReplyError' });
  const codeOf = (error: unknown): string => {
    const failure = redisFailure('call', error);
    return failure instanceof OperatingError ? `${failure.code} ${failure.retry}` : failure.name;
  };
  t.equal(codeOf(reply("READONLY You can't write against a read only replica.")), 'redis-unavailable here');
  t.equal(codeOf(reply('LOADING Redis is loading the dataset in memory')), 'redis-unavailable here');
  t.equal(codeOf(reply("OOM command not allowed when used memory > 'maxmemory'.")), 'redis-full here');
  t.equal(codeOf(reply('NOAUTH Authentication required.')), 'redis-denied never');
  t.equal(codeOf(reply("NOGROUP No such key 'x' or consumer group 'y'")), 'no-group never');
  t.equal(codeOf(reply('ERR Function not found')), 'function-missing here');
  t.equal(
    codeOf(reply('NOPERM this user has no permissions script: emboss_v1_commit, on @user_function:1.')),
    'function-failed never',
  );
  t.equal(codeOf(reply('WRONGTYPE Operation against a key')), 'redis-error never');
  t.equal(codeOf(new Error('Connection is closed.')), 'OutcomeUnknown');
  t.equal(codeOf(new Error('Command timed out')), 'OutcomeUnknown');
  t.equal(replyWord(new Error('READONLY but not from the server')), undefined);
  const slow = withDeadline(new Promise(() => undefined), 10, 'nothing');
  await t.rejects(slow, { message: /nothing: no reply within 10 ms/ });
});

async function until(what: string, holds: () => boolean | Promise<boolean>, deadlineMs = 5_000): Promise<void> {
  const deadline = systemClock.monotonic() + deadlineMs;
  while (!(await holds())) {
    if (systemClock.monotonic() > deadline) throw new Error(`not within ${deadlineMs} ms: ${what}`);
    await pause(systemClock, 5);
  }
}

t.test(
  'a reader blocks when it is idle, and looks again when it is busy, four times after the last good read',
  async (t) => {
    const pace = new Pace();
    t.equal(pace.blocks, true);
    for (const streams of [1, 3]) await pace.found(streams);
    t.equal(pace.blocks, true, 'a few messages are not worth another look');
    await pace.found(4);
    t.equal(pace.blocks, false);
    for (const streams of [0, 2, 0]) await pace.found(streams);
    t.equal(pace.blocks, false);
    await pace.found(0);
    t.equal(pace.blocks, true, 'and blocks');
  },
);

t.test('C4: the calls of a tick leave in order, eight to a pipeline', async (t) => {
  const server = await startRedis();
  t.teardown(() => server.stop());
  const writer = await connect('writer', server.url);
  t.teardown(() => writer.close());
  const batch = batchOver(writer, systemClock, 2_000);
  const pushes = Array.from({ length: 20 }, (_, i) => batch.run(command(['RPUSH', 'list', i], Number)));
  t.same(
    await Promise.all(pushes),
    Array.from({ length: 20 }, (_, i) => i + 1),
  );
  t.same(await batch.run(command(['LRANGE', 'list', 0, -1], (reply) => (reply as string[]).map(Number))), [
    ...Array(20).keys(),
  ]);
});

t.test("L2: an owner's call is not made at another server, anybody else's is; a lost reply never is", async (t) => {
  const [first, second] = ['first', 'second'].map((printable) => ({ printable }) as Connection) as [
    Connection,
    Connection,
  ];
  const moved = Object.assign(new Error('MOVED 12 h2:7'), { name: 'ReplyError' });
  const made: string[] = [];
  let answer: () => Promise<never> = () => Promise.reject(redisFailure('call', moved));
  const batch = clusterBatch(
    {
      serverOf: () => first,
      follow: (error) =>
        redirectionOf(error, '') === undefined ? undefined : Promise.resolve({ server: second, asking: false }),
    } as Pick<ClusterRoutes, 'serverOf' | 'follow'> as ClusterRoutes,
    (server) => ({
      run(call) {
        made.push(`${call.command[0]} ${server.printable}`);
        return server === first ? answer() : Promise.resolve(call.decode('done'));
      },
    }),
    systemClock,
    1_000,
  );
  const call = command(['GET', 'key'], String);
  t.equal(await batch.run(call), 'done');
  await t.rejects(batch.run({ ...call, asOwner: true }), { code: 'redis-unavailable' });
  answer = () => Promise.reject(new OutcomeUnknown('no reply'));
  await t.rejects(batch.run(call), OutcomeUnknown);
  t.same(made, ['GET first', 'GET second', 'GET first', 'GET first']);
});
