// The verbs of the bootstrap. Each makes sure of what it needs (packages, build, Redis) and then runs one program.

import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build, buildIsFresh } from './build.mjs';
import { lint, test, typecheck } from './checks.mjs';
import { Failure, root, runTool, say } from './ground.mjs';
import { install, installIsFresh } from './install.mjs';
import { withLock } from './lock.mjs';
import { followParent } from './parent.mjs';
import { redisOnPath } from './redis.mjs';

const USAGE = `usage: node cli/bootstrap.mjs <verb> [arguments]

  emboss …          the command line (also: npx --no-install emboss …)
  run <file.js> …   one compiled program, for example build/api/main.js
  redis <file.js> … the same for a program that starts Redis servers of its own, for example build/bench/main.js
  install           packages only
  build             packages and build
  test [files] …    all tests, or those of the named files and folders; --coverage measures coverage
  lint · format · typecheck
`;

const VERBS = {
  emboss: (args) => program('build/cli/main.js', args),
  run: ([file, ...args]) => {
    if (file === undefined) throw new Failure(USAGE, 2);
    return program(file, args);
  },
  redis: async ([file, ...args]) => {
    if (file === undefined) throw new Failure(USAGE, 2);
    await prepare({ build: true });
    const asksForHelp = args.some((argument) => ['help', '--help', '-h'].includes(argument)); // It needs no server.
    if (!asksForHelp) Object.assign(process.env, await redisOnPath());
    return program(file, args);
  },
  install: () => prepare({ build: false }),
  build: () => prepare({ build: true }),
  test: async (args) => {
    await prepare({ build: true });
    return test(args);
  },
  lint: async () => {
    await prepare({ build: false });
    return lint();
  },
  format: async () => {
    await prepare({ build: false });
    return runTool('node_modules/@biomejs/biome/bin/biome', ['check', '--write', '.']);
  },
  typecheck: async () => {
    await prepare({ build: false });
    return typecheck();
  },
};

/**
 * Runs one verb and sets the exit code: 0, what the program said, 1 when preparing failed, 2 for a wrong call.
 * @param {string[]} argv verb and arguments
 */
export async function main([verb = '', ...args]) {
  const run = Object.hasOwn(VERBS, verb) ? VERBS[verb] : undefined;
  try {
    if (run === undefined) throw new Failure(USAGE, 2);
    const code = await run(args);
    if (typeof code === 'number') process.exitCode = code;
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    process.stderr.write(error.message.endsWith('\n') ? error.message : `${error.message}\n`);
    process.exitCode = error.code;
  }
}

/**
 * Installs and builds what is stale, under a lock. Costs about 30 ms when nothing is.
 * `EMBOSS_BOOTSTRAP=skip` trusts what is there: the supervisor sets it for its processes, container images may.
 */
async function prepare(want) {
  if (process.env.EMBOSS_BOOTSTRAP === 'skip') return;
  if (installIsFresh() && (!want.build || buildIsFresh())) return;
  await withLock(async () => {
    // Asked again: the bootstrap that held the lock before may have done it.
    if (!installIsFresh()) await install();
    if (want.build && !buildIsFresh()) await build();
  });
}

/** Imports the program into this process, as if it had been started with `node file args`. */
async function program(file, args) {
  await prepare({ build: true });
  const path = existsSync(resolve(file)) ? resolve(file) : join(root, file);
  if (!existsSync(path)) throw new Failure(`There is no ${file} in the build.`, 1);
  if (process.env.EMBOSS_SUPERVISED === '1') followParent(say);
  process.argv = [process.argv[0], path, ...args];
  await import(pathToFileURL(path).href);
}
