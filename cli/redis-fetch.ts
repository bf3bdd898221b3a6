// A Redis server for someone who has only Node and npm on Debian or Ubuntu: the distribution's own packages, unpacked
// below .cache/redis. No root, nothing installed on the system: package lists and downloads are private and removed.

import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CliFailure, EXIT } from './failure.ts';
import { projectRoot } from './project.ts';

const HOME = join(projectRoot, '.cache', 'redis');
const STEP_MS_MAX = 5 * 60_000; // A package list over a slow line.

/** The wrapper script of an earlier fetch, or undefined. */
export function fetchedServer(): string | undefined {
  const program = join(HOME, 'bin', 'redis-server');
  return existsSync(program) ? program : undefined;
}

/**
 * Fetches and unpacks the server; a few seconds. Resolves to a script that starts it like `redis-server`. Rejects with
 * CliFailure, exit code 69, where that is not possible.
 */
export async function fetchServer(say: (line: string) => void): Promise<string> {
  say('no Redis server is used from PATH: fetching the distribution’s packages (no root needed)');
  const work = `${HOME}.${process.pid}`;
  rmSync(work, { recursive: true, force: true });
  try {
    const packages = await download(work);
    for (const file of packages) await run('dpkg-deb', ['-x', file, join(work, 'root')], work);
    writeWrapper(work);
    const version = await run(join(work, 'bin', 'redis-server'), ['--version'], work);
    const kilobytes = Math.round(packages.reduce((sum, file) => sum + statSync(file).size, 0) / 1024);
    keep(work);
    say(
      `${version.split(' sha=')[0]}: ${packages.length} packages, ${kilobytes} kB, unpacked into ${HOME}; nothing was installed`,
    );
    return join(HOME, 'bin', 'redis-server');
  } catch (error) {
    throw new CliFailure(nothingFound(error instanceof Error ? error.message : String(error)), EXIT.unavailable);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Downloads the server and the libraries it names, all by one private package list. Paths of the .deb files. */
async function download(work: string): Promise<string[]> {
  const apt = join(work, 'apt');
  const debs = join(work, 'debs');
  for (const folder of [join(apt, 'lists', 'partial'), join(apt, 'cache', 'archives', 'partial'), debs]) {
    mkdirSync(folder, { recursive: true });
  }
  const options = ['-o', `Dir::State::Lists=${join(apt, 'lists')}`, '-o', `Dir::Cache=${join(apt, 'cache')}`];
  // As root apt would give up its rights for a user that may not write into our folders.
  if (process.getuid?.() === 0) options.push('-o', 'APT::Sandbox::User=root');
  await run('apt-get', [...options, '-qq', 'update'], work);
  const depends = await run('apt-cache', [...options, 'depends', '--important', 'redis-tools'], work);
  await run('apt-get', [...options, '-qq', 'download', 'redis-server', 'redis-tools', ...librariesOf(depends)], debs);
  return readdirSync(debs).map((name) => join(debs, name));
}

/** From `apt-cache depends`: the libraries, without libc, which every program here already runs on. */
export function librariesOf(depends: string): string[] {
  const names = [...depends.matchAll(/^ {2}(?:Pre)?Depends: (\S+)$/gm)].map((match) => match[1] ?? '');
  return names.filter((name) => /^(lib|lua)/.test(name) && !/^libc6/.test(name));
}

/** The unpacked libraries are found through LD_LIBRARY_PATH; the script works wherever the folder is moved. */
function writeWrapper(work: string): void {
  const libraries = ['usr/lib', 'lib'].flatMap((base) => {
    const folder = join(work, 'root', base);
    return existsSync(folder) ? readdirSync(folder).map((name) => `$here/root/${base}/${name}`) : [];
  });
  const script = [
    '#!/bin/sh',
    '# Starts the unpacked Redis server with the libraries that were unpacked beside it.',
    'here=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)',
    `export LD_LIBRARY_PATH="${libraries.join(':')}\${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"`,
    'exec "$here/root/usr/bin/redis-server" "$@"',
    '',
  ].join('\n');
  mkdirSync(join(work, 'bin'));
  writeFileSync(join(work, 'bin', 'redis-server'), script);
  chmodSync(join(work, 'bin', 'redis-server'), 0o755);
}

/** Moves the finished folder to its place in one step. Another process may have been faster: then its copy stays. */
function keep(work: string): void {
  for (const name of ['apt', 'debs']) rmSync(join(work, name), { recursive: true, force: true });
  try {
    renameSync(work, HOME);
  } catch (error) {
    if (fetchedServer() === undefined) throw error;
  }
}

/** Runs one step and resolves to its stdout. Rejects with its own words. */
function run(command: string, args: readonly string[], cwd: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'], timeout: STEP_MS_MAX });
    let out = '';
    let words = '';
    child.stdout.on('data', (chunk: Buffer) => {
      out += chunk.toString();
    });
    child.stderr.on('data', (chunk: Buffer) => {
      words = (words + chunk.toString()).slice(-2_000);
    });
    child.once('error', (error) => reject(new Error(`${command}: ${error.message}`)));
    child.once('close', (code) => {
      if (code === 0) resolve(out.trim());
      else reject(new Error(`${command} ${args.at(-1) ?? ''} ended with ${code ?? 'a signal'}: ${words.trim()}`));
    });
  });
}

const nothingFound = (cause: string): string =>
  `No Redis server found, and none could be fetched (${cause}).
This command needs Redis 7.0 or newer. Any of these works:
  sudo apt-get install redis-server      then run the command again
  EMBOSS_REDIS=fetch                     Debian and Ubuntu, no root needed; needs apt-get, dpkg-deb and a package mirror
  REDIS_URL=redis://host:6379            a server you already have`;
