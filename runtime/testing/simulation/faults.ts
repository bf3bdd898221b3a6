// The faults of a simulated run. Each seed draws which kinds it has, so that rare ones are not hidden behind frequent ones.

import { namespace } from '../../ids.ts';
import { shardKeys } from '../../redis/keys.ts';
import { armCrashPoint, type CrashPoint, crashPoints } from '../crash-points.ts';
import type { Cluster, Site, Slot } from './cluster.ts';
import type { Dice } from './dice.ts';
import type { Subject } from './scheduler.ts';
import type { ServerCopy } from './server.ts';
import type { SimulatedProcess } from './simulated-process.ts';
import type { World } from './simulated-redis.ts';
import type { Workload } from './workload.ts';

export const faultKinds = [
  'crash', // A worker's process ends; what it had sent is executed or not.
  'freeze', // It stands still for 0.2 to 10 s, and goes on as if nothing had been.
  'cut', // One of its connections breaks.
  'partition', // It does not reach the server of its namespace.
  'lock-partition', // It does not reach the lock master.
  'restart', // The server restarts with all it had.
  'lost-tail', // The server comes back with an earlier copy of everything.
  'lock-deleted', // The lock of a shard is gone.
  'drain', // SIGTERM.
  'client-crash', // A client ends in the middle of something.
  'crash-points', // Workers end or freeze at named places of their code.
  'lost-replies', // Connections break instead of handing on a reply.
  'zombie', // A worker freezes or is cut off with a commit in its hands, which arrives when others own its shard.
  'slow', // Messages are slow, and some are held past every deadline and executed then.
] as const;

export type FaultKind = (typeof faultKinds)[number];

/** Not moments, but a way things are as long as the faults last. */
const LASTING: ReadonlySet<FaultKind> = new Set(['crash-points', 'lost-replies', 'zombie', 'slow']);

export interface Loss {
  readonly url: string;
  /** Virtual time at which the server was up again, and how far back it lost. */
  readonly at: number;
  readonly sinceMs: number;
}

export interface FaultOptions {
  readonly world: World;
  readonly dice: Dice;
  readonly cluster: Cluster;
  readonly workload: Workload;
  readonly sites: readonly Site[];
  readonly kinds: readonly FaultKind[];
}

const COPY_EVERY_MS = 150; // A server that loses its tail loses up to so much, or a few times that.

export class Faults implements Subject {
  readonly name = 'fault';
  readonly state = 'running';
  readonly losses: Loss[] = [];
  /** How often each kind was done. */
  readonly done = new Map<string, number>();
  readonly #options: FaultOptions;
  readonly #armed = new Map<CrashPoint, number>();
  #copy: { readonly url: string; readonly copy: ServerCopy } | undefined;
  #clients = 0;
  #over = false;

  constructor(options: FaultOptions) {
    this.#options = options;
    const { dice, kinds, world } = options;
    if (kinds.includes('crash-points'))
      for (const point of dice.some(crashPoints, 0.35)) this.#armed.set(point, dice.between(0.01, 0.25));
    if (this.#armed.size > 0) armCrashPoint((point) => this.#pass(point));
    const zombies = dice.between(0.02, 0.1);
    if (kinds.includes('zombie')) world.onCommit = (process) => dice.chance(zombies) && this.#makeZombie(process);
    if (kinds.includes('lost-replies')) world.lostReplies = dice.between(0.005, 0.05);
  }

  keep(): void {
    throw new Error('faults do not freeze');
  }

  /** No more faults. What stands still or is cut off comes back at its time. */
  end(): void {
    this.#over = true;
    armCrashPoint(undefined);
    this.#options.world.lostReplies = 0;
    this.#options.world.onCommit = undefined;
  }

  /** One fault of a kind that this run has. */
  async next(): Promise<void> {
    const { dice, kinds, world } = this.#options;
    const moments = kinds.filter((one) => !LASTING.has(one));
    if (moments.length === 0) return;
    const kind = dice.pick(moments);
    await world.scheduler.happen(this, kind, () => this.#do(kind));
  }

  async #do(kind: FaultKind): Promise<void> {
    const { dice, cluster } = this.#options;
    const slot = dice.pick(cluster.slots);
    this.#count(kind);
    switch (kind) {
      case 'crash':
        if (slot.state !== 'down') cluster.end(slot, dice.between(20, 3_000));
        return;
      case 'freeze':
        return cluster.freeze(slot, dice.chance(0.5) ? dice.between(200, 1_500) : dice.between(1_500, 10_000));
      case 'cut':
        if (slot.connections.length > 0) dice.pick(slot.connections).breakNow();
        return;
      case 'partition':
        return this.#partition(slot, slot.site.url);
      case 'lock-partition':
        return this.#partition(slot, slot.site.lockUrl);
      case 'restart':
        return await this.#restart(dice.pick(this.#options.sites).url, undefined);
      case 'lost-tail':
        return await this.#loseTail(dice.pick(this.#options.sites).url);
      case 'lock-deleted':
        return await this.#deleteLock(slot.site);
      case 'drain':
        return cluster.stop(slot, dice.between(20, 1_000));
      case 'client-crash':
        return this.#crashClient();
    }
  }

  #count(what: string): void {
    this.done.set(what, (this.done.get(what) ?? 0) + 1);
  }

