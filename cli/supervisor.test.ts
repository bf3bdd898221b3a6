// The supervisor with a Procfile of small programs: ids, restarts, readiness, failed starts, and above all that nothing
// is left behind: not after a stop, not after a failed start, not after SIGKILL.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { askRedis } from '../runtime/testing/redis-probe.ts';
import { CliFailure, EXIT } from './failure.ts';
import { LineCutter, prefixer, readable } from './log-lines.ts';
import { choosePorts, freePorts, isFree } from './ports.ts';
import { parseProcfile, parseScale, shellLine } from './procfile.ts';
import { projectRoot } from './project.ts';
import { librariesOf } from './redis-fetch.ts';
import { readRunning } from './running.ts';
import { type SystemOptions, startSystem } from './supervisor.ts';
import { monotonic, pause } from './time.ts';

const API = `
import { createServer } from 'node:http';
const server = createServer((request, response) => response.end('ready'));
server.listen(Number(process.env.EMBOSS_PUBLIC_PORT), '127.0.0.1', () => console.log('listening'));
process.on('SIGTERM', () => server.close(() => process.exit(0)));
server.on('connection', (socket) => socket.unref());
`;
const WORKER = `
console.log('worker', process.env.EMBOSS_WORKER_ID, process.env.REDIS_URL, process.env.EMBOSS_BOOTSTRAP);
setInterval(() => {}, 1000);
`;
const STUBBORN = `
process.on('SIGTERM', () => console.log('not yet'));
setInterval(() => {}, 1000);
`;

/** A folder with a Procfile whose lines run the given programs through the bootstrap, as ours do. */
function projectWith(test: Test, programs: { readonly [type: string]: string }): string {
  const folder = mkdtempSync(join(tmpdir(), 'emboss-up-'));
  test.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const bootstrap = join(projectRoot, 'cli', 'bootstrap.mjs');
  const lines = Object.keys(programs).map(
    (type) => `${type}: ${process.execPath} ${bootstrap} run ${join(folder, `${type}.mjs`)}`,
  );
  writeFileSync(join(folder, 'Procfile'), lines.join('\n'));
  for (const [type, source] of Object.entries(programs)) writeFileSync(join(folder, `${type}.mjs`), source);
  return folder;
}

