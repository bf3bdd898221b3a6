// `emboss tasks`: what waits for a person, whose it is, and taking it. Over the API, as a desk would.

import { randomUUID } from 'node:crypto';
import { Command, InvalidArgumentError, Option } from 'commander';
import type { Role } from '../../actors/contract/dto.ts';
import { type TaskReason, taskReasons } from '../../actors/contract/reasons.ts';
import type { RestClient } from '../../api/client/index.ts';
import { desks, taskKind, tasks } from '../../state-machines/tasks.ts';
import { apiFailure, findSystem, restFor } from '../found.ts';
import { duration, table } from '../table.ts';
import { wallTime } from '../time.ts';

/** A row of `GET /internal/v1/tasks`, as far as it is shown. */
interface Row {
  readonly taskId: string;
  readonly task: string;
  readonly desk: string;
  readonly state: string;
  readonly escalated: boolean;
  readonly subject: string;
  readonly claimedBy: string | null;
  readonly asked: number;
  readonly openedAt: string;
  readonly dueAt: string;
  readonly verbs: readonly string[];
}

interface Page {
  readonly data: readonly Row[];
  readonly page: { readonly next?: string; readonly hasMore: boolean };
}

interface ListOptions {
  readonly desk?: string;
  readonly state: string;
  readonly name?: string;
  readonly order?: string;
  readonly limit: number;
  readonly kinds?: boolean;
  readonly json?: boolean;
  readonly token?: string;
}

const LIMIT_MAX = 10_000;
const PAGE_MAX = 200;

export function tasksCommand(): Command {
  const command = new Command('tasks')
    .description('Show what waits for a person, longest open first.')
    .enablePositionalOptions()
    .addOption(new Option('--desk <desk>', 'only those of one desk').choices([...desks]))
    .addOption(
      new Option('--state <state>', 'which')
        .choices(['active', 'open', 'claimed', 'escalated', 'closed'])
        .default('active'),
    )
    .option('--name <task>', 'only of one kind, such as manual_review')
    .option('--order <orderId>', 'only those of one order and its deliveries')
    .option('-n, --limit <number>', 'how many', limit, 50)
    .option('--kinds', 'the kinds there are: whose, due when, and what leads out')
    .option('--json', 'rows as JSON')
    .option('--token <token>', 'bearer token; default: one of the development issuer')
    .action(list);
  for (const act of ['claim', 'unclaim', 'done'] as const)
    command.addCommand(acting(act).copyInheritedSettings(command));
  return command;
}

async function list({ kinds, json, token, ...query }: ListOptions): Promise<void> {
  if (kinds === true)
    return void process.stdout.write(json === true ? `${JSON.stringify({ kinds: tasks })}\n` : kindsTable());
  const client = restFor(findSystem(), 'internal', { subject: 'ops.operator', role: 'operator', token });
  const { rows, hasMore } = await pages(client, query);
  if (json === true) return void process.stdout.write(`${JSON.stringify({ tasks: rows, hasMore })}\n`);
  if (rows.length === 0) return void process.stdout.write('No such task.\n');
  const now = Date.parse(wallTime());
  const cells = rows.map((row) => [
    row.taskId,
    row.desk,
    row.escalated ? `${row.state} ESCALATED` : row.state,
    row.claimedBy ?? '–',
    duration(Math.max(0, now - Date.parse(row.openedAt))),
    row.asked,
    row.verbs.join(', '),
  ]);
  const head = ['task', 'desk', 'state', 'claimed by', 'open for', 'asked', 'leads out'];
  process.stdout.write(`${table({ head, rows: cells, right: [5] })}${hasMore ? 'There are more: --limit\n' : ''}`);
}

/** Reads pages until there are `limit` rows. Each call brings the list forward, so it ends with it. */
async function pages(client: RestClient, { desk, state, name, order, limit: most }: Omit<ListOptions, 'json'>) {
  const rows: Row[] = [];
  let after: string | undefined;
  do {
    const query = new URLSearchParams({ state, limit: String(Math.min(PAGE_MAX, most - rows.length)) });
    const given = { desk, name, orderId: order, after };
    for (const [key, value] of Object.entries(given)) if (value !== undefined) query.set(key, value);
    const { body } = await said(client.call<Page>('GET', `/internal/v1/tasks?${query}`));
    rows.push(...body.data);
    after = body.page.next;
  } while (after !== undefined && rows.length < most);
  return { rows, hasMore: after !== undefined };
}

function kindsTable(): string {
  const rows = Object.keys(tasks).map((name) => {
    const { desk, dueMs, ends, verbs } = taskKind(name);
    return [name, desk, duration(dueMs), ends === 'state' ? 'with its state' : 'by hand', verbs.join(', ')];
  });
  return table({ head: ['kind', 'desk', 'escalates after', 'ends', 'leads out'], rows });
}

// --- claim, unclaim, done ---

interface ActOptions {
  readonly as: string;
  readonly role: Role;
  readonly reason?: TaskReason;
  readonly key?: string;
  readonly json?: boolean;
  readonly token?: string;
}

const words = {
  claim: 'Take a task: others see that it is yours.',
  unclaim: 'Give a task back; an administrator gives back anybody’s.',
  done: 'Say that a task is done, where no state stands behind it; an administrator closes any.',
} as const;

function acting(act: keyof typeof words): Command {
  const command = new Command(act)
    .description(words[act])
    .argument('<taskId>')
    .option('--as <name>', 'who', 'ops.operator')
    .addOption(roleOption());
  if (act === 'done')
    command.addOption(new Option('--reason <word>', 'what came of it').choices([...taskReasons]).default('mended'));
  return command
    .option('--key <key>', 'Idempotency-Key')
    .option('--json', 'the answer as JSON')
    .option('--token <token>', 'bearer token; default: one of the development issuer')
    .action(async (taskId: string, { as, role, reason, key, json, token }: ActOptions) => {
      const client = restFor(findSystem(), 'internal', { subject: as, role, token });
      const { body } = await said(
        client.call('POST', `/internal/v1/tasks/${encodeURIComponent(taskId)}/${act}`, {
          ...(reason === undefined ? {} : { body: { reason } }),
          idempotencyKey: key ?? randomUUID(),
        }),
      );
      const { state, claimedBy } = (body as { readonly data: Row }).data; // The task chart's answer.
      process.stdout.write(
        json === true
          ? `${JSON.stringify(body)}\n`
          : `${taskId} is ${state}${claimedBy === null ? '' : ` by ${claimedBy}`}\n`,
      );
    });
}

export const roleOption = (): Option =>
  new Option('--role <role>', 'in which role')
    .choices(['operator', 'reviewer', 'dispatcher', 'admin'])
    .default('operator');

/** Runs an API call and says in words what the API says in problems. */
async function said<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw apiFailure(error);
  }
}

function limit(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= LIMIT_MAX) return value;
  throw new InvalidArgumentError(`a whole number from 1 to ${LIMIT_MAX} is expected.`);
}
