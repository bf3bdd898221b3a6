// Objects as files of a folder: the default, for one machine. A file appears whole, by renaming it (rename(2)).

import { randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { OperatingError } from '../../../runtime/errors.ts';
import { checkedKey, type ObjectStore } from './store.ts';

/** The folder is made with the first object. */
export function fileStore(folder: string): ObjectStore {
  const pathOf = (key: string): string => join(folder, checkedKey(key));
  return {
    async put(key, bytes, length) {
      const path = pathOf(key);
      const draft = `${path}.${randomBytes(6).toString('hex')}.draft`;
      await reaching(() => mkdir(dirname(path), { recursive: true, mode: 0o700 }));
      try {
        const written = await fileOf(draft, bytes);
        if (written !== length) throw new TypeError(`an object of ${length} bytes was announced, and ${written} came`);
        await reaching(() => rename(draft, path));
      } finally {
        await rm(draft, { force: true });
      }
    },
    async get(key) {
      const path = pathOf(key);
      if ((await sizeOf(path)) === undefined) return undefined;
      return createReadStream(path);
    },
    async head(key) {
      const bytes = await sizeOf(pathOf(key));
      return bytes === undefined ? undefined : { bytes };
    },
    async delete(key) {
      await reaching(() => rm(pathOf(key), { force: true }));
    },
  };
}

/** Writes a file that is on the disk when this resolves. Gives its bytes. */
async function fileOf(path: string, bytes: AsyncIterable<Buffer>): Promise<number> {
  const file = await reaching(() => open(path, 'wx', 0o600));
  let count = 0;
  try {
    for await (const chunk of bytes) {
      await file.writeFile(chunk);
      count += chunk.length;
    }
    await file.sync();
  } finally {
    await file.close();
  }
  return count;
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ENOENT') return undefined;
    throw unavailable(error);
  }
}

async function reaching<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    throw unavailable(error);
  }
}

const unavailable = (cause: unknown): OperatingError =>
  new OperatingError('objects-unavailable', 'the folder of documents cannot be written or read', {
    retry: 'here',
    cause,
  });
