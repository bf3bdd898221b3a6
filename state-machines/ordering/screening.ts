// Screening: five checks side by side, until one fails, a person is needed, or all are good.
//
// A check that cannot decide ends as `referred`, and the order goes to manual review when the others have ended too, so
// that a reviewer sees them all. What waits for the customer waits at most 14 days (O-08).

import { and } from 'xstate';
import { amlInput, ordering, placeInput } from './order-setup.ts';
import {
  because,
  milestone,
  needs,
  notice,
  raiseHold,
  reserveKey,
  shredDocuments,
  stage,
  stoppable,
} from './phrases.ts';

/** O-02, second half: one unfinished order per person and product. The applicant actor decides it in its own step. */
export const reserving = ordering.createStateConfig({
  initial: 'deciding',
  entry: milestone('submitted'),
  states: {
    deciding: { always: [{ guard: 'takesNoKey', target: 'granted' }, { target: 'asking' }] },
    asking: {
      entry: ['noteKey', reserveKey],
      on: {
        KEY_GRANTED: { description: 'O-02', target: 'granted' },
        KEY_REFUSED: { description: 'O-02', target: '#order.fulfilment.rejected', actions: 'noteExisting' },
      },
    },
    granted: { always: { description: 'O-02', guard: 'notHeld', target: '#order.fulfilment.screening' } },
  },
  on: stoppable(),
});

const expires = {
  description: 'O-08',
  target: '#order.fulfilment.expired',
  actions: [because('no_answer'), shredDocuments('application_expired')],
} as const;
const kycAnswered = { type: 'noteAsked', params: { kyc: false } } as const;

/** Verdicts by callback. They may overtake our own call's answer, so `pending` takes them as `inReview` does. */
const verdicts = {
  KYC_APPROVED: { guard: 'isCurrentAttempt', target: 'approved', actions: ['noteVerdict', kycAnswered] },
  KYC_REJECTED: {
    guard: 'isCurrentAttempt',
    target: 'rejected',
    actions: [because('identity_rejected'), kycAnswered],
  },
  KYC_EXPIRED: { guard: 'isCurrentAttempt', target: 'expired', actions: [because('identity_expired'), kycAnswered] },
  KYC_RESUBMIT: [
    {
      description: 'O-07',
      guard: and(['isCurrentAttempt', 'mayResubmit']),
      target: 'resubmissionRequested',
      actions: [because('documents_wanted'), kycAnswered],
    },
    { guard: 'isCurrentAttempt', target: 'rejected', actions: [because('identity_rejected'), kycAnswered] },
  ],
} as const;

/** The vendor owes a verdict for a day; then a person looks. */
const silent = {
  partnerSilent: { description: 'O-06', target: 'referred', actions: because('kyc_silent') },
} as const;

const identity = ordering.createStateConfig({
  initial: 'deciding',
  states: {
    deciding: { always: [{ guard: 'isKnownPerson', target: 'notRequired' }, { target: 'pending' }] },
    pending: {
      entry: { type: 'noteAsked', params: { kyc: true } },
      invoke: {
        id: 'kyc.start',
        src: 'kyc.start',
        input: ({ context }) => ({
          orderId: context.orderId,
          attempt: context.kycAttempt,
          personRef: context.personRef,
        }),
        onError: { target: 'referred', actions: because('kyc_unavailable') },
      },
      on: { ...verdicts, KYC_IN_REVIEW: { guard: 'isCurrentAttempt', target: 'inReview' } },
      after: silent,
    },
    inReview: { on: verdicts, after: silent },
    resubmissionRequested: {
      entry: notice('documents_wanted', (context) => context.kycAttempt),
      on: {
        KYC_RESUBMITTED: { description: 'O-07', guard: 'notHeld', target: 'pending', actions: 'nextKycAttempt' },
      },
      after: {
        firstReminder: {
          description: 'O-07',
          actions: notice('documents_wanted_first_reminder', (context) => context.kycAttempt),
        },
        secondReminder: {
          description: 'O-07',
          actions: notice('documents_wanted_second_reminder', (context) => context.kycAttempt),
        },
        customerSilent: expires,
      },
    },
    notRequired: { type: 'final' },
    approved: { type: 'final' },
    referred: { type: 'final' },
    rejected: { type: 'final' },
    expired: { type: 'final' },
  },
});

