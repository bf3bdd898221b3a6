// By courier: somebody is found for the appointment, takes the envelope at the hub, and rings at the door.
//
// Whatever is said on the way comes from the courier of this booking; callbacks of an older booking are refused.

import { delivering } from './delivery-setup.ts';
import {
  acceptedAgain,
  done,
  failed,
  failures,
  freeSlot,
  goBack,
  mishaps,
  mishapsAtHub,
  nextCarrier,
  notice,
  opened,
  raise,
  recallable,
  returnable,
  shipment,
  T,
  tell,
  tellRun,
  unbook,
  unseen,
} from './phrases.ts';
import { tracked } from './scans.ts';

const pickedUp = {
  description: 'D-10',
  guard: 'isCourierScan',
  target: `${T}.pickup.scanned`,
  actions: [tellRun('HELD'), raise({ type: 'TO_COURIER' })],
} as const;

/** Looks for somebody who comes at the appointment. Without one, it waits for the recipient to choose. */
export const assigning = delivering.createStateConfig({
  initial: 'waitingForSlot',
  states: {
    waitingForSlot: { always: { description: 'D-03', guard: 'hasSlot', target: 'lookup' } },
    lookup: {
      entry: 'book',
      invoke: {
        id: 'carrier.createShipment',
        src: 'carrier.createShipment',
        input: shipment,
        onDone: { description: 'D-03', actions: { type: 'noteShipment', params: ({ event }) => event.output } },
        onError: [
          { description: 'D-03', guard: 'hasOtherCarrier', target: 'lookup', reenter: true, actions: nextCarrier },
          { description: 'D-09', target: 'notFound' },
        ],
      },
      on: {
        COURIER_FOUND: { description: 'D-07', guard: 'isBooking', target: 'boarding', actions: 'noteCourier' },
        COURIER_NOT_FOUND: [
          { description: 'D-08', guard: 'maySearchAgain', target: 'searchingAgain', actions: 'countSearch' },
          { description: 'D-08', guard: 'isBooking', target: 'notFound', actions: 'countSearch' },
        ],
      },
      after: { courierOverdue: { description: 'D-09', target: 'notFound' } },
    },
    searchingAgain: { after: { searchAgain: { description: 'D-08', target: 'lookup' } } },
    /** Has the courier's day a place for one more? Without one he is as good as not found. */
    boarding: {
      entry: {
        type: 'askRun',
        params: ({ context: { runId, courierId, stopsPerRun, slot, deliveryId, booking } }) => ({
          ...{ runId: runId ?? '', courierId: courierId ?? '', capacity: stopsPerRun }, // Noted on the way in.
          ...{ until: slot?.to ?? 0, deliveryId, turn: booking },
        }),
      },
      on: {
        BOARDED: { description: 'D-07', guard: 'isThisRun', target: 'assigned', actions: 'forgetSearches' },
        RUN_FULL: [
          {
            description: 'D-08',
            guard: 'maySearchOn',
            target: 'searchingAgain',
            actions: [unbook, 'countSearch'],
          },
          { description: 'D-08', guard: 'isThisRun', target: 'notFound', actions: 'countSearch' },
        ],
      },
      after: { boardingOverdue: { description: 'D-09', target: 'notFound' } },
    },
    assigned: {
      on: { COURIER_ARRIVED: { description: 'D-10', target: `${T}.pickup` }, SCANNED: pickedUp },
      after: { courierOverdue: { description: 'D-09', target: 'notFound' } },
    },
    /** A dispatcher looks again, or agrees on another appointment with the recipient. */
    notFound: {
      entry: [unbook, opened('courier_not_found')],
      exit: done('courier_not_found'),
      on: { RETRY: { description: 'D-09', target: 'waitingForSlot', actions: 'forgetSearches' } },
    },
  },
  on: {
    ...acceptedAgain,
    ...recallable,
    ...mishapsAtHub,
    SLOT_RELEASED: { description: 'D-06', target: '.waitingForSlot', actions: unbook },
    ABANDONED: { description: 'D-05', target: `${T}.returning`, actions: goBack('abandoned') },
    REROUTED: [
      { description: 'D-32', guard: 'isByCourier', target: '.waitingForSlot', actions: unbook },
      { description: 'D-32', target: `${T}.moving`, actions: unbook },
    ],
  },
});

export const pickup = delivering.createStateConfig({
  initial: 'courierArrived',
  states: {
    courierArrived: {
      on: {
        ...acceptedAgain,
        ...recallable,
        ...mishapsAtHub,
        SCANNED: pickedUp,
        SLOT_RELEASED: { description: 'D-06', target: `${T}.assigning`, actions: unbook },
        REROUTED: [
          { description: 'D-32', guard: 'isByCourier', target: `${T}.assigning`, actions: unbook },
          { description: 'D-32', target: `${T}.moving`, actions: unbook },
        ],
      },
      after: { courierOverdue: { description: 'D-09', target: `${T}.assigning.notFound` } },
    },
    scanned: {
      entry: [...tell('DeliveryDispatched')],
      on: {
        ...returnable,
        ...mishaps,
        ...unseen,
        OUT_FOR_DELIVERY: {
          description: 'D-13',
          guard: 'isCourier',
          target: `${T}.lastMile`,
          actions: tellRun('SEEN'),
        },
        // Back to the hub, without an attempt (D-32), unless the courier of this zone comes there all the same.
        REROUTED: [
          { description: 'D-32', guard: 'keepsSlot' },
          {
            description: 'D-32',
            guard: 'isByCourier',
            target: `${T}.assigning`,
            actions: [unbook, raise({ type: 'TO_HUB' })],
          },
          { description: 'D-32', target: `${T}.moving`, actions: [unbook, raise({ type: 'TO_HUB' })] },
        ],
      },
    },
  },
});

export const lastMile = delivering.createStateConfig({
  initial: 'outForDelivery',
  states: {
    outForDelivery: {
      entry: [...tell('DeliveryOutForDelivery'), notice('out_for_delivery')],
      on: { ARRIVED: { description: 'D-14', guard: 'isNear', target: 'arrived', actions: tellRun('SEEN') } },
      after: {
        scanOverdue: {
          description: 'D-12',
          guard: 'isCarried',
          target: `${T}.investigating`,
          actions: { type: 'noteLost', params: { from: 'holder' } },
        },
      },
    },
    arrived: {
      entry: notice('courier_arrived'),
      on: {
        START_HANDOVER: {
          description: 'D-15',
          guard: 'isCourier',
          target: `${T}.handover`,
          actions: [tellRun('SEEN'), 'beginHandover'],
        },
        REROUTED: { description: 'D-33', target: 'outForDelivery' },
      },
      after: { noShow: { description: 'D-22', ...failed('no_show') } },
    },
  },
  on: { ...returnable, ...mishaps, ...failures, ...unseen, ...tracked },
});

/** A try is over: the next one has another appointment, another courier and another code. */
export const tryAgain = (id: string) =>
  ({
    description: id,
    target: `${T}.assigning`,
    actions: [unbook, freeSlot, 'nextAttempt', raise({ type: 'TO_HUB' }), raise({ type: 'SLOT_MISSED' })],
  }) as const;
