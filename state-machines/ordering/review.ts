// Manual review: a person decides what the checks could not. With high risk or an AML hit two do, and they have to agree.

import { and } from 'xstate';
import { ordering } from './order-setup.ts';
import { because, needs, stage, stoppable, task } from './phrases.ts';

export const manualReview = ordering.createStateConfig({
  initial: 'firstOpinion',
  entry: stage('review'),
  exit: 'forgetOpinion',
  states: {
    firstOpinion: {
      ...needs('manual_review'),
      on: {
        REVIEW_APPROVED: [
          { guard: 'needsFourEyes', target: 'secondOpinion', actions: 'noteOpinion' },
          { description: 'O-09', guard: 'notHeld', target: '#order.fulfilment.approved', actions: because(null) },
        ],
        REVIEW_REJECTED: [
          { guard: 'needsFourEyes', target: 'secondOpinion', actions: 'noteOpinion' },
          { description: 'O-10', target: '#order.fulfilment.rejected', actions: because('review_rejected') },
        ],
      },
    },
    secondOpinion: {
      ...needs('second_opinion'),
      on: {
        REVIEW_APPROVED: [
          {
            description: 'O-09',
            guard: and(['isSecondPerson', 'firstSaidYes', 'notHeld']),
            target: '#order.fulfilment.approved',
            actions: because(null),
          },
          {
            guard: and(['isSecondPerson', 'firstSaidNo']),
            target: 'firstOpinion',
            actions: ['forgetOpinion', task('reviewers_disagree')],
          },
        ],
        REVIEW_REJECTED: [
          {
            description: 'O-10',
            guard: and(['isSecondPerson', 'firstSaidNo']),
            target: '#order.fulfilment.rejected',
            actions: because('review_rejected'),
          },
          {
            guard: and(['isSecondPerson', 'firstSaidYes']),
            target: 'firstOpinion',
            actions: ['forgetOpinion', task('reviewers_disagree')],
          },
        ],
      },
    },
  },
  on: stoppable(),
});
