// The door for the api: what partners post, in our words. Pure; nothing in here reads, writes or waits.

export { type ReadFile, readFile } from '../batch-file.ts';
export { toldByBureau } from './bureau.ts';
export { toldByCarrier } from './carriers.ts';
export { toldByHub } from './hub.ts';
export { toldByKyc } from './kyc.ts';
export type { Told } from './told.ts';
