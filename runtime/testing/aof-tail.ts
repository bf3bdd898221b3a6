// The tail of an append-only file that a power failure cut short, mended before a server is started on it.
//
// A function's writes stand in the file between MULTI and EXEC. Redis 7.0 forgets a block without its EXEC, but where the cut is
// inside one of its commands it leaves the block's beginning in the file, and at the *next* start what was appended behind is
// read as the rest of it: half a commit is there (seen on 7.0.15; `redis-check-aof --fix` cuts at the right place). So the
// unfinished block is cut off here. Reads the last part of the file once, in pieces.

import { closeSync, existsSync, openSync, readdirSync, readSync, truncateSync } from 'node:fs';
import { join } from 'node:path';

const PIECE_BYTES = 4 * 1024 * 1024;
const FOLDER = 'appendonlydir'; // Redis' own default.

/** The part that the server in `dir` appends to; undefined before its first write. */
export function lastPart(dir: string): string | undefined {
  const folder = join(dir, FOLDER);
  if (!existsSync(folder)) return undefined;
  const sequence = (name: string): number => Number(/\.(\d+)\.incr\.aof$/.exec(name)?.[1] ?? 0);
  const parts = readdirSync(folder).filter((name) => sequence(name) > 0);
  const last = parts.sort((a, b) => sequence(a) - sequence(b)).at(-1);
  return last === undefined ? undefined : join(folder, last);
}

/** Cuts off an unfinished command or MULTI block at the end. Returns the bytes removed. No server may run on the folder. */
export function mendTail(dir: string): number {
  const path = lastPart(dir);
  if (path === undefined) return 0;
  const file = openSync(path, 'r');
  try {
    const { whole, size } = scan(file);
    if (whole !== undefined && whole < size) truncateSync(path, whole);
    return whole === undefined ? 0 : size - whole;
  } finally {
    closeSync(file);
  }
}

/** Length up to which all is finished; undefined where something else than a short end is wrong, which Redis will say. */
function scan(file: number): { readonly whole: number | undefined; readonly size: number } {
  let rest: Buffer = Buffer.alloc(0);
  let at = 0; // Of the first byte of `rest`.
  let whole = 0;
  let inBlock = false;
  for (;;) {
    const piece = Buffer.alloc(PIECE_BYTES);
    const read = readSync(file, piece, 0, PIECE_BYTES, at + rest.length);
    if (read === 0) return { whole, size: at + rest.length };
    rest = Buffer.concat([rest, piece.subarray(0, read)]);
    let used = 0;
    for (;;) {
      const command = commandAt(rest, used);
      if (command === undefined) break;
      if (command === 'broken') return { whole: undefined, size: at + rest.length };
      used = command.end;
      if (command.name === 'MULTI') inBlock = true;
      if (command.name === 'EXEC') inBlock = false;
      if (!inBlock) whole = at + used;
    }
    at += used;
    rest = rest.subarray(used);
  }
}

/** One command of the file, or a remark (`#TS:…`); undefined when it is not there as a whole. */
function commandAt(
  buffer: Buffer,
  start: number,
): { readonly name: string; readonly end: number } | 'broken' | undefined {
  const line = lineAt(buffer, start);
  if (line === undefined) return undefined;
  if (line.text.startsWith('#')) return { name: '', end: line.end };
  if (!/^\*\d+$/.test(line.text)) return 'broken';
  let { end } = line;
  let name = '';
  for (let index = 0; index < Number(line.text.slice(1)); index += 1) {
    const head = lineAt(buffer, end);
    if (head === undefined) return undefined;
    if (!/^\$\d+$/.test(head.text)) return 'broken';
    const length = Number(head.text.slice(1));
    if (buffer.length < head.end + length + 2) return undefined;
    if (index === 0) name = buffer.toString('latin1', head.end, head.end + length).toUpperCase();
    end = head.end + length + 2;
  }
  return { name, end };
}

function lineAt(buffer: Buffer, start: number): { readonly text: string; readonly end: number } | undefined {
  const end = buffer.indexOf('\r\n', start);
  return end === -1 ? undefined : { text: buffer.toString('latin1', start, end), end: end + 2 };
}
