// Delivery as the order sees it: a command is sent, published events come back, and the last word is the delivery's.
//
// Ordering never names couriers or slots. Events of an earlier delivery, and ones it has heard already, are refused
// (O-29: seq and deliveryVersion).

import { ordering } from './order-setup.ts';
import { because, command, milestone, notice, raise, raiseHold, stage, stoppable, task } from './phrases.ts';

const create = command((context) => ({
  type: 'delivery.create',
  input: {
    envelopeId: context.envelopeId ?? '',
    method: context.method,
    personRef: context.personRef,
    addressRef: context.addressRef,
    country: context.country,
    locale: context.locale,
    verification: context.verification,
  },
}));

/** Ends that can come at any time while the envelope is out. */
const misfortunes = {
  DeliveryLost: {
    description: 'O-32',
    guard: 'isNews',
    target: '#order.fulfilment.lost',
    actions: ['hear', 'deliveryOver', because('lost')],
  },
  DeliveryStolen: {
    description: 'O-33',
    guard: 'isNews',
    target: '#order.fulfilment.lost',
    // Block first, ask later.
    actions: ['hear', 'deliveryOver', because('stolen'), raise({ type: 'CLOSE_CARD', reason: 'stolen' })],
  },
} as const;

const moved = (target: string) => ({ description: 'O-29', guard: 'isNews', target, actions: 'hear' }) as const;

export const delivery = ordering.createStateConfig({
  initial: 'requesting',
  entry: stage('delivery'),
  states: {
    requesting: {
      entry: create,
      on: {
        DeliveryAccepted: { description: 'O-26', guard: 'isNews', target: 'scheduling', actions: 'hear' },
        DeliveryRejected: {
          description: 'O-27',
          guard: 'isNews',
          target: 'exception.onHold',
          actions: ['hear', 'deliveryOver', because('method_unavailable')],
        },
      },
      after: {
        // The same command again: the delivery answers a repeat with the same answer.
        deliverySilent: {
          description: 'O-28',
          target: 'requesting',
          reenter: true,
          actions: ['countResend', task('delivery_silent')],
        },
      },
    },
    scheduling: {},
    dispatched: { entry: milestone('shipped') },
    inTransit: { entry: milestone('shipped') },
    outForDelivery: {},
    readyForPickup: {},
    attemptFailed: {},
    exception: {
      initial: 'onHold',
      states: {
        /** No delivery runs; the customer has to choose another way. */
        onHold: {
          entry: notice('method_wanted', (context) => context.delivery.seq),
          on: {
            METHOD_CHANGED: {
              guard: 'notHeld',
              target: '#order.fulfilment.delivery.requesting',
              actions: ['correctAddress', 'nextDelivery'],
            },
          },
          after: {
            customerSilent: {
              description: 'O-27',
              target: '#order.fulfilment.cancelling',
              actions: because('no_answer'),
            },
          },
        },
        lostSuspected: { entry: task('loss_suspected') },
      },
    },
  },
  on: {
    ...stoppable(),
    ...misfortunes,
    AppointmentConfirmed: moved('.scheduling'),
    DeliveryRescheduled: moved('.scheduling'),
    DeliveryDispatched: moved('.dispatched'),
    DeliveryInTransit: moved('.inTransit'),
    DeliveryOutForDelivery: moved('.outForDelivery'),
    DeliveryReadyForPickup: moved('.readyForPickup'),
    DeliveryAttemptFailed: [
      { description: 'O-29', guard: 'isIdMismatch', target: '.attemptFailed', actions: ['hear', raiseHold('fraud')] },
      moved('.attemptFailed'),
    ],
    DeliverySuspectedLost: moved('.exception.lostSuspected'),
    DeliveryFound: moved('.scheduling'),
    DeliveryDamaged: {
      description: 'O-34',
      guard: 'isNews',
      target: 'returning',
      actions: ['hear', because('damaged')],
    },
    DeliveryReturning: {
      description: 'O-31',
      guard: 'isNews',
      target: 'returning',
      actions: ['hear', { type: 'giveReason', params: ({ event }) => ({ reason: event.reason }) }],
    },
    DeliveryCancelled: {
      // Given up by a dispatcher before a courier had the envelope.
      guard: 'isNews',
      target: '.exception.onHold',
      actions: ['hear', 'deliveryOver', because('method_unavailable')],
    },
    DeliveryHandedOver: {
      description: 'O-30',
      guard: 'isNews',
      target: 'handedOver',
      actions: ['hear', 'deliveryOver'],
    },
  },
});

/** On its way back. The card stays inactive. */
export const returning = ordering.createStateConfig({
  entry: [...stage('ending'), notice('returning', (context) => context.delivery.seq)],
  on: {
    ...misfortunes,
    DeliveryReturning: { guard: 'isNews', actions: 'hear' },
    DeliverySuspectedLost: { guard: 'isNews', actions: ['hear', task('loss_suspected')] },
    DeliveryFound: { guard: 'isNews', actions: 'hear' },
    DeliveryReturned: { description: 'O-47', guard: 'isNews', target: 'returned', actions: ['hear', 'deliveryOver'] },
  },
});

/** In the vault: the customer may have it sent once more; in the end it is destroyed. */
export const returned = ordering.createStateConfig({
  initial: 'deciding',
  states: {
    deciding: {
      entry: notice('redelivery_offered', (context) => context.delivery.seq),
      on: {
        REDELIVER: {
          description: 'O-48',
          guard: 'mayRedeliver',
          target: '#order.fulfilment.delivery',
          actions: [command(() => ({ type: 'delivery.release' })), 'correctAddress', 'nextDelivery'],
        },
        DESTROY: { description: 'O-49', target: '#order.fulfilment.destroying' },
      },
      after: { decisionOverdue: { description: 'O-49', target: '#order.fulfilment.destroying' } },
    },
  },
});

/** The act needs two people who sign it. */
export const destroying = ordering.createStateConfig({
  entry: task('destroy_envelope'),
  on: {
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
