// Lint, type check and tests. `npm test` is tap over the compiled tests with our plain reporter.

import { createHash } from 'node:crypto';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { Failure, root, runTool } from './ground.mjs';
import { redisOnPath } from './redis.mjs';

const TAP = 'node_modules/tap/dist/esm/run.mjs';

/** Biome for format and untyped rules, ESLint for the two promise rules. Both run, so that one sees all complaints. */
export async function lint() {
  const biome = await runTool('node_modules/@biomejs/biome/bin/biome', ['check', '--diagnostic-level=warn', '.']);
  const eslint = await runTool('node_modules/eslint/bin/eslint.js', ['--max-warnings=0', '.']);
  return biome || eslint;
}

export function typecheck() {
  return runTool('node_modules/ts7/bin/tsc', ['-p', 'tsconfig.json', '--noEmit']);
}

/** Runs all tests, or those of the files and folders named in `args`; other arguments go to tap. */
export async function test(args) {
  const coverage = args.includes('--coverage');
  const rest = args.filter((argument) => argument !== '--coverage').map(compiled);
  await buildTap();
  const env = { ...process.env, ...(await redisOnPath()) };
  const flags = coverage ? ['--show-full-coverage'] : ['--disable-coverage'];
  const reporter = rest.some((argument) => argument.startsWith('--reporter'))
    ? []
    : [`--reporter=${join(root, 'cli/bootstrap/tap-reporter.mjs')}`];
  return runTool(TAP, ['run', ...flags, ...reporter, ...rest], { env });
}

/** `runtime/` and `cli/supervisor.test.ts` name what stands in build/; tap takes files, so a folder becomes a glob. */
function compiled(argument) {
  if (argument.startsWith('-')) return argument;
  const source = resolve(argument);
  if (!existsSync(source)) throw new Failure(`There is no test file or folder ${argument}.`, 2);
  const inBuild = join('build', relative(root, source));
  return statSync(source).isDirectory() ? `${inBuild}/**/*.test.js` : inBuild.replace(/\.ts$/, '.js');
}

/** tap compiles its Test class for the plugins of .taprc: once per install, 10 s, before the first run. */
async function buildTap() {
  const stampFile = join(root, 'node_modules', '.emboss-tap');
  const wanted = createHash('sha256')
    .update(readFileSync(join(root, '.taprc')))
    .update(process.version)
    .digest('hex');
  if (existsSync(stampFile) && readFileSync(stampFile, 'utf8') === wanted) return;
  const code = await runTool(TAP, ['build'], { stdio: ['ignore', 2, 2] });
  if (code !== 0) throw new Failure(`tap build failed with exit code ${code}.`);
  writeFileSync(stampFile, wanted);
}
