// Wrapper of publish.lua.

import type { NamespaceKeys } from '../redis/keys.ts';
import { type Call, fcall } from './call.ts';

/** True when published; false when the current assignment does not begin with `seen` any more. One round trip. */
export const publish = (keys: NamespaceKeys, seen: string, text: string): Call<boolean> =>
  fcall('publish', [keys.assignment], [seen, text], ([word]) => word === 'PUBLISHED');
