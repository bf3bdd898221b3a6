// What the routes of the internal surface share: who sits at the desks, finding an actor in its context, and carrying out what
// somebody at a desk says to it.

import type { FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import type { Role } from '../../actors/contract/dto.ts';
import type { ActorView, Client } from '../../runtime/client.ts';
import { actorOf } from '../auth/access.ts';
import { command, idempotencyKey } from '../commands.ts';
import { notAmong, notFound } from '../errors.ts';
import type { ActorId, Event, Parts } from '../parts.ts';
import { atFloor, minVersion } from '../versions.ts';

export const path = Type.Object({ id: Type.String({ maxLength: 100 }) });
/** May read. */
export const desk: readonly Role[] = ['operator', 'reviewer', 'dispatcher', 'auditor', 'admin', 'service'];
/** May act on the runtime. */
export const hands: readonly Role[] = ['operator', 'admin'];

const ACTOR = /^(ord|dlv|apl|bat|tsk)_[A-Za-z0-9_.-]{1,76}$/;

export function knownActor(id: string): ActorId {
  if (!ACTOR.test(id)) throw notFound();
  return id as ActorId; // The pattern is the runtime's own, narrowed.
}

/** The context of an actor by its id; tasks live in both, and are looked for. */
export const contextOf = (parts: Parts, actor: ActorId): Client =>
  actor.startsWith('dlv_') ? parts.delivery : parts.ordering;

export interface Found {
  readonly view: ActorView;
  readonly client: Client;
}

/** An actor as last committed, at the request's floor. Throws `not-found`. */
export async function anyActor(request: FastifyRequest, parts: Parts, id: string): Promise<Found> {
  const actor = id.startsWith('dlv_') ? actorOf(id, 'dlv') : knownActor(id);
  const homes = actor.startsWith('tsk_') ? [parts.ordering, parts.delivery] : [contextOf(parts, actor)];
  for (const client of homes) {
    const view = await client.read(actor);
    if (view === undefined) continue;
    return { client, view: minVersion(request) === undefined ? view : await atFloor(request, client, view) };
  }
  throw notFound();
}

/** Says the event to the actor under the request's key, and answers as every command of a desk is answered. */
export async function carryOut(request: FastifyRequest, { view, client }: Found, event: Event) {
  idempotencyKey(request);
  const answer = await command(request, { client, actor: view.actor, event });
  return {
    actor: view.actor,
    version: answer.version,
    at: new Date(answer.at).toISOString(),
    data: answer.data,
  };
}

/** The reason, if it is one of those that speak for what is done. It is journaled: there is no other text of a caller in it. */
export function among(words: readonly string[], reason: string): string {
  if (words.includes(reason)) return reason;
  throw notAmong('/reason', words);
}
