// Goal: whatever happens to processes, connections and servers, and in whatever order, the laws hold; and a run is its seed.
// Method: simulated runs of the real runtime, see docs/simulation.md. `npm run simulate` plays more of them, and longer.

import t, { type Test } from 'tap';
import { systemClock } from '../../clock.ts';
import { library } from '../../functions/library.ts';
import { withVirtualTime } from './library.ts';
import { simulate } from './run.ts';
import { openStage, type Stage } from './stage.ts';
import { play, replay } from './sweep.ts';

const STEPS = 300;
const BASE = Number(process.env.SEED ?? 20_261_125);
const SLICE_MS = 6_000; // Of real time. How many seeds that is depends on the machine; which they are does not.
const SEEDS_MAX = 60;

/** Seeds that have shown a fault of the product or of the simulation, and what it was. */
const KEPT: readonly (readonly [seed: number, what: string, steps?: number])[] = [
  [1401, 'half a transaction of a lost connection'],
  [2261, 'a claim while the audit reads'],
  [2803, 'a lane whose source lost its tail'],
  [100_060, 'the same work as another step, after a lost tail', 500],
];

t.test('simulated runs', async (t) => {
  const stage = await openStage();
  t.teardown(() => stage.close());

  await t.test('T2: a run is its seed: the same steps, replies and times again', async (t) => {
    for (const seed of [1, 2, 3]) {
      const first = await simulate(stage.executor, { seed, steps: STEPS });
      const again = await simulate(stage.executor, { seed, steps: STEPS });
      t.equal(again.fingerprint, first.fingerprint, `seed ${seed}`);
      t.ok(first.steps >= STEPS && first.operations > 0 && first.entries > 0, `seed ${seed} did something`);
    }
  });

  await t.test('L3, C3, M2, M3, E1: seeds that once failed pass', async (t) => {
    for (const [seed, what, steps] of KEPT) await passes(t, stage, seed, what, steps);
  });

  await t.test('L3, C3, M2, M3, E1: seeds from a base, for a slice of time', async (t) => {
    t.comment(`seeds from ${BASE} on`);
    const until = systemClock.monotonic() + SLICE_MS;
    for (let seed = BASE; seed < BASE + SEEDS_MAX && systemClock.monotonic() < until; seed += 1)
      await passes(t, stage, seed, 'violates nothing');
  });
});

t.test('T2: the library of a simulation has the one clock of the simulation', async (t) => {
  const { source } = await library();
  t.notMatch(withVirtualTime(source), /'TIME'/);
  t.throws(
    () => withVirtualTime(`${source}\nlocal now = redis.call('TIME')`),
    /expected one/,
    'a second place is found',
  );
  t.throws(() => withVirtualTime('local now = 1'), /expected one/);
});

async function passes(t: Test, stage: Stage, seed: number, what: string, steps = STEPS): Promise<void> {
  const { violations } = await play(stage, seed, { steps, twice: false });
  t.strictSame(violations, [], `seed ${seed}: ${what}; ${replay(seed, steps)}`);
}