function optionsFor(folder: string, more: SystemOptions = {}): SystemOptions {
  const said: string[] = [];
  return {
    folder,
    dataDir: join(folder, 'data'),
    ports: 'free',
    env: { REDIS_URL: '' },
    say: (line) => void said.push(line),
    ...more,
  };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function until(holds: () => boolean | Promise<boolean>, what: string, ms = 10_000): Promise<void> {
  const deadline = monotonic() + ms;
  while (!(await holds())) {
    if (monotonic() > deadline) throw new Error(`waited ${ms} ms in vain until ${what}`);
    await pause(20);
  }
}

t.test('a system comes up with static ids, heals itself, and leaves nothing when it stops', async (t) => {
  const folder = projectWith(t, { api: API, ordering: WORKER });
  const lines: string[] = [];
  const said: string[] = [];
  const options = optionsFor(folder, {
    scale: { ordering: 3 },
    write: (line) => lines.push(line),
    say: (line) => said.push(line),
  });
  const system = await startSystem(options);
  t.teardown(() => system.stop());

  t.same(Object.keys(system.pids()), ['api.1', 'ordering.1', 'ordering.2', 'ordering.3']);
  t.equal((await fetch(`${system.urls.public}/readyz`)).status, 200);
  await until(() => lines.length >= 4, 'all have spoken');
  t.ok(
    lines.includes(`ordering.2 | worker ordering.2 ${system.redisUrl} skip`),
    'the prefix, the id and the environment',
  );
  const record = readRunning(join(folder, 'data'));
  t.equal(record?.state, 'ready');
  t.equal(record?.redisUrl, system.redisUrl);
  t.same(
    record?.processes.map(({ id }) => id),
    Object.keys(system.pids()),
  );

  const before = system.pids();
  t.ok(system.kill('ordering.2'));
  await until(() => ![undefined, before['ordering.2']].includes(system.pids()['ordering.2']), 'ordering.2 is back');
  t.equal(system.pids()['ordering.1'], before['ordering.1'], 'the others were left alone');
  t.match(said.join('\n'), /ordering\.2 was ended by SIGKILL; starting it again/);
  t.equal(system.kill('ordering.9'), false);

  await system.stopProcesses(['ordering.1']);
  t.equal(system.pids()['ordering.1'], undefined, 'stopped on purpose, it stays down');
  await system.startProcesses(['ordering.1']);
  t.ok(system.pids()['ordering.1']);

  const redisPid = system.record().redisPid ?? 0;
  const pids = [...Object.values(system.pids()), ...Object.values(before), redisPid];
  await system.stop();
  t.same(pids.filter(isAlive), [], 'no process is left');
  t.equal(readRunning(join(folder, 'data')), undefined);
  t.ok(existsSync(join(folder, 'data', 'redis')), 'the data is');
});

t.test('the private Redis comes back on its port and data when it dies', async (t) => {
  const folder = projectWith(t, { api: API });
  const system = await startSystem(optionsFor(folder, { env: { REDIS_URL: '', EMBOSS_DURABILITY: 'fsync' } }));
  t.teardown(() => system.stop());
  t.same(await askRedis(system.redisUrl, ['CONFIG', 'GET', 'appendfsync']), ['appendfsync', 'always']);
  await askRedis(system.redisUrl, ['SET', 'kept', 'yes']);
  process.kill(system.record().redisPid ?? 0, 'SIGKILL');
  await until(
    async () => (await askRedis(system.redisUrl, ['GET', 'kept']).catch(() => null)) === 'yes',
    'Redis is back',
  );
  const pid = system.record().redisPid ?? 0;
  await system.stop();
  t.notOk(isAlive(pid));
});

t.test('a process that ignores SIGTERM is killed; one data folder takes one system', async (t) => {
  const folder = projectWith(t, { api: API, ordering: STUBBORN });
  const system = await startSystem(optionsFor(folder, { scale: { ordering: 1 }, stopMsMax: 500 }));
  t.teardown(() => system.stop());
  const refused = await startSystem(optionsFor(folder)).catch((error: unknown) => error);
  t.ok(refused instanceof CliFailure);
  t.match(String(refused), /already runs on .*data/);
  const pid = system.pids()['ordering.1'] ?? 0;
  system.kill('ordering.1', 'SIGSTOP'); // Not even able to ignore a signal.
  const began = monotonic();
  await system.stop();
  t.notOk(isAlive(pid));
  t.ok(monotonic() - began < 5_000, 'soon after the grace of 0.5 s');
});

t.test('a start that fails says why, with the last lines, and takes everything down', async (t) => {
  const folder = projectWith(t, { api: API, delivery: `console.log('no way'); process.exit(7);` });
  const pids = new Set<number>();
  const spy = (): void => {
    for (const { pid } of readRunning(join(folder, 'data'))?.processes ?? []) if (pid !== null) pids.add(pid);
  };
  const failure = await startSystem(
    optionsFor(folder, { restart: false, env: { REDIS_URL: '' }, write: spy, folder: holdBack(folder) }),
  ).catch((error: unknown) => error);
  t.ok(failure instanceof CliFailure);
  t.match(String(failure), /delivery\.1 ended with exit code 7\. Last lines of delivery\.1:\n {2}no way/);
  t.same([...pids].filter(isAlive), []);
  t.equal(readRunning(join(folder, 'data')), undefined);
});

t.test('what says that no restart helps is not started again: the start ends with its words', async (t) => {
  const words = 'namespace ord was started with timeScale 1, this process is set to timeScale 3600';
  const folder = holdBack(projectWith(t, { api: API, ordering: `console.error('${words}'); process.exit(2);` }));
  const said: string[] = [];
  const failure = await startSystem(optionsFor(folder, { say: (line) => said.push(line) })).catch((error) => error);
  t.equal((failure as CliFailure).exitCode, EXIT.settings);
  t.match(
    String(failure),
    /ordering\.\d ended with exit code 2, and would again[\s\S]*timeScale 1, .*[\s\S]*EMBOSS_DATA_DIR=/,
  );
  t.notMatch(said.join('\n'), /starting it again/);
});

/** Makes the api of a project slow to become ready, so that another process is first to fail. */
function holdBack(folder: string): string {
  writeFileSync(join(folder, 'api.mjs'), `setTimeout(() => {}, 60_000);`);
  return folder;
}

t.test('of several starts at the same instant one gets the data folder, also where a dead one had it', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'emboss-claims-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const rounds = 60;
  const left = [JSON.stringify({ pid: spawnSync(process.execPath, ['-e', '']).pid, born: '1' }), '{"pid":', undefined];
  for (let round = 0; round < rounds; round += 1) {
    const record = left[round % left.length];
    mkdirSync(join(folder, String(round)));
    if (record !== undefined) writeFileSync(join(folder, String(round), 'emboss.json'), record);
  }
  const racer = join(folder, 'racer.mjs');
  writeFileSync(
    racer,
    `import { bornAt, claimRunning } from ${JSON.stringify(new URL('./running.js', import.meta.url).href)};
     const record = { pid: process.pid, born: bornAt(process.pid) };
     const won = [];
     process.stdin.once('data', () => {
       for (let round = 0; round < ${rounds}; round += 1)
         if (claimRunning(${JSON.stringify(folder)} + '/' + round, record)) won.push(round);
       console.log(JSON.stringify({ pid: process.pid, won }));
     });
     console.log('ready');`,
  );
  const racers = [1, 2, 3].map(() => spawn(process.execPath, [racer], { stdio: ['pipe', 'pipe', 'inherit'] }));
  t.teardown(() => racers.forEach((one) => void one.kill('SIGKILL')));
  await Promise.all(racers.map(firstLine));
  const results = racers.map(firstLine);
  for (const one of racers) one.stdin?.write('go\n');
  const claims = (await Promise.all(results)).map((line) => JSON.parse(line) as { pid: number; won: number[] }); // The racer's last line.
  t.same(
    claims.flatMap(({ won }) => won).sort((a, b) => a - b),
    Array.from({ length: rounds }, (_, round) => round),
    'each folder has one winner',
  );
  for (const { pid, won } of claims)
    t.ok(
      won.every((round) => readRunning(join(folder, String(round)))?.pid === pid),
      'whose record stands there',
    );
  t.same(
    Array.from({ length: rounds }, (_, round) => readdirSync(join(folder, String(round)))).filter(
      (names) => names.length !== 1,
    ),
    [],
    'and nothing else',
  );
});

