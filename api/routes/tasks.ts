// The tasks of the internal surface: what waits for a person, longest open first, and who takes it.

import type { FastifyInstance } from 'fastify';
import { type Static, Type } from 'typebox';
import { taskDone } from '../../actors/contract/dto.ts';
import { deliveryIdOf, taskIdOf } from '../../actors/contract/index.ts';
import type { ActorView, Client, Standing } from '../../runtime/client.ts';
import type { TaskContext } from '../../state-machines/task.ts';
import { desks, taskKind, tasks } from '../../state-machines/tasks.ts';
import { principalOf } from '../auth/gate.ts';
import { commanders, rolesAt } from '../auth/verbs.ts';
import { cursorOf, merged, placeOf } from '../cursor.ts';
import { ApiProblem } from '../errors.ts';
import type { Typed } from '../frame.ts';
import { limits } from '../limits.ts';
import type { ActorId, Event, Parts } from '../parts.ts';
import { anyActor, carryOut, desk, type Found, path } from './desk.ts';

/** Leaves of the task chart behind each word of the query. */
const leaves = {
  active: ['work.open', 'work.claimed'],
  open: ['work.open'],
  claimed: ['work.claimed'],
  escalated: ['clock.escalated'],
  closed: ['work.closed'],
} as const;
const stateWords = Object.keys(leaves) as (keyof typeof leaves)[];

const query = Type.Object({
  desk: Type.Optional(Type.Unsafe<(typeof desks)[number]>({ type: 'string', enum: [...desks] })),
  state: Type.Unsafe<keyof typeof leaves>({ type: 'string', enum: stateWords, default: 'active' }),
  name: Type.Optional(Type.String({ pattern: '^[a-z][a-z_]{1,39}$' })),
  orderId: Type.Optional(Type.String({ pattern: '^ord_[A-Za-z0-9_.-]{1,76}$' })),
  limit: Type.Integer({ minimum: 1, maximum: limits.pageMax, default: 50 }),
  after: Type.Optional(Type.String({ maxLength: 300 })),
});
type Query = Static<typeof query>;

/** A task with the client of its context, as the lists here carry it. */
interface Placed extends Standing {
  readonly client: Client;
}

export function registerTasks(plain: FastifyInstance, parts: Parts): void {
  const app = plain.withTypeProvider<Typed>();

  app.get('/internal/v1/tasks', { config: { allow: desk }, schema: { querystring: query } }, (request) =>
    request.query.orderId === undefined
      ? listed(parts, request.query)
      : tasksOfOrder(parts, request.query.orderId, request.query),
  );
  app.get('/internal/v1/tasks/:id', { config: { allow: desk }, schema: { params: path } }, async (request) => {
    const { view, client } = await aTask(request, parts, request.params.id);
    return rowOf(view, client);
  });

  const config = { allow: commanders };
  app.post('/internal/v1/tasks/:id/claim', { config, schema: { params: path } }, async (request, reply) => {
    const found = await aTask(request, parts, request.params.id);
    const by = atDesk(found, principalOf(request));
    return reply.code(201).send(await carryOut(request, found, { type: 'CLAIM', by }));
  });
  /** A claim is given back by whoever holds it; an administrator gives back another's. */
  app.post('/internal/v1/tasks/:id/unclaim', { config, schema: { params: path } }, async (request, reply) => {
    const found = await aTask(request, parts, request.params.id);
    const principal = principalOf(request);
    const by = atDesk(found, principal);
    const { claimedBy } = contextOf(found.view);
    const event: Event =
      principal.role === 'admin' && claimedBy !== null
        ? { type: 'UNCLAIM', by, holder: claimedBy }
        : { type: 'UNCLAIM', by };
    return reply.code(201).send(await carryOut(request, found, event));
  });
  /** Where a state stands behind the task, the state is what ends it; an administrator may close what was left behind. */
  app.post(
    '/internal/v1/tasks/:id/done',
    { config, schema: { params: path, body: taskDone } },
    async (request, reply) => {
      const found = await aTask(request, parts, request.params.id);
      const principal = principalOf(request);
      const by = atDesk(found, principal);
      const type = principal.role === 'admin' ? 'CLOSE' : 'DONE';
      return reply.code(201).send(await carryOut(request, found, { type, by, reason: request.body.reason }));
    },
  );
}

async function aTask(request: Parameters<typeof anyActor>[0], parts: Parts, id: string): Promise<Found> {
  if (!id.startsWith('tsk_')) throw new ApiProblem('not-found');
  return anyActor(request, parts, id);
}

/** The subject, when he sits at the task's desk. */
function atDesk({ view }: Found, { role, subject }: ReturnType<typeof principalOf>): string {
  const { desk: where } = contextOf(view);
  if (rolesAt(where).includes(role)) return subject;
  throw new ApiProblem('forbidden', { detail: `This task is the ${where} desk's.` });
}

const contextOf = ({ context }: ActorView): TaskContext => context as unknown as TaskContext; // Written by the task chart alone.

// --- Lists ---

