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
    .description('Show the shards of both contexts: owner, lease, lag, actors, last takeover.')
    .addCommand(pinCommand())
    .addCommand(unpinCommand())
    .option('--all', 'also those that have never had an actor')
    .option('-w, --watch', 'refresh until Ctrl-C')
    .option('--json', 'rows as JSON; with --watch one document a line')
    .addHelpText(
      'after',
      `
Lease, in memory and last takeover are what the owner said with its last heartbeat. A shard is taken over as
  first      nobody had it before
  released   its owner gave it up: a stop, a move, a restart
  gone       the server saw its owner end
  dead       its owner was silent for too long
  rewound    the server had lost its tail
  doubt      its owner did not know an outcome, or its lock had ended`,
    )
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
    row.leaseMs === undefined ? '–' : duration(row.leaseMs),
    takeoverWords(row, now),
    row.lag,
    row.actors,
    row.residents ?? '–',
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
    'lease',
    'last takeover',
    'lag',
    'actors',
    'in memory',
    'timers',
    'effects',
    'parked',
    'head',
  ];
  return table({ head, rows: cells, right: [1, 7, 8, 9, 10, 11, 12] });
}

/** `12 s ago from ordering.2: gone, 512 ms without an owner`. The owner says it with its heartbeat, Redis only when it claimed. */
function takeoverWords({ takeover, claimedAt, owner }: ShardView, now: number): string {
  const at = takeover?.at ?? claimedAt;
  if (owner === undefined || at <= 0) return '–';
  const ago = `${duration(Math.max(0, now - at))} ago`;
  if (takeover === undefined) return ago;
  const { from, cause, withoutMs } = takeover;
  if (cause === 'first') return `${ago}: the first`;
  return `${ago}${from === undefined ? '' : ` from ${from}`}: ${cause}, ${duration(withoutMs)} without`;
}
