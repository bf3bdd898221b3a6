// `emboss demo` (npm run demo): many orders from application to the customer's hand, with everybody around them played.

import { Command, InvalidArgumentError } from 'commander';
import { IN_FLIGHT_MIN, type KillWish, parseKill } from '../demo/kills.ts';
import { CliFailure, EXIT } from '../failure.ts';

const ORDERS_MAX = 10_000;
const CONCURRENCY_DEFAULT = 100;

interface DemoOptions {
  readonly orders: number;
  readonly concurrency: number;
  readonly seed: string;
  readonly kill: readonly KillWish[];
  readonly lose: number;
  readonly duplicate: number;
  readonly acks?: string;
  readonly deadline: number;
  readonly timeScale?: number;
  readonly workers?: number;
  readonly own?: boolean;
  readonly keep?: boolean;
  readonly logs?: boolean;
  readonly json?: boolean;
}

export function demoCommand(): Command {
  return new Command('demo')
    .description('Play many orders with customers, couriers, reviewers and operators; then audit.')
    .option('-n, --orders <number>', 'how many orders', whole(1, ORDERS_MAX), 50)
    .option('--concurrency <number>', 'orders in flight at once', whole(1, 1_000), CONCURRENCY_DEFAULT)
    .option('--seed <seed>', 'who orders what and how they behave; the same seed plays the same people', '1')
    .option(
      '--kill <type=number>',
      'SIGKILL so many workers while orders are in flight: ordering=2; may be repeated',
      kills,
      [],
    )
    .option('--lose <share>', 'share of partner replies that are lost, 0 to 0.5', share, 0)
    .option('--duplicate <share>', 'share of partner callbacks that come twice, 0 to 0.5', share, 0)
    .option('--acks <file>', 'write each acknowledged command there, one JSON object a line')
    .option('--deadline <seconds>', 'longest life of one order on the clock on the wall', whole(10, 3_600), 180)
    .option('--time-scale <factor>', 'of an own system: how much faster than real time', Number)
    .option('--workers <number>', 'of an own system: workers per context', whole(1, 16))
    .option('--own', 'start an own system even when one is running')
    .option('--keep', 'keep the data of an own system')
    .option('--logs', 'show the log lines of an own system on stderr')
    .option('--json', 'one JSON document on stdout; everything else on stderr')
    .addHelpText(
      'after',
      `
Uses the system that \`emboss up\` runs, if it runs in scaled time; else starts one of its own and removes it afterwards.
Exit code 0: every order ended well or was properly refused, none failed or is parked, and the audit is clean. Else 1.`,
    )
    .action(demo);
}

async function demo(options: DemoOptions): Promise<void> {
  check(options);
  // The whole stage is too much to load for --help.
  const [{ AckLog }, { checkedTimeScale, ground }, { run }, { shownRun }] = await Promise.all([
    import('../demo/acks.ts'),
    import('../demo/ground.ts'),
    import('../demo/run.ts'),
    import('../demo/shown.ts'),
  ]);
  const log = new AckLog(options.acks);
  const stop = new AbortController();
  const onSignal = (): void => {
    if (stop.signal.aborted) process.exit(EXIT.interrupted); // The second time: at once. Own processes end with us.
    stop.abort();
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, onSignal);
  const say = (line: string): void => void process.stderr.write(`emboss: ${line}\n`);
  const place = await ground({
    own: options.own === true || options.timeScale !== undefined || options.workers !== undefined,
    keep: options.keep === true,
    timeScale: options.timeScale === undefined ? undefined : checkedTimeScale(options.timeScale),
    scale: scaleFor(options),
    say,
    signal: stop.signal,
    ...(options.logs === true ? { write: say } : {}),
  });
  try {
    const report = await run(place, {
      orders: options.orders,
      concurrency: options.concurrency,
      seed: options.seed,
      kills: merged(options.kill),
      lose: options.lose,
      duplicate: options.duplicate,
      log,
      deadlineMs: options.deadline * 1_000,
      quiet: false,
      signal: stop.signal,
    });
    process.stdout.write(options.json === true ? `${JSON.stringify({ kind: 'demo', ...report })}\n` : shownRun(report));
    if (!report.ok) process.exitCode = EXIT.failed;
  } finally {
    await place.leave();
    log.close();
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, onSignal);
  }
}

/** Two kinds of worker that can take over from one another where one is to be killed. */
function scaleFor({ kill, workers }: DemoOptions): { readonly [type: string]: number } {
  const least = (type: string): number => Math.max(workers ?? 0, kill.some((wish) => wish.type === type) ? 2 : 1);
  return { ordering: workers ?? 2, delivery: least('delivery') };
}

function check({ kill, orders, concurrency }: DemoOptions): void {
  if (kill.length === 0 || Math.min(orders, concurrency) >= IN_FLIGHT_MIN) return;
  throw new CliFailure(
    `--kill needs at least ${IN_FLIGHT_MIN} orders in flight: raise --orders and --concurrency`,
    EXIT.usage,
  );
}

function merged(wishes: readonly KillWish[]): readonly KillWish[] {
  const counts = new Map<string, number>();
  for (const { type, count } of wishes) counts.set(type, (counts.get(type) ?? 0) + count);
  return [...counts].map(([type, count]) => ({ type, count }));
}

const kills = (text: string, before: readonly KillWish[]): readonly KillWish[] => [
  ...before,
  ...text.split(',').map(parseKill),
];

function whole(low: number, high: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (Number.isInteger(value) && value >= low && value <= high) return value;
    throw new InvalidArgumentError(`a whole number from ${low} to ${high} is expected.`);
  };
}

function share(text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && value >= 0 && value <= 0.5) return value;
  throw new InvalidArgumentError('a share from 0 to 0.5 is expected, for example 0.05.');
}
