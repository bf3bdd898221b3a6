// Claims of shards as journals tell them, and tokens that name more than one.

import type { Client } from '../../client.ts';

export interface Claim {
  /** Namespace, shard and position, and when: what tells one claim from another. */
  readonly name: string;
  readonly token: string;
}

const PAGE = 1_000; // Entries read at a time.

/** All claims in the journals that the client reads. */
export async function claimsOf(client: Client): Promise<readonly Claim[]> {
  const claims: Claim[] = [];
  for (let shard = 0; shard < client.shards; shard += 1) {
    let after = 0;
    for (let count = PAGE; count === PAGE; ) {
      const page = await client.journal(shard, after, PAGE);
      for (const { kind, position, at, token } of page)
        if (kind === 'claimed') claims.push({ name: `${client.namespace} ${shard}/${position} at ${at}`, token });
      count = page.length;
      after = page.at(-1)?.position ?? after;
    }
  }
  return claims;
}

/** How many tokens name two claims of a shard. Two claims may have one counter: their nonces differ. */
export function namedTwice(claims: readonly Claim[]): number {
  const named = new Map<string, Set<string>>();
  for (const { name, token } of claims) {
    const key = `${name.split('/', 1)[0]} ${token}`;
    named.set(key, (named.get(key) ?? new Set()).add(name));
  }
  return [...named.values()].filter(({ size }) => size > 1).length;
}
