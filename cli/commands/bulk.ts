// `emboss bulk`: one act for many actors, chosen by a filter: looked at first, agreed to where two have to, run in portions.

import { randomUUID } from 'node:crypto';
import { Command, InvalidArgumentError, Option } from 'commander';
import {
  BULK_ACTS_MAX,
  BULK_CANCEL_ALONE_MAX,
  type BulkAct,
  type BulkSummary,
  bulkActs,
  noActs,
  parseFilter,
} from '../../actors/contract/bulk.ts';
import { type CommandReason, commandReasons } from '../../actors/contract/reasons.ts';
import type { RestClient } from '../../api/client/index.ts';
import { CliFailure, EXIT } from '../failure.ts';
import { apiFailure, findSystem, restFor } from '../found.ts';
import { duration, table } from '../table.ts';
import { wallTime } from '../time.ts';

interface Common {
  readonly as: string;
  readonly role: 'operator' | 'admin';
  readonly json?: boolean;
  readonly token?: string;
}

interface ActOptions extends Common {
  readonly filter: string;
  readonly reason: CommandReason;
  readonly dryRun?: boolean;
  readonly limit?: number;
  readonly key?: string;
}

interface Bulk {
  readonly bulkId: string;
  readonly total: number;
  readonly isComplete: boolean;
  readonly needsApproval: boolean;
  readonly approvedBy?: string;
}

interface Looked {
  readonly count: number;
  readonly isComplete: boolean;
  readonly needsApproval: boolean;
  readonly judged: number;
  readonly refused: Readonly<Record<string, number>>;
  readonly sample: readonly { actor: string; since: string; states: readonly string[]; refused?: string }[];
}

interface Portion {
  readonly next?: number;
  readonly total: number;
  readonly summary: BulkSummary;
}

const base = '/internal/v1/bulk-operations';
const words: { readonly [act in BulkAct]: string } = {
  redrive: 'Let parked actors try their waiting messages again.',
  cancel: `Cancel orders; more than ${BULK_CANCEL_ALONE_MAX} need the agreement of a second operator.`,
  release: 'Lift holds, where your role may.',
  retry: 'Say RETRY where a partner refused for too long.',
};

export function bulkCommand(): Command {
  const bulk = new Command('bulk').description('One act for many actors, chosen by a filter.').addHelpText(
    'after',
    `
A filter is words apart by spaces: machine=order state=fulfilment.production.* reason=… older-than=2d method=post country=DE
product=… batch=… hold=fraud. A state that ends in .* is everything below it. Look first: --dry-run.
Killed in the middle: run it again with \`emboss bulk run <bulkId>\`, or with the same --key. Nothing is done twice.`,
  );
  for (const act of bulkActs) bulk.addCommand(acting(act));
  return bulk.addCommand(running()).addCommand(approving()).addCommand(showing());
}

const common = (command: Command): Command =>
  command
    .option('--as <name>', 'who', 'ops.operator')
    .addOption(new Option('--role <role>', 'in which role').choices(['operator', 'admin']).default('operator'))
    .option('--json', 'the result as JSON')
    .option('--token <token>', 'bearer token; default: one of the development issuer');

const clientOf = ({ as, role, token }: Common): RestClient =>
  restFor(findSystem(), 'internal', { subject: as, role, token });

async function said<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw apiFailure(error);
  }
}

const print = (json: boolean | undefined, value: unknown, text: () => string): void =>
  void process.stdout.write(json === true ? `${JSON.stringify(value)}\n` : text());

// --- redrive, cancel, release, retry ---

const acting = (act: BulkAct): Command =>
  common(
    new Command(act)
      .description(words[act])
      .requiredOption('--filter <filter>', 'which actors; see `emboss bulk --help`')
      .addOption(new Option('--reason <word>', 'why, for the journal').choices([...commandReasons]).default('other'))
      .option('--dry-run', 'change nothing: say what it would be done to, and what would be refused')
      .option('-n, --limit <number>', 'at most so many, the longest there first', limit)
      .option('--key <key>', 'Idempotency-Key: the same key again is the same operation'),
  ).action(async (options: ActOptions) => {
    const { filter, reason, dryRun, limit: most, key, json } = options;
    const client = clientOf(options);
    const body = { act, filter: filterOf(filter), reason, ...(most === undefined ? {} : { limit: most }) };
    if (dryRun === true) {
      const answer = await said(client.call<Looked>('POST', base, { body: { ...body, dryRun } }));
      return print(json, answer.body, () => lookedWords(act, answer.body));
    }
    const { body: bulk } = await said(client.call<Bulk>('POST', base, { body, idempotencyKey: key ?? randomUUID() }));
    if (bulk.needsApproval && bulk.approvedBy === undefined) {
      return print(
        json,
        bulk,
        () =>
          `${bulk.bulkId}: ${bulk.total} to ${act}. A second operator has to agree: emboss bulk approve ${bulk.bulkId}\n`,
      );
    }
    await carriedOut(client, bulk, json);
  });

