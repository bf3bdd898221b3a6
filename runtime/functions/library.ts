// The library of Redis Functions: assembled from the *.lua files beside this one, loaded once per version, never replaced.
//
// A library is immutable under its name (design: Redis). Loading one that exists is a success once the hash from its
// `meta` function agrees; another hash under the same name stops the process.

import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import type { Redis } from 'ioredis';
import { OperatingError } from '../errors.ts';

/**
 * The one place that names the version. Raised with every change of a released function, so that workers of both versions
 * run side by side while they are replaced (docs/operating.md, "Upgrading").
 */
export const libraryVersion = 1;
export const libraryName = `emboss_v${libraryVersion}`;

/** Full name of a function of this version at the server. */
export const functionName = (name: string): string => `${libraryName}_${name}`;

export interface Library {
  readonly source: string;
  readonly hash: string;
}

let assembled: Promise<Library> | undefined;

/** Reads and joins the sources: common first, the others by name. Cached per process. */
export function library(): Promise<Library> {
  assembled ??= assemble();
  return assembled;
}

async function assemble(): Promise<Library> {
  const here = new URL('./', import.meta.url);
  const names = (await readdir(here)).filter((name) => name.endsWith('.lua')).sort();
  if (!names.includes('common.lua')) {
    throw new OperatingError('library-missing', `no Lua sources in ${here.pathname}: build the project first`);
  }
  const ordered = ['common.lua', ...names.filter((name) => name !== 'common.lua')];
  const parts = await Promise.all(ordered.map((name) => readFile(new URL(name, here), 'utf8')));
  const body = parts.join('\n');
  const hash = createHash('sha256').update(body).digest('hex').slice(0, 16);
  // Each file keeps its locals to itself, so that two files may use one name; common is shared by all.
  const blocks = parts.slice(1).map((part) => `do\n${part}\nend`);
  const source = `#!lua name=${libraryName}\nlocal LIBRARY, LIBRARY_HASH = '${libraryName}', '${hash}'\n${parts[0]}\n${blocks.join('\n')}\n`;
  return { source, hash };
}

/** Loads the library on the server behind `redis`, or checks that it is there. Two round trips at most. */
export async function loadLibrary(redis: Redis): Promise<Library> {
  const wanted = await library();
  try {
    await redis.call('FUNCTION', 'LOAD', wanted.source);
  } catch (error) {
    if (!String((error as Error).message).includes('already exists')) {
      throw new OperatingError('library-refused', `Redis refused the function library ${libraryName}`, {
        cause: error,
      });
    }
  }
  const found = await redis.call('FCALL', functionName('meta'), '0');
  if (found !== wanted.hash) {
    throw new OperatingError(
      'library-differs',
      `Redis holds another ${libraryName} (hash ${String(found)}, ours ${wanted.hash}): finish the rolling upgrade, or drop it with FUNCTION DELETE ${libraryName} while no worker runs`,
    );
  }
  return wanted;
}
