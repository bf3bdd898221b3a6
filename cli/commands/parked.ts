// `emboss parked`: actors that stopped at a message, with the reason and what waits behind it.

import { Command } from 'commander';
import { causeOf } from '../audit/cause.ts';
import { withClients } from '../found.ts';
import { duration, table } from '../table.ts';

export function parkedCommand(): Command {
  return new Command('parked')
    .description('Show parked actors: why, since when, how many messages wait.')
    .option('--json', 'rows as JSON, with the whole cause')
    .addHelpText('after', '\nThen: `emboss redrive <actor>` once the cause is mended, or `emboss discard <actor>`.')
    .action(async ({ json }: { json?: boolean }) => {
      await withClients(async ({ ordering, delivery }) => {
        const [ours, theirs] = await Promise.all([ordering.parked(), delivery.parked()]);
        const rows = [
          ...ours.map((view) => ({ context: 'ordering', ...view })),
          ...theirs.map((view) => ({ context: 'delivery', ...view })),
        ];
        if (json === true) return void process.stdout.write(`${JSON.stringify({ parked: rows })}\n`);
        if (rows.length === 0) return void process.stdout.write('No actor is parked.\n');
        const now = ordering.now();
        const cells = rows.map(({ context, actor, shard, cause, waiting, at }) => [
          context,
          actor,
          shard,
          at > 0 ? duration(Math.max(0, now - at)) : '–',
          waiting,
          causeOf(cause).slice(0, 80),
        ]);
        process.stdout.write(
          table({ head: ['context', 'actor', 'shard', 'for', 'waiting', 'cause'], rows: cells, right: [2, 4] }),
        );
      });
    });
}
