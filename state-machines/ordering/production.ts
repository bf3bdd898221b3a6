// Production: one job at the bureau, from the closed batch to a sealed envelope with a barcode.
//
// The bureau's callbacks come twice and out of order. A later stage implies the earlier ones, and only the current job
// counts, so a straggler of a spoiled card changes nothing.

import { and } from 'xstate';
import { jobIdOf, ordering } from './order-setup.ts';
import { because, milestone, needs, notice, stage, stoppable, task, tellBatch, usePlastic } from './phrases.ts';

/** An envelope with a barcode lies at the bureau; the plastic is used up. */
const isPrinted = ['noteEnvelope', milestone('produced'), ...usePlastic, tellBatch('printed')] as const;
const acknowledged = { BUREAU_ACK: { description: 'O-17', guard: 'isCurrentJob', target: 'acknowledged' } } as const;
const started = { PRINT_STARTED: { description: 'O-21', guard: 'isCurrentJob', target: 'printing' } } as const;
const outcomes = {
  PRINTED: {
    description: 'O-22',
    guard: 'isCurrentJob',
    target: 'printed',
    actions: isPrinted,
  },
  PRINT_SPOILED: [
    { description: 'O-23', guard: 'mayRespin', target: 'submitted', actions: 'respin' },
    { description: 'O-23', guard: 'isCurrentJob', target: 'requiresAttention', actions: because('respins_exhausted') },
  ],
  BUREAU_REJECTED: [
    {
      description: 'O-19',
      guard: 'isFixable',
      target: 'rejected',
      actions: [because('bureau_rejected'), tellBatch('rejected')],
    },
    { description: 'O-19', guard: 'isCurrentJob', target: 'requiresAttention', actions: because('bureau_rejected') },
  ],
} as const;

export const production = ordering.createStateConfig({
  initial: 'submitted',
  entry: stage('production'),
  states: {
    submitted: {
      invoke: {
        id: 'bureau.submit',
        src: 'bureau.submit',
        input: ({ context }) => ({
          orderId: context.orderId,
          jobId: jobIdOf(context),
          batchId: context.batchId ?? '',
          cardId: context.card?.cardId ?? '',
          personRef: context.personRef,
          productCode: context.productCode,
          designId: context.designId,
        }),
        onError: { target: 'requiresAttention', actions: because('bureau_unavailable') },
      },
      on: { ...acknowledged, ...started, ...outcomes },
      after: {
        // The same job again: the bureau dedupes by batch and job.
        bureauSilent: { description: 'O-18', target: 'submitted', reenter: true, actions: task('bureau_silent') },
      },
    },
    acknowledged: { on: { ...started, ...outcomes } },
    printing: { on: outcomes },
    /** The data can be corrected: a new job of the same order follows in the next batch. */
    rejected: {
      ...needs(
        'bureau_rejected',
        notice('correction_wanted', ({ job }) => job),
      ),
      on: {
        CORRECTED: {
          description: 'O-20',
          guard: 'notHeld',
          target: '#order.fulfilment.approved.awaitingBatch',
          actions: 'correctOrder',
        },
      },
    },
    requiresAttention: {
      ...needs('production_stuck'),
      on: {
        // A job that the bureau may have must not get a second one beside it (CO1).
        RETRY: [
          { guard: and(['notHeld', 'jobIsDead']), target: 'submitted', actions: ['nextJob', because(null)] },
          { guard: 'notHeld', target: 'submitted', actions: because(null) },
        ],
        CORRECTED: {
          guard: and(['notHeld', 'jobIsDead']),
          target: '#order.fulfilment.approved.awaitingBatch',
          actions: ['correctOrder', tellBatch('rejected')],
        },
        // A job that was silent for too long may have been printed all the same.
        PRINTED: {
          description: 'O-22',
          guard: 'isCurrentJob',
          target: 'printed',
          actions: [...isPrinted, because(null)],
        },
      },
    },
    printed: {
      entry: notice('card_printed'),
      always: {
        description: 'O-25',
        guard: 'notHeld',
        target: '#order.fulfilment.delivery',
        actions: 'nextDelivery',
      },
    },
  },
  on: {
    ...stoppable(),
    // The label is printed at the hub: until a delivery knows the address, it can be another one (4.7).
    CHANGE_ADDRESS: { description: 'O-35', guard: 'mayMoveEnvelope', actions: 'notePlace' },
    CHANGE_METHOD: { description: 'O-35', guard: 'mayMoveEnvelope', actions: 'notePlace' },
  },
});