t.test('a start can be called off', async (t) => {
  const folder = projectWith(t, { api: 'setInterval(() => {}, 1000);' });
  const stopEarly = new AbortController();
  const starting = startSystem(optionsFor(folder, { signal: stopEarly.signal }));
  await until(() => (readRunning(join(folder, 'data'))?.processes[0]?.pid ?? null) !== null, 'the api was started');
  stopEarly.abort();
  const failure = await starting.catch((error: unknown) => error);
  t.equal((failure as CliFailure).exitCode, EXIT.interrupted);
});

t.test('settings and servers that cannot be used end the start with their exit code', async (t) => {
  const folder = projectWith(t, { api: API });
  const settings = await startSystem(optionsFor(folder, { env: { EMBOSS_SHARDS: 'many' } })).catch(
    (error: unknown) => error,
  );
  t.equal((settings as CliFailure).exitCode, EXIT.settings);
  t.match(String(settings), /EMBOSS_SHARDS must be integer, got "many"/);
  const env = { REDIS_URL: 'redis://127.0.0.1:1' };
  const redis = await startSystem(optionsFor(folder, { env })).catch((error: unknown) => error);
  t.equal((redis as CliFailure).exitCode, EXIT.unavailable);
  t.match(String(redis), /REDIS_URL is set, but that server does not answer/);
  t.equal(readRunning(join(folder, 'data')), undefined);
});

t.test(
  'after SIGKILL of the supervisor its processes, a frozen one too, and its Redis end by themselves',
  { skip: process.platform !== 'linux' },
  async (t) => {
    const folder = projectWith(t, { api: API, ordering: WORKER });
    const driver = join(folder, 'driver.mjs');
    const supervisor = new URL('./supervisor.js', import.meta.url).href;
    writeFileSync(
      driver,
      `import { startSystem } from ${JSON.stringify(supervisor)};
     const system = await startSystem(${JSON.stringify({ folder, dataDir: join(folder, 'data'), ports: 'free', env: { REDIS_URL: '' } })});
     console.log(JSON.stringify(system.record()));`,
    );
    const child = spawn(process.execPath, [driver], { stdio: ['ignore', 'pipe', 'inherit'] });
    t.teardown(() => child.kill('SIGKILL'));
    const record = JSON.parse(await firstLine(child)) as { redisPid: number; processes: { pid: number }[] }; // Our own record, one line above.
    const pids = [record.redisPid, ...record.processes.map(({ pid }) => pid)];
    t.equal(pids.filter(isAlive).length, 4, 'the api, two workers and Redis run');
    const frozen = record.processes.at(-1)?.pid ?? 0;
    process.kill(frozen, 'SIGSTOP');
    t.teardown(() => isAlive(frozen) && process.kill(frozen, 'SIGKILL'));
    await until(() => /\) T/.test(readFileSync(`/proc/${frozen}/stat`, 'utf8')), 'one of them stands still');
    child.kill('SIGKILL');
    await until(() => !pids.some(isAlive), 'all of them are gone');
  },
);

