// `emboss workers`: the processes that host shards, as their heartbeats show them.

import { Command } from 'commander';
import type { WorkerView } from '../../runtime/client.ts';
import { type Clients, withClients } from '../found.ts';
import { duration, ranges, table } from '../table.ts';
import { shown } from '../watching.ts';
import { restartCommand } from './restart.ts';

interface WorkersOptions {
  readonly watch?: boolean;
  readonly json?: boolean;
}

type Row = WorkerView & { readonly context: string };

export function workersCommand(): Command {
  return new Command('workers')
    .description('Show the workers of both contexts: alive or not, shards, steps.')
    .option('-w, --watch', 'refresh until Ctrl-C')
    .option('--json', 'rows as JSON; with --watch one document a line')
    .addCommand(restartCommand())
    .addHelpText(
      'after',
      `
Takes a moment: a worker is alive when two looks at it find different heartbeats. phi says how unusual its silence is, 0 to 99;
from 5 on it is suspect. A worker that is away has ended to start again, and its shards wait for it for up to 5 s.`,
    )
    .action(async (options: WorkersOptions) => {
      await withClients((clients) =>
        shown(options, async () => {
          const rows = await rowsOf(clients);
          return options.json === true ? JSON.stringify({ workers: rows }) : drawn(rows, clients.ordering.now());
        }),
      );
    });
}

async function rowsOf({ ordering, delivery }: Clients): Promise<readonly Row[]> {
  const [ours, theirs] = await Promise.all([ordering.workerViews(), delivery.workerViews()]);
  return [
    ...ours.map((view) => ({ context: 'ordering', ...view })),
    ...theirs.map((view) => ({ context: 'delivery', ...view })),
  ];
}

function drawn(rows: readonly Row[], now: number): string {
  if (rows.length === 0) return 'No worker was ever here.\n';
  const cells = rows.map((row) => [
    row.context,
    row.worker,
    row.state,
    duration(row.heartbeatAgeMs),
    row.phi.toFixed(1),
    row.weight,
    row.shards.length,
    shortened(ranges(row.shards)),
    row.residents,
    row.steps,
    row.fenced,
    row.startedAt > 0 ? duration(Math.max(0, now - row.startedAt)) : '–',
    row.version || '–',
    row.library,
  ]);
  const head = [
    'context',
    'worker',
    'state',
    'silent for',
    'phi',
    'weight',
    'shards',
    'which',
    'in memory',
    'steps',
    'fenced',
    'up for',
    'version',
    'library',
  ];
  return table({ head, rows: cells, right: [4, 5, 6, 8, 9, 10] });
}

const WIDTH_MAX = 36;
const shortened = (text: string): string => (text.length > WIDTH_MAX ? `${text.slice(0, WIDTH_MAX - 1)}…` : text);
