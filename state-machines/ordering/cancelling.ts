// Cancelling: everything that was begun is called back first, and only then is something closed for good.
//
// While recalling, the card is only suspended: if the handover turns out to have been first (O-44), it can be given
// back. After it, the card is closed and the order is over.

import { jobIdOf, ordering } from './order-setup.ts';
import { because, command, notice, raise, stage, task } from './phrases.ts';

/** The race of cancellation and handover: whichever the delivery committed first. */
const lostRace = {
  DeliveryHandedOver: {
    description: 'O-44',
    guard: 'isNews',
    target: '#order.fulfilment.handedOver',
    actions: ['hear', 'deliveryOver', notice('cancellation_refused')],
  },
} as const;
const stuck = '#order.fulfilment.cancelling.stuck';

const production = ordering.createStateConfig({
  initial: 'deciding',
  states: {
    deciding: { always: [{ guard: 'hasNoJob', target: 'notNeeded' }, { target: 'withdrawing' }] },
    withdrawing: {
      invoke: {
        id: 'bureau.withdraw',
        src: 'bureau.withdraw',
        input: ({ context }) => ({ orderId: context.orderId, jobId: jobIdOf(context) }),
        onDone: [
          // Left the bureau, and no delivery knows it: somebody has to look for the envelope.
          { guard: 'shippedUnasked', target: 'withdrawn', actions: task('envelope_adrift') },
          { target: 'withdrawn' },
        ],
        onError: { description: 'O-43', target: stuck, actions: because('withdrawal_refused') },
      },
    },
    notNeeded: { type: 'final' },
    withdrawn: { type: 'final' },
  },
});

const over = (target: string) => ({ guard: 'isNews', target, actions: ['hear', 'deliveryOver'] }) as const;
const heard = { guard: 'isNews', actions: 'hear' } as const;

const delivery = ordering.createStateConfig({
  initial: 'deciding',
  states: {
    deciding: { always: [{ guard: 'hasNoDelivery', target: 'notNeeded' }, { target: 'asking' }] },
    asking: {
      entry: command(() => ({ type: 'delivery.cancel', reason: 'order_cancelled' })),
      on: {
        DeliveryCancelled: over('cancelled'),
        DeliveryRejected: over('cancelled'),
        DeliveryReturned: over('returned'),
        DeliveryLost: over('lost'),
        DeliveryStolen: over('lost'),
        // On the way: what it was doing when the command reached it.
        DeliveryAccepted: heard,
        AppointmentConfirmed: heard,
        DeliveryRescheduled: heard,
        DeliveryDispatched: heard,
        DeliveryInTransit: heard,
        DeliveryOutForDelivery: heard,
        DeliveryReadyForPickup: heard,
        DeliveryAttemptFailed: heard,
        DeliverySuspectedLost: heard,
        DeliveryFound: heard,
        DeliveryDamaged: heard,
        DeliveryReturning: heard,
      },
      after: { recallOverdue: { description: 'O-43', target: stuck, actions: because('recall_overdue') } },
    },
    notNeeded: { type: 'final' },
    cancelled: { type: 'final' },
    returned: { type: 'final' },
    lost: { type: 'final' },
  },
});

const card = ordering.createStateConfig({
  initial: 'deciding',
  states: {
    deciding: { always: [{ guard: 'hasNoCard', target: 'notNeeded' }, { target: 'suspending' }] },
    suspending: {
      entry: raise({ type: 'SUSPEND_CARD' }),
      always: { guard: 'cardIsQuiet', target: 'suspended' },
      on: { CARD_EFFECT_FAILED: { description: 'O-43', target: stuck, actions: because('suspension_refused') } },
    },
    notNeeded: { type: 'final' },
    suspended: { type: 'final' },
  },
});

const recalling = ordering.createStateConfig({
  type: 'parallel',
  states: { production, delivery, card },
  on: lostRace,
  onDone: { description: 'O-42', target: 'settling' },
});

const settling = ordering.createStateConfig({
  type: 'parallel',
  states: {
    card: {
      initial: 'closing',
      states: {
        closing: {
          entry: raise({ type: 'CLOSE_CARD', reason: 'cancelled' }),
          always: { guard: 'cardHasEnded', target: 'closed' },
        },
        closed: { type: 'final' },
      },
    },
    // No fee is taken by the products of today; `fee.refund` belongs here.
    money: { initial: 'notRequired', states: { notRequired: { type: 'final' } } },
  },
  onDone: [
    { description: 'O-50', guard: 'endsAsFailed', target: '#order.fulfilment.failed' },
    { description: 'O-42', target: '#order.fulfilment.cancelled' },
  ],
});

export const cancelling = ordering.createStateConfig({
  initial: 'recalling',
  entry: stage('ending'),
  states: {
    recalling,
    settling,
    /** An operator tries again, or two of them end it without the missing part. */
    stuck: {
      entry: task('cancellation_stuck'),
      on: {
        ...lostRace,
        DeliveryCancelled: { guard: 'isNews', actions: ['hear', 'deliveryOver'] },
        DeliveryReturned: { guard: 'isNews', actions: ['hear', 'deliveryOver'] },
        DeliveryLost: { guard: 'isNews', actions: ['hear', 'deliveryOver'] },
        DeliveryStolen: { guard: 'isNews', actions: ['hear', 'deliveryOver'] },
        DeliveryReturning: heard,
        RETRY: { description: 'O-43', target: 'recalling' },
        FORCE: [
          { description: 'O-43', guard: 'isSecondForce', target: 'settling' },
          { description: 'O-43', actions: 'noteForce' },
        ],
      },
    },
  },
});
