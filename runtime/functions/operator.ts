// The operator's acts on the function library: loading it for processes that may not, and dropping one that nobody uses.

import { OperatingError } from '../errors.ts';
import { connect } from '../redis/connector.ts';
import { redisFailure } from '../redis/failure.ts';
import { type Library, libraryName, loadLibrary } from './library.ts';

/** Loads this version's functions on the server, or finds them there. Throws OperatingError. */
export async function loadFunctions(url: string): Promise<{ readonly library: string; readonly hash: string }> {
  const connection = await connect('query', url, { name: 'emboss-operator' });
  try {
    const { hash }: Library = await loadLibrary(connection.redis);
    return { library: libraryName, hash };
  } finally {
    await connection.close();
  }
}

/** Drops a library by name; false when there is none. Whoever still calls it hears `function-missing`. */
export async function dropFunctions(url: string, library: string): Promise<boolean> {
  if (!/^emboss_v\d+$/.test(library))
    throw new OperatingError('bad-setting', `a library of ours is called emboss_v1, emboss_v2, …, got "${library}"`);
  const connection = await connect('query', url, { name: 'emboss-operator' });
  try {
    await connection.redis.call('FUNCTION', 'DELETE', library);
    return true;
  } catch (error) {
    if (String(error).includes('Library not found')) return false;
    throw redisFailure('FUNCTION DELETE', error);
  } finally {
    await connection.close();
  }
}
