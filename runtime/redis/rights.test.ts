// Goal: each door is given what the code uses, nothing less and nothing more, and a right that is taken away stops a call before
// its first write. Method: the commands are read from the code; a worker and a client work under exactly the printed users; a
// user loses one command after the other, and "wrote nothing" is a DUMP of everything.

import { readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { connect } from '../client.ts';
import { innerCommands, ruleOf } from '../functions/inner.ts';
import { loadLibrary } from '../functions/library.ts';
import { actorId, namespace } from '../ids.ts';
import { startRedis } from '../testing/redis-server.ts';
import { TrialSpace } from '../testing/trial-space.ts';
import type { Connection } from './connection.ts';
import { connect as connectRedis } from './connector.ts';
import { checkRights, type Door, NEEDS, patternsOf, rulesOf } from './rights.ts';
import { parseDurability } from './server.ts';

const MEMORY = parseDurability('memory');
const server = await startRedis();
const raw: Connection = await connectRedis('query', server.url);
const { redis } = raw;
t.teardown(async () => {
  await raw.close();
  await server.stop();
});

// --- What the code uses ---------------------------------------------------------------------------------------------------

const RUNTIME = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..', 'runtime');
const LIBRARY_METHODS = new Set([
  'acl_check_cmd',
  'call',
  'on',
  'off',
  'disconnect',
  'connect',
  'pipeline',
  'exec',
  'status',
]);

/** Files that `entry` imports for what they do, without those in `without`. */
function closure(entry: string, without: readonly string[]): readonly string[] {
  const found = new Set<string>();
  const visit = (file: string): void => {
    if (found.has(file) || without.includes(relative(RUNTIME, file))) return;
    found.add(file);
    for (const [, path = ''] of readFileSync(file, 'utf8').matchAll(
      /^(?:im|ex)port (?!type )[^;]*?from '(\.[^']+)';/gm,
    ))
      visit(join(dirname(file), path));
  };
  visit(join(RUNTIME, entry));
  return [...found].sort();
}

