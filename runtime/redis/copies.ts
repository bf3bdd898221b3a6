// Copies: at durability `replicas:n` a durable call is answered when n replicas hold what its reply tells of (design: Redis).
//
//   - The calls of a turn leave together and share one mark and one WAIT, on the connection that made them: WAIT speaks of the
//     writes of its own connection only. While it is under way nothing else leaves, since it would block behind it anyway; what
//     comes meanwhile shares the next one. So whoever reads over this connection never sees a write of it that is in the balance.
//   - The mark is a write. A repeat that finds its work done writes nothing, and WAIT is promised for writes only (7.0.15 counts
//     from any command of the connection; nothing here rests on that). The stream that replicas follow is ordered: who confirmed
//     the mark has everything that this server wrote before it, by whomever. Hence a claim that was confirmed covers what earlier
//     owners wrote, and so what the new one reads next (C3).
//   - WAIT never fails, it counts. Fewer than n is *unknown*, never *failed*: the write stands here and may yet arrive there. So is
//     everything when the socket changed in between, since the mark may then stand on another server than the writes.
//   - After a short count durable calls are refused unsent until the replicas have caught up: an owner that claimed again and
//     again would fill the journal with claims.

import { type Clock, pause } from '../clock.ts';
import { OperatingError, OutcomeUnknown } from '../errors.ts';
import { type Call, command } from '../functions/call.ts';
import { copiesLookEveryMs, copiesLookMs, copiesWithinMs, heldCallsMax } from '../limits.ts';
import type { Batch } from './batch.ts';
import type { Connection } from './connection.ts';
import { markBeside } from './keys.ts';

export interface CopiesOptions {
  /** Sends over `connection`, in the order of the calls. */
  readonly batch: Batch;
  readonly connection: Pick<Connection, 'generation'>;
  readonly clock: Clock;
  /** How many replicas have to confirm. */
  readonly count: number;
  /** Told when too few have confirmed in time, and when enough do again. */
  readonly onChange?: (reached: boolean, confirmed: number) => void;
}

export interface CopiedBatch extends Batch {
  /** False from a short count on until the replicas have caught up. */
  readonly reached: boolean;
}

interface Held {
  readonly call: Call<unknown>;
  readonly resolve: (reply: unknown) => void;
  readonly reject: (error: unknown) => void;
}

const MARK_KEPT_MS = 10_000; // Only tidies: what counts is its place in the stream, not that it stands.

export function copiedBatch({ batch, connection, clock, count, onChange }: CopiesOptions): CopiedBatch {
  let held: Held[] = [];
  let state: 'open' | 'leaving' | 'waiting' | 'short' = 'open';
  let look: Promise<void> | undefined;

  function leave(): void {
    const sent = held;
    held = [];
    const replies = sent.map(({ call }) => batch.run(call));
    const last = sent.findLast(({ call }) => call.durable);
    if (last === undefined) {
      state = 'open';
      for (const [index, { resolve, reject }] of sent.entries()) replies[index]?.then(resolve, reject);
      return;
    }
    state = 'waiting';
    void settle(sent, replies, last.call);
  }

  async function settle(
    sent: readonly Held[],
    replies: readonly Promise<unknown>[],
    last: Call<unknown>,
  ): Promise<void> {
    const { generation } = connection;
    const [confirmed, ...outcomes] = await Promise.allSettled([confirmation(last), ...replies]);
    const found = confirmed?.status === 'fulfilled' ? confirmed.value : undefined;
    const isSame = connection.generation === generation;
    const isReached = isSame && found !== undefined && found >= count;
    const why = unconfirmed(found, count, isSame);
    for (const [index, { resolve, reject }] of sent.entries()) {
      const outcome = outcomes[index] as PromiseSettledResult<unknown>;
      if (outcome.status === 'rejected') reject(outcome.reason);
      else if (isReached) resolve(outcome.value);
      else reject(new OutcomeUnknown(why)); // Reads too: what they saw may be what did not arrive.
    }
    const isShort = found !== undefined && found < count;
    state = isShort ? 'short' : 'open';
    if (isShort) onChange?.(false, found);
    const waiting = held;
    held = [];
    for (const one of waiting) run(one.call).then(one.resolve, one.reject);
  }

  /** The mark and the count of those who have it. Rejects when either got no answer. */
  async function confirmation(beside: Call<unknown>): Promise<number> {
    const mark = command(['SET', markBeside(keyOf(beside)), '1', 'PX', MARK_KEPT_MS], () => undefined);
    const [, found] = await Promise.all([batch.run(mark), batch.run(waitFor(count, copiesWithinMs))]);
    return found;
  }

  /** Whether the replicas have caught up; many callers share one look. Rejects when they have not. */
  function caughtUp(): Promise<void> {
    look ??= (async () => {
      try {
        const found = await batch.run(waitFor(count, copiesLookMs));
        if (found < count) {
          await pause(clock, copiesLookEveryMs - copiesLookMs);
          throw tooFew(found, count);
        }
        state = 'open';
        onChange?.(true, found);
      } finally {
        look = undefined;
      }
    })();
    return look;
  }

  function run<Reply>(call: Call<Reply>): Promise<Reply> {
    if (state === 'short') return call.durable ? caughtUp().then(() => run(call)) : batch.run(call);
    if (held.length >= heldCallsMax) {
      const words = `${heldCallsMax} calls wait for replicas to confirm earlier ones`;
      return Promise.reject(new OperatingError('redis-unavailable', words, { retry: 'here' }));
    }
    return new Promise<Reply>((resolve, reject) => {
      held.push({ call, resolve: resolve as (reply: unknown) => void, reject });
      if (state !== 'open') return;
      state = 'leaving';
      setImmediate(leave);
    });
  }

  return {
    run,
    get reached() {
      return state !== 'short';
    },
  };
}

const waitFor = (count: number, ms: number): Call<number> => command(['WAIT', count, ms], Number);

/** FCALL carries its keys behind their number, everything else durable its key first. */
function keyOf({ command: [name, first, , key] }: Call<unknown>): string {
  return String(name === 'FCALL' ? key : first);
}

function unconfirmed(found: number | undefined, count: number, isSame: boolean): string {
  if (!isSame) return 'the connection changed before the replicas had confirmed';
  if (found === undefined) return 'the replicas were not heard of';
  return `${found} of ${count} replicas confirmed within ${copiesWithinMs} ms`;
}

const tooFew = (found: number, count: number): OperatingError =>
  new OperatingError('redis-unavailable', `${found} of ${count} replicas have what was written; nothing was sent`, {
    retry: 'here',
  });
