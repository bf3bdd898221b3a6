// Trial 32: random statecharts and the chart of every kind, each beside a live XState actor, from cache and after reloads.

import { NotHostable } from '../../errors.ts';
import { everyKindTrial } from '../../statechart/every-kind.ts';
import { Difference, oracle } from '../../statechart/oracle.ts';
import { randomTrial } from '../../statechart/random-chart.ts';
import type { Trial } from './trial.ts';

const CASES = 2_000;
const EVERY_KIND_SHARE = 0.25;
const RUNS_PER_CHART = 4;
const STEPS = 25;
const CHARTS_PER_CASE_MAX = 50; // Of a hundred random charts about ten cannot be hosted, or loop at once.

export const randomCharts: Trial = {
  number: 32,
  name: 'random-charts',
  fault: `random charts and random events, ${CASES} sequences of up to ${STEPS} steps, and none of Redis or processes`,
  expects: 'each step is what a live XState actor does, from cache and after a reload: I2',
  seconds: 60,
  async run(stage) {
    const cases = stage.rounds(CASES);
    const first = stage.seed * 1_000;
    const ended: Record<string, number> = {};
    let [done, steps, refused, differences] = [0, 0, 0, 0];
    const tried = async (run: ReturnType<typeof oracle>, seed: number, what: string): Promise<void> => {
      try {
        const verdict = await run({ seed, steps: STEPS });
        ended[verdict.ended] = (ended[verdict.ended] ?? 0) + 1;
        steps += verdict.steps;
        refused += verdict.refused;
        if (verdict.steps > 1) done += 1; // A chart that loops at once shows nothing after its first step.
      } catch (error) {
        if (!(error instanceof Difference)) throw error;
        done += 1;
        differences += 1;
        stage.violated(`I2: ${what}, seed ${seed}: ${error.message}`);
      }
    };

    const everyKind = oracle(everyKindTrial);
    const stamped = oracle({ ...everyKindTrial, stamp: true });
    for (let i = 0; done < cases * EVERY_KIND_SHARE; i += 1)
      await tried(i % 4 === 0 ? stamped : everyKind, first + i, 'the chart of every kind');
    let charts = 0;
    for (let chart = first; done < cases; chart += 1) {
      if (chart - first > cases * CHARTS_PER_CASE_MAX)
        throw new Error(`${charts} charts gave ${done} cases of ${cases}`);
      const run = hostable(chart);
      if (run === undefined) continue;
      charts += 1;
      for (let i = 0; i < RUNS_PER_CHART; i += 1) await tried(run, chart * 10 + i, `random chart ${chart}`);
      if (charts % 100 === 0) stage.say(`${done} of ${cases} cases, ${differences} differences`);
    }
    stage.invariants.set('I2', { checked: steps, violations: differences, undecided: 0 });
    stage.measure('cases', done, 'sequences');
    stage.measure('random charts', charts, 'charts');
    stage.measure('steps', steps, 'steps');
    stage.measure('refused', refused, 'events');
    for (const [how, times] of Object.entries(ended)) stage.measure(`ended: ${how}`, times, 'sequences');
    stage.measure('differences', differences, 'sequences');
  },
};

function hostable(chart: number): ReturnType<typeof oracle> | undefined {
  try {
    return oracle(randomTrial(chart));
  } catch (error) {
    if (error instanceof NotHostable) return undefined;
    throw error;
  }
}
