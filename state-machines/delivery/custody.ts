// Region `custody`: who holds the envelope. One custodian at a time; `transport` says when it changes hands.

import { delivering, task } from './delivery-setup.ts';

export const custody = delivering.createStateConfig({
  initial: 'bureau',
  states: {
    bureau: { on: { TRANSPORT_ENDED: 'withheld' } },
    hub: { on: { TRANSPORT_ENDED: 'withheld' } },
    courier: { on: { TRANSPORT_ENDED: 'missing' } },
    unknown: { on: { TRANSPORT_ENDED: 'missing' } },
    /** Until it goes out again with another delivery, or two people have destroyed it. */
    vault: {
      entry: task('envelope_in_vault'),
      on: {
        'delivery.release': 'released',
        'delivery.destroy': { guard: 'isWitnessed', target: 'destroyed' },
        DESTROYED: { guard: 'isWitnessed', target: 'destroyed' },
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
    TO_HUB: '.hub',
    TO_COURIER: '.courier',
    TO_CUSTOMER: '.customer',
    TO_VAULT: '.vault',
    OUT_OF_SIGHT: '.unknown',
  },
});
