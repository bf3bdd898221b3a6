// Settings: what is read, what is refused with which words, and that the written table and example are the schema's.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { type Environment, readSettings, SettingsError, SettingsSchema } from './settings.ts';
import { environmentExample, settingsPage } from './settings-docs.ts';

const project = new URL('../../../', import.meta.url).pathname; // From build/actors/contract.

function problemsOf(environment: Environment): readonly string[] {
  try {
    readSettings(environment);
  } catch (error) {
    if (error instanceof SettingsError) return error.problems;
    throw error;
  }
  return [];
}

t.test('an empty environment gives complete development settings, and says so', async (t) => {
  const settings = readSettings({}, '/somewhere');
  t.equal(settings.redisUrl, 'redis://127.0.0.1:6379');
  t.equal(settings.redisUrlGiven, false);
  t.same(settings.ports, { public: 8080, internal: 8081, courier: 8082, partner: 8083, simulator: 8090 });
  t.equal(settings.shards, 64);
  t.equal(settings.timeScale, 1, 'production and foreign Procfile runners live in real time');
  t.equal(settings.dataDir, '/somewhere/.data');
  t.equal(settings.partnersUrl, 'http://127.0.0.1:8090');
  t.equal(settings.callbackUrl, 'http://127.0.0.1:8083');
  t.same(settings.lockRedisUrls, []);
  t.equal(settings.workerId, undefined);
  t.match(settings.notices, [
    /EMBOSS_SECRET is not set: the public development secret is used/,
    /EMBOSS_MASTER_KEYS is not set: .*made from EMBOSS_SECRET/,
  ]);
  t.ok(Object.isFrozen(settings));
});

t.test('what is given is taken, and what follows from it follows', async (t) => {
  const settings = readSettings({
    REDIS_URL: 'redis://one:6379',
    EMBOSS_DELIVERY_REDIS_URL: 'redis+unix:///run/redis.sock',
    LOCK_REDIS_URLS: 'redis://a:1, redis://b:2,redis://c:3',
    EMBOSS_TIME_SCALE: '3600',
    EMBOSS_SECRET: 'a secret that is long enough',
    EMBOSS_PUBLIC_PORT: '9000',
    EMBOSS_SHARDS: '', // As in a copied .env.example: empty means not given.
  });
  t.equal(settings.orderingRedisUrl, 'redis://one:6379');
  t.equal(settings.deliveryRedisUrl, 'redis+unix:///run/redis.sock');
  t.same(settings.lockRedisUrls, ['redis://a:1', 'redis://b:2', 'redis://c:3']);
  t.equal(settings.apiUrl, 'http://127.0.0.1:9000');
  t.same(settings.origins, ['http://127.0.0.1:9000', 'http://localhost:9000']);
  t.equal(settings.shards, 64);
  t.notMatch(settings.partnerSecret, /long enough/, 'the partners’ secret does not give ours away');
  t.match(settings.notices, [
    /EMBOSS_MASTER_KEYS is not set/,
    'EMBOSS_TIME_SCALE is 3600: a business day passes in 24 s.',
  ]);
});

t.test(
  'every fault is named at once, with the setting, what it takes and what it got; secrets and URLs are not quoted',
  async (t) => {
    const problems = problemsOf({
      EMBOSS_SHARDS: 'many',
      EMBOSS_PUBLIC_PORT: '70000',
      EMBOSS_LOG_LEVEL: 'loud',
      EMBOSS_DURABILITY: 'replicas:0',
      EMBOSS_SECRET: 'short',
      REDIS_URL: 'http://user:password@host',
    });
    t.equal(problems.length, 6);
    const text = problems.join('\n');
    t.match(text, 'EMBOSS_SHARDS must be integer, got "many"');
    t.match(text, 'EMBOSS_PUBLIC_PORT must be <= 65535, got "70000"');
    t.match(text, 'EMBOSS_LOG_LEVEL must be one of fatal, error, warn, info, debug, trace, silent, got "loud"');
    t.match(text, 'EMBOSS_DURABILITY');
    t.match(text, 'EMBOSS_SECRET must NOT have fewer than 16 characters');
    t.notMatch(text, /short|password/);
    t.match(problemsOf({ NODE_ENV: 'production' }), ['EMBOSS_SECRET is required when NODE_ENV is production']);
    const almost = { NODE_ENV: 'production', EMBOSS_SECRET: 'not the development one' };
    t.match(problemsOf(almost), [/EMBOSS_MASTER_KEYS is required when NODE_ENV is production.*openssl/]);
    const wrong = problemsOf({ EMBOSS_MASTER_KEYS: 'm1:c2VjcmV0LWtleQ==' });
    t.match(wrong, [/EMBOSS_MASTER_KEYS must match/]);
    t.notMatch(wrong, [/c2Vjc/], 'a key is never quoted');
    t.match(problemsOf({ EMBOSS_OBJECTS_URL: 's3+https://host/bucket' }), [/are given together/]);
    t.match(
      readSettings({ EMBOSS_OBJECTS_URL: 's3+http://127.0.0.1:9000/cards?region=eu-1', EMBOSS_OBJECTS_KEY: 'a:b:c' })
        .objects,
      { url: 'http://127.0.0.1:9000/cards', region: 'eu-1', accessKey: 'a', secretKey: 'b:c' },
    );
    t.match(readSettings({ EMBOSS_SHARD: '3' }).notices.join('\n'), 'EMBOSS_SHARD is not a setting and is ignored');
  },
);

