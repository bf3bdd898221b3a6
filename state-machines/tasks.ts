// Tasks: every kind of work that a chart asks a person for, as data. A task is looked after by the chart in task.ts.
//
// A name is used by the charts as `openTask` and `closeTask`; the test beside finds each of them here. Adding one is adding a
// row: whose desk, how long until it escalates, what leads out, and a sentence for whoever reads the queue. Names are kept:
// they stand in ids and journals.

import { businessDays, DAY, HOUR, MINUTE } from './durations.ts';

export const desks = ['operations', 'review', 'production', 'dispatch', 'vault', 'finance', 'fraud'] as const;
export type Desk = (typeof desks)[number];

export interface TaskKind {
  readonly desk: Desk;
  /** Kinds of actors that ask for it, by the prefix of their ids. */
  readonly of: readonly SubjectPrefix[];
  /** Open for so long, in domain ms, it escalates. Shorter than any timer by which the chart would give up. */
  readonly dueMs: number;
  /** Events that lead out of the state behind it, or that mend what it is about; said to the subject or, where it says so, to another actor. */
  readonly verbs: readonly string[];
  /**
   * `state`: a state of the subject stands behind it, and leaving that state closes the task. `person`: nothing waits for it
   * in the chart, so whoever did the work says that it is done.
   */
  readonly ends: 'state' | 'person';
  /** What the person reads. */
  readonly words: string;
}

export type SubjectPrefix = 'ord' | 'dlv' | 'bat' | 'stk' | 'run' | 'apl' | 'swp' | 'prv';

const order = { of: ['ord'], ends: 'state' } as const;
const delivery = { of: ['dlv'], ends: 'state' } as const;
const byHand = { ends: 'person' } as const;

