// Selection: which actors a bulk operation is about, found by the state index or among the parked, longest there first.
//
// Bounded: it looks at 20,000 actors at most, and says when it stopped before the end.

import type { BulkFilter, BulkRequest } from '../../actors/contract/bulk.ts';
import { bulkMachines } from '../../actors/contract/bulk.ts';
import type { ActorView, Client, ParkedView, Standing } from '../../runtime/client.ts';
import { holdOf } from '../auth/verbs.ts';
import { invalid, notAmong } from '../errors.ts';
import { limits } from '../limits.ts';
import type { Parts } from '../parts.ts';

export interface Selection {
  readonly chosen: readonly Standing[];
  /** False when there may be more than were looked at, or more than the limit. */
  readonly isComplete: boolean;
}

/** Throws the problem for a filter that would take everything, or that does not go with the act. */
export function checkRequest({ act, filter }: BulkRequest): void {
  const { machine, ...conditions } = filter;
  const machines: readonly string[] = bulkMachines[act];
  if (!machines.includes(machine)) throw notAmong('/filter/machine', machines);
  if (Object.keys(conditions).length === 0) throw invalid('/filter', 'takes-everything');
  // The index is by state: these acts have to say where; a release begins at the holds, a redrive at the parked.
  if ((act === 'cancel' || act === 'retry') && filter.state === undefined) throw invalid('/filter/state', 'required');
}

export const homeOf = (
  { ordering, delivery }: Pick<Parts, 'ordering' | 'delivery'>,
  machine: string,
): readonly Client[] => {
  if (machine === 'task') return [ordering, delivery];
  return [machine === 'delivery' ? delivery : ordering];
};

export async function select(parts: Parts, { act, filter }: BulkRequest, limit: number): Promise<Selection> {
  const seen: Standing[] = [];
  let isComplete = true;
  for (const client of homeOf(parts, filter.machine)) {
    const found = act === 'redrive' ? await parkedFor(client, filter) : await standingFor(client, act, filter, limit);
    seen.push(...found.chosen);
    isComplete &&= found.isComplete;
  }
  const chosen = [...new Map(seen.map((row) => [row.actor, row])).values()]; // Two states of one actor may fit.
  chosen.sort((a, b) => a.since - b.since);
  return { chosen: chosen.slice(0, limit), isComplete: isComplete && chosen.length <= limit };
}

async function standingFor(client: Client, act: string, filter: BulkFilter, limit: number): Promise<Selection> {
  const pattern = filter.state ?? (act === 'release' ? 'hold.held.*' : '');
  const leaves = [...(await client.population(filter.machine)).keys()].filter((leaf) => isBelow(leaf, pattern));
  const chosen: Standing[] = [];
  let looks = 0;
  for (const leaf of leaves) {
    let place: Standing | undefined;
    for (let isMore = true; isMore; ) {
      if (looks >= limits.bulkSeenMax || chosen.length > limit) return { chosen, isComplete: false };
      const page = await client.inState(filter.machine, leaf, limits.pageMax, place);
      looks += page.length;
      place = page.at(-1);
      const old = page.filter(({ since }) => since <= cutoff(client, filter));
      isMore = page.length === limits.pageMax && old.length === page.length; // They come longest there first.
      chosen.push(...(await fitting(client, filter, old)));
    }
  }
  return { chosen, isComplete: true };
}

async function fitting(client: Client, filter: BulkFilter, rows: readonly Standing[]): Promise<readonly Standing[]> {
  const views = await client.readMany(rows.map(({ actor }) => actor));
  return rows.filter((_, index) => {
    const view = views[index];
    return view !== undefined && view.status === 'active' && hasFields(view, filter) && isReason(view, filter.reason);
  });
}

const isReason = (view: ActorView, reason: string | undefined): boolean =>
  reason === undefined || view.context.reason === reason;

const prefixes: { readonly [machine: string]: string } = {
  order: 'ord_',
  delivery: 'dlv_',
  applicant: 'apl_',
  batch: 'bat_',
  task: 'tsk_',
};

async function parkedFor(client: Client, filter: BulkFilter): Promise<Selection> {
  const mine = (await client.parked()).filter(
    ({ actor, mode, at }) =>
      actor.startsWith(prefixes[filter.machine] ?? '?') && mode === 'parked' && at <= cutoff(client, filter),
  );
  const views = await client.readMany(mine.map(({ actor }) => actor));
  const chosen = mine.filter((parked, index) => fitsParked(parked, views[index], filter));
  return { chosen: chosen.map(({ actor, at }) => ({ actor, since: at })), isComplete: true };
}

/** Where it stood when it stopped; an actor that stopped at its creation stands nowhere. */
function fitsParked({ cause }: ParkedView, view: ActorView | undefined, filter: BulkFilter): boolean {
  const {
    error,
    event,
    states = [],
  } = cause as {
    readonly error?: { readonly code?: string; readonly name?: string };
    readonly event?: string;
    readonly states?: readonly string[];
  };
  const { state, reason } = filter;
  if (state !== undefined && !states.some((leaf) => isBelow(leaf, state))) return false;
  if (reason !== undefined && ![error?.code, error?.name, event].includes(reason)) return false;
  const asksContext = [filter.method, filter.country, filter.product, filter.batch, filter.hold].some(Boolean);
  return view === undefined ? !asksContext : hasFields(view, filter);
}

/** `a.b.*` is everything below `a.b`; else the leaf itself. */
const isBelow = (leaf: string, pattern: string): boolean =>
  pattern.endsWith('.*') ? leaf.startsWith(pattern.slice(0, -1)) : leaf === pattern;

/** The latest entry into a state that is old enough. Lengths are of the domain; the index is in real time. */
const cutoff = (client: Client, { olderThanMs = 0 }: BulkFilter): number =>
  client.now() - olderThanMs / client.timeScale;

function hasFields({ context, states }: ActorView, filter: BulkFilter): boolean {
  const asked = [
    [filter.method, context.method],
    [filter.country, context.country],
    [filter.product, context.productCode],
    [filter.batch, context.batchId],
    [filter.hold, holdOf(states)],
  ];
  return asked.every(([wanted, found]) => wanted === undefined || wanted === found);
}
