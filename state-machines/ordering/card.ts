// Region `card`: the mirror of the issuer's processor, and the only place that asks it for changes after the card exists.
//
// One effect at a time: a suspension that is not wanted any more runs to its end before it is taken back. Closing goes
// first, whatever else was asked, and is never given up (O-45: lost and stolen are permanent).

import { ordering } from './order-setup.ts';
import { needs, raise, task } from './phrases.ts';

const closes = {
  CLOSE_CARD: { target: 'closing', actions: 'noteCardClosing' },
  REPORT: { description: 'O-45', guard: 'closesCard', target: 'closing', actions: 'noteCardClosing' },
} as const;

const suspensionFailed = [raise({ type: 'CARD_EFFECT_FAILED' }), task('suspension_refused')] as const;

export const card = ordering.createStateConfig({
  initial: 'none',
  states: {
    none: { on: { CARD_CREATED: { description: 'O-12', target: 'inactive' }, CLOSE_CARD: 'unissued' } },
    inactive: {
      on: { ...closes, CARD_ACTIVATED: { description: 'O-37', target: 'active' }, SUSPEND_CARD: 'suspending' },
    },
    active: {
      on: { ...closes, SUSPEND_CARD: 'suspending' },
      after: { cardExpires: { target: 'closed', actions: 'noteCardExpired' } },
    },
    suspending: {
      entry: 'countSuspension',
      invoke: {
        id: 'card.suspend',
        src: 'card.suspend',
        input: ({ context }) => ({
          orderId: context.orderId,
          cardId: context.card?.cardId ?? '',
          n: context.suspensions,
        }),
        onDone: [{ guard: 'isUnwanted', target: 'resuming' }, { target: 'suspended' }],
        onError: [
          { guard: 'wasActivated', target: 'active', actions: suspensionFailed },
          { target: 'inactive', actions: suspensionFailed },
        ],
      },
      initial: 'wanted',
      states: { wanted: { on: { RESUME_CARD: 'unwanted' } }, unwanted: { on: { SUSPEND_CARD: 'wanted' } } },
      on: closes,
    },
    suspended: {
      on: {
        ...closes,
        RESUME_CARD: 'resuming',
        /** An operator found nothing wrong. */
        CARD_CLEARED: { guard: 'mayBeCleared', target: 'resuming' },
      },
      after: { cardExpires: { guard: 'isCompleted', target: 'closed', actions: 'noteCardExpired' } },
    },
    resuming: {
      invoke: {
        id: 'card.resume',
        src: 'card.resume',
        input: ({ context }) => ({
          orderId: context.orderId,
          cardId: context.card?.cardId ?? '',
          n: context.suspensions,
        }),
        onDone: [{ guard: 'wasActivated', target: 'active' }, { target: 'inactive' }],
        onError: { target: 'suspended', actions: task('resume_refused') },
      },
      on: closes,
    },
    closing: {
      invoke: {
        id: 'card.close',
        src: 'card.close',
        input: ({ context }) => ({
          orderId: context.orderId,
          cardId: context.card?.cardId ?? '',
          reason: context.cardClosedFor ?? 'cancelled',
        }),
        onDone: 'closed',
        onError: { target: 'closeRefused' },
      },
      after: { pageOnCall: { actions: task('card_block_overdue') } },
    },
    closeRefused: {
      ...needs('close_refused'),
      on: { RETRY: 'closing' },
      after: { closeAgain: 'closing' },
    },
    closed: { type: 'final', entry: raise({ type: 'CARD_ENDED' }) },
    /** The order ended before a card existed. */
    unissued: { type: 'final' },
  },
});