function firstLine(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    const cutter = new LineCutter(resolve);
    child.stdout?.setEncoding('utf8').on('data', (chunk: string) => cutter.push(chunk));
    child.once('exit', (code) => reject(new Error(`ended with ${code} before it said anything`)));
  });
}

t.test('the Procfile is standard, and every line works from a bare clone', async (t) => {
  const types = parseProcfile('# comment\n\napi: node a.js\nordering:   X=1 node b.js --flag\n');
  t.same(types, [
    { name: 'api', command: 'node a.js' },
    { name: 'ordering', command: 'X=1 node b.js --flag' },
  ]);
  t.throws(() => parseProcfile('api node'), /line 1: expected "name: command"/);
  t.throws(() => parseProcfile('a: b\na: c'), /line 2: "a" stands there twice/);
  t.same(parseScale('ordering=3, api=0', types), { ordering: 3, api: 0 });
  for (const wrong of ['orders=3', 'api', 'api=-1', 'api=1000'])
    t.throws(() => parseScale(wrong, types), CliFailure, wrong);
  t.equal(shellLine('node a.js'), 'exec node a.js');
  t.equal(shellLine('X=1 node a.js'), 'exec env X=1 node a.js');
  t.equal(shellLine('a && b'), 'a && b');
});

t.test('log lines: whole, named, readable', async (t) => {
  const lines: string[] = [];
  const cutter = new LineCutter((line) => lines.push(line));
  cutter.push('one\ntw');
  cutter.push('o\nthree');
  cutter.end();
  t.same(lines, ['one', 'two', 'three']);
  cutter.push('x'.repeat(20_000));
  t.equal(lines.at(-1)?.length, 16_384, 'an endless line comes in pieces');
  t.equal(
    readable('{"level":40,"time":1,"msg":"lease late","shard":7,"why":{"a":1}}'),
    'WARN  lease late shard=7 why={"a":1}',
  );
  t.equal(readable('{"level":"info","msg":"hello"}'), 'INFO  hello');
  t.equal(readable('{ not json'), '{ not json');
  t.equal(readable('{"answer":42}'), '{"answer":42}', 'JSON that is no log entry passes');
  t.equal(prefixer('api.1', 8, 0, false)('up'), 'api.1    | up');
  t.match(prefixer('api.1', 8, 0, true)('up'), '\u001b[36mapi.1');
});

t.test('ports: a default one that is taken is replaced and said, a chosen one is refused', async (t) => {
  const ports = await freePorts();
  t.equal(new Set(Object.values(ports)).size, 5);
  const blocker = createServer();
  await new Promise<void>((resolve) => blocker.listen(ports.courier, '127.0.0.1', resolve));
  t.teardown(() => blocker.close());
  t.notOk(await isFree(ports.courier, '127.0.0.1'));
  const said: string[] = [];
  const wish = { ports, host: '127.0.0.1', isChosen: () => false, say: (line: string) => void said.push(line) };
  const chosen = await choosePorts(wish);
  t.not(chosen.courier, ports.courier);
  t.equal(chosen.public, ports.public);
  t.match(said, [`port ${ports.courier} is taken; the courier listener uses ${chosen.courier}`]);
  await t.rejects(
    choosePorts({ ...wish, isChosen: () => true }),
    /EMBOSS_COURIER_PORT=\d+ is taken by another program/,
  );
});

t.test('which packages a fetched server needs', async (t) => {
  const depends =
    'redis-tools\n  PreDepends: init-system-helpers\n  Depends: libc6\n  Depends: libatomic1\n  Depends: adduser\n  Depends: lua-cjson\n  Suggests: ruby-redis\n';
  t.same(librariesOf(depends), ['libatomic1', 'lua-cjson']);
});
