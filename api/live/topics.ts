// Topics: what may be followed, by whom, and what the first picture of it is. Asked anew at every subscribe.

import type { ActorView } from '../../runtime/client.ts';
import type { Principal } from '../auth/tokens.ts';
import type { ActorId } from '../parts.ts';

export type Topic =
  | { readonly kind: 'order'; readonly name: string; readonly key: string; readonly actor: ActorId }
  | { readonly kind: 'mine'; readonly name: string; readonly key: string; readonly owner: string }
  | { readonly kind: 'all'; readonly name: string; readonly key: string };

type State = { readonly [field: string]: unknown };

/** What the hub has to know of the domain. */
export interface Pictures {
  /** The order as this principal sees it; undefined when it is not theirs or not there. */
  order(view: ActorView | undefined, principal: Principal): State | undefined;
  /** The first picture of a principal's own orders. */
  mine(principal: Principal): Promise<State>;
  /** The first picture of all orders. */
  all(): Promise<State>;
}

const ORDER = /^order:(ord_[A-Za-z0-9_.-]{1,76})$/;
const staff = new Set(['operator', 'reviewer', 'auditor', 'admin', 'service']);

export const isStaff = (principal: Principal): boolean => staff.has(principal.role);

/** The topic of that name for this principal; `forbidden` and `unknown` are answers. */
export function topicOf(name: string, principal: Principal): Topic | 'forbidden' | 'unknown' {
  const order = ORDER.exec(name)?.[1];
  if (order !== undefined) return { kind: 'order', name, key: name, actor: order as ActorId }; // The pattern is that of an actor id.
  if (name === 'me.orders') {
    return principal.role === 'customer'
      ? { kind: 'mine', name, key: `owner:${principal.subject}`, owner: principal.subject }
      : 'forbidden';
  }
  if (name === 'ops.orders') return isStaff(principal) ? { kind: 'all', name, key: 'all' } : 'forbidden';
  return 'unknown';
}
