// Rights: which commands and keys each door to a namespace needs at Redis, and whether the user of a connection has them.
//
// A door is a way in with rights of its own. Plain commands stand here, and rights.test.ts holds them against the code; what the
// functions run inside is read from their sources. As ACL rules each door is one selector, so that a process that uses two of
// them gets both and not their product.
//
//   host      a worker's own namespace: shards, membership, assignment
//   relay     a namespace that messages are carried into
//   client    the api, the command line, and handlers that read: intake and reads, never an owner's write; may found a namespace
//   lock      the lock masters: scripts on lock keys, nothing else (L2)
//   operator  loads and drops the function library; no process needs it

import { OperatingError } from '../errors.ts';
import { innerCommands } from '../functions/inner.ts';
import { functionName } from '../functions/library.ts';
import type { Namespace } from '../ids.ts';
import type { Connection } from './connection.ts';
import { keyPatterns } from './keys.ts';
import type { Durability } from './server.ts';

export type Door = 'host' | 'relay' | 'client' | 'lock' | 'operator';

interface Needs {
  readonly functions: readonly string[];
  /** Plain commands, as ACL rules name them. */
  readonly commands: readonly string[];
  /** At `replicas:n` only. */
  readonly copying?: readonly string[];
  /** Key patterns that are written, and those that are only read, of a namespace. */
  readonly written: (ns: string) => readonly string[];
  readonly read?: (ns: string) => readonly string[];
}

/** Every connection says who it is, and whether its server is still loading. */
const EVERY = ['client|setname', 'info', 'select'] as const;
const VERIFY = ['config|get', 'fcall'] as const;
/** Of use on a cluster only, where the same users are wanted. */
const ROUTING = ['asking', 'cluster|slots'] as const;
const COPYING = ['set', 'wait'] as const;

export const NEEDS: { readonly [door in Door]: Needs } = {
  host: {
    functions: [
      ...[
        'advance',
        'begin',
        'beat',
        'claim',
        'circuit',
        'commit',
        'finish',
        'join',
        'leave',
        'meta',
        'publish',
        'release',
      ],
      ...['found', 'receive', 'resume', 'rights', 'trim', 'trying'],
    ],
    commands: [
      ...EVERY,
      ...VERIFY,
      ...ROUTING,
      ...['client|id', 'client|list', 'client|unblock', 'exec', 'get', 'getrange', 'hget', 'hgetall', 'hmget', 'hset'],
      ...['hsetnx', 'lindex', 'multi', 'time', 'xinfo|stream', 'xrange', 'xread', 'xrevrange', 'zrangebyscore'],
    ],
    copying: COPYING,
    written: (ns) => [keyPatterns.shards(ns), keyPatterns.own(ns)],
  },
  relay: {
    functions: ['meta', 'receive', 'rights'],
    commands: [...EVERY, ...VERIFY, ...ROUTING, 'hget'],
    copying: COPYING,
    written: (ns) => ['inbox', 'backlog', 'lanes:in', 'a:*', 'mark'].map((name) => keyPatterns.shards(ns, name)),
  },
  client: {
    functions: ['found', 'limit', 'meta', 'publish', 'rights', 'send', 'swap', 'travel'],
    commands: [
      ...EVERY,
      ...VERIFY,
      ...ROUTING,
      ...[
        'del',
        'exec',
        'exists',
        'get',
        'getdel',
        'hexists',
        'hget',
        'hgetall',
        'hlen',
        'hmget',
        'hsetnx',
        'llen',
        'lrange',
      ],
      ...[
        'multi',
        'set',
        'smembers',
        'time',
        'xinfo|groups',
        'xrange',
        'xread',
        'xrevrange',
        'zcard',
        'zrange',
        'zscan',
      ],
    ],
    copying: COPYING,
    written: (ns) => [
      ...['inbox', 'backlog', 'dedupe', 'a:*', 'mark'].map((name) => keyPatterns.shards(ns, name)),
      ...['config', 'assignment', 'travels'].map((name) => keyPatterns.own(ns, name)),
      ...['record', 'sheet', 'keep', 'once', 'limit'].map((kind) => keyPatterns.beside(ns, kind)),
    ],
    read: (ns) => [keyPatterns.shards(ns), keyPatterns.own(ns)],
  },
  lock: {
    functions: [],
    commands: [...EVERY, 'del', 'eval', 'evalsha', 'exists', 'get', 'set'],
    written: (ns) => [keyPatterns.locks(ns)],
  },
  operator: {
    functions: ['meta'],
    commands: [...EVERY, 'fcall', 'function|delete', 'function|list', 'function|load'],
    written: () => [],
  },
};

/** Every rule of a door, sorted: `+hget`, and `+fcall|…` for each function, which allows no other one. */
export async function rulesOf(door: Door, durability: Durability): Promise<readonly string[]> {
  const { functions, commands, copying = [] } = NEEDS[door];
  const inner = await innerCommands();
  const names = new Set([
    ...commands.filter((name) => name !== 'fcall'),
    ...functions.flatMap((name) => inner.get(name) ?? []),
    ...functions.map((name) => `fcall|${functionName(name)}`),
    ...(durability.kind === 'replicas' ? copying : []),
  ]);
  return [...names].sort().map((name) => `+${name}`);
}

