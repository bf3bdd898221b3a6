// The private server of tests and of `emboss up`: starts fast, keeps its data when asked to, and goes with its maker.

import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { pause, systemClock } from '../clock.ts';
import { lastPart, mendTail } from './aof-tail.ts';
import { askRedis } from './redis-probe.ts';
import { findRedisServer, freePort, NoRedisServer, startRedis } from './redis-server.ts';

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

t.test('a server of its own, durable, on a free loopback port, without a trace after stop', async (t) => {
  const [one, two] = await Promise.all([startRedis(), startRedis({ args: ['--appendfsync', 'always'] })]);
  t.not(one.port, two.port);
  t.same(await askRedis(one.url, ['CONFIG', 'GET', 'appendfsync']), ['appendfsync', 'everysec']);
  t.same(await askRedis(two.url, ['CONFIG', 'GET', 'appendfsync']), ['appendfsync', 'always']);
  t.same(await askRedis(one.url, ['CONFIG', 'GET', 'maxmemory-policy']), ['maxmemory-policy', 'noeviction']);
  await Promise.all([one.stop(), two.kill(), two.stop()]);
  t.same([one.pid, two.pid].filter(isAlive), []);
  t.same([one.dir, two.dir].filter(existsSync), []);
  t.equal(await one.exited, 0);
  t.equal(await two.exited, null);
});

t.test('after kill it starts again on the same port with the data of a given folder', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'emboss-redis-test-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  const first = await startRedis({ dir, args: ['--appendfsync', 'always'] });
  await askRedis(first.url, ['SET', 'kept', 'yes']);
  await first.kill();
  const second = await startRedis({ dir, port: first.port });
  t.equal(await askRedis(second.url, ['GET', 'kept']), 'yes');
  t.equal(await askRedis(`${second.url}/1`, ['GET', 'kept']), null, 'the database of the URL counts');
  await second.stop();
  t.ok(existsSync(dir));
});

t.test(
  'C1: of a function that a power failure cut in the file nothing is kept, also at the second start',
  async (t) => {
    const dir = mkdtempSync(join(tmpdir(), 'emboss-redis-test-'));
    t.teardown(() => rmSync(dir, { recursive: true, force: true }));
    const source = `#!lua name=two\nredis.register_function('two', function(keys, args)
    redis.call('APPEND', keys[1], args[1])
    redis.call('APPEND', keys[2], args[1])
  end)`;
    const call = (url: string, text: string) => askRedis(url, ['FCALL', 'two', '2', '{k}:1', '{k}:2', text]);
    const first = await startRedis({ dir, args: ['--appendfsync', 'always'] });
    await askRedis(first.url, ['FUNCTION', 'LOAD', source]);
    await call(first.url, 'a');
    await call(first.url, 'b');
    await first.kill();
    const file = lastPart(dir) ?? '';
    truncateSync(file, readFileSync(file, 'latin1').lastIndexOf('{k}:2') + 2); // Inside the second command of the last call.
    const second = await startRedis({ dir, args: ['--appendfsync', 'always'] });
    await call(second.url, 'c');
    await second.kill();
    t.equal(mendTail(dir), 0, 'nothing unfinished is left');
    const third = await startRedis({ dir });
    t.same(await askRedis(third.url, ['MGET', '{k}:1', '{k}:2']), ['ac', 'ac'], 'both or none of each call');
    await third.stop();
  },
);

t.test('a server that cannot start says why', async (t) => {
  const blocker = createServer();
  const port = await freePort();
  await new Promise<void>((resolve) => blocker.listen(port, '127.0.0.1', resolve));
  t.teardown(() => blocker.close());
  await t.rejects(startRedis({ port }), NoRedisServer);
  await t.rejects(startRedis({ args: ['--no-such-option', '1'] }), /did not start: .*no-such-option/s);
  await t.rejects(startRedis({ binary: '/no/such/server' }), NoRedisServer);
  t.equal(findRedisServer('/nowhere'), undefined);
});

t.test('the probe tells an error reply, a stranger and a dead port apart', async (t) => {
  const server = await startRedis();
  t.teardown(() => server.stop());
  await t.rejects(askRedis(server.url, ['NOSUCH']), /Redis: ERR unknown command/);
  await t.rejects(askRedis(`redis://user:wrong@127.0.0.1:${server.port}`, ['PING']), /WRONGPASS|AUTH/);
  t.same(await askRedis(server.url, ['EVAL', "return {1, 'two', false, {'x'}}", '0']), [1, 'two', null, ['x']]);
  t.equal(String(await askRedis(server.url, ['ECHO', 'ä'.repeat(50_000)])).length, 50_000);
  const stranger = createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
  const port = await freePort();
  await new Promise<void>((resolve) => stranger.listen(port, '127.0.0.1', resolve));
  t.teardown(() => stranger.close());
  await t.rejects(askRedis(`redis://127.0.0.1:${port}`, ['PING']), /not a Redis server/);
  await t.rejects(askRedis('redis://127.0.0.1:1', ['PING']), /ECONNREFUSED/);
  server.signal('SIGSTOP');
  await t.rejects(askRedis(server.url, ['PING'], 50), /no answer from Redis within 50 ms/);
  server.signal('SIGCONT');
});

t.test(
  'it ends with the process that started it, also on SIGKILL',
  { skip: process.platform !== 'linux' },
  async (t) => {
    const module = new URL('./redis-server.js', import.meta.url).href;
    const script = `import { startRedis } from ${JSON.stringify(module)}; const s = await startRedis(); console.log(s.pid); setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const pid = Number(
      await new Promise<string>((resolve) => child.stdout.once('data', (chunk: Buffer) => resolve(chunk.toString()))),
    );
    t.ok(isAlive(pid));
    child.kill('SIGKILL');
    for (let i = 0; i < 500 && isAlive(pid); i++) await pause(systemClock, 20);
    t.notOk(isAlive(pid));
  },
);

t.test('one that a trial has frozen ends with the process that started it', async (t) => {
  const module = new URL('./redis-server.js', import.meta.url).href;
  const script = `import { startRedis } from ${JSON.stringify(module)}; const s = await startRedis(); s.signal('SIGSTOP'); console.log(s.pid); process.exit(0);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const pid = Number(
    await new Promise<string>((resolve) => child.stdout.once('data', (chunk: Buffer) => resolve(chunk.toString()))),
  );
  for (let i = 0; i < 500 && isAlive(pid); i++) await pause(systemClock, 20);
  t.notOk(isAlive(pid));
});
