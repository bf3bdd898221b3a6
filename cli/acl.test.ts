// Goal: the users that `emboss acl` prints can be typed as they are, and are enough. Method: a private server whose users are
// exactly those; the operator loads the functions, a worker and a client start, and the default user is off.

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import t from 'tap';
import { connect } from '../runtime/client.ts';
import { host } from '../runtime/index.ts';
import { askRedis } from '../runtime/testing/redis-probe.ts';
import { startRedis } from '../runtime/testing/redis-server.ts';
import { projectRoot } from './project.ts';

const emboss = (...args: string[]) =>
  spawnSync(process.execPath, [join(projectRoot, 'cli', 'emboss.mjs'), ...args], { encoding: 'utf8', timeout: 20_000 });

t.test(
  'the printed users are enough to load the functions, to host, to lock and to ask, and for nothing else',
  async (t) => {
    const server = await startRedis();
    t.teardown(() => server.stop());
    const { users } = JSON.parse(emboss('acl', '--json').stdout) as { users: { user: string; rules: string[] }[] };
    for (const { user, rules } of users)
      await askRedis(server.url, ['ACL', 'SETUSER', user, ...rules.map((rule) => rule.replace('PASSWORD', 'pw'))]);
    t.match(emboss('acl').stdout, /^ACL SETUSER emboss-ordering reset on ">PASSWORD" "\(~\{ord:\*\}/);
    await askRedis(server.url, ['ACL', 'LOG', 'RESET']);
    const as = (user: string): string => `redis://${user}:pw@127.0.0.1:${server.port}`;

    const config = { shards: 1, timeScale: 1 };
    const client = { namespace: 'ord', url: as('emboss-api'), secret: 'a secret of trials', config };
    await t.rejects(connect(client), { code: 'library-missing' });
    const url = as('emboss-operator');
    t.match(JSON.parse(emboss('functions', 'load', '--url', url, '--json').stdout), { library: 'emboss_v1' });
    const { libraries } = JSON.parse(emboss('functions', 'list', '--url', url, '--json').stdout);
    t.match(libraries, [{ library: 'emboss_v1', hash: /^[0-9a-f]{8}$/ }]);
    const denied = (await askRedis(server.url, ['ACL', 'LOG'])) as readonly unknown[];
    t.equal(denied.length, 1, 'only what was refused above');

    const own = as('emboss-ordering');
    const options = { namespace: 'ord', worker: 'ordering.1', url: own, charts: [], shards: 1, watchdog: false };
    await t.rejects(host(options), {
      code: 'redis-denied',
      message: /lacks \+eval;.*ACL SETUSER emboss-ordering \(~lock/,
    });
    const worker = await host({ ...options, lockUrls: [as('emboss-lock')], peers: { dlv: { url: own } } });
    const opened = await connect(client);
    t.ok((await opened.ping()) >= 0);
    await opened.close();
    await worker.stop();
    t.match(emboss('functions', 'drop', 'emboss_v1', '--url', url), { status: 2, stderr: /--yes/ });
    t.match(emboss('functions', 'drop', 'emboss_v1', '--url', url, '--yes').stdout, /emboss_v1 is dropped/);
  },
);