const aml = ordering.createStateConfig({
  initial: 'pending',
  states: {
    pending: {
      invoke: {
        id: 'aml.screen',
        src: 'aml.screen',
        input: amlInput,
        onDone: [
          { guard: { type: 'screenedAs', params: { result: 'clear' } }, target: 'clear' },
          {
            guard: { type: 'screenedAs', params: { result: 'confirmed_match' } },
            target: 'confirmedMatch',
            actions: because('not_eligible'),
          },
          { target: 'potentialMatch', actions: 'noteAmlHit' },
        ],
        onError: { target: 'unavailable', actions: raiseHold('aml') },
      },
    },
    // Nothing goes on unscreened: the order is held, and whoever releases it starts the screening again.
    unavailable: { ...needs('aml_unavailable'), on: { RELEASE: 'pending' } },
    potentialMatch: {
      ...needs('aml_hit'),
      on: {
        AML_CLEARED: 'clear',
        AML_CONFIRMED: { target: 'confirmedMatch', actions: because('not_eligible') },
      },
      after: { hitUnresolved: { description: 'O-06', target: 'referred', actions: because('aml_hit') } },
    },
    clear: { type: 'final' },
    referred: { type: 'final' },
    confirmedMatch: { type: 'final' },
  },
});

const eligibility = ordering.createStateConfig({
  initial: 'pending',
  states: {
    pending: {
      invoke: {
        id: 'eligibility.check',
        src: 'eligibility.check',
        input: ({ context: { orderId, productCode, country, ageYears } }) => ({
          orderId,
          productCode,
          country,
          ageYears,
        }),
        onDone: [
          {
            guard: 'isEligible',
            target: 'eligible',
            actions: { type: 'noteRisk', params: ({ event }) => ({ risk: event.output.risk }) },
          },
          { target: 'ineligible', actions: because('not_eligible') },
        ],
        onError: { target: 'referred', actions: because('eligibility_unknown') },
      },
    },
    eligible: { type: 'final' },
    referred: { type: 'final' },
    ineligible: { type: 'final' },
  },
});

const address = ordering.createStateConfig({
  initial: 'pending',
  states: {
    pending: {
      invoke: {
        id: 'address.validate',
        src: 'address.validate',
        input: placeInput,
        onDone: [
          { guard: { type: 'screenedAs', params: { result: 'likely_undeliverable' } }, target: 'needsCorrection' },
          { guard: 'isOutOfZone', target: 'outOfZone' },
          { target: 'deliverable' },
        ],
        onError: 'deliverable', // As `indeterminate`: the courier finds out.
      },
    },
    needsCorrection: {
      entry: [because('address_undeliverable'), notice('address_wanted')],
      on: {
        ADDRESS_CORRECTED: { guard: 'notHeld', target: 'pending', actions: 'notePlace' },
        ADDRESS_OVERRIDDEN: { target: 'overridden', actions: because(null) },
      },
      after: { customerSilent: expires },
    },
    outOfZone: {
      entry: [because('out_of_zone'), notice('address_wanted')],
      on: { ADDRESS_CORRECTED: { guard: 'notHeld', target: 'pending', actions: 'notePlace' } },
      after: { customerSilent: expires },
    },
    deliverable: { type: 'final' },
    overridden: { type: 'final' },
  },
});

const credit = ordering.createStateConfig({
  initial: 'deciding',
  states: {
    deciding: { always: [{ guard: 'isCredit', target: 'pending' }, { target: 'notRequired' }] },
    pending: {
      entry: { type: 'noteAsked', params: { credit: true } },
      invoke: {
        id: 'credit.decide',
        src: 'credit.decide',
        input: ({ context: { orderId, personRef, productCode, currency } }) => ({
          orderId,
          personRef,
          productCode,
          currency,
        }),
        onDone: [
          { guard: { type: 'decided', params: { decision: 'approved' } }, target: 'approved' },
          { guard: { type: 'decided', params: { decision: 'counter_offered' } }, target: 'counterOffered' },
          { target: 'declined', actions: because('credit_declined') },
        ],
        onError: { target: 'referred', actions: because('credit_unknown') },
      },
    },
    counterOffered: {
      entry: [because('counter_offer'), notice('counter_offer')],
      on: {
        OFFER_ACCEPTED: { target: 'accepted', actions: because(null) },
        OFFER_DECLINED: { target: 'declined', actions: because('offer_declined') },
      },
      after: { customerSilent: expires },
    },
    notRequired: { type: 'final' },
    approved: { type: 'final' },
    accepted: { type: 'final' },
    referred: { type: 'final' },
    declined: { type: 'final' },
  },
});

export const screening = ordering.createStateConfig({
  type: 'parallel',
  entry: stage('screening'),
  states: { identity, aml, eligibility, address, credit },
  always: [
    { description: 'O-05', guard: 'checkFailed', target: '#order.fulfilment.rejected' },
    { description: 'O-06', guard: and(['checksEnded', 'needsReview']), target: '#order.fulfilment.manualReview' },
    {
      description: 'O-04',
      guard: and(['checksEnded', 'notHeld']),
      target: '#order.fulfilment.approved',
      actions: because(null),
    },
  ],
  on: {
    ...stoppable(),
    REVIEW_REQUIRED: {
      description: 'O-06',
      target: '#order.fulfilment.manualReview',
      actions: { type: 'giveReason', params: ({ event }) => ({ reason: event.reason }) },
    },
  },
});
