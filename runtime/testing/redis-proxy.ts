// A proxy between a client and a Redis server that loses what it is told to lose: a reply after its command was executed,
// or a command that is held back and arrives later. Loopback, one server, no delays of its own.

import { connect, createServer, type Server, type Socket } from 'node:net';
import { askRedis, type RedisReply } from './redis-probe.ts';

export interface RedisProxy {
  readonly url: string;
  /** The next request that contains `text` is executed, its reply never arrives, and its connection is cut. */
  loseReplyOf(text: string): Promise<void>;
  /** The next request that contains `text` does not arrive, and its connection is cut. `deliver` sends that command on, late. */
  holdBack(text: string): Promise<HeldCommand>;
  /** Cuts all connections, and refuses new ones until `join`. */
  part(): void;
  join(): void;
  close(): Promise<void>;
}

export interface HeldCommand {
  readonly command: readonly string[];
  deliver(): Promise<RedisReply>;
}

interface Trap {
  readonly text: string;
  readonly forward: boolean;
  readonly sprung: (request: Buffer) => void;
}

/** Listens on a free loopback port in front of the server at `port`. */
export async function startRedisProxy(target: { readonly url: string; readonly port: number }): Promise<RedisProxy> {
  const pairs = new Map<Socket, Socket>();
  let trap: Trap | undefined;
  let parted = false;

  const server = createServer((near) => {
    if (parted) return void near.destroy();
    const far = connect(target.port, '127.0.0.1');
    pairs.set(near, far);
    let deaf = false;
    const cut = (): void => {
      pairs.delete(near);
      near.destroy();
      far.destroy();
    };
    for (const socket of [near, far]) socket.setNoDelay(true).on('error', cut).on('close', cut);
    near.on('data', (chunk) => {
      if (trap === undefined || !chunk.includes(trap.text)) return void far.write(chunk);
      const { forward, sprung } = trap;
      trap = undefined;
      deaf = true;
      if (!forward) {
        sprung(chunk);
        return cut();
      }
      far.once('data', () => {
        sprung(chunk); // The reply is here, so the command was executed.
        cut();
      });
      far.write(chunk);
    });
    far.on('data', (chunk) => void (deaf || near.write(chunk)));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));

  const set = (text: string, forward: boolean): Promise<Buffer> =>
    new Promise((resolve) => {
      trap = { text, forward, sprung: resolve };
    });
  const cutAll = (): void => {
    for (const [near, far] of pairs) {
      near.destroy();
      far.destroy();
    }
  };
  return {
    url: `redis://127.0.0.1:${portOf(server)}`,
    loseReplyOf: (text) => set(text, true).then(() => undefined),
    async holdBack(text) {
      const command = commandsOf(await set(text, false)).find((words) => words.some((word) => word.includes(text)));
      if (command === undefined) throw new Error(`the request with ${text} came in pieces`);
      return { command, deliver: () => askRedis(target.url, command) };
    },
    part() {
      parted = true;
      cutAll();
    },
    join() {
      parted = false;
    },
    async close() {
      cutAll();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

const portOf = (server: Server): number => (server.address() as { readonly port: number }).port; // Listening on TCP.

/** The commands of a request: arrays of bulk strings, as every client sends them. */
function commandsOf(request: Buffer): readonly (readonly string[])[] {
  const commands: string[][] = [];
  let at = 0;
  const line = (): string => {
    const end = request.indexOf('\r\n', at);
    if (end < 0) throw new Error('the request ended early');
    const text = request.toString('utf8', at, end);
    at = end + 2;
    return text;
  };
  while (at < request.length) {
    const words: string[] = [];
    for (let left = Number(line().slice(1)); left > 0; left -= 1) {
      const length = Number(line().slice(1));
      words.push(request.toString('utf8', at, at + length));
      at += length + 2;
    }
    commands.push(words);
  }
  return commands;
}
