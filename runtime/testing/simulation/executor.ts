// The one real connection of a simulated run: executes commands on a private Redis server, one at a time.
//
// The simulation decides when a call is executed and whether its reply arrives; what it does is done by Redis itself, with
// the functions of the product.

import { connect, type Socket } from 'node:net';
import { ReplyError } from 'ioredis';
import { encoded, type Reply as ReplyOf, repliesIn, type Word } from '../resp.ts';

export type { Word } from '../resp.ts';
/** An error reply is a value here: the simulation hands it on. */
export type Reply = ReplyOf<Error>;

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
    const reading = { encoding: this.#encoding, onError: replyError };
    const replies = repliesIn(this.#received, waiting.count, reading);
    if (replies === undefined) return;
    const bytes = this.#received;
    this.#received = Buffer.alloc(0);
    this.#waiting = undefined;
    waiting.resolve({ replies, bytes });
  }
}

/** As the product's client library gives it. Declared as any by ioredis. */
const replyError = (words: string): Error => new (ReplyError as unknown as new (text: string) => Error)(words);
