// Approved: the card record is made at the issuer, the edit window passes, and the order waits for its batch.

import { ordering } from './order-setup.ts';
import { because, joinBatch, leaveBatch, milestone, notice, raise, stage, stoppable, task } from './phrases.ts';

export const approved = ordering.createStateConfig({
  initial: 'creatingCard',
  entry: stage('approved'),
  states: {
    creatingCard: {
      entry: [milestone('approved'), notice('approved')],
      invoke: {
        id: 'card.create',
        src: 'card.create',
        input: ({ context: { orderId, personRef, productCode, paymentSystem, designId, currency } }) => ({
          orderId,
          personRef,
          productCode,
          paymentSystem,
          designId,
          currency,
        }),
        onDone: {
          description: 'O-12',
          target: 'awaitingBatch',
          actions: [{ type: 'noteCard', params: ({ event }) => event.output }, raise({ type: 'CARD_CREATED' })],
        },
        onError: { description: 'O-13', target: 'cardRefused', actions: because('card_record_refused') },
      },
    },
    /** An operator has four hours to put it right; then the order is given up. */
    cardRefused: {
      entry: task('card_record_refused'),
      on: { RETRY: { guard: 'notHeld', target: 'creatingCard', actions: because(null) } },
      after: {
        cardRecordOverdue: { description: 'O-13', target: '#order.fulfilment.cancelling', actions: 'endAsFailed' },
      },
    },
    awaitingBatch: {
      initial: 'editing',
      states: {
        editing: {
          on: { EDIT_WAIVED: 'joining' },
          after: { editWindow: 'joining' },
        },
        joining: { always: { guard: 'notHeld', target: 'joined' } },
        joined: {
          entry: joinBatch,
          on: {
            ...stoppable(leaveBatch),
            BATCH_CLOSED: [
              { description: 'O-16', guard: 'notHeld', target: '#order.fulfilment.production', actions: 'takeBatch' },
              { target: 'joining' }, // Held at the cut-off: this batch goes without it.
            ],
          },
        },
      },
    },
  },
  on: stoppable(),
});
