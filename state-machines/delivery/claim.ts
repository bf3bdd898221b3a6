// Region `claim`: for thirty days after a handover the recipient may say that it was not him (D-42).
//
// The delivery stays until then, so that the dispute finds what it is about: who carried it, when, and which proofs were
// given stand in its journal, and the desk's task names it.

import { delivering } from './delivery-setup.ts';
import { done, opened, tell } from './phrases.ts';

export const claim = delivering.createStateConfig({
  initial: 'none',
  states: {
    none: {
      on: {
        HANDED_OVER: { description: 'D-20', target: 'open' },
        TRANSPORT_ENDED: { description: 'D-42', target: 'closed' },
      },
    },
    open: {
      on: { DISPUTE: { description: 'D-42', target: 'disputed' } },
      after: { claimOver: { description: 'D-42', target: 'closed' } },
    },
    disputed: {
      entry: [...tell('DeliveryDisputed'), opened('delivery_disputed')],
      exit: done('delivery_disputed'),
      on: { CLAIM_SETTLED: { description: 'D-42', target: 'closed' } },
      after: { claimOver: { description: 'D-42', target: 'closed' } },
    },
    closed: { type: 'final' },
  },
});
