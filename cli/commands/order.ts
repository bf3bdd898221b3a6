// `emboss order …`: place, find, read, steer and cancel single orders, over the API as an operator or a customer would.

import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Command, Option } from 'commander';
import type { OrderRequest, OrderResource, Role } from '../../actors/contract/dto.ts';
import {
  type CancellationReason,
  type CommandReason,
  cancellationReasons,
  commandReasons,
} from '../../actors/contract/reasons.ts';
import type { RestClient } from '../../api/client/index.ts';
import type { ActorView, Client } from '../../runtime/client.ts';
import type { JournalEntry } from '../../runtime/messages.ts';
import { application } from '../demo/application.ts';
import { Chance } from '../demo/chance.ts';
import { CliFailure, EXIT } from '../failure.ts';
import { apiFailure, findSystem, restFor, withClients } from '../found.ts';
import { duration, table } from '../table.ts';
import { wallTime } from '../time.ts';
import { decisions } from './decisions.ts';
import { roleOption } from './tasks.ts';

interface Common {
  readonly json?: boolean;
  readonly token?: string;
}

const OPERATOR = { subject: 'ops.operator', role: 'operator' } as const;
const PLAIN_MAX = 200;

export function orderCommand(): Command {
  const order = new Command('order').description('Place and steer single orders.');
  for (const verb of [create(), list(), show(), history(), send(), ...decisions(), cancel()])
    order.addCommand(verb.copyInheritedSettings(order));
  return order;
}

const withCommon = (command: Command): Command =>
  command
    .option('--json', 'the answer as JSON')
    .option('--token <token>', 'bearer token; default: one of the development issuer');

/** Runs an API call and says in words what the API says in problems. */
async function said<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw apiFailure(error);
  }
}

const print = (json: boolean | undefined, value: unknown, words: () => string): void =>
  void process.stdout.write(json === true ? `${JSON.stringify(value)}\n` : words());

const desk = ({ token }: Common, surface: 'public' | 'internal'): RestClient =>
  restFor(findSystem(), surface, { ...OPERATOR, token });

// --- create ---

interface CreateOptions extends Common {
  readonly file?: string;
  readonly user?: string;
  readonly key?: string;
  readonly seed?: string;
}

const create = (): Command =>
  withCommon(
    new Command('create')
      .description('Place an order: an invented but realistic one, or one from a file.')
      .option('-f, --file <file>', 'the order as JSON, as POST /api/v1/orders takes it; - reads stdin')
      .option('--user <id>', 'the customer, usr_…; default: a new one')
      .option('--key <key>', 'Idempotency-Key: the same key again is the same order')
      .option('--seed <seed>', 'which invented person; default: chance')
      .action(async (options: CreateOptions) => {
        const user = options.user ?? `usr_cli${randomUUID().replaceAll('-', '').slice(0, 16)}`;
        const customer = restFor(findSystem(), 'public', { subject: user, role: 'customer', token: options.token });
        const { body, location, replayed } = await said(
          customer.createOrder(orderOf(options), options.key ?? randomUUID()),
        );
        print(options.json, { order: body, location, replayed, user }, () => createdWords(body, user, replayed));
      }),
  );

function orderOf({ file, seed }: CreateOptions): OrderRequest {
  if (file === undefined) {
    const chance = new Chance(seed ?? randomUUID());
    return application(chance, chance.between(0, 5_000_000), Date.parse(wallTime())).order;
  }
  try {
    return JSON.parse(readFileSync(file === '-' ? 0 : file, 'utf8')) as OrderRequest; // The API checks it.
  } catch (error) {
    throw new CliFailure(`${file}: ${error instanceof Error ? error.message : String(error)}`, EXIT.usage);
  }
}

function createdWords(
  { orderId, status, userInfo, deliveryInfo, cardInfo }: OrderResource,
  user: string,
  replayed: boolean,
): string {
  const name = [userInfo.givenName, userInfo.familyName].filter(Boolean).join(' ');
  return [
    `${orderId}  ${status}${replayed ? '  (it was there already)' : ''}`,
    `  ${cardInfo.productCode} for ${name} in ${deliveryInfo.address?.city ?? '?'}, customer ${user}`,
    `  emboss watch ${orderId}`,
    '',
  ].join('\n');
}

// --- list ---

interface ListOptions {
  readonly status?: string;
  readonly limit: string;
  readonly json?: boolean;
}