/** Key patterns of a door as ACL rules. */
export function patternsOf(door: Door, ns: string): readonly string[] {
  const { written, read } = NEEDS[door];
  return [...written(ns).map((pattern) => `~${pattern}`), ...(read?.(ns) ?? []).map((pattern) => `%R~${pattern}`)];
}

export interface Asked {
  readonly door: Door;
  readonly namespace: Namespace;
  readonly durability: Durability;
}

/**
 * Throws OperatingError `redis-denied` with the line that grants what the user of this connection lacks for the door. One round
 * trip, by the function `rights`; a connection of the lock profile asks by a script. The library must be loaded.
 */
export async function checkRights(connection: Connection, { door, namespace, durability }: Asked): Promise<void> {
  const rules = await rulesOf(door, durability);
  const patterns = patternsOf(door, namespace);
  const { written } = NEEDS[door];
  const place = sample(written(namespace)[0] ?? '');
  const asked = [
    ...rules.map((rule) => ({ grants: rule, words: wordsOf(rule, place) })),
    ...patterns.map((pattern) => ({ grants: pattern, words: touching(pattern, door) })),
  ];
  const missing = await denied(connection, door, asked, [...patterns, ...rules]);
  if (missing.length === 0) return;
  const lacks = missing.map(({ grants }) => grants);
  // A selector says both at once: a key pattern is of use with commands only.
  const granted = lacks.every((grant) => grant.startsWith('+')) ? lacks : rules;
  throw lacking(connection, lacks, [...patterns, ...granted]);
}

interface Question {
  /** The rule that a user lacks who may not run the words. */
  readonly grants: string;
  readonly words: readonly string[];
}

/** A key that the pattern covers. */
const sample = (pattern: string): string => pattern.replaceAll('*', '0');

const KEYLESS = new Set(['meta', 'rights'].map(functionName));

/** The command of a rule as it would be sent, on a key. Its other words only have to be there. */
function wordsOf(rule: string, key: string): readonly string[] {
  const [name = '', sub] = rule.slice(1).split('|');
  if (name === 'fcall') return KEYLESS.has(sub ?? '') ? ['FCALL', sub ?? '', '0'] : ['FCALL', sub ?? '', '1', key];
  if (name === 'eval' || name === 'evalsha') return [name, '', '1', key];
  if (name === 'xread') return ['XREAD', 'STREAMS', key, '0'];
  if (name === 'xreadgroup') return ['XREADGROUP', 'GROUP', '', '', 'STREAMS', key, '0'];
  if (name === 'del' || name === 'exists') return [name, key]; // Every further word would be a key.
  if (sub !== undefined) return [name, sub, key, '', ''];
  return [name, key, '', ''];
}

/** A command that every door with that kind of pattern may run, on a key of the pattern. */
function touching(rule: string, door: Door): readonly string[] {
  const [, kind, pattern = ''] = /^(~|%R~)(.*)$/.exec(rule) ?? [];
  if (kind === '%R~') return ['HGET', sample(pattern), ''];
  return [door === 'relay' ? 'HSET' : door === 'lock' ? 'SET' : 'HSETNX', sample(pattern), '', ''];
}

/** The same as the function `rights`, for servers that hold no library of ours. */
const ASK_BY_SCRIPT = `
  local reply, at, place = { 'RIGHTS' }, 1, 0
  while at <= #ARGV do
    local count = tonumber(ARGV[at])
    place = place + 1
    if not redis.acl_check_cmd(unpack(ARGV, at + 1, at + count)) then reply[#reply + 1] = tostring(place) end
    at = at + count + 1
  end
  return reply
`;

async function denied(
  connection: Connection,
  door: Door,
  asked: readonly Question[],
  everything: readonly string[],
): Promise<readonly Question[]> {
  const words = asked.flatMap((question) => [String(question.words.length), ...question.words]);
  const how = door === 'lock' ? ['EVAL', ASK_BY_SCRIPT, '0'] : ['FCALL', functionName('rights'), '0'];
  const [first = '', ...rest] = how;
  const reply = (await connection
    .call('rights', (redis) => redis.call(first, ...rest, ...words))
    .catch((error: unknown) => {
      if (!(error instanceof OperatingError) || error.code !== 'redis-denied') throw error;
      const rule = door === 'lock' ? '+eval' : `+fcall|${functionName('rights')}`;
      throw lacking(connection, [rule], everything); // What else is missing could not be asked.
    })) as readonly string[];
  return reply.slice(1).map((place) => asked[Number(place) - 1] as Question);
}

/** A selector of its own: what the user has already is neither read nor changed. */
function lacking(connection: Connection, lacks: readonly string[], grants: readonly string[]): OperatingError {
  const { user, printable } = connection;
  return new OperatingError(
    'redis-denied',
    `the Redis user "${user}" at ${printable} lacks ${lacks.join(' ')}; grant it: ` +
      `ACL SETUSER ${user} (${grants.join(' ')}), or use the users that \`emboss acl\` prints`,
  );
}
