// The stage of one trial: its seed, its cluster, its load, what is measured and what was found. Ended with the trial.
//
// The usual course: `cluster`, `load`, faults, `finish`, which ends the load, waits until everything has settled, and audits.
// A trial of several set-ups does that several times: each `cluster` has a history and a ledger of its own.

import { readFileSync } from 'node:fs';
import type { Client } from '../../client.ts';
import { systemClock } from '../../clock.ts';
import type { AuditReport } from '../audit/audit.ts';
import type { Allowances, LedgerAct, Reading } from '../audit/evidence.ts';
import type { InvariantReport } from '../audit/findings.ts';
import { HistoryRecorder } from '../audit/recorder.ts';
import { Cluster, type ClusterOptions } from '../cluster/cluster.ts';
import { ClusterServer } from '../cluster/cluster-server.ts';
import { type Random, seeded } from '../oracle.ts';
import { askRedis, type RedisReply } from '../redis-probe.ts';
import { auditCluster, readingOf, verdictsOf } from './audit.ts';
import { Load, type LoadOptions } from './load.ts';
import { Subscriber } from './subscriber.ts';
import { CannotRun, type Counts, type InvariantId, type InvariantVerdict, type Measure } from './trial.ts';

export interface StageOptions {
  readonly seed: number;
  /** Rounds asked for on the command line, instead of the trial's own number. */
  readonly rounds?: number | undefined;
  /** Hears what is going on. */
  readonly say: (line: string) => void;
}

export interface StageLoadOptions extends Partial<Omit<LoadOptions, 'seed' | 'clients' | 'namespaces'>> {
  /** Loops of commands; each has a client of its own. Default 6. */
  readonly clients?: number;
  /** Clients speak through a proxy, `load.door`, so that faults can meet them. Default false. */
  readonly proxied?: boolean;
  /** Default: the cluster's first namespace. */
  readonly namespace?: string;
  /** Where clients and subscriber find the state. Default: where the cluster does. */
  readonly url?: string;
  /** Default true: the subscriber goes away now and then, and comes back where it was. */
  readonly subscriberResumes?: boolean;
}

/** Load at work, and what watches it. */
export interface StageLoad {
  readonly load: Load;
  readonly subscriber: Subscriber;
  readonly namespace: string;
  readonly name: string;
  readonly door: Awaited<ReturnType<Cluster['door']>> | undefined;
}

const CLIENTS = 6;
const LEDGER = 'ledger';
const REASONS_MAX = 20;
const SETTLE_MS = 90_000; // Retries of effects and reclaims with growing pauses may still be under way.
const WARM_ANSWERS = 60;

export class Stage {
  readonly seed: number;
  /** Decides where and when faults strike. Load draws from generators of its own. */
  readonly random: Random;
  recorder = new HistoryRecorder();
  /** What clients of another kind than the loads' were told; the report has the sum. */
  readonly told: Counts = { ok: 0, refused: 0, rejected: 0, unknown: 0 };
  readonly measures: Measure[] = [];
  readonly reasons: string[] = [];
  readonly invariants = new Map<InvariantId, InvariantVerdict>();
  readonly #options: StageOptions;
  readonly #ends: (() => Promise<unknown>)[] = [];
  #loads: StageLoad[] = [];
  /** Of the clusters before the present one. */
  readonly #pastLoads: StageLoad[] = [];
  #clusters = 0;
  #violations = 0;
  #before: Reading = {};
  #partner: ClusterServer | undefined;
  #redisVersion = '';
  #durability = 'memory';
  /** History, journals and the like, by file name: written when something did not hold. */
  readonly evidence = new Map<string, () => unknown>();

  constructor(options: StageOptions) {
    this.#options = options;
    this.seed = options.seed;
    this.random = seeded(options.seed);
  }

  /** How often the trial does what it does: its own number unless the caller asked for another. */
  rounds(own: number): number {
    return this.#options.rounds ?? own;
  }

  say(line: string): void {
    this.#options.say(line);
  }

