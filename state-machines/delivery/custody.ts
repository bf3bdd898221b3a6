// Region `custody`: who holds the envelope. One custodian at a time; `transport` says when it changes hands.

import { delivering } from './delivery-setup.ts';
import { done, opened } from './phrases.ts';

const over = { description: 'D-29', target: 'withheld' } as const;
const gone = { description: 'D-36', target: 'missing' } as const;

export const custody = delivering.createStateConfig({
  initial: 'bureau',
  states: {
    bureau: { on: { TRANSPORT_ENDED: over } },
    hub: { on: { TRANSPORT_ENDED: over } },
    courier: { on: { TRANSPORT_ENDED: gone } },
    carrier: { on: { TRANSPORT_ENDED: gone } },
    point: { on: { TRANSPORT_ENDED: gone } },
    unknown: { on: { TRANSPORT_ENDED: gone } },
    /** Until it goes out again with another delivery, or two people have destroyed it. */
    vault: {
      entry: opened('envelope_in_vault'),
      exit: done('envelope_in_vault'),
      on: {
        'delivery.release': { description: 'D-39', target: 'released' },
        'delivery.destroy': { description: 'D-39', guard: 'isWitnessed', target: 'destroyed' },
        DESTROYED: { description: 'D-39', guard: 'isWitnessed', target: 'destroyed' },
      },
    },
    customer: { type: 'final' },
    destroyed: { type: 'final' },
    released: { type: 'final' },
    /** It never left the house: bureau or hub destroy it with the withdrawn job. */
    withheld: { type: 'final' },
    missing: { type: 'final' },
  },
  on: {
    TO_HUB: { description: 'D-03', target: '.hub' },
    TRY_OVER: { description: 'D-23', guard: 'isByCourier', target: '.hub' },
    TO_COURIER: { description: 'D-10', target: '.courier' },
    TO_CARRIER: { description: 'D-11', target: '.carrier' },
    TO_POINT: { description: 'D-25', target: '.point' },
    TO_CUSTOMER: { description: 'D-20', target: '.customer' },
    TO_VAULT: { description: 'D-39', target: '.vault' },
    OUT_OF_SIGHT: { description: 'D-34', target: '.unknown' },
  },
});
