// By a carrier: an envelope on its way to a pickup point or a letter box, followed by scans, or by nothing at all.
//
// Silence is judged: five business days without a scan, thirty days where the mail is not tracked, and a trace begins (D-12).

import { delivering } from './delivery-setup.ts';
import {
  acceptedAgain,
  code,
  done,
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
  unbook,
} from './phrases.ts';
import { impliedArrival, tracked } from './scans.ts';

const silence = {
  scanOverdue: {
    description: 'D-12',
    target: `${T}.investigating`,
    actions: { type: 'noteLost', params: { from: 'holder' } },
  },
} as const;

/** At the hub still: another address or method costs no more than another booking. */
const bookedAnew = {
  REROUTED: [
    { description: 'D-32', guard: 'isByCourier', target: `${T}.assigning`, actions: unbook },
    { description: 'D-32', target: `${T}.moving.preTransit`, reenter: true, actions: unbook },
  ],
} as const;

export const moving = delivering.createStateConfig({
  initial: 'preTransit',
  states: {
    /** Booked, and waiting at the hub until the carrier takes it. */
    preTransit: {
      entry: 'book',
      invoke: {
        id: 'carrier.createShipment',
        src: 'carrier.createShipment',
        input: shipment,
        onDone: [
          {
            description: 'D-03',
            guard: { type: 'isUntracked', params: ({ event }) => event.output },
            target: 'inTransit',
            actions: [
              { type: 'noteShipment', params: ({ event }) => event.output },
              'noteUntracked',
              ...tell('DeliveryDispatched'),
              ...tell('DeliveryInTransit'),
              raise({ type: 'TO_CARRIER' }),
            ],
          },
          { description: 'D-03', actions: { type: 'noteShipment', params: ({ event }) => event.output } },
        ],
        onError: [
          {
            description: 'D-03',
            guard: 'hasOtherCarrier',
            target: 'preTransit',
            reenter: true,
            actions: nextCarrier,
          },
          { description: 'D-03', target: 'notBooked' },
        ],
      },
      on: { ...acceptedAgain, ...recallable, ...mishapsAtHub, ...bookedAnew },
      after: {
        scanOverdue: { ...silence.scanOverdue, actions: { type: 'noteLost', params: { from: 'hub' } } },
      },
    },
    /** None of the carriers takes it. A dispatcher asks again, or gives it up. */
    notBooked: {
      entry: [unbook, opened('carrier_not_booked')],
      exit: done('carrier_not_booked'),
      on: {
        ...acceptedAgain,
        ...recallable,
        ...mishapsAtHub,
        ...bookedAnew,
        RETRY: { description: 'D-03', target: 'preTransit' },
      },
    },
    inTransit: { after: silence },
    atHub: { after: silence },
    was: { type: 'history' },
  },
  on: { ...returnable, ...mishaps, ...tracked, ...impliedArrival },
});

export const pickupPoint = delivering.createStateConfig({
  initial: 'arriving',
  states: {
    arriving: { after: silence },
    /** The point keeps it, and the recipient has its code. */
    ready: {
      entry: [
        'store',
        ...tell('DeliveryReadyForPickup', ({ pickupPointId, storageUntil }) => ({
          ...(pickupPointId === undefined ? {} : { pickupPointId }),
          ...(storageUntil === null ? {} : { storageUntil }),
        })),
        notice('ready_for_pickup'),
      ],
      initial: 'deciding',
      states: {
        deciding: { always: [{ guard: 'needsOtp', target: 'sendingCode' }, { target: 'waiting' }] },
        sendingCode: {
          entry: ['beginHandover', 'countOtpSend'],
          invoke: {
            id: 'otp.send',
            src: 'otp.send',
            input: code,
            onDone: { description: 'D-25', target: 'waiting' },
            onError: { description: 'D-25', target: 'waiting' }, // It is sent again at the counter.
          },
        },
        waiting: {},
      },
      on: {
        'delivery.extendStorage': {
          description: 'D-26',
          guard: 'mayExtend',
          target: 'ready',
          reenter: true,
          actions: 'extendStorage',
        },
        COLLECT: {
          description: 'D-28',
          guard: 'isEnvelopeScan',
          target: 'collecting',
          actions: 'noteClerk',
        },
      },
      after: {
        storageHalf: { description: 'D-25', actions: notice('pickup_reminder', ({ attempt }) => attempt * 10 + 1) },
        storageLastDay: { description: 'D-25', actions: notice('pickup_reminder', ({ attempt }) => attempt * 10 + 2) },
        storageOver: { description: 'D-27', target: `${T}.returning`, actions: goBack('storage_expired') },
      },
    },
    /** At the counter: the clerk has scanned the envelope, and asks for the proofs. */
    collecting: {
      on: {
        START_HANDOVER: {
          description: 'D-28',
          guard: 'isCourier',
          target: `${T}.handover`,
          actions: 'beginHandover',
        },
      },
      after: { noShow: { description: 'D-28', target: 'ready', actions: 'noteTime' } },
    },
    was: { type: 'history' },
  },
  on: { ...returnable, ...mishaps, ...tracked, ...impliedArrival },
});
