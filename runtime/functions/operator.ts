// The operator's acts on the libraries of functions: what there is, who uses it, loading ours, dropping one that nobody uses.

import type { WorkerView } from '../client.ts';
import { OperatingError } from '../errors.ts';
import type { Connection } from '../redis/connection.ts';
import { connect } from '../redis/connector.ts';
import { redisFailure } from '../redis/failure.ts';
import { libraryName, loadLibrary } from './library.ts';

export interface LibraryView {
  readonly library: string;
  readonly hash: string;
  readonly functions: number;
  /** Workers that say in their heartbeats that they call it, the dead ones not counted. Clients do not say. */
  readonly workers: readonly string[];
}

/** Where the heartbeats of a namespace are read: a client. */
export type Members = { workerViews(): Promise<readonly WorkerView[]> };

/** The libraries of ours on the server, by name. `members`: the namespaces that live there. */
export async function functionLibraries(url: string, members: readonly Members[]): Promise<readonly LibraryView[]> {
  const users = await usersOf(members);
  return await operating(url, async ({ redis }) => {
    const reply = (await redis.call('FUNCTION', 'LIST', 'LIBRARYNAME', 'emboss_v*')) as readonly unknown[];
    const found = reply.map(libraryOf).sort((a, b) => (a.library < b.library ? -1 : 1));
    const views: LibraryView[] = [];
    for (const { library, functions } of found) {
      const hash = String(await redis.call('FCALL', `${library}_meta`, '0'));
      views.push({ library, hash, functions, workers: users.get(library) ?? [] });
    }
    return views;
  });
}

/** Loads this version's functions on the server, or finds them there. Throws OperatingError. */
export async function loadFunctions(url: string): Promise<{ readonly library: string; readonly hash: string }> {
  return await operating(url, async ({ redis }) => {
    const { hash } = await loadLibrary(redis);
    return { library: libraryName, hash };
  });
}

/**
 * Drops a library by name; false when there is none. Throws OperatingError `library-in-use` while a worker that is not dead
 * says that it calls it. Clients do not say: whoever still calls it hears of a function that is missing.
 */
export async function dropFunctions(url: string, library: string, members: readonly Members[]): Promise<boolean> {
  if (!/^emboss_v\d+$/.test(library))
    throw new OperatingError('bad-setting', `a library of ours is called emboss_v1, emboss_v2, …, got "${library}"`);
  const users = (await usersOf(members)).get(library) ?? [];
  if (users.length > 0)
    throw new OperatingError('library-in-use', `${library} is used by ${users.join(', ')}: replace them first`);
  return await operating(url, async ({ redis }) => {
    try {
      await redis.call('FUNCTION', 'DELETE', library);
      return true;
    } catch (error) {
      if (String(error).includes('Library not found')) return false;
      throw redisFailure('FUNCTION DELETE', error);
    }
  });
}

async function operating<T>(url: string, act: (connection: Connection) => Promise<T>): Promise<T> {
  const connection = await connect('query', url, { name: 'emboss-operator' });
  try {
    return await act(connection);
  } finally {
    await connection.close();
  }
}

/** Library → workers. One that is only suspected counts: it may be alive. */
async function usersOf(members: readonly Members[]): Promise<ReadonlyMap<string, readonly string[]>> {
  const users = new Map<string, string[]>();
  for (const { worker, state, library } of (await Promise.all(members.map((one) => one.workerViews()))).flat()) {
    if (state !== 'dead') users.set(library, [...(users.get(library) ?? []), worker]);
  }
  return users;
}

/** A row of FUNCTION LIST: names and values in turn (RESP2), or an object (RESP3). */
function libraryOf(row: unknown): { readonly library: string; readonly functions: number } {
  const facts = Array.isArray(row)
    ? Object.fromEntries(row.flatMap((name, i) => (i % 2 === 0 ? [[String(name), row[i + 1]]] : [])))
    : (row as { readonly [name: string]: unknown });
  return { library: String(facts.library_name), functions: (facts.functions as readonly unknown[]).length };
}
