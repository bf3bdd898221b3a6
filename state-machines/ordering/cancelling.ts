// Cancelling: everything that was begun is called back first, and only then is something closed for good.
//
// While recalling, the card is only suspended: if the handover turns out to have been first (O-44), it can be given
// back. After it, the card is closed and the order is over.

import { deliveredStatus, heard, lostRace, over, says } from './news.ts';
import { feeInput, jobIdOf, ordering } from './order-setup.ts';
import { answerErasure, because, command, needs, raise, stage, task, tellBatch } from './phrases.ts';

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
          { guard: 'shippedUnasked', target: 'withdrawn', actions: [tellBatch('shipped'), task('envelope_adrift')] },
          { target: 'withdrawn', actions: tellBatch('withdrawn') },
        ],
        onError: { description: 'O-43', target: stuck, actions: because('withdrawal_refused') },
      },
    },
    notNeeded: { type: 'final' },
    withdrawn: { type: 'final' },
  },
});

const underway = [
  'scheduling',
  'dispatched',
  'in_transit',
  'out_for_delivery',
  'ready_for_pickup',
  'attempt_failed',
  'suspected_lost',
  'returning',
];

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
        DeliveryRerouted: heard,
        DeliveryRerouteRefused: heard,
        DeliverySuspectedLost: heard,
        DeliveryFound: heard,
        DeliveryDamaged: heard,
        DeliveryReturning: heard,
        DeliveryStatus: [
          says(['cancelled', 'rejected'], over('cancelled')),
          says(['returned'], over('returned')),
          says(['lost', 'stolen'], over('lost')),
          says(underway, { actions: 'hear' }),
        ],
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

/** The stock has not said yet whether there is a plastic to be given back. */
const plastic = ordering.createStateConfig({
  initial: 'deciding',
  states: {
    deciding: { always: [{ guard: 'awaitsPlastic', target: 'waiting' }, { target: 'known' }] },
    waiting: {
      on: {
        PLASTIC_RESERVED: { guard: 'isThisPlastic', target: 'known', actions: 'holdPlastic' },
        STOCK_OUT: { guard: 'isThisPlastic', target: 'known', actions: 'forgetPlastic' },
      },
      after: { recallOverdue: { description: 'O-43', target: stuck, actions: because('recall_overdue') } },
    },
    known: { type: 'final' },
  },
});

const recalling = ordering.createStateConfig({
  type: 'parallel',
  states: { production, delivery, card, plastic },
  on: { ...lostRace, DeliveryStatus: deliveredStatus },
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
    /** What cost nothing is given back; what cannot be given back is the finance desk's, and holds up nobody. */
    money: {
      initial: 'deciding',
      states: {
        deciding: { always: [{ guard: 'feeIsReturned', target: 'refunding' }, { target: 'notRequired' }] },
        refunding: {
          invoke: {
            id: 'fee.refund',
            src: 'fee.refund',
            input: feeInput,
            onDone: 'refunded',
            onError: { target: 'owed', actions: task('fee_unsettled') },
          },
        },
        notRequired: { type: 'final' },
        refunded: { type: 'final' },
        owed: { type: 'final' },
      },
    },
  },
  onDone: [
    { description: 'O-50', guard: 'endsAsFailed', target: '#order.fulfilment.failed' },
    { description: 'O-42', target: '#order.fulfilment.cancelled' },
  ],
});

const ends = { description: 'O-29', guard: 'isNews', actions: ['hear', 'deliveryOver'] } as const;

export const cancelling = ordering.createStateConfig({
  initial: 'recalling',
  entry: stage('ending'),
  states: {
    recalling,
    settling,
    /** An operator tries again, or two of them end it without the missing part. */
    stuck: {
      ...needs('cancellation_stuck'),
      on: {
        ...lostRace,
        PLASTIC_RESERVED: { guard: 'isThisPlastic', actions: 'holdPlastic' },
        STOCK_OUT: { guard: 'isThisPlastic', actions: 'forgetPlastic' },
        DeliveryCancelled: ends,
        DeliveryReturned: ends,
        DeliveryLost: ends,
        DeliveryStolen: ends,
        DeliverySuspectedLost: heard,
        DeliveryFound: heard,
        DeliveryDamaged: heard,
        DeliveryStatus: [
          deliveredStatus,
          says(['cancelled', 'rejected', 'returned', 'lost', 'stolen'], { actions: ['hear', 'deliveryOver'] }),
          says(underway, { actions: 'hear' }),
        ],
        DeliveryReturning: heard,
        RETRY: { description: 'O-43', target: 'recalling' },
        FORCE: [
          { description: 'O-43', guard: 'isSecondForce', target: 'settling' },
          { description: 'O-43', actions: 'noteForce' },
        ],
      },
    },
  },
  on: {
    FATAL: { description: 'O-50', actions: 'noteStop' },
    SUBJECT_ERASURE: {
      description: 'O-52',
      guard: 'isErasable',
      actions: ['noteErasure', answerErasure('ERASURE_ACCEPTED')],
    },
  },
});
