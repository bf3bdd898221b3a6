// Where connections come from. Everything above opens them through a connector, so that what stands behind a URL, a server, a
// cluster or a simulation of one, is decided in one place.

import { type Connection, type ConnectOptions, openConnection, type Profile } from './connection.ts';

export interface Connector {
  /** Begins to connect and goes on trying until closed. For servers that may be away, such as a minority of lock masters. */
  open(profile: Profile, url: string, options: ConnectOptions): Connection;
}

export const redisConnector: Connector = { open: openConnection };

const READY_WITHIN_MS = 5_000;

/** Connects and waits until the server answers. Throws OperatingError `redis-unavailable`, or `redis-denied` at once. */
export async function connect(
  profile: Profile,
  url: string,
  options: ConnectOptions = {},
  connector: Connector = redisConnector,
): Promise<Connection> {
  const connection = connector.open(profile, url, options);
  try {
    await connection.untilReady(options.readyWithinMs ?? READY_WITHIN_MS);
    return connection;
  } catch (error) {
    await connection.close();
    throw error;
  }
}
