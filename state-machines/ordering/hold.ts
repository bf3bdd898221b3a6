// Region `hold`: a person or a rule stops every new side effect. Compensations and card blocking go on.

import { ordering } from './order-setup.ts';
import { needs } from './phrases.ts';

const kinds = ['fraud', 'aml', 'legal', 'customer', 'operator'] as const;
const holdAs = (kind: (typeof kinds)[number]) =>
  ({ description: 'O-51', guard: { type: 'isHold', params: { kind } }, target: `#order.hold.held.${kind}` }) as const;
/** A hold of ours gives way to one of the law; never the other way round. */
const graver = { HOLD: [holdAs('fraud'), holdAs('aml'), holdAs('legal')] };

export const hold = ordering.createStateConfig({
  initial: 'clear',
  states: {
    clear: { on: { HOLD: kinds.map(holdAs) } },
    held: {
      ...needs('held'),
      initial: 'operator',
      states: { fraud: {}, aml: {}, legal: {}, customer: { on: graver }, operator: { on: graver } },
      on: { RELEASE: { description: 'O-51', target: 'clear' } },
    },
    ended: { type: 'final' },
  },
  on: {
    ENDED: '.ended',
    CARD_ENDED: { guard: 'isCompleted', target: '.ended' },
  },
});
