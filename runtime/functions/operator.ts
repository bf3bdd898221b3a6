// The operator's acts on the libraries of functions: what there is, who uses it, loading ours, dropping one that nobody uses.

import type { WorkerView } from '../client.ts';
import { OperatingError } from '../errors.ts';
import type { Connection } from '../redis/connection.ts';
import { connect } from '../redis/connector.ts';
import { serversOf } from '../redis/topology.ts';
import { library, libraryName, loadLibraries } from './library.ts';

export interface LibraryView {
  readonly library: string;
  /** First characters of its hash, with which the names of its functions end: told without the right to call them. */
  readonly hash: string;
  readonly functions: number;
  /** Workers that say in their heartbeats that they call it, the dead ones not counted. Clients do not say. */
  readonly workers: readonly string[];
}

/** Where the heartbeats of a namespace are read: a client. */
export type Members = { workerViews(): Promise<readonly WorkerView[]> };

/** The libraries of ours on the server, or on any master of a cluster, by name. `members`: the namespaces that live there. */
export async function functionLibraries(url: string, members: readonly Members[]): Promise<readonly LibraryView[]> {
  const users = await usersOf(members);
  const found = await operating(url, async (connection) => {
    const lists = await onEach(connection, (server) =>
      server.call('FUNCTION LIST', (redis) => redis.call('FUNCTION', 'LIST', 'LIBRARYNAME', 'emboss_v*')),
    );
    const libraries = lists.flatMap((list) => (list as readonly unknown[]).map(libraryOf));
    return new Map(libraries.map((one) => [one.library, one]));
  });
  return [...found.values()]
    .sort((a, b) => (a.library < b.library ? -1 : 1))
    .map((one) => ({ ...one, workers: users.get(one.library) ?? [] }));
}

/** Loads this version's functions on the server, or on every master of a cluster, or finds them there. Throws OperatingError. */
export async function loadFunctions(url: string): Promise<{ readonly library: string; readonly hash: string }> {
  await operating(url, loadLibraries);
  return { library: libraryName, hash: (await library()).hash };
}

/**
 * Drops a library by name; false when there is none. Throws OperatingError `library-in-use` while a worker that is not dead
 * says that it calls it. Clients do not say: whoever still calls it hears of a function that is missing.
 */
export async function dropFunctions(url: string, name: string, members: readonly Members[]): Promise<boolean> {
  if (!/^emboss_v\d+$/.test(name))
    throw new OperatingError('bad-setting', `a library of ours is called emboss_v1, emboss_v2, …, got "${name}"`);
  const users = (await usersOf(members)).get(name) ?? [];
  if (users.length > 0)
    throw new OperatingError('library-in-use', `${name} is used by ${users.join(', ')}: replace them first`);
  const dropped = await operating(url, (connection) => onEach(connection, (server) => dropAt(server, name)));
  return dropped.includes(true);
}

async function dropAt(server: Connection, name: string): Promise<boolean> {
  try {
    await server.call('FUNCTION DELETE', (redis) => redis.call('FUNCTION', 'DELETE', name));
    return true;
  } catch (error) {
    if (String(error).includes('Library not found')) return false;
    throw error;
  }
}

/** A library is at each master by itself; replicas get it from theirs. */
const onEach = <T>(connection: Connection, act: (server: Connection) => Promise<T>): Promise<readonly T[]> =>
  Promise.all(serversOf(connection).map(act));

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

/** A row of FUNCTION LIST. */
function libraryOf(row: unknown): Omit<LibraryView, 'workers'> {
  const facts = factsOf(row);
  const functions = (facts.functions as readonly unknown[]).map((one) => String(factsOf(one).name));
  const library = String(facts.library_name);
  return { library, hash: functions[0]?.split('_').at(-1) ?? '', functions: functions.length };
}

/** Names and values in turn (RESP2), or an object (RESP3). */
const factsOf = (row: unknown): { readonly [name: string]: unknown } =>
  Array.isArray(row)
    ? Object.fromEntries(row.flatMap((name, i) => (i % 2 === 0 ? [[String(name), row[i + 1]]] : [])))
    : (row as { readonly [name: string]: unknown });
