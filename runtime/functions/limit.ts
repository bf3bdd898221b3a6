// Wrapper of limit.lua: rate limiting by GCRA.

import { type Call, fcall, fleeting } from './call.ts';

export interface Rate {
  readonly count: number;
  readonly perMs: number;
  readonly burst: number;
}

/** Counts one use of `key`. One round trip. */
export const limit = (
  key: string,
  rate: Rate,
  reading: string,
): Call<{ readonly allowed: boolean; readonly retryAfterMs: number }> =>
  fleeting(
    fcall('limit', [key], [rate.perMs / rate.count, rate.burst, reading], ([allowed, wait]) => ({
      allowed: allowed === '1',
      retryAfterMs: Number(wait),
    })),
  );
