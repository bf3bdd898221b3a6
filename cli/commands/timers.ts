// `emboss timers`: what will happen by itself, and when.

import { Command, InvalidArgumentError } from 'commander';
import type { TimerView } from '../../runtime/client.ts';
import { withClients } from '../found.ts';
import { duration, table } from '../table.ts';

interface TimersOptions {
  readonly limit: number;
  readonly actor?: string;
  readonly json?: boolean;
}

type Row = TimerView & { readonly context: string };

const LIMIT_MAX = 10_000;

export function timersCommand(): Command {
  return new Command('timers')
    .description('Show timers and effect retries of both contexts, the next ones first.')
    .option('-n, --limit <number>', 'how many', limit, 30)
    .option('--actor <id>', 'only those of one actor')
    .option('--json', 'rows as JSON')
    .action(async ({ limit: most, actor, json }: TimersOptions) => {
      await withClients(async ({ ordering, delivery }) => {
        const wanted = actor === undefined ? most : LIMIT_MAX;
        const [ours, theirs] = await Promise.all([
          ordering.timers({ limit: wanted }),
          delivery.timers({ limit: wanted }),
        ]);
        const rows: readonly Row[] = [
          ...ours.map((view) => ({ context: 'ordering', ...view })),
          ...theirs.map((view) => ({ context: 'delivery', ...view })),
        ]
          .filter((row) => actor === undefined || row.actor === actor)
          .sort((a, b) => a.dueAt - b.dueAt)
          .slice(0, most);
        process.stdout.write(
          json === true ? `${JSON.stringify({ timers: rows })}\n` : drawn(rows, ordering.now(), ordering.timeScale),
        );
      });
    });
}

function drawn(rows: readonly Row[], now: number, timeScale: number): string {
  if (rows.length === 0) return 'No timer is set.\n';
  const cells = rows.map(({ context, actor, kind, id, dueAt }) => {
    const wait = dueAt - now;
    const domain = kind === 'timer' && timeScale !== 1 && wait > 0 ? duration(wait * timeScale) : '';
    return [context, actor ?? '–', kind, id, wait <= 0 ? 'due' : duration(wait), domain];
  });
  return table({ head: ['context', 'actor', 'kind', 'id', 'due in', 'business time'], rows: cells });
}

function limit(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= LIMIT_MAX) return value;
  throw new InvalidArgumentError(`a whole number from 1 to ${LIMIT_MAX} is expected.`);
}
