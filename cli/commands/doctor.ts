// `emboss doctor`: looks at everything the system needs and says, line by line, what is well and what to do.

import { Command } from 'commander';
import {
  environmentOf,
  type Ports,
  readSettings,
  type Settings,
  SettingsError,
} from '../../actors/contract/settings.ts';
import { askRedis } from '../../runtime/testing/redis-probe.ts';
import { findRedisServer } from '../../runtime/testing/redis-server.ts';
import { EXIT } from '../failure.ts';
import { isFree, PORT_SETTINGS, SURFACES } from '../ports.ts';
import { projectRoot } from '../project.ts';
import { REDIS_MAJOR_MIN, versionAt } from '../redis.ts';
import { fetchedServer } from '../redis-fetch.ts';
import { type Running, readRunning } from '../running.ts';

const NODE_MAJORS_TRIED = [20];

export interface Finding {
  readonly topic: string;
  /** `warn`: works, but look at it. `bad`: the system will not run, or not as configured. */
  readonly state: 'ok' | 'warn' | 'bad';
  readonly words: string;
}

export function doctorCommand(): Command {
  return new Command('doctor')
    .description('Check Node, settings, Redis, ports and the running system; say what to do.')
    .option('--json', 'findings as JSON')
    .addHelpText('after', '\nExit code 0 when nothing is bad, 1 otherwise.')
    .action(async ({ json }: { json?: boolean }) => {
      const findings = await diagnose();
      if (json === true) process.stdout.write(`${JSON.stringify({ findings })}\n`);
      else
        for (const { topic, state, words } of findings)
          process.stdout.write(`${state.padEnd(4)}  ${topic.padEnd(9)}  ${words}\n`);
      if (findings.some(({ state }) => state === 'bad')) process.exitCode = EXIT.failed;
    });
}

/** All findings, in the order in which a reader should mend them. */
export async function diagnose(): Promise<Finding[]> {
  const node = nodeFinding();
  let settings: Settings;
  try {
    settings = readSettings(environmentOf(projectRoot), projectRoot);
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    return [node, ...error.problems.map((words) => ({ topic: 'settings', state: 'bad', words }) as const)];
  }
  const running = readRunning(settings.dataDir);
  return [
    node,
    ...settingsFindings(settings),
    ...(await redisFindings(settings, running)),
    ...(await lockFindings(settings)),
    ...(await portFindings(settings, running)),
    ...(await systemFindings(running)),
  ];
}

function nodeFinding(): Finding {
  const { node } = process.versions;
  const tried = NODE_MAJORS_TRIED.includes(Number.parseInt(node, 10));
  const words = tried
    ? `Node.js ${node}`
    : `Node.js ${node}; this version is tested on ${NODE_MAJORS_TRIED.join(' and ')} only`;
  return { topic: 'node', state: tried ? 'ok' : 'warn', words };
}

function settingsFindings({ notices }: Settings): Finding[] {
  if (notices.length === 0) return [{ topic: 'settings', state: 'ok', words: 'all set' }];
  return notices.map((words) => ({ topic: 'settings', state: 'warn', words }));
}

/** The server that is in use or would be; its version, and whether its configuration keeps what is promised. */
async function redisFindings(settings: Settings, running: Running | undefined): Promise<Finding[]> {
  const url = settings.redisUrlGiven ? settings.redisUrl : running?.redisUrl;
  if (url === undefined) return [programFinding(settings)];
  try {
    const version = await versionAt(url);
    if (Number.parseInt(version, 10) < REDIS_MAJOR_MIN) {
      return [{ topic: 'redis', state: 'bad', words: `version ${version}; ${REDIS_MAJOR_MIN}.0 or newer is needed` }];
    }
    const origin = settings.redisUrlGiven ? 'REDIS_URL' : 'the running system';
    return [
      { topic: 'redis', state: 'ok', words: `version ${version} answers (${origin})` },
      await durabilityFinding(url, settings),
    ];
  } catch (error) {
    const words = `does not answer: ${error instanceof Error ? error.message : String(error)}. Start it or correct REDIS_URL`;
    return [{ topic: 'redis', state: 'bad', words }];
  }
}

/** Each lock master by itself, since a minority may be away. They are numbered as set: their URLs may hold passwords. */
export async function lockFindings({ lockRedisUrls: urls }: Pick<Settings, 'lockRedisUrls'>): Promise<Finding[]> {
  const answers = await Promise.all(urls.map(lockAnswer));
  const there = answers.filter(({ isThere }) => isThere).length;
  const hasMajority = there > urls.length / 2;
  const advice = hasMajority
    ? `; ${there} of ${urls.length} are enough, but start it or correct LOCK_REDIS_URLS`
    : '; without a majority no shard is served: start it or correct LOCK_REDIS_URLS';
  return answers.map(({ isThere, words }, i) => ({
    topic: 'locks',
    state: isThere ? 'ok' : hasMajority ? 'warn' : 'bad',
    words: `lock master ${i + 1} of ${urls.length} ${words}${isThere ? '' : advice}`,
  }));
}

/** A user of its own for the locks may run scripts and no more: that it is told so is an answer, too. */
async function lockAnswer(url: string): Promise<{ readonly isThere: boolean; readonly words: string }> {
  try {
    await askRedis(url, ['PING']);
    return { isThere: true, words: 'answers' };
  } catch (error) {
    const words = error instanceof Error ? error.message : String(error);
    return words.includes('NOPERM')
      ? { isThere: true, words: 'answers' }
      : { isThere: false, words: `does not answer: ${words}` };
  }
}

