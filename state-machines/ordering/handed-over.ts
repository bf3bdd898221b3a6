// After the pivot: the customer holds the envelope, and nothing is undone any more. The card waits to be activated.

import { and } from 'xstate';
import { heard } from './news.ts';
import { ordering } from './order-setup.ts';
import { because, milestone, notice, raise, raiseHold, stage, task, tellOriginal, tellReplacement } from './phrases.ts';

const remind = (n: number) =>
  ({ description: 'O-39', guard: 'isWaitingForActivation', actions: notice('activation_reminder', () => n) }) as const;

/** The customer says that it was somebody else who took it: the card sleeps while that is looked into (D-42). */
export const disputed = {
  DeliveryDisputed: {
    ...heard,
    description: 'D-42',
    actions: ['hear', raise({ type: 'SUSPEND_CARD' }), raiseHold('fraud'), task('handover_disputed')],
  },
} as const;

export const handedOver = ordering.createStateConfig({
  initial: 'awaitingActivation',
  // A card that a cancellation had suspended is given back: the handover was first (O-44).
  entry: [
    ...stage('activation'),
    milestone('delivered'),
    because(null),
    notice('delivered'),
    raise({ type: 'RESUME_CARD' }),
  ],
  states: {
    awaitingActivation: {
      on: {
        ACTIVATE: [
          { description: 'O-36', guard: 'mayActivate', target: 'activating', actions: 'countActivation' },
          { description: 'O-38', guard: 'mayTryToActivate', actions: ['countWrongTry', because('wrong_proof')] },
        ],
        ACTIVATION_UNLOCKED: { actions: ['forgiveTries', because(null)] },
      },
    },
    activating: {
      invoke: {
        id: 'card.activate',
        src: 'card.activate',
        input: ({ context }) => ({
          orderId: context.orderId,
          cardId: context.card?.cardId ?? '',
          n: context.activations,
        }),
        onDone: {
          description: 'O-37',
          target: '#order.fulfilment.completed',
          actions: [
            milestone('activated'),
            because(null),
            raise({ type: 'CARD_ACTIVATED' }),
            tellOriginal('REPLACEMENT_ACTIVATED'),
            tellReplacement,
          ],
        },
        onError: {
          description: 'O-38',
          target: 'awaitingActivation',
          actions: ['countWrongTry', because('activation_refused')],
        },
      },
    },
  },
  on: {
    ...disputed,
    REPORT: { description: 'O-45', guard: 'closesCard', target: 'lost', actions: 'noteStop' },
    // Nothing is called back from the customer's hand; the card is closed, and that is all there is.
    FATAL: { description: 'O-50', target: 'failed', actions: 'noteStop' },
    REPLACEMENT_ACTIVATED: {
      description: 'O-46',
      guard: 'isOwnReplacement',
      target: 'cancelled',
      actions: [because('replaced'), raise({ type: 'CLOSE_CARD', reason: 'replaced' })],
    },
  },
  after: {
    activationReminder1: remind(1),
    activationReminder2: remind(2),
    activationReminder3: remind(3),
    activationConsent: {
      description: 'O-40',
      guard: and(['consentIsAsked', 'isWaitingForActivation']),
      actions: notice('activation_consent'),
    },
    activationExpires: { description: 'O-40', target: 'expired', actions: because('not_activated') },
  },
});
