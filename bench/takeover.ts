// Question: how long is a shard without an owner, from the customer's side? From SIGKILL and from SIGTERM of a worker to the
// first answer by the next owner of each of its shards, and how long a shard pauses that moves back to a restarted worker.
//
// Two workers share 64 shards on one Redis, under steady load on every shard; nothing restarts the victim while it is gone.
// Settings are the defaults. Not measured: networks, other machines, machines that go silent, more than two workers.

import { mkdir } from 'node:fs/promises';
import { median } from './load.ts';
import { facts, record, say, table } from './report.ts';
import { type Ending, playRounds, type Round } from './takeover/rounds.ts';

export interface TakeoverOptions {
  readonly kills: number;
  readonly json: boolean;
  readonly dry: boolean;
}

interface Spread {
  readonly n: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

const ENDINGS: readonly Ending[] = ['SIGKILL', 'SIGTERM'];

export async function takeoverBench({ kills, json, dry }: TakeoverOptions): Promise<void> {
  const rounds: Round[] = [];
  let errors = 0;
  for (const ending of ENDINGS) {
    const load = await playRounds(ending, kills, (round) => {
      rounds.push(round);
      const { p50, max } = spread(round.takeovers);
      say(
        `${ending} ${rounds.filter((one) => one.ending === ending).length}/${kills}: ${p50} ms, last shard ${max} ms`,
      );
    });
    errors += load.errors;
  }
  const of = (ending: Ending) => rounds.filter((round) => round.ending === ending);
  const result = {
    kills,
    errors,
    /** First answer by a new owner: of the first shard per kill, and of every shard. */
    ...Object.fromEntries(
      ENDINGS.map((ending) => [
        ending,
        {
          first: spread(of(ending).map(({ takeovers }) => Math.min(...takeovers))),
          shards: spread(of(ending).flatMap(({ takeovers }) => takeovers)),
          ratio: Math.round(median(of(ending).map(({ rateBefore, rateAfter }) => rateAfter / rateBefore)) * 100) / 100,
        },
      ]),
    ),
    moved: spread(rounds.flatMap(({ pauses }) => pauses)),
  };
  const line = { bench: 'takeover', ...(await facts()), workers: 2, ...result };
  if (!dry) {
    await mkdir('bench/results', { recursive: true });
    await record('takeover', line);
  }
  process.stdout.write(json ? `${JSON.stringify(line)}\n` : `${drawn(rounds, errors)}\n`);
}

function drawn(rounds: readonly Round[], errors: number): string {
  const row = (what: string, values: readonly number[]): readonly string[] => {
    const { n, p50, p99, max } = spread(values);
    return [what, String(n), String(p50), String(p99), String(max)];
  };
  const rows = ENDINGS.flatMap((ending) => {
    const own = rounds.filter((round) => round.ending === ending);
    return [
      row(
        `${ending} to the first answer of the next owner, first shard`,
        own.map(({ takeovers }) => Math.min(...takeovers)),
      ),
      row(
        `${ending} to the first answer of the next owner, every shard`,
        own.flatMap(({ takeovers }) => takeovers),
      ),
    ];
  });
  rows.push(
    row(
      'pause of a shard that moves back to a restarted worker',
      rounds.flatMap(({ pauses }) => pauses),
    ),
  );
  return `Takeover under load, two workers, 64 shards, ms; ${errors} commands without an answer\n${table(['', 'n', 'p50', 'p99', 'max'], rows)}`;
}

/** Whole ms; nearest rank. Zeros for nothing. */
function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number): number => Math.round(sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0);
  return { n: sorted.length, p50: at(0.5), p99: at(0.99), max: at(1) };
}
