// Claiming: becoming the one whose writes to a shard count (L2), and knowing afterwards what was taken over.

import { command } from '../functions/call.ts';
import { claim } from '../functions/claim.ts';
import { type ShardIndex, type Token, tokenCounter } from '../ids.ts';
import { RawEntry, type StreamEntry } from '../journal/entry.ts';
import { type ShardKeys, shardKeys } from '../redis/keys.ts';
import type { MemberView } from '../shards/membership.ts';
import { type Before, type Takeover, takeoverOf } from '../shards/takeover.ts';
import type { Loss } from './loss.ts';
import type { Claimed } from './open-shard.ts';
import type { Scene } from './scene.ts';

const CLAIM_TRIES = 3; // STALE says that somebody claimed in between: with the lock held that is a leftover, and ends.

export class Claiming {
  readonly #scene: Scene;
  readonly #members: () => readonly MemberView[];
  /** Highest token counter seen per shard: a claim after a rewind goes above it (M3). */
  readonly #counters = new Map<number, number>();
  readonly #takeovers = new Map<number, Takeover>();
  readonly #lost = new Map<number, { readonly token: Token; readonly loss: Loss; readonly at: number }>();

  constructor(scene: Scene, members: () => readonly MemberView[]) {
    this.#scene = scene;
    this.#members = members;
  }

  /**
   * L2: compare-and-set on the token read with the lock held. Two round trips. At `replicas:n` a claim that is answered covers
   * what stands on this server before it, the commit with the unknown outcome too: what is read next may be acted upon (C3).
   */
  async claim(shard: ShardIndex): Promise<Claimed | undefined> {
    const { batch, namespace, clock, worker, mayWork, reading } = this.#scene;
    const keys = shardKeys(namespace, shard);
    for (let tries = 0; tries < CLAIM_TRIES; tries += 1) {
      const before = await this.#before(keys, shard);
      if (!mayWork(shard)) return undefined;
      const floor = this.#counters.get(shard) ?? 0;
      const request = { expected: before.token, nonce: clock.nonce(8), worker, floor, reading: reading() };
      const reply = await batch.run(claim(keys, request));
      if (reply.kind === 'stale') continue;
      this.#takeovers.set(shard, this.#takeover(shard, before, reply.at));
      this.#counters.set(shard, tokenCounter(reply.token));
      return reply;
    }
    return undefined;
  }

  /** The last time that the shard came to us. */
  takeover(shard: number): Takeover | undefined {
    return this.#takeovers.get(shard);
  }

  /** For the next claim's account: the shard was ours, and is in doubt. */
  lost(shard: number, token: Token, loss: Loss): void {
    this.#lost.set(shard, { token, loss, at: this.#scene.clock.monotonic() });
  }

  async #before(keys: ShardKeys, shard: number): Promise<Before> {
    const { batch } = this.#scene;
    const [[token, worker, line], [last]] = await Promise.all([
      batch.run(command(['HMGET', keys.owner, 'token', 'worker', 'line'], (reply) => reply as (string | null)[])),
      batch.run(command(['XREVRANGE', keys.journal, '+', '-', 'COUNT', 1], (reply) => reply as StreamEntry[])),
    ]);
    const entry = last === undefined ? undefined : new RawEntry(shard, last);
    return {
      token: token ?? '',
      worker: worker ?? '',
      alive: Number((line ?? '').split(' ')[4] ?? 0), // See line_of in functions/common.lua.
      releasedBy: entry?.kind === 'released' ? entry.who : undefined,
    };
  }

  #takeover(shard: ShardIndex, before: Before, at: number): Takeover {
    const lost = this.#lost.get(shard);
    this.#lost.delete(shard);
    const isOurs = lost !== undefined && lost.token === before.token;
    const counter = before.token === '' ? 0 : tokenCounter(before.token);
    return takeoverOf({
      ...{ before, at, self: this.#scene.worker, members: this.#members() },
      isBehind: counter < (this.#counters.get(shard) ?? 0),
      lost: isOurs ? { isRewound: lost.loss === 'rewound', agoMs: this.#scene.clock.monotonic() - lost.at } : undefined,
    });
  }
}
