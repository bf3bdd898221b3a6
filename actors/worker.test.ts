// A worker's process as its supervisor and its operators meet it: real processes on a real Redis, ended by signals.

import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { test } from 'tap';
import { startRedis, waitUntil } from '../runtime/testing/index.ts';

const START_MS_MAX = 20_000; // A start of Node on a busy machine.

test('a worker that is asked a second time to restart drains to its end, and ends with 0', async (t) => {
  const redis = await startRedis();
  t.teardown(() => redis.stop());
  const child = spawn(process.execPath, [fileURLToPath(new URL('./ordering/main.js', import.meta.url))], {
    env: { PATH: process.env.PATH, REDIS_URL: redis.url, EMBOSS_WORKER_ID: 'ordering.1', EMBOSS_SHARDS: '2' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const ended = new Promise<number | NodeJS.Signals | null>((resolve) =>
    child.once('close', (code, signal) => resolve(signal ?? code)),
  );
  const hears = (word: string) =>
    waitUntil(`it says ${word}`, () => said.includes(`"msg":"${word}"`), { deadlineMs: START_MS_MAX });
  await hears('ready');
  redis.signal('SIGSTOP'); // What it does to end waits for the server: both wishes come before it is over.
  child.kill('SIGUSR2');
  await hears('stopping');
  child.kill('SIGUSR2');
  redis.signal('SIGCONT');
  t.equal(await ended, 0);
  t.match(said, /"msg":"stopped"/);
});
