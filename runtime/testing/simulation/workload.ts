// What clients do in a simulated run: commands of every kind, reads, repeats under the same id, two sends of one command,
// operators' acts. What they did and heard is their history.

import { type Client, type Command, connect } from '../../client.ts';
import { pause } from '../../clock.ts';
import { type ActorId, actorId } from '../../ids.ts';
import type { Event } from '../../json.ts';
import type { Operation, Outcome } from '../audit/history.ts';
import { outcomeOf } from '../audit/recorder.ts';
import type { Cluster, Site } from './cluster.ts';
import type { Dice } from './dice.ts';
import type { SimulatedProcess } from './simulated-process.ts';
import { simulatedConnector, type World } from './simulated-redis.ts';

export interface WorkloadOptions {
  readonly world: World;
  readonly dice: Dice;
  readonly cluster: Cluster;
  readonly sites: readonly Site[];
  /** Pause between two commands of one client, at most. */
  readonly thinkMs: number;
}

type Draft = { -readonly [name in keyof Operation]: Operation[name] };

const PRIVATE_ACTORS = 5; // Only commands of clients reach them: what their reads show is known to a word.
const PUBLIC_ACTORS = 4; // Others tell them things.
const TRIES_MAX = 4;
/** Reached by nothing but the commands of clients. */
export const isPrivate = (actor: string): boolean => actor.includes('-p');

const SECRET = 'a secret of simulations';

/** Kinds of commands with their weights. */
const KINDS: readonly (readonly [kind: string, weight: number])[] = [
  ['ADD', 40],
  ['READ', 14],
  ['TELL', 14],
  ['WORK', 9],
  ['LEAVE', 3],
  ['UNDO', 4],
  ['POST', 5],
  ['ARM', 5],
  ['DISARM', 4],
  ['REMIND', 3],
  ['FORGET', 3],
  ['NAP', 1],
  ['THROW', 1.5],
  ['REDRIVE', 1.5],
  ['DISCARD', 1],
];

export class Workload {
  readonly history: Operation[] = [];
  /** Message ids that were accepted, by actor, with the operation of which their client heard so at `at`. */
  readonly accepted: {
    readonly actor: string;
    readonly messageId: string;
    readonly invokedAt: number;
    readonly at: number;
  }[] = [];
  readonly #options: WorkloadOptions;
  /** Milliseconds between two commands of one client, at most. */
  thinkMs: number;
  readonly #clients = new Map<string, SimulatedProcess>();
  #busy = 0;
  #stopped = false;
  #messages = 0;

  constructor(options: WorkloadOptions) {
    this.#options = options;
    this.thinkMs = options.thinkMs;
  }

  /** Nothing more is begun; what is under way is heard out. */
  stop(): void {
    this.#stopped = true;
  }

  get isIdle(): boolean {
    return this.#busy === 0;
  }

