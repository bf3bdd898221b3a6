// One call of a Redis Function as data: built by the wrapper beside its .lua, sent by a batch, decoded by one switch.

import { InvariantBroken } from '../errors.ts';
import { functionName } from './library.ts';

export interface Call<Reply> {
  /** The command and its arguments, ready to send. */
  readonly command: readonly [string, ...(string | number)[]];
  readonly decode: (reply: unknown) => Reply;
}

/** FCALL with its keys and arguments. */
export function fcall<Reply>(
  name: string,
  keys: readonly string[],
  args: readonly (string | number)[],
  decode: (words: readonly string[]) => Reply,
): Call<Reply> {
  return {
    command: ['FCALL', functionName(name), keys.length, ...keys, ...args],
    decode: (reply) => decode(reply as readonly string[]),
  };
}

/** A plain command; the decoder gets what the client library made of the reply. */
export const command = <Reply>(
  words: readonly [string, ...(string | number)[]],
  decode: (reply: unknown) => Reply,
): Call<Reply> => ({ command: words, decode });

export function unexpected(name: string, reply: unknown): never {
  throw new InvariantBroken(`${name} answered ${JSON.stringify(reply)?.slice(0, 200)}`);
}
