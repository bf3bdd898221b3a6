// Delivery as the order sees it: a command is sent, published events come back, and the last word is the delivery's.
//
// Ordering never names couriers or slots. Events of an earlier delivery, and ones it has heard already, are refused
// (O-29: seq and deliveryVersion). What the customer wants changed is passed on; what comes of it, the delivery says.

import { assertEvent } from 'xstate';
import type { OrderContext } from './context.ts';
import type { OrderEvent } from './events.ts';
import {
  deliveredStatus,
  handover,
  heard,
  homecoming,
  homecomingStatus,
  misfortuneStatuses,
  misfortunes,
  moved,
  over,
  says,
} from './news.ts';
import { type DeliveryOrder, ordering } from './order-setup.ts';
import {
  because,
  beginReplacement,
  command,
  milestone,
  needs,
  notice,
  raise,
  raiseHold,
  stage,
  stoppable,
  task,
} from './phrases.ts';

const create = command((context) => ({
  type: 'delivery.create',
  input: {
    envelopeId: context.envelopeId ?? '',
    cardId: context.card?.cardId ?? '',
    method: context.method,
    personRef: context.personRef,
    addressRef: context.addressRef,
    country: context.country,
    locale: context.locale,
    verification: context.verification,
    attemptsMax: context.terms.attemptsMax,
    storageDays: context.terms.storageDays,
    ...(context.pickupPointId === undefined ? {} : { pickupPointId: context.pickupPointId }),
    ...(context.service === undefined ? {} : { service: context.service }),
  },
}));

/** O-35: what is wanted changed, as the delivery is told. */
function asCommand(event: OrderEvent): DeliveryOrder {
  assertEvent(event, ['CHANGE_ADDRESS', 'CHANGE_METHOD', 'RESCHEDULE', 'EXTEND_STORAGE', 'RETRY_DELIVERY']);
  const { type, at: _, ...fields } = event;
  return { ...fields, type: COMMANDS[type] } as DeliveryOrder; // Each command has the fields of its event.
}
const COMMANDS = {
  CHANGE_ADDRESS: 'delivery.changeAddress',
  CHANGE_METHOD: 'delivery.changeMethod',
  RESCHEDULE: 'delivery.reschedule',
  EXTEND_STORAGE: 'delivery.extendStorage',
  RETRY_DELIVERY: 'delivery.retry',
} as const;
const passOn = {
  description: 'O-35',
  guard: 'mayCommandDelivery',
  actions: {
    type: 'commandDelivery',
    params: ({ context, event }: { context: OrderContext; event: OrderEvent }) => ({
      orderId: context.orderId,
      seq: context.delivery.seq,
      command: asCommand(event),
    }),
  },
} as const;

/** Another plastic of the same card: the spoiled one never reached anybody's hand. */
const reissue = beginReplacement(() => 'damaged', 'submitted');

const requesting = ordering.createStateConfig({
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
});

const exception = ordering.createStateConfig({
  initial: 'onHold',
  states: {
    /** No delivery runs; the customer has to choose another way. */
    onHold: {
      entry: notice('method_wanted', (context) => context.delivery.seq),
      on: {
        CHANGE_METHOD: {
          description: 'O-27',
          guard: 'notHeld',
          target: '#order.fulfilment.delivery.requesting',
          actions: ['notePlace', 'nextDelivery'],
        },
      },
      after: {
        customerSilent: { description: 'O-27', target: '#order.fulfilment.cancelling', actions: because('no_answer') },
      },
    },
    /** Traced by the delivery, or missed by the customer; found again it goes on, and the card wakes up. */
    lostSuspected: {
      ...needs('loss_suspected'),
      on: {
        DeliveryFound: {
          description: 'O-29',
          guard: 'isNews',
          target: '#order.fulfilment.delivery.inTransit',
          actions: ['hear', raise({ type: 'RESUME_CARD' })],
        },
        CARD_FOUND: {
          description: 'O-46',
          guard: 'notHeld',
          target: '#order.fulfilment.delivery.inTransit',
          actions: raise({ type: 'RESUME_CARD' }),
        },
      },
    },
  },
});