  get processes(): readonly SimulatedProcess[] {
    return [...this.#clients.values()];
  }

  /** A client that works until it ends or the workload stops. */
  start(name: string, site: Site): void {
    const process = this.#options.cluster.process(name);
    this.#clients.set(name, process);
    this.#busy += 1;
    let isOver = false;
    const over = (): void => {
      if (!isOver) this.#busy -= 1;
      isOver = true;
    };
    process.onEnd(over);
    this.#live(name, process, site).then(over, (error: unknown) => {
      this.#options.world.scheduler.note(`${name} ended: ${String(error)}`);
      over();
    });
  }

  freeze(process: SimulatedProcess, ms: number): void {
    const { scheduler } = this.#options.world;
    process.freeze();
    scheduler.schedule(scheduler.now + ms, this.#options.cluster, `thaws ${process.name}`, () => process.thaw());
  }

  /** A client goes away for good. */
  end(name: string): void {
    this.#clients.get(name)?.end();
    this.#clients.delete(name);
  }

  open(process: SimulatedProcess, site: Site): Promise<Client> {
    const { namespace, url, shards } = site;
    const connector = simulatedConnector(this.#options.world, process, () => undefined);
    const config = { shards, timeScale: 1 };
    return connect({ namespace, url, secret: SECRET, config, clock: process.clock, connector });
  }

  async #live(name: string, process: SimulatedProcess, site: Site): Promise<void> {
    const client = await this.#opened(process, site);
    if (client === undefined) return;
    while (!this.#stopped) {
      await pause(process.clock, this.#options.dice.between(0.5, this.thinkMs));
      if (!this.#stopped) await this.#act(name, process, client, site);
    }
    await client.close();
  }

  async #opened(process: SimulatedProcess, site: Site): Promise<Client | undefined> {
    while (!this.#stopped) {
      const client = await this.open(process, site).catch(() => undefined);
      if (client !== undefined) return client;
      await pause(process.clock, 100);
    }
    return undefined;
  }

  async #act(name: string, process: SimulatedProcess, client: Client, site: Site): Promise<void> {
    const { dice } = this.#options;
    const kind = this.#kind();
    const actor = this.#actor(site, kind === 'ADD' || kind === 'READ' || kind === 'THROW');
    if (kind === 'READ') return await this.#read(name, client, actor);
    if (kind === 'REDRIVE' || kind === 'DISCARD') return await this.#operate(client, kind, name);
    const messageId = `m${++this.#messages}`;
    const create = { machine: 'tally', input: {} };
    const command: Command = { actor, event: this.#event(kind, messageId, site), messageId, create, from: name };
    if (dice.chance(0.1)) return await this.#send(name, client, command);
    if (dice.chance(0.06)) await Promise.all([this.#ask(name, client, command), this.#ask(name, client, command)]);
    let known = await this.#ask(name, client, command);
    for (let tries = 1; !known && tries < TRIES_MAX && dice.chance(0.8); tries += 1) {
      await pause(process.clock, dice.between(1, 100));
      known = await this.#ask(name, client, command);
    }
    if (known && dice.chance(0.05)) await this.#ask(name, client, command); // The answer is replayed as it was.
  }

  #kind(): string {
    const sum = KINDS.reduce((total, [, weight]) => total + weight, 0);
    let draw = this.#options.dice.fraction() * sum;
    for (const [kind, weight] of KINDS) {
      draw -= weight;
      if (draw < 0) return kind;
    }
    return 'ADD';
  }

  #actor({ namespace }: Site, isPlain: boolean): ActorId {
    const { dice } = this.#options;
    return dice.chance(isPlain ? 0.8 : 0.4)
      ? actorId(`${namespace}-p${dice.whole(1, PRIVATE_ACTORS)}`)
      : this.#publicActor(namespace);
  }

  #publicActor(namespace: string): ActorId {
    return actorId(`${namespace}-t${this.#options.dice.whole(1, PUBLIC_ACTORS)}`);
  }

  #event(kind: string, id: string, site: Site): Event {
    const { dice, sites } = this.#options;
    if (kind !== 'TELL') return { type: kind, id };
    const ids = Array.from({ length: dice.whole(1, 3) }, (_, index) => `${id}.${index}`);
    const { namespace } = dice.chance(0.7) ? dice.pick(sites) : site;
    return { type: 'TELL', to: this.#publicActor(namespace), namespace, ids };
  }

  /** In a history an actor is known by namespace and id. */
  #begin(process: string, kind: Operation['kind'], actor: string, more: Partial<Operation>): Draft {
    const invokedAt = this.#options.world.scheduler.now;
    // In the history from the beginning on: a client that ends hears no more, and may have done it all the same.
    const operation: Draft = { actor, process, kind, invokedAt, outcome: { kind: 'unknown' }, ...more };
    this.history.push(operation);
    return operation;
  }

  #told(operation: Draft, outcome: Outcome): void {
    operation.outcome = outcome;
    if (outcome.kind !== 'unknown') operation.returnedAt = this.#options.world.scheduler.now;
  }

  /** True when the outcome is known. */
  async #ask(name: string, client: Client, command: Command): Promise<boolean> {
    const { actor, messageId, event } = command;
    const operation = this.#begin(name, 'command', actor, { messageId, event });
    const told = await client.ask(command).catch(() => ({ kind: 'unknown' }) as const);
    this.#told(operation, outcomeOf(told));
    if (told.kind === 'answered' || told.kind === 'running') this.#accept(command, operation);
    return told.kind === 'answered';
  }

  async #send(name: string, client: Client, command: Command): Promise<void> {
    const { actor, messageId, event } = command;
    const operation = this.#begin(name, 'command', actor, { messageId, event });
    const told = await client.send(command).catch(() => undefined);
    if (told?.kind === 'accepted' || told?.kind === 'duplicate') this.#accept(command, operation);
  }

  #accept({ actor, messageId }: Command, { invokedAt }: { readonly invokedAt: number }): void {
    this.accepted.push({ actor, messageId, invokedAt, at: this.#options.world.scheduler.now });
  }

  async #read(name: string, client: Client, actor: ActorId): Promise<void> {
    const operation = this.#begin(name, 'read', actor, {});
    const view = await client.read(actor).catch(() => null);
    if (view === null) return;
    const seen = view?.context.seen;
    const told = { kind: 'read', version: view?.version ?? 0, ...(seen === undefined ? {} : { seen }) } as const;
    this.#told(operation, told);
  }

  async #operate(client: Client, kind: string, name: string): Promise<void> {
    const parked = await client.parked().catch(() => []);
    if (parked.length === 0) return;
    const { actor } = this.#options.dice.pick(parked);
    await (kind === 'REDRIVE' ? client.redrive(actor, name) : client.discard(actor, name)).catch(() => undefined);
  }
}
