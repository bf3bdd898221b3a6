// The words of the delivery chart: its effects, messages, guards, updates and delays, by name and typed.
//
// The region files say when; this file says what, and phrases.ts joins the two. Every guard and update is pure over context
// and event.

import { and, assertEvent, assign, or, setup, stateIn } from 'xstate';
import { businessDays, DAY, HOUR, MINUTE } from '../durations.ts';
import { effect, told } from '../effect.ts';
import {
  type AttemptReason,
  type DeliveryContext,
  type DeliveryInput,
  type Method,
  NOT_COUNTED,
  nextAfter,
  RETRYABLE,
  runIdOf,
  type Wish,
  type ZoneVerdict,
} from './context.ts';
import type { DeliveryEvent, TrackingStatus } from './events.ts';

/** What this context can do; the other methods have no carriers. */
export const METHODS_SERVED: readonly Method[] = ['courier', 'pickup_point', 'post'];
export const SEARCHES_MAX = 5; // Courier searches that may fail before a dispatcher looks.
export const OTP_TRIES_MAX = 5;
export const OTP_SENDS_MAX = 4; // The first one and three more; a sending that failed is none.
export const RESCHEDULES_MAX = 3; // By the customer.
/** Ways of sending a code, in the order in which they are tried. */
export const CHANNELS = ['sms', 'voice', 'email'] as const;
const CARRIERS_MAX = 3; // Asked for one booking before a dispatcher looks.
const ARRIVAL_METRES_MAX = 300;
const REROUTE_METRES_MAX = 2_000;
const RESCHEDULE_CUT_OFF_MS = 2 * HOUR;
const STORAGE_DAYS = 7;
const RANK_ON_ITS_WAY = 20; // `in_transit`: what is left after an exception.
/** Tell of trouble, and count whatever was scanned before. */
const EXCEPTIONS: ReadonlySet<TrackingStatus> = new Set(['attempt_failed', 'returning', 'returned', 'damaged', 'lost']);

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

/** Work for a person. `subject` is the actor that waits for him. */
export interface Task {
  readonly subject: string;
  readonly orderId: string;
  readonly task: string;
}

type Slot = NonNullable<DeliveryContext['slot']>;
export interface ShipmentWanted {
  orderId: string;
  deliveryId: string;
  seq: number;
  envelopeId: string;
  method: Method;
  personRef: string;
  addressRef: string;
  country: string;
  carrier?: string;
  slot?: Slot;
  pickupPointId?: string;
  service?: 'standard' | 'priority' | 'express';
}
export interface CodeWanted {
  deliveryId: string;
  attempt: number;
  n: number;
  channel?: (typeof CHANNELS)[number];
  personRef: string;
  locale: string;
}

const isThisCourier = (context: DeliveryContext, event: DeliveryEvent): boolean =>
  'courierId' in event && event.courierId === context.courierId;
const isThisBooking = (context: DeliveryContext, event: { readonly seq?: number }): boolean =>
  event.seq === undefined || event.seq === context.booking;
const isCarried = ({ context }: { readonly context: DeliveryContext }): boolean => context.method !== 'courier';
const asksNoProof = ({ verification }: DeliveryContext): boolean => !Object.values(verification).includes(true);

/** Post asks nobody for anything, so it serves only what needs no proof (3.4). */
const isServed = (context: DeliveryContext): boolean =>
  METHODS_SERVED.includes(context.method) && (context.method !== 'post' || asksNoProof(context));

/** Whether a scan says anything new: a higher rank, or the same one later; an exception whatever its rank (4.8). */
function isNews(context: DeliveryContext, event: DeliveryEvent): boolean {
  if (event.type !== 'TRACKING' || context.method === 'courier' || event.occurredAt <= context.exceptionAt)
    return false;
  if (EXCEPTIONS.has(event.status)) return true;
  return event.rank > context.rank || (event.rank === context.rank && event.occurredAt > context.scannedAt);
}

/** A carrier tries again without being asked, as long as attempts are left. */
const triesByItself = ({ method, reason, failures, attemptsMax }: DeliveryContext): boolean =>
  method !== 'courier' && RETRYABLE.has(reason ?? '') && failures < attemptsMax;

const failureCounts = (context: DeliveryContext, reason: AttemptReason) => ({
  reason,
  failures: context.failures + (NOT_COUNTED.has(reason) ? 0 : 1),
});

