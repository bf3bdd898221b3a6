// When it does not go well: a try that failed, an envelope on its way back, an envelope that nobody sees.
//
// What a failed try waits for follows from its reason (context.ts, nextAfter), and every waiting has an end in the vault.

import { type Next, nextAfter } from './context.ts';
import { tryAgain } from './courier.ts';
import { delivering } from './delivery-setup.ts';
import {
  done,
  freeSlot,
  goBack,
  leaveRun,
  mishaps,
  notice,
  opened,
  raise,
  returnable,
  T,
  tell,
  unbook,
  unbookCourier,
  unseen,
} from './phrases.ts';
import { impliedArrival, tracked } from './scans.ts';

const waitsFor = (next: Next) => ({ type: 'waitsFor', params: { next } }) as const;

/** In a carrier's hands it is tried again by the carrier, at a point by the recipient. */
const atPoint = { target: `${T}.pickupPoint.ready`, actions: ['noteTime', 'nextTry'] } as const;
const byCarrier = { target: `${T}.moving.atHub`, actions: 'nextTry' } as const;

/** A courier brings it to the hub, while somebody thinks it over. */
const broughtBack = [unbookCourier, freeSlot, raise({ type: 'TRY_OVER' })] as const;

export const attemptFailed = delivering.createStateConfig({
  initial: 'deciding',
  entry: [
    ...tell('DeliveryAttemptFailed', (context) => ({
      reason: context.reason,
      attempt: context.attempt,
      next: nextAfter(context),
    })),
    notice('attempt_failed'),
  ],
  states: {
    deciding: {
      always: [
        { ...tryAgain('D-23'), guard: waitsFor('appointment') },
        { description: 'D-23', guard: waitsFor('address'), target: 'address' },
        { description: 'D-21', guard: waitsFor('decision'), target: 'decision' },
        { description: 'D-24', guard: waitsFor('pickup_point'), target: 'offer' },
        { description: 'D-23', guard: 'triesAtPoint', ...atPoint },
        { description: 'D-23', guard: 'triesByItself', ...byCarrier },
        { description: 'D-24', guard: 'isExhausted', target: `${T}.returning`, actions: goBack('attempts_exhausted') },
        { description: 'D-24', target: `${T}.returning`, actions: goBack('not_retryable') },
      ],
    },
    /** The recipient corrects the address; the route does the rest, and says REROUTED. */
    address: {
      entry: [...broughtBack, notice('address_wanted')],
      after: {
        correctionOverdue: {
          description: 'D-24',
          target: `${T}.returning`,
          actions: goBack('address_not_corrected'),
        },
      },
    },
    /** The order says whether to try once more. */
    decision: {
      entry: broughtBack,
      on: {
        'delivery.retry': [
          { description: 'D-24', guard: 'isSpentByCourier', target: 'offer' },
          { description: 'D-24', guard: 'isSpent', target: `${T}.returning`, actions: goBack('attempts_exhausted') },
          { description: 'D-21', guard: 'isStored', ...atPoint },
          { description: 'D-21', guard: 'isCarried', ...byCarrier },
          tryAgain('D-21'),
        ],
      },
      after: {
        decisionOverdue: { description: 'D-24', target: `${T}.returning`, actions: goBack('not_decided') },
      },
    },
    /** No attempt is left: a pickup point is offered for a day. */
    offer: {
      entry: [...broughtBack, notice('pickup_point_offered')],
      after: {
        offerOverdue: { description: 'D-24', target: `${T}.returning`, actions: goBack('attempts_exhausted') },
      },
    },
  },
  on: {
    ...returnable,
    ...mishaps,
    ...impliedArrival,
    REROUTED: [
      { ...tryAgain('D-32'), guard: 'isByCourier' },
      { description: 'D-24, D-32', target: `${T}.moving`, actions: 'nextAttempt' },
    ],
  },
});

export const returning = delivering.createStateConfig({
  initial: 'inTransit',
  states: {
    inTransit: {
      entry: [...tell('DeliveryReturning', ({ reason }) => ({ reason })), raise({ type: 'APPOINTMENT_OVER' })],
      on: {
        RECEIVED: {
          description: 'D-39',
          guard: 'isEnvelopeScan',
          target: `${T}.returned`,
          actions: ['noteSeal', raise({ type: 'TO_VAULT' })],
        },
        // Said again for an order that has only now begun to recall.
        'delivery.cancel': {
          description: 'D-30',
          actions: [...tell('DeliveryReturning', () => ({ reason: 'recalled' }))],
        },
      },
      after: { returnOverdue: { description: 'D-40', target: `${T}.investigating` } },
    },
  },
  on: {
    LOST_REPORTED: mishaps.LOST_REPORTED,
    STOLEN_REPORTED: mishaps.STOLEN_REPORTED,
    ...unseen,
    ...impliedArrival,
  },
});

const found = [...tell('DeliveryFound'), 'noteTime'] as const;

export const investigating = delivering.createStateConfig({
  initial: 'tracing',
  entry: [...tell('DeliverySuspectedLost'), opened('trace_envelope'), leaveRun, raise({ type: 'OUT_OF_SIGHT' })],
  exit: done('trace_envelope'),
  states: {
    tracing: {
      on: {
        FOUND: [
          {
            description: 'D-35',
            guard: 'goesBack',
            target: `${T}.returning`,
            actions: [...found, raise({ type: 'TO_HUB' })],
          },
          // Where a carrier or a point had it, it goes on from there.
          {
            description: 'D-35',
            guard: 'wasCarried',
            target: `${T}.moving.was`,
            actions: [...found, raise({ type: 'TO_CARRIER' })],
          },
          {
            description: 'D-35',
            guard: 'wasStored',
            target: `${T}.pickupPoint.was`,
            actions: [...found, raise({ type: 'TO_POINT' })],
          },
          {
            description: 'D-35',
            guard: 'isCarried',
            target: `${T}.moving.preTransit`,
            actions: [...found, unbook, raise({ type: 'TO_HUB' })],
          },
          // The attempt of the courier who lost it is over.
          { ...tryAgain('D-35'), actions: [...found, ...tryAgain('D-35').actions] },
        ],
        LOST_CONFIRMED: { description: 'D-36', target: `${T}.lost` },
        STOLEN_REPORTED: mishaps.STOLEN_REPORTED,
        'delivery.cancel': { description: 'D-30', actions: goBack('recalled') },
        RECALL: { description: 'D-30', actions: goBack('operator') },
      },
      after: { traceExhausted: { description: 'D-36', target: `${T}.lost` } },
    },
  },
  // A scan is as good as a find.
  on: { ...tracked, ...impliedArrival },
});
