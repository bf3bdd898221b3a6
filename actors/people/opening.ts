// The vault as processes open it: keys, regions and the place of documents by the settings.

import { join } from 'node:path';
import type { Settings } from '../contract/settings.ts';
import type { Sheets } from './cabinet.ts';
import { developmentMasterKey, localKms, readMasterKeys } from './master-keys.ts';
import { fileStore } from './objects/files.ts';
import { s3Store } from './objects/s3.ts';
import type { ObjectStore } from './objects/store.ts';
import { type People, people, type VaultOptions } from './vault.ts';

type VaultSettings = Pick<Settings, 'secret' | 'masterKeys' | 'regions' | 'objects' | 'dataDir'>;

/** The vault over a client of the ordering context. */
export const openPeople = (sheets: Sheets, settings: VaultSettings, over: Partial<VaultOptions> = {}): People =>
  people(sheets, { ...vaultOptions(sheets, settings), ...over });

function vaultOptions(sheets: Sheets, settings: VaultSettings): VaultOptions {
  const { masterKeys, secret, regions } = settings;
  const keys = masterKeys === undefined ? [developmentMasterKey(secret)] : readMasterKeys(masterKeys);
  return { kms: localKms(keys), regions, objects: objectsOf(sheets, settings) };
}

function objectsOf(sheets: Sheets, { objects, dataDir }: VaultSettings): ObjectStore {
  if (objects === undefined) return fileStore(join(dataDir, 'documents'));
  const { url, region, accessKey, secretKey } = objects;
  return s3Store({ url, region, accessKey, secretKey, now: () => sheets.now() });
}
