// Trial 34: one call to Redis fails, each in turn: the k-th of every kind that a short life of a namespace makes, once before it
// is executed and once after, with its reply lost. Each in a fresh namespace, behind a proxy of its own, audited by itself.
//
// Counting is exact where calls follow from what is asked: every kind of call is counted by itself, commands are given one
// after the other, and each is waited for until all is quiet. Calls that follow from time (beats, blocked reads) are counted
// up to a bound. A fault that nothing met is not covered, and said.

import { type Client, connect } from '../../client.ts';
import { shortName } from '../../functions/library.ts';
import type { Host } from '../../host.ts';
import { type ActorId, actorId } from '../../ids.ts';
import type { Event } from '../../json.ts';
import { host } from '../../worker.ts';
import { type AuditReport, audit } from '../audit/audit.ts';
import type { LedgerAct } from '../audit/evidence.ts';
import { HistoryRecorder, type RecordedClient } from '../audit/recorder.ts';
import { ClusterServer } from '../cluster/cluster-server.ts';
import { isQuiet } from '../cluster/quiet.ts';
import { askRedis, type RedisReply } from '../redis-probe.ts';
import { type RedisProxy, type StandingRule, startRedisProxy } from '../redis-proxy.ts';
import { charts, trialChart } from '../trial-chart.ts';
import { quickLimits } from '../trial-space.ts';
import { waitUntil } from '../waiting.ts';
import { unanswered } from './load.ts';
import type { Stage } from './stage.ts';
import type { Trial } from './trial.ts';

const SHARDS = 2;
const AT_ONCE = 3; // Namespaces played side by side.
const ASK_MS = 1_000;
const DEADLINE_MS = 60_000;
const STARTS_MAX = 5;
const LEDGER = 'ledger';
/** Kinds whose number follows from time alone: so many of each are tried. */
const BY_TIME_MAX = 2;
/** Of the kinds that follow from what is asked. */
const BY_COMMAND: readonly string[] = ['send', 'receive', 'claim', 'commit', 'begin', 'finish', 'release', 'join'];
const AFTER_MS_MAX = 10_000; // A trim comes within 6.3 s.

type Mode = 'lose-request' | 'lose-reply';

interface Point {
  readonly kind: string;
  /** From 1 on. */
  readonly k: number;
  readonly mode: Mode;
}

export const everyCall: Trial = {
  number: 34,
  name: 'every-call',
  fault: 'the k-th call of each kind fails, for every k, before it is executed and after',
  expects: 'I1 to I4 hold for each k, and the work gets done',
  seconds: 60,
  async run(stage) {
    const server = await ClusterServer.start('every-call');
    stage.atEnd(() => server.close());
    const counted = await lived(stage, server, 'count', undefined);
    const points = pointsOf(counted.calls);
    const unseen = BY_COMMAND.filter((kind) => !counted.calls.has(kind));
    stage.expect(unseen.length === 0, `nobody called ${unseen.join(', ')}: their failures were not tried`);
    stage.say([...counted.calls].map(([kind, times]) => `${kind} ${times}`).join(', '));
    const limit = Math.min(points.length, stage.rounds(points.length));
    const todo = points.slice(0, limit).entries();
    const missed: string[] = [];
    let done = 0;
    const loop = async (): Promise<void> => {
      for (const [index, point] of todo) {
        const { hit } = await lived(stage, server, `k${index}`, point);
        if (!hit) missed.push(`${point.kind} ${point.k} ${point.mode}`);
        done += 1;
        if (done % 20 === 0) stage.say(`${done} of ${limit}, ${missed.length} not met`);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, loop));
    stage.measure('kinds of calls', counted.calls.size, 'kinds');
    stage.measure('n', limit, 'calls and ways to fail');
    stage.measure('k covered', limit - missed.length, 'calls and ways to fail');
    for (const words of missed) stage.say(`not met: ${words}`);
    const must = missed.filter((words) => BY_COMMAND.includes(words.split(' ', 1)[0] ?? ''));
    stage.expect(must.length === 0, `these calls did not come again: ${must.join(', ')}`);
  },
};

