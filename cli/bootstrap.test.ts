// The bootstrap as a stranger meets it: arguments, streams, exit codes and signals pass through; the lock holds, and is
// taken over from the dead; only what is stale is built. The parts that need a bare clone run in a copy of a small one.

import { type SpawnSyncReturns, spawn, spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { projectRoot } from './project.ts';
import { monotonic, pause } from './time.ts';

const HELLO = `// A program.
process.stdout.write(JSON.stringify({ arguments: process.argv.slice(2), self: process.argv[1] }));
process.exitCode = Number(process.argv[2] ?? 0);
`;

/** A project with the real bootstrap, one program, and our node_modules. */
function smallProject(test: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'emboss-bare-'));
  test.teardown(() => rmSync(folder, { recursive: true, force: true }));
  for (const name of [
    'cli/bootstrap.mjs',
    'cli/emboss.mjs',
    'cli/bootstrap',
    'package.json',
    'package-lock.json',
    'tsconfig.json',
    '.npmrc',
  ]) {
    cpSync(join(projectRoot, name), join(folder, name), { recursive: true });
  }
  symlinkSync(join(projectRoot, 'node_modules'), join(folder, 'node_modules'));
  mkdirSync(join(folder, 'runtime'));
  writeFileSync(join(folder, 'cli/main.ts'), HELLO);
  writeFileSync(join(folder, 'runtime/asset.lua'), '-- asset\n');
  return folder;
}

/** Node without what tap slips into the processes of a test: the compiler does not run under it. */
const NODE = ['-u', 'NODE_OPTIONS', process.execPath] as const;

/** The environment of a person's shell, not of this test run. */
const SHELL = { PATH: process.env.PATH, HOME: process.env.HOME };

/** Runs the bootstrap of a project to its end. */
function bootstrap(folder: string, args: readonly string[], more: NodeJS.ProcessEnv = {}): SpawnSyncReturns<string> {
  return spawnSync('env', [...NODE, ...args], { cwd: folder, encoding: 'utf8', env: { ...SHELL, ...more } });
}

t.test('a bare tree builds itself, keeps stdout clean, and passes arguments and exit codes through', async (t) => {
  const folder = smallProject(t);
  const first = bootstrap(folder, ['cli/emboss.mjs', '3', '--json', 'two words']);
  t.same(JSON.parse(first.stdout), {
    arguments: ['3', '--json', 'two words'],
    self: join(folder, 'build/cli/main.js'),
  });
  t.equal(first.status, 3);
  t.match(first.stderr, 'emboss: building');
  t.equal(
    readFileSync(join(folder, 'build/runtime/asset.lua'), 'utf8'),
    '-- asset\n',
    'what programs read lies beside them',
  );

  const second = bootstrap(folder, ['cli/bootstrap.mjs', 'run', 'build/cli/main.js', '0']);
  t.equal(second.stderr, '', 'nothing was stale, nothing is said');
  t.equal(second.status, 0);
  t.equal(bootstrap(folder, ['cli/bootstrap.mjs']).status, 2);
  t.equal(bootstrap(folder, ['cli/bootstrap.mjs', 'run', 'build/none.js']).status, 1);
});

t.test('through npm, too, stdout is the program’s alone; an installation that fails is explained', async (t) => {
  const folder = smallProject(t);
  t.equal(bootstrap(folder, ['cli/bootstrap.mjs', 'build']).status, 0);
  const npm = (...args: string[]): SpawnSyncReturns<string> =>
    spawnSync('env', ['-u', 'NODE_OPTIONS', 'npm', ...args], { cwd: folder, encoding: 'utf8', env: SHELL });
  const demo = npm('run', 'demo', '--', '--orders', '5', '--json');
  t.match(JSON.parse(demo.stdout), { arguments: ['demo', '--orders', '5', '--json'] }, 'not even npm adds to it');

  rmSync(join(folder, 'node_modules'));
  const own = { name: 'small', version: '1.0.0', dependencies: { nowhere: 'file:./nowhere' } };
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ ...own, scripts: { start: 'node cli/emboss.mjs' } }));
  writeFileSync(join(folder, 'package-lock.json'), JSON.stringify({ lockfileVersion: 3, packages: { '': own } }));
  const failed = npm('start');
  t.equal(failed.status, 1);
  t.equal(failed.stdout, '');
  t.match(failed.stderr, /npm (error|ERR!)[\s\S]*npm ci failed/, 'npm says why');
});

