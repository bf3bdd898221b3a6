// Wrapper of begin.lua: attempt numbers are written before the calls are made (E1).

import type { Token } from '../ids.ts';
import type { ShardKeys } from '../redis/keys.ts';
import { type Call, ownersFcall } from './call.ts';

export interface Beginning {
  readonly key: string;
  readonly attemptsSoFar: number;
  readonly lookAgainAt: number;
}

/** Per effect whether it may be tried now, or `fenced`. One round trip. An unknown outcome costs one attempt number. */
export const begin = (
  keys: ShardKeys,
  token: Token,
  effects: readonly Beginning[],
): Call<readonly boolean[] | 'fenced'> =>
  ownersFcall(
    'begin',
    [keys.owner, keys.timers, keys.effects, keys.attempts],
    [token, ...effects.flatMap((one) => [one.key, one.attemptsSoFar, Math.ceil(one.lookAgainAt)])],
    ([word, ...begun]) => (word === 'FENCED' ? 'fenced' : begun.map((flag) => flag === '1')),
  );
