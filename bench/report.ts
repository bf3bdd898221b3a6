// What every bench prints and keeps: facts of the machine, a table for people, a line of NDJSON for later.

import { execFileSync } from 'node:child_process';
import { appendFile, mkdir } from 'node:fs/promises';
import { cpus, totalmem } from 'node:os';
import Table from 'cli-table3';

/** What every question is asked with. */
export interface BenchOptions {
  readonly json: boolean;
  /** Writes no files: for the slice in the test suite. */
  readonly dry: boolean;
}

/** Progress, on stderr: stdout is the result's. */
export const say = (text: string): void => void process.stderr.write(`${text}\n`);

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const drawn = new Table({
    head: [...head],
    style: { head: [], border: [] },
    colAligns: head.map((_, index) => (index === 0 ? 'left' : 'right')),
  });
  drawn.push(...rows.map((row) => [...row]));
  return drawn.toString();
}

/** What a figure means nothing without. */
export async function facts(): Promise<Readonly<Record<string, string | number>>> {
  return {
    at: new Date().toISOString(),
    commit: output('git', ['rev-parse', '--short', 'HEAD']),
    node: process.version,
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
  };
}

export const redisVersion = (): string => /v=(\S+)/.exec(output('redis-server', ['--version']))?.[1] ?? 'unknown';

function output(command: string, args: readonly string[]): string {
  try {
    return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return 'unknown';
  }
}

/** One line per run, appended: the history of a figure is its file. */
export async function record(name: string, line: object): Promise<void> {
  await mkdir('bench/results', { recursive: true });
  await appendFile(`bench/results/${name}.ndjson`, `${JSON.stringify(line)}\n`);
}
