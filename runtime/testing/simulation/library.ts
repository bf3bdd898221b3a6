// The function library with virtual time: the product's own source, but for the one place where it asks the server what time
// it is. That place must be found exactly once, or a simulation would mix two times unseen.

import { library, libraryName } from '../../functions/library.ts';
import type { Executor } from './executor.ts';

/** Where the simulation keeps its time for the functions: ms since 1970. */
export const NOW_KEY = 'simulation:now';

const ASKED = /redis\.p?call\(\s*['"](?:TIME|time)['"]\s*\)/g;
const VIRTUAL = `(function()
    local ms = tonumber(redis.call('GET', '${NOW_KEY}'))
    return { math.floor(ms / 1000), (ms % 1000) * 1000 }
  end)()`;

/** Puts the library, told the time by us, on the real server. Its hash stays the product's, so that workers take it for theirs. */
export async function loadVirtualLibrary(executor: Executor): Promise<void> {
  const { source } = await library();
  await executor.ask('FUNCTION', 'FLUSH', 'SYNC');
  const loaded = await executor.ask('FUNCTION', 'LOAD', withVirtualTime(source));
  if (loaded !== libraryName) throw new Error(`the simulation expected ${libraryName}, loaded ${String(loaded)}`);
}

/** Pure. Throws unless the clock is asked in exactly one place. */
export function withVirtualTime(source: string): string {
  const places = source.match(ASKED)?.length ?? 0;
  const mentions = source.replace(/--.*$/gm, '').match(/['"]TIME['"]/gi)?.length ?? 0;
  if (places !== 1 || mentions !== 1)
    throw new Error(`the library asks for the time in ${places} places, ${mentions} mention it: expected one`);
  return source.replace(ASKED, VIRTUAL);
}
