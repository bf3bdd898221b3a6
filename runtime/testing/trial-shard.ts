// One shard played call by call: what a test of the Redis Functions says of it, and the bytes that it holds.

import type { Call } from '../functions/call.ts';
import { type ClaimReply, claim } from '../functions/claim.ts';
import { type CommitReply, type CommitStep, commit, type Verdict } from '../functions/commit.ts';
import { type FoundReply, found } from '../functions/found.ts';
import { type SendRequest, send } from '../functions/send.ts';
import { type ActorId, namespace, type Token, token, workerId } from '../ids.ts';
import type { Connection } from '../redis/connection.ts';
import { type ShardKeys, shardKeys } from '../redis/keys.ts';
import { at, keyOf } from '../redis/topology.ts';

let spaces = 0;
let calls = 0;
let nonces = 0;

/** Makes one call on a connection of the profile `writer`. */
export const runOn = <Reply>(connection: Connection, call: Call<Reply>): Promise<Reply> =>
  at(connection, keyOf(call) ?? '').call(call.command[0], async (client) =>
    call.decode(await client.call(...call.command)),
  );

export type TrialClaim = Extract<ClaimReply, { kind: 'claimed' }>;

/** One shard in a namespace of its own, and its present owner as the test sees it. */
export class TrialShard {
  readonly #connection: Connection;
  readonly keys: ShardKeys = shardKeys(namespace(`s${++spaces}`), 0);
  token: Token = token('');
  head = 0;
  below = 0;
  #founding: Promise<FoundReply> | undefined;

  /** With its inbox, for who sends without claiming. */
  static async founded(connection: Connection): Promise<TrialShard> {
    const shard = new TrialShard(connection);
    await shard.found();
    return shard;
  }

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** Makes the inbox, as the first start of a namespace does. Once: what is deleted later stays so. */
  found(): Promise<FoundReply> {
    this.#founding ??= this.#run(found(this.keys));
    return this.#founding;
  }

  /** Founded before. Rejects where the shard is damaged. */
  async claim(
    more: { expected?: string; floor?: number; reading?: string; worker?: string; again?: boolean } = {},
  ): Promise<Exclude<ClaimReply, { kind: 'damaged' }>> {
    const { expected = this.token, floor = 0, reading = '', worker = 'trial.1', again = false } = more;
    await this.found();
    const request = { expected, nonce: `n${++nonces}`, worker: workerId(worker), floor, reading, again };
    const reply = await this.#run(claim(this.keys, request));
    if (reply.kind === 'damaged') throw new Error(`damaged: ${reply.what}`);
    return reply;
  }

  /** Claims and remembers token and head. */
  async own(more: { floor?: number; reading?: string; worker?: string } = {}): Promise<TrialClaim> {
    const reply = await this.claim(more);
    if (reply.kind !== 'claimed') throw new Error(`not claimed: ${JSON.stringify(reply)}`);
    this.token = reply.token;
    this.head = reply.head;
    this.below = reply.below;
    return reply;
  }

  async commit(
    steps: readonly CommitStep[],
    more: { token?: Token; call?: string; head?: number; reading?: string } = {},
  ): Promise<CommitReply> {
    const request = {
      token: this.token,
      call: `c${++calls}`,
      head: this.head,
      reading: '',
      now: 1_700_000_000_000,
      ...more,
      steps,
    };
    const reply = await this.#run(commit(this.keys, request));
    if (reply.kind === 'ok') this.head = reply.head;
    return reply;
  }

  async verdicts(...steps: readonly CommitStep[]): Promise<readonly Verdict[]> {
    const reply = await this.commit(steps);
    return reply.kind === 'ok' ? reply.verdicts : [];
  }

  /** Accepts a call and gives the id of its entry. */
  async accept(actor: ActorId, messageId: string): Promise<string> {
    const reply = await this.#run(send(this.keys, trialCommand(actor, messageId)));
    if (reply.kind !== 'accepted') throw new Error(`not accepted: ${reply.kind}`);
    return `0-${reply.position}`;
  }

  /** What the present owner has to read: entry ids above the position that its claim told. */
  async unread(): Promise<readonly string[]> {
    return (await this.#redis.xrange(this.keys.inbox, `(0-${this.below}`, '+')).map(([id]) => id);
  }

  async pending(owner = this.token): Promise<number> {
    return Number(((await this.#redis.xpending(this.keys.inbox, owner)) as [number])[0]);
  }

  /** Journal as kind letters, `C:a2`: kind, last letter of the actor, its sequence. */
  async journal(): Promise<readonly string[]> {
    const entries = await this.#redis.xrange(this.keys.journal, '-', '+');
    return entries.map(([, fields]) => {
      const [kind = '', , , who, sequence] = (fields[1] ?? '').split(' ');
      return kind.length > 1 ? kind : `${kind}:${who?.slice(-1)}${sequence}`;
    });
  }

  /** Accepted and not handled: `*` for the shard, and each actor that has any. */
  async backlog(): Promise<Record<string, string>> {
    const counts: Record<string, string> = { '*': (await this.#redis.get(this.keys.backlog)) ?? '0' };
    const prefix = this.keys.actor('' as ActorId);
    for (const key of await this.#redis.keys(`${prefix.replace(/[{}]/g, '\\$&')}*`)) {
      const open = await this.#redis.hget(key, 'open');
      if (open !== null && open !== '0') counts[key.slice(prefix.length)] = open;
    }
    return counts;
  }

  /** Everything the shard holds, byte by byte. */
  async dump(): Promise<ReadonlyMap<string, string>> {
    const prefix = this.keys.owner.slice(0, this.keys.owner.indexOf('}') + 1);
    const names = (await this.#redis.keys(`${prefix.replace(/[{}]/g, '\\$&')}*`)).sort();
    const dumps = await Promise.all(names.map((name) => this.#redis.dumpBuffer(name)));
    return new Map(names.map((name, i) => [name, (dumps[i] ?? Buffer.alloc(0)).toString('hex')]));
  }

  /** Puts everything back as it was: what a server that lost its tail looks like. */
  async restore(dump: ReadonlyMap<string, string>): Promise<void> {
    const transaction = this.#redis.multi().del(...(await this.dump()).keys());
    for (const [name, bytes] of dump) transaction.restore(name, 0, Buffer.from(bytes, 'hex'));
    await transaction.exec();
  }

  get #redis() {
    return at(this.#connection, this.keys.owner).redis;
  }

  #run<Reply>(call: Call<Reply>): Promise<Reply> {
    return runOn(this.#connection, call);
  }
}

/** A caller's command, as `send` takes it. */
export const trialCommand = (actor: ActorId, messageId: string, more: Partial<SendRequest> = {}): SendRequest => ({
  actor,
  messageId,
  digest: 'ab12',
  body: `{"id":"${messageId}"}`,
  perActorMax: 1_000,
  perShardMax: 10_000,
  now: 1_000,
  ...more,
});
