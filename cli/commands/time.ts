// `emboss time`: what time it is for the business, and, in a test environment, a later one.

import { randomUUID } from 'node:crypto';
import { Command } from 'commander';
import type { TimeTravelled } from '../../actors/contract/simulators.ts';
import { RestError } from '../../api/client/index.ts';
import type { Client } from '../../runtime/client.ts';
import { CliFailure, EXIT } from '../failure.ts';
import { apiFailure, type Clients, findSystem, restFor, withClients } from '../found.ts';
import { duration, table } from '../table.ts';

interface TravelOptions {
  readonly until?: string;
  readonly key?: string;
  readonly token?: string;
  readonly json?: boolean;
}

export function timeCommand(): Command {
  return new Command('time')
    .description('Show the business time of both contexts, or move it forward in a test environment.')
    .addCommand(showCommand(), { isDefault: true })
    .addCommand(travelCommand());
}

const showCommand = (): Command =>
  new Command('show')
    .description('Show what time it is for the charts.')
    .option('--json', 'as JSON')
    .action(({ json }: { readonly json?: boolean }) =>
      withClients(async (clients) => {
        const rows = rowsOf(clients);
        process.stdout.write(json === true ? `${JSON.stringify({ contexts: rows })}\n` : drawn(rows));
      }),
    );

const travelCommand = (): Command =>
  new Command('travel')
    .description('Move business time forward: timers, deadlines of the business and what partners promised come due.')
    .argument('[by]', 'how far: 90s, 45m, 6h, 3d, 2w, or several, as in 1d12h')
    .option('--until <time>', 'up to a moment of business time, ISO 8601')
    .option('--key <key>', 'Idempotency-Key: the same key again moves nothing')
    .option('--token <token>', 'an access token; default: one of the development issuer')
    .option('--json', 'the answer as JSON')
    .addHelpText(
      'after',
      '\nOnly of a system that was founded with EMBOSS_TIME_MODE=virtual (emboss up --virtual-time). Nobody goes back.',
    )
    .action(travel);

async function travel(by: string | undefined, { until, key, token, json }: TravelOptions): Promise<void> {
  const body = wishOf(by, until);
  const operator = restFor(findSystem(), 'internal', { subject: 'cli', role: 'operator', token });
  const idempotencyKey = key ?? randomUUID();
  const { body: gone } = await operator
    .call<TimeTravelled>('POST', '/simulators/v1/time/travel', { body, idempotencyKey })
    .catch((error: unknown) => {
      throw error instanceof RestError && error.status === 404 ? new CliFailure(NOT_VIRTUAL) : apiFailure(error);
    });
  if (json === true) return void process.stdout.write(`${JSON.stringify(gone)}\n`);
  const { ordering, delivery } = gone;
  const late =
    ordering.arrived && delivery.arrived ? '' : 'Some shards have no owner; they follow when they have one.\n';
  process.stdout.write(`It is ${ordering.now} in ordering and ${delivery.now} in delivery.\n${late}`);
}

const NOT_VIRTUAL =
  'This system’s time cannot be moved: it was not founded with virtual time. Start one on fresh data: emboss up --virtual-time, with EMBOSS_DATA_DIR=.data/virtual';

function wishOf(by: string | undefined, until: string | undefined): { ms: number } | { until: string } {
  if ((by === undefined) === (until === undefined))
    throw new CliFailure('say how far, for example 3d, or --until and a moment', EXIT.usage);
  if (by !== undefined) return { ms: millisecondsOf(by) };
  const moment = Date.parse(until as string); // One of the two is there.
  if (Number.isNaN(moment)) throw new CliFailure(`--until ${until}: a moment in ISO 8601 is expected`, EXIT.usage);
  return { until: new Date(moment).toISOString() };
}

const UNITS: { readonly [unit: string]: number } = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

/** `1d12h` in ms. Throws CliFailure. */
export function millisecondsOf(text: string): number {
  const parts = text.replace(/^\+/, '').match(/\d+[smhdw]/g) ?? [];
  const ms = parts.reduce((sum, part) => sum + Number.parseInt(part, 10) * (UNITS[part.slice(-1)] as number), 0); // By the pattern.
  if (ms > 0 && `${parts.join('')}` === text.replace(/^\+/, '')) return ms;
  throw new CliFailure(`"${text}" is no stretch of time: write 90s, 45m, 6h, 3d, 2w or 1d12h`, EXIT.usage);
}

interface Row {
  readonly context: string;
  readonly now: string;
  readonly timeScale: number;
  readonly virtual: boolean;
  readonly travelledMs: number;
}

const rowsOf = ({ ordering, delivery }: Clients): readonly Row[] => [
  rowOf('ordering', ordering),
  rowOf('delivery', delivery),
];

const rowOf = (context: string, client: Client): Row => ({
  context,
  now: new Date(client.domainNow()).toISOString(),
  timeScale: client.timeScale,
  virtual: client.virtualTime,
  travelledMs: client.travelledMs,
});

function drawn(rows: readonly Row[]): string {
  const cells = rows.map(({ context, now, timeScale, virtual, travelledMs }) => [
    context,
    now,
    timeScale === 1 ? 'real' : `× ${timeScale}`,
    virtual ? (travelledMs === 0 ? 'possible' : duration(travelledMs)) : 'no',
  ]);
  return table({ head: ['context', 'business time', 'pace', 'travelled'], rows: cells });
}
