// The Procfile: one process type per line, `name: command`. Standard, so that foreign runners read it too.

import { CliFailure, EXIT } from './failure.ts';

export interface ProcessType {
  readonly name: string;
  readonly command: string;
}

/** How many processes of each type. */
export type Scale = { readonly [type: string]: number };

const COPIES_MAX = 64;

/** Reads the types in their order. Lines that are empty or begin with # do not count. Throws CliFailure naming a bad line. */
export function parseProcfile(text: string): ProcessType[] {
  const types: ProcessType[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '' || line.trimStart().startsWith('#')) continue;
    const [, name, command] = /^([A-Za-z][A-Za-z0-9-]*):\s*(\S.*)$/.exec(line.trimEnd()) ?? [];
    if (name === undefined || command === undefined)
      throw new CliFailure(`Procfile, line ${index + 1}: expected "name: command"`);
    if (types.some((type) => type.name === name))
      throw new CliFailure(`Procfile, line ${index + 1}: "${name}" stands there twice`);
    types.push({ name, command });
  }
  return types;
}

/** Reads `ordering=3,delivery=2`. Throws CliFailure for an unknown type or a number that is not 0 … 64. */
export function parseScale(text: string, types: readonly ProcessType[]): Scale {
  const scale: Record<string, number> = {};
  for (const part of text.split(',').filter((piece) => piece.trim() !== '')) {
    const [, name = '', number = ''] = /^\s*([A-Za-z][A-Za-z0-9-]*)=([0-9]+)\s*$/.exec(part) ?? [];
    if (!types.some((type) => type.name === name)) {
      const known = types.map((type) => type.name).join(', ');
      throw new CliFailure(`--scale ${text}: expected type=number with a type of the Procfile (${known})`, EXIT.usage);
    }
    if (Number(number) > COPIES_MAX)
      throw new CliFailure(`--scale ${text}: at most ${COPIES_MAX} processes of a type`, EXIT.usage);
    scale[name] = Number(number);
  }
  return scale;
}

/**
 * What `sh -c` is given. A plain command replaces the shell, so that the process id is the program's own and a signal
 * to it reaches the program; with shell syntax in the line the shell stays, and signals go to the whole group.
 */
export function shellLine(command: string): string {
  if (/[;&|<>()`]|\$\(/.test(command)) return command;
  return /^[A-Za-z_][A-Za-z0-9_]*=/.test(command) ? `exec env ${command}` : `exec ${command}`;
}
