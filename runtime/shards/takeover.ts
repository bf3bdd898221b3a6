// Takeovers: what the owner of a shard says about it for people. When it came to own it, after whom, why, and for how long
// nobody did; its lease and its residents. It travels in the heartbeat and costs no call of its own; nothing rests on it.

import type { WorkerId } from '../ids.ts';
import type { MemberView } from './membership.ts';

/**
 * Why the shard changed hands. `first`: nobody had it before. `released`: given up on purpose. `gone`: the server saw the owner's
 * connection end, or its process was replaced. `dead`: it was silent. `rewound`: the server had lost its tail, the owner claimed
 * anew. `doubt`: an outcome was unknown or a lock had ended, and the shard was claimed anew (L2).
 */
export type TakeoverCause = (typeof causes)[number];
const causes = ['first', 'released', 'gone', 'dead', 'rewound', 'doubt'] as const;

export interface Takeover {
  /** Server's clock in ms. */
  readonly at: number;
  readonly from: string | undefined;
  /** For how long nobody could have written, as far as the new owner knows. ms */
  readonly withoutMs: number;
  readonly cause: TakeoverCause;
}

/** The owner hash and the last journal entry, as they stood before the claim. */
export interface Before {
  readonly token: string;
  readonly worker: string;
  /** Last sign of an owner: its last commit, trim, claim or release. Server's clock in ms, 0 for none. */
  readonly alive: number;
  /** Who released it, where the last entry says so. */
  readonly releasedBy: string | undefined;
}

export interface TakeoverRequest {
  readonly before: Before;
  readonly self: WorkerId;
  readonly at: number;
  /** The counter of the token before is below one that this process has seen. */
  readonly isBehind: boolean;
  /** Set when this process had the shard and lost it: why, and how long ago. */
  readonly lost: { readonly isRewound: boolean; readonly agoMs: number } | undefined;
  readonly members: readonly MemberView[];
}

/** Pure. */
export function takeoverOf({ before, self, at, isBehind, lost, members }: TakeoverRequest): Takeover {
  const silentMs = Math.max(0, at - before.alive);
  if (before.token === '') return { at, from: undefined, withoutMs: 0, cause: isBehind ? 'rewound' : 'first' };
  if (before.token.includes(':free-')) return { at, from: before.releasedBy, withoutMs: silentMs, cause: 'released' };
  const from = before.worker === '' ? undefined : before.worker;
  if (isBehind || lost?.isRewound === true) return { at, from, withoutMs: lost?.agoMs ?? silentMs, cause: 'rewound' };
  if (from === self)
    return { at, from, withoutMs: lost?.agoMs ?? silentMs, cause: lost === undefined ? 'gone' : 'doubt' };
  const owner = members.find(({ worker }) => worker === from);
  if (owner === undefined) return { at, from, withoutMs: silentMs, cause: 'gone' }; // Its entry was removed, or replaced.
  const cause = owner.liveness !== 'dead' ? 'doubt' : owner.gone ? 'gone' : 'dead';
  // An idle owner left no sign in the shard for long: its heartbeats say more.
  return { at, from, withoutMs: Math.min(silentMs, owner.silentMs), cause };
}

/** What the owner says of one of its shards. */
export interface ShardFacts {
  readonly shard: number;
  /** Left of its lease when it said so. ms */
  readonly leaseMs: number;
  readonly residents: number;
  readonly takeover: Takeover | undefined;
}

const SHARDS_TOLD_MAX = 128; // About 40 characters each, in every heartbeat: with more, the others are not told of.

/** One word per shard, its parts apart by a slash. */
export function factsText(facts: readonly ShardFacts[]): string {
  const word = ({ shard, leaseMs, residents, takeover }: ShardFacts): string => {
    const base = `${shard}/${Math.round(leaseMs)}/${residents}`;
    if (takeover === undefined) return base;
    const { at, withoutMs, cause, from = '' } = takeover;
    return `${base}/${at.toString(36)}/${Math.round(withoutMs)}/${cause}/${from}`;
  };
  return facts.slice(0, SHARDS_TOLD_MAX).map(word).join(' ');
}

/** What can be read of it: another version may say more or less. */
export function parseFacts(text: unknown): readonly ShardFacts[] {
  if (typeof text !== 'string') return [];
  return text.split(' ').flatMap((word) => {
    const [shard = '', leaseMs, residents, at, withoutMs, cause, from] = word.split('/');
    if (shard === '') return [];
    const known = causes.find((one) => one === cause);
    const takeover =
      known === undefined
        ? undefined
        : { at: Number.parseInt(at ?? '', 36), withoutMs: Number(withoutMs), cause: known, from: from || undefined };
    return [{ shard: Number(shard), leaseMs: Number(leaseMs), residents: Number(residents), takeover }];
  });
}
