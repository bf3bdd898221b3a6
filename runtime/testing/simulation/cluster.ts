// The workers of a simulated run: which are meant to be there, which live, and what happens to them.
//
// Each is the product's own worker, hosted in a simulated process. Whoever ends is started again after a while, under the
// same id and as a new process, as a supervisor would do it.

import type { Log } from '../../commit/scene.ts';
import { InvariantBroken, OperatingError } from '../../errors.ts';
import type { Host } from '../../host.ts';
import type { Hosted } from '../../hosting.ts';
import type { ShardLimits } from '../../shards/limits.ts';
import { host } from '../../worker.ts';
import { trialChart } from '../trial-chart.ts';
import type { Dice } from './dice.ts';
import type { Partners } from './partners.ts';
import type { Subject } from './scheduler.ts';
import { SimulatedProcess } from './simulated-process.ts';
import { type SimulatedRedis, simulatedConnector, type World } from './simulated-redis.ts';

export interface Site {
  readonly namespace: string;
  readonly url: string;
  readonly lockUrl: string;
  readonly shards: number;
  readonly peers: { readonly [namespace: string]: { readonly url: string; readonly shards: number } };
}

/** A place for a worker: its id stays, its processes come and go. */
export interface Slot {
  readonly worker: string;
  readonly site: Site;
  /** `down` until the supervisor starts it. */
  state: 'down' | 'starting' | 'up' | 'stopping';
  starts: number;
  process: SimulatedProcess | undefined;
  host: Host | undefined;
  connections: SimulatedRedis[];
}

export interface ClusterOptions {
  readonly world: World;
  readonly dice: Dice;
  readonly partners: Partners;
  readonly limits: Partial<ShardLimits>;
  /** Whether clocks of processes run at speeds of their own. */
  readonly strangeClocks: boolean;
  readonly forgetful: boolean;
  /** Told of what must never be. */
  readonly onBroken: (what: string) => void;
}

export class Cluster implements Subject {
  readonly name = 'supervisor';
  readonly state = 'running';
  readonly slots: readonly Slot[];
  /** False: whoever ends stays away until `settle`. */
  restarts = true;
  readonly #options: ClusterOptions;

  constructor(sites: readonly (readonly [Site, number])[], options: ClusterOptions) {
    this.#options = options;
    this.slots = sites.flatMap(([site, workers]) =>
      Array.from({ length: workers }, (_, index): Slot => {
        const worker = `${site.namespace}.${index + 1}`;
        return { worker, site, state: 'down', starts: 0, process: undefined, host: undefined, connections: [] };
      }),
    );
  }

  keep(): void {
    throw new Error('the supervisor does not freeze');
  }

  start(slot: Slot): void {
    if (slot.state !== 'down') return;
    const { world, dice, limits } = this.#options;
    slot.starts += 1;
    slot.state = 'starting';
    slot.connections = [];
    const process = this.process(`${slot.worker}#${slot.starts}`);
    slot.process = process;
    const { site } = slot;
    host({
      ...{ namespace: site.namespace, url: site.url, lockUrls: [site.lockUrl], shards: site.shards, peers: site.peers },
      ...{ worker: slot.worker, limits, watchdog: false, clock: process.clock, forgetful: this.#options.forgetful },
      charts: [this.#chart(process)],
      connector: simulatedConnector(world, process, (redis) => slot.connections.push(redis)),
      log: this.#log(process),
      onFatal: (error) => this.#fatal(slot, process, error),
    }).then(
      (started) => {
        if (slot.process !== process) return;
        slot.host = started;
        slot.state = 'up';
      },
      (error: unknown) => {
        if (!(error instanceof OperatingError) && error instanceof InvariantBroken)
          this.#options.onBroken(String(error));
        world.scheduler.note(`${process.name} did not start: ${String(error)}`);
        if (slot.process === process) this.end(slot, dice.between(100, 1_000));
      },
    );
  }

  /** Ends the process; started again after `restartMs` unless told otherwise. */
  end(slot: Slot, restartMs: number): void {
    slot.process?.end();
    slot.process = undefined;
    slot.host = undefined;
    slot.state = 'down';
    const { scheduler } = this.#options.world;
    if (this.restarts)
      scheduler.schedule(scheduler.now + restartMs, this, `restarts ${slot.worker}`, () => this.start(slot));
  }

  /** SIGTERM: drains, and ends by itself. */
  stop(slot: Slot, restartMs: number): void {
    const { host: running, process } = slot;
    if (slot.state !== 'up' || running === undefined) return;
    slot.state = 'stopping';
    void running.stop().then(() => {
      if (slot.process === process) this.end(slot, restartMs);
    });
  }

  freeze(slot: Slot, ms: number): void {
    const { process } = slot;
    if (process?.state !== 'running') return;
    process.freeze();
    const { scheduler } = this.#options.world;
    scheduler.schedule(scheduler.now + ms, this, `thaws ${process.name}`, () => process.thaw());
  }

  /** The slot whose present process this is. */
  slotOf(subject: Subject | undefined): Slot | undefined {
    return this.slots.find(({ process }) => process !== undefined && process === subject);
  }

  /** A process with a clock of its own. */
  process(name: string): SimulatedProcess {
    const { world, dice, strangeClocks } = this.#options;
    const own = dice.fork();
    const rate = strangeClocks ? own.between(0.9, 1.1) : 1;
    const skewMs = strangeClocks ? own.between(-7_200_000, 7_200_000) : 0;
    return new SimulatedProcess(world.scheduler, own, name, { rate, offsetMs: own.between(0, 1e6), skewMs });
  }

  #chart(process: SimulatedProcess): Hosted {
    const { partners } = this.#options;
    return trialChart({
      partner: partners.effect(process, 'partner', { onLate: () => ({ event: { type: 'POSTED' } }) }),
      post: partners.effect(process, 'post', { onDone: () => ({ type: 'POSTED' }) }),
    });
  }

  #fatal(slot: Slot, process: SimulatedProcess, error: Error): void {
    if (!(error instanceof OperatingError)) this.#options.onBroken(`${process.name}: ${String(error)}`);
    this.#options.world.scheduler.note(`${process.name} ends: ${String(error)}`);
    if (slot.process === process) this.end(slot, this.#options.dice.between(100, 1_000));
  }

  #log({ name }: SimulatedProcess): Log {
    const { scheduler } = this.#options.world;
    const say = (level: string) => (fields: object, text: string) =>
      scheduler.note(`${name} ${level}: ${text} ${JSON.stringify(fields)}`);
    return { info: say('info'), warn: say('warn'), error: say('error') };
  }
}
