// Loading the function library while somebody drops it.

import t from 'tap';
import { connect } from '../redis/connector.ts';
import { startRedis } from '../testing/redis-server.ts';
import { library, libraryName, loadLibrary } from './library.ts';

t.test('a library that is dropped while it is loaded is loaded again, and never taken for another one', async (t) => {
  const { hash } = await library();
  const other = await startRedis();
  t.teardown(() => other.stop());
  const second = await connect('writer', other.url);
  t.teardown(() => second.close());
  /** The server, with somebody who drops the library behind each of the next loads. */
  const dropped = (times: number): typeof second.redis =>
    new Proxy(second.redis, {
      get: (real, name) =>
        name !== 'call'
          ? Reflect.get(real, name)
          : async (command: string, ...args: string[]) => {
              const reply = await real.call(command, ...args);
              if (args[0] === 'LOAD' && times-- > 0) await real.call('FUNCTION', 'DELETE', libraryName);
              return reply;
            },
    });
  t.equal((await loadLibrary(dropped(1))).hash, hash, 'dropped once');
  await second.redis.call('FUNCTION', 'FLUSH');
  await t.rejects(loadLibrary(dropped(99)), { code: 'redis-unavailable', retry: 'here' }, 'dropped for ever');
  t.equal((await loadLibrary(dropped(0))).hash, hash);
});
