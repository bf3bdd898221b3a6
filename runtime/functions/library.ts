// The library of Redis Functions: assembled from the *.lua files beside this one, loaded once per version, never replaced.
//
// A library is immutable under its name (design: Redis). Loading one that exists is a success once the hash from its
// `meta` function agrees; another hash under the same name stops the process.

import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import type { Redis } from 'ioredis';
import { OperatingError } from '../errors.ts';
import type { Connection } from '../redis/connection.ts';
import { serversOf } from '../redis/topology.ts';

/**
 * The one place that names the version. Raised with every change of a released function, so that workers of both versions
 * run side by side while they are replaced (docs/operating.md, "Upgrading").
 */
export const libraryVersion = 1;
export const libraryName = `emboss_v${libraryVersion}`;

export interface Library {
  readonly source: string;
  readonly hash: string;
}

/**
 * Full name of a function of this version at the server. It ends with the hash of the library, so that no call is ever
 * executed by another one that stands under the library's name.
 */
export const functionName = (name: string): string => `${libraryName}_${name}_${suffixOf(assembled().hash)}`;

/** The name of a function in its source, such as `commit`, out of its full name under any version; '' for another's function. */
export const shortName = (full: string): string => /^emboss_v\d+_(.+)_[0-9a-f]+$/.exec(full)?.[1] ?? '';

let known: Library | undefined;

/** Reads and joins the sources: common first, the others by name. Once per process. */
function assembled(): Library {
  known ??= assemble();
  return known;
}

export const library = async (): Promise<Library> => assembled();

const SUFFIX_CHARS = 8;
const suffixOf = (hash: string): string => hash.slice(0, SUFFIX_CHARS);

function assemble(): Library {
  const here = new URL('./', import.meta.url);
  const names = readdirSync(here)
    .filter((name) => name.endsWith('.lua'))
    .sort();
  if (!names.includes('common.lua')) {
    throw new OperatingError('library-missing', `no Lua sources in ${here.pathname}: build the project first`);
  }
  const ordered = ['common.lua', ...names.filter((name) => name !== 'common.lua')];
  const parts = ordered.map((name) => readFileSync(new URL(name, here), 'utf8'));
  const body = parts.join('\n');
  const hash = createHash('sha256').update(body).digest('hex').slice(0, 16);
  // Each file keeps its locals to itself, so that two files may use one name; common is shared by all.
  const blocks = parts.slice(1).map((part) => `do\n${part}\nend`);
  const facts = `local LIBRARY, LIBRARY_HASH, LIBRARY_SUFFIX = '${libraryName}', '${hash}', '${suffixOf(hash)}'`;
  const source = `#!lua name=${libraryName}\n${facts}\n${parts[0]}\n${blocks.join('\n')}\n`;
  return { source, hash };
}

/** For ConnectOptions: what a server needs that lacks our functions. */
export const libraryFit = (server: Connection): Promise<Library> => loadLibrary(server.redis);

/** Loads the library on every master; replicas get it from theirs. */
export async function loadLibraries(connection: Connection): Promise<void> {
  await Promise.all(serversOf(connection).map(libraryFit));
}

/** Looks at a server whose library is dropped while we look. One is usual where an operator drops it; a loop gets no more. */
const LOOKS_MAX = 4;

/**
 * Checks that the library is on the server behind `redis`, and loads it where it is not. A user who may not load needs somebody
 * who has: OperatingError `library-missing` says so. One round trip, three where it is loaded, seven before it gives up.
 */
export async function loadLibrary(redis: Redis): Promise<Library> {
  const wanted = await library();
  let found = await loadedHash(redis);
  let wasLoaded = false;
  for (let looks = 1; found === undefined && looks < LOOKS_MAX; looks += 1) {
    if (await load(redis, wanted)) wasLoaded = true;
    found = await loadedHash(redis); // Still undefined: somebody dropped it just now, or the name is taken without our functions.
  }
  if (found === wanted.hash) return wanted;
  // Once it could be loaded, nobody else has the name: a process must not end for good over what will be gone the next time.
  if (found === undefined && wasLoaded) {
    const words = `the function library ${libraryName} is dropped again as soon as it is loaded: somebody runs FUNCTION DELETE or FLUSH`;
    throw new OperatingError('redis-unavailable', words, { retry: 'here' });
  }
  throw new OperatingError(
    'library-differs',
    `Redis holds another ${libraryName} (${found === undefined ? 'without our functions' : `hash ${String(found)}`}, ours ${wanted.hash}): finish the rolling upgrade, or drop it with FUNCTION DELETE ${libraryName} while no worker runs`,
  );
}

/** Undefined where our functions are not. */
async function loadedHash(redis: Redis): Promise<unknown> {
  try {
    return await redis.call('FCALL', functionName('meta'), '0');
  } catch (error) {
    if (wordsOf(error).includes('Function not found')) return undefined;
    if (wordsOf(error).startsWith('NOPERM')) {
      const rule = `+fcall|${functionName('meta')}`;
      const line = `this Redis user may not call our functions; grant ${rule}, or use the users that \`emboss acl\` prints`;
      throw new OperatingError('redis-denied', line, { cause: error });
    }
    throw error;
  }
}

/** False where a library of that name is there: somebody was quicker, or it is another one. */
async function load(redis: Redis, wanted: Library): Promise<boolean> {
  try {
    await redis.call('FUNCTION', 'LOAD', wanted.source);
    return true;
  } catch (error) {
    if (wordsOf(error).includes('already exists')) return false;
    if (wordsOf(error).startsWith('NOPERM')) {
      const words = `the function library ${libraryName} is not on the server and this Redis user may not load it: an operator runs \`emboss functions load\` first`;
      throw new OperatingError('library-missing', words, { cause: error });
    }
    throw new OperatingError('library-refused', `Redis refused the function library ${libraryName}`, { cause: error });
  }
}

const wordsOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