function filterOf(text: string): Record<string, string | number> {
  try {
    return parseFilter(text);
  } catch (error) {
    throw new CliFailure(`--filter: ${error instanceof Error ? error.message : String(error)}`, EXIT.usage);
  }
}

function lookedWords(act: string, { count, isComplete, needsApproval, judged, refused, sample }: Looked): string {
  const now = Date.parse(wallTime());
  const cells = sample.map(({ actor, since, states, refused: why }) => [
    actor,
    duration(Math.max(0, now - Date.parse(since))),
    states.slice(0, 2).join('\n'),
    why ?? '',
  ]);
  const no = Object.entries(refused).map(([why, n]) => `${n} ${why}`);
  return [
    `${act}: ${count} actors${isComplete ? '' : ', and there may be more'}${needsApproval ? '; a second operator has to agree' : ''}`,
    `of the first ${judged}, would be refused: ${no.length === 0 ? 'none' : no.join(', ')}`,
    cells.length === 0 ? '' : table({ head: ['actor', 'for', 'stands in', 'refused'], rows: cells }),
  ].join('\n');
}

// --- run, approve, show ---

const running = (): Command =>
  common(
    new Command('run')
      .description('Run an operation, or run it again: what was done is not done twice.')
      .argument('<bulkId>'),
  ).action(async (bulkId: string, options: Common) => {
    const client = clientOf(options);
    const { body } = await said(client.call<Bulk>('GET', `${base}/${encodeURIComponent(bulkId)}`));
    await carriedOut(client, body, options.json);
  });

const approving = (): Command =>
  common(new Command('approve').description('Agree to what another operator asked for.').argument('<bulkId>')).action(
    async (bulkId: string, options: Common) => {
      const path = `${base}/${encodeURIComponent(bulkId)}/approvals`;
      const { body } = await said(clientOf(options).call<Bulk>('POST', path, { idempotencyKey: randomUUID() }));
      print(options.json, body, () => `${bulkId}: ${body.approvedBy} agrees. Next: emboss bulk run ${bulkId}\n`);
    },
  );

const showing = (): Command =>
  common(
    new Command('show')
      .description('Show an operation: what, whose, for how many, and who agreed.')
      .argument('<bulkId>'),
  ).action(async (bulkId: string, options: Common) => {
    const { body } = await said(clientOf(options).call<Bulk>('GET', `${base}/${encodeURIComponent(bulkId)}`));
    print(options.json, body, () => `${JSON.stringify(body, undefined, 2)}\n`);
  });

/** Portion by portion to the end; each brings the index forward. Progress goes to stderr. */
async function carriedOut(client: RestClient, { bulkId, total }: Bulk, json: boolean | undefined): Promise<void> {
  let sum = noActs;
  for (let from: number | undefined = 0; from !== undefined && from < total; ) {
    const call: Promise<{ readonly body: Portion }> = client.call<Portion>(
      'POST',
      `${base}/${encodeURIComponent(bulkId)}/runs`,
      {
        body: { from },
        idempotencyKey: `${bulkId}.${from}`.slice(-64),
      },
    );
    const { body } = await said(call);
    sum = added(sum, body.summary);
    from = body.next;
    process.stderr.write(`${bulkId}: ${from ?? total} of ${total}\n`);
  }
  print(json, { bulkId, total, summary: sum }, () => summaryWords(bulkId, total, sum));
  const unknown = Object.values(sum.unknown).reduce((all, n) => all + n, 0);
  if (unknown > 0) throw new CliFailure(`${unknown} are not known yet: emboss bulk run ${bulkId}`);
}

function added(a: BulkSummary, b: BulkSummary): BulkSummary {
  const sums = (one: BulkSummary['refused'], other: BulkSummary['refused']) => {
    const all: Record<string, number> = { ...one };
    for (const [reason, n] of Object.entries(other)) all[reason] = (all[reason] ?? 0) + n;
    return all;
  };
  return {
    applied: a.applied + b.applied,
    refused: sums(a.refused, b.refused),
    unknown: sums(a.unknown, b.unknown),
  };
}

function summaryWords(bulkId: string, total: number, { applied, refused, unknown }: BulkSummary): string {
  const counts = (name: string, by: BulkSummary['refused']): string[] =>
    Object.entries(by).map(([reason, n]) => `${n} ${name} (${reason})`);
  return `${bulkId}: ${[`${applied} of ${total} applied`, ...counts('refused', refused), ...counts('unknown', unknown)].join(', ')}\n`;
}

function limit(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= BULK_ACTS_MAX) return value;
  throw new InvalidArgumentError(`a whole number from 1 to ${BULK_ACTS_MAX} is expected.`);
}
