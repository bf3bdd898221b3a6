// The words of the delivery chart: its effects, messages, guards, updates and delays, by name and typed.
//
// The region files say when; this file says what. Every guard and update is pure over context and event.

import { assertEvent, assign, type EventObject, or, raise as raiseEvent, setup, stateIn } from 'xstate';
import { businessDays, DAY, HOUR, MINUTE } from '../durations.ts';
import { effect, told } from '../effect.ts';
import {
  type AttemptReason,
  type DeliveryContext,
  type DeliveryInput,
  type Method,
  NOT_COUNTED,
  RETRYABLE,
} from './context.ts';
import type { DeliveryEvent } from './events.ts';

/** What this context can do today; the other methods wait for their carriers. */
export const METHODS_SERVED: readonly Method[] = ['courier'];
export const SEARCHES_MAX = 5; // Courier searches that may fail before a dispatcher looks.
export const OTP_TRIES_MAX = 5;
export const OTP_SENDS_MAX = 4; // The first one and three more.
export const RESCHEDULES_MAX = 3; // By the customer.
const ARRIVAL_METRES_MAX = 300;
const RESCHEDULE_CUT_OFF_MS = 2 * HOUR;

export interface Notice {
  readonly subject: string;
  readonly personRef: string;
  readonly locale: string;
  readonly template: string;
  readonly n: number;
}

/** An event of this context, as ordering hears it; the host addresses it. */
export interface Publication {
  readonly type: string;
  readonly schemaVersion: 1;
  readonly orderId: string;
  readonly deliveryId: string;
  readonly seq: number;
  readonly deliveryVersion: number;
  readonly [field: string]: unknown;
}

/** Whether another attempt may follow the failed one. */
export const mayTryAgain = ({ reason, failures, attemptsMax }: DeliveryContext): boolean =>
  RETRYABLE.has(reason ?? '') && failures < attemptsMax;

const isThisCourier = (context: DeliveryContext, event: DeliveryEvent): boolean =>
  'courierId' in event && event.courierId === context.courierId;
const isThisBooking = (context: DeliveryContext, event: { readonly seq?: number }): boolean =>
  event.seq === undefined || event.seq === context.booking;

