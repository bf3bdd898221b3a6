// Region `transport`: where the envelope is on its way, and how the way ends.
//
// Before somebody has taken it at the hub, a recall cancels; after that it has to come back (DL2). The ways themselves are in
// courier.ts (by courier) and carried.ts (by a carrier), what goes wrong in failing.ts.

import { and } from 'xstate';
import { moving, pickupPoint } from './carried.ts';
import { assigning, lastMile, pickup } from './courier.ts';
import { delivering, METHODS_SERVED } from './delivery-setup.ts';
import { attemptFailed, investigating, returning } from './failing.ts';
import { proofs } from './handover.ts';
import {
  acceptedAgain,
  done,
  failures,
  goBack,
  guardCard,
  leaveRun,
  mishaps,
  opened,
  raise,
  recallable,
  rejected,
  tell,
  unseen,
} from './phrases.ts';

/** May the zone be served by the method? Asked of the catalogue; nobody knows is no as well. */
const checking = delivering.createStateConfig({
  invoke: {
    id: 'zone.check',
    src: 'zone.check',
    input: ({ context: { deliveryId, method, addressRef, country, pickupPointId } }) => ({
      ...{ deliveryId, method, addressRef, country },
      ...(pickupPointId === undefined ? {} : { pickupPointId }),
    }),
    onDone: [
      {
        description: 'D-01',
        guard: { type: 'isAllowed', params: ({ event }) => event.output },
        target: 'accepted',
        actions: { type: 'noteZone', params: ({ event }) => event.output },
      },
      {
        description: 'D-02',
        guard: { type: 'isKnownZone', params: ({ event }) => event.output },
        target: 'refused',
        actions: rejected('out_of_zone'),
      },
      { description: 'D-02', target: 'refused', actions: rejected('zone_unknown') },
    ],
    onError: {
      description: 'D-02',
      target: 'refused',
      actions: [...tell('DeliveryRejected', () => ({ reason: 'zone_unknown', alternatives: [] }))],
    },
  },
  on: { ...recallable, 'delivery.create': { description: 'D-01' } },
});

const awaitingEnvelope = delivering.createStateConfig({
  initial: 'expected',
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
    onError: { description: 'D-03', target: '.untold' },
  },
  states: {
    expected: { after: { envelopeOverdue: { description: 'D-03', target: 'overdue' } } },
    /** The hub could not be told. It may scan the envelope all the same. */
    untold: {
      entry: opened('hub_not_told'),
      exit: done('hub_not_told'),
      after: { envelopeOverdue: { description: 'D-03', target: 'overdue' } },
    },
    overdue: { entry: opened('envelope_overdue'), exit: done('envelope_overdue') },
  },
  on: {
    ...acceptedAgain,
    ...recallable,
    RETRY: { description: 'D-03', target: 'awaitingEnvelope', reenter: true },
    ENVELOPE_READY: [
      {
        description: 'D-03',
        guard: and(['isEnvelope', 'isByCourier']),
        target: 'assigning',
        actions: raise({ type: 'TO_HUB' }),
      },
      { description: 'D-03', guard: 'isEnvelope', target: 'moving', actions: raise({ type: 'TO_HUB' }) },
    ],
  },
});

const handover = delivering.createStateConfig({
  type: 'parallel',
  states: proofs,
  onDone: { description: 'D-20', target: 'delivered' },
  on: {
    ...failures,
    ...mishaps,
    ...unseen,
    // Not all proofs are there, or the handover would be over: the recall is first (D-31).
    'delivery.cancel': { description: 'D-31', target: 'returning', actions: goBack('recalled') },
    RECALL: { description: 'D-31', target: 'returning', actions: goBack('operator') },
  },
});

const NO_PROOF = { idCheck: false, otp: false, signature: false, photo: false };
const over = [leaveRun, raise({ type: 'TRANSPORT_ENDED' })] as const;

export const transport = delivering.createStateConfig({
  initial: 'created',
  states: {
    created: {
      on: {
        'delivery.create': [
          { description: 'D-01', guard: 'isServed', target: 'checking' },
          {
            description: 'D-02',
            target: 'refused',
            actions: [
              ...tell('DeliveryRejected', ({ method }) => ({
                reason: 'method_unavailable',
                alternatives: METHODS_SERVED.filter((each) => each !== method && each !== 'post'),
              })),
            ],
          },
        ],
      },
    },
    checking,
    accepted: {
      entry: [...tell('DeliveryAccepted'), raise({ type: 'SLOTS_PROPOSED' })],
      always: { description: 'D-01', target: 'awaitingEnvelope' },
    },
    awaitingEnvelope,
    assigning,
    pickup,
    moving,
    pickupPoint,
    lastMile,
    handover,
    attemptFailed,
    returning,
    investigating,
    delivered: {
      type: 'final',
      entry: [
        ...tell('DeliveryHandedOver', ({ verification, implied }) => ({ proofs: implied ? NO_PROOF : verification })),
        leaveRun,
        raise({ type: 'HANDED_OVER' }),
        raise({ type: 'TO_CUSTOMER' }),
      ],
    },
    refused: { type: 'final', entry: over },
    cancelled: {
      type: 'final',
      entry: [...tell('DeliveryCancelled', ({ late }) => ({ fee: late ? 'late' : 'none' })), ...over],
    },
    returned: {
      type: 'final',
      entry: [...tell('DeliveryReturned', ({ seal }) => ({ seal: seal ?? 'intact' })), ...over],
    },
    lost: { type: 'final', entry: [...tell('DeliveryLost'), ...over] },
    stolen: {
      type: 'final',
      entry: [...tell('DeliveryStolen'), guardCard, ...over],
    },
  },
});