t.test('only what is stale is built, and outputs of deleted sources go', async (t) => {
  const folder = smallProject(t);
  writeFileSync(join(folder, 'runtime/gone.ts'), '// Soon deleted.\nexport const gone = 1;\n');
  t.equal(bootstrap(folder, ['cli/bootstrap.mjs', 'build']).status, 0);
  t.ok(existsSync(join(folder, 'build/runtime/gone.js')));

  utimesSync(join(folder, 'cli/main.ts'), new Date(0), new Date(0));
  t.equal(bootstrap(folder, ['cli/bootstrap.mjs', 'build']).stderr, '', 'a checkout changes times, not contents');

  rmSync(join(folder, 'runtime/gone.ts'));
  rmSync(join(folder, 'runtime/asset.lua'));
  t.match(bootstrap(folder, ['cli/bootstrap.mjs', 'build']).stderr, 'building');
  t.notOk(existsSync(join(folder, 'build/runtime/gone.js')));
  t.notOk(existsSync(join(folder, 'build/runtime/gone.d.ts')));
  t.notOk(existsSync(join(folder, 'build/runtime/asset.lua')));

  writeFileSync(join(folder, 'runtime/wrong.ts'), '// A type error.\nexport const wrong: number = "text";\n');
  const broken = bootstrap(folder, ['cli/emboss.mjs']);
  t.equal(broken.status, 1);
  t.match(broken.stderr, /wrong\.ts.*TS2322[\s\S]*The build failed/);
  t.equal(broken.stdout, '', 'the compiler speaks on stderr');
  t.equal(
    bootstrap(folder, ['cli/emboss.mjs'], { EMBOSS_BOOTSTRAP: 'skip' }).status,
    0,
    'the last good build is as it was',
  );
});

t.test('two bootstraps at once: one builds, the other waits; the lock of a dead process is taken over', async (t) => {
  const folder = smallProject(t);
  mkdirSync(join(folder, '.cache'));
  const lock = join(folder, '.cache/bootstrap.lock');
  const dead = spawnSync(process.execPath, ['-e', '']).pid;
  writeFileSync(lock, JSON.stringify({ pid: dead, started: '1' }));
  const runs = await Promise.all([run(folder), run(folder), run(folder)]);
  t.same(
    runs.map(({ code }) => code),
    [0, 0, 0],
  );
  t.equal(runs.filter(({ words }) => words.includes('building')).length, 1);
  t.notOk(existsSync(lock));

  // The id of the dead process was given to a living one: its start time tells them apart.
  writeFileSync(lock, JSON.stringify({ pid: process.pid, started: '1' }));
  writeFileSync(join(folder, 'cli/main.ts'), `${HELLO}// Changed.\n`);
  if (process.platform === 'linux') t.equal((await run(folder)).code, 0);
});

function run(folder: string): Promise<{ code: number | null; words: string }> {
  return new Promise((resolve) => {
    const child = spawn('env', [...NODE, 'cli/bootstrap.mjs', 'build'], {
      cwd: folder,
      stdio: ['ignore', 'ignore', 'pipe'],
      env: SHELL,
    });
    let words = '';
    child.stderr.on('data', (chunk: Buffer) => {
      words += chunk.toString();
    });
    child.once('close', (code) => resolve({ code, words }));
  });
}

t.test('a program run through the bootstrap is that very process: its signals and its end are its own', async (t) => {
  const folder = smallProject(t);
  writeFileSync(
    join(folder, 'cli/main.ts'),
    `// Waits.\nprocess.on('SIGTERM', () => process.exit(5));\nsetInterval(() => {}, 1000);\nconsole.log(process.pid);\n`,
  );
  const child = spawn('env', [...NODE, 'cli/emboss.mjs'], {
    cwd: folder,
    stdio: ['pipe', 'pipe', 'ignore'],
    env: SHELL,
  });
  const said = await new Promise<string>((resolve) =>
    child.stdout.once('data', (chunk: Buffer) => resolve(chunk.toString())),
  );
  t.equal(Number(said), child.pid);
  child.kill('SIGTERM');
  t.equal(await new Promise((resolve) => child.once('close', resolve)), 5);

  const env = { ...SHELL, EMBOSS_SUPERVISED: '1' };
  const orphan = spawn('env', [...NODE, 'cli/emboss.mjs'], { cwd: folder, stdio: ['pipe', 'pipe', 'ignore'], env });
  await new Promise((resolve) => orphan.stdout.once('data', resolve));
  const began = monotonic();
  orphan.stdin.destroy(); // As when the supervisor is killed.
  t.equal(await new Promise((resolve) => orphan.once('close', resolve)), 5, 'it was asked to stop');
  t.ok(monotonic() - began < 5_000);
});

t.test('nothing stale costs little', async (t) => {
  const folder = smallProject(t);
  bootstrap(folder, ['cli/bootstrap.mjs', 'build']);
  const times: number[] = [];
  for (let i = 0; i < 5; i++) {
    const began = monotonic();
    bootstrap(folder, ['cli/bootstrap.mjs', 'build']);
    times.push(monotonic() - began);
    await pause(0);
  }
  t.ok(Math.min(...times) < 1_000, `fastest of five: ${Math.round(Math.min(...times))} ms, with the start of Node`);
});