function pointsOf(calls: ReadonlyMap<string, number>): readonly Point[] {
  const points: Point[] = [];
  for (const [kind, times] of [...calls].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const most = BY_COMMAND.includes(kind) ? times : Math.min(times, BY_TIME_MAX);
    for (let k = 1; k <= most; k += 1)
      for (const mode of ['lose-request', 'lose-reply'] as const) points.push({ kind, k, mode });
  }
  return points;
}

/** A function by its own name, other commands by theirs; undefined for what only opens a connection. */
function kindOf([command = '', name = '']: readonly string[]): string | undefined {
  const upper = command.toUpperCase();
  if (upper === 'FCALL') return shortName(name);
  if (upper === 'EVAL') return 'EVALSHA'; // The same call, of whoever is the first of the server.
  return /^(HELLO|AUTH|CLIENT|INFO|PING|SELECT|QUIT|COMMAND|FUNCTION|CONFIG|ROLE)$/.test(upper) ? undefined : upper;
}

interface Lived {
  readonly calls: ReadonlyMap<string, number>;
  /** The fault was met. */
  readonly hit: boolean;
}

async function lived(stage: Stage, server: ClusterServer, name: string, point: Point | undefined): Promise<Lived> {
  const proxy = await startRedisProxy(server, { seed: stage.seed });
  const life = new Life(server, proxy, name);
  try {
    const report = await life.run(point);
    stage.judge(report, `${JSON.stringify(point ?? 'no fault')}: `);
    return { calls: life.calls, hit: point === undefined || (life.rule?.hits ?? 0) > 0 };
  } catch (error) {
    stage.violated(`${name}, ${JSON.stringify(point)}: ${String(error)}`);
    return { calls: life.calls, hit: true };
  } finally {
    await life.close();
    await proxy.close();
  }
}

/** One namespace, from its first start to its worker's end. Everything goes through the proxy but what is looked at. */
class Life {
  readonly calls = new Map<string, number>();
  rule: StandingRule | undefined;
  readonly #server: ClusterServer;
  readonly #proxy: RedisProxy;
  readonly #name: string;
  readonly #recorder = new HistoryRecorder();
  readonly #clients: Client[] = [];
  #worker: Host | undefined;
  #asked = 0;

  constructor(server: ClusterServer, proxy: RedisProxy, name: string) {
    this.#server = server;
    this.#proxy = proxy;
    this.#name = name;
  }

  async run(point: Point | undefined): Promise<AuditReport> {
    const client = await this.#connect(this.#proxy.url);
    const direct = await this.#connect(this.#server.url);
    this.#proxy.tap((words) => this.#count(words)); // From the same moment on as the rule counts.
    if (point !== undefined) {
      const { kind, k, mode } = point;
      const of = (words: readonly string[]): boolean => kindOf(words) === kind;
      this.rule = this.#proxy.addRule({ of, skip: k - 1, times: 1, fault: { kind: mode } });
    }
    await this.#host();
    await this.#script(this.#recorder.process(this.#name, client), direct);
    const { rule } = this;
    if (rule !== undefined && point?.kind !== 'release' && point?.kind !== 'leave')
      await this.#until('the fault was met', () => rule.hits > 0, AFTER_MS_MAX).catch(() => undefined);
    else if (point === undefined) await this.#until('a trim', () => (this.calls.get('trim') ?? 0) >= BY_TIME_MAX);
    // A fault so late is followed by work, too: its shard must serve.
    await this.#ask(this.#recorder.process(this.#name, client), this.#actor('a'), { type: 'ADD', id: 'last' });
    await this.#until('all is quiet', () => isQuiet([direct]));
    await this.#worker?.stop();
    return await audit({
      clients: [direct],
      charts: [trialChart()],
      history: this.#recorder.history,
      ledger: await this.#ledger(),
    });
  }

