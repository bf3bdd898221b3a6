// The hub: all live connections of this process, over one feed. It holds no truth and can be restarted at any time.

import { createHash, randomBytes } from 'node:crypto';
import type { Client } from '../../runtime/client.ts';
import type { Principal } from '../auth/tokens.ts';
import { pause, type Ticker } from '../client/clock.ts';
import { limits } from '../limits.ts';
import { Connection, type Socket } from './connection.ts';
import { createFeed, type Feed } from './feed.ts';
import { closeCodes } from './protocol.ts';
import type { Pictures } from './topics.ts';

export interface Hub {
  readonly feed: Feed;
  readonly connections: number;
  /** Begins to follow the journals. Throws when the store cannot be reached. */
  start(): Promise<void>;
  /** Takes a socket over; `undefined` when there are too many or the hub drains, and the caller closes it. */
  connect(socket: Socket): Connection | undefined;
  disconnect(connection: Connection): void;
  /** A one-time ticket for a hello. One round trip. */
  ticket(principal: Principal): Promise<string>;
  /** Tells everybody to come back later, spread out, then closes. Ends the feed. */
  drain(): Promise<void>;
}

export interface HubParts {
  readonly client: Client;
  readonly ticker: Ticker;
  readonly pictures: Pictures;
  readonly failed: (error: unknown) => void;
}

export function createHub({ client, ticker, pictures, failed }: HubParts): Hub {
  const feed = createFeed(client, ticker, failed);
  const connections = new Set<Connection>();
  let isDraining = false;
  const parts = {
    client,
    feed,
    ticker,
    pictures,
    failed,
    redeem,
    newSessionId: () => `ses_${randomBytes(12).toString('base64url')}`,
  };

  async function redeem(ticket: string): Promise<Principal | undefined> {
    const text = await client.take(ticketKey(ticket));
    return text === undefined ? undefined : (JSON.parse(text) as Principal); // Written by `ticket` below and by nobody else.
  }

  return {
    feed,
    get connections() {
      return connections.size;
    },
    start: () => feed.start(),
    connect(socket) {
      if (isDraining || connections.size >= limits.connectionsMax) return undefined;
      const connection = new Connection(socket, parts);
      connections.add(connection);
      return connection;
    },
    disconnect(connection) {
      connection.ended();
      connections.delete(connection);
    },
    async ticket(principal) {
      const ticket = `tkt_${randomBytes(24).toString('base64url')}`;
      await client.keep(ticketKey(ticket), JSON.stringify(principal), limits.ticketTtlMs);
      return ticket;
    },
    async drain() {
      isDraining = true;
      for (const connection of connections)
        connection.goaway(Math.round(limits.goawayReconnectMs * (0.5 + ticker.random())));
      await pause(ticker, connections.size > 0 ? limits.goawayWaitMs : 0);
      for (const connection of connections) connection.close(closeCodes.restart, 'restart');
      connections.clear();
      await feed.close();
    },
  };
}

/** Redis holds the ticket's digest: who reads the keys cannot use them. */
const ticketKey = (ticket: string): string => `ws:${createHash('sha256').update(ticket).digest('hex')}`;
