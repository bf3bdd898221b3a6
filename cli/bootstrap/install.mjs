// Packages: `npm ci` when node_modules is missing or does not hold what the lockfile says.

import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { Failure, root, runChild, say } from './ground.mjs';

const stampFile = join(root, 'node_modules', '.emboss-install');

/** True when node_modules belongs to this lockfile and this major version of Node (compiled add-ons depend on it). */
export function installIsFresh() {
  const stamp = readText(stampFile);
  if (stamp === wanted()) return true;
  // Somebody else's `npm ci` or `npm install` is as good as ours, if it put there what the lockfile says.
  if ((stamp === undefined || stamp.split(' ')[0] === nodeAbi()) && matchesLockfile()) {
    writeFileSync(stampFile, wanted());
    return true;
  }
  return false;
}

/** Runs `npm ci`. Its output goes to stderr: errors, which our .npmrc would hide, but no warnings about indirect packages. */
export async function install() {
  const first = readText(join(root, 'node_modules', '.package-lock.json')) === undefined;
  say(first ? 'installing packages (npm ci); the first time takes a minute or two' : 'packages changed: npm ci');
  const npm = npmCommand();
  const flags = ['ci', '--no-audit', '--no-fund', '--loglevel=error', '--include=dev', '--include=optional'];
  const code = await runChild(npm[0], [...npm.slice(1), ...flags], { stdio: ['ignore', 2, 2] });
  if (code !== 0) {
    throw new Failure(
      `npm ci failed with exit code ${code}. Its message is above; often the package registry could not be reached.`,
    );
  }
  writeFileSync(stampFile, wanted());
}

function wanted() {
  const digest = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
  return `${nodeAbi()} ${digest.slice(0, 32)}`;
}

const nodeAbi = () => `abi${process.versions.modules}`;

/** Compares npm's own record of what it installed with the lockfile, package by package. */
function matchesLockfile() {
  const installed = readText(join(root, 'node_modules', '.package-lock.json'));
  if (installed === undefined) return false;
  const there = JSON.parse(installed).packages;
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
  const mayLackDev = process.env.NODE_ENV === 'production';
  return Object.entries(lock).every(([path, entry]) => {
    if (path === '') return true;
    if (there[path] !== undefined) return there[path].version === entry.version;
    return entry.optional === true || entry.peer === true || (mayLackDev && entry.dev === true);
  });
}

/** The npm that started us, if one did; else the one on PATH. */
function npmCommand() {
  const running = process.env.npm_execpath;
  return running !== undefined && basename(running) === 'npm-cli.js' ? [process.execPath, running] : ['npm'];
}

function readText(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
