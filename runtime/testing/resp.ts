// RESP2, for those who ask a Redis server without a client library: commands as text, replies out of bytes.

export type Word = string | number | Buffer;
/** `E` stands for an error reply, wherever in a reply it comes. */
export type Reply<E = never> = string | number | null | E | readonly Reply<E>[];

export interface Reading<E> {
  /** Of strings. `latin1` keeps bytes as they are, one character each. */
  readonly encoding: BufferEncoding;
  /** What becomes of an error reply. May throw. */
  readonly onError: (words: string) => E;
}

/** A command as it is sent. */
export function encoded(words: readonly Word[], encoding: BufferEncoding): string {
  let text = `*${words.length}\r\n`;
  for (const word of words) {
    const part = String(word);
    text += `$${Buffer.byteLength(part, encoding)}\r\n${part}\r\n`;
  }
  return text;
}

/** The first `count` replies, or undefined while some are still under way. Throws where the bytes are none of Redis. */
export function repliesIn<E>(buffer: Buffer, count: number, reading: Reading<E>): readonly Reply<E>[] | undefined {
  const parser = new Parser(buffer, reading);
  const replies: Reply<E>[] = [];
  while (replies.length < count) {
    const reply = parser.next();
    if (reply === undefined) return undefined;
    replies.push(reply);
  }
  return replies;
}

/** Goes through a buffer that may end in the middle of a reply. */
class Parser<E> {
  readonly #buffer: Buffer;
  readonly #reading: Reading<E>;
  #at = 0;

  constructor(buffer: Buffer, reading: Reading<E>) {
    this.#buffer = buffer;
    this.#reading = reading;
  }

  /** The next reply; undefined where it is not all there. */
  next(): Reply<E> | undefined {
    const end = this.#buffer.indexOf('\r\n', this.#at);
    if (end < 0) return undefined;
    const kind = String.fromCharCode(this.#buffer[this.#at] ?? 0);
    const line = this.#buffer.toString(this.#reading.encoding, this.#at + 1, end);
    this.#at = end + 2;
    switch (kind) {
      case '+':
        return line;
      case ':':
        return Number(line);
      case '-':
        return this.#reading.onError(line);
      case '$':
        return this.#bulk(Number(line));
      case '*':
        return this.#list(Number(line));
      default:
        throw new Error('this is not a Redis server: its answer does not follow the protocol');
    }
  }

  #bulk(length: number): string | null | undefined {
    if (length < 0) return null;
    const start = this.#at;
    if (this.#buffer.length < start + length + 2) return undefined;
    this.#at = start + length + 2;
    return this.#buffer.toString(this.#reading.encoding, start, start + length);
  }

  #list(length: number): readonly Reply<E>[] | null | undefined {
    if (length < 0) return null;
    const list: Reply<E>[] = [];
    for (let i = 0; i < length; i += 1) {
      const reply = this.next();
      if (reply === undefined) return undefined;
      list.push(reply);
    }
    return list;
  }
}
