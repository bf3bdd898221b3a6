// Region `transport`: where the envelope is on its way, and how the way ends.
//
// Before a courier has scanned it, a recall cancels; after that it has to come back (DL2). Whatever is said at the door
// comes from the courier of this booking; callbacks of an older booking are refused.

import {
  delivering,
  failed,
  goBack,
  METHODS_SERVED,
  mayTryAgain,
  notice,
  raise,
  task,
  tell,
  unbook,
} from './delivery-setup.ts';
import { proofs } from './handover.ts';

const T = '#delivery.transport';

/** Nobody has the envelope but us: over at once. A repeat of the command gets the answer again (O-28). */
const recallable = {
  'delivery.create': { description: 'D-01', actions: [...tell('DeliveryAccepted')] },
  'delivery.cancel': { description: 'D-29', target: `${T}.cancelled`, actions: unbook },
  RECALL: { description: 'D-29', target: `${T}.cancelled`, actions: unbook },
} as const;
/** A courier has it: it comes back first. */
const returnable = {
  'delivery.cancel': { description: 'D-30', target: `${T}.returning`, actions: goBack('recalled') },
  RECALL: { description: 'D-30', target: `${T}.returning`, actions: goBack('operator') },
} as const;

/** What can befall an envelope that has left the bureau. */
const mishaps = {
  LOST_REPORTED: { description: 'D-34', target: `${T}.investigating` },
  STOLEN_REPORTED: { description: 'D-37', target: `${T}.stolen` },
  DAMAGED: { description: 'D-38', target: `${T}.returning`, actions: [...tell('DeliveryDamaged'), goBack('damaged')] },
} as const;

/** The same while it is still at the hub, and somebody may be on his way there for it. */
const mishapsAtHub = {
  LOST_REPORTED: { ...mishaps.LOST_REPORTED, actions: unbook },
  STOLEN_REPORTED: { ...mishaps.STOLEN_REPORTED, actions: unbook },
  DAMAGED: { ...mishaps.DAMAGED, actions: [unbook, ...mishaps.DAMAGED.actions] },
} as const;

/** What a courier may say when a try comes to nothing. */
const failures = {
  NO_SHOW: { description: 'D-22', guard: 'isCourier', ...failed('no_show') },
  REFUSED: { description: 'D-21', guard: 'isCourier', ...failed('refused') },
  ATTEMPT_FAILED: [
    {
      description: 'D-38',
      guard: 'isDamage',
      target: `${T}.returning`,
      actions: [...tell('DeliveryDamaged'), goBack('damaged')],
    },
    { guard: 'isCourier', target: `${T}.attemptFailed`, actions: 'noteFailure' },
  ],
} as const;

const awaitingEnvelope = delivering.createStateConfig({
  invoke: {
    id: 'carrier.preadvise',
    src: 'carrier.preadvise',
    input: ({ context: { orderId, deliveryId, envelopeId, method, country } }) => ({
      orderId,
      deliveryId,
      envelopeId,
      method,
      country,
    }),
    onError: { actions: task('hub_not_told') },
  },
  on: {
    ...recallable,
    ENVELOPE_READY: {
      description: 'D-03',
      guard: 'isEnvelope',
      target: 'assigning',
      actions: raise({ type: 'TO_HUB' }),
    },
    RETRY: { target: 'awaitingEnvelope', reenter: true },
  },
  after: { envelopeOverdue: { actions: task('envelope_overdue') } },
});

