// Trial 46: workers are replaced one by one by those of another version with another library of functions, back and forth,
// under load from clients of both versions. Then the old library is dropped.
//
// The other version is a copy of the build whose one constant says 2 (functions/library.ts).

import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Client } from '../../client.ts';
import { pause, systemClock } from '../../clock.ts';
import { OperatingError } from '../../errors.ts';
import { libraryName, libraryVersion } from '../../functions/library.ts';
import { dropFunctions, functionLibraries } from '../../functions/operator.ts';
import { actorId } from '../../ids.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { LifeOptions } from '../cluster/cluster-worker.ts';
import type { Mutant } from '../mutants/mutant.ts';
import { ProjectCopy } from '../mutants/project-copy.ts';
import { violationsOf } from './audit.ts';
import type { LoadClient } from './load.ts';
import type { Stage } from './stage.ts';
import type { Trial } from './trial.ts';

const NEXT = `emboss_v${libraryVersion + 1}`;
const ACTORS = 8;
const TIMEOUT_MS = 2_000;
const TRIES_MAX = 30;
const AFTER_DROP = 40; // Commands of the new version's clients, once the old library is gone.

const raised: Mutant = {
  name: 'next-version',
  law: 'L1',
  file: 'runtime/functions/library.ts',
  find: `export const libraryVersion = ${libraryVersion};`,
  replace: `export const libraryVersion = ${libraryVersion + 1};`,
  tests: [],
  why: 'the version of the library is named in one place',
};

export const rollingUpgrade: Trial = {
  number: 46,
  name: 'rolling-upgrade',
  fault: `workers of ${libraryName} replaced by those of ${NEXT} one by one, back, and again, under load; then ${libraryName} is dropped`,
  expects: 'both libraries serve the same orders side by side, nothing is lost, and a library in use is not dropped',
  seconds: 90,
  async run(stage) {
    const copy = new ProjectCopy();
    stage.atEnd(async () => copy.remove());
    copy.put(raised);
    const cluster = await stage.cluster();
    const { url } = cluster.server();
    const next = await clientOf(stage, cluster, copy.root);
    const old = await cluster.connect('one');
    const { load, subscriber } = await stage.load(cluster);
    await both(cluster);
    const mixed = new Mixed(stage, [old, next]);
    stage.atEnd(() => mixed.stop());

    const built = buildOf(copy.root);
    await replaced(stage, cluster, NEXT, { build: built });
    await refusedToDrop(stage, cluster, url, NEXT);
    await replaced(stage, cluster, libraryName, {});
    await refusedToDrop(stage, cluster, url, libraryName);
    await replaced(stage, cluster, NEXT, { build: built });
    const answered = load.answered;
    await cluster.until('clients of both versions go on', () => load.answered > answered + 50 && mixed.goesOn());
    await load.stop();
    await mixed.stop();

    // What no worker names any more goes: here, by the operator, once the last client of it has ended.
    stage.expect(
      await dropFunctions(url, libraryName, [cluster.client()]),
      `${libraryName} was not there to be dropped`,
    );
    const names = (await functionLibraries(url, [cluster.client()])).map(({ library }) => library);
    stage.expect(names.join(' ') === NEXT, `there are ${names.join(' ')} after ${libraryName} was dropped`);
    await clearlyTold(stage, old);
    await goesOnAlone(stage, stage.recorder.process('next', next));
    const report = await stage.finish(cluster);
    stage.measure('workers replaced', 3 * cluster.workers.length, 'workers');
    stage.measure('commands of both versions on the same orders', mixed.answered, 'commands');
    stage.measure('acknowledged commands lost', violationsOf(report, 'I1'), 'commands');
    stage.measureSpread('an ask during it', load.latencies, 'ms');
    stage.measureSpread('a shard without owner', subscriber.ownerlessMs, 'ms');
  },
};

const buildOf = (root: string): NonNullable<LifeOptions['build']> => {
  const testing = join(root, 'build', 'runtime', 'testing');
  return {
    program: join(testing, 'worker-process.js'),
    module: pathToFileURL(join(testing, 'trial-chart.js')).href,
  };
};