/** Reasons of carriers that are ours too; any other word of theirs means that nobody was met. */
const CARRIERS_REASONS: ReadonlySet<string> = new Set<AttemptReason>([
  'wrong_address',
  'access_problem',
  'customer_asked_later',
  'refused',
  'weather_or_force_majeure',
  'courier_fault',
  'customer_moved',
]);

export const delivering = setup({
  types: {} as { context: DeliveryContext; events: DeliveryEvent; input: DeliveryInput },

  // Effects whose answer a state waits for.
  actors: {
    'zone.check': effect<
      {
        deliveryId: string;
        method: Method;
        addressRef: string;
        country: string;
        pickupPointId?: string;
        previousAddressRef?: string;
      },
      ZoneVerdict
    >('zone.check'),
    'carrier.preadvise': effect<
      { orderId: string; deliveryId: string; envelopeId: string; method: Method; country: string },
      unknown
    >('carrier.preadvise'),
    'carrier.createShipment': effect<ShipmentWanted, { shipmentId: string; carrier: string; trackingNumber?: string }>(
      'carrier.createShipment',
    ),
    'otp.send': effect<CodeWanted, unknown>('otp.send'),
  },

  actions: {
    // Told to the world, without an answer: effects and messages of the host.
    notify: told<Notice>(),
    openTask: told<Task>(),
    closeTask: told<Task>(),
    tellOrdering: told<Publication>(),
    tellGuard: told<{ cardId: string; publication: Publication }>(),
    tellSlot: told<{ slotId: string; ask: 'TAKE' | 'FREE'; deliveryId: string; turn: number }>(),
    tellRun: told<{ runId: string; ask: 'HELD' | 'SEEN' | 'LEAVE'; deliveryId: string }>(),
    askRun: told<{
      runId: string;
      courierId: string;
      capacity: number;
      until: number;
      deliveryId: string;
      turn: number;
    }>(),
    'carrier.void': told<{ orderId: string; deliveryId: string; seq: number }>(),

    countPublication: assign(({ context }) => ({ published: context.published + 1 })),
    giveReason: assign((_, { reason }: { reason: string | null }) => ({ reason })),
    goBack: assign((_, { reason }: { reason: string }) => ({ reason, goesBack: true })),
    noteTime: assign(({ context, event }) => ({ asOf: event.at ?? context.asOf })),
    noteLost: assign(({ context }, { from }: { from: 'hub' | 'holder' }) => ({
      lostFrom:
        from === 'hub' || context.method === 'courier' ? null : context.storageUntil === null ? 'carrier' : 'point',
    })),
    noteFee: assign(({ context }) => ({ late: context.courierId !== null })),
    noteImplied: assign({ implied: true }),

    // Address and method.
    noteZone: assign(({ context }, verdict: ZoneVerdict) => zoneAfter(context, verdict)),
    noteWish: assign(({ context, event }) => {
      assertEvent(event, ['delivery.changeAddress', 'delivery.changeMethod']);
      return { wish: wishOf(context, event) };
    }),
    dropWish: assign({ wish: null }),
    takeWish: assign(({ context }) => ({ ...(context.wish ?? {}), wish: null })),
    reroute: assign(({ context }, verdict: ZoneVerdict) => ({
      ...(context.wish ?? {}),
      ...zoneAfter(context, verdict),
      wish: null,
    })),

    // Appointment.
    noteAsked: assign(({ context, event }) => {
      assertEvent(event, 'SLOT_CHOSEN');
      return { asked: event.slotId, turn: context.turn + 1 };
    }),
    forgetAsked: assign({ asked: null }),
    takeSlot: assign(({ context, event }) => {
      assertEvent(event, 'SLOT_TAKEN');
      const { slotId, from, to } = event;
      return { slot: { slotId, from, to }, asked: null, slotChosenAt: event.at ?? context.slotChosenAt, reason: null };
    }),
    dropSlot: assign({ slot: null, asked: null }),
    countReschedule: assign(({ context, event }) => {
      assertEvent(event, ['RESCHEDULE', 'delivery.reschedule']);
      return { reschedules: context.reschedules + (event.role === 'customer' ? 1 : 0) };
    }),

    // Courier and carrier.
    book: assign(({ context }) => ({ booking: context.booking + 1, booked: true, courierId: null })),
    nextCarrier: assign(({ context }) => ({ carrierTry: context.carrierTry + 1, booked: false })),
    noteShipment: assign((_, shipment: { shipmentId: string; carrier: string; trackingNumber?: string }) => ({
      shipmentId: shipment.shipmentId,
      carrier: shipment.carrier,
      trackingNumber: shipment.trackingNumber ?? null,
      carrierTry: 0,
    })),
    noteCourier: assign(({ context, event }) => {
      assertEvent(event, 'COURIER_FOUND');
      return { courierId: event.courierId, runId: runIdOf(event.courierId, context.slot?.slotId ?? '') };
    }),
    countSearch: assign(({ context }) => ({ searches: context.searches + 1, booked: false })),
    forgetSearches: assign({ searches: 0, carrierTry: 0 }),
    unbook: assign({ booked: false, courierId: null, runId: null, carrierTry: 0 }),
    leaveRun: assign({ runId: null }),
    noteScan: assign(({ context, event }) => {
      assertEvent(event, 'TRACKING');
      const { occurredAt, rank, pickupPointId } = event;
      return {
        ...(EXCEPTIONS.has(event.status)
          ? { rank: RANK_ON_ITS_WAY, scannedAt: occurredAt, exceptionAt: occurredAt }
          : { rank: Math.max(rank, context.rank), scannedAt: occurredAt }),
        ...(pickupPointId === undefined ? {} : { pickupPointId }),
        asOf: event.at ?? context.asOf,
        lostFrom: null,
      };
    }),
    noteUntracked: assign({ rank: RANK_ON_ITS_WAY }),
    store: assign(({ context, event }) => {
      const asOf = event.at ?? context.asOf;
      return { asOf, storageUntil: context.storageUntil ?? asOf + storageMs(context) };
    }),
    extendStorage: assign(({ context, event }) => ({
      asOf: event.at ?? context.asOf,
      storageUntil: (context.storageUntil ?? context.asOf) + storageMs(context),
      extended: true,
    })),
    noteClerk: assign(({ event }) => {
      assertEvent(event, 'COLLECT');
      return { courierId: event.courierId };
    }),

    // Handover and its failure.
    beginHandover: assign(({ context, event }) => ({
      ...{ otpSends: 0, otpFailures: 0, otpTries: 0 },
      asOf: event.at ?? context.asOf,
    })),
    countOtpSend: assign(({ context }) => ({ otpSends: context.otpSends + 1 })),
    countOtpFailure: assign(({ context }) => ({ otpFailures: context.otpFailures + 1 })),
    countOtpTry: assign(({ context }) => ({ otpTries: context.otpTries + 1 })),
    failAttempt: assign(({ context }, { reason }: { reason: AttemptReason }) => failureCounts(context, reason)),
    noteFailure: assign(({ context, event }) => {
      assertEvent(event, 'ATTEMPT_FAILED');
      return failureCounts(context, event.reason);
    }),
    noteCarriersFailure: assign(({ context, event }) => {
      assertEvent(event, 'TRACKING');
      const known = CARRIERS_REASONS.has(event.reason ?? '');
      return failureCounts(context, known ? (event.reason as AttemptReason) : 'no_show'); // One of the set.
    }),
    nextAttempt: assign(({ context }) => ({
      ...{ attempt: context.attempt + 1, booked: false, courierId: null, searches: 0, carrierTry: 0 },
      ...{ runId: null, storageUntil: null },
    })),
    nextTry: assign(({ context }) => ({ attempt: context.attempt + 1, courierId: null })),
    noteSeal: assign(({ event }) => {
      assertEvent(event, 'RECEIVED');
      return { seal: event.seal };
    }),
  },

  guards: {
    isServed: ({ context }) => isServed(context),
    isByCourier: ({ context }) => context.method === 'courier',
    isCarried,
    isStored: ({ context }) => context.storageUntil !== null,
    isUntracked: (_, { trackingNumber }: { trackingNumber?: string }) => trackingNumber === undefined,
    isAllowed: (_, { allowed }: ZoneVerdict) => allowed,
    isKnownZone: (_, { zoneId }: ZoneVerdict) => zoneId !== undefined,
    isNearby: ({ event }) => {
      const { output } = event as { readonly output?: ZoneVerdict }; // The end of an effect is no event of the chart's own.
      return output?.allowed === true && (output.distanceMetres ?? Number.POSITIVE_INFINITY) <= REROUTE_METRES_MAX;
    },
    /** The same zone, and a courier before and after: the appointment still fits. */
    keepsZone: ({ context }, { allowed, zoneId }: ZoneVerdict) =>
      allowed && zoneId === context.zoneId && context.method === 'courier' && context.wish?.method === 'courier',
    isWishServed: ({ context }) => isServed({ ...context, ...context.wish }),
    isEnvelope: ({ context, event }) => event.type === 'ENVELOPE_READY' && event.envelopeId === context.envelopeId,
    isEnvelopeScan: ({ context, event }) =>
      (event.type === 'RECEIVED' || event.type === 'COLLECT') && event.barcode === context.envelopeId,
    isCourierScan: ({ context, event }) =>
      event.type === 'SCANNED' && event.barcode === context.envelopeId && isThisCourier(context, event),

    slotLiesAhead: ({ event }) => event.type === 'SLOT_CHOSEN' && event.from < event.to && event.to > (event.at ?? 0),
    hasSlot: ({ context }) => context.slot !== null,
    isThisTurn: ({ context, event }) =>
      (event.type === 'SLOT_TAKEN' || event.type === 'SLOT_FULL') && event.turn === context.turn,
    slotIsADayOff: ({ context }) => context.slot !== null && context.slot.from - context.slotChosenAt > DAY,
    mayReschedule: ({ context, event }) =>
      (event.type === 'RESCHEDULE' || event.type === 'delivery.reschedule') &&
      (event.role !== 'customer' ||
        (context.reschedules < RESCHEDULES_MAX &&
          (event.at ?? 0) + RESCHEDULE_CUT_OFF_MS <= (context.slot?.from ?? 0))),
    isBeforePickup: or([
      stateIn({ transport: 'awaitingEnvelope' }),
      stateIn({ transport: 'assigning' }),
      stateIn({ transport: { pickup: 'courierArrived' } }),
    ]),
    /** Nobody drives off with it yet, or it can be called back to the hub at once (D-32). */
    isRoutable: or([
      stateIn({ transport: 'awaitingEnvelope' }),
      stateIn({ transport: 'assigning' }),
      stateIn({ transport: 'pickup' }),
      stateIn({ transport: { moving: 'preTransit' } }),
      stateIn({ transport: { moving: 'notBooked' } }),
      and([stateIn({ transport: 'attemptFailed' }), stateIn({ custody: 'hub' })]),
    ]),
    isMoving: or([stateIn({ transport: 'moving' }), stateIn({ transport: 'pickupPoint' })]),
    isOnLastMile: stateIn({ transport: 'lastMile' }),
    isOnLastMileByCourier: and([stateIn({ transport: 'lastMile' }), 'isByCourier']),
    /** The envelope is here, and waits for nothing but the choice. */
    isAbandoned: and([stateIn({ custody: 'hub' }), stateIn({ transport: 'assigning' })]),
    keepsSlot: ({ event }) => event.type === 'REROUTED' && event.kept,

    isBooking: ({ context, event }) =>
      (event.type === 'COURIER_FOUND' || event.type === 'COURIER_NOT_FOUND') && isThisBooking(context, event),
    maySearchAgain: ({ context, event }) =>
      event.type === 'COURIER_NOT_FOUND' && isThisBooking(context, event) && context.searches + 1 < SEARCHES_MAX,
    isThisRun: ({ context, event }) =>
      (event.type === 'BOARDED' || event.type === 'RUN_FULL') &&
      event.runId === context.runId &&
      event.turn === context.booking,
    maySearchOn: ({ context, event }) =>
      event.type === 'RUN_FULL' && event.turn === context.booking && context.searches + 1 < SEARCHES_MAX,
    hasOtherCarrier: ({ context }) => context.carrierTry + 1 < Math.min(context.carriers.length, CARRIERS_MAX),
    /** `only`: and the envelope is for a pickup point, or asks for no proof. */
    says: ({ context, event }, { status, only }: { status: TrackingStatus; only?: 'point' | 'proofless' }) =>
      event.type === 'TRACKING' &&
      event.status === status &&
      isNews(context, event) &&
      (only !== 'point' || context.method === 'pickup_point') &&
      (only !== 'proofless' || asksNoProof(context)),
    mayExtend: ({ context }) => !context.extended,

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
    maySendAgain: ({ context, event }) =>
      isThisCourier(context, event) && context.otpSends - context.otpFailures < OTP_SENDS_MAX,
    hasOtherChannel: ({ context }) => context.otpFailures + 1 < CHANNELS.length,

    waitsFor: ({ context }, { next }: { next: ReturnType<typeof nextAfter> }) => nextAfter(context) === next,
    isSpent: ({ context }) => context.failures >= context.attemptsMax,
    isSpentByCourier: ({ context }) => context.failures >= context.attemptsMax && context.method === 'courier',
    isExhausted: ({ context }) => RETRYABLE.has(context.reason ?? ''),
    triesByItself: ({ context }) => triesByItself(context),
    triesAtPoint: ({ context }) => context.storageUntil !== null && triesByItself(context),
    isDamage: ({ context, event }) =>
      event.type === 'ATTEMPT_FAILED' && event.reason === 'damaged' && isThisCourier(context, event),
    goesBack: ({ context }) => context.goesBack,
    wasCarried: ({ context }) => context.lostFrom === 'carrier',
    wasStored: ({ context }) => context.lostFrom === 'point',
    isWitnessed: ({ event }) =>
      (event.type === 'DESTROYED' || event.type === 'delivery.destroy') && event.witness !== event.by,
  },

  delays: {
    envelopeOverdue: businessDays(5),
    slotReminder1: 24 * HOUR,
    slotReminder2: 72 * HOUR,
    slotAbandoned: 7 * DAY,
    slotSilent: 4 * HOUR, // It decides within milliseconds; silent is one that is parked.
    dayBefore: ({ context }: Scope) => Math.max(0, untilSlot(context) - DAY),
    hoursBefore: ({ context }: Scope) => Math.max(0, untilSlot(context) - 2 * HOUR),
    courierOverdue: 4 * HOUR,
    boardingOverdue: HOUR,
    searchAgain: 15 * MINUTE,
    noShow: 15 * MINUTE,
    codeExpires: ({ context }: Scope) => codeValidMs(context),
    scanOverdue: ({ context }: Scope) => (context.trackingNumber === null ? 30 * DAY : businessDays(5)),
    storageHalf: ({ context }: Scope) => storedMs(context) / 2,
    storageLastDay: ({ context }: Scope) => Math.max(0, storedMs(context) - DAY),
    storageOver: ({ context }: Scope) => storedMs(context),
    correctionOverdue: 7 * DAY,
    decisionOverdue: 7 * DAY,
    offerOverdue: DAY,
    rerouteUnanswered: 10 * MINUTE,
    traceExhausted: businessDays(10),
    returnOverdue: businessDays(15),
    claimOver: 30 * DAY,
  },
});

