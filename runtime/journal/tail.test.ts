// Goal: a reader that comes back to a position is told when what stood there was undone, whenever that happened (P1, P2).
// Method: a real server and real connections; journals written by hand, so that their tails can be lost at a chosen moment.

import t, { type Test } from 'tap';
import { systemClock } from '../clock.ts';
import { namespace } from '../ids.ts';
import type { JournalPosition } from '../messages.ts';
import type { Connection } from '../redis/connection.ts';
import { connect } from '../redis/connector.ts';
import { shardKeys } from '../redis/keys.ts';
import { type RedisServer, startRedis } from '../testing/redis-server.ts';
import { waitUntil } from '../testing/waiting.ts';
import { startTail } from './tail.ts';

const server: RedisServer = await startRedis();
const beside: Connection = await connect('query', server.url);
const { redis } = beside;
t.teardown(async () => {
  await beside.close();
  await server.stop();
});

let journals = 0;

/** A journal in which `owner` wrote so many entries. */
async function journalOf(count: number, owner = '1:old'): Promise<string> {
  const { journal } = shardKeys(namespace('tail'), journals++);
  await write(journal, 1, count, owner);
  return journal;
}

async function write(journal: string, first: number, last: number, owner: string): Promise<void> {
  for (let number = first; number <= last; number += 1)
    await redis.xadd(journal, `0-${number}`, 'h', `R ${owner} 0 act_a 1 m${number}`);
}

/** The server loses the journal above `kept`; a later owner writes it again up to `last`. */
async function lose(journal: string, kept: number, last: number): Promise<void> {
  const stays = await redis.xrange(journal, '-', `0-${kept}`);
  await redis.del(journal);
  for (const [id, fields] of stays) await redis.xadd(journal, id, ...fields);
  await write(journal, kept + 1, last, '2:new');
}

interface Told {
  readonly told: string[];
  positions(): readonly JournalPosition[];
  /** Waits until the reader stands at that number of the first journal. */
  reaches(number: number): Promise<unknown>;
}

async function follow(
  t: Test,
  keys: readonly string[],
  from?: readonly JournalPosition[],
  over: (reader: Connection) => Connection = (reader) => reader,
): Promise<Told> {
  const reader = over(await connect('tail', server.url, { name: `tail-${keys.length}` }));
  const tail = await startTail(reader, keys, systemClock, from === undefined ? from : new Map(from.entries()));
  t.teardown(() => tail.close());
  const told: string[] = [];
  tail.listen({
    entry: ({ shard, position, token }) => void told.push(`${shard}: ${position} ${token}`),
    rewound: ({ shard, position, token }) => void told.push(`${shard}: rewound to ${position} ${token}`),
  });
  const positions = () => [...tail.positions().values()];
  return {
    told,
    positions,
    reaches: (number) =>
      waitUntil(`position ${number}`, () => positions()[0]?.number === number, { diagnose: () => told }),
  };
}

/** Ends the socket of a reader, and waits for the next one. */
async function cut(reader: Connection): Promise<void> {
  const { generation } = reader;
  reader.redis.disconnect(true);
  await waitUntil('the reader is connected again', () => reader.generation > generation);
}

/** Once the first call is answered, what it saw is gone. */
function losingAfterFirstLook(journal: string): (real: Connection) => Connection {
  return (real) => {
    let looks = 0;
    const call: Connection['call'] = async (what, run, ms) => {
      const found = await real.call(what, run, ms);
      looks += 1;
      if (looks > 1) return found;
      await lose(journal, 3, 7);
      await cut(real);
      return found;
    };
    return Object.create(real, { call: { value: call } }) as Connection;
  };
}