export const tasks = {
  // --- Screening and review ---
  aml_unavailable: {
    ...order,
    desk: 'review',
    dueMs: 4 * HOUR,
    verbs: ['RELEASE', 'AML_CLEARED', 'AML_CONFIRMED', 'CANCEL'],
    words: 'The sanctions screening gave no answer; the order is held. Release it to screen again.',
  },
  manual_review: {
    ...order,
    desk: 'review',
    dueMs: 8 * HOUR,
    verbs: ['REVIEW_APPROVED', 'REVIEW_REJECTED', 'CANCEL'],
    words: 'Decide the application: the automatic checks could not.',
  },
  second_opinion: {
    ...order,
    desk: 'review',
    dueMs: 4 * HOUR,
    verbs: ['REVIEW_APPROVED', 'REVIEW_REJECTED', 'CANCEL'],
    words: 'Give the second opinion: the risk asks for two reviewers, and one has spoken.',
  },
  reviewers_disagree: {
    ...order,
    ...byHand,
    desk: 'review',
    dueMs: 4 * HOUR,
    verbs: ['REVIEW_APPROVED', 'REVIEW_REJECTED', 'CANCEL'],
    words: 'Two reviewers disagreed and the review began anew: let a lead look at it.',
  },

  aml_hit: {
    ...order,
    desk: 'review',
    dueMs: 10 * MINUTE,
    verbs: ['AML_CLEARED', 'AML_CONFIRMED'],
    words: 'A possible hit on a list: clear or confirm it within a quarter of an hour, or it goes to review.',
  },

  // --- Card and money ---
  suspension_refused: {
    ...order,
    ...byHand,
    desk: 'operations',
    dueMs: HOUR,
    verbs: ['RETRY', 'REPORT'],
    words: 'The issuer would not suspend the card: ask it, and have the card reported if it is in wrong hands.',
  },
  card_record_refused: {
    ...order,
    desk: 'operations',
    dueMs: HOUR,
    verbs: ['RETRY', 'CANCEL', 'FATAL'],
    words: 'The issuer would not make the card. Mend the cause and retry: after 4 hours the order is given up.',
  },
  resume_refused: {
    ...order,
    desk: 'operations',
    dueMs: 4 * HOUR,
    verbs: ['RETRY'],
    words: 'The issuer would not take the suspension back: the card in the customer’s hand is still suspended.',
  },
  close_refused: {
    ...order,
    desk: 'operations',
    dueMs: HOUR,
    verbs: ['RETRY'],
    words: 'The issuer would not close the card. It is tried again every hour; find out why.',
  },
  card_block_overdue: {
    ...order,
    ...byHand,
    desk: 'fraud',
    dueMs: MINUTE,
    verbs: ['RETRY'],
    words: 'A card reported in wrong hands is not blocked yet: call the issuer now.',
  },
  fee_unsettled: {
    ...order,
    ...byHand,
    desk: 'finance',
    dueMs: DAY,
    verbs: ['RETRY'],
    words: 'A fee could not be charged or given back: settle it by hand.',
  },
  stock_out: {
    ...order,
    desk: 'production',
    dueMs: DAY,
    verbs: ['EDIT', 'RETRY', 'CANCEL', 'RECEIVE_PLASTIC'],
    words: 'There is no plastic of this design: order some, or offer the customer another design.',
  },

  // --- Production ---
  bureau_silent: {
    ...order,
    ...byHand,
    desk: 'production',
    dueMs: 4 * HOUR,
    verbs: ['BUREAU_ACK', 'CANCEL'],
    words: 'The bureau has not confirmed a job for 4 hours: ask it. The job is sent again under its number.',
  },
  bureau_rejected: {
    ...order,
    desk: 'production',
    dueMs: 8 * HOUR,
    verbs: ['CORRECTED', 'CANCEL'],
    words: 'The bureau rejected the job for its data: have it put right, then say what was corrected.',
  },
  production_stuck: {
    ...order,
    desk: 'production',
    dueMs: 4 * HOUR,
    verbs: ['RETRY', 'CORRECTED', 'PRINTED', 'CANCEL'],
    words: 'The card cannot be made without help: look at the reason, ask the bureau, then retry or correct.',
  },
  batch_unreconciled: {
    of: ['bat'],
    ends: 'state',
    desk: 'production',
    dueMs: 8 * HOUR,
    verbs: ['RECONCILED'],
    words: 'What the bureau reports does not add up to what the batch held: find the missing jobs.',
  },

  // --- Delivery, as ordering sees it ---
  delivery_silent: {
    ...order,
    ...byHand,
    desk: 'operations',
    dueMs: HOUR,
    verbs: ['CANCEL'],
    words: 'Delivery has not answered for half an hour. The command is repeated; see whether its workers run.',
  },
  loss_suspected: {
    ...order,
    ...byHand,
    desk: 'operations',
    dueMs: DAY,
    verbs: ['CARD_FOUND', 'CANCEL', 'REPORT'],
    words: 'The envelope may be lost: tell the customer, and follow the trace.',
  },
  destroy_envelope: {
    ...order,
    desk: 'vault',
    dueMs: 5 * DAY,
    verbs: ['DESTROYED'],
    words: 'Destroy the returned envelope, two people signing the act.',
  },
  envelope_adrift: {
    ...order,
    ...byHand,
    desk: 'dispatch',
    dueMs: 4 * HOUR,
    verbs: ['RETRY', 'FORCE'],
    words: 'An envelope of a cancelled order left the bureau, and no delivery knows it: find it.',
  },
  cancellation_stuck: {
    ...order,
    desk: 'operations',
    dueMs: 4 * HOUR,
    verbs: ['RETRY', 'FORCE'],
    words: 'Something of a cancelled order could not be called back. Retry, or two operators end it without.',
  },

  stolen_envelope: {
    ...order,
    ...byHand,
    desk: 'fraud',
    dueMs: HOUR,
    verbs: ['RETRY'],
    words: 'An envelope was stolen; its card is being blocked. Open an incident.',
  },
  proofs_missing: {
    ...order,
    ...byHand,
    desk: 'fraud',
    dueMs: 4 * HOUR,
    verbs: ['RELEASE', 'REPORT'],
    words: 'An envelope was handed over without all proofs; the order is held. Find out who has the card.',
  },
  handover_disputed: {
    ...order,
    ...byHand,
    desk: 'fraud',
    dueMs: 4 * HOUR,
    verbs: ['CARD_CLEARED', 'REPORT', 'RELEASE'],
    words: 'The customer says that somebody else took the card; it is suspended. Clear it, or have it closed.',
  },
  sweep_failed: {
    of: ['swp'],
    ...byHand,
    desk: 'operations',
    dueMs: HOUR,
    verbs: ['SWEEP_NOW'],
    words: 'Orders and deliveries could not be compared: see whether both contexts can be read.',
  },

  // --- Personal data ---
  privacy_stuck: {
    of: ['prv'],
    ends: 'state',
    desk: 'operations',
    dueMs: 2 * DAY,
    verbs: ['DECIDE'],
    words: 'A person’s request does not get on by itself: mend the cause and retry, go on without, or refuse it.',
  },
  privacy_correction: {
    of: ['prv'],
    ends: 'state',
    desk: 'operations',
    dueMs: 7 * DAY,
    verbs: ['DECIDE'],
    words: 'A person wants data about him corrected: read his note, correct them, and say so.',
  },

  // --- Whatever the phase ---
  held: {
    ...order,
    desk: 'operations',
    dueMs: DAY,
    verbs: ['RELEASE', 'CANCEL', 'FATAL'],
    words: 'The order is held and nothing new begins. Clear the reason and release it, or end it.',
  },
  sla_breached: {
    ...order,
    ...byHand,
    desk: 'operations',
    dueMs: 4 * HOUR,
    verbs: ['CANCEL', 'HOLD'],
    words: 'A stage took longer than promised: find what holds the order up.',
  },

  // --- Delivery's own ---
  hub_not_told: {
    ...delivery,
    desk: 'dispatch',
    dueMs: 4 * HOUR,
    verbs: ['RETRY', 'RECALL', 'ENVELOPE_READY'],
    words: 'The hub could not be told that an envelope comes: tell it by hand, or retry.',
  },
  envelope_overdue: {
    ...delivery,
    desk: 'dispatch',
    dueMs: DAY,
    verbs: ['RETRY', 'RECALL', 'ENVELOPE_READY', 'LOST_REPORTED'],
    words: 'The envelope has not reached the hub: ask bureau and hub where it is.',
  },
  courier_not_found: {
    ...delivery,
    desk: 'dispatch',
    dueMs: 2 * HOUR,
    verbs: ['RETRY', 'RESCHEDULE', 'RECALL'],
    words: 'No courier takes the stop: look again, offer the recipient another time, or give it up.',
  },
  carrier_not_booked: {
    ...delivery,
    desk: 'dispatch',
    dueMs: 2 * HOUR,
    verbs: ['RETRY', 'RECALL'],
    words: 'No carrier of the method takes the envelope: ask them, then retry or give it up.',
  },
  courier_offline: {
    ...delivery,
    of: ['run'],
    ...byHand,
    desk: 'dispatch',
    dueMs: 30 * MINUTE,
    verbs: ['LOST_REPORTED', 'RECALL'],
    words: 'A courier with envelopes on him has not been heard for half an hour: call him.',
  },
  code_not_sent: {
    ...delivery,
    desk: 'dispatch',
    dueMs: 30 * MINUTE,
    verbs: ['OTP_RESEND'],
    words: 'The one-time code could not be sent and the courier is at the door: help him.',
  },
  trace_envelope: {
    ...delivery,
    desk: 'dispatch',
    dueMs: 2 * DAY,
    verbs: ['FOUND', 'LOST_CONFIRMED', 'STOLEN_REPORTED'],
    words: 'Trace the envelope: say that it was found, is lost, or was stolen.',
  },
  envelope_in_vault: {
    ...delivery,
    desk: 'vault',
    dueMs: businessDays(5),
    verbs: ['DESTROYED', 'REDELIVER'],
    words: 'An envelope lies in the vault until its order decides: watch over it.',
  },
  delivery_disputed: {
    ...delivery,
    desk: 'fraud',
    dueMs: 4 * HOUR,
    verbs: ['CLAIM_SETTLED'],
    words:
      'The recipient says that somebody else took the card: put scans, proofs, times and places together, and settle it.',
  },
} as const satisfies { readonly [name: string]: TaskKind };

export type TaskName = keyof typeof tasks;

/** A chart of a newer version may ask for what this process does not know yet: somebody looks at it within the hour. */
const unlisted: TaskKind = {
  desk: 'operations',
  of: [],
  dueMs: HOUR,
  verbs: [],
  ends: 'person',
  words: 'A task that this version does not know: look at the subject’s state.',
};

export const taskKind = (name: string): TaskKind => (Object.hasOwn(tasks, name) ? tasks[name as TaskName] : unlisted);
