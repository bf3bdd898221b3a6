// What a server of a cluster answers when a key is not, or not yet, or not any more with it. Nothing was executed in all
// three cases, so the call may be made again elsewhere; a lost reply is none of them (C3).

import type { Address } from './target.ts';

export type Redirection =
  | { readonly kind: 'moved'; readonly slot: number; readonly address: Address } // For good: the map is outdated.
  | { readonly kind: 'ask'; readonly slot: number; readonly address: Address } // This one call: the slot is on its way.
  | { readonly kind: 'again' }; // Of the keys of the call some are here and some there: wait.

/** Undefined when the error is none. `asked` is whose answer it is: an answer without a host means that one's. */
export function redirectionOf(error: unknown, asked: string): Redirection | undefined {
  const message = replyOf(error);
  if (message === undefined) return undefined;
  if (message.startsWith('TRYAGAIN')) return { kind: 'again' };
  const [, word, slot, host, port] = /^(MOVED|ASK) (\d+) (.*):(\d+)$/.exec(message) ?? [];
  if (word === undefined) return undefined;
  const address = { host: host === undefined || host === '' || host === '?' ? asked : host, port: Number(port) };
  return { kind: word === 'MOVED' ? 'moved' : 'ask', slot: Number(slot), address };
}

/** The server's own words, also from inside what `redisFailure` made of them, or of a transaction that was dropped. */
function replyOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const { previousErrors } = error as { readonly previousErrors?: readonly unknown[] };
  if (previousErrors !== undefined && previousErrors.length > 0) return replyOf(previousErrors[0]);
  return error.name === 'ReplyError' ? error.message : replyOf(error.cause);
}