const list = (): Command =>
  new Command('list')
    .description('Show orders, those that moved last first.')
    .option('--status <status>', 'only those in this public status, for example in_production')
    .option('-n, --limit <number>', 'how many', '30')
    .option('--json', 'rows as JSON')
    .action(async ({ status, limit, json }: ListOptions) => {
      const most = Number(limit);
      if (!(Number.isInteger(most) && most > 0))
        throw new CliFailure(`--limit ${limit}: a whole number above 0 is expected`, EXIT.usage);
      await withClients(async ({ ordering }) => {
        const views = (await ordersOf(ordering)).filter((view) => status === undefined || statusOf(view) === status);
        const rows = views.sort((a, b) => b.updatedAt - a.updatedAt).slice(0, most);
        const now = ordering.domainNow(); // As `updatedAt`.
        print(json, { orders: rows.map(rowOf), total: views.length }, () => listed(rows, views.length, now));
      });
    });

/** Reads every actor of the context: costs its size. The read model will answer this for large ones. */
async function ordersOf(client: Client): Promise<ActorView[]> {
  const shards = Array.from({ length: client.shards }, (_, shard) => shard);
  const perShard = await Promise.all(
    shards.map(async (shard) => {
      const ids = [];
      for await (const actor of client.actorsOf(shard)) if (actor.startsWith('ord_')) ids.push(actor);
      return client.readMany(ids);
    }),
  );
  return perShard.flat().filter((view) => view !== undefined);
}

const statusOf = ({ announcement }: ActorView): string => String(announcement?.data.status ?? 'draft');

const rowOf = (view: ActorView) => ({
  orderId: view.actor,
  status: statusOf(view),
  version: view.announced,
  product: view.context.productCode,
  country: view.context.country,
  method: view.context.method,
  reason: view.context.reason,
  parked: view.parked,
  updatedAt: new Date(view.updatedAt).toISOString(),
});

function listed(views: readonly ActorView[], total: number, now: number): string {
  if (views.length === 0) return 'No such order. `emboss order create` places one.\n';
  const cells = views.map((view) => [
    view.actor,
    statusOf(view),
    view.announced,
    String(view.context.productCode),
    String(view.context.country),
    `${view.context.reason ?? ''}${view.parked ? ' PARKED' : ''}`.trim(),
    duration(Math.max(0, now - view.updatedAt)),
  ]);
  const drawn = table({
    head: ['order', 'status', 'version', 'product', 'to', 'reason', 'moved'],
    rows: cells,
    right: [2],
  });
  return total > views.length ? `${drawn}${views.length} of ${total}\n` : drawn;
}

// --- show, history ---

const show = (): Command =>
  withCommon(
    new Command('show')
      .description('Show an order: the resource of the API, and where its statechart stands.')
      .argument('<orderId>')
      .action(async (orderId: string, options: Common) => {
        const { body: order } = await said(desk(options, 'public').order(orderId));
        const { body: actor } = await said(
          desk(options, 'internal').call<ActorView>('GET', `/internal/v1/orders/${encodeURIComponent(orderId)}`),
        );
        print(options.json, { order, states: actor.states, sequence: actor.version, parked: actor.parked }, () =>
          shownOrder(order, actor),
        );
      }),
  );

function shownOrder(order: OrderResource, actor: ActorView): string {
  const { cardInfo, deliveryInfo, userInfo } = order;
  const { address, appointment } = deliveryInfo;
  const times = Object.entries(order).filter(([name, value]) => name.endsWith('At') && typeof value === 'string');
  const rows: (readonly [string, string | undefined])[] = [
    [
      'status',
      `${order.status} (${order.statusGroup})${order.statusReason === undefined ? '' : `, ${order.statusReason}`}`,
    ],
    ['version', `${order.version} (actor ${actor.version})${actor.parked ? ', PARKED' : ''}`],
    ['allowed', order.allowedActions.join(', ') || 'nothing'],
    [
      'card',
      [cardInfo.productCode, cardInfo.paymentSystem, cardInfo.state, cardInfo.last4 && `•••• ${cardInfo.last4}`]
        .filter(Boolean)
        .join(', '),
    ],
    ['customer', `${[userInfo.givenName, userInfo.familyName].filter(Boolean).join(' ')} (${userInfo.userId})`],
    [
      'to',
      [deliveryInfo.method, address?.street, address?.house, address?.city, address?.countryCode]
        .filter(Boolean)
        .join(', '),
    ],
    ['appointment', appointment === undefined ? undefined : `${appointment.from} to ${appointment.to}`],
    ['delivery', deliveryInfo.deliveryId],
    ...times.map(([name, value]) => [name.replace(/At$/, ''), String(value)] as const),
    ['states', actor.states.join('\n')],
  ];
  return table({ head: [order.orderId, ''], rows: rows.flatMap(([name, value]) => (value ? [[name, value]] : [])) });
}

