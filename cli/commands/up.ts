// `emboss up` (npm start): the whole system in the foreground, until Ctrl-C.

import { readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { environmentOf } from '../../actors/contract/settings.ts';
import { CliFailure, EXIT } from '../failure.ts';
import { parseProcfile, parseScale } from '../procfile.ts';
import { projectRoot } from '../project.ts';
import { type System, startSystem } from '../supervisor.ts';
import { monotonic } from '../time.ts';

/** A business day in 24 seconds: long enough to watch, short enough to wait for. */
const TIME_SCALE_DEFAULT = 3_600;
/** npm passes a Ctrl-C on to us that the terminal has sent us already: the second one is no second wish. */
const SAME_WISH_MS = 500;

interface UpOptions {
  readonly scale?: string;
  readonly realTime?: boolean;
  readonly timeScale?: number;
  readonly virtualTime?: boolean;
  readonly restart: boolean;
  readonly quiet?: boolean;
  readonly json?: boolean;
}

export function upCommand(): Command {
  return new Command('up')
    .description('Start the system by the Procfile and keep it up until Ctrl-C.')
    .option('--scale <types>', 'processes per type, for example ordering=3,delivery=2')
    .option('--time-scale <factor>', 'how much faster than real time the business runs', positive)
    .option('--real-time', 'the same as --time-scale 1')
    .option('--virtual-time', 'let `emboss time travel` move the business forward; of a system on fresh data only')
    .option('--no-restart', 'leave a process down when it dies')
    .option('--quiet', 'do not show the processes’ log lines')
    .option('--json', 'one JSON line on stdout when ready; everything else on stderr')
    .addHelpText(
      'after',
      `
Without REDIS_URL a private Redis is run: redis-server from PATH, else one fetched without root (Debian, Ubuntu).
One Ctrl-C stops everything in order; a second one stops at once.`,
    )
    .action(up);
}

async function up(options: UpOptions): Promise<void> {
  const began = monotonic();
  const environment = environmentOf(projectRoot);
  const types = parseProcfile(readFileSync(join(projectRoot, 'Procfile'), 'utf8'));
  const logs = options.json === true ? process.stderr : process.stdout;
  const colour = logs.isTTY === true && !environment.NO_COLOR;
  const say = (line: string): void => void process.stderr.write(`emboss: ${line}\n`);
  const wish = stopWish(say);
  const stopEarly = new AbortController();
  void wish.then(() => stopEarly.abort());
  const system = await startSystem({
    signal: stopEarly.signal,
    environment,
    env: {
      EMBOSS_TIME_SCALE: String(timeScaleOf(options, environment.EMBOSS_TIME_SCALE)),
      ...(options.virtualTime === true ? { EMBOSS_TIME_MODE: 'virtual' } : {}),
    },
    scale: options.scale === undefined ? {} : parseScale(options.scale, types),
    restart: options.restart,
    say,
    colour,
    ...(options.quiet === true ? {} : { write: (line: string) => void logs.write(`${line}\n`) }),
  });
  if (options.json === true) process.stdout.write(`${JSON.stringify({ kind: 'ready', ...system.record() })}\n`);
  else process.stdout.write(welcome(system, monotonic() - began));
  await wish;
  await system.stop();
  const givenUp = Object.entries(system.givenUp());
  for (const [id, why] of givenUp) say(`${id} was down: it ${why}`);
  if (givenUp.length > 0) process.exitCode = EXIT.failed;
  say('stopped');
}

function timeScaleOf(options: UpOptions, setting: string | undefined): number | string {
  if (options.realTime === true) {
    if (options.timeScale === undefined || options.timeScale === 1) return 1;
    throw new CliFailure('--real-time and --time-scale contradict each other', EXIT.usage);
  }
  return options.timeScale ?? (setting || TIME_SCALE_DEFAULT);
}

/** Resolves at the first Ctrl-C, SIGTERM or SIGHUP. The next one ends everything without grace. */
function stopWish(say: (line: string) => void): Promise<void> {
  let firstAt: number | undefined;
  return new Promise((resolve) => {
    const onSignal = (signal: NodeJS.Signals): void => {
      if (firstAt === undefined) {
        firstAt = monotonic();
        say(`${signal}: stopping (once more: at once)`);
        resolve();
      } else if (monotonic() - firstAt >= SAME_WISH_MS) {
        process.exit(130); // All processes are killed as this one exits, and Redis gets its SIGTERM.
      }
    };
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onSignal);
    process.stdout.on('error', () => resolve()); // Whoever read our output is gone.
    process.stderr.on('error', () => resolve());
  });
}

function welcome(system: System, tookMs: number): string {
  const { urls, settings, redisUrl } = system;
  const record = system.record();
  const rows = [
    ['customers', urls.public],
    ['operators', urls.internal],
    ['couriers', urls.courier],
    ['partners call back', urls.partner],
    ['partner simulators', `${urls.simulator}   (phone, ledger, faults)`],
    ['Redis', redisNote(redisUrl, record.redisKind, settings.dataDir)],
    ['processes', record.processes.map(({ id, pid }) => `${id} (${pid})`).join(' ')],
  ];
  const width = Math.max(...rows.map(([name = '']) => name.length));
  return [
    '',
    `Emboss is up after ${(tookMs / 1000).toFixed(1)} s.`,
    ...rows.map(([name = '', value]) => `  ${name.padEnd(width)}  ${value}`),
    '',
    ...settings.notices.map((notice) => `  ! ${notice}`),
    '',
    'Try next, in another terminal:',
    '  npx --no-install emboss order create     place an order',
    '  npx --no-install emboss watch            see every order move',
    '  npm run demo -- --orders 200             two hundred customers, couriers and all',
    'Ctrl-C stops everything.',
    '',
    '',
  ].join('\n');
}

const redisNote = (url: string, kind: 'given' | 'private', dataDir: string): string =>
  kind === 'given'
    ? `${withoutPassword(url)} (yours)`
    : `${url} (private, data in ${relative(process.cwd(), join(dataDir, 'redis'))})`;

function withoutPassword(url: string): string {
  return url.replace(/\/\/[^@/]*@/, '//').replace(/([?&][a-zA-Z]*[pP]assword=)[^&]*/g, '$1…');
}

function positive(text: string): number {
  const value = Number(text);
  if (value > 0) return value;
  throw new InvalidArgumentError('a number above 0 is expected.');
}