/** Looks for somebody who comes at the appointment. Without one, it waits for the recipient to choose. */
const assigning = delivering.createStateConfig({
  initial: 'waitingForSlot',
  states: {
    waitingForSlot: { always: { guard: 'hasSlot', target: 'lookup' } },
    lookup: {
      entry: 'book',
      invoke: {
        id: 'carrier.createShipment',
        src: 'carrier.createShipment',
        input: ({ context }) => ({
          orderId: context.orderId,
          deliveryId: context.deliveryId,
          seq: context.booking,
          envelopeId: context.envelopeId,
          method: context.method,
          personRef: context.personRef,
          addressRef: context.addressRef,
          country: context.country,
          slot: context.slot ?? { slotId: '', from: 0, to: 0 }, // Entered with a slot only.
        }),
        onDone: { actions: { type: 'noteShipment', params: ({ event }) => event.output } },
        onError: { target: 'notFound' },
      },
      on: {
        COURIER_FOUND: { description: 'D-07', guard: 'isBooking', target: 'assigned', actions: 'noteCourier' },
        COURIER_NOT_FOUND: [
          { description: 'D-08', guard: 'maySearchAgain', target: 'searchingAgain', actions: 'countSearch' },
          { description: 'D-08', guard: 'isBooking', target: 'notFound', actions: 'countSearch' },
        ],
      },
      after: { courierOverdue: { description: 'D-09', target: 'notFound' } },
    },
    searchingAgain: { after: { searchAgain: { description: 'D-08', target: 'lookup' } } },
    assigned: {
      on: {
        COURIER_ARRIVED: { description: 'D-10', target: `${T}.pickup` },
        SCANNED: {
          description: 'D-10',
          guard: 'isCourierScan',
          target: `${T}.pickup.scanned`,
          actions: raise({ type: 'TO_COURIER' }),
        },
      },
      after: { courierOverdue: { description: 'D-09', target: 'notFound' } },
    },
    /** A dispatcher looks again, or agrees on another appointment with the recipient. */
    notFound: {
      entry: [unbook, task('courier_not_found')],
      on: { RETRY: { description: 'D-09', target: 'waitingForSlot', actions: 'forgetSearches' } },
    },
  },
  on: {
    ...recallable,
    ...mishapsAtHub,
    SLOT_RELEASED: { description: 'D-06', target: '.waitingForSlot', actions: unbook },
    ABANDONED: { description: 'D-05', target: 'returning', actions: goBack('abandoned') },
  },
});

const pickup = delivering.createStateConfig({
  initial: 'courierArrived',
  states: {
    courierArrived: {
      on: {
        ...recallable,
        ...mishapsAtHub,
        SCANNED: {
          description: 'D-10',
          guard: 'isCourierScan',
          target: 'scanned',
          actions: raise({ type: 'TO_COURIER' }),
        },
        SLOT_RELEASED: { description: 'D-06', target: `${T}.assigning`, actions: unbook },
      },
      after: { courierOverdue: { description: 'D-09', target: `${T}.assigning.notFound` } },
    },
    scanned: {
      entry: [...tell('DeliveryDispatched')],
      on: {
        ...returnable,
        ...mishaps,
        OUT_FOR_DELIVERY: { description: 'D-13', guard: 'isCourier', target: `${T}.lastMile` },
      },
    },
  },
});

const lastMile = delivering.createStateConfig({
  initial: 'outForDelivery',
  states: {
    outForDelivery: {
      entry: [...tell('DeliveryOutForDelivery'), notice('out_for_delivery')],
      on: { ARRIVED: { description: 'D-14', guard: 'isNear', target: 'arrived' } },
    },
    arrived: {
      entry: notice('courier_arrived'),
      on: {
        START_HANDOVER: { description: 'D-15', guard: 'isCourier', target: `${T}.handover`, actions: 'beginHandover' },
      },
      after: { noShow: { description: 'D-22', ...failed('no_show') } },
    },
  },
  on: { ...returnable, ...mishaps, ...failures },
});

const handover = delivering.createStateConfig({
  type: 'parallel',
  states: proofs,
  onDone: { description: 'D-20', target: 'delivered' },
  on: {
    ...failures,
    ...mishaps,
    // Not all proofs are there, or the handover would be over: the recall is first (D-31).
    'delivery.cancel': { description: 'D-31', target: 'returning', actions: goBack('recalled') },
    RECALL: { description: 'D-31', target: 'returning', actions: goBack('operator') },
  },
});