t.test('lock masters are 1, 3 or 5 different servers; a weight is a share from 0 to 16', async (t) => {
  const problemOf = (urls: string) => problemsOf({ LOCK_REDIS_URLS: urls });
  t.same(problemOf('redis://a,redis://b'), ['LOCK_REDIS_URLS takes 1, 3 or 5 servers, got 2']);
  t.match(problemOf('redis://a,redis://b,redis://u:secret@a:6379/3'), [/one server twice: number 3/]);
  t.match(problemOf('redis+unix:///run/a,redis+unix:///run/b,redis+unix:///run/a'), [/one server twice: number 3/]);
  t.match(problemOf('redis://a,http://u:secret@b,redis://c'), [/no Redis URL: number 2/]);
  t.notMatch(problemOf('http://u:secret@b').join(), /secret/, 'a password is not quoted');
  t.same(problemOf('redis://a:1,redis://a:2,rediss://a:3'), [], 'another port is another server');
  t.same(problemOf('redis+unix:///run/a'), []);
  t.equal(readSettings({}).weight, 1);
  t.equal(readSettings({ EMBOSS_WEIGHT: '2.5' }).weight, 2.5);
  for (const weight of ['-1', '17', 'heavy', 'Infinity', '-Infinity', '1e999', 'NaN'])
    t.match(problemsOf({ EMBOSS_WEIGHT: weight }), [/EMBOSS_WEIGHT must be/]);
});

t.test('the worker id: ours, else what Procfile runners set', async (t) => {
  const idOf = (environment: Environment) => readSettings(environment).workerId;
  t.equal(idOf({ EMBOSS_WORKER_ID: 'ordering.2', PS: 'ordering.1' }), 'ordering.2');
  t.equal(idOf({ EMBOSS_WORKER_ID: 'ordering' }), 'ordering.1');
  t.equal(idOf({ EMBOSS_WORKER_ID: 'ordering-0' }), 'ordering.0', 'a StatefulSet counts from 0');
  t.equal(idOf({ PS: 'ordering.1' }), 'ordering.1', 'foreman');
  t.equal(idOf({ FOREMAN_WORKER_NAME: 'delivery.3' }), 'delivery.3', 'node-foreman');
  t.equal(idOf({ HONCHO_PROCESS_NAME: 'delivery.3' }), 'delivery.3', 'honcho');
  t.equal(idOf({ DYNO: 'ordering.7' }), 'ordering.7', 'Heroku');
  t.equal(idOf({ PS: '/bin/ps' }), undefined, 'PS may be anything');
  t.match(problemsOf({ EMBOSS_WORKER_ID: 'two words' }), [/EMBOSS_WORKER_ID/]);
});

t.test('docs/settings.md and .env.example are what the schema says: npm run docs:settings', async (t) => {
  t.equal(readFileSync(join(project, 'docs/settings.md'), 'utf8'), settingsPage());
  t.equal(readFileSync(join(project, '.env.example'), 'utf8'), environmentExample());
  for (const [name, field] of Object.entries(SettingsSchema.properties)) {
    t.ok((field as { description?: string }).description, `${name} is described`);
  }
});