function programFinding(settings: Settings): Finding {
  const onPath = settings.redis === 'fetch' ? undefined : findRedisServer();
  if (onPath !== undefined)
    return { topic: 'redis', state: 'ok', words: `REDIS_URL is unset; a private server will run from ${onPath}` };
  const fetched = fetchedServer();
  if (fetched !== undefined)
    return { topic: 'redis', state: 'ok', words: `REDIS_URL is unset; a private server will run from ${fetched}` };
  const words =
    'no redis-server on PATH; `emboss up` will try to fetch one (Debian, Ubuntu), or: sudo apt-get install redis-server';
  return { topic: 'redis', state: 'warn', words };
}

async function durabilityFinding(url: string, settings: Settings): Promise<Finding> {
  let config: Map<string, string>;
  try {
    config = await configOf(url);
  } catch {
    return {
      topic: 'redis',
      state: 'warn',
      words: 'its configuration may not be read (CONFIG GET), so its durability is not known',
    };
  }
  const wanted = settings.durability === 'fsync' ? ['always'] : ['always', 'everysec'];
  const copies = await copiesFinding(url, settings, config);
  if (copies !== undefined) return copies;
  const faults = [
    config.get('appendonly') === 'yes' ? '' : 'CONFIG SET appendonly yes',
    wanted.includes(config.get('appendfsync') ?? '') ? '' : `CONFIG SET appendfsync ${wanted.at(-1)}`,
    config.get('maxmemory-policy') === 'noeviction' ? '' : 'CONFIG SET maxmemory-policy noeviction',
  ].filter((fault) => fault !== '');
  if (faults.length === 0)
    return { topic: 'redis', state: 'ok', words: `keeps what EMBOSS_DURABILITY=${settings.durability} promises` };
  return {
    topic: 'redis',
    state: 'bad',
    words: `weaker than EMBOSS_DURABILITY=${settings.durability}; set: ${faults.join('; ')}`,
  };
}

/** What speaks against `replicas:n`; a server that would go on alone is worth a warning, since it only costs time. */
async function copiesFinding(
  url: string,
  { durability }: Settings,
  config: ReadonlyMap<string, string>,
): Promise<Finding | undefined> {
  const wanted = Number(/^replicas:(\d+)$/.exec(durability)?.[1] ?? 0);
  if (wanted === 0) return undefined;
  const info = String(await askRedis(url, ['INFO', 'replication']));
  const online = [...info.matchAll(/^slave\d+:.*\bstate=online\b/gm)].length;
  if (online < wanted)
    return {
      topic: 'redis',
      state: 'bad',
      words: `${online} of the ${wanted} replicas that EMBOSS_DURABILITY=${durability} needs are online; start them with replicaof`,
    };
  if (Number(config.get('min-replicas-to-write') ?? 0) >= wanted) return undefined;
  return {
    topic: 'redis',
    state: 'warn',
    words: `a master that is cut off takes writes that nobody will confirm; better: CONFIG SET min-replicas-to-write ${wanted}, min-replicas-max-lag 2`,
  };
}

async function configOf(url: string): Promise<Map<string, string>> {
  const flat = await askRedis(
    url,
    'CONFIG GET appendonly appendfsync maxmemory-policy min-replicas-to-write'.split(' '),
  );
  const words = Array.isArray(flat) ? flat.map(String) : [];
  return new Map(Array.from({ length: words.length / 2 }, (_, i) => [words[2 * i] ?? '', words[2 * i + 1] ?? '']));
}

async function portFindings(settings: Settings, running: Running | undefined): Promise<Finding[]> {
  const taken: string[] = [];
  for (const surface of SURFACES) {
    const port = settings.ports[surface];
    const ours = running !== undefined && Number(new URL(running.urls[surface]).port) === port;
    if (!ours && !(await isFree(port, settings.host))) taken.push(`${port} (${PORT_SETTINGS[surface]})`);
  }
  const all = SURFACES.map((surface: keyof Ports) => settings.ports[surface]).join(', ');
  if (taken.length === 0)
    return [
      { topic: 'ports', state: 'ok', words: `${all} ${running === undefined ? 'are free' : 'are free or ours'}` },
    ];
  const words = `taken by other programs: ${taken.join(', ')}; \`emboss up\` chooses others where the setting is not given`;
  return [{ topic: 'ports', state: 'warn', words }];
}

async function systemFindings(running: Running | undefined): Promise<Finding[]> {
  if (running === undefined) return [{ topic: 'system', state: 'ok', words: 'not running; start it with: npm start' }];
  const down = running.processes.filter(({ pid }) => pid === null).map(({ id }) => id);
  const words = `running as process ${running.pid} since ${running.startedAt}, ${running.processes.length} processes`;
  const findings: Finding[] = [{ topic: 'system', state: 'ok', words }];
  if (down.length > 0)
    findings.push({
      topic: 'system',
      state: 'bad',
      words: `down: ${down.join(', ')}; see the output of \`emboss up\``,
    });
  const ready = await fetch(`${running.urls.public}/readyz`, { signal: AbortSignal.timeout(2_000) }).catch(
    () => undefined,
  );
  await ready?.body?.cancel();
  if (ready?.ok !== true)
    findings.push({ topic: 'system', state: 'bad', words: `the api at ${running.urls.public} is not ready` });
  return findings;
}
