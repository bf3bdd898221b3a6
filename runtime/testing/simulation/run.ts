// One simulated run: a cluster, its clients and its partners, from one seed. Faults for so many steps, then rest, then the
// audit of everything that was stored, answered and done.

import type { Hosted } from '../../hosting.ts';
import { namespace } from '../../ids.ts';
import type { ShardLimits } from '../../shards/limits.ts';
import { type AuditReport, chartsOf, check, gather } from '../audit/audit.ts';
import type { HistoryModel } from '../audit/evidence.ts';
import type { InvariantReport } from '../audit/findings.ts';
import type { History } from '../audit/history.ts';
import { historyModels } from '../audit/models.ts';
import { trialChart } from '../trial-chart.ts';
import { Cluster, type Site } from './cluster.ts';
import { undelivered } from './delivery.ts';
import { Dice } from './dice.ts';
import type { Executor } from './executor.ts';
import { type FaultKind, Faults, faultKinds } from './faults.ts';
import { CALM, Network, type Weather } from './network.ts';
import { Partners } from './partners.ts';
import { Scheduler, type Subject } from './scheduler.ts';
import { SimulatedServer } from './server.ts';
import { leftover } from './settling.ts';
import { EPOCH_MS } from './simulated-process.ts';
import type { World } from './simulated-redis.ts';
import { isPrivate, Workload } from './workload.ts';

export interface RunOptions {
  readonly seed: number;
  readonly steps: number;
  /** Kinds of faults that it has; default: drawn by the seed. */
  readonly kinds?: readonly FaultKind[];
  /** Told of every step, reply and log line. */
  readonly onStep?: (line: string) => void;
}

export interface RunResult {
  readonly seed: number;
  /** Equal for equal runs. */
  readonly fingerprint: string;
  readonly steps: number;
  readonly happened: number;
  readonly virtualMs: number;
  readonly operations: number;
  readonly entries: number;
  readonly faults: Readonly<Record<string, number>>;
  /** How often functions answered which word. */
  readonly answers: Readonly<Record<string, number>>;
  /** What clients' commands came to, by outcome. */
  readonly outcomes: Readonly<Record<string, number>>;
  /** What the audit looked at; empty where it could not read. */
  readonly invariants: readonly InvariantReport[];
  /** What should never be; empty for a clean run. */
  readonly violations: readonly string[];
}

const DATA = 'simulated-data';
const OTHER = 'simulated-other';
const LOCK = 'simulated-lock';
const HOST_MS = 15_000; // Virtual time in which a calm cluster has started,
const SETTLE_MS = 180_000; // and in which everything that was begun must have come to an end.
const HEAL_MS = 60_000; // The longest fault, and a start of everybody.
const LOOK_MS = 200;
const CALM_THINK_MS = 600; // Clients go on while the last faults pass.
const HAPPENINGS_MAX = 200_000; // Of one run, whatever goes wrong: about half a minute of real time.

/** Ownership that moves within a second, and as it is set by default; both with fewer looks, which only cost steps. */
const QUICK: Partial<ShardLimits> = {
  leaseMs: 900,
  renewMs: 300,
  marginMs: 150,
  heartbeatMs: 150,
  peekMs: 150,
  suspectMs: 400,
  deadMs: 800,
  goneMs: 300,
  lockRetryMs: 40,
  openRetryMs: 50,
  identityMs: 400,
};
const USUAL: Partial<ShardLimits> = { heartbeatMs: 400, peekMs: 400, goneMs: 800, lockRetryMs: 150 };

const charts = chartsOf([trialChart()] as readonly Hosted[]);

/** Runs one seed on a server that holds nothing else. Rejects only when the simulation itself fails. */
export async function simulate(executor: Executor, options: RunOptions): Promise<RunResult> {
  const { stackTraceLimit } = Error;
  const { now } = Date;
  const run = new Run(executor, options);
  const unhandled = (reason: unknown): void => run.broken(`unhandled rejection: ${String(reason)}`);
  process.on('unhandledRejection', unhandled);
  // Stacks name files of this machine; and redlock reads the wall clock by itself.
  Error.stackTraceLimit = 0;
  Date.now = () => run.wall();
  try {
    return await run.whole();
  } finally {
    Date.now = now;
    Error.stackTraceLimit = stackTraceLimit;
    process.off('unhandledRejection', unhandled);
  }
}

