// Users: what an operator types so that each kind of process has a Redis user with its rights and no others.

import type { Namespace } from '../ids.ts';
import { type Door, patternsOf, rulesOf } from './rights.ts';
import { parseDurability } from './server.ts';

/** One way in that a user has: a door of a namespace. */
export interface Entrance {
  readonly door: Door;
  readonly namespace: Namespace;
}

export interface UserRights {
  readonly user: string;
  /** Arguments of `ACL SETUSER`: state, a place for the password, and a selector per entrance. */
  readonly rules: readonly string[];
}

export const PASSWORD_PLACE = '>PASSWORD';

/** The user with exactly these entrances. What it had before is dropped. */
export async function userRights(
  user: string,
  entrances: readonly Entrance[],
  durability: string,
): Promise<UserRights> {
  const level = parseDurability(durability);
  const selectors = await Promise.all(
    entrances.map(async ({ door, namespace }) => {
      const rules = [...patternsOf(door, namespace), ...(await rulesOf(door, level))];
      return `(${rules.join(' ')})`;
    }),
  );
  return { user, rules: ['reset', 'on', PASSWORD_PLACE, ...selectors] };
}

/** As redis-cli takes it: one line, a selector in quotes. */
export const aclLine = ({ user, rules }: UserRights): string =>
  `ACL SETUSER ${user} ${rules.map((rule) => (rule.startsWith('(') || rule.startsWith('>') ? `"${rule}"` : rule)).join(' ')}`;
