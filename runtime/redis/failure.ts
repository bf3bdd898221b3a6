// What a failed Redis call means for its caller: nothing was done, or nobody knows (C3). The one place that reads
// ioredis' messages and the server's error words.

import { OperatingError, OutcomeUnknown, type Retry } from '../errors.ts';

/** First word of a server's error reply, for example `NOGROUP`; undefined when the error is no reply at all. */
export function replyWord(error: unknown): string | undefined {
  if (!(error instanceof Error) || error.name !== 'ReplyError') return undefined;
  return error.message.split(' ', 1)[0];
}

// Refused by the server before it did anything. Sources: redis.io error words of each command page, script-flags page.
const REFUSED: Readonly<Record<string, readonly [code: string, retry: Retry]>> = {
  READONLY: ['redis-unavailable', 'here'], // A demoted master; the connection reconnects by itself.
  LOADING: ['redis-unavailable', 'here'],
  MASTERDOWN: ['redis-unavailable', 'here'],
  CLUSTERDOWN: ['redis-unavailable', 'here'],
  TRYAGAIN: ['redis-unavailable', 'here'],
  BUSY: ['redis-unavailable', 'here'],
  NOREPLICAS: ['redis-unavailable', 'here'],
  MISCONF: ['redis-unavailable', 'here'], // Writes are stopped, for example by a full disk.
  OOM: ['redis-full', 'here'],
  NOAUTH: ['redis-denied', 'never'],
  WRONGPASS: ['redis-denied', 'never'],
  NOPERM: ['redis-denied', 'never'],
  NOGROUP: ['no-group', 'never'], // The group of an earlier claim is gone: its reader is deposed (M2).
  UNBLOCKED: ['no-group', 'never'], // The stream itself was removed under a blocked reader.
};

const NOT_SENT = "Stream isn't writeable"; // ioredis refuses to queue: the command never left this process.
const DENIED_INSIDE = "The user executing the script can't run this command";
const INSIDE_FUNCTION = /on @user_function|script: /; // The function ran and failed midway; Redis does not roll back.

/**
 * The runtime's error for whatever a Redis call rejected with. Replies that say *refused* become OperatingError, a lost
 * connection or a timeout OutcomeUnknown. Errors of the runtime pass through unchanged.
 */
export function redisFailure(what: string, error: unknown): OperatingError | OutcomeUnknown {
  if (error instanceof OperatingError || error instanceof OutcomeUnknown) return error;
  const message = error instanceof Error ? error.message : String(error);
  const word = replyWord(error);
  if (word === undefined) {
    if (message.startsWith(NOT_SENT)) return notConnected(what, error);
    return new OutcomeUnknown(`${what}: ${message}`, error);
  }
  if (message.includes('Function not found')) {
    return new OperatingError('function-missing', `${what}: ${message}`, { retry: 'here', cause: error });
  }
  // C1: no function comes to a right that is missing after its first write, so nothing was done.
  if (message.includes(DENIED_INSIDE))
    return new OperatingError('redis-denied', `${what}: ${message}`, { cause: error });
  if (INSIDE_FUNCTION.test(message))
    return new OperatingError('function-failed', `${what}: ${message}`, { cause: error });
  const [code, retry] = REFUSED[word] ?? ['redis-error', 'never'];
  return new OperatingError(code, `${what}: ${message}`, { retry, cause: error });
}

/** Nothing was sent, since there is no connection at the moment. */
export function notConnected(what: string, cause?: unknown): OperatingError {
  return new OperatingError('redis-unavailable', `${what}: no connection to Redis`, { retry: 'here', cause });
}
