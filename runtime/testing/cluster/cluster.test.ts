// Goal: the verbs of a cluster do what they say to real processes, and waiting for what does not come is diagnosed. Method:
// the tally chart under quick limits; two namespaces on two servers, three lock masters apart.

import t from 'tap';
import { actorId } from '../../ids.ts';
import { ringThroughFaults } from '../example-cluster.ts';
import { askRedis } from '../redis-probe.ts';
import { quickLimits } from '../trial-space.ts';
import { Cluster } from './cluster.ts';

const module = new URL('../trial-chart.js', import.meta.url).href;
const WITHIN = { deadlineMs: 20_000 };

t.test('one namespace: every verb of a worker, and the others take over', async (t) => {
  const cluster = await Cluster.start({ module, workers: 2, shards: 4, limits: quickLimits, seed: 1 });
  t.teardown(() => cluster.close());
  const [one, two] = [cluster.worker('one.1'), cluster.worker('one.2')];
  const owners = async (): Promise<string> =>
    [...new Set((await cluster.client().shardViews()).map(({ owner }) => owner))].sort().join(' ');
  const taken = (by: string): Promise<unknown> =>
    cluster.until(`${by} owns everything`, async () => (await owners()) === by, WITHIN);
  t.equal(await owners(), 'one.1 one.2');
  t.ok((await one.counters()).handles > 0);

  await one.freeze();
  t.equal(one.state, 'frozen');
  await taken('one.2');
  one.thaw();
  t.equal(one.state, 'running');
  await cluster.until('it is given shards again', async () => (await owners()) === 'one.1 one.2', WITHIN);

  await two.kill();
  t.equal(two.state, 'ended');
  await taken('one.1');
  await t.rejects(two.counters(), /one\.2 is not running/);
  await two.start();
  t.equal(two.lives, 2, 'under the same id');
  await t.rejects(two.start(), /runs already/);
  await cluster.owned(WITHIN);

  one.halfOpen(cluster.server());
  await taken('one.2');
  one.heal();
  await cluster.owned(WITHIN);

  await two.restart({ watchdog: false });
  await cluster.owned(WITHIN);
  await two.stall(1_000);
  await taken('one.1');
  t.ok((await two.counters()).shards !== undefined, 'its loop runs again');

  const three = await cluster.add();
  await cluster.until('it has its share', async () => (await three.counters()).shards.length > 0, WITHIN);
  t.equal(await cluster.remove(three.id), 0, 'it drained');
  t.throws(() => cluster.worker(three.id), /no worker one\.3/);
  t.equal(await one.stop(), 0);

  two.cut(); // It has no successor.
  await cluster.until('the server has lost it', () => two.proxy(cluster.server()).connections === 0);
  two.heal();
  await cluster.owned(WITHIN);

  const crashed = one.launch({ crash: { at: 'after-claim', act: 'kill' } });
  t.equal(await crashed.exited, 'SIGKILL');
  const waiting = cluster.until('pigs fly', () => false, { deadlineMs: 50 });
  await t.rejects(waiting, /not within 50 ms: pigs fly.*one\.2.*state-one.*assigned one\.2/s);
});

t.test('two namespaces on two servers, with lock masters of their own', async (t) => {
  const cluster = await Cluster.start({
    module,
    namespaces: ['here', 'there'],
    servers: 'apart',
    lockMasters: 3,
    workers: 1,
    shards: 2,
    limits: quickLimits,
  });
  t.teardown(() => cluster.close());
  const [first, second] = cluster.servers;
  t.not(first?.port, second?.port);
  for (const lock of cluster.lockServers)
    t.equal(await askRedis(lock.url, ['DBSIZE']), 4, 'the locks of both namespaces, and nothing else');

  const there = cluster.server('there');
  await there.freeze();
  t.equal(there.state, 'frozen');
  const told = await cluster.client('here').ask({
    actor: actorId('teller'),
    event: { type: 'TELL', to: 'hearer', namespace: 'there', ids: ['1', '2'] },
    messageId: 'm',
    create: { machine: 'tally', input: {} },
  });
  t.match(told, { kind: 'answered' });
  there.thaw();
  await cluster.settled(WITHIN);
  t.same((await cluster.client('there').read(actorId('hearer')))?.context.seen, ['1', '2']);

  await cluster.lockServers[0]?.kill();
  await there.kill();
  t.equal(there.state, 'ended');
  await there.start();
  await cluster.owned(WITHIN);
  const again = await cluster.connect('there', await cluster.door('there'));
  t.same((await again.read(actorId('hearer')))?.context.seen, ['1', '2'], 'it has kept what it had');
});

t.test('the documented example rings once per message id, whatever happens', async (t) => {
  t.equal(await ringThroughFaults(), 4);
});
