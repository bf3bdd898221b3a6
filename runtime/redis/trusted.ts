// A trusted batch: its calls reach only a server that was verified since the connection was made, and its replies have reached
// the durability level.
//
// A reconnection may find another server: promoted, restarted with another configuration, without our functions. So calls wait
// until it has been looked at. One that is weaker than what was promised gets no call any more and gives no answer: callers
// hear why, and the owner of the batch is told once.

import type { Clock } from '../clock.ts';
import { OperatingError } from '../errors.ts';
import { loadLibraries, loadLibrary } from '../functions/library.ts';
import { callDeadlineMs } from '../limits.ts';
import { type Batch, batchOver } from './batch.ts';
import type { Connection } from './connection.ts';
import { type CopiedBatch, copiedBatch } from './copies.ts';
import { type Asked, checkRights } from './rights.ts';
import { checkServer, checkServers, type Durability } from './server.ts';
import { clusterBatch, serversOf } from './topology.ts';

export interface TrustedBatch extends Batch {
  /** False while fewer replicas than promised have what was written: durable calls are refused meanwhile. */
  readonly reached: boolean;
  /** Looks at the server again before the next call, for example since it has lost our functions. */
  doubt(): void;
}

export interface TrustOptions {
  readonly connection: Connection;
  readonly clock: Clock;
  readonly durability: Durability;
  /** Told when the server behind the connection cannot be used, once for each time that it was connected to. */
  readonly onRefused?: (error: OperatingError) => void;
  /** Told when fewer replicas than promised confirm in time, and when enough do again. */
  readonly onCopies?: (reached: boolean, confirmed: number) => void;
}

/** At the start: what every server has to keep, hold and allow before anything is entrusted to it. Five round trips each at most. */
export async function verifyServers(connection: Connection, asked: Asked): Promise<void> {
  await checkServers(connection, asked.durability);
  await loadLibraries(connection);
  for (const server of serversOf(connection)) await checkRights(server, asked);
}

/** For a connection that `verifyServers` has been content with. On a cluster a batch per server. */
export function trustedBatch(options: TrustOptions): TrustedBatch {
  const { connection, clock } = options;
  if (connection.cluster === undefined) return trustedServer(options, connection.generation);
  // A server that joins later, or is promoted, was not seen by the checks of the start: each is looked at before its first call.
  const { cluster } = connection;
  const batches = new WeakMap<Connection, TrustedBatch>();
  const over = (server: Connection): Batch => {
    const batch = trustedServer({ ...options, connection: server }, NEVER);
    batches.set(server, batch);
    return batch;
  };
  const present = () => cluster.servers().flatMap((server) => batches.get(server) ?? []);
  return {
    run: clusterBatch(cluster, over, clock, callDeadlineMs).run,
    get reached() {
      return present().every(({ reached }) => reached);
    },
    doubt() {
      for (const batch of present()) batch.doubt();
    },
  };
}

function trustedServer(options: TrustOptions, verifiedAt: number): TrustedBatch {
  const { connection } = options;
  let verified = verifiedAt;
  // A call that was made before the connection broke must not leave on the one that is looked at now.
  const { run, copies } = levelled(options, () => connection.ready && verified === connection.generation);
  let refused: { readonly generation: number; readonly error: OperatingError } | undefined;
  let look: Promise<void> | undefined;

  /** Many callers share one look. A server that goes away meanwhile is looked at again after the next reconnection. */
  function verify(): Promise<void> {
    look ??= (async () => {
      const { generation } = connection;
      try {
        await verifyAgain(connection, options.durability);
        verified = generation;
      } catch (error) {
        if (error instanceof OperatingError && error.retry === 'never') {
          refused = { generation, error };
          options.onRefused?.(error);
        }
        throw notSent(error);
      } finally {
        look = undefined;
      }
    })();
    return look;
  }

  return {
    run(call) {
      if (verified === connection.generation) return run(call);
      // Only a new connection may lead to a server that can be used again.
      if (refused?.generation === connection.generation) return Promise.reject(refused.error);
      return verify().then(() => run(call));
    },
    get reached() {
      return copies?.reached ?? true;
    },
    doubt() {
      verified = NEVER;
    },
  };
}

/** Whatever became of the look, the call behind it has not left: that is certain. */
const notSent = (error: unknown): OperatingError =>
  error instanceof OperatingError
    ? error
    : new OperatingError('redis-unavailable', 'the server could not be looked at; nothing was sent', {
        retry: 'here',
        cause: error,
      });

const NEVER = -1;

async function verifyAgain(connection: Connection, durability: Durability): Promise<void> {
  await checkServer(connection, durability);
  await loadLibrary(connection.redis);
}

/** `memory` and `fsync` are kept by the server itself: no command is added, and no turn is lost. */
function levelled(
  { connection, clock, durability, onCopies }: TrustOptions,
  isReady: () => boolean,
): { readonly run: Batch['run']; readonly copies: CopiedBatch | undefined } {
  const { redis } = connection;
  const verified = {
    redis,
    get ready() {
      return isReady();
    },
  };
  const batch = batchOver(verified, clock, callDeadlineMs);
  if (durability.kind !== 'replicas') return { run: batch.run, copies: undefined };
  const notice = onCopies === undefined ? {} : { onChange: onCopies };
  const copies = copiedBatch({ batch, connection, clock, count: durability.count, ...notice });
  return { run: copies.run, copies };
}
