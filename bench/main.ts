// `npm run bench -- QUESTION`: one file per question, see README.md.

import { Command, InvalidArgumentError } from 'commander';
import { commitBench } from './commit.ts';
import { shardBalanceBench } from './shard-balance.ts';
import { takeoverBench } from './takeover.ts';

const whole = (text: string): number => {
  const number = Number(text);
  if (Number.isInteger(number) && number > 0) return number;
  throw new InvalidArgumentError('a whole number above 0 is expected');
};
const seed = (text: string): number => {
  const number = Number(text);
  if (Number.isInteger(number) && number >= 0 && number < 2 ** 32) return number;
  throw new InvalidArgumentError('a whole number from 0 to 4294967295 is expected');
};
const list = (text: string): readonly number[] => text.split(',').map(whole);

const program = new Command('bench').description(
  'Measures one question at a time, as ratios within one run. See bench/README.md.',
);

program
  .command('commit')
  .description('durable, answered transitions per second of the real order chart, beside a floor without guards')
  .option('--pairs <n>', 'interleaved pairs of product and floor', whole, 7)
  .option('--seconds <n>', 'measured seconds per contender and number of clients', whole, 3)
  .option('--clients <list>', 'numbers of clients', list, [1, 16, 64, 256])
  .option('--json', 'one JSON document on stdout', false)
  .option('--no-profile', 'leave out the CPU profile of the worker')
  .option('--dry', 'write no files into bench/results', false)
  .action(commitBench);

program
  .command('takeover')
  .description('how long a shard is without an answer when its worker is killed, stopped or started again')
  .option('--kills <n>', 'rounds per signal, about 5 s each', whole, 100)
  .option('--json', 'one JSON document on stdout', false)
  .option('--dry', 'write no files into bench/results', false)
  .action(takeoverBench);

program
  .command('shard-balance')
  .description(
    'how evenly ways of placing shards spread them over workers, and how many move when a worker comes or goes',
  )
  .option('--histories <n>', 'random histories per number of workers', whole, 30)
  .option('--workers <list>', 'numbers of workers', list, [2, 3, 4, 8, 16, 32, 64])
  .option('--orders <n>', 'order ids', whole, 100_000)
  .option('--rounds <n>', 'counted rounds of the cost of a lookup and of a reassignment', whole, 9)
  .option('--seed <n>', 'of the histories and the order ids', seed, 20_261_125)
  .option('--all', 'every table, not only those for 64 shards and equal weights', false)
  .option('--json', 'one JSON document on stdout', false)
  .option('--dry', 'write no files into bench/results', false)
  .action(shardBalanceBench);

await program.parseAsync();
