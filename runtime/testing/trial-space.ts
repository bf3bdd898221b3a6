// A namespace on trial: its client, the workers that a test starts in its own process, what they log, and what its keys hold.

import type { Redis } from 'ioredis';
import { type Client, type ConnectOptions, connect, type SendOutcome } from '../client.ts';
import type { Host, HostOptions } from '../host.ts';
import type { Hosted } from '../hosting.ts';
import type { ActorId } from '../ids.ts';
import type { JsonObject } from '../json.ts';
import type { Answer } from '../messages.ts';
import { type ShardKeys, shardKeys } from '../redis/keys.ts';
import type { ShardLimits } from '../shards/limits.ts';
import { host } from '../worker.ts';
import { trialChart } from './trial-chart.ts';
import { type WaitOptions, waitUntil } from './waiting.ts';

/** Limits of ownership under which a takeover takes half a second. */
export const quickLimits: Partial<ShardLimits> = {
  leaseMs: 600,
  renewMs: 150,
  marginMs: 100,
  heartbeatMs: 40,
  suspectMs: 250,
  deadMs: 500,
  lockRetryMs: 20,
  openRetryMs: 20,
  identityMs: 100,
};

export interface LogLine {
  readonly level: 'warn' | 'error';
  readonly text: string;
  readonly fields: JsonObject;
}

let spaces = 0;

/** A namespace of its own: its client, its workers, what they logged, and where its keys are. */
export class TrialSpace {
  readonly name: string;
  readonly shards: number;
  readonly url: string;
  readonly lines: LogLine[] = [];
  readonly client: Client;
  readonly #redis: Redis | undefined;
  readonly #hosts: Host[] = [];
  #started = 0;
  #messages = 0;

  /** Ends with the test. `redis` reaches the server of the namespace beside the client: for `dump` and `restore`. */
  static async open(
    t: { teardown(end: () => Promise<unknown>): void },
    redis: Redis | undefined,
    {
      shards = 2,
      url,
      namespace: name = `w${++spaces}`,
      ...more
    }: Partial<ConnectOptions> & { readonly shards?: number; readonly url: string },
  ): Promise<TrialSpace> {
    const client = await connect({
      namespace: name,
      url,
      secret: 'a secret of trials',
      config: { shards, timeScale: 1 },
      ...more,
    });
    const space = new TrialSpace(redis, name, shards, url, client);
    t.teardown(async () => {
      await Promise.all(space.#hosts.map((one) => one.stop()));
      await client.close();
    });
    return space;
  }

  private constructor(redis: Redis | undefined, name: string, shards: number, url: string, client: Client) {
    this.#redis = redis;
    this.name = name;
    this.shards = shards;
    this.url = url;
    this.client = client;
  }

  /** Starts a worker and waits until it owns its share. */
  async host(chart: Hosted = trialChart(), more: Partial<HostOptions> = {}): Promise<Host> {
    const note = (level: LogLine['level']) => (fields: object, text: string) => {
      this.lines.push({ level, text, fields: fields as JsonObject });
    };
    const worker = await host({
      namespace: this.name,
      worker: `trial.${++this.#started}`,
      url: this.url,
      charts: [chart],
      shards: this.shards,
      limits: quickLimits,
      watchdog: false,
      log: { info: () => undefined, warn: note('warn'), error: note('error') },
      ...more,
    });
    this.#hosts.push(worker);
    const all = (): number => this.#hosts.reduce((sum, one) => sum + one.shards().length, 0);
    await this.until('all shards are owned', () => all() === this.shards);
    return worker;
  }

  keys(actor: ActorId): ShardKeys {
    return shardKeys(this.client.namespace, this.client.shardOf(actor));
  }

  /** Sends under a message id of its own unless one is given, creating the actor where there is none. */
  send(
    actor: ActorId,
    event: { type: string; [field: string]: unknown },
    messageId = `m${++this.#messages}`,
  ): Promise<SendOutcome> {
    return this.client.send({
      actor,
      event: event as { type: string },
      messageId,
      create: { machine: 'tally', input: {} },
    });
  }

  /** Asks, and gives the answer itself. */
  async ask(
    actor: ActorId,
    event: { type: string; [field: string]: unknown },
    messageId = `m${++this.#messages}`,
  ): Promise<Answer> {
    const create = { machine: 'tally', input: {} };
    const outcome = await this.client.ask(
      { actor, event: event as { type: string }, messageId, create },
      { timeoutMs: 8_000 },
    );
    if (outcome.kind !== 'answered') throw new Error(`${event.type}: ${JSON.stringify(outcome)}`);
    return outcome.answer;
  }

  /** Waits until the actor is in that state. */
  async reaches(actor: ActorId, state: string): Promise<void> {
    await this.until(`${actor} reaches ${state}`, async () => (await this.client.read(actor))?.value === state);
  }

  async seen(actor: ActorId): Promise<readonly string[]> {
    return ((await this.client.read(actor))?.context.seen ?? []) as readonly string[];
  }

  async count(actor: ActorId): Promise<unknown> {
    return (await this.client.read(actor))?.context.count;
  }

  /** Kinds and sequences of an actor's journal, `moved 2`. */
  async history(actor: ActorId): Promise<readonly string[]> {
    return (await this.client.history(actor)).map(({ kind, sequence }) => `${kind} ${sequence}`);
  }

  until<T>(what: string, look: () => T | Promise<T>, options: WaitOptions = {}): ReturnType<typeof waitUntil<T>> {
    const diagnose = async () => ({
      lines: this.lines.slice(-10),
      shards: await this.client.shardViews(),
      timers: await this.client.timers(),
      parked: await this.client.parked(),
    });
    return waitUntil(what, look, { diagnose, ...options });
  }

  /** Nothing is left to do: no message, no effect, no outbox record on the way. */
  async settled(): Promise<void> {
    await this.until('all is quiet', async () =>
      (await this.client.shardViews()).every(({ lag, effects }) => lag === 0 && effects === 0),
    );
  }

  /** The bytes of all keys of a shard. */
  async dump(actor: ActorId): Promise<ReadonlyMap<string, Buffer>> {
    const { owner } = this.keys(actor);
    const names = (await this.#beside.keys(`${owner.slice(0, owner.indexOf('}') + 1)}*`)).sort();
    const dumps = await Promise.all(names.map((name) => this.#beside.dumpBuffer(name)));
    return new Map(names.map((name, index) => [name, dumps[index] ?? Buffer.alloc(0)]));
  }

  /** Puts a shard back to what it was: a server that lost its tail. */
  async restore(actor: ActorId, dump: ReadonlyMap<string, Buffer>): Promise<void> {
    const transaction = this.#beside.multi().del(...(await this.dump(actor)).keys());
    for (const [name, bytes] of dump) transaction.restore(name, 0, bytes);
    await transaction.exec();
  }

  get #beside(): Redis {
    if (this.#redis === undefined) throw new Error('this space was opened without a connection beside its client');
    return this.#redis;
  }
}
