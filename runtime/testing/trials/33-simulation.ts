// Trial 33: a sweep of the simulation: whole clusters with their faults, each from a seed, in virtual time. A long sweep of
// its own: `npm run simulate -- --seeds 10000 --steps 500 --jobs 2`, or `npm run trials -- --only 33 --rounds 10000`.

import { systemClock } from '../../clock.ts';
import { openStage } from '../simulation/stage.ts';
import { play, replay, Tally } from '../simulation/sweep.ts';
import type { Trial } from './trial.ts';

const SEEDS = 300;
const STEPS = 500;
const SAY_EVERY = 50;

export const simulationSweep: Trial = {
  number: 33,
  name: 'simulation',
  fault: `${SEEDS} simulated runs of ${STEPS} steps with faults of every kind, each from a seed, on the functions of a real server`,
  expects: 'no run violates anything: I1 to I4 and I6 to I8, liveness, and lanes',
  seconds: 300,
  async run(stage) {
    const seeds = stage.rounds(SEEDS);
    const first = stage.seed * 100_000;
    const tally = new Tally();
    const simulated = await openStage();
    stage.atEnd(() => simulated.close());
    const begun = systemClock.monotonic();
    for (let i = 0; i < seeds; i += 1) {
      const result = await play(simulated, first + i, { steps: STEPS, twice: false });
      tally.add(result);
      const { applied = 0, refused = 0, rejected = 0, unknown = 0 } = result.outcomes;
      stage.tell({ ok: applied, refused, rejected, unknown });
      stage.lookedAt(result.invariants);
      if (result.violations.length > 0)
        stage.violated(`seed ${result.seed}: ${result.violations[0]}; ${replay(result.seed, STEPS)}`);
      if ((i + 1) % SAY_EVERY === 0) stage.say(`${i + 1} of ${seeds} seeds, ${tally.failed.length} failed`);
    }
    const seconds = (systemClock.monotonic() - begun) / 1_000;
    const { steps, operations, entries, virtualMs, failed, faults } = tally.report();
    stage.evidence.set('failed', () => failed);
    stage.measure('seeds', seeds, 'seeds');
    stage.measure('steps', steps / seconds, 'steps/s');
    stage.measure('virtual time', virtualMs / 1_000, 's');
    stage.measure('operations of clients', operations, 'operations');
    stage.measure('journal entries', entries, 'entries');
    for (const [kind, times] of Object.entries(faults)) stage.measure(`faults: ${kind}`, times, 'faults');
    stage.measure('failing seeds', failed.length, 'seeds');
    stage.expect(Object.keys(faults).length > 0, 'no fault was drawn: nothing was tried');
  },
};