  async close(): Promise<void> {
    await this.#worker?.stop();
    await Promise.all(this.#clients.map((client) => client.close()));
  }

  /** Everything a namespace does, each once or twice: create, apply, refuse, repeat, tell, effects, timers, cancel. */
  async #script(client: RecordedClient, direct: Client): Promise<void> {
    const [a, b, c] = [this.#actor('a'), this.#actor('b'), this.#actor('c')];
    const told = this.#apart(direct, a);
    const steps: readonly (readonly [ActorId, Event, string?])[] = [
      [a, { type: 'ADD', id: '1' }],
      [b, { type: 'ADD', id: '2' }, 'twice'],
      [b, { type: 'ADD', id: '2' }, 'twice'],
      [a, { type: 'TELL', to: told, namespace: this.#name, ids: ['t1', 't2'] }],
      [a, { type: 'LEAVE' }],
      [a, { type: 'WORK', id: 'w' }],
      [b, { type: 'POST', id: 'p' }],
      [c, { type: 'ARM' }],
      [c, { type: 'DISARM' }],
      [c, { type: 'NAP' }],
      [c, { type: 'DISARM' }],
    ];
    for (const [actor, event, messageId] of steps) {
      await this.#ask(client, actor, event, messageId);
      await this.#until(`quiet after ${event.type}`, () => isQuiet([direct]));
    }
  }

  async #ask(client: RecordedClient, actor: ActorId, event: Event, id?: string): Promise<void> {
    this.#asked += 1;
    const messageId = id ?? `m${this.#asked}`;
    const command = { actor, event, messageId, create: { machine: 'tally', input: {} } };
    await this.#until(`${event.type} is answered`, async () => {
      const told = await client.ask(command, { timeoutMs: ASK_MS }).catch(unanswered);
      return told.kind === 'answered';
    });
  }

  /** As a supervisor does: a start that met the fault is begun again. */
  async #host(): Promise<void> {
    for (let tries = 1; this.#worker === undefined; tries += 1) {
      try {
        this.#worker = await host({
          namespace: this.#name,
          worker: `${this.#name}.1`,
          url: this.#proxy.url,
          charts: charts({ url: this.#server.url, ledger: LEDGER }),
          shards: SHARDS,
          limits: quickLimits,
          watchdog: false,
          log: { info: () => undefined, warn: () => undefined, error: () => undefined },
        });
      } catch (error) {
        if (tries >= STARTS_MAX) throw error;
      }
    }
  }

  #count(words: readonly string[]): void {
    const kind = kindOf(words);
    if (kind !== undefined) this.calls.set(kind, (this.calls.get(kind) ?? 0) + 1);
  }

  #actor(name: string): ActorId {
    return actorId(`${this.#name}.${name}`);
  }

  /** An actor of another shard: what it is told goes through the outbox. */
  #apart(client: Client, from: ActorId): ActorId {
    for (let i = 0; ; i += 1) {
      const actor = this.#actor(`h${i}`);
      if (client.shardOf(actor) !== client.shardOf(from)) return actor;
    }
  }

  async #connect(url: string): Promise<Client> {
    const options = { namespace: this.#name, url, secret: 'a secret of trials' };
    const client = await connect({ ...options, config: { shards: SHARDS, timeScale: 1 } });
    this.#clients.push(client);
    return client;
  }

  async #ledger(): Promise<readonly LedgerAct[]> {
    const rows = (await askRedis(this.#server.url, ['LRANGE', LEDGER, '0', '-1'], 10_000)) as readonly RedisReply[];
    const acts = rows.map((row) => JSON.parse(String(row)) as LedgerAct); // As trial-chart.ts notes them.
    return acts.filter(({ actor }) => actor.startsWith(`${this.#name}.`));
  }

  async #until(what: string, look: () => boolean | Promise<boolean>, deadlineMs = DEADLINE_MS): Promise<void> {
    const diagnose = async (): Promise<unknown> => ({
      calls: [...this.calls],
      views: await this.#clients[1]?.shardViews(),
    });
    await waitUntil(what, look, { deadlineMs, diagnose });
  }
}