type Scope = { readonly context: DeliveryContext };

const untilSlot = ({ slot, slotChosenAt }: DeliveryContext): number => (slot?.from ?? slotChosenAt) - slotChosenAt;
const storageMs = ({ storageDays }: DeliveryContext): number => (storageDays ?? STORAGE_DAYS) * DAY;
const storedMs = ({ storageUntil, asOf }: DeliveryContext): number => Math.max(0, (storageUntil ?? asOf) - asOf);
/** A code is good until an hour after the window, or the storage, and for an hour at least. */
const codeValidMs = ({ slot, storageUntil, asOf }: DeliveryContext): number =>
  Math.max(HOUR, (storageUntil ?? slot?.to ?? asOf) - asOf + HOUR);

const zoneAfter = (context: DeliveryContext, verdict: ZoneVerdict) => ({
  zoneId: verdict.zoneId ?? context.zoneId,
  carriers: (verdict.carriers ?? []).slice(0, CARRIERS_MAX),
  stopsPerRun: verdict.stopsPerRun ?? context.stopsPerRun,
  ...(verdict.pickupPointId === undefined ? {} : { pickupPointId: verdict.pickupPointId }),
});

type RouteCommand = Extract<DeliveryEvent, { type: 'delivery.changeAddress' | 'delivery.changeMethod' }>;

function wishOf(context: DeliveryContext, event: RouteCommand): Wish {
  const method = event.type === 'delivery.changeMethod' ? event.method : context.method;
  const pickupPointId = event.type === 'delivery.changeMethod' ? event.pickupPointId : context.pickupPointId;
  return {
    method,
    addressRef: event.addressRef ?? context.addressRef,
    country: event.country ?? context.country,
    ...(pickupPointId === undefined ? {} : { pickupPointId }),
  };
}
