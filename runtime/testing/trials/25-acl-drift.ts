// Trial 25: rights are taken from the user of running workers, one command after the other: each command that some function
// makes inside, for a while.

import { readdirSync, readFileSync } from 'node:fs';
import { systemClock } from '../../clock.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { askRedis } from '../redis-probe.ts';
import { violationsOf } from './audit.ts';
import type { Stage, StageLoad } from './stage.ts';
import type { Trial } from './trial.ts';

const USER = 'worker';
const WITHOUT_MS = 1_200; // Hundreds of calls of each function.

export const aclDrift: Trial = {
  number: 25,
  name: 'acl-drift',
  fault: 'each command that functions make inside, xack first, is taken from the user of running workers for a while',
  expects: 'a call that lacks a right writes nothing; the start-up check names what is missing; I1 to I8 hold',
  seconds: 120,
  async run(stage) {
    const cluster = await stage.cluster({
      workerUser: `${USER}:secret`,
      prepared: async ({ url }) =>
        void (await askRedis(url, ['ACL', 'SETUSER', USER, 'on', '>secret', '~*', '&*', '+@all'])),
    });
    const started = await stage.load(cluster);
    const { url } = cluster.server();
    const commands = ['xack', ...innerCommands().filter((name) => name !== 'xack')].slice(0, stage.rounds(1_000));
    for (const name of commands) await without(stage, cluster, started, name);
    await startIsRefused(stage, cluster);
    await askRedis(url, ['ACL', 'SETUSER', USER, '+@all']);
    await restarted(cluster);
    const report = await stage.finish(cluster);
    stage.measure('rights taken away one by one', commands.length, 'commands');
    stage.measure('partial commits', violationsOf(report, 'I1', 'I2', 'I3', 'I6', 'I8'), 'commits');
  },
};

async function without(stage: Stage, cluster: Cluster, { load }: StageLoad, name: string): Promise<void> {
  const { url } = cluster.server();
  await askRedis(url, ['ACL', 'SETUSER', USER, `-${name}`]);
  const until = systemClock.monotonic() + WITHOUT_MS;
  await cluster.until('the time is up', () => systemClock.monotonic() > until, { everyMs: 50 });
  await askRedis(url, ['ACL', 'SETUSER', USER, '+@all']);
  await restarted(cluster);
  const { answered } = load;
  await cluster.until(`answers come again after ${name}`, () => load.answered > answered + 5);
  stage.say(`without ${name}`);
}

/** A worker may end for want of a right: then its supervisor starts it again. */
async function restarted(cluster: Cluster): Promise<void> {
  for (const worker of cluster.workers) if (worker.state === 'ended') await worker.start();
  await cluster.owned();
}

async function startIsRefused(stage: Stage, cluster: Cluster): Promise<void> {
  const [worker] = cluster.workers;
  if (worker === undefined) return;
  await worker.stop();
  await askRedis(cluster.server().url, ['ACL', 'SETUSER', USER, '-xack']);
  const why = await worker.start().then(
    () => 'it started',
    (error: Error) => error.message,
  );
  stage.expect(
    /xack/i.test(why),
    `the start-up check of a worker without xack does not name it: ${why.split('\n', 1)[0]}`,
  );
}

/** In lower case, sorted. */
function innerCommands(): readonly string[] {
  const folder = new URL('../../functions/', import.meta.url);
  const sources = readdirSync(folder)
    .filter((name) => name.endsWith('.lua'))
    .map((name) => readFileSync(new URL(name, folder), 'utf8'));
  const calls = sources.flatMap((text) =>
    Array.from(text.matchAll(/redis\.p?call\('([A-Z]+)'/g), ([, name = '']) => name),
  );
  return [...new Set(calls)].map((name) => name.toLowerCase()).sort();
}
