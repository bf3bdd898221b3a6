// `emboss shards`: who owns what, and how far behind it is.

import { Command } from 'commander';
import type { ShardView } from '../../runtime/client.ts';
import { type Clients, withClients } from '../found.ts';
import { duration, table } from '../table.ts';
import { shown } from '../watching.ts';
import { pinCommand, unpinCommand } from './pin.ts';

interface ShardsOptions {
  readonly watch?: boolean;
  readonly all?: boolean;
  readonly json?: boolean;
}

type Row = ShardView & { readonly context: string };

export function shardsCommand(): Command {
  return new Command('shards')
    .description('Show the shards of both contexts: owner, lag, actors, timers.')
    .addCommand(pinCommand())
    .addCommand(unpinCommand())
    .option('--all', 'also those that have never had an actor')
    .option('-w, --watch', 'refresh until Ctrl-C')
    .option('--json', 'rows as JSON; with --watch one document a line')
    .action(async (options: ShardsOptions) => {
      await withClients((clients) =>
        shown(options, async () => {
          const rows = await rowsOf(clients, options.all === true || options.json === true);
          return options.json === true ? JSON.stringify({ shards: rows }) : drawn(rows, clients.ordering.now());
        }),
      );
    });
}

async function rowsOf(clients: Clients, all: boolean): Promise<readonly Row[]> {
  const contexts = [
    ['ordering', clients.ordering],
    ['delivery', clients.delivery],
  ] as const;
  const rows = await Promise.all(
    contexts.map(async ([context, client]) => (await client.shardViews()).map((view) => ({ context, ...view }))),
  );
  return rows.flat().filter(({ actors, lag }) => all || actors > 0 || lag > 0);
}

function drawn(rows: readonly Row[], now: number): string {
  if (rows.length === 0) return 'No shard has an actor yet (--all shows them).\n';
  const cells = rows.map((row) => [
    row.context,
    row.shard,
    row.owner ?? '–',
    `${row.assigned === row.owner ? '' : `→ ${row.assigned ?? 'nobody'}`}${row.pinned === undefined ? '' : ` pinned to ${row.pinned}`}`.trim(),
    row.token ?? '–',
    row.claimedAt > 0 ? duration(Math.max(0, now - row.claimedAt)) : '–',
    row.lag,
    row.actors,
    row.timers,
    row.effects,
    row.parked,
    row.head,
  ]);
  const head = [
    'context',
    'shard',
    'owner',
    'moving',
    'token',
    'owned for',
    'lag',
    'actors',
    'timers',
    'effects',
    'parked',
    'head',
  ];
  return table({ head, rows: cells, right: [1, 6, 7, 8, 9, 10, 11] });
}
