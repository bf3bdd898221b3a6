// Question: how long is a shard without an owner, from the customer's side? From SIGKILL and from SIGTERM of a worker to the
// first answer by the next owner of each of its shards, and how long a shard pauses that moves back to a restarted worker.
//
// Two workers share 64 shards on one Redis, under steady load on every shard; nothing restarts the victim while it is gone.
// Settings are the defaults. Not measured: networks, other machines, machines that go silent, more than two workers.

import { type BenchOptions, facts, record, say, table } from './report.ts';
import { ENDINGS, type Findings, findingsOf, type Spread, spread } from './takeover/findings.ts';
import { draw } from './takeover/plot.ts';
import { playRounds, type Round } from './takeover/rounds.ts';

export interface TakeoverOptions extends BenchOptions {
  readonly kills: number;
}

export async function takeoverBench({ kills, json, dry }: TakeoverOptions): Promise<void> {
  const rounds: Round[] = [];
  let errors = 0;
  for (const ending of ENDINGS) {
    const load = await playRounds(ending, kills, (round) => {
      rounds.push(round);
      const { p50, max } = spread(round.takeovers);
      const done = rounds.filter((one) => one.ending === ending).length;
      say(`${ending} ${done}/${kills}: ${p50} ms, last shard ${max} ms`);
    });
    errors += load.errors;
  }
  const findings = findingsOf(rounds, kills, errors);
  const line = { bench: 'takeover', ...(await facts()), workers: 2, ...findings };
  if (!dry) {
    await record('takeover', line);
    await draw(findings);
  }
  process.stdout.write(json ? `${JSON.stringify(line)}\n` : `${drawn(findings)}\n`);
}

function drawn(findings: Findings): string {
  const row = (what: string, { n, p50, p99, max }: Spread): readonly string[] => [
    what,
    ...[n, p50, p99, max].map(String),
  ];
  const rows = ENDINGS.flatMap((ending) => [
    row(`${ending} to the first answer of the next owner, first shard`, findings[ending].first),
    row(`${ending} to the first answer of the next owner, every shard`, findings[ending].shards),
  ]);
  rows.push(row('pause of a shard that moves back to a restarted worker', findings.moved));
  const title = `Takeover under load, two workers, 64 shards, ms; ${findings.errors} commands without an answer`;
  return `${title}\n${table(['', 'n', 'p50', 'p99', 'max'], rows)}`;
}
