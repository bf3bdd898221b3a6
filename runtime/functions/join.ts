// Wrapper of join.lua.

import type { WorkerId } from '../ids.ts';
import type { NamespaceKeys } from '../redis/keys.ts';
import { type Call, fcall } from './call.ts';

/** True when the entry stands; false when another one appeared since `seen` was read. One round trip. */
export const join = (keys: NamespaceKeys, worker: WorkerId, seen: string, entry: string): Call<boolean> =>
  fcall('join', [keys.members], [worker, seen, entry], ([word]) => word === 'JOINED');
