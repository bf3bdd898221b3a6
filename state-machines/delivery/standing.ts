// Where a delivery stands, in the words of the contract: what it says when it is asked again (`delivery.restate`).

import { or, stateIn } from 'xstate';
import { tell } from './phrases.ts';

/** First what is narrower. What a delivery has ended as, its last event has said; one that has ended answers no more. */
const standings = [
  ['dispatched', stateIn({ transport: { pickup: 'scanned' } })],
  [
    'scheduling',
    or([stateIn({ transport: { moving: 'preTransit' } }), stateIn({ transport: { moving: 'notBooked' } })]),
  ],
  ['in_transit', or([stateIn({ transport: 'moving' }), stateIn({ transport: { pickupPoint: 'arriving' } })])],
  ['ready_for_pickup', stateIn({ transport: 'pickupPoint' })],
  ['out_for_delivery', or([stateIn({ transport: 'lastMile' }), stateIn({ transport: 'handover' })])],
  ['attempt_failed', stateIn({ transport: 'attemptFailed' })],
  ['suspected_lost', stateIn({ transport: 'investigating' })],
  ['returning', stateIn({ transport: 'returning' })],
  ['returned', stateIn({ transport: 'returned' })],
  ['delivered', stateIn({ transport: 'delivered' })],
] as const;

export const restated = [
  ...standings.map(([status, guard]) => ({
    description: 'D-11',
    guard,
    actions: [...tell('DeliveryStatus', () => ({ status }))],
  })),
  { description: 'D-11', actions: [...tell('DeliveryStatus', () => ({ status: 'scheduling' }))] },
];
