// Goal: hosting is faithful. Method: the oracle of oracle.ts, a live XState actor, over the chart of every kind and over random
// ones. A slice runs with the suite; EMBOSS_ORACLE_SEQUENCES=5000 runs the whole, EMBOSS_ORACLE_SEED another part of it.

import { env } from 'node:process';
import tap, { test } from 'tap';
import { NotHostable } from '../errors.ts';
import { Difference, oracle, type Trial } from '../testing/oracle.ts';
import type { Behaviour, Held, Step } from './behaviour.ts';
import { everyKindTrial } from './every-kind.ts';
import { randomTrial } from './random-chart.ts';

const sequences = Math.max(300, Number(env.EMBOSS_ORACLE_SEQUENCES ?? 0)) /* Fewer do not meet every kind of end. */;
const firstSeed = Number(env.EMBOSS_ORACLE_SEED ?? 20_000);
const RUNS_PER_CHART = 4;
const STEPS = 25;

tap.setTimeout(1_800_000); // The whole takes minutes.

test('C1: the chart of every kind steps as a live actor does, from cache and after reloads', async (t) => {
  const run = oracle(everyKindTrial);
  const stamped = oracle({ ...everyKindTrial, stamp: true });
  const share = Math.ceil(sequences / 4);
  t.comment(`${share} sequences, seeds from ${firstSeed}`);
  const ended: Record<string, number> = {};
  for (let seed = firstSeed; seed < firstSeed + share; seed++) {
    const verdict = await (seed % 4 === 0 ? stamped : run)({ seed, steps: STEPS });
    ended[verdict.ended] = (ended[verdict.ended] ?? 0) + 1;
  }
  t.ok((ended.final ?? 0) > 0, 'some sequences reach the final state and its output');
  t.equal(ended.threw, undefined, 'none throws');
});

test('C1: random charts step as live actors do, from cache and after reloads', async (t) => {
  const wanted = Math.ceil((sequences * 3) / 4);
  t.comment(`${wanted} sequences, charts from seed ${firstSeed}`);
  const ended: Record<string, number> = {};
  let [run, refused] = [0, 0];
  for (let seed = firstSeed; run < wanted; seed++) {
    const duel = hostable(randomTrial(seed));
    for (let i = 0; duel !== undefined && i < RUNS_PER_CHART; i++) {
      const verdict = await duel({ seed: seed * 10 + i, steps: STEPS });
      ended[verdict.ended] = (ended[verdict.ended] ?? 0) + 1;
      refused += verdict.refused;
      // A chart that loops at once shows nothing after its first step.
      if (verdict.steps > 1) run += 1;
    }
  }
  t.comment(JSON.stringify(ended));
  t.ok((ended.steps ?? 0) > run / 10, 'many sequences run to their end');
  t.ok(
    (ended.final ?? 0) > 0 && (ended.threw ?? 0) > 0 && refused > 0,
    'final states, exceptions and refusals are met',
  );
});

test('C1: sequences that once differed', async (t) => {
  // A region without an active state, which a reload completed; two runs of an invoke under one id from the first step on.
  for (const [chart, seed] of [
    [90_223, 902_230],
    [20_228, 202_281],
  ] as const) {
    const verdict = await hostable(randomTrial(chart))?.({ seed, steps: STEPS });
    t.ok((verdict?.steps ?? 0) > 1, `chart ${chart}`);
  }
});

function hostable(trial: Trial): ReturnType<typeof oracle> | undefined {
  try {
    return oracle(trial);
  } catch (error) {
    if (error instanceof NotHostable) return undefined;
    throw error;
  }
}

type Breakage = (behaviour: Behaviour) => Partial<Behaviour>;
const change = (
  step: ReturnType<Behaviour['step']>,
  with_: (step: Step) => Partial<Step>,
): ReturnType<Behaviour['step']> => (step.kind === 'moved' ? { ...step, ...with_(step) } : step);

const breakages: { readonly [what: string]: Breakage } = {
  'history is lost on restore': (b) => ({
    restore: (stored, record, actor) =>
      b.restore(stored.replace(/"historyValue":\{.*?\]\}/, '"historyValue":{}'), record, actor),
  }),
  'cancel is ignored': (b) => ({ step: (...args) => change(b.step(...args), () => ({ timersCleared: [] })) }),
  'children are lost on restore': (b) => ({
    restore: (stored, record, actor): Held => ({ ...b.restore(stored, { ...record, executions: [] }, actor), record }),
  }),
  'the order of active states is lost on restore': (b) => ({
    restore: (stored, record, actor) => {
      const numbers = (list: string): string =>
        list
          .split(',')
          .sort((x, y) => Number(x) - Number(y))
          .join(',');
      return b.restore(
        stored.replace(/"order":\[([\d,]*)\]/, (_, list: string) => `"order":[${numbers(list)}]`),
        record,
        actor,
      );
    },
  }),
  'an action is dropped': (b) => ({
    step: (...args) => change(b.step(...args), (s) => ({ starts: s.starts.filter(({ name }) => name !== 'ring') })),
  }),
  'a delay is a millisecond longer': (b) => ({
    step: (...args) =>
      change(b.step(...args), (s) => ({ timersSet: s.timersSet.map((one) => ({ ...one, delayMs: one.delayMs + 1 })) })),
  }),
  'an emitted event is told twice': (b) => ({
    step: (...args) => change(b.step(...args), (s) => ({ emitted: [...s.emitted, ...s.emitted] })),
  }),
};

test('C1: a deliberately broken step makes the oracle fail', async (t) => {
  const run = oracle(everyKindTrial);
  for (const [what, breakage] of Object.entries(breakages)) {
    const sabotage = (whole: Behaviour): Behaviour =>
      Object.assign(Object.create(bound(whole)) as Behaviour, breakage(whole));
    const found = await firstDifference(async (seed) => run({ seed, steps: 40, sabotage }));
    t.ok(found instanceof Difference, `${what}: ${found?.message.split('\n')[0] ?? 'nobody noticed'}`);
  }
});

/** The behaviour with its methods bound, so that a broken copy can inherit the rest. */
function bound(whole: Behaviour): Behaviour {
  return {
    machine: whole.machine,
    version: whole.version,
    hash: whole.hash,
    leaves: whole.leaves,
    start: (...args) => whole.start(...args),
    step: (...args) => whole.step(...args),
    restore: (...args) => whole.restore(...args),
    allowed: (...args) => whole.allowed(...args),
    outcomeEvent: (...args) => whole.outcomeEvent(...args),
    effect: (...args) => whole.effect(...args),
  };
}

async function firstDifference(run: (seed: number) => Promise<unknown>): Promise<Error | undefined> {
  for (let seed = 1; seed <= 80; seed++) {
    try {
      await run(seed);
    } catch (error) {
      return error as Error;
    }
  }
  return undefined;
}
