// The servers of a cluster that this connection speaks to: one connection each, opened when first wanted. One that no longer
// holds slots is closed a while later, when what it was asked has been answered.

import type { Cancel, Clock } from '../clock.ts';
import type { Connection } from './connection.ts';
import { type Address, textOf } from './target.ts';

const UNWANTED_KEPT_MS = 3_000; // Above the deadline of every call.

interface Node {
  readonly connection: Connection;
  readonly address: Address;
  /** Set while it is unwanted and will be closed. */
  stay: Cancel | undefined;
}

export interface NodeEvents {
  /** A server is connected; `again`: not for the first time, and what was under way is lost. */
  ready(address: Address, again: boolean): void;
  /** The connection to a server has ended. */
  gone(): void;
}

export class Nodes {
  readonly #nodes = new Map<string, Node>();
  readonly #clock: Clock;
  readonly #open: (address: Address) => Connection;
  readonly #events: NodeEvents;

  constructor(clock: Clock, open: (address: Address) => Connection, events: NodeEvents) {
    this.#clock = clock;
    this.#open = open;
    this.#events = events;
  }

  to(address: Address): Connection {
    const name = textOf(address);
    const known = this.#nodes.get(name);
    if (known !== undefined) {
      stays(known);
      return known.connection;
    }
    const connection = this.#open(address);
    let times = 0;
    connection.redis.on('ready', () => this.#events.ready(address, times++ > 0));
    connection.redis.on('close', () => this.#events.gone());
    this.#nodes.set(name, { connection, address, stay: undefined });
    return connection;
  }

  /** Those that answer, with the host by which they were reached. */
  answering(): readonly { readonly connection: Connection; readonly host: string }[] {
    return [...this.#nodes.values()]
      .filter(({ connection }) => connection.ready)
      .map(({ connection, address }) => ({ connection, host: address.host }));
  }

  /** Closes the others after a while, unless they are wanted again by then. */
  keep(wanted: readonly Address[]): void {
    const names = new Set(wanted.map(textOf));
    for (const [name, node] of this.#nodes) {
      if (names.has(name)) stays(node);
      else {
        node.stay ??= this.#clock.after(UNWANTED_KEPT_MS, () => {
          this.#nodes.delete(name);
          void node.connection.close();
        });
      }
    }
  }

  async close(): Promise<void> {
    const all = [...this.#nodes.values()];
    this.#nodes.clear();
    for (const node of all) stays(node);
    await Promise.all(all.map(({ connection }) => connection.close()));
  }
}

function stays(node: Node): void {
  node.stay?.();
  node.stay = undefined;
}
