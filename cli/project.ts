// Where the project lies on disk, seen from the compiled files in build/.

import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Absolute path of the folder that holds the Procfile. */
export const projectRoot = findRoot(dirname(fileURLToPath(import.meta.url)));

function findRoot(from: string): string {
  for (let folder = from; ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'Procfile'))) return folder;
    if (folder === dirname(folder)) throw new Error(`no Procfile above ${from}`);
  }
}
