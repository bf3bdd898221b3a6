// The one real connection of a simulated run: executes commands on a private Redis server, one at a time.
//
// The simulation decides when a call is executed and whether its reply arrives; what it does is done by Redis itself, with
// the functions of the product.

import { connect, type Socket } from 'node:net';
import { ReplyError } from 'ioredis';

export type Word = string | number | Buffer;
export type Reply = string | number | null | Error | readonly Reply[];

export interface Executed {
  readonly replies: readonly Reply[];
  /** As they came: what the fingerprint of a run is made of. */
  readonly bytes: Buffer;
}

interface Waiting {
  readonly count: number;
  readonly resolve: (executed: Executed) => void;
  readonly reject: (error: Error) => void;
}

export class Executor {
  readonly #socket: Socket;
  #encoding: BufferEncoding = 'utf8';
  #received: Buffer = Buffer.alloc(0);
  #waiting: Waiting | undefined;

  /** `path` of the server's Unix socket. */
  static open(path: string): Promise<Executor> {
    return new Promise((resolve, reject) => {
      const socket = connect(path);
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.off('error', reject);
        resolve(new Executor(socket));
      });
    });
  }

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk) => this.#hear(chunk));
    socket.on('error', (error) => this.#waiting?.reject(error));
    socket.on('close', () => this.#waiting?.reject(new Error('the Redis server of the simulation is gone')));
  }

  /** Sends the commands in one go and resolves with all replies. `latin1` keeps bytes as they are, one character each. */
  run(commands: readonly (readonly Word[])[], encoding: 'utf8' | 'latin1' = 'utf8'): Promise<Executed> {
    if (commands.length === 0) return Promise.resolve({ replies: [], bytes: Buffer.alloc(0) });
    this.#encoding = encoding;
    return new Promise((resolve, reject) => {
      this.#waiting = { count: commands.length, resolve, reject };
      this.#socket.write(commands.map((words) => encoded(words, encoding)).join(''), encoding);
    });
  }

  /** One command. Rejects with an error reply. */
  async ask(...words: readonly Word[]): Promise<Reply> {
    const [reply = null] = (await this.run([words])).replies;
    if (reply instanceof Error) throw reply;
    return reply;
  }

  close(): void {
    this.#socket.destroy();
  }

  #hear(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    const waiting = this.#waiting;
    if (waiting === undefined) return;
    const parser = new Parser(this.#received, this.#encoding);
    const replies: Reply[] = [];
    while (replies.length < waiting.count) {
      const reply = parser.next();
      if (reply === undefined) return;
      replies.push(reply);
    }
    const bytes = this.#received;
    this.#received = Buffer.alloc(0);
    this.#waiting = undefined;
    waiting.resolve({ replies, bytes });
  }
}

function encoded(words: readonly Word[], encoding: BufferEncoding): string {
  let text = `*${words.length}\r\n`;
  for (const word of words) {
    const part = String(word);
    text += `$${Buffer.byteLength(part, encoding)}\r\n${part}\r\n`;
  }
  return text;
}

/** RESP2 over a buffer that may end in the middle of a reply. */
class Parser {
  readonly #buffer: Buffer;
  readonly #encoding: BufferEncoding;
  #at = 0;

  constructor(buffer: Buffer, encoding: BufferEncoding) {
    this.#buffer = buffer;
    this.#encoding = encoding;
  }

  /** The next reply; undefined where it is not all there. */
  next(): Reply | undefined {
    const end = this.#buffer.indexOf('\r\n', this.#at);
    if (end < 0) return undefined;
    const kind = this.#buffer[this.#at];
    const line = this.#buffer.toString('latin1', this.#at + 1, end);
    this.#at = end + 2;
    switch (kind) {
      case 0x2b: // +
        return line;
      case 0x3a: // :
        return Number(line);
      case 0x2d: // -
        return new (ReplyError as unknown as new (text: string) => Error)(line); // Declared as any by ioredis.
      case 0x24: // $
        return this.#bulk(Number(line));
      default: // *
        return this.#list(Number(line));
    }
  }

  #bulk(length: number): Reply | undefined {
    if (length < 0) return null;
    const start = this.#at;
    if (this.#buffer.length < start + length + 2) return undefined;
    this.#at = start + length + 2;
    return this.#buffer.toString(this.#encoding, start, start + length);
  }

  #list(length: number): Reply | undefined {
    if (length < 0) return null;
    const list: Reply[] = [];
    for (let i = 0; i < length; i += 1) {
      const reply = this.next();
      if (reply === undefined) return undefined;
      list.push(reply);
    }
    return list;
  }
}
