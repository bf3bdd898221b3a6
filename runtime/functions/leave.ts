// Wrapper of leave.lua.

import type { NamespaceKeys } from '../redis/keys.ts';
import { type Call, fcall } from './call.ts';

/** True when an entry beginning with `prefix` was there and is gone. One round trip. */
export const leave = (keys: NamespaceKeys, worker: string, prefix: string): Call<boolean> =>
  fcall('leave', [keys.members], [worker, prefix], ([word]) => word === 'LEFT');
