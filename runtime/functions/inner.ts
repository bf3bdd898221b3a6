// What the Redis Functions run inside: read from their sources, so that no list can differ from them.
//
// Redis judges these commands by the rights of whoever calls the function (redis.io, "Access Control List", functions).

import { readdir, readFile } from 'node:fs/promises';

const CALL = /redis\.p?call\('([A-Z]+)'(?:, '([A-Z]+)')?/g;
const LOCAL_FUNCTION = /^local function (\w+)/;
/** Commands whose first word is a subcommand, which is a right of its own. */
const CONTAINERS = new Set(['XGROUP', 'XINFO', 'CLIENT', 'CONFIG', 'FUNCTION', 'ACL', 'SCRIPT']);

let read: Promise<ReadonlyMap<string, readonly string[]>> | undefined;

/** By function, its commands as ACL rules name them, for example `xgroup|setid`, sorted. Read once per process. */
export function innerCommands(): Promise<ReadonlyMap<string, readonly string[]>> {
  read ??= readSources();
  return read;
}

async function readSources(): Promise<ReadonlyMap<string, readonly string[]>> {
  const here = new URL('./', import.meta.url);
  const names = (await readdir(here)).filter((name) => name.endsWith('.lua')).sort();
  const shared = sharedFunctions(await readFile(new URL('common.lua', here), 'utf8'));
  const found = new Map<string, readonly string[]>();
  for (const name of names) {
    if (name === 'common.lua') continue;
    const source = await readFile(new URL(name, here), 'utf8');
    const used = [...shared].filter(([local]) => new RegExp(`\\b${local}\\(`).test(source));
    const commands = new Set([source, ...used.map(([, body]) => body)].flatMap(commandsIn));
    found.set(name.replace('.lua', ''), [...commands].sort());
  }
  return found;
}

/** The rule of a command as it is sent: `xgroup|setid` for XGROUP SETID. */
export const ruleOf = (command: string, first = ''): string =>
  (CONTAINERS.has(command.toUpperCase()) && first !== '' ? `${command}|${first}` : command).toLowerCase();

const commandsIn = (source: string): readonly string[] =>
  Array.from(source.matchAll(CALL), ([, command = '', first]) => ruleOf(command, first));

/** Local functions of the common part, with their bodies up to the next one. None of them calls another that runs a command. */
function sharedFunctions(source: string): ReadonlyMap<string, string> {
  const bodies = new Map<string, string>();
  let name = '';
  for (const line of source.split('\n')) {
    name = LOCAL_FUNCTION.exec(line)?.[1] ?? name;
    if (name !== '') bodies.set(name, `${bodies.get(name) ?? ''}${line}\n`);
  }
  return bodies;
}