export const delivering = setup({
  types: {} as { context: DeliveryContext; events: DeliveryEvent; input: DeliveryInput },

  // Effects whose answer a state waits for.
  actors: {
    'carrier.preadvise': effect<
      { orderId: string; deliveryId: string; envelopeId: string; method: Method; country: string },
      unknown
    >('carrier.preadvise'),
    'carrier.createShipment': effect<
      {
        orderId: string;
        deliveryId: string;
        seq: number;
        envelopeId: string;
        method: Method;
        personRef: string;
        addressRef: string;
        country: string;
        slot: { slotId: string; from: number; to: number };
      },
      { shipmentId: string; carrier: string; trackingNumber?: string }
    >('carrier.createShipment'),
    'otp.send': effect<{ deliveryId: string; attempt: number; n: number; personRef: string; locale: string }, unknown>(
      'otp.send',
    ),
  },

  actions: {
    // Told to the world, without an answer: effects and messages of the host.
    notify: told<Notice>(),
    openTask: told<{ subject: string; orderId: string; task: string }>(),
    closeTask: told<{ subject: string; orderId: string; task: string }>(),
    tellOrdering: told<Publication>(),
    'carrier.void': told<{ orderId: string; deliveryId: string; seq: number }>(),

    countPublication: assign(({ context }) => ({ published: context.published + 1 })),
    giveReason: assign((_, { reason }: { reason: string | null }) => ({ reason })),
    goBack: assign((_, { reason }: { reason: string }) => ({ reason, goesBack: true })),

    // Appointment.
    takeSlot: assign(({ context, event }) => {
      assertEvent(event, 'SLOT_CHOSEN');
      const { slotId, from, to } = event;
      return { slot: { slotId, from, to }, slotChosenAt: event.at ?? context.slotChosenAt, reason: null };
    }),
    dropSlot: assign({ slot: null }),
    countReschedule: assign(({ context, event }) => {
      assertEvent(event, 'RESCHEDULE');
      return { reschedules: context.reschedules + (event.role === 'customer' ? 1 : 0) };
    }),

    // Courier.
    book: assign(({ context }) => ({ booking: context.booking + 1, booked: true, courierId: null })),
    noteShipment: assign((_, shipment: { shipmentId: string; carrier: string; trackingNumber?: string }) => ({
      shipmentId: shipment.shipmentId,
      carrier: shipment.carrier,
      trackingNumber: shipment.trackingNumber ?? null,
    })),
    noteCourier: assign(({ event }) => {
      assertEvent(event, 'COURIER_FOUND');
      return { courierId: event.courierId, searches: 0 };
    }),
    countSearch: assign(({ context }) => ({ searches: context.searches + 1, booked: false })),
    forgetSearches: assign({ searches: 0 }),
    unbook: assign({ booked: false, courierId: null }),

    // Handover and its failure.
    beginHandover: assign({ otpSends: 0, otpTries: 0 }),
    countOtpSend: assign(({ context }) => ({ otpSends: context.otpSends + 1 })),
    countOtpTry: assign(({ context }) => ({ otpTries: context.otpTries + 1 })),
    failAttempt: assign(({ context }, { reason }: { reason: AttemptReason }) => ({
      reason,
      failures: context.failures + (NOT_COUNTED.has(reason) ? 0 : 1),
    })),
    noteFailure: assign(({ context, event }) => {
      assertEvent(event, 'ATTEMPT_FAILED');
      return { reason: event.reason, failures: context.failures + (NOT_COUNTED.has(event.reason) ? 0 : 1) };
    }),
    nextAttempt: assign(({ context }) => ({
      attempt: context.attempt + 1,
      slot: null,
      booked: false,
      courierId: null,
      searches: 0,
    })),
    noteSeal: assign(({ event }) => {
      assertEvent(event, 'RECEIVED');
      return { seal: event.seal };
    }),
  },

  guards: {
    isServed: ({ context }) => METHODS_SERVED.includes(context.method),
    isEnvelope: ({ context, event }) => event.type === 'ENVELOPE_READY' && event.envelopeId === context.envelopeId,
    isEnvelopeScan: ({ context, event }) => event.type === 'RECEIVED' && event.barcode === context.envelopeId,
    isCourierScan: ({ context, event }) =>
      event.type === 'SCANNED' && event.barcode === context.envelopeId && isThisCourier(context, event),

    slotLiesAhead: ({ event }) => event.type === 'SLOT_CHOSEN' && event.from < event.to && event.to > (event.at ?? 0),
    hasSlot: ({ context }) => context.slot !== null,
    slotIsADayOff: ({ context }) => context.slot !== null && context.slot.from - context.slotChosenAt > DAY,
    mayReschedule: ({ context, event }) =>
      event.type === 'RESCHEDULE' &&
      (event.role !== 'customer' ||
        (context.reschedules < RESCHEDULES_MAX &&
          (event.at ?? 0) + RESCHEDULE_CUT_OFF_MS <= (context.slot?.from ?? 0))),
    isAtHub: stateIn({ custody: 'hub' }),
    isBeforePickup: or([
      stateIn({ transport: 'awaitingEnvelope' }),
      stateIn({ transport: 'assigning' }),
      stateIn({ transport: { pickup: 'courierArrived' } }),
    ]),

    isBooking: ({ context, event }) =>
      (event.type === 'COURIER_FOUND' || event.type === 'COURIER_NOT_FOUND') && isThisBooking(context, event),
    maySearchAgain: ({ context, event }) =>
      event.type === 'COURIER_NOT_FOUND' && isThisBooking(context, event) && context.searches + 1 < SEARCHES_MAX,

    isCourier: ({ context, event }) => isThisCourier(context, event),
    isNear: ({ context, event }) =>
      event.type === 'ARRIVED' &&
      isThisCourier(context, event) &&
      (event.override === true || event.distanceMetres === undefined || event.distanceMetres <= ARRIVAL_METRES_MAX),

    needsIdCheck: ({ context }) => context.verification.idCheck,
    needsOtp: ({ context }) => context.verification.otp,
    needsSignature: ({ context }) => context.verification.signature,
    needsPhoto: ({ context }) => context.verification.photo,
    isRightCode: ({ context, event }) =>
      event.type === 'OTP_CHECKED' && event.ok && event.attempt === context.attempt && isThisCourier(context, event),
    isLastWrongCode: ({ context, event }) =>
      event.type === 'OTP_CHECKED' &&
      event.attempt === context.attempt &&
      isThisCourier(context, event) &&
      context.otpTries + 1 >= OTP_TRIES_MAX,
    isWrongCode: ({ context, event }) =>
      event.type === 'OTP_CHECKED' && event.attempt === context.attempt && isThisCourier(context, event),
    maySendAgain: ({ context, event }) => isThisCourier(context, event) && context.otpSends < OTP_SENDS_MAX,

    mayTryAgain: ({ context }) => mayTryAgain(context),
    isRetryable: ({ context }) => RETRYABLE.has(context.reason ?? ''),
    isDamage: ({ context, event }) =>
      event.type === 'ATTEMPT_FAILED' && event.reason === 'damaged' && isThisCourier(context, event),
    goesBack: ({ context }) => context.goesBack,
    isWitnessed: ({ event }) =>
      (event.type === 'DESTROYED' || event.type === 'delivery.destroy') && event.witness !== event.by,
  },

  delays: {
    envelopeOverdue: businessDays(5),
    slotReminder1: 24 * HOUR,
    slotReminder2: 72 * HOUR,
    slotAbandoned: 7 * DAY,
    dayBefore: ({ context }: { context: DeliveryContext }) => Math.max(0, untilSlot(context) - DAY),
    hoursBefore: ({ context }: { context: DeliveryContext }) => Math.max(0, untilSlot(context) - 2 * HOUR),
    courierOverdue: 4 * HOUR,
    searchAgain: 15 * MINUTE,
    noShow: 15 * MINUTE,
    traceExhausted: businessDays(10),
    returnOverdue: businessDays(15),
  },
});

