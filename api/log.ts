// The log: one JSON line per event on stdout, from allow-lists only. No body, no header, no address, no name.

import { type DestinationStream, type Logger, pino } from 'pino';

const ID = /^(ord|dlv|crd|apl|bat|doc|prv|exp)_[A-Za-z0-9_.-]{1,76}$/;
const LONG_DIGITS = /\d(?:[ -]?\d){11,}/g;
const EMAIL = /[^\s@"']{1,64}@[^\s@"']{1,190}/g;
const JWT = /eyJ[\w-]+\.[\w-]+\.[\w-]+/g;

/** Takes out of a text what must not stand in a log, however it came there. */
export const scrubbed = (text: string): string =>
  text.replace(JWT, '[token]').replace(EMAIL, '[address]').replace(LONG_DIGITS, '[digits]');

/** Of an error only what names it. Messages of parsers quote their input, so they are cut short and scrubbed. */
export function errorLine(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error)) return { name: 'NonError' };
  const code = (error as { code?: unknown }).code;
  return {
    name: error.name,
    ...(typeof code === 'string' ? { code } : {}),
    message: error instanceof SyntaxError ? 'not quoted' : scrubbed(error.message.slice(0, 300)),
    stack: error.stack
      ?.split('\n')
      .slice(1, 12)
      .map((frame) => frame.trim()),
    ...(error.cause instanceof Error
      ? { cause: `${error.cause.name}: ${scrubbed(error.cause.message.slice(0, 200))}` }
      : {}),
  };
}

/** The id in a path parameter, if it has the form of one of ours: anything else may be personal. */
export const loggableId = (value: unknown): string | undefined =>
  typeof value === 'string' && ID.test(value) ? value : undefined;

export function createLog(options: { readonly level: string; readonly destination?: DestinationStream }): Logger {
  const settings = {
    level: options.level,
    base: { process: 'api', pid: process.pid },
    serializers: { err: errorLine, error: errorLine, req: () => undefined, res: () => undefined },
    redact: {
      paths: ['*.authorization', '*.cookie', 'body', '*.body', '*.phone', '*.email', '*.ticket', '*.token'],
      remove: true,
    },
  };
  return options.destination === undefined ? pino(settings) : pino(settings, options.destination);
}
