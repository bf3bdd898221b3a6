// Trial 10: the Redis server is killed and started again on the same append-only file, under both fsync modes. What was handed
// to the kernel stays.

import { pause, systemClock } from '../../clock.ts';
import { violationsOf } from './audit.ts';
import type { Stage } from './stage.ts';
import type { Trial } from './trial.ts';

const ROUNDS = 10; // Under each fsync mode.
const LIVES_MS = [500, 2_500] as const;

const MODES = [
  { durability: 'fsync', fsync: 'always' },
  { durability: 'memory', fsync: 'everysec' },
] as const;

export const killedRedis: Trial = {
  number: 10,
  name: 'killed-redis',
  fault: `SIGKILL to the Redis server and a start on the same append-only file, ${ROUNDS} times with appendfsync always and everysec each`,
  expects: 'no acknowledged command is lost, nobody ever hears NOGROUP, I1 to I8 hold',
  seconds: 90,
  async run(stage) {
    for (const mode of MODES) await killedUnder(stage, mode);
  },
};

async function killedUnder(stage: Stage, { durability, fsync }: (typeof MODES)[number]): Promise<void> {
  const cluster = await stage.cluster({ durability, serverArgs: ['--appendfsync', fsync] });
  const { load } = await stage.load(cluster);
  const server = cluster.server();
  let noGroup = 0;
  for (const worker of cluster.workers)
    worker.proxy(server).tap((_, reply) => (noGroup += reply.subarray(0, 200).includes('NOGROUP') ? 1 : 0));
  const outages: number[] = [];
  const rounds = stage.rounds(ROUNDS);
  const [least, most] = LIVES_MS;
  for (let round = 1; round <= rounds; round += 1) {
    await pause(systemClock, least + stage.random() * (most - least));
    const killedAt = systemClock.monotonic();
    await server.kill();
    const { answered } = load;
    await server.start();
    await cluster.until('answers come again', () => load.answered > answered);
    outages.push(systemClock.monotonic() - killedAt);
    await cluster.owned();
    stage.say(`${fsync}, round ${round} of ${rounds}: away for ${Math.round(outages.at(-1) ?? 0)} ms`);
  }
  const report = await stage.finish(cluster);
  stage.measure(`acknowledged commands lost with ${fsync}`, violationsOf(report, 'I1'), 'commands');
  stage.measure(`NOGROUP with ${fsync}`, noGroup, 'replies');
  stage.measureSpread(`outage with ${fsync}, from the kill to the next answer`, outages, 'ms');
  stage.expect(noGroup === 0, `NOGROUP was answered ${noGroup} times with ${fsync}`);
  await cluster.close();
}
