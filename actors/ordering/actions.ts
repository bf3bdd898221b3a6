// What the customer may do with an order now, in the words of the public api: it drives his screen, and has no rule of its own.
//
// Pure, and as near to the chart as a list can be: the chart decides again when the command comes (M4).

import type { OrderContext } from '../../state-machines/ordering/context.ts';
import { ACTIVATION_TRIES_MAX } from '../../state-machines/ordering/order-setup.ts';

/** Phases of fulfilment in which the customer may still cancel. */
const CANCELLABLE = new Set(['reserving', 'screening', 'manualReview', 'approved', 'production', 'delivery']);
const REPORTABLE = new Set(['inactive', 'active', 'suspending', 'suspended', 'resuming']);

interface Place {
  readonly phase: string;
  readonly step: string | undefined;
  readonly isHeld: boolean;
  readonly card: string;
}

/** Words of actions, sorted. `value` is the chart's state value. */
export function customerActions(value: unknown, order: OrderContext): readonly string[] {
  const place = placeOf(value);
  const actions = [
    ...(CANCELLABLE.has(place.phase) ? ['cancel'] : []),
    ...(REPORTABLE.has(place.card) ? ['report'] : []),
    ...(place.isHeld ? [] : wishes(place, order)),
  ];
  return actions.sort();
}

/** What starts something, and so waits while the order is held (CO2). */
function wishes({ phase, step, card }: Place, order: OrderContext): readonly string[] {
  const { delivery } = order;
  switch (phase) {
    case 'draft':
      return ['discard', 'submit'];
    case 'approved':
      return step === 'awaitingBatch' ? ['edit'] : [];
    case 'production':
      return order.method === 'post' ? [] : ['change_address', 'change_method'];
    case 'delivery':
      if (step === 'exception' && !delivery.open) return ['change_method'];
      return [
        ...(delivery.open ? ['change_address', 'change_method'] : []),
        ...(chooses(step, order) ? ['choose_slot'] : []),
        ...(delivery.slot === null ? [] : ['reschedule']),
        ...(step === 'readyForPickup' ? ['extend_storage'] : []),
        ...(step === 'attemptFailed' && delivery.next === 'decision' ? ['retry_delivery'] : []),
        ...(order.method === 'post' && activates(card, order) ? ['activate'] : []),
      ];
    case 'returned':
      return ['redeliver'];
    case 'handedOver':
      return step === 'awaitingActivation' && activates(card, order) ? ['activate'] : [];
    case 'completed':
      return order.replacedBy === null ? ['replace'] : [];
    default:
      return [];
  }
}

const activates = (card: string, { wrongTries }: OrderContext): boolean =>
  card === 'inactive' && wrongTries < ACTIVATION_TRIES_MAX;
const chooses = (step: string | undefined, { delivery, method }: OrderContext): boolean =>
  (step === 'scheduling' || step === 'attemptFailed') && delivery.slot === null && method === 'courier';

function placeOf(value: unknown): Place {
  const { fulfilment, hold, card } = value as { fulfilment: unknown; hold: unknown; card: unknown };
  const [phase, step] = firstOf(fulfilment);
  return {
    phase,
    step: step === undefined ? undefined : firstOf(step)[0],
    isHeld: hold !== 'clear',
    card: firstOf(card)[0],
  };
}

/** Outermost state of a region's value, and what lies in it. */
function firstOf(value: unknown): readonly [string, unknown] {
  if (typeof value === 'string') return [value, undefined];
  return Object.entries((value ?? {}) as object)[0] ?? ['', undefined];
}