  /** Ends or freezes the worker that passes the place, now and then. */
  #pass(point: CrashPoint): void {
    const { dice, cluster, world } = this.#options;
    const chance = this.#armed.get(point);
    if (chance === undefined || !dice.chance(chance)) return;
    const slot = cluster.slotOf(world.scheduler.current);
    if (slot?.process?.state !== 'running') return;
    const freezes = dice.chance(0.4);
    this.#count(`${freezes ? 'freeze' : 'crash'} ${point}`);
    world.scheduler.note(`${freezes ? 'freezes' : 'ends'} ${point}`);
    if (freezes) cluster.freeze(slot, dice.chance(0.4) ? dice.between(200, 1_200) : dice.between(1_200, 6_000));
    else cluster.end(slot, dice.between(20, 2_000));
  }

  /** Long enough for the others to take over, or nearly. */
  #makeZombie(process: SimulatedProcess): void {
    const { dice, cluster } = this.#options;
    const slot = cluster.slotOf(process);
    if (slot === undefined || process.state !== 'running') return;
    const ms = dice.between(800, 5_000);
    const freezes = dice.chance(0.5);
    this.#count(freezes ? 'zombie frozen' : 'zombie cut off');
    const cutOff = freezes ? [] : [slot.site.url, slot.site.lockUrl];
    if (freezes) cluster.freeze(slot, ms);
    for (const url of new Set(cutOff)) this.#partition(slot, url, ms);
  }

  #partition({ process }: Slot, url: string, forMs?: number): void {
    const { world, dice } = this.#options;
    if (process === undefined) return;
    const { scheduler, network } = world;
    network.cut(process.name, url);
    const ms = forMs ?? (dice.chance(0.5) ? dice.between(50, 1_500) : dice.between(1_500, 8_000));
    scheduler.schedule(scheduler.now + ms, this, `heals ${process.name} and ${url}`, () =>
      network.heal(process.name, url),
    );
  }

  async #restart(url: string, copy: ServerCopy | undefined): Promise<void> {
    const { world, dice } = this.#options;
    const server = world.server(url);
    if (!server.up) return;
    const downMs = dice.chance(0.5) ? dice.between(1, 40) : dice.between(60, 800);
    const { scheduler } = world;
    const at = scheduler.now + downMs;
    if (copy !== undefined) this.losses.push({ url, at, sinceMs: at - copy.at });
    await server.fall(copy);
    scheduler.schedule(at, this, `${url} is up again`, () => server.rise());
  }

  /** First it remembers what the server holds; a later time it brings that back. */
  async #loseTail(url: string): Promise<void> {
    const { world, dice } = this.#options;
    const { scheduler } = world;
    const known = this.#copy;
    if (known === undefined || scheduler.now - known.copy.at > 20 * COPY_EVERY_MS) {
      const server = world.server(url);
      if (server.up) this.#copy = { url, copy: await server.copy() };
      if (!this.#over)
        scheduler.schedule(
          scheduler.now + dice.between(1, COPY_EVERY_MS),
          this,
          `${url} is about to lose its tail`,
          () => (this.#over ? undefined : this.#loseTail(url)),
        );
      return;
    }
    this.#copy = undefined;
    await this.#restart(known.url, known.copy);
  }

  async #deleteLock({ namespace: name, shards, lockUrl }: Site): Promise<void> {
    const { world, dice } = this.#options;
    await world.server(lockUrl).remove(shardKeys(namespace(name), dice.whole(0, shards - 1)).lock);
  }

  #crashClient(): void {
    const { workload, dice, sites } = this.#options;
    const process = workload.processes.length === 0 ? undefined : dice.pick(workload.processes);
    if (process === undefined) return;
    if (dice.chance(0.5)) {
      workload.freeze(process, dice.between(100, 3_000));
      return;
    }
    workload.end(process.name);
    workload.start(`later.${++this.#clients}`, dice.pick(sites));
  }
}