  /** Three workers that host the tally chart, whose partner keeps its ledger on a server of its own. Ends with the trial. */
  async cluster(options: Partial<ClusterOptions> = {}): Promise<Cluster> {
    this.#partner ??= await this.#startPartner();
    this.#clusters += 1;
    this.#pastLoads.push(...this.#loads.splice(0));
    this.recorder = new HistoryRecorder();
    const cluster = await Cluster.start({
      module: new URL('../trial-chart.js', import.meta.url).href,
      given: { url: this.#partner.url, ledger: this.#ledger },
      seed: this.seed,
      ...options,
    });
    this.#ends.push(() => cluster.close());
    this.#durability = options.durability ?? 'memory';
    await this.servedBy(cluster.server().url);
    return cluster;
  }

  /** Notes the version of the server for the report. */
  async servedBy(url: string): Promise<void> {
    const info = String(await askRedis(url, ['INFO', 'server']));
    this.#redisVersion = /redis_version:(\S+)/.exec(info)?.[1] ?? 'unknown';
  }

  /** Starts load and a subscriber, and resolves when answers come. */
  async load(cluster: Cluster, options: StageLoadOptions = {}): Promise<StageLoad> {
    const { clients: count = CLIENTS, proxied = false, namespace = cluster.namespaces[0] ?? '', ...more } = options;
    const { url, name = namespace, subscriberResumes = true, ...rest } = more;
    const door = proxied ? await cluster.door(namespace) : undefined;
    const place = url === undefined ? undefined : { url };
    const clients: Client[] = [];
    for (let i = 0; i < count; i += 1) clients.push(await cluster.connect(namespace, door ?? place));
    const recorded = clients.map((client, i) => this.recorder.process(`${name}-${i}`, client));
    const namespaces = [namespace, ...cluster.namespaces.filter((other) => other !== namespace)];
    const named = name === namespace ? {} : { name };
    const load = new Load({ ...rest, ...named, seed: this.seed, clients: recorded, namespaces });
    const subscriber = new Subscriber(
      await cluster.connect(namespace, place),
      seeded(this.seed + 1),
      subscriberResumes,
    );
    const started: StageLoad = { load, subscriber, namespace, name, door };
    this.#loads.push(started);
    this.#ends.push(() => Promise.all([load.stop(), subscriber.stop().catch(() => undefined)]));
    await cluster.until('answers come', () => load.answered > WARM_ANSWERS);
    this.#before = await readingOf(cluster);
    return started;
  }

  /** The faults are over: ends all load, waits until everything has settled, and audits. What is allowed is declared here. */
  async finish(cluster: Cluster, allowances: Allowances = {}, settleMs = SETTLE_MS): Promise<AuditReport> {
    this.say('the faults are over');
    for (const { door } of this.#loads) door?.clearRules();
    await Promise.all(this.#loads.map(({ load }) => load.stop()));
    await cluster.settled({ deadlineMs: settleMs });
    for (const { subscriber, namespace } of this.#loads) {
      const client = cluster.client(namespace);
      await cluster.until('the subscriber has heard everything', async () =>
        (await client.shardViews()).every(({ shard, head }) => subscriber.position(shard) >= head),
      );
    }
    this.say('settled; auditing');
    return await this.audited(cluster, allowances);
  }

  /** Ends all load and audits what is there: the end of `finish`, and for a cluster that will never settle. */
  async audited(cluster: Cluster, allowances: Allowances = {}): Promise<AuditReport> {
    await Promise.all(this.#loads.map(({ load }) => load.stop()));
    await Promise.all(this.#loads.map(({ subscriber }) => subscriber.stop()));
    const [recorder, loads, before] = [this.recorder, this.#loads, this.#before];
    const ledger = await this.ledger();
    this.#keep(cluster, ledger);
    const report = await auditCluster({ cluster, recorder, loads, ledger, before, allowances });
    this.evidence.set(`audit-${this.#clusters}`, () => report);
    this.judge(report);
    return report;
  }

  /** Takes over what an audit found. What it could not decide does not hold either: nobody has seen it hold. */
  judge(report: AuditReport, about = ''): void {
    this.lookedAt(report.invariants);
    for (const { invariant, where, words } of [...report.violations, ...report.undecided])
      this.violated(`${invariant}: ${about}${where}: ${words}`);
  }

  /** Adds to how much was looked at; violations are told one by one. */
  lookedAt(invariants: readonly InvariantReport[]): void {
    for (const [id, verdict] of verdictsOf(invariants))
      this.invariants.set(id, sumOf(this.invariants.get(id), verdict));
  }

  /** Adds what clients of another kind than the loads' were told. */
  tell(counts: Counts): void {
    for (const word of Object.keys(this.told) as (keyof Counts)[]) this.told[word] += counts[word];
  }

  /** What is written down when something did not hold. */
  #keep(cluster: Cluster, ledger: readonly LedgerAct[]): void {
    const { history } = this.recorder;
    const number = this.#clusters;
    this.evidence.set(`history-${number}`, () => history);
    this.evidence.set(`ledger-${number}`, () => ledger);
    for (const { subscriber, name } of this.#loads)
      this.evidence.set(`journal-${number}-${name}`, () => subscriber.entries);
    this.evidence.set(`logs-${number}`, () => cluster.workers.map(({ id, lines }) => ({ id, lines })));
  }

  get #ledger(): string {
    return `${LEDGER}-${this.#clusters}`;
  }

  /** Everything the partner was asked by the present cluster, oldest first. */
  async ledger(): Promise<readonly LedgerAct[]> {
    if (this.#partner === undefined) return [];
    const rows = (await askRedis(
      this.#partner.url,
      ['LRANGE', this.#ledger, '0', '-1'],
      10_000,
    )) as readonly RedisReply[];
    return rows.map((row) => JSON.parse(String(row)) as LedgerAct); // As trial-chart.ts notes them.
  }

  /** A figure of the report. */
  measure(name: string, value: number, unit: string): void {
    this.measures.push({ name, value: Math.round(value * 10) / 10, unit });
    this.say(`${name}: ${Math.round(value * 10) / 10} ${unit}`);
  }

  /** Median, 99th percentile and largest of some values. */
  measureSpread(name: string, values: readonly number[], unit: string): void {
    const sorted = [...values].sort((a, b) => a - b);
    const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
    this.measure(`${name} p50`, at(0.5), unit);
    this.measure(`${name} p99`, at(0.99), unit);
    this.measure(`${name} max`, sorted.at(-1) ?? 0, unit);
  }

  /** Something did not hold: the trial goes on, and its verdict is `violated`. */
  violated(words: string): void {
    this.#violations += 1;
    if (this.reasons.length < REASONS_MAX) this.reasons.push(words);
    this.say(`VIOLATED: ${words.split('\n', 1)[0]}`);
  }

  /** `violated` unless it holds. */
  expect(holds: boolean, words: string): void {
    if (!holds) this.violated(words);
  }

  get hasViolations(): boolean {
    return this.#violations > 0;
  }

  /** Ends the trial as not run. */
  cannotRun(why: string): never {
    throw new CannotRun(why);
  }

  /** Ends with the trial, in reverse order. */
  atEnd(end: () => Promise<unknown>): void {
    this.#ends.push(end);
  }

  get counts(): Counts {
    const sum: Counts = { ...this.told };
    for (const { load } of [...this.#pastLoads, ...this.#loads])
      for (const word of Object.keys(sum) as (keyof Counts)[]) sum[word] += load.counts[word];
    return sum;
  }

  get durability(): string {
    return this.#durability;
  }

  get versions(): { readonly node: string; readonly redis: string; readonly emboss: string } {
    return { node: process.versions.node, redis: this.#redisVersion, emboss: embossVersion() };
  }

  /** Ends everything that was started; for the runner. */
  async close(): Promise<void> {
    for (const end of this.#ends.reverse()) await end();
    this.#ends.length = 0;
  }

  async #startPartner(): Promise<ClusterServer> {
    const partner = await ClusterServer.start('partner');
    this.#ends.push(() => partner.close());
    return partner;
  }
}

/** What two audits of one trial came to. */
function sumOf(one: InvariantVerdict | undefined, other: InvariantVerdict): InvariantVerdict {
  if (one === undefined || 'notLookedAt' in one) return other;
  if ('notLookedAt' in other) return one;
  return {
    checked: one.checked + other.checked,
    violations: one.violations + other.violations,
    undecided: one.undecided + other.undecided,
  };
}

/** Monotonic ms since `since`. */
export const elapsed = (since: number): number => systemClock.monotonic() - since;

function embossVersion(): string {
  const manifest = readFileSync(new URL('../../../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(manifest) as { readonly version: string }).version;
}
