// Trial 13: requests and replies are late by up to half a second, and one request in ten arrives twice.

import { pause, systemClock } from '../../clock.ts';
import type { FaultRule } from '../redis-proxy.ts';
import type { Trial } from './trial.ts';

const LOAD_MS = 30_000;
const LATE_MS = [0, 500] as const;

/** Asked in this order: what is repeated is not delayed. A blocked read that came twice would only block twice. */
const RULES: readonly FaultRule[] = [
  { of: ([name]) => name !== 'XREAD', chance: 0.1, fault: { kind: 'repeat' } },
  { chance: 0.1, fault: { kind: 'delay', requestMs: LATE_MS } },
  { chance: 0.1, fault: { kind: 'delay', replyMs: LATE_MS } },
];

export const delaysRepeats: Trial = {
  number: 13,
  name: 'delays-repeats',
  fault: `a tenth of all requests arrives twice, a tenth is late by 0 to 500 ms, a tenth of the replies too, for ${LOAD_MS / 1_000} s`,
  expects: 'I2 to I4 and I7 hold',
  seconds: 45,
  async run(stage) {
    const cluster = await stage.cluster();
    const { door, load } = await stage.load(cluster, { proxied: true });
    const proxies = cluster.workers.map((worker) => worker.proxy(cluster.server()));
    if (door !== undefined) proxies.push(door);
    const rules = proxies.flatMap((proxy) => RULES.map((rule) => proxy.addRule(rule)));
    const before = load.latencies.length;
    await pause(systemClock, LOAD_MS);
    const latencies = load.latencies.slice(before);
    for (const rule of rules) rule.remove();
    await stage.finish(cluster);
    stage.measure(
      'requests repeated or delayed',
      rules.reduce((sum, { hits }) => sum + hits, 0),
      'requests',
    );
    const idle = rules.filter(({ hits }) => hits === 0).length;
    stage.expect(idle === 0, `${idle} of ${rules.length} rules met nothing`);
    stage.measureSpread('time to an answer at the first try', latencies, 'ms');
  },
};
