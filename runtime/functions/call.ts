// One call of a Redis Function as data: built by the wrapper beside its .lua, sent by a batch, decoded by one switch.

import { InvariantBroken } from '../errors.ts';
import { functionName } from './library.ts';

export interface Call<Reply> {
  /** The command and its arguments, ready to send. */
  readonly command: readonly [string, ...(string | number)[]];
  readonly decode: (reply: unknown) => Reply;
  /** The caller acts on the reply only once what it tells of has reached the durability level (redis/copies.ts). */
  readonly durable: boolean;
}

/** FCALL with its keys and arguments. Hot functions reply with words apart by a space, the others with a list of them. */
export function fcall<Reply>(
  name: string,
  keys: readonly string[],
  args: readonly (string | number)[],
  decode: (words: readonly string[]) => Reply,
): Call<Reply> {
  return {
    command: ['FCALL', functionName(name), keys.length, ...keys, ...args],
    decode: (reply) => decode(typeof reply === 'string' ? reply.split(' ') : (reply as readonly string[])),
    durable: true,
  };
}

/** A plain command, usually a read; the decoder gets what the client library made of the reply. */
export const command = <Reply>(
  words: readonly [string, ...(string | number)[]],
  decode: (reply: unknown) => Reply,
): Call<Reply> => ({ command: words, decode, durable: false });

/** A command whose reply is a promise to somebody: kept, or seen where it is kept. */
export const durable = <Reply>(call: Call<Reply>): Call<Reply> => ({ ...call, durable: true });

/** A function on whose reply nothing rests for longer than a moment. */
export const fleeting = <Reply>(call: Call<Reply>): Call<Reply> => ({ ...call, durable: false });

/** A reply of names and values: a flat list, a list of pairs, or the object that the client makes of RESP3's map. */
export function pairsOf(reply: unknown): readonly (readonly [name: string, value: string])[] {
  if (!Array.isArray(reply)) return Object.entries((reply ?? {}) as Record<string, string>);
  if (Array.isArray(reply[0])) return reply as [string, string][];
  const list: [string, string][] = [];
  for (let i = 0; i + 1 < reply.length; i += 2) list.push([reply[i] as string, reply[i + 1] as string]);
  return list;
}

export function unexpected(name: string, reply: unknown): never {
  throw new InvariantBroken(`${name} answered ${JSON.stringify(reply)?.slice(0, 200)}`);
}