/** Commands that a file sends by itself. FCALLs, whose name is computed, are the functions' matter. */
function commandsOf(file: string): readonly string[] {
  const source = readFileSync(file, 'utf8');
  const named = /\b(?:command\(\s*\[|redis\s*\.call\(|size\()\s*'([A-Z]+)'(?:,\s*'([A-Z]+)')?/g;
  const methods = /\b(?:redis|transaction)\s*\.(\w+)\((?:'([A-Z]+)')?/g;
  const found = [
    ...Array.from(source.matchAll(named), ([, name = '', first]) => ruleOf(name, first)),
    ...Array.from(source.matchAll(methods), ([, method = '', first]) =>
      LIBRARY_METHODS.has(method) ? '' : ruleOf(method.toUpperCase(), first),
    ),
    source.includes('redis.multi()') ? 'exec' : '',
  ];
  return found.filter((name) => name !== '');
}

t.test('every command that the code sends is among the rights of its door, and no other is', async (t) => {
  const ALWAYS = ['client|setname', 'select']; // By the client library.
  // Loading is tried and not needed; scripts are for the lock.
  const ELSEWHERE = new Set(['function|load', 'eval', 'evalsha']);
  const used = (entry: string, ...without: string[]): ReadonlySet<string> =>
    new Set([...closure(entry, ['redis/copies.ts', ...without]).flatMap(commandsOf), ...ALWAYS]);
  const lockOnly = ['shards/redlock.ts'];
  const host = used('worker.ts', ...lockOnly);
  // Of the membership a client only reads how an entry looks.
  const client = used('client/connect.ts', 'shards/membership.ts');
  for (const [door, found] of [
    ['host', host],
    ['client', client],
  ] as const) {
    const needed = [...found].filter((name) => !ELSEWHERE.has(name)).sort();
    t.same([...new Set(NEEDS[door].commands)].sort(), [...new Set([...needed, 'fcall'])].sort(), door);
  }
  t.same(
    [...commandsOf(join(RUNTIME, 'redis/copies.ts'))].sort(),
    [...(NEEDS.host.copying ?? [])].sort(),
    'at replicas:n',
  );
  const inner = await innerCommands();
  t.same(inner.get('finish'), ['hdel', 'hexists', 'hget', 'hincrby', 'hset', 'incrby', 'time', 'xadd', 'zadd', 'zrem']);
  t.ok(inner.get('commit')?.includes('xgroup|setid'));
  const functions = Object.values(NEEDS).flatMap((needs) => needs.functions);
  t.same([...new Set(functions)].sort(), [...inner.keys()].sort(), 'each function has a door that may call it');
});

// --- What a user is given ---------------------------------------------------------------------------------------------------

/** Makes a user with exactly these doors of a namespace, and gives its URL. */
async function user(name: string, doors: readonly (readonly [Door, string])[], level = 'memory'): Promise<string> {
  const selectors: string[] = [];
  for (const [door, ns] of doors)
    selectors.push(`(${[...patternsOf(door, ns), ...(await rulesOf(door, parseDurability(level)))].join(' ')})`);
  await redis.call('ACL', 'SETUSER', name, 'reset', 'on', `>pw`, ...selectors);
  return `redis://${name}:pw@127.0.0.1:${server.port}`;
}

t.test('worker, client and lock do their work under exactly their rights', async (t) => {
  await loadLibrary(redis);
  await redis.call('ACL', 'LOG', 'RESET');
  const ns = 'acl';
  const asWorker = await user('worker', [
    ['host', ns],
    ['relay', 'other'],
  ]);
  const asClient = await user('client', [['client', ns]]);
  const asLock = await user('lock', [['lock', ns]]);
  const space = await TrialSpace.open(t, redis, { url: asClient, namespace: ns });
  const peers = { other: { url: asWorker } };
  const worker = await space.host(undefined, { url: asWorker, lockUrls: [asLock], peers });
  const second = await space.host(undefined, { url: asWorker, lockUrls: [asLock], peers });
  const A = actorId('act_a');
  for (const type of ['ADD', 'WORK']) await space.ask(A, { type, id: type });
  await space.reaches(A, 'worked');
  for (const type of ['UNDO', 'ARM', 'DISARM', 'ARM']) await space.ask(A, { type, id: type });
  await space.reaches(A, 'fired');
  await space.ask(A, { type: 'TELL', to: 'act_b', namespace: ns, ids: ['1', '2'] });
  await space.ask(A, { type: 'TELL', to: 'act_c', namespace: 'other', ids: ['1'] });
  await space.until('the messages arrive', async () => (await space.seen(actorId('act_b'))).length === 2);
  await space.ask(A, { type: 'POST', id: 'p' });
  await space.send(A, { type: 'THROW' }, 'bad');
  await space.until('it is parked', async () => (await space.client.parked()).length === 1);
  await space.client.redrive(A, 'me');
  await space.client.discard(A, 'me');
  await space.until('it goes on', async () => (await space.client.parked()).length === 0);
  const { client } = space;
  await client.history(A);
  for await (const _ of client.actorsOf(client.shardOf(A)));
  await client.population('tally');
  await client.inState('tally', 'fired');
  await client.stored(A);
  await client.journal(0, 0, 10);
  await client.timers();
  await client.circuits();
  await client.workerViews();
  await client.pin(0, worker.worker);
  await client.putRecord('r1', 'x');
  t.equal(await client.getRecord('r1'), 'x');
  t.equal(await client.dropRecord('r1'), true);
  await client.keep('k', 'v', 1_000);
  t.equal(await client.take('k'), 'v');
  t.equal(await client.once('o', 1_000), true);
  await client.limit('l', { count: 1, perMs: 10, burst: 1 });
  await client.ping();
  await second.stop();
  await space.until('the first takes over', () => worker.shards().length === space.shards);
  await space.settled();
  t.same(await redis.call('ACL', 'LOG'), []);
  const other = await connectRedis('query', asClient);
  t.teardown(() => other.close());
  await t.rejects(other.redis.hset('{acl:0}:owner', 'token', 'mine'), /NOPERM/, 'the api writes nothing as owner');
  await t.rejects(other.redis.call('FCALL', 'emboss_v1_commit', '1', '{acl:0}:inbox'), /NOPERM/);
});

t.test('whoever lacks a right is refused at the start, with the line that grants it', async (t) => {
  await loadLibrary(redis);
  const ns = namespace('acl');
  for (const door of ['host', 'relay', 'client', 'lock'] as const) {
    const url = await user(`door-${door}`, [[door, ns]], 'replicas:1');
    const connection = await connectRedis(door === 'lock' ? 'lock' : 'query', url, { callDeadlineMs: 2_000 });
    t.teardown(() => connection.close());
    const asked = { door, namespace: ns, durability: parseDurability('replicas:1') };
    await checkRights(connection, asked);
    const rules = await rulesOf(door, asked.durability);
    const unheard: string[] = [];
    for (const gone of [...rules, ...patternsOf(door, ns)]) {
      const left = [...patternsOf(door, ns), ...rules].filter((rule) => rule !== gone);
      await redis.call('ACL', 'SETUSER', `door-${door}`, 'clearselectors', `(${left.join(' ')})`);
      const error = await checkRights(connection, asked).then(
        () => undefined,
        (reason: { code?: string; message: string }) => reason,
      );
      if (error?.code !== 'redis-denied' || !error.message.includes(gone)) unheard.push(gone);
      const line = /ACL SETUSER \S+ (\([^)]*\))/.exec(error?.message ?? '')?.[1] ?? '';
      await redis.call('ACL', 'SETUSER', `door-${door}`, line);
      await checkRights(connection, asked).catch(() => unheard.push(`${gone} by its line`));
    }
    t.same(unheard, [], door);
  }
});

t.test('a user who may not load the library is told who has to', async (t) => {
  const bare = await startRedis();
  t.teardown(() => bare.stop());
  const admin = await connectRedis('query', bare.url);
  const rules = [...patternsOf('client', 'acl'), ...(await rulesOf('client', MEMORY))].join(' ');
  await admin.redis.call('ACL', 'SETUSER', 'client', 'on', '>pw', `(${rules})`);
  const url = `redis://client:pw@127.0.0.1:${bare.port}`;
  const options = { namespace: 'acl', url, secret: 'a secret of trials', config: { shards: 1, timeScale: 1 } };
  await t.rejects(connect(options), { code: 'library-missing', message: /emboss functions load/ });
  await loadLibrary(admin.redis);
  const client = await connect(options);
  await client.close();
  await admin.close();
});