/**
 * One page of both contexts together. A filter by desk or name is applied to what the index gives, so a page may be short of
 * its limit and yet have a next one: a call looks at 2,000 tasks at most.
 */
async function listed({ ordering, delivery }: Parts, query: Query) {
  const { desk: wantedDesk, name, state, limit, after } = query;
  const rows: TaskRow[] = [];
  let place = placeOf(ordering, after);
  let isMore = true;
  for (let seen = 0; isMore && rows.length < limit && seen < limits.tasksSeenMax; seen += limits.pageMax) {
    const page = await standing([ordering, delivery], leaves[state], limits.pageMax, place);
    isMore = page.length === limits.pageMax;
    for (const { client, actor, since, view } of await viewed(page)) {
      if (rows.length === limit) {
        isMore = true;
        break;
      }
      place = { actor, since };
      const context = view === undefined ? undefined : contextOf(view);
      const fits = (wantedDesk ?? context?.desk) === context?.desk && (name ?? context?.task) === context?.task;
      if (view !== undefined && fits) rows.push(rowOf(view, client, since));
    }
  }
  const next = isMore && place !== undefined ? cursorOf(ordering, place) : undefined;
  return { data: rows, page: { ...(next === undefined ? {} : { next }), hasMore: next !== undefined } };
}

/** Actors in any of the states at any of the clients, from behind `after` on. */
async function standing(
  clients: readonly Client[],
  states: readonly string[],
  limit: number,
  after: Standing | undefined,
): Promise<readonly Placed[]> {
  const lists = await Promise.all(
    clients.flatMap((client) =>
      states.map(async (state) =>
        (await client.inState('task', state, limit, after)).map((row) => ({ ...row, client })),
      ),
    ),
  );
  return merged(lists, limit);
}

async function viewed(page: readonly Placed[]): Promise<readonly (Placed & { view: ActorView | undefined })[]> {
  const views = new Map<string, ActorView | undefined>();
  for (const client of new Set(page.map((row) => row.client))) {
    const ids = page.filter((row) => row.client === client).map(({ actor }) => actor);
    for (const [index, view] of (await client.readMany(ids)).entries()) views.set(ids[index] as string, view);
  }
  return page.map((row) => ({ ...row, view: views.get(row.actor) }));
}

/** Every task that an order or one of its deliveries ever opened: their ids follow from the table. */
async function tasksOfOrder({ ordering, delivery }: Parts, orderId: string, { desk: wanted, name, state }: Query) {
  const order = await ordering.read(orderId as ActorId); // The schema has its pattern.
  const seqs = (order?.context.delivery as { readonly seq?: number } | undefined)?.seq ?? 0;
  const deliveries = Array.from({ length: Math.min(seqs, limits.deliveriesMax) }, (_, i) =>
    deliveryIdOf(orderId, i + 1),
  );
  const [ours, theirs] = await Promise.all([
    ordering.readMany(idsOf('ord', [orderId])),
    delivery.readMany(idsOf('dlv', deliveries)),
  ]);
  const rows = [
    ...ours.flatMap((view) => (view === undefined ? [] : [rowOf(view, ordering)])),
    ...theirs.flatMap((view) => (view === undefined ? [] : [rowOf(view, delivery)])),
  ];
  const shown = rows.filter(
    (row) => isIn(row, state) && (wanted ?? row.desk) === row.desk && (name ?? row.task) === row.task,
  );
  return { data: shown.sort((a, b) => a.openedAt.localeCompare(b.openedAt)), page: { hasMore: false } };
}

const idsOf = (prefix: 'ord' | 'dlv', subjects: readonly string[]): readonly ActorId[] =>
  subjects.flatMap(
    (subject) =>
      Object.keys(tasks)
        .filter((name) => taskKind(name).of.includes(prefix))
        .map((name) => taskIdOf(subject, name) as ActorId), // Derived ids of the contract.
  );

function isIn({ state, escalated }: TaskRow, wanted: keyof typeof leaves): boolean {
  if (wanted === 'active') return state !== 'closed';
  return wanted === 'escalated' ? escalated : state === wanted;
}

export type TaskRow = ReturnType<typeof rowOf>;

/** `since`: in the state that was asked for; else of the last step. Times to be kept are in real time, whatever the time scale. */
function rowOf(view: ActorView, client: Client, since = view.updatedAt) {
  const context = contextOf(view);
  const { words, verbs } = taskKind(context.task);
  const time = (ms: number): string => new Date(ms).toISOString();
  return {
    taskId: context.taskId,
    task: context.task,
    desk: context.desk,
    state: (view.value as { readonly work: 'open' | 'claimed' | 'closed' }).work,
    escalated: view.states.includes('clock.escalated'),
    subject: context.subject,
    orderId: context.orderId,
    claimedBy: context.claimedBy,
    closedBy: context.closedBy,
    reason: context.reason,
    asked: context.asked,
    openings: context.openings,
    openedAt: time(context.openedAt),
    dueAt: time(context.openedAt + context.dueMs / client.timeScale),
    since: time(since),
    ends: context.ends,
    verbs,
    words,
    version: view.version,
  };
}
