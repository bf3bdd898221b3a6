// Trial 24: the functions are gone from the Redis server, and then another library stands under their name, one that marks
// what it writes.

import { pause, systemClock } from '../../clock.ts';
import { functionName, library, libraryName } from '../../functions/library.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { askRedis } from '../redis-probe.ts';
import { violationsOf } from './audit.ts';
import type { Stage, StageLoad } from './stage.ts';
import type { Trial } from './trial.ts';

const ROUNDS = 3;
const MARK = 'commits of another library';
const WRONG_MS = 4_000;

export const functionLibrary: Trial = {
  number: 24,
  name: 'function-library',
  fault: 'FUNCTION FLUSH under load; then another library under the same name, as an older version would be',
  expects:
    'all stops and loads its own library, once each; under another one nothing is committed, and it is said; I1 to I8 hold',
  seconds: 60,
  async run(stage) {
    const cluster = await stage.cluster();
    const started = await stage.load(cluster);
    const before = await loadsOf(cluster);
    const back: number[] = [];
    const rounds = stage.rounds(ROUNDS);
    for (let round = 1; round <= rounds; round += 1) {
      back.push(await flushed(cluster, started));
      stage.say(`round ${round} of ${rounds}: flushed, and back after ${Math.round(back.at(-1) ?? 0)} ms`);
    }
    const loads = (await loadsOf(cluster)) - before;
    const wrong = await underAnother(stage, cluster, started);
    const report = await stage.finish(cluster);
    stage.measure('libraries loaded after a flush, by all workers', loads / rounds, 'loads per flush');
    stage.measure('commits under another version', wrong, 'commits');
    stage.measure('invariants broken', violationsOf(report, 'I1', 'I2', 'I3'), 'cases');
    stage.measureSpread('until answers come again after a flush', back, 'ms');
    stage.expect(wrong === 0, `${wrong} commits ran in another library`);
  },
};

async function flushed(cluster: Cluster, { load }: StageLoad): Promise<number> {
  const flushedAt = systemClock.monotonic();
  await askRedis(cluster.server().url, ['FUNCTION', 'FLUSH']);
  const { answered } = load;
  await cluster.until('answers come again', () => load.answered > answered + 20);
  const took = systemClock.monotonic() - flushedAt;
  await cluster.owned();
  return took;
}

/** Returns how many of its commits were executed. */
async function underAnother(stage: Stage, cluster: Cluster, { load }: StageLoad): Promise<number> {
  const { url } = cluster.server();
  const { source } = await library();
  const name = functionName('commit');
  const register = "redis.register_function(named('commit'), commit)";
  if (!source.includes(register)) throw new Error(`the library does not register its commit as: ${register}`);
  const marking = `redis.register_function(named('commit'), function(keys, args)
    redis.call('INCR', '${MARK}')
    return commit(keys, args)
  end)`;
  const suffix = name.slice(name.lastIndexOf('_') + 1); // Of the names, and how the hash begins.
  const other = source.replace(register, marking).replaceAll(suffix, '00000000');
  await askRedis(url, ['FUNCTION', 'LOAD', 'REPLACE', other]);
  await pause(systemClock, WRONG_MS);
  const { answered } = load;
  const wrong = Number(await askRedis(url, ['GET', MARK]));
  await askRedis(url, ['DEL', MARK]);
  await askRedis(url, ['FUNCTION', 'DELETE', libraryName]);
  const { length } = cluster.workers.filter(({ state }) => state === 'ended');
  stage.say(`another library: ${wrong} commits, ${length} workers ended`);
  for (const worker of cluster.workers) if (worker.state === 'ended') await worker.start();
  await cluster.until('answers come again', () => load.answered > answered + 20);
  await cluster.owned();
  return wrong;
}

/** How often a library was loaded since the server started. */
async function loadsOf(cluster: Cluster): Promise<number> {
  const stats = String(await askRedis(cluster.server().url, ['INFO', 'commandstats']));
  return Number(/cmdstat_function\|load:calls=(\d+)/.exec(stats)?.[1] ?? 0);
}
