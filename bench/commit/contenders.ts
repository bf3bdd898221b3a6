// The two contenders of the commit bench: each a worker process and a way for a client to make one transition.

import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { connect } from '../../runtime/client.ts';
import { systemClock } from '../../runtime/index.ts';
import { connectRedis, streamsOf } from '../../runtime/testing/index.ts';
import type { Turn } from '../load.ts';
import { keys, portion, shardCount } from './floor.ts';
import { eventOf, input, machine, namespace } from './subject.ts';

export interface Contender {
  readonly name: 'emboss' | 'floor';
  readonly pid: number;
  readonly turn: Turn;
  close(): Promise<void>;
}

/** Each call of a bench run uses actors of its own, so that no run meets another's. */
const actorName = (run: string, client: number): string => `${run}-${client}`;

export async function startEmboss(url: string, run: string, nodeArgs: readonly string[] = []): Promise<Contender> {
  const child = await startWorker('product-worker.js', url, nodeArgs);
  const client = await connect({ namespace, url, secret: 'bench-bench-bench-bench' });
  const actors = new Map<number, ReturnType<typeof client.derive>>();
  const turns = new Map<number, number>();
  return {
    name: 'emboss',
    pid: child.pid ?? 0,
    async turn(number) {
      const actor = actors.get(number) ?? client.derive('ord', actorName(run, number));
      actors.set(number, actor);
      const n = turns.get(number) ?? 0; // Events alternate over the whole life of the actor, across measurements.
      turns.set(number, n + 1);
      const create = n === 0 ? { create: { machine, input: input(actor) } } : {};
      const outcome = await client.ask(
        { actor, event: eventOf(n), messageId: String(n), from: 'bench', ...create },
        { timeoutMs: 10_000 },
      );
      if (outcome.kind !== 'answered' || outcome.answer.kind !== 'applied')
        throw new Error(`answered ${JSON.stringify(outcome)}`);
    },
    async close() {
      await client.close();
      await stopWorker(child);
    },
  };
}

export async function startFloor(url: string, run: string, nodeArgs: readonly string[] = []): Promise<Contender> {
  const child = await startWorker('floor-worker.js', url, nodeArgs);
  const writer = await connectRedis('writer', url);
  const tail = await connectRedis('tail', url);
  const waiting = new Map<string, () => void>();
  const turns = new Map<number, number>();
  let open = true;
  const journals = Array.from({ length: shardCount }, (_, shard) => keys(shard).journal);
  const ids = new Map(journals.map((journal) => [journal, '0']));
  for (const journal of journals)
    ids.set(journal, (await writer.redis.xrevrange(journal, '+', '-', 'COUNT', 1))[0]?.[0] ?? '0');

  const loop = (async () => {
    while (open) {
      const reply = await tail
        .block('XREAD', 500, (redis) =>
          redis.call(
            'XREAD',
            'COUNT',
            '500',
            'BLOCK',
            '500',
            'STREAMS',
            ...journals,
            ...journals.map((journal) => ids.get(journal) ?? '0'),
          ),
        )
        .catch(() => null);
      for (const [journal, entries] of streamsOf(reply)) {
        for (const [id, [, , , body = '{}']] of entries) {
          ids.set(journal, id);
          waiting.get((JSON.parse(body) as { m: string }).m)?.();
        }
      }
    }
  })();

  // As in the product: what is sent in one tick leaves in pipelines of a few commands.
  let queue: (readonly string[])[] = [];
  function flush(): void {
    if (queue.length === 0) return;
    const pipeline = writer.redis.pipeline();
    for (const [name = '', ...args] of queue) pipeline.call(name, ...args);
    queue = [];
    pipeline.exec().catch(() => undefined);
  }
  function send(command: readonly string[]): void {
    queue.push(command);
    if (queue.length === portion) flush();
    else if (queue.length === 1) setImmediate(flush);
  }

  return {
    name: 'floor',
    pid: child.pid ?? 0,
    turn(number) {
      const n = turns.get(number) ?? 0;
      turns.set(number, n + 1);
      const actor = actorName(run, number);
      const m = `${actor}:${n}`;
      return new Promise((resolve) => {
        waiting.set(m, () => {
          waiting.delete(m);
          resolve();
        });
        send(['XADD', keys(number % shardCount).inbox, '*', 'a', actor, 'b', JSON.stringify({ event: eventOf(n), m })]);
      });
    },
    async close() {
      open = false;
      await tail.close();
      await loop;
      await writer.close();
      await stopWorker(child);
    },
  };
}

const READY_WITHIN_MS = 30_000;
const STOP_WITHIN_MS = 10_000;

async function startWorker(file: string, url: string, nodeArgs: readonly string[]): Promise<ChildProcess> {
  const path = fileURLToPath(new URL(file, import.meta.url));
  const child = spawn(process.execPath, [...nodeArgs, path, url], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  await new Promise<void>((resolve, reject) => {
    const cancel = systemClock.after(READY_WITHIN_MS, () => reject(new Error(`${file} was not ready in time`)));
    child.once('message', () => {
      cancel();
      resolve();
    });
    child.once('exit', (code) => reject(new Error(`${file} ended with ${code}`)));
  });
  return child;
}

async function stopWorker(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  const cancel = systemClock.after(STOP_WITHIN_MS, () => child.kill('SIGKILL'));
  await ended;
  cancel();
}