const untilSlot = ({ slot, slotChosenAt }: DeliveryContext): number => (slot?.from ?? slotChosenAt) - slotChosenAt;

// --- Actions with their params, as the region files use them ---

/** One region tells the others. */
export const raise = (event: DeliveryEvent) =>
  raiseEvent<DeliveryContext, EventObject, DeliveryEvent, undefined, never, never>(event);

type Scope = { readonly context: DeliveryContext };

/** A published event in its envelope. */
export const publication = (
  context: DeliveryContext,
  type: string,
  fields: Record<string, unknown> = {},
): Publication => ({
  type,
  schemaVersion: 1,
  orderId: context.orderId,
  deliveryId: context.deliveryId,
  seq: context.seq,
  deliveryVersion: context.published,
  ...fields,
});

/** Tells ordering, and counts it first: ordering takes each count once. */
export const tell = (type: string, fields: (context: DeliveryContext) => Record<string, unknown> = () => ({})) =>
  [
    'countPublication',
    { type: 'tellOrdering', params: ({ context }: Scope): Publication => publication(context, type, fields(context)) },
  ] as const;

/** A message to the recipient. `n` tells repeats apart. */
export const notice = (template: string, n: (context: DeliveryContext) => number = (context) => context.attempt) =>
  ({
    type: 'notify',
    params: ({ context }: Scope): Notice => ({
      subject: context.deliveryId,
      personRef: context.personRef,
      locale: context.locale,
      template,
      n: n(context),
    }),
  }) as const;

const asked =
  (task: string) =>
  ({ context: { deliveryId, orderId } }: Scope) => ({ subject: deliveryId, orderId, task });
/** Work for a dispatcher: a name of tasks.ts, opened on entry of the state that needs somebody, and closed on its exit. */
export const task = (name: string) => ({ type: 'openTask', params: asked(name) }) as const;
export const closeTask = (name: string) => ({ type: 'closeTask', params: asked(name) }) as const;

/** Gives the booking back, if one stands. */
export const unbook = delivering.enqueueActions(({ context: { orderId, deliveryId, booking, booked }, enqueue }) => {
  if (booked) enqueue({ type: 'carrier.void', params: { orderId, deliveryId, seq: booking } });
  enqueue('unbook');
});

export const failed = (reason: AttemptReason) =>
  ({
    target: '#delivery.transport.attemptFailed',
    actions: { type: 'failAttempt', params: { reason } },
  }) as const;
export const goBack = (reason: string) => ({ type: 'goBack', params: { reason } }) as const;
