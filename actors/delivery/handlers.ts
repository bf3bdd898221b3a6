// Effect handlers of the delivery context: each effect of its chart, carried out at a partner's port.

import type { EffectRegistration } from '../../runtime/hosting.ts';
import type { Catalogue } from '../contract/catalogue.ts';
import { codeOf } from '../contract/dto.ts';
import { performed, unconnected } from '../effects.ts';
import type { Partners } from '../partners/ports.ts';
import type { People } from '../people/index.ts';
import { slotTerms, zoneCheck } from './zones.ts';

export interface DeliveryHandlers {
  readonly invokes: { readonly [source: string]: EffectRegistration };
  readonly actions: { readonly [action: string]: EffectRegistration };
}

export interface DeliveryDoors {
  readonly partners: Partners;
  readonly catalogue: Catalogue;
  readonly people: Pick<People, 'readAddress'>;
  /** The namespace's keyed digest (`client.digest`): the one-time code follows from it, here and where it is checked. */
  readonly digest: (...parts: readonly string[]) => string;
}

/** The handlers over the partners' ports; without doors, none of them reaches anybody. */
export function deliveryHandlers(doors?: DeliveryDoors): DeliveryHandlers {
  const { carrier, notifications } = doors?.partners ?? {};
  return {
    invokes: {
      'zone.check': performed('zone.check', {
        run: async ({ input }) =>
          doors === undefined ? unconnected() : zoneCheck(doors.catalogue, doors.people, input),
      }),
      'slot.terms': performed('slot.terms', {
        run: async ({ input }) => (doors === undefined ? unconnected() : slotTerms(doors.catalogue, input)),
      }),
      'carrier.preadvise': performed('carrier.preadvise', { run: carrier?.preadvise ?? unconnected }),
      'carrier.createShipment': performed('carrier.createShipment', { run: carrier?.createShipment ?? unconnected }),
      'otp.send': performed('otp.send', {
        // The code exists in this call and on the recipient's phone, and is kept nowhere.
        run: async (call) =>
          doors === undefined
            ? unconnected()
            : doors.partners.notifications.sendCode(
                call,
                codeOf(doors.digest('otp', call.input.deliveryId, String(call.input.attempt))),
              ),
      }),
    },
    actions: {
      notify: performed('notify', { run: notifications?.notify ?? unconnected }),
      'carrier.void': performed('carrier.void', { run: carrier?.voidShipment ?? unconnected }),
    },
  };
}
