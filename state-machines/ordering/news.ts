// News of the delivery, as every phase hears them that has one outside. Only what was not heard before counts (O-29).

import { because, notice, raise, raiseHold, task } from './phrases.ts';

/** The delivery goes on, and so does the order. */
export const moved = (target: string) => ({ description: 'O-29', guard: 'isNews', target, actions: 'hear' }) as const;
/** Heard, and nothing changes by it. */
export const heard = { description: 'O-29', guard: 'isNews', actions: 'hear' } as const;
/** The delivery is over. */
export const over = (target: string) =>
  ({ description: 'O-29', guard: 'isNews', target, actions: ['hear', 'deliveryOver'] }) as const;

/** The delivery's word, said again on demand. */
export const says = <const Rest extends object>(status: readonly string[], rest: Rest) =>
  ({ description: 'O-29', guard: { type: 'saysStatus', params: { status } }, ...rest }) as const;

const LOST = '#order.fulfilment.lost';
const isLost = ['hear', 'deliveryOver', because('lost')] as const;
/** Block first, ask later. */
const isStolen = [
  'hear',
  'deliveryOver',
  because('stolen'),
  raise({ type: 'CLOSE_CARD', reason: 'stolen' }),
  task('stolen_envelope'),
] as const;

/** Ends that can come at any time while the envelope is out. */
export const misfortunes = {
  DeliveryLost: { description: 'O-32', guard: 'isNews', target: LOST, actions: isLost },
  DeliveryStolen: { description: 'O-33', guard: 'isNews', target: LOST, actions: isStolen },
} as const;
export const misfortuneStatuses = [
  says(['lost'], { target: LOST, actions: isLost }),
  says(['stolen'], { target: LOST, actions: isStolen }),
] as const;

/** In the vault again. */
const RETURNED = '#order.fulfilment.returned';
export const homecoming = {
  DeliveryReturned: [
    {
      description: 'O-47',
      guard: 'sealIsBroken',
      target: RETURNED,
      actions: ['hear', 'deliveryOver', because('seal_broken')],
    },
    { description: 'O-47', guard: 'isNews', target: RETURNED, actions: ['hear', 'deliveryOver'] },
  ],
} as const;
export const homecomingStatus = says(['returned'], { target: RETURNED, actions: ['hear', 'deliveryOver'] });

/** The pivot. Without its proofs nobody knows whose hands those are: the card sleeps until somebody has looked. */
const HANDED_OVER = '#order.fulfilment.handedOver';
const unproven = [raiseHold('fraud'), task('proofs_missing')] as const;
export const handover = {
  DeliveryHandedOver: [
    {
      description: 'O-30',
      guard: 'isProvenHandover',
      target: HANDED_OVER,
      actions: ['hear', 'deliveryOver'],
    },
    {
      description: 'O-30',
      guard: 'isNews',
      target: HANDED_OVER,
      actions: ['hear', 'deliveryOver', ...unproven],
    },
  ],
} as const;
/** The race of cancellation and handover: whichever the delivery committed first. */
const refused = notice('cancellation_refused');
export const lostRace = {
  DeliveryHandedOver: [
    {
      description: 'O-44',
      guard: 'isProvenHandover',
      target: HANDED_OVER,
      actions: ['hear', 'deliveryOver', refused],
    },
    {
      description: 'O-44',
      guard: 'isNews',
      target: HANDED_OVER,
      actions: ['hear', 'deliveryOver', refused, ...unproven],
    },
  ],
} as const;
export const deliveredStatus = says(['delivered'], { target: HANDED_OVER, actions: ['hear', 'deliveryOver'] });
