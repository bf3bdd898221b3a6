// Build: TypeScript to build/, which mirrors the source tree; other files a program reads (.lua, .sql, .json, pages)
// are copied beside the compiled ones; outputs of deleted sources are removed, so that no dead test or module runs.

import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, extname, join } from 'node:path';
import { Failure, root, runTool, say } from './ground.mjs';

export const ROOMS = ['actors', 'api', 'bench', 'cli', 'runtime', 'state-machines'];
const NOT_COPIED = new Set(['.ts', '.mjs', '.md', '.ndjson']);
const NOT_ENTERED = new Set(['bench/results', 'node_modules']);
const stampFile = join(root, 'build', '.stamp.json');

/** True when build/ was made from the sources as they are: by size and time, and where those differ by content. */
export function buildIsFresh() {
  const stamp = readStamp();
  if (stamp === undefined) return false;
  const sources = listSources();
  const times = timesOf(sources);
  if (times === stamp.times) return true;
  // A checkout or a copy changes times only.
  if (contentOf(sources) !== stamp.content) return false;
  writeStamp({ times, content: stamp.content });
  return true;
}

/** Compiles everything, about 3 s. A type error fails the build and leaves the last good build as it was. */
export async function build() {
  const sources = listSources();
  const stamp = { times: timesOf(sources), content: contentOf(sources) };
  say('building');
  rmSync(stampFile, { force: true });
  const code = await runTool('node_modules/ts7/bin/tsc', ['-p', 'tsconfig.json', '--noEmitOnError'], {
    stdio: ['ignore', 2, 2],
  });
  if (code !== 0) throw new Failure('The build failed: see the messages of the compiler above.');
  removeStale(outputsOf(sources));
  copyAssets(sources);
  writeStamp(stamp);
}

/** Relative paths of all files a build depends on, sorted. */
function listSources() {
  const found = readdirSync(root).filter((name) => name.endsWith('.test.ts'));
  found.push('tsconfig.json', 'package.json');
  for (const room of ROOMS) walk(join(root, room), room, found);
  return found.sort();
}

function walk(folder, relative, found) {
  for (const entry of readFolder(folder)) {
    const path = `${relative}/${entry.name}`;
    if (entry.name.startsWith('.') || NOT_ENTERED.has(path)) continue;
    if (entry.isDirectory()) walk(join(folder, entry.name), path, found);
    else found.push(path);
  }
}

function readFolder(folder) {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch (error) {
    if (error.code === 'ENOENT') return [];
    throw error;
  }
}

function timesOf(sources) {
  const hash = createHash('sha256');
  for (const path of sources) {
    const { size, mtimeMs } = statSync(join(root, path));
    hash.update(`${path} ${size} ${mtimeMs}\n`);
  }
  return hash.digest('hex');
}

function contentOf(sources) {
  const hash = createHash('sha256');
  for (const path of sources)
    hash
      .update(`${path}\n`)
      .update(readFileSync(join(root, path)))
      .update('\n');
  return hash.digest('hex');
}

const isAsset = (path) => path.includes('/') && !NOT_COPIED.has(extname(path));

function outputsOf(sources) {
  const outputs = new Set();
  for (const path of sources) {
    if (isAsset(path)) outputs.add(path);
    if (!path.endsWith('.ts') || path.endsWith('.d.ts')) continue;
    const stem = path.slice(0, -'.ts'.length);
    for (const ending of ['.js', '.js.map', '.d.ts']) outputs.add(stem + ending);
  }
  return outputs;
}

/** Only within our rooms and the top level: what another tool builds beside them is its own. */
function removeStale(outputs) {
  const built = readFolder(join(root, 'build'))
    .filter((entry) => entry.isFile() && !entry.name.startsWith('.'))
    .map((entry) => entry.name);
  for (const room of ROOMS) walk(join(root, 'build', room), room, built);
  for (const path of built) if (!outputs.has(path)) rmSync(join(root, 'build', path), { force: true });
}

function copyAssets(sources) {
  for (const path of sources.filter(isAsset)) {
    const target = join(root, 'build', path);
    mkdirSync(dirname(target), { recursive: true });
    copyFileSync(join(root, path), target);
  }
}

function readStamp() {
  try {
    return JSON.parse(readFileSync(stampFile, 'utf8'));
  } catch {
    return undefined;
  }
}

function writeStamp(stamp) {
  mkdirSync(dirname(stampFile), { recursive: true });
  writeFileSync(stampFile, JSON.stringify(stamp));
}
