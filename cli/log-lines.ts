// What processes print, as lines with the process's name in front. JSON log lines become readable; others pass as they are.

const COLOURS = [36, 33, 32, 35, 34, 96, 93, 92, 95, 94];
const LINE_CHARS_MAX = 16_384;
const LEVELS: { readonly [level: string]: string } = {
  10: 'TRACE',
  20: 'DEBUG',
  30: 'INFO',
  40: 'WARN',
  50: 'ERROR',
  60: 'FATAL',
};
const LEFT_OUT = new Set(['level', 'time', 'pid', 'hostname', 'msg', 'process', 'v', 'name', 'worker']);

/** Cuts a stream of chunks into lines. A line longer than 16,384 characters comes in pieces. */
export class LineCutter {
  readonly #line: (line: string) => void;
  #rest = '';

  constructor(line: (line: string) => void) {
    this.#line = line;
  }

  push(chunk: string): void {
    const lines = (this.#rest + chunk).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) this.#line(line);
    while (this.#rest.length > LINE_CHARS_MAX) {
      this.#line(this.#rest.slice(0, LINE_CHARS_MAX));
      this.#rest = this.#rest.slice(LINE_CHARS_MAX);
    }
  }

  /** Gives out what came after the last line break. */
  end(): void {
    if (this.#rest !== '') this.#line(this.#rest);
    this.#rest = '';
  }
}

/** Makes a printer for one process: its name padded to `width`, in a colour of its own when `colour` is set. */
export function prefixer(id: string, width: number, index: number, colour: boolean): (line: string) => string {
  const label = `${id.padEnd(width)} |`;
  const painted = colour ? `\u001b[${COLOURS[index % COLOURS.length]}m${label}\u001b[0m` : label;
  return (line) => `${painted} ${readable(line)}`;
}

/** A JSON log line as `LEVEL message key=value …`; anything else unchanged. */
export function readable(line: string): string {
  if (!line.startsWith('{')) return line;
  const entry = parse(line);
  if (entry?.msg === undefined && entry?.level === undefined) return line;
  const level = LEVELS[String(entry.level)] ?? String(entry.level ?? 'INFO').toUpperCase();
  const fields = Object.entries(entry)
    .filter(([name]) => !LEFT_OUT.has(name))
    .map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
  return [level.padEnd(5), entry.msg ?? '', ...fields].join(' ').trimEnd();
}

function parse(line: string): { readonly [name: string]: unknown } | undefined {
  try {
    return JSON.parse(line) as { readonly [name: string]: unknown };
  } catch {
    return undefined; // It only looked like JSON.
  }
}
