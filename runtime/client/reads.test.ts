// Goal: pages of the state index hold each actor once, in one order over all shards. Method: sets with many equal times on a
// real server, read in pages of every size and compared with the whole.

import { test } from 'tap';
import { type Client, connect, type Standing } from '../client.ts';
import { namespace } from '../ids.ts';
import { shardKeys } from '../redis/keys.ts';
import { startRedis } from '../testing/index.ts';
import { askRedis } from '../testing/redis-probe.ts';

const SHARDS = 3;

test('pages of actors in a state hold each of them once, the longest there first, also where many came at once', async (t) => {
  const redis = await startRedis();
  t.teardown(() => redis.stop());
  const ns = namespace('pages');
  const client: Client = await connect({
    ...{ namespace: ns, url: redis.url, secret: 'a-secret-for-tests-only' },
    config: { shards: SHARDS, timeScale: 1 },
  });
  t.teardown(() => client.close());
  for (let i = 0; i < 40; i++) {
    const since = 1_000 + Math.floor(i / 13) * 5; // Thirteen in each millisecond, spread over the shards.
    const id = `a_${String((i * 7) % 40).padStart(2, '0')}`;
    await askRedis(redis.url, ['ZADD', shardKeys(ns, i % SHARDS).state('m', 's'), String(since), id]);
  }
  const whole = await client.inState('m', 's', 1_000);
  t.equal(whole.length, 40);
  const naive = [...whole].sort((a, b) => a.since - b.since || a.actor.localeCompare(b.actor));
  t.same(whole, naive, 'by time, then by id');
  for (const size of [1, 2, 3, 5, 13, 39, 40, 41]) {
    const pages: Standing[] = [];
    for (let page = await client.inState('m', 's', size); page.length > 0; ) {
      pages.push(...page);
      page = await client.inState('m', 's', size, page.at(-1));
    }
    t.same(pages, whole, `in pages of ${size}`);
  }
  t.same(await client.inState('m', 'other', 5), []);
});
