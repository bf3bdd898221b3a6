// What a server says it executes, with its own clock: the commands inside of functions, too (MONITOR).

import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';

export interface Executed {
  /** The server's clock, ms. */
  readonly at: number;
  readonly words: readonly string[];
}

const LINE = /^\+(\d+\.\d+) \[\d+ [^\]]*\] (.*)$/;
const WORD = /"((?:[^"\\]|\\.)*)"/g;

/** Hears every command from now on until `stop`. Costs the server about a third of its speed. */
export class Monitor {
  readonly #socket: Socket;

  static async start(port: number, onCommand: (executed: Executed) => void): Promise<Monitor> {
    const socket = connect(port, '127.0.0.1');
    const lines = createInterface(socket);
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      lines.once('line', () => resolve()); // +OK
      socket.write('MONITOR\r\n');
    });
    socket.on('error', () => undefined);
    lines.on('line', (line) => {
      const [, at, rest = ''] = LINE.exec(line) ?? [];
      if (at !== undefined) onCommand({ at: Number(at) * 1_000, words: quoted(rest) });
    });
    return new Monitor(socket);
  }

  private constructor(socket: Socket) {
    this.#socket = socket;
  }

  stop(): void {
    this.#socket.destroy();
  }
}

/** Escapes stay as they are: what the trials look for has none. */
const quoted = (text: string): readonly string[] => [...text.matchAll(WORD)].map(([, word = '']) => word);
