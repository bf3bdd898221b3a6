// Service levels for operators: which orders are at risk or late, by stage, the latest first.

import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import type { ActorView, Standing } from '../../runtime/client.ts';
import type { Typed } from '../frame.ts';
import { limits } from '../limits.ts';
import type { Parts } from '../parts.ts';
import { desk } from './desk.ts';

const query = Type.Object({ limit: Type.Integer({ minimum: 1, maximum: limits.pageMax, default: 20 }) });

/** Leaves of region `sla`. */
const leaves = { atRisk: 'sla.atRisk', breached: 'sla.breached' } as const;

export function registerSla(plain: FastifyInstance, { ordering }: Parts): void {
  const app = plain.withTypeProvider<Typed>();

  /**
   * `count` is exact; `byStage` counts the first 1,000, and `counted` says how many those were. One ZCARD per state and shard,
   * one page of the index, one read per order counted.
   */
  app.get('/internal/v1/sla', { config: { allow: desk }, schema: { querystring: query } }, async (request) => {
    const population = await ordering.population('order');
    const part = async (leaf: string) => {
      const rows = await ordering.inState('order', leaf, limits.listMax);
      const views = await ordering.readMany(rows.map(({ actor }) => actor));
      const late = rows.flatMap((row, index) => lateOf(row, views[index]));
      return {
        count: population.get(leaf) ?? 0,
        counted: late.length,
        byStage: countsBy(late.map(({ stage }) => stage)),
        oldest: late.slice(0, request.query.limit),
      };
    };
    const [atRisk, breached] = await Promise.all([part(leaves.atRisk), part(leaves.breached)]);
    return { atRisk, breached };
  });
}

/** `since` is when the order became what it is listed as; `stageSince` when its stage began. */
function lateOf({ actor, since }: Standing, view: ActorView | undefined) {
  if (view === undefined) return [];
  const { name, since: began } = view.context.stage as { readonly name: string; readonly since: number };
  const states = view.states.filter((state) => state.startsWith('fulfilment.'));
  return [
    {
      orderId: actor,
      stage: name,
      states,
      since: new Date(since).toISOString(),
      stageSince: new Date(began).toISOString(),
      isHeld: view.states.some((state) => state.startsWith('hold.held')),
    },
  ];
}

function countsBy(words: readonly string[]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const word of words) counts[word] = (counts[word] ?? 0) + 1;
  return counts;
}