/** A client of the other build: its modules are its own, and so is its library. */
async function clientOf(stage: Stage, cluster: Cluster, root: string): Promise<Client> {
  const path = pathToFileURL(join(root, 'build', 'runtime', 'client.js')).href;
  const { connect } = (await import(path)) as { readonly connect: (options: object) => Promise<Client> }; // As client.ts exports it.
  const client = await connect({
    namespace: 'one',
    url: cluster.server().url,
    secret: 'a secret of trials',
    config: { shards: cluster.shards, timeScale: 1 },
  });
  stage.atEnd(() => client.close());
  return client;
}

/** Both libraries are on the server. */
async function both(cluster: Cluster): Promise<void> {
  await cluster.until('both libraries are loaded', async () => {
    const found = await functionLibraries(cluster.server().url, [cluster.client()]);
    return [libraryName, NEXT].every((name) => found.some(({ library }) => library === name));
  });
}

/** One worker after the other: SIGTERM, and a process of the other version under the same id. */
async function replaced(stage: Stage, cluster: Cluster, library: string, life: LifeOptions): Promise<void> {
  for (const worker of cluster.workers) {
    const how = await worker.stop();
    stage.expect(how === 0, `L4: ${worker.id} was asked to stop and ended with ${how}`);
    await worker.start(life);
    await cluster.owned();
    await cluster.until(`${worker.id} says that it calls ${library}`, async () =>
      (await cluster.client().workerViews()).some((view) => view.worker === worker.id && view.library === library),
    );
  }
  stage.say(`all workers call ${library}`);
}

async function refusedToDrop(stage: Stage, cluster: Cluster, url: string, library: string): Promise<void> {
  const why = await dropFunctions(url, library, [cluster.client()]).catch((error: unknown) => error);
  stage.expect(
    why instanceof OperatingError && why.code === 'library-in-use',
    `${library}, in use, was to be dropped: ${String(why)}`,
  );
}

/** Whoever is left behind hears what is wrong, and nothing of it is carried out. */
async function clearlyTold(stage: Stage, old: Client): Promise<void> {
  const command = { actor: actorId('one.v0'), event: { type: 'ADD', id: 'late' }, messageId: 'late' };
  const told = await old.send(command).catch((error: unknown) => error);
  stage.expect(told instanceof OperatingError, `a client of the dropped library was told ${JSON.stringify(told)}`);
  stage.say(`a client of the dropped library is told: ${String(told)}`);
}

async function goesOnAlone(stage: Stage, client: LoadClient): Promise<void> {
  for (let i = 0; i < AFTER_DROP; i += 1) {
    const command = { actor: actorId(`one.v${i % ACTORS}`), event: { type: 'ADD', id: `d${i}` }, messageId: `d${i}` };
    const told = await client.ask(command, { timeoutMs: 5 * TIMEOUT_MS });
    stage.expect(
      told.kind === 'answered' && told.answer.kind === 'applied',
      `after the drop ${command.actor} answered ${JSON.stringify(told)}`,
    );
  }
}

/** Clients of both versions that command the same few orders in turn, and repeat through the other one what stayed unknown. */
class Mixed {
  readonly #loops: readonly Promise<void>[];
  #stopped = false;
  answered = 0;
  #heard = 0;

  constructor(stage: Stage, clients: readonly Client[]) {
    const recorded = clients.map((client, i) => stage.recorder.process(`mixed-${i}`, client));
    this.#loops = recorded.map((_, i) => this.#loop(stage, recorded, i));
  }

  /** True when they have been answered since the last call. */
  goesOn(): boolean {
    const goes = this.answered > this.#heard + 10;
    if (goes) this.#heard = this.answered;
    return goes;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#loops);
  }

  async #loop(stage: Stage, clients: readonly LoadClient[], index: number): Promise<void> {
    for (let n = 0; !this.#stopped; n += 1) {
      const id = `m${index}-${n}`;
      const actor = actorId(`one.v${n % ACTORS}`);
      const command = { actor, event: { type: 'ADD', id }, messageId: id, create: { machine: 'tally', input: {} } };
      let tries = 0;
      for (; tries < TRIES_MAX; tries += 1) {
        const client = clients[(index + tries) % clients.length] as LoadClient; // There are two.
        const told = await client.ask(command, { timeoutMs: TIMEOUT_MS });
        if (told.kind === 'answered') break;
      }
      stage.expect(tries < TRIES_MAX, `${actor} did not answer ${id} in ${TRIES_MAX} tries`);
      this.answered += 1;
      await pause(systemClock, 10);
    }
  }
}
