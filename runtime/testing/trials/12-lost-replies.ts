// Trial 12: of all calls to functions, those of workers and those of clients, every twentieth is executed and its reply lost
// with its connection.

import { pause, systemClock } from '../../clock.ts';
import { violationsOf } from './audit.ts';
import type { Trial } from './trial.ts';

const LOAD_MS = 30_000;
const CHANCE = 0.05;

export const lostReplies: Trial = {
  number: 12,
  name: 'lost-replies',
  fault: `the reply of ${CHANCE * 100} % of all FCALLs is lost and its connection cut, for ${LOAD_MS / 1_000} s`,
  expects: 'no version and no effect twice; callers hear unknown, and a repeat tells',
  seconds: 45,
  async run(stage) {
    const cluster = await stage.cluster();
    const { door } = await stage.load(cluster, { proxied: true });
    const proxies = cluster.workers.map((worker) => worker.proxy(cluster.server()));
    if (door !== undefined) proxies.push(door);
    const rules = proxies.map((proxy) => proxy.addRule({ of: 'FCALL', chance: CHANCE, fault: { kind: 'lose-reply' } }));
    await pause(systemClock, LOAD_MS);
    for (const rule of rules) rule.remove();
    const report = await stage.finish(cluster);
    const { ok, refused, unknown } = stage.counts;
    const lost = rules.reduce((sum, { hits }) => sum + hits, 0);
    stage.measure('replies lost', lost, 'replies');
    stage.measure('asks without an answer', (100 * unknown) / (ok + refused + unknown), '%');
    stage.measure('duplicates', violationsOf(report, 'I3', 'I4'), 'versions and effects');
    stage.expect(lost > 0 && unknown > 0, `${lost} replies lost, ${unknown} asks unknown: nothing was tried`);
  },
};