t.test('P2: a reader that was away is told what was undone meanwhile, and nothing where nothing was', async (t) => {
  const old = '1:old';
  const cases: readonly (readonly [
    string,
    JournalPosition,
    (journal: string) => Promise<unknown>,
    readonly string[],
  ])[] = [
    [
      'the same entry',
      { number: 3, token: old },
      (journal) => write(journal, 6, 6, old),
      ['4 1:old', '5 1:old', '6 1:old'],
    ],
    ['written again past it', { number: 5, token: old }, (journal) => lose(journal, 3, 8), ['rewound to 8 2:new']],
    ['written again up to it', { number: 5, token: old }, (journal) => lose(journal, 4, 5), ['rewound to 5 2:new']],
    ['lost and not written again', { number: 5, token: old }, (journal) => lose(journal, 4, 4), ['rewound to 4 1:old']],
    ['lost above it', { number: 3, token: old }, (journal) => lose(journal, 3, 4), ['4 2:new']],
    ['lost whole', { number: 5, token: old }, (journal) => redis.del(journal), ['rewound to 0 ']],
    ['trimmed', { number: 2, token: old }, (journal) => redis.xtrim(journal, 'MINID', '0-4'), ['4 1:old', '5 1:old']],
    ['nothing was seen', { number: 0, token: '' }, (journal) => lose(journal, 0, 1), ['1 2:new']],
    ['a position without token', { number: 5, token: '' }, async () => undefined, ['rewound to 5 1:old']],
  ];
  const keys: string[] = [];
  for (const [, , happens] of cases) {
    const journal = await journalOf(5);
    await happens(journal);
    keys.push(journal);
  }
  const reader = await follow(
    t,
    keys,
    cases.map(([, position]) => position),
  );
  const expected = cases.flatMap(([, , , lines], shard) => lines.map((line) => `${shard}: ${line}`));
  await waitUntil('all is told', () => reader.told.length >= expected.length, { diagnose: () => reader.told });
  for (const [index, key] of keys.entries()) await write(key, 100, 100, `9:${index}`); // Behind it, nothing else can come.
  await waitUntil('all reach the end', () => reader.positions().every(({ number }) => number === 100));
  for (const [shard, [what, , , lines]] of cases.entries()) {
    const own = reader.told
      .filter((line) => line.startsWith(`${shard}: `))
      .map((line) => line.slice(`${shard}: `.length));
    t.same(own, [...lines, `100 9:${shard}`], what);
  }
  t.same(reader.positions()[1], { number: 100, token: '9:1' });
});

t.test('P2: what is undone while a reader looks is found by another look', async (t) => {
  const journal = await journalOf(5);
  const reader = await follow(t, [journal], [{ number: 5, token: '1:old' }], losingAfterFirstLook(journal));
  await reader.reaches(7);
  await write(journal, 8, 8, '2:new');
  await reader.reaches(8);
  t.same(reader.told, ['0: rewound to 7 2:new', '0: 8 2:new']);
});

t.test('P2: what a read gives that another server answered is looked at first', async (t) => {
  const journal = await journalOf(5);
  let reads = 0;
  const reader = await follow(t, [journal], [{ number: 5, token: '1:old' }], (real) => {
    const block: Connection['block'] = async (what, ms, run) => {
      reads += 1;
      if (reads === 1) {
        await lose(journal, 3, 7); // The look was before, the read comes after.
        await cut(real);
      }
      return await real.block(what, ms, run);
    };
    return Object.create(real, { block: { value: block } }) as Connection;
  });
  await reader.reaches(7);
  await write(journal, 8, 8, '2:new');
  await reader.reaches(8);
  t.same(reader.told, ['0: rewound to 7 2:new', '0: 8 2:new']);
});

t.test('P2: what is undone while a reader begins at the head is told', async (t) => {
  const journal = await journalOf(5);
  const reader = await follow(t, [journal], undefined, losingAfterFirstLook(journal));
  await reader.reaches(7);
  await write(journal, 8, 8, '2:new');
  await reader.reaches(8);
  t.same(reader.told, ['0: rewound to 7 2:new', '0: 8 2:new']);
});
