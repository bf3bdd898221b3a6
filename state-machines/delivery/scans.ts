// Scans of carriers: what each of their words means for the envelope (4.8). A scan that is no news is refused.

import type { TrackingStatus } from './events.ts';
import { goBack, raise, T, tell, tellScan } from './phrases.ts';

const says = (status: TrackingStatus, only?: 'point' | 'proofless') =>
  ({ type: 'says', params: { status, ...(only === undefined ? {} : { only }) } }) as const;
const toCarrier = raise({ type: 'TO_CARRIER' });
const lost = { type: 'noteLost', params: { from: 'holder' } } as const;

/** While a carrier or a pickup point has it. Guards are tried in this order; each asks for one word. */
export const tracked = {
  TRACKING: [
    { description: 'D-11', guard: says('pre_transit'), actions: 'noteScan' },
    {
      description: 'D-11',
      guard: says('in_transit'),
      target: `${T}.moving.inTransit`,
      actions: [tellScan, 'noteScan', toCarrier],
    },
    {
      description: 'D-11',
      guard: says('at_hub'),
      target: `${T}.moving.atHub`,
      actions: [tellScan, 'noteScan', toCarrier],
    },
    {
      description: 'D-11',
      guard: says('out_for_delivery', 'point'),
      target: `${T}.pickupPoint.arriving`,
      actions: [tellScan, 'noteScan', toCarrier],
    },
    {
      description: 'D-11, D-13',
      guard: says('out_for_delivery'),
      target: `${T}.lastMile`,
      actions: [tellScan, 'noteScan', toCarrier],
    },
    { description: 'D-11', guard: says('arrived'), actions: [tellScan, 'noteScan'] },
    {
      description: 'D-11, D-25',
      guard: says('ready_for_pickup'),
      target: `${T}.pickupPoint.ready`,
      actions: [tellScan, 'noteScan', raise({ type: 'TO_POINT' })],
    },
    {
      description: 'D-11',
      guard: says('attempt_failed'),
      target: `${T}.attemptFailed`,
      actions: [tellScan, 'noteScan', 'noteCarriersFailure', toCarrier],
    },
    {
      description: 'D-11, D-20',
      guard: says('delivered', 'proofless'),
      target: `${T}.delivered`,
      actions: [tellScan, 'noteScan', 'noteImplied'],
    },
    // Somebody holds it who has shown nothing of what was asked for (DL1): it is traced.
    { description: 'D-11, D-34', guard: says('delivered'), target: `${T}.investigating`, actions: ['noteScan', lost] },
    {
      description: 'D-11',
      guard: says('returning'),
      target: `${T}.returning`,
      actions: ['noteScan', toCarrier, goBack('carrier_returned')],
    },
    {
      description: 'D-11',
      guard: says('returned'),
      target: `${T}.returning`,
      actions: ['noteScan', toCarrier, goBack('carrier_returned')],
    },
    {
      description: 'D-11, D-38',
      guard: says('damaged'),
      target: `${T}.returning`,
      actions: ['noteScan', toCarrier, ...tell('DeliveryDamaged'), goBack('damaged')],
    },
    { description: 'D-11, D-34', guard: says('lost'), target: `${T}.investigating`, actions: ['noteScan', lost] },
  ],
} as const;

/** The card was activated: it has arrived, whatever its carrier says (O-54). */
export const impliedArrival = {
  'delivery.markDelivered': {
    description: 'D-20',
    guard: 'isCarried',
    target: `${T}.delivered`,
    actions: 'noteImplied',
  },
} as const;