export const delivery = ordering.createStateConfig({
  initial: 'requesting',
  entry: stage('delivery'),
  states: {
    requesting,
    scheduling: {},
    dispatched: { entry: milestone('shipped') },
    inTransit: { entry: milestone('shipped') },
    outForDelivery: {},
    readyForPickup: { entry: milestone('shipped') },
    attemptFailed: {},
    exception,
  },
  on: {
    ...stoppable(),
    REPORT: [
      {
        description: 'O-45',
        guard: 'closesCard',
        target: '#order.fulfilment.cancelling',
        actions: 'noteStop',
      },
      {
        // The card sleeps, the envelope is looked for, and another one is begun.
        description: 'O-46',
        guard: 'isMissed',
        target: '.exception.lostSuspected',
        actions: [
          because('not_received'),
          command((context) => ({ type: 'delivery.markNotReceived', by: context.userId })),
          raise({ type: 'SUSPEND_CARD' }),
          ...beginReplacement(() => 'not_received', 'submitted'),
        ],
      },
    ],
    REPLACEMENT_ACTIVATED: {
      description: 'O-46',
      guard: 'isOwnReplacement',
      target: '#order.fulfilment.cancelling',
      actions: [because('replaced'), raise({ type: 'CLOSE_CARD', reason: 'replaced' })],
    },
    ...misfortunes,
    ...homecoming,
    ...handover,
    CHANGE_ADDRESS: passOn,
    CHANGE_METHOD: passOn,
    RESCHEDULE: passOn,
    EXTEND_STORAGE: passOn,
    RETRY_DELIVERY: passOn,
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
    DeliveryRerouted: heard,
    DeliveryRerouteRefused: {
      ...heard,
      actions: ['hear', notice('change_refused', ({ delivery: { version } }) => version)],
    },
    DeliverySuspectedLost: moved('.exception.lostSuspected'),
    DeliveryFound: moved('.inTransit'),
    DeliveryDamaged: {
      description: 'O-34',
      guard: 'isNews',
      target: 'returning',
      actions: ['hear', because('damaged'), ...reissue],
    },
    DeliveryReturning: {
      description: 'O-31',
      guard: 'isNews',
      target: 'returning',
      actions: ['hear', { type: 'giveReason', params: ({ event }) => ({ reason: event.reason }) }],
    },
    // Given up by a dispatcher before a courier had the envelope.
    DeliveryCancelled: {
      ...over('.exception.onHold'),
      actions: ['hear', 'deliveryOver', because('method_unavailable')],
    },
    DeliveryStatus: [
      says(['scheduling'], { target: '.scheduling', actions: 'hear' }),
      says(['dispatched'], { target: '.dispatched', actions: 'hear' }),
      says(['in_transit'], { target: '.inTransit', actions: 'hear' }),
      says(['out_for_delivery'], { target: '.outForDelivery', actions: 'hear' }),
      says(['ready_for_pickup'], { target: '.readyForPickup', actions: 'hear' }),
      says(['attempt_failed'], { target: '.attemptFailed', actions: 'hear' }),
      says(['suspected_lost'], { target: '.exception.lostSuspected', actions: 'hear' }),
      says(['returning'], { target: 'returning', actions: 'hear' }),
      says(['cancelled', 'rejected'], { target: '.exception.onHold', actions: ['hear', 'deliveryOver'] }),
      deliveredStatus,
      homecomingStatus,
      ...misfortuneStatuses,
    ],
    ACTIVATE: [
      {
        // Untracked mail: who holds the card and can show it has received it, whatever the carrier says (4.8).
        description: 'O-54',
        guard: 'provesArrival',
        target: '#order.fulfilment.handedOver.activating',
        actions: ['countActivation', 'deliveryOver', command(() => ({ type: 'delivery.markDelivered' }))],
      },
      {
        description: 'O-54',
        guard: 'triesToProveArrival',
        actions: ['countWrongTry', because('wrong_proof')],
      },
    ],
    ACTIVATION_UNLOCKED: { actions: ['forgiveTries', because(null)] },
  },
});