const attemptFailed = delivering.createStateConfig({
  entry: [
    ...tell('DeliveryAttemptFailed', (context) => ({
      reason: context.reason,
      attempt: context.attempt,
      next: mayTryAgain(context) ? 'appointment' : 'nothing',
    })),
    notice('attempt_failed'),
  ],
  always: [
    {
      description: 'D-23',
      guard: 'mayTryAgain',
      target: 'assigning',
      actions: ['nextAttempt', raise({ type: 'TO_HUB' }), raise({ type: 'SLOT_MISSED' })],
    },
    { description: 'D-24', guard: 'isRetryable', target: 'returning', actions: goBack('attempts_exhausted') },
    { description: 'D-24', target: 'returning', actions: goBack('not_retryable') },
  ],
});

const returning = delivering.createStateConfig({
  initial: 'inTransit',
  states: {
    inTransit: {
      entry: [...tell('DeliveryReturning', ({ reason }) => ({ reason })), raise({ type: 'APPOINTMENT_OVER' })],
      on: {
        RECEIVED: {
          description: 'D-39',
          guard: 'isEnvelopeScan',
          target: `${T}.returned`,
          actions: ['noteSeal', raise({ type: 'TO_VAULT' })],
        },
        // Said again for an order that has only now begun to recall.
        'delivery.cancel': {
          description: 'D-30',
          actions: [...tell('DeliveryReturning', () => ({ reason: 'recalled' }))],
        },
      },
      after: { returnOverdue: { description: 'D-40', target: `${T}.investigating` } },
    },
  },
  on: { LOST_REPORTED: mishaps.LOST_REPORTED, STOLEN_REPORTED: mishaps.STOLEN_REPORTED },
});

const investigating = delivering.createStateConfig({
  initial: 'tracing',
  entry: [...tell('DeliverySuspectedLost'), task('trace_envelope'), raise({ type: 'OUT_OF_SIGHT' })],
  states: {
    tracing: {
      on: {
        FOUND: [
          {
            description: 'D-35',
            guard: 'goesBack',
            target: `${T}.returning`,
            actions: [...tell('DeliveryFound'), raise({ type: 'TO_HUB' })],
          },
          {
            description: 'D-35',
            target: `${T}.assigning`,
            actions: [
              ...tell('DeliveryFound'),
              unbook,
              'nextAttempt',
              raise({ type: 'TO_HUB' }),
              raise({ type: 'SLOT_MISSED' }),
            ],
          },
        ],
        LOST_CONFIRMED: { description: 'D-36', target: `${T}.lost` },
        STOLEN_REPORTED: mishaps.STOLEN_REPORTED,
        'delivery.cancel': { description: 'D-30', actions: goBack('recalled') },
        RECALL: { description: 'D-30', actions: goBack('operator') },
      },
      after: { traceExhausted: { description: 'D-36', target: `${T}.lost` } },
    },
  },
});

const over = raise({ type: 'TRANSPORT_ENDED' });

export const transport = delivering.createStateConfig({
  initial: 'created',
  states: {
    created: {
      on: {
        'delivery.create': [
          { description: 'D-01', guard: 'isServed', target: 'accepted' },
          { description: 'D-02', target: 'refused' },
        ],
      },
    },
    accepted: {
      entry: [...tell('DeliveryAccepted'), raise({ type: 'SLOTS_PROPOSED' })],
      always: { description: 'D-01', target: 'awaitingEnvelope' },
    },
    awaitingEnvelope,
    assigning,
    pickup,
    lastMile,
    handover,
    attemptFailed,
    returning,
    investigating,
    delivered: {
      type: 'final',
      entry: [
        ...tell('DeliveryHandedOver', ({ verification }) => ({ proofs: verification })),
        raise({ type: 'HANDED_OVER' }),
        raise({ type: 'TO_CUSTOMER' }),
      ],
    },
    refused: {
      type: 'final',
      entry: [
        ...tell('DeliveryRejected', () => ({ reason: 'method_unavailable', alternatives: [...METHODS_SERVED] })),
        over,
      ],
    },
    cancelled: { type: 'final', entry: [...tell('DeliveryCancelled', () => ({ fee: 'none' })), over] },
    returned: { type: 'final', entry: [...tell('DeliveryReturned', ({ seal }) => ({ seal: seal ?? 'intact' })), over] },
    lost: { type: 'final', entry: [...tell('DeliveryLost'), over] },
    stolen: { type: 'final', entry: [...tell('DeliveryStolen'), over] },
  },
});
