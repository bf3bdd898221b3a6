// Claims of shards as journals tell them, and tokens that name more than one.

import type { Client } from '../../client.ts';

export interface Claim {
  /** Whose it is: namespace and shard. */
  readonly shard: string;
  /** With position and time: what tells one claim from another. */
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
        if (kind === 'claimed') {
          const own = `${client.namespace} ${shard}`;
          claims.push({ shard: own, name: `${own}/${position} at ${at}`, token });
        }
      count = page.length;
      after = page.at(-1)?.position ?? after;
    }
  }
  return claims;
}

/** How many tokens name two claims of a shard. */
export const namedTwice = (claims: readonly Claim[]): number => twice(claims, ({ token }) => token);

/** How many counters did: a server that lost its tail gives a counter again, and the nonces tell the claims apart. */
export const countedTwice = (claims: readonly Claim[]): number =>
  twice(claims, ({ token }) => token.split(':', 1)[0] ?? '');

function twice(claims: readonly Claim[], keyOf: (claim: Claim) => string): number {
  const named = new Map<string, Set<string>>();
  for (const claim of claims) {
    const key = `${claim.shard} ${keyOf(claim)}`;
    named.set(key, (named.get(key) ?? new Set()).add(claim.name));
  }
  return [...named.values()].filter(({ size }) => size > 1).length;
}