interface HistoryOptions extends Common {
  readonly all?: boolean;
}

const history = (): Command =>
  withCommon(
    new Command('history')
      .description('Show what happened to an order: visible changes, or every journal entry.')
      .argument('<orderId>', 'an order; with --all also a delivery')
      .option('--all', 'every entry of the journal, refused ones too')
      .action(async (orderId: string, options: HistoryOptions) => {
        const path = `/internal/v1/orders/${encodeURIComponent(orderId)}/events?limit=1000`;
        const { body } = await said(
          desk(options, 'internal').call<{ readonly data: readonly JournalEntry[] }>('GET', path),
        );
        const entries = body.data.filter(({ announcement }) => options.all === true || announcement !== undefined);
        print(options.json, { entries }, () => shownHistory(entries, options.all === true));
      }),
  );

function shownHistory(entries: readonly JournalEntry[], all: boolean): string {
  const cells = entries.map((entry) => [
    new Date(entry.at).toISOString(),
    entry.sequence ?? '',
    ...(all ? [entry.kind, entry.event?.type ?? ''] : []),
    entry.announcement?.type ?? '',
    entry.from ?? '',
    ...(all ? [entry.error?.message ?? entry.starts?.map(({ name }) => name).join(' ') ?? ''] : []),
  ]);
  const head = ['at', 'version', ...(all ? ['kind', 'event'] : []), 'shown as', 'from', ...(all ? ['starts'] : [])];
  return table({ head, rows: cells.map((row) => row.map((cell) => String(cell).slice(0, PLAIN_MAX))), right: [1] });
}

// --- send, cancel ---

interface SendOptions extends Common {
  readonly data?: string;
  readonly reason: CommandReason;
  readonly as: string;
  readonly role: Role;
  readonly key?: string;
}

const send = (): Command =>
  withCommon(
    new Command('send')
      .description(
        'Send an event to an order or a delivery, as an operator. What the chart does not allow, it refuses.',
      )
      .argument('<actor>', 'an order or a delivery')
      .argument('<event>', 'for example HOLD, RELEASE, EDIT_WAIVED, RETRY, CORRECTED')
      .option('--data <json>', 'fields of the event, for example \'{"kind":"fraud"}\'')
      .addOption(reasonOption(commandReasons))
      .option('--as <name>', 'who: another name for a second pair of eyes', OPERATOR.subject)
      .addOption(roleOption())
      .option('--key <key>', 'Idempotency-Key')
      .action(async (actor: string, type: string, options: SendOptions) => {
        const { data, reason, role, key, token, json } = options;
        const client = restFor(findSystem(), 'internal', { subject: options.as, role, token });
        const answer = await said(
          client.call<{ readonly version: number }>(
            'POST',
            `/internal/v1/orders/${encodeURIComponent(actor)}/commands`,
            {
              body: { type, reason, ...(data === undefined ? {} : { data: parsedData(data) }) },
              idempotencyKey: key ?? randomUUID(),
            },
          ),
        );
        print(json, answer.body, () => `${actor} took ${type}: version ${answer.body.version}\n`);
      }),
  );

/** A word of the route's list: another one is refused here already. */
const reasonOption = (words: readonly string[]): Option =>
  new Option('--reason <word>', 'why, for the journal').choices(words).default('other');

function parsedData(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new CliFailure(`--data: not JSON: ${text}`, EXIT.usage);
  }
}

interface CancelOptions extends Common {
  readonly reason: CancellationReason;
  readonly key?: string;
}

const cancel = (): Command =>
  withCommon(
    new Command('cancel')
      .description('Cancel an order; what was begun is undone.')
      .argument('<orderId>')
      .addOption(reasonOption(cancellationReasons))
      .option('--key <key>', 'Idempotency-Key')
      .action(async (orderId: string, { reason, key, ...options }: CancelOptions) => {
        const answer = await said(desk(options, 'public').cancel(orderId, key ?? randomUUID(), reason));
        const { orderStatus, version } = answer.body as { readonly orderStatus: string; readonly version: number }; // `cancellation` of the contract.
        print(options.json, answer.body, () => `${orderId} is ${orderStatus} at version ${version}\n`);
      }),
  );
