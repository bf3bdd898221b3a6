// Goal: what a Redis call's failure means is never guessed, and a server weaker than promised is refused. Method: a private
// server that is frozen, killed, renamed and reconfigured under the connections.

import t from 'tap';
import { pause, systemClock } from '../clock.ts';
import { OperatingError, OutcomeUnknown } from '../errors.ts';
import { command } from '../functions/call.ts';
import { startRedis } from '../testing/redis-server.ts';
import { batchOver } from './batch.ts';
import { withDeadline } from './connection.ts';
import { connect } from './connector.ts';
import { redisFailure, replyWord } from './failure.ts';
import { Pace } from './pace.ts';
import { checkServer, isAnotherServer, parseDurability, serverIdentity, weaknessOf } from './server.ts';
import { redisTarget } from './target.ts';

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
  for (const url of ['http://x', 'redis://h/zero', 'nonsense', 'redis+cluster://h:1', 'redis+sentinel://h:1']) {
    t.throws(() => redisTarget(url), { code: 'redis-url' }, url);
  }
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
