// The example of docs/trials.md: somebody's own chart on a cluster of real processes, through a crash and a partition.
//
// The file is both sides: the trial below, and the module that each worker process imports for its `charts`.

import { setup } from 'xstate';
import { actorId, type Hosted } from '../index.ts';
import { Cluster } from './index.ts';

const doorbell = setup({ types: {} as { events: { type: 'RING' } } }).createMachine({
  initial: 'quiet',
  states: { quiet: { on: { RING: 'rung' } }, rung: { on: { RING: 'quiet' } } },
});

export const charts: readonly Hosted[] = [{ machine: doorbell, name: 'doorbell', version: '1' }];

/** Rings once before and once after each fault. Gives how often the bell was rung, as its journal tells. */
export async function ringThroughFaults(): Promise<number> {
  const cluster = await Cluster.start({
    module: import.meta.url,
    namespaces: ['bells'],
    workers: 2,
    shards: 4,
    seed: 7,
  });
  const client = cluster.client('bells');
  const bell = actorId('bell');
  const ring = (messageId: string): Promise<boolean> =>
    cluster.until(`the ring ${messageId} is answered`, async () => {
      const command = { actor: bell, event: { type: 'RING' }, messageId, create: { machine: 'doorbell', input: {} } };
      return (await client.ask(command)).kind === 'answered'; // Asked again under its id, it is the same ring.
    });
  const owner = async () => cluster.worker((await client.shardViews())[client.shardOf(bell)]?.owner ?? 'no owner');
  try {
    await ring('first');
    const first = await owner();
    await first.kill();
    await ring('after the crash');
    await first.start();
    await cluster.owned();

    const second = await owner();
    second.proxy(cluster.server()).addRule({ of: 'FCALL', times: 1, fault: { kind: 'lose-reply' } });
    await ring('with a lost reply');
    second.cut();
    await ring('behind a partition');
    second.heal();
    await cluster.settled();
    return (await client.history(bell)).filter(({ event }) => event?.type === 'RING').length;
  } finally {
    await cluster.close();
  }
}
