// The record of a bulk operation: who wants what done, to whom, and who agreed. Written once, before anything is done.
//
// The choice is frozen with it: a run that was killed goes on with the same actors, and every act has an id that follows from
// the operation and the actor, so that doing it again is being told what it came to (M6).

import type { BulkRequest } from '../../actors/contract/bulk.ts';
import { BULK_CANCEL_ALONE_MAX } from '../../actors/contract/bulk.ts';
import type { Client } from '../../runtime/client.ts';
import { ApiProblem, notFound } from '../errors.ts';
import type { ActorId } from '../parts.ts';

export interface Bulk {
  readonly bulkId: string;
  readonly request: BulkRequest;
  readonly by: string;
  readonly role: 'operator' | 'admin';
  readonly at: string;
  readonly total: number;
  readonly isComplete: boolean;
  readonly needsApproval: boolean;
  /** Names of the records that hold the chosen ids, in their order. */
  readonly pages: readonly string[];
}

export interface Approval {
  readonly by: string;
  readonly at: string;
}

const PAGE_IDS = 700; // An id has 80 characters at most, and a record 64,000.

export const needsApproval = ({ act }: BulkRequest, total: number): boolean =>
  act === 'cancel' && total > BULK_CANCEL_ALONE_MAX;

/** Writes the record, or gives the one that stands under its id: two tries of one request are one operation. */
export async function keep(
  client: Client,
  bulk: Omit<Bulk, 'pages' | 'total' | 'needsApproval'>,
  ids: readonly ActorId[],
): Promise<Bulk> {
  const pages: string[] = [];
  for (let at = 0; at < ids.length; at += PAGE_IDS) {
    const text = JSON.stringify(ids.slice(at, at + PAGE_IDS));
    const name = `${bulk.bulkId}.${client.digest('bulk-page', text).slice(0, 16)}`; // By what it holds: a try that broke off left no other.
    await client.putRecord(name, text);
    pages.push(name);
  }
  const whole = { ...bulk, total: ids.length, needsApproval: needsApproval(bulk.request, ids.length), pages };
  return (await client.putRecord(bulk.bulkId, JSON.stringify(whole))) === 'other'
    ? ((await stored(client, bulk.bulkId)) ?? whole)
    : whole;
}

export async function stored(client: Client, bulkId: string): Promise<Bulk | undefined> {
  const text = await client.getRecord(bulkId);
  return text === undefined ? undefined : (JSON.parse(text) as Bulk); // Written by `keep`.
}

const BULK_ID = /^blk_[A-Za-z0-9]{8,60}$/;

/** Throws `not-found` for an id that names no operation. */
export async function found(client: Client, bulkId: string): Promise<Bulk> {
  const bulk = BULK_ID.test(bulkId) ? await stored(client, bulkId) : undefined;
  if (bulk === undefined) throw notFound();
  return bulk;
}

/** Ids from one index on, at most `count`, read from the pages that hold them. */
export async function idsFrom(
  client: Client,
  { pages }: Bulk,
  from: number,
  count: number,
): Promise<readonly ActorId[]> {
  const first = Math.floor(from / PAGE_IDS);
  const names = pages.slice(first, Math.floor((from + count - 1) / PAGE_IDS) + 1);
  const texts = await Promise.all(names.map((name) => client.getRecord(name)));
  const ids = texts.flatMap((text) => JSON.parse(text ?? '[]') as ActorId[]); // Written by `keep`.
  return ids.slice(from - first * PAGE_IDS, from - first * PAGE_IDS + count);
}

const approvalOf = (bulkId: string): string => `${bulkId}.approval`;

export async function approval(client: Client, { bulkId }: Bulk): Promise<Approval | undefined> {
  const text = await client.getRecord(approvalOf(bulkId));
  return text === undefined ? undefined : (JSON.parse(text) as Approval); // Written below.
}

/** Four eyes: whoever asked for it does not agree to it. The first who agrees is the one; later ones change nothing. */
export async function approve(client: Client, bulk: Bulk, by: string, at: string): Promise<Approval> {
  if (by === bulk.by) throw new ApiProblem('forbidden', { detail: 'Somebody else has to agree to this.' });
  await client.putRecord(approvalOf(bulk.bulkId), JSON.stringify({ by, at }));
  return (await approval(client, bulk)) ?? { by, at };
}
