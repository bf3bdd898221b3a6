// The documented example does what its text says: a chart of one's own, through the public doors alone.

import t from 'tap';
import { type Client, connect } from './client.ts';
import { hostKettles } from './example.ts';
import { startRedis, waitUntil } from './testing/index.ts';

t.test("somebody's own chart is hosted: asked, called for, timed, stopped and started again", async (t) => {
  const redis = await startRedis();
  const heated: string[] = [];
  const heat = async (key: string): Promise<number> => {
    heated.push(key);
    return 96;
  };
  let worker = await hostKettles(redis.url, heat);
  const client: Client = await connect({ namespace: 'kitchen', url: redis.url, secret: 'sixteen letters!' });
  t.teardown(async () => {
    await Promise.all([worker.stop(), client.close()]);
    await redis.stop();
  });

  const actor = client.derive('ket', 'the one in the kitchen');
  const command = {
    actor,
    event: { type: 'HEAT' },
    messageId: 'tea at four',
    create: { machine: 'kettle', input: {} },
  };
  t.match(await client.ask(command, { timeoutMs: 5_000 }), {
    kind: 'answered',
    replayed: false,
    answer: { kind: 'applied', version: 2 },
  });
  t.match(await client.ask(command), { kind: 'answered', replayed: true, answer: { kind: 'applied', version: 2 } });
  const hot = await waitUntil('it is hot', async () => (await client.read(actor, { floor: 3 }))?.context);
  t.same(hot, { degrees: 96 });

  await worker.stop();
  worker = await hostKettles(redis.url, heat);
  await waitUntil('it is cold again', async () => (await client.read(actor))?.value === 'cold');
  const history = await client.history(actor);
  t.same(
    history.map(({ kind, sequence, states }) => `${kind} ${sequence} ${states}`),
    ['moved 1 cold', 'moved 2 heating', 'moved 3 hot', 'moved 4 cold'],
  );
  t.equal(heated.length, 1);
  const refused = await client.ask({ actor, event: { type: 'EMPTY' }, messageId: 'nothing in it' });
  t.match(refused, { answer: { kind: 'refused', allowed: ['HEAT'] } });
});
