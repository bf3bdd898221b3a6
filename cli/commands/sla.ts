// `emboss sla`: which orders take longer than promised, by stage, and the latest of them.

import { Command } from 'commander';
import { apiFailure, findSystem, restFor } from '../found.ts';
import { duration, table } from '../table.ts';
import { wallTime } from '../time.ts';

interface Part {
  readonly count: number;
  readonly counted: number;
  readonly byStage: Readonly<Record<string, number>>;
  readonly oldest: readonly {
    readonly orderId: string;
    readonly stage: string;
    readonly states: readonly string[];
    readonly since: string;
    readonly isHeld: boolean;
  }[];
}

export function slaCommand(): Command {
  return new Command('sla')
    .description('Show orders at risk and late, by stage, the latest first.')
    .option('-n, --limit <number>', 'how many to name of each', '10')
    .option('--json', 'the answer as JSON')
    .option('--token <token>', 'bearer token; default: one of the development issuer')
    .action(async ({ limit, json, token }: { limit: string; json?: boolean; token?: string }) => {
      const client = restFor(findSystem(), 'internal', { subject: 'ops.operator', role: 'operator', token });
      const path = `/internal/v1/sla?limit=${encodeURIComponent(limit)}`;
      const { body } = await client.call<Record<'atRisk' | 'breached', Part>>('GET', path).catch((error: unknown) => {
        throw apiFailure(error);
      });
      if (json === true) return void process.stdout.write(`${JSON.stringify(body)}\n`);
      process.stdout.write(`${counts('breached', body.breached)}${counts('at risk', body.atRisk)}`);
      const rows = [...cells('breached', body.breached), ...cells('at risk', body.atRisk)];
      if (rows.length > 0) process.stdout.write(table({ head: ['order', 'is', 'for', 'stage', 'stands in'], rows }));
    });
}

function counts(name: string, { count, counted, byStage }: Part): string {
  const stages = Object.entries(byStage).map(([stage, n]) => `${stage} ${n}`);
  const part = counted < count ? ` (of the first ${counted})` : '';
  return `${count} ${name}${stages.length === 0 ? '' : `: ${stages.join(', ')}${part}`}\n`;
}

function cells(name: string, { oldest }: Part): string[][] {
  const now = Date.parse(wallTime());
  return oldest.map(({ orderId, stage, states, since, isHeld }) => [
    orderId,
    isHeld ? `${name}, held` : name,
    duration(Math.max(0, now - Date.parse(since))),
    stage,
    states.join('\n'),
  ]);
}
