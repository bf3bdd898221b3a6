// How the rest of the runtime speaks to whatever stands behind a connection: keys go where they are, checks go everywhere. The
// same code runs on one server, behind sentinels and on a cluster, where every server's part of it is told apart here.

import type { Cancel, Clock } from '../clock.ts';
import type { Call } from '../functions/call.ts';
import { type Batch, batchOver } from './batch.ts';
import { type ClusterRoutes, type Connection, madeFit } from './connection.ts';
import { notConnected } from './failure.ts';
import { redirectionOf } from './redirection.ts';

/** The connection to whoever holds `key`. */
export const at = (connection: Connection, key: string): Connection => connection.cluster?.at(key) ?? connection;

/** Every server that holds keys. */
export const serversOf = (connection: Connection): readonly Connection[] =>
  connection.cluster?.servers() ?? [connection];

/** Calls of one tick leave by one pipeline, per server (C4). */
export function batchTo(connection: Connection, clock: Clock, deadlineMs: number): Batch {
  const over = (server: Connection): Batch => batchOver(server, clock, deadlineMs);
  const { cluster } = connection;
  return cluster === undefined ? over(connection) : clusterBatch(cluster, over, clock, deadlineMs);
}

/**
 * Tells which keys are in doubt (L2): what is behind them may have lost its tail, since the connection was made anew or leads
 * to another server. Before anything is sent there.
 */
export function onDoubt(connection: Connection, listener: (concerned: (key: string) => boolean) => void): Cancel {
  return connection.cluster?.onDoubt(listener) ?? connection.onReady(() => listener(() => true));
}

/**
 * A batch per server, and every call in that of the server that holds its keys. A call that a server refuses to execute, since
 * the slot is elsewhere or the functions are not there, is made again until its deadline; one without an answer never is (C3).
 * An owner's call is not made at another server: that may be a replica that was promoted without the tail, where the call
 * would be taken for one about other messages. Its shard is claimed anew instead (L2).
 */
export function clusterBatch(
  cluster: ClusterRoutes,
  over: (server: Connection) => Batch,
  clock: Clock,
  deadlineMs: number,
): Batch {
  const batches = new WeakMap<Connection, Batch>(); // Servers come and go.

  function batchOf(server: Connection): Batch {
    const known = batches.get(server) ?? over(server);
    batches.set(server, known);
    return known;
  }

  async function runAgain<Reply>(
    call: Call<Reply>,
    first: Connection,
    key: string | undefined,
    why: unknown,
  ): Promise<Reply> {
    const deadline = clock.monotonic() + deadlineMs;
    let place = { server: first, asking: false };
    let error = why;
    let fits = 0;
    for (let hop = 1; clock.monotonic() < deadline; hop += 1) {
      if (fits === 0 && (await madeFit(place.server, error))) fits += 1;
      else {
        const next = key === undefined ? undefined : cluster.follow(error, key, hop);
        next?.catch(() => undefined); // Of those who do not wait for it.
        if (next === undefined || (call.asOwner && redirectionOf(error, '')?.kind !== 'again')) break;
        place = await next;
      }
      const batch = batchOf(place.server);
      if (place.asking) batch.run(ASKING).catch(() => undefined);
      try {
        return await batch.run(call);
      } catch (again) {
        error = again;
      }
    }
    throw error;
  }

  return {
    run(call) {
      const key = keyOf(call);
      const server = key === undefined ? cluster.servers().find(({ ready }) => ready) : cluster.serverOf(key);
      if (server === undefined) return Promise.reject(notConnected(call.command[0]));
      return batchOf(server)
        .run(call)
        .catch((error: unknown) => runAgain(call, server, key, error));
    },
  };
}

const ASKING: Call<void> = { command: ['ASKING'], durable: false, decode: () => undefined };
const KEYLESS = new Set(['PING', 'TIME', 'WAIT']);

/** The key that says where a call goes: FCALL carries it behind the number of keys, XINFO behind what is asked, everything else first. */
export function keyOf({ command: [name, first, count, key] }: Call<unknown>): string | undefined {
  if (KEYLESS.has(name)) return undefined;
  if (name === 'XINFO') return String(count);
  if (name !== 'FCALL') return String(first);
  return Number(count) === 0 ? undefined : String(key);
}