class Run implements Subject {
  readonly name = 'run';
  readonly state = 'running';
  readonly #options: RunOptions;
  readonly #executor: Executor;
  readonly #scheduler = new Scheduler();
  readonly #dice: Dice;
  readonly #network: Network;
  readonly #partners: Partners;
  readonly #cluster: Cluster;
  readonly #workload: Workload;
  readonly #faults: Faults;
  readonly #sites: readonly Site[];
  readonly #kinds: readonly FaultKind[];
  readonly #servers: readonly SimulatedServer[];
  readonly #violations: string[] = [];
  #settled = false;

  constructor(executor: Executor, options: RunOptions) {
    this.#options = options;
    this.#executor = executor;
    this.#dice = new Dice(options.seed);
    this.#scheduler.onStep = options.onStep;
    const dice = this.#dice;
    this.#kinds = options.kinds ?? dice.some(faultKinds, 0.3);
    this.#network = new Network(dice.fork(), CALM);
    this.#partners = new Partners(this.#scheduler, dice.fork(), () => this.#faults.losses.length > 0);
    const shape = shapeOf(dice);
    this.#sites = shape.map(([site]) => site);
    this.#servers = this.#serversOf(this.#sites);
    const world = this.#world();
    this.#cluster = new Cluster(shape, {
      ...{ world, partners: this.#partners, dice: dice.fork() },
      limits: dice.chance(0.75) ? QUICK : USUAL,
      strangeClocks: dice.chance(0.5),
      forgetful: dice.chance(0.2),
      onBroken: (what) => this.broken(what),
    });
    const thinkMs = dice.pick([3, 10, 30]);
    this.#workload = new Workload({ world, dice: dice.fork(), cluster: this.#cluster, sites: this.#sites, thinkMs });
    this.#faults = new Faults({
      ...{ world, dice: dice.fork(), cluster: this.#cluster, workload: this.#workload },
      ...{ sites: this.#sites, kinds: this.#kinds },
    });
  }

  keep(): void {
    throw new Error('a run does not freeze');
  }

  wall(): number {
    const subject = this.#scheduler.current;
    const process = subject !== undefined && 'wall' in subject ? (subject as { wall(): number }) : undefined;
    return process?.wall() ?? Math.floor(EPOCH_MS + this.#scheduler.now);
  }

  broken(what: string): void {
    if (!this.#violations.includes(what)) this.#violations.push(what);
    this.#scheduler.note(`BROKEN ${what}`);
  }

  async whole(): Promise<RunResult> {
    await this.#executor.run([['FLUSHALL', 'SYNC']]);
    await this.#begin();
    await this.#trouble();
    await this.#settle();
    const report = await this.#audit();
    this.#stop();
    return {
      seed: this.#options.seed,
      fingerprint: this.#scheduler.fingerprint(),
      steps: this.#scheduler.steps,
      happened: this.#scheduler.happened,
      virtualMs: Math.round(this.#scheduler.now),
      operations: this.#workload.history.length,
      entries: report?.counts.entries ?? 0,
      faults: Object.fromEntries(this.#faults.done),
      answers: Object.fromEntries(this.#servers.flatMap(({ heard }) => [...heard])),
      outcomes: outcomesOf(this.#workload.history),
      invariants: report?.invariants ?? [],
      violations: this.#violations,
    };
  }

  /** One for each URL. They share a real server, on which each sees its own keys. */
  #serversOf(sites: readonly Site[]): readonly SimulatedServer[] {
    const urls = new Set(sites.flatMap(({ url, lockUrl }) => [url, lockUrl]));
    const server = (url: string): SimulatedServer =>
      new SimulatedServer(url, this.#scheduler, this.#executor, this.#dice.fork(), (key) => isKept(sites, url, key));
    return [...urls].map(server);
  }

  #world(): World {
    return {
      ...{
        scheduler: this.#scheduler,
        network: this.#network,
        dice: this.#dice.fork(),
        lostReplies: 0,
        onCommit: undefined,
      },
      server: (url) => {
        const found = this.#servers.find(({ name }) => name === url);
        if (found === undefined) throw new Error(`there is no server at ${url}`);
        return found;
      },
    };
  }

  /** All workers up and all shards owned, then the clients. */
  async #begin(): Promise<void> {
    for (const slot of this.#cluster.slots)
      await this.#scheduler.happen(this, `starts ${slot.worker}`, () => this.#cluster.start(slot));
    const owned = (site: Site): number =>
      this.#cluster.slots.reduce(
        (sum, { site: own, host }) => sum + (own === site ? (host?.shards().length ?? 0) : 0),
        0,
      );
    await this.#until('all shards are owned', HOST_MS, () => this.#sites.every((site) => owned(site) === site.shards));
    this.#network.weather = this.#weather();
    const clients = this.#dice.whole(3, 5);
    for (let i = 1; i <= clients; i += 1) {
      const site = this.#sites[i % this.#sites.length] as Site;
      await this.#scheduler.happen(this, `starts client ${i}`, () => this.#workload.start(`client.${i}`, site));
    }
  }

  #weather(): Weather {
    const dice = this.#dice;
    if (!this.#kinds.includes('slow')) return { ...CALM, usualMs: dice.pick([0.4, 2, 8]) };
    const heldPerMille = dice.chance(0.5) ? dice.between(0.5, 4) : 0;
    return {
      usualMs: dice.pick([0.5, 3, 10]),
      slowPerMille: 40,
      slowMs: dice.pick([30, 200]),
      heldPerMille,
      heldMs: 7_000,
    };
  }

  /** So many steps with faults among them. */
  async #trouble(): Promise<void> {
    const until = this.#scheduler.steps + this.#options.steps;
    const rate = this.#dice.pick([0.005, 0.015, 0.04]);
    while (this.#scheduler.steps < until) {
      if (this.#kinds.length > 0 && this.#dice.chance(rate)) await this.#faults.next();
      else await this.#next();
    }
  }

  /** No more faults, everybody there: everything that was accepted is handled at last. */
  async #settle(): Promise<void> {
    const { heldPerMille, heldMs } = this.#network.weather;
    const arrivedBy = this.#scheduler.now + (heldPerMille > 0 ? heldMs : 0); // Calls of clients that are gone, too.
    this.#network.weather = CALM;
    this.#partners.faulty = false;
    await this.#scheduler.happen(this, 'the faults end', () => this.#faults.end());
    this.#workload.thinkMs = CALM_THINK_MS;
    await this.#until('everybody is back', HEAL_MS, () => this.#isWhole());
    this.#workload.stop();
    const operator = this.#cluster.process('operator');
    const opened = this.#sites.map((site) => ({ site, client: this.#workload.open(operator, site) }));
    const until = this.#scheduler.now + SETTLE_MS;
    let words: readonly string[] = ['not looked at'];
    while (words.length > 0 || !this.#workload.isIdle || this.#scheduler.now < arrivedBy) {
      if (this.#scheduler.now > until || this.#scheduler.happened > HAPPENINGS_MAX) {
        if (!this.#workload.isIdle) words = [...words, 'a client waits'];
        this.broken(`liveness: after ${SETTLE_MS / 1_000} s without faults ${words.join('; ')}`);
        return;
      }
      await this.#pass(LOOK_MS);
      const left = await leftover(this.#executor, this.#sites, this.#scheduler.now);
      words = this.#isTorn() ? left.words.filter((one) => !one.startsWith('lane ')) : left.words;
      if (this.#workload.isIdle)
        for (const [site, actor] of left.parked) {
          const client = opened.find((one) => one.site === site)?.client;
          const id = actor as Parameters<Awaited<NonNullable<typeof client>>['discard']>[0];
          await this.#scheduler.happen(this, `discards ${actor}`, () => {
            client?.then((open) => open.discard(id, 'operator')).catch(() => undefined);
          });
        }
    }
    this.#settled = true;
  }

  /**
   * Of two servers one lost its tail: lanes between them stand apart until their next record closes the gap (M3), and what
   * was told before may come again as something else.
   */
  #isTorn(): boolean {
    return this.#faults.losses.length > 0 && new Set(this.#sites.map(({ url }) => url)).size > 1;
  }

  /** Nobody stands still, is cut off or is away. */
  #isWhole(): boolean {
    const alive = this.#cluster.slots.every(({ state, process }) => state === 'up' && process?.state === 'running');
    return alive && this.#network.isWhole && this.#workload.processes.every(({ state }) => state === 'running');
  }

  async #next(): Promise<void> {
    // Whoever waits for something real, such as a file, is never waited for here: it has to be there before (stage.ts).
    if (!(await this.#scheduler.step())) throw new Error(`seed ${this.#options.seed}: nothing happens any more`);
  }

  /** Lets so much virtual time pass. */
  async #pass(ms: number): Promise<void> {
    let isOver = false;
    this.#scheduler.schedule(this.#scheduler.now + ms, this, 'looks', () => {
      isOver = true;
    });
    while (!isOver) await this.#next();
  }

  async #until(what: string, ms: number, look: () => boolean): Promise<void> {
    const until = this.#scheduler.now + ms;
    while (!look()) {
      if (this.#scheduler.now > until || this.#scheduler.happened > HAPPENINGS_MAX)
        throw new Error(`seed ${this.#options.seed}: not within ${ms} virtual ms: ${what}`);
      await this.#next();
    }
  }

  async #audit(): Promise<AuditReport | undefined> {
    // Its reads belong together: meanwhile nobody claims a shard.
    for (const { process } of this.#cluster.slots) process?.freeze();
    await this.#pass(LOOK_MS);
    const auditor = this.#cluster.process('auditor');
    let namespaces: Awaited<ReturnType<typeof gather>> | undefined;
    await this.#scheduler.happen(this, 'the audit reads', () => {
      Promise.all(this.#sites.map((site) => this.#workload.open(auditor, site)))
        .then(gather)
        .then(
          (read) => {
            namespaces = read;
          },
          (error: unknown) => this.broken(`the audit cannot read: ${String(error)}`),
        );
    });
    await this.#until('the audit has read', HOST_MS, () => namespaces !== undefined || this.#violations.length > 0);
    if (namespaces === undefined) return undefined;
    const { losses } = this.#faults;
    const report = check({
      namespaces,
      chartOf: charts,
      history: this.#workload.history,
      modelOf: (actor) => (isPrivate(actor) ? historyModels.tally : historyModels.versions) as HistoryModel,
      ledger: this.#partners.ledger,
      quiet: this.#settled,
      allowances: { lossAllowed: losses },
    });
    for (const { invariant, where, words } of report.violations)
      if (!(this.#isTorn() && where.startsWith('lane '))) this.broken(`${invariant} ${where}: ${words}`);
    if (!this.#isTorn()) for (const words of undelivered(namespaces, this.#settled)) this.broken(words);
    this.#checkAccepted(new Set(namespaces.flatMap((one) => one.shards).flatMap((shard) => shard.entries.map(nameOf))));
    return report;
  }

  /** Whatever a client was told is accepted is in a journal at last, unless the server lost it. */
  #checkAccepted(known: ReadonlySet<string>): void {
    if (!this.#settled) return;
    for (const { actor, messageId, invokedAt, at } of this.#workload.accepted) {
      if (known.has(`${actor} ${messageId}`)) continue;
      if (this.#faults.losses.some((loss) => invokedAt <= loss.at && loss.at - at <= loss.sinceMs)) continue;
      this.broken(`liveness: ${messageId} of ${actor} was accepted and is in no journal`);
    }
  }

  #stop(): void {
    this.#cluster.restarts = false;
    for (const slot of this.#cluster.slots) slot.process?.end();
    for (const process of this.#workload.processes) process.end();
  }
}

function outcomesOf(history: History): Readonly<Record<string, number>> {
  const outcomes: Record<string, number> = {};
  for (const { kind, outcome } of history)
    if (kind === 'command') outcomes[outcome.kind] = (outcomes[outcome.kind] ?? 0) + 1;
  return outcomes;
}

const nameOf = ({ actor = '', messageId = '' }: { readonly actor?: string; readonly messageId?: string }): string =>
  `${actor} ${messageId}`;

/** Whether the server at a URL keeps the key: the lock of a shard, or what belongs to a namespace. */
function isKept(sites: readonly Site[], url: string, key: string): boolean {
  const isLock = key.startsWith('lock:');
  return sites.some((site) => {
    const tag = `${isLock ? 'lock:' : ''}{${site.namespace}`;
    return (isLock ? site.lockUrl : site.url) === url && key.startsWith(tag) && /[:}]/.test(key[tag.length] ?? '');
  });
}

/** One namespace with two or three workers, or two that tell each other things, on one server or on two. */
function shapeOf(dice: Dice): readonly (readonly [Site, workers: number])[] {
  const lockUrl = dice.chance(0.5) ? LOCK : DATA;
  if (dice.chance(0.65))
    return [[{ namespace: namespace('a'), url: DATA, lockUrl, shards: 4, peers: {} }, dice.whole(2, 3)]];
  const urls: Readonly<Record<string, string>> = { a: DATA, b: dice.chance(0.5) ? OTHER : DATA };
  const site = (name: string, other: string): Site => {
    const peers = { [other]: { url: urls[other] as string, shards: 2 } };
    return { namespace: namespace(name), url: urls[name] as string, lockUrl, shards: 2, peers };
  };
  return [
    [site('a', 'b'), 2],
    [site('b', 'a'), dice.whole(1, 2)],
  ];
}
