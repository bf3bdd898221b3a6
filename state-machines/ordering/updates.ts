// What the order chart remembers of a step: each update a pure function of context and event.
//
// Time is the event's `at`; steps caused by raised events keep the last reading known. An update is used on the events that
// carry what it reads: `assertEvent` says which.

import { assertEvent } from 'xstate';
import { businessDays } from '../durations.ts';
import {
  type CardCloseReason,
  type Milestones,
  NO_DELIVERY,
  type OrderContext,
  type Risk,
  type Stage,
} from './context.ts';
import type { FromDelivery, OrderEvent } from './events.ts';

export interface Scope {
  readonly context: OrderContext;
  readonly event: OrderEvent;
}
type Update = Partial<OrderContext>;

/** From approval to the door: production, then delivery. Source: the service level of the product. */
const PROMISE_MS = businessDays(3) + businessDays(5);

/** Clock reading of the step; steps caused by raised events keep the last one known. */
export const clockOf = (context: OrderContext, event: { readonly at?: number }): number =>
  event.at ?? context.stage.since;

// --- Stages and milestones ---

export const startStage = ({ context, event }: Scope, { stage }: { stage: Stage }): Update => ({
  stage: { name: stage, since: clockOf(context, event), spentMs: 0 },
});
export const pauseStage = ({ context, event }: Scope): Update => ({
  stage: {
    ...context.stage,
    spentMs: context.stage.spentMs + Math.max(0, clockOf(context, event) - context.stage.since),
  },
});
export const resumeStage = ({ context, event }: Scope): Update => ({
  stage: { ...context.stage, since: clockOf(context, event) },
});
/** A milestone is passed once; a second passage changes nothing. */
export const pass = ({ context, event }: Scope, { milestone }: { milestone: keyof Milestones }): Update => ({
  times: { [milestone]: clockOf(context, event), ...context.times },
});
export const promise = ({ context, event }: Scope): Update => ({
  promisedBy: context.promisedBy || clockOf(context, event) + PROMISE_MS,
});

// --- Screening and review ---

export const noteAsked = ({ context }: Scope, asked: Partial<OrderContext['asked']>): Update => ({
  asked: { ...context.asked, ...asked },
});
export const noteVerdict = ({ context, event }: Scope): Update => {
  assertEvent(event, 'KYC_APPROVED');
  return { risk: event.risk ?? context.risk, nameMismatch: event.nameMatch === false };
};
export const noteRisk = ({ context }: Scope, { risk }: { risk: Risk }): Update => ({
  risk: risk === 'low' ? context.risk : risk,
});
export const nextKycAttempt = ({ context, event }: Scope): Update => {
  assertEvent(event, 'KYC_RESUBMITTED');
  return { kycAttempt: context.kycAttempt + 1, personRef: event.personRef ?? context.personRef, reason: null };
};
export const noteOpinion = ({ event }: Scope): Update => {
  assertEvent(event, ['REVIEW_APPROVED', 'REVIEW_REJECTED']);
  return { firstOpinion: { by: event.by, verdict: event.type === 'REVIEW_APPROVED' ? 'approve' : 'reject' } };
};
export const noteExisting = ({ event }: Scope): Update => {
  assertEvent(event, 'KEY_REFUSED');
  return { existing: event.existing, reason: 'duplicate', holdsKey: false };
};

// --- What the customer changes on the way ---

/** O-14. A new method drops the pickup point of the old one. */
export const noteEdit = ({ context, event }: Scope): Update => {
  assertEvent(event, 'EDIT');
  return {
    ...placeAfter(context, event),
    personRef: event.personRef ?? context.personRef,
    designId: event.designId ?? context.designId,
    edits: context.edits + 1,
    reason: null,
  };
};
/** Another address or method, before a delivery knows the old one. */
export const notePlace = ({ context, event }: Scope): Update => {
  assertEvent(event, ['ADDRESS_CORRECTED', 'CHANGE_ADDRESS', 'CHANGE_METHOD', 'REDELIVER']);
  return { ...placeAfter(context, event), reason: null };
};

interface Place {
  readonly addressRef?: string;
  readonly country?: string;
  readonly method?: OrderContext['method'];
  readonly pickupPointId?: string;
}

function placeAfter(context: OrderContext, change: Place): Update {
  const { pickupPointId: before, ...others } = context;
  const pickupPointId = change.pickupPointId ?? (change.method === undefined ? before : undefined);
  return {
    addressRef: change.addressRef ?? others.addressRef,
    country: change.country ?? others.country,
    method: change.method ?? others.method,
    // xstate merges updates: a member that goes has to be said.
    ...(pickupPointId === before ? {} : { pickupPointId: pickupPointId as string }),
  };
}

