// Card order: from an application to an active card in the customer's hand, and every way back.
//
//   CO1  At most one card is made and, per job, one envelope printed: a second job exists only after the first was
//        rejected or spoiled.
//   CO2  Nothing is printed before approval, nothing is delivered before it is printed, and no side effect but a
//        compensation starts while the order is held.
//   CO3  The handover is the pivot: a cancellation that meets it is refused, and a card in the customer's hand is never
//        closed by a cancellation.
//   CO4  A cancelled order has no open card, job or delivery: it is over only when the last of them is.
//   CO5  The natural key is held from `reserving` to the end, and given back exactly at the end.
//   CO6  A negative end closes the card, if there is one, and ends every region.
//   CO7  After `completed` the order stays to be spoken to until its card is closed or has expired.
//   CO8  Every state that waits for a person or a partner has a timer, or an operator's event, that leads out of it.
//
// Four regions side by side: fulfilment ∥ card ∥ hold ∥ sla. Each has a file, and so has each phase of fulfilment.
// Pure: no clock, no I/O, no ids made here; the transition ids in `description` are those of the specification.

import { and } from 'xstate';
import { approved } from './approval.ts';
import { cancelling } from './cancelling.ts';
import { card } from './card.ts';
import { newOrder } from './context.ts';
import { delivery } from './delivering.ts';
import { disputed, handedOver } from './handed-over.ts';
import { hold } from './hold.ts';
import { ordering } from './order-setup.ts';
import {
  answerErasure,
  because,
  beginReplacement,
  ended,
  givenUp,
  milestone,
  notice,
  offerReplacement,
  raise,
  releaseKey,
  shredDocuments,
  stage,
} from './phrases.ts';
import { production } from './production.ts';
import { destroying, returned, returning } from './returning.ts';
import { manualReview } from './review.ts';
import { reserving, screening } from './screening.ts';
import { sla } from './sla.ts';

/** The one that takes its place: asked for by the customer, for the reason he gave. */
const replace = beginReplacement(({ event }) => (event.type === 'REPLACE' ? event.reason : 'damaged'), 'submitted');

const draft = ordering.createStateConfig({
  on: {
    SAVE: { description: 'O-01', actions: because(null) },
    SUBMIT: { description: 'O-02', guard: 'maySubmit', target: 'reserving' },
    DISCARD: { description: 'O-03', target: 'cancelled', actions: [because('discarded'), shredDocuments('discarded')] },
    ORIGINAL_ACTIVATED: {
      description: 'O-46',
      guard: 'isOriginal',
      target: 'cancelled',
      actions: because('not_needed'),
    },
    ...givenUp(),
  },
  after: {
    draftExpires: {
      description: 'O-03',
      target: 'expired',
      actions: [because('draft_expired'), shredDocuments('application_expired')],
    },
  },
});

const fulfilment = ordering.createStateConfig({
  initial: 'draft',
  states: {
    draft,
    reserving,
    screening,
    manualReview,
    approved,
    production,
    delivery,
    handedOver,
    cancelling,
    returning,
    returned,
    destroying,
    completed: { type: 'final', entry: [...stage('activation'), milestone('closed'), releaseKey, notice('completed')] },
    rejected: {
      type: 'final',
      entry: [notice('rejected'), shredDocuments('application_rejected'), ...ended('cancelled')],
    },
    cancelled: { type: 'final', entry: [notice('cancelled'), ...ended('cancelled')] },
    expired: { type: 'final', entry: [notice('expired'), ...ended('expired')] },
    undeliverable: { type: 'final', entry: [notice('undeliverable'), ...ended('undeliverable')] },
    lost: { type: 'final', entry: [notice('lost'), offerReplacement('lost'), ...ended('lost')] },
    failed: { type: 'final', entry: [notice('failed'), ...ended('failed')] },
  },
  on: {
    REPLACE: [
      {
        description: 'O-53',
        guard: and(['mayBeReplaced', 'endsCardAtOnce']),
        actions: [...replace, raise({ type: 'CLOSE_CARD', reason: 'replaced' })],
      },
      { description: 'O-53', guard: 'mayBeReplaced', actions: [...replace] },
    ],
    REPLACEMENT_ACTIVATED: {
      description: 'O-37',
      guard: and(['isCompleted', 'isOwnReplacement']),
      actions: raise({ type: 'CLOSE_CARD', reason: 'replaced' }),
    },
    REPLACEMENT_ENDED: { guard: 'isOwnReplacement', actions: 'forgetReplacement' },
    DeliveryDisputed: { ...disputed.DeliveryDisputed, guard: and(['isCompleted', 'isNews']) },
    // Wherever no phase has taken it: what is on its way back, or in the customer's hand, is not ended by it.
    SUBJECT_ERASURE: { description: 'O-52', actions: answerErasure('ERASURE_REFUSED', 'not_now') },
  },
});

export const order = ordering.createMachine({
  id: 'order',
  context: ({ input }) => newOrder(input),
  type: 'parallel',
  states: { fulfilment, card, hold, sla },
});
