// Bulk operations of the internal surface: looked at first, asked for, agreed to where two have to, and run in portions.
//
// A run does one portion and says where the next begins; who runs it counts. Killed anywhere, it is run again from the start:
// each act is told what it came to the first time. The api keeps nothing but the record.

import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { type BulkRequest, bulkRequest, counted, noActs } from '../../actors/contract/bulk.ts';
import type { Client } from '../../runtime/client.ts';
import { principalOf } from '../auth/gate.ts';
import { carryOutAll } from '../bulk/acts.ts';
import { refusalOf } from '../bulk/forecast.ts';
import {
  type Approval,
  approval,
  approve,
  type Bulk,
  found,
  idsFrom,
  keep,
  needsApproval,
  stored,
} from '../bulk/record.ts';
import { checkRequest, homeOf, type Selection, select } from '../bulk/selection.ts';
import { canonical } from '../canonical.ts';
import { idempotencyKey, routeOf } from '../commands.ts';
import { ApiProblem } from '../errors.ts';
import type { Typed } from '../frame.ts';
import { limits } from '../limits.ts';
import type { ActorId, Parts } from '../parts.ts';
import { desk, hands, path } from './desk.ts';

const base = '/internal/v1/bulk-operations';
const run = Type.Object({ from: Type.Integer({ minimum: 0, default: 0 }) }, { additionalProperties: false });

export function registerBulk(plain: FastifyInstance, parts: Parts): void {
  const app = plain.withTypeProvider<Typed>();
  const config = { allow: hands };

  app.post(base, { config, schema: { body: bulkRequest } }, async (request, reply) => {
    checkRequest(request.body);
    if (request.body.dryRun === true) return reply.code(200).send(await looked(request, parts, request.body));
    const bulk = await asked(request, parts, request.body);
    const agreed = await approval(parts.ordering, bulk);
    return reply.code(201).header('location', `${base}/${bulk.bulkId}`).send(shown(bulk, agreed));
  });
  app.get(`${base}/:id`, { config: { allow: desk }, schema: { params: path } }, async (request) => {
    const bulk = await found(parts.ordering, request.params.id);
    return shown(bulk, await approval(parts.ordering, bulk));
  });
  app.post(`${base}/:id/approvals`, { config, schema: { params: path } }, async (request, reply) => {
    const bulk = await found(parts.ordering, request.params.id);
    const by = principalOf(request).subject;
    const agreed = await approve(parts.ordering, bulk, by, new Date(parts.ticker.now()).toISOString());
    request.log.warn({ by, bulkId: bulk.bulkId, total: bulk.total }, 'bulk operation approved');
    return reply.code(201).send(shown(bulk, agreed));
  });
  app.post(`${base}/:id/runs`, { config, schema: { params: path, body: run } }, async (request) => {
    const bulk = await found(parts.ordering, request.params.id);
    const agreed = await approval(parts.ordering, bulk);
    if (bulk.needsApproval && agreed === undefined)
      throw new ApiProblem('forbidden', { detail: 'This needs the agreement of a second operator first.' });
    return portion(parts, bulk, agreed, request.body.from);
  });
}

const shown = ({ pages: _, ...bulk }: Bulk, agreed: Approval | undefined) => ({
  ...bulk,
  ...(agreed === undefined ? {} : { approvedBy: agreed.by, approvedAt: agreed.at }),
});

/** The operation of this request: its id follows from who asks and the key, so that asking again finds it (M6). */
async function asked(request: FastifyRequest, parts: Parts, body: BulkRequest): Promise<Bulk> {
  const { subject: by, role } = principalOf(request);
  const { ordering } = parts;
  const bulkId = ordering.derive('blk', role, by, routeOf(request), idempotencyKey(request));
  const known = await stored(ordering, bulkId);
  if (known !== undefined) {
    if (canonical(known.request) !== canonical(body)) throw new ApiProblem('idempotency-key-reused');
    request.replayed = true;
    return known;
  }
  const { chosen, isComplete } = await select(parts, body, body.limit ?? limits.bulkActs);
  const at = new Date(parts.ticker.now()).toISOString();
  const head = { bulkId, request: body, by, role: role as Bulk['role'], at, isComplete }; // The gate lets no other role in.
  const bulk = await keep(
    ordering,
    head,
    chosen.map(({ actor }) => actor),
  );
  request.log.warn({ by, bulkId, act: body.act, total: bulk.total }, 'bulk operation');
  return bulk;
}

/** What it would be done to: how many, the first of them, and what would be refused of the first 200. */
async function looked(request: FastifyRequest, parts: Parts, body: BulkRequest) {
  const selection = await select(parts, body, body.limit ?? limits.bulkActs);
  const judged = await judge(request, parts, body, selection);
  return {
    dryRun: true,
    count: selection.chosen.length,
    isComplete: selection.isComplete,
    needsApproval: needsApproval(body, selection.chosen.length),
    judged: judged.rows.length,
    refused: judged.refused,
    sample: judged.rows.slice(0, limits.bulkSample),
  };
}

async function judge(request: FastifyRequest, parts: Parts, { act, filter }: BulkRequest, { chosen }: Selection) {
  const refused: Record<string, number> = {};
  const rows = [];
  for (const { actor, since } of chosen.slice(0, limits.pageMax)) {
    const { client, view } = await whereIs(parts, filter.machine, actor);
    const reason = view === undefined ? undefined : await refusalOf(act, view, client, principalOf(request));
    if (reason !== undefined) refused[reason] = (refused[reason] ?? 0) + 1;
    const time = new Date(since).toISOString();
    rows.push({ actor, since: time, states: view?.states ?? [], ...(reason === undefined ? {} : { refused: reason }) });
  }
  return { rows, refused };
}

/** Tasks live in both contexts; everything else has one home. */
async function whereIs(parts: Parts, machine: string, actor: ActorId) {
  const homes = homeOf(parts, machine);
  for (const client of homes) {
    const view = await client.read(actor);
    if (view !== undefined) return { client, view };
  }
  return { client: homes[0] as Client, view: undefined };
}

/** One portion from the index `from` on. */
async function portion(parts: Parts, bulk: Bulk, agreed: Approval | undefined, from: number) {
  const ids = await idsFrom(parts.ordering, bulk, from, limits.bulkPortion);
  const { machine } = bulk.request.filter;
  const acts = await Promise.all(
    ids.map(async (actor) => ({ bulk, agreed, actor, client: (await whereIs(parts, machine, actor)).client })),
  );
  const outcomes = await carryOutAll(acts, parts.ticker);
  const next = from + ids.length;
  return {
    bulkId: bulk.bulkId,
    from,
    ...(next < bulk.total && ids.length > 0 ? { next } : {}),
    total: bulk.total,
    summary: outcomes.reduce(counted, noActs),
    outcomes: outcomes.map((outcome, index) => ({ actor: ids[index], ...outcome })),
  };
}