// --- Card and plastic ---

export const noteCardClosing = ({ event }: Scope): Update => {
  assertEvent(event, ['CLOSE_CARD', 'REPORT']);
  return { cardClosedFor: event.type === 'CLOSE_CARD' ? event.reason : (event.kind as CardCloseReason) }; // Guarded: never `not_received`.
};
export const countSuspension = ({ context }: Scope): Update => ({ suspensions: context.suspensions + 1 });
export const countActivation = ({ context }: Scope): Update => ({ activations: context.activations + 1 });
export const countWrongTry = ({ context }: Scope): Update => ({ wrongTries: context.wrongTries + 1 });
export const askForPlastic = ({ context }: Scope): Update => ({
  plastic: { designId: context.designId, held: false },
});
export const holdPlastic = ({ context }: Scope): Update => ({
  plastic: context.plastic && { ...context.plastic, held: true },
});

// --- Production ---

export const takeBatch = ({ context, event }: Scope): Update => {
  assertEvent(event, 'BATCH_CLOSED');
  return { batchId: event.batchId, job: context.job + 1 };
};
export const respin = ({ context }: Scope): Update => ({ job: context.job + 1, respins: context.respins + 1 });
export const nextJob = ({ context }: Scope): Update => ({ job: context.job + 1 });
export const correctOrder = ({ context, event }: Scope): Update => {
  assertEvent(event, 'CORRECTED');
  return {
    personRef: event.personRef ?? context.personRef,
    designId: event.designId ?? context.designId,
    reason: null,
  };
};
export const noteEnvelope = ({ event }: Scope): Update => {
  assertEvent(event, 'PRINTED');
  return { envelopeId: event.envelopeId };
};

// --- Delivery ---

export const nextDelivery = ({ context }: Scope): Update => ({
  delivery: { ...NO_DELIVERY, seq: context.delivery.seq + 1, open: true },
});
export const countResend = ({ context }: Scope): Update => ({
  delivery: { ...context.delivery, resends: context.delivery.resends + 1 },
});
export const deliveryOver = ({ context }: Scope): Update => ({ delivery: { ...context.delivery, open: false } });

/** A published event: the count goes up, and with it what it says of appointment, attempts, storage and address. */
export const hear = ({ context, event }: Scope): Update => {
  const heard = event as FromDelivery; // Used on events of the delivery context only.
  const { delivery } = context;
  return {
    ...(heard.type === 'DeliveryRerouted' ? placeAfter(context, heard) : {}),
    delivery: {
      ...delivery,
      deliveryId: heard.deliveryId,
      version: heard.deliveryVersion,
      slot: slotAfter(delivery.slot, heard),
      attempts: heard.type === 'DeliveryAttemptFailed' ? heard.attempt : delivery.attempts,
      next: heard.type === 'DeliveryAttemptFailed' ? heard.next : null,
      late: heard.type === 'DeliveryCancelled' ? heard.fee === 'late' : delivery.late,
      storageUntil: heard.type === 'DeliveryReadyForPickup' ? (heard.storageUntil ?? null) : delivery.storageUntil,
    },
  };
};

/** The appointment that stands after a published event. */
function slotAfter(slot: OrderContext['delivery']['slot'], heard: FromDelivery): OrderContext['delivery']['slot'] {
  if (heard.type === 'AppointmentConfirmed') return { slotId: heard.slotId, from: heard.from, to: heard.to };
  return heard.type === 'DeliveryAttemptFailed' ||
    heard.type === 'DeliveryRescheduled' ||
    heard.type === 'DeliveryFound'
    ? null
    : slot;
}

// --- Endings and what follows ---

export const noteStop = ({ event }: Scope): Update => {
  assertEvent(event, ['CANCEL', 'FATAL', 'REPORT']);
  return {
    reason: event.type === 'REPORT' ? event.kind : event.reason,
    ending: event.type === 'FATAL' ? 'failed' : 'cancelled',
  };
};
export const noteErasure = ({ event }: Scope): Update => {
  assertEvent(event, 'SUBJECT_ERASURE');
  return { erasure: event.requestId };
};
export const noteForce = ({ event }: Scope): Update => {
  assertEvent(event, 'FORCE');
  return { forcedBy: event.by };
};
/** Its id follows from the count, so the message that makes it and the link to it agree. */
export const noteReplacement = ({ context }: Scope): Update => ({
  replacements: context.replacements + 1,
  replacedBy: replacementIdOf(context),
});

/** Id of the next order that takes this one's place. */
export const replacementIdOf = ({ orderId, replacements }: OrderContext): string => `${orderId}-r${replacements + 1}`;
