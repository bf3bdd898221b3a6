// Calls issued in one tick leave in explicit pipelines (C4): many shards share one write to the socket and one reply. A tick
// that issues many sends them in portions, so that the server works on the first while the later are still being made.
//
// Every call has a deadline of ours: when it passes, or the connection breaks, the outcome is unknown (C3). An error that
// the server itself spoke is known: nothing was written, since all checks come before the first write.

import { Command, type Pipeline } from 'ioredis';
import type { Clock } from '../clock.ts';
import { OutcomeUnknown } from '../errors.ts';
import type { Call } from '../functions/call.ts';
import type { Connection } from './connection.ts';
import { notConnected, redisFailure } from './failure.ts';

interface Waiting {
  readonly call: Call<unknown>;
  readonly resolve: (reply: unknown) => void;
  readonly reject: (error: Error) => void;
}

export interface Batch {
  /** Sends the call with the others of this tick. Rejects with OutcomeUnknown or OperatingError. One round trip. */
  run<Reply>(call: Call<Reply>): Promise<Reply>;
}

const UTF8 = { replyEncoding: 'utf8' } as const;
const PORTION = 8; // Calls per pipeline: of 3, 6, 8, 12 and all, 6 and 8 gave the most transitions per second on two cores.

/** `ready` is asked when calls leave, which may be a turn after they were made. */
export function batchOver(connection: Pick<Connection, 'redis' | 'ready'>, clock: Clock, deadlineMs: number): Batch {
  const queue: Waiting[] = [];

  function flush(): void {
    if (queue.length === 0) return; // The tick's calls have left as full portions.
    const sent = queue.splice(0);
    if (!connection.ready) {
      for (const { call, reject } of sent) reject(notConnected(call.command[0]));
      return;
    }
    // The class behind the type: `call` copies the arguments twice more, and looks at options that we do not use.
    const pipeline = connection.redis.pipeline() as unknown as Pipeline;
    for (const { call } of sent) {
      const [name, ...args] = call.command;
      pipeline.sendCommand(new Command(name, args, UTF8));
    }
    const cancel = clock.after(deadlineMs, () => fail(new OutcomeUnknown(`no reply within ${deadlineMs} ms`)));
    const fail = (why: unknown): void => {
      cancel();
      for (const { call, reject } of sent) reject(redisFailure(call.command[0], why)); // A second rejection is void.
    };
    pipeline.exec().then((replies) => {
      cancel();
      for (const [index, waiting] of sent.entries()) deliver(waiting, replies?.[index]);
    }, fail);
  }

  return {
    run: <Reply>(call: Call<Reply>) =>
      new Promise<Reply>((resolve, reject) => {
        // The reply is what this call's own decoder returns; the queue forgets its type.
        queue.push({ call, resolve: resolve as (reply: unknown) => void, reject });
        if (queue.length === PORTION) flush();
        else if (queue.length === 1) setImmediate(flush);
      }),
  };
}

function deliver({ call, resolve, reject }: Waiting, reply: [Error | null, unknown] | undefined): void {
  const [error, value] = reply ?? [new OutcomeUnknown(`${call.command[0]}: the pipeline ended early`), undefined];
  if (error !== null) {
    reject(redisFailure(call.command[0], error));
    return;
  }
  try {
    resolve(call.decode(value));
  } catch (broken) {
    reject(broken as Error);
  }
}
