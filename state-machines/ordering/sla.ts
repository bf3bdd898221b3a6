// Region `sla`: does the running stage keep its budget? At 80 % somebody looks; at 100 % it counts.
//
// A hold that the customer or the law caused stops the clock (O-51); other holds do not.

import { ordering } from './order-setup.ts';
import { task } from './phrases.ts';

const pauses = { HOLD: { guard: 'stopsTheClock', target: 'paused', actions: 'pauseStage' } } as const;

/** Known before the clock says it: there is no plastic (O-15). */
const AT_RISK = { AT_RISK: { description: 'O-15', target: 'atRisk' } } as const;

export const sla = ordering.createStateConfig({
  initial: 'untimed',
  states: {
    untimed: { on: AT_RISK },
    onTrack: { on: { ...pauses, ...AT_RISK }, after: { slaAtRisk: 'atRisk' } },
    atRisk: {
      on: pauses,
      after: {
        slaSpent: [
          { description: 'O-11', guard: { type: 'inStage', params: { stage: 'review' } }, target: 'breached' },
          { description: 'O-24', guard: { type: 'inStage', params: { stage: 'production' } }, target: 'breached' },
          { guard: 'hasBudget', target: 'breached' },
        ],
      },
    },
    breached: { entry: task('sla_breached') },
    paused: {
      on: {
        RELEASE: [
          { guard: 'hasBudget', target: 'onTrack', actions: 'resumeStage' },
          { target: 'untimed', actions: 'resumeStage' }, // The stage changed meanwhile to one that is not measured.
        ],
        STAGE_CHANGED: {}, // The new stage has its own clock; it starts when the hold ends.
      },
    },
    ended: { type: 'final' },
  },
  on: {
    STAGE_CHANGED: [{ guard: 'hasBudget', target: '.onTrack' }, { target: '.untimed' }],
    ENDED: '.ended',
    CARD_ENDED: { guard: 'isCompleted', target: '.ended' },
  },
});
