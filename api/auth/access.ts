// Access: whose order it is. An order of somebody else is answered like one that does not exist, after the same reads.

import type { FastifyRequest } from 'fastify';
import type { ActorView, Client } from '../../runtime/client.ts';
import { notFound } from '../errors.ts';
import { isStaff } from '../live/topics.ts';
import type { ActorId } from '../parts.ts';
import { principalOf } from './gate.ts';
import type { Principal } from './tokens.ts';

const ACTOR = /^(ord|dlv)_[A-Za-z0-9_.-]{1,76}$/;

/** The id of a path as an actor's; anything else is not found, like an id that nobody has. */
export function actorOf(id: string, prefix: 'ord' | 'dlv'): ActorId {
  if (!ACTOR.test(id) || !id.startsWith(`${prefix}_`)) throw notFound();
  return id as ActorId; // The pattern is the runtime's own, narrowed.
}

/** Whether the principal may see the order. */
export const maySee = (view: ActorView, principal: Principal): boolean =>
  view.machine === 'order' &&
  (isStaff(principal) || (principal.role === 'customer' && view.context.userId === principal.subject));

/** The caller's order of that id as last committed. One round trip. Throws `not-found`. */
export async function ownOrder(request: FastifyRequest, client: Client, id: string): Promise<ActorView> {
  const view = await client.read(actorOf(id, 'ord'));
  if (view === undefined || !maySee(view, principalOf(request))) throw notFound();
  return view;
}
