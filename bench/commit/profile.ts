// Where the worker's time goes: a V8 CPU profile of the product's worker at 64 clients, summed by part of the code.

import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CommitOptions } from '../commit.ts';
import { measure } from '../load.ts';
import { startBenchRedis } from '../redis.ts';
import { table } from '../report.ts';
import { startEmboss } from './contenders.ts';

interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string };
  }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

export interface Profile {
  readonly shares: Readonly<Record<string, number>>;
  readonly text: string;
  write(): Promise<void>;
}

const CLIENTS = 64;
const LEAST_SHARE = 0.001; // Below it a part is not named.

export async function profile(options: CommitOptions): Promise<Profile> {
  const folder = await mkdtemp(join(tmpdir(), 'emboss-profile-'));
  const redis = await startBenchRedis();
  try {
    const contender = await startEmboss(redis.url, 'profile', ['--cpu-prof', `--cpu-prof-dir=${folder}`]);
    await measure(CLIENTS, contender.turn, 1_000, options.seconds * 1_000);
    await contender.close();
    const file = (await readdir(folder)).find((name) => name.endsWith('.cpuprofile'));
    if (file === undefined) throw new Error('the worker left no profile');
    return summary(JSON.parse(await readFile(join(folder, file), 'utf8')) as CpuProfile);
  } finally {
    await redis.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

function summary({ nodes, samples, timeDeltas }: CpuProfile): Profile {
  const byPart = new Map<string, number>();
  const byFunction = new Map<string, number>();
  const frames = new Map(nodes.map((node) => [node.id, node.callFrame]));
  let busy = 0;
  samples.forEach((id, index) => {
    const frame = frames.get(id);
    const spent = timeDeltas[index] ?? 0;
    if (frame === undefined || frame.functionName === '(idle)' || frame.functionName === '(program)') return;
    busy += spent;
    add(byPart, partOf(frame.url, frame.functionName), spent);
    add(byFunction, `${frame.functionName || '(anonymous)'} ${shortened(frame.url)}`, spent);
  });
  const share = (value: number): number => Math.round((value / busy) * 1_000) / 1_000;
  const parts = sorted(byPart).filter(([, spent]) => share(spent) >= LEAST_SHARE);
  const functions = sorted(byFunction).slice(0, 20);
  const percent = (value: number): string => `${(share(value) * 100).toFixed(1)} %`;
  const text = [
    `The worker's busy time at ${CLIENTS} clients`,
    table(
      ['part', 'share'],
      parts.map(([part, value]) => [part, percent(value)]),
    ),
    table(
      ['function', 'share'],
      functions.map(([name, value]) => [name, percent(value)]),
    ),
  ].join('\n');
  return {
    shares: Object.fromEntries(parts.map(([part, value]) => [part, share(value)])),
    text,
    write: () => writeFile('bench/results/commit-profile.txt', `${text}\n`),
  };
}

const add = (map: Map<string, number>, key: string, value: number): void =>
  void map.set(key, (map.get(key) ?? 0) + value);
const sorted = (map: ReadonlyMap<string, number>): readonly (readonly [string, number])[] =>
  [...map].sort((a, b) => b[1] - a[1]);
const shortened = (url: string): string => url.replace(/^.*\/(node_modules|build)\//, '');

function partOf(url: string, name: string): string {
  const file = shortened(url);
  if (name === '(garbage collector)') return 'garbage collection';
  if (file.startsWith('xstate/')) return 'xstate';
  if (file.startsWith('ioredis/') || file.startsWith('redis-parser/') || file.startsWith('denque/')) return 'ioredis';
  if (url.startsWith('node:')) return url.includes('crypto') ? 'node: hash' : 'node: sockets, timers, promises';
  if (file.startsWith('runtime/')) return `runtime/${file.split('/')[1] ?? ''}`;
  if (url === '') return 'native: JSON, strings, promises';
  return file.split('/').slice(0, 2).join('/');
}
