// Frames of RESP2 and RESP3: a stream of bytes cut where a request or a reply ends. Contents are not looked at.
//
// Requests are arrays of bulk strings, as every client library sends them, or one line of words. Replies are any value; an
// attribute belongs to the value behind it. Source: redis.io/docs/latest/develop/reference/protocol-spec.

/** A frame above this is a mistake of ours: the runtime's largest call is 1 MB. Bytes. */
const FRAME_BYTES_MAX = 64 * 1024 * 1024;

/** The bytes are neither requests nor replies of Redis, or one of them does not end. */
export class NotRedis extends Error {
  override readonly name = 'NotRedis';
}

export class FrameCutter {
  readonly #inline: boolean;
  #chunks: Buffer[] = [];
  #bytes = 0;
  /** Held bytes below which nothing more can be found out. */
  #wanted = 0;
  /** How far the first frame has been looked through, and how many values it still lacks. */
  #at = 0;
  #open = 1;

  /** `requests` may come as a line of words; replies may not. */
  constructor(side: 'requests' | 'replies') {
    this.#inline = side === 'requests';
  }

  /** Takes what arrived and gives the frames that are whole, oldest first. O(bytes). Throws NotRedis. */
  cut(chunk: Buffer): readonly Buffer[] {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    if (this.#bytes > FRAME_BYTES_MAX) throw new NotRedis(`a frame of more than ${FRAME_BYTES_MAX} bytes`);
    if (this.#bytes < this.#wanted) return [];
    const held = this.#chunks.length === 1 ? chunk : Buffer.concat(this.#chunks);
    const frames: Buffer[] = [];
    let start = 0;
    while (this.#advance(held)) {
      frames.push(held.subarray(start, this.#at));
      start = this.#at;
      this.#open = 1;
    }
    const rest = held.subarray(start);
    this.#chunks = rest.length === 0 ? [] : [rest];
    this.#bytes = rest.length;
    this.#at -= start;
    this.#wanted -= start;
    return frames;
  }

  /** True when the frame ends at `#at`; false when more bytes are needed. */
  #advance(held: Buffer): boolean {
    while (this.#open > 0) {
      const lineEnd = held.indexOf('\r\n', this.#at);
      if (lineEnd < 0) {
        this.#wanted = held.length + 1;
        return false;
      }
      const end = this.#valueEnd(held, lineEnd);
      if (end > held.length) {
        this.#wanted = end;
        return false;
      }
      this.#at = end;
    }
    return true;
  }

  /** Where the value, or the head of the aggregate, that begins at `#at` ends; counts it when that is here already. */
  #valueEnd(held: Buffer, lineEnd: number): number {
    const type = String.fromCharCode(held[this.#at] ?? 0);
    const size = (): number => Math.max(0, Number(held.toString('latin1', this.#at + 1, lineEnd)));
    let end = lineEnd + 2;
    let opens = -1;
    if ('$!='.includes(type)) {
      const isNull = held[this.#at + 1] === MINUS;
      end += isNull ? 0 : size() + 2;
    } else if ('*~>'.includes(type)) opens += size();
    else if (type === '%') opens += 2 * size();
    else if (type === '|') opens += 2 * size() + 1;
    else if (!'+-:_,#('.includes(type) && !(this.#inline && this.#open === 1))
      throw new NotRedis(`a frame that begins with ${JSON.stringify(type)}`);
    if (Number.isNaN(end + opens)) throw new NotRedis('a length that is no number');
    if (end <= held.length) this.#open += opens;
    return end;
  }
}

const MINUS = '-'.charCodeAt(0);
const PUSH = '>'.charCodeAt(0);

/** Out of band: it answers no request. */
export const isPush = (reply: Buffer): boolean => reply[0] === PUSH;

/** The words of a request, the command first. Bytes that are no UTF-8 come out as U+FFFD. */
export function wordsOf(request: Buffer): readonly string[] {
  if (request[0] !== '*'.charCodeAt(0)) return request.toString('utf8').trim().split(/\s+/);
  const words: string[] = [];
  let at = request.indexOf('\r\n') + 2;
  while (at < request.length) {
    const lineEnd = request.indexOf('\r\n', at);
    const length = Number(request.toString('latin1', at + 1, lineEnd));
    words.push(request.toString('utf8', lineEnd + 2, lineEnd + 2 + length));
    at = lineEnd + 4 + length;
  }
  return words;
}
