// Region `route`: another address or another method, while the envelope is on its way.
//
// At the hub the zones decide (D-32). On the last mile the courier does, and only for an address around the corner (D-33).
// Whoever asked is answered: rerouted, or refused with a word that says why, and then everything stays as it was.

import { and, not } from 'xstate';
import type { ZoneVerdict } from './context.ts';
import { delivering } from './delivery-setup.ts';
import { notice, raise, tell } from './phrases.ts';

const verdictOf = ({ event }: { readonly event: { readonly output: ZoneVerdict } }): ZoneVerdict => event.output;

type Refusal = 'out_of_zone' | 'too_far' | 'courier_declined' | 'too_late' | 'carrier_cannot' | 'zone_unknown';

const refused = (reason: Refusal) => ['dropWish', ...tell('DeliveryRerouteRefused', () => ({ reason }))] as const;

const told = tell('DeliveryRerouted', ({ method, addressRef, country, pickupPointId }) => ({
  ...{ method, addressRef, country },
  ...(pickupPointId === undefined ? {} : { pickupPointId }),
}));

const anew = { description: 'D-32', target: 'checking', reenter: true, actions: 'noteWish' } as const;

export const route = delivering.createStateConfig({
  initial: 'settled',
  states: {
    settled: {
      on: {
        'delivery.changeAddress': [
          { description: 'D-32', guard: 'isRoutable', target: 'checking', actions: 'noteWish' },
          { description: 'D-33', guard: 'isOnLastMileByCourier', target: 'checking', actions: 'noteWish' },
          { description: 'D-32', guard: 'isMoving', actions: refused('carrier_cannot') },
          { description: 'D-32', actions: refused('too_late') },
        ],
        'delivery.changeMethod': [
          { description: 'D-32', guard: 'isRoutable', target: 'checking', actions: 'noteWish' },
          { description: 'D-32', guard: 'isMoving', actions: refused('carrier_cannot') },
          { description: 'D-32', actions: refused('too_late') },
        ],
      },
    },
    checking: {
      invoke: {
        id: 'zone.check.route',
        src: 'zone.check',
        input: ({ context: { deliveryId, addressRef, wish, method, country } }) => {
          const wanted = wish ?? { method, addressRef, country }; // Noted on the way in.
          return { deliveryId, ...wanted, previousAddressRef: addressRef };
        },
        onDone: [
          {
            description: 'D-33',
            guard: and(['isOnLastMile', 'isNearby']),
            target: 'askingCourier',
          },
          { description: 'D-33', guard: 'isOnLastMile', target: 'settled', actions: refused('too_far') },
          { description: 'D-32', guard: not('isRoutable'), target: 'settled', actions: refused('too_late') },
          { description: 'D-32', guard: not('isWishServed'), target: 'settled', actions: refused('carrier_cannot') },
          {
            description: 'D-32',
            guard: { type: 'keepsZone', params: verdictOf },
            target: 'settled',
            actions: [{ type: 'reroute', params: verdictOf }, ...told, raise({ type: 'REROUTED', kept: true })],
          },
          {
            description: 'D-32',
            guard: { type: 'isAllowed', params: verdictOf },
            target: 'settled',
            actions: [{ type: 'reroute', params: verdictOf }, ...told, raise({ type: 'REROUTED', kept: false })],
          },
          {
            description: 'D-32',
            guard: { type: 'isKnownZone', params: verdictOf },
            target: 'settled',
            actions: refused('out_of_zone'),
          },
          { description: 'D-32', target: 'settled', actions: refused('zone_unknown') },
        ],
        onError: { description: 'D-32', target: 'settled', actions: refused('zone_unknown') },
      },
      on: { 'delivery.changeAddress': anew, 'delivery.changeMethod': anew },
    },
    askingCourier: {
      on: {
        REROUTE_ACCEPTED: [
          {
            description: 'D-33',
            guard: and(['isCourier', 'isOnLastMile']),
            target: 'settled',
            actions: ['takeWish', ...told, notice('rerouted'), raise({ type: 'REROUTED', kept: true })],
          },
          { description: 'D-33', guard: 'isCourier', target: 'settled', actions: refused('too_late') },
        ],
        REROUTE_DECLINED: {
          description: 'D-33',
          guard: 'isCourier',
          target: 'settled',
          actions: refused('courier_declined'),
        },
      },
      after: { rerouteUnanswered: { description: 'D-33', target: 'settled', actions: refused('courier_declined') } },
    },
    over: { type: 'final' },
  },
  on: {
    HANDED_OVER: { description: 'D-20', target: '.over' },
    TRANSPORT_ENDED: { description: 'D-32', target: '.over' },
  },
});
