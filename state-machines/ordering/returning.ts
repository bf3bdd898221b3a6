// What comes back: on its way, in the vault, and in the end sent once more or destroyed. The card stays inactive.

import { heard, homecoming, homecomingStatus, misfortuneStatuses, misfortunes, says } from './news.ts';
import { ordering } from './order-setup.ts';
import { command, givenUp, needs, notice, stage, task } from './phrases.ts';

export const returning = ordering.createStateConfig({
  entry: [...stage('ending'), notice('returning', (context) => context.delivery.seq)],
  on: {
    ...givenUp(),
    ...misfortunes,
    ...homecoming,
    DeliveryReturning: heard,
    DeliveryDamaged: heard,
    DeliverySuspectedLost: { ...heard, actions: ['hear', task('loss_suspected')] },
    DeliveryFound: heard,
    DeliveryStatus: [
      says(['returning', 'suspected_lost'], { actions: 'hear' }),
      homecomingStatus,
      ...misfortuneStatuses,
    ],
  },
});

/** The customer may have it sent once more. A reported card, and what is broken, is not sent to anybody. */
export const returned = ordering.createStateConfig({
  initial: 'deciding',
  states: {
    deciding: {
      entry: notice('redelivery_offered', (context) => context.delivery.seq),
      always: { description: 'O-49', guard: 'isUnfit', target: '#order.fulfilment.destroying' },
      on: {
        REDELIVER: {
          description: 'O-48',
          guard: 'mayRedeliver',
          target: '#order.fulfilment.delivery',
          actions: [command(() => ({ type: 'delivery.release' })), 'notePlace', 'nextDelivery'],
        },
        DESTROY: { description: 'O-49', target: '#order.fulfilment.destroying' },
        REPORT: { description: 'O-45', guard: 'closesCard', target: '#order.fulfilment.destroying' },
      },
      after: { decisionOverdue: { description: 'O-49', target: '#order.fulfilment.destroying' } },
    },
  },
  on: givenUp(),
});

/** The act needs two people who sign it. */
export const destroying = ordering.createStateConfig({
  ...needs('destroy_envelope'),
  on: {
    ...givenUp(),
    DESTROYED: {
      description: 'O-49',
      guard: 'isWitnessed',
      target: 'undeliverable',
      actions: {
        type: 'commandDelivery',
        params: ({ context, event }) => ({
          orderId: context.orderId,
          seq: context.delivery.seq,
          command: { type: 'delivery.destroy', by: event.by, witness: event.witness },
        }),
      },
    },
  },
});
