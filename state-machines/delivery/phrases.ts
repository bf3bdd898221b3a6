// Phrases of the delivery chart: what its region files say more than once, built from the words of delivery-setup.ts.

import { type EventObject, raise as raiseEvent } from 'xstate';
import type { AttemptReason, DeliveryContext, ZoneVerdict } from './context.ts';
import {
  CHANNELS,
  type CodeWanted,
  delivering,
  type Notice,
  type Publication,
  type ShipmentWanted,
  type Task,
} from './delivery-setup.ts';
import type { DeliveryEvent } from './events.ts';

export const T = '#delivery.transport';
type Scope = { readonly context: DeliveryContext };

/** One region tells the others. */
export const raise = (event: DeliveryEvent) =>
  raiseEvent<DeliveryContext, EventObject, DeliveryEvent, undefined, never, never>(event);

// --- What ordering hears ---

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

/** A refusal that names what the zones would serve. */
export const rejected = (reason: 'zone_unknown' | 'out_of_zone') =>
  [
    'countPublication',
    {
      type: 'tellOrdering',
      params: ({ context, event }: Scope & { readonly event: { readonly output: ZoneVerdict } }): Publication =>
        publication(context, 'DeliveryRejected', { reason, alternatives: [...event.output.alternatives] }),
    },
  ] as const;

/** By a scan: the envelope has left the hub, and is on its way. Each is told when its rank is reached. */
export const tellScan = delivering.enqueueActions(({ context, event, enqueue }) => {
  if (event.type !== 'TRACKING') return;
  const news = [
    ...(context.rank < 20 && event.rank >= 20 ? ['DeliveryDispatched'] : []),
    ...(event.status === 'in_transit' && event.rank > context.rank ? ['DeliveryInTransit'] : []),
  ];
  news.forEach((type, i) => {
    enqueue('countPublication');
    enqueue({
      type: 'tellOrdering',
      params: publication({ ...context, published: context.published + i + 1 }, type),
    });
  });
});

// --- What the recipient and the desks hear ---

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

const taskOf =
  (task: string) =>
  ({ context }: Scope): Task => ({ subject: context.deliveryId, orderId: context.orderId, task });

/** Work for a person while a state lasts: opened on its entry, closed on its exit. */
export const opened = (task: string) => ({ type: 'openTask', params: taskOf(task) }) as const;
export const done = (task: string) => ({ type: 'closeTask', params: taskOf(task) }) as const;

// --- What is booked, and given back ---

export const shipment = ({ context }: Scope): ShipmentWanted => {
  const { slot, carrierTry, carriers, pickupPointId, service } = context;
  const carrier = carrierTry === 0 ? undefined : carriers[carrierTry]; // The first one is the carrier that is always asked.
  return {
    orderId: context.orderId,
    deliveryId: context.deliveryId,
    seq: context.booking,
    envelopeId: context.envelopeId,
    method: context.method,
    personRef: context.personRef,
    addressRef: context.addressRef,
    country: context.country,
    ...(carrier === undefined ? {} : { carrier }),
    ...(slot === null ? {} : { slot }),
    ...(pickupPointId === undefined ? {} : { pickupPointId }),
    ...(service === undefined ? {} : { service }),
  };
};

export const code = ({ context }: Scope): CodeWanted => {
  const { deliveryId, attempt, otpSends, otpFailures, personRef, locale } = context;
  const channel = CHANNELS[otpFailures];
  // The first channel is the carrier of codes that is always asked.
  return {
    ...{ deliveryId, attempt, n: otpSends, personRef, locale },
    ...(otpFailures === 0 || channel === undefined ? {} : { channel }),
  };
};

/** Gives the booking and the place in the courier's run back, if they stand. */
export const unbook = delivering.enqueueActions(({ context, enqueue }) => {
  const { orderId, deliveryId, booking, booked, runId } = context;
  if (booked) enqueue({ type: 'carrier.void', params: { orderId, deliveryId, seq: booking } });
  if (runId !== null) enqueue({ type: 'tellRun', params: { runId, ask: 'LEAVE', deliveryId } });
  enqueue('unbook');
});

/** The same, where a courier has it. A carrier keeps its booking until it says that it gives up. */
export const unbookCourier = delivering.enqueueActions(({ context, enqueue }) => {
  const { orderId, deliveryId, booking, booked, method, runId } = context;
  if (method !== 'courier') return;
  if (booked) enqueue({ type: 'carrier.void', params: { orderId, deliveryId, seq: booking } });
  if (runId !== null) enqueue({ type: 'tellRun', params: { runId, ask: 'LEAVE', deliveryId } });
  enqueue('unbook');
});

/** Another carrier of the method is asked; whether the first one has booked it all the same, nobody knows. */
export const nextCarrier = [
  {
    type: 'carrier.void',
    params: ({ context: { orderId, deliveryId, booking } }: Scope) => ({ orderId, deliveryId, seq: booking }),
  },
  'nextCarrier',
] as const;

/** The courier is rid of it. */
export const leaveRun = delivering.enqueueActions(({ context: { runId, deliveryId }, enqueue }) => {
  if (runId !== null) enqueue({ type: 'tellRun', params: { runId, ask: 'LEAVE', deliveryId } });
  enqueue('leaveRun');
});

export const tellRun = (ask: 'HELD' | 'SEEN') =>
  delivering.enqueueActions(({ context: { runId, deliveryId }, enqueue }) => {
    if (runId !== null) enqueue({ type: 'tellRun', params: { runId, ask, deliveryId } });
  });

export const takePlace = {
  type: 'tellSlot',
  params: ({ context }: Scope) =>
    ({ slotId: context.asked ?? '', ask: 'TAKE', deliveryId: context.deliveryId, turn: context.turn }) as const, // Asked in the step before.
} as const;

/** Gives the place in the slot back: the one that stands, and the one that was asked for. */
export const freeSlot = delivering.enqueueActions(({ context, enqueue }) => {
  const { slot, asked, deliveryId, turn } = context;
  for (const slotId of new Set([slot?.slotId, asked]))
    if (slotId !== undefined && slotId !== null)
      enqueue({ type: 'tellSlot', params: { slotId, ask: 'FREE', deliveryId, turn } });
  enqueue('dropSlot');
});

// --- How it goes wrong ---

export const goBack = (reason: string) => ({ type: 'goBack', params: { reason } }) as const;

/** The attempt comes to nothing; `id` is the transition's in the specification. */
export const failed = (reason: AttemptReason) =>
  ({
    target: `${T}.attemptFailed`,
    actions: [tellRun('SEEN'), { type: 'failAttempt', params: { reason } }],
  }) as const;

/** Nobody has the envelope but us: over at once. */
export const recallable = {
  'delivery.cancel': { description: 'D-29', target: `${T}.cancelled`, actions: ['noteFee', unbook] },
  RECALL: { description: 'D-29', target: `${T}.cancelled`, actions: unbook },
} as const;

/** A repeat of the command gets its answer again (O-28). */
export const acceptedAgain = {
  'delivery.create': { description: 'D-01', actions: [...tell('DeliveryAccepted')] },
} as const;

/** Somebody has it: it comes back first. */
export const returnable = {
  'delivery.cancel': { description: 'D-30', target: `${T}.returning`, actions: goBack('recalled') },
  RECALL: { description: 'D-30', target: `${T}.returning`, actions: goBack('operator') },
} as const;

/** What can befall an envelope that has left the bureau; `from` decides where it goes on when it is found (D-35). */
const mishapsFrom = (from: 'hub' | 'holder') => {
  const lost = {
    description: 'D-34',
    target: `${T}.investigating`,
    actions: { type: 'noteLost', params: { from } },
  } as const;
  return {
    LOST_REPORTED: lost,
    'delivery.markNotReceived': lost,
    STOLEN_REPORTED: { description: 'D-37', target: `${T}.stolen` },
    DAMAGED: {
      description: 'D-38',
      target: `${T}.returning`,
      actions: [...tell('DeliveryDamaged'), goBack('damaged')],
    },
  } as const;
};
export const mishaps = mishapsFrom('holder');

const { LOST_REPORTED: lostAtHub, STOLEN_REPORTED: stolenAtHub, DAMAGED: damagedAtHub } = mishapsFrom('hub');
/** The same while it is still at the hub, and somebody may be on his way there for it. */
export const mishapsAtHub = {
  LOST_REPORTED: { ...lostAtHub, actions: [unbook, lostAtHub.actions] },
  STOLEN_REPORTED: { ...stolenAtHub, actions: unbook },
  DAMAGED: { ...damagedAtHub, actions: [unbook, ...damagedAtHub.actions] },
} as const;

/** What a courier may say when a try comes to nothing. */
export const failures = {
  NO_SHOW: { description: 'D-22', guard: 'isCourier', ...failed('no_show') },
  REFUSED: { description: 'D-21', guard: 'isCourier', ...failed('refused') },
  ATTEMPT_FAILED: [
    {
      description: 'D-38',
      guard: 'isDamage',
      target: `${T}.returning`,
      actions: [...tell('DeliveryDamaged'), goBack('damaged')],
    },
    {
      description: 'D-23, D-24',
      guard: 'isCourier',
      target: `${T}.attemptFailed`,
      actions: [tellRun('SEEN'), 'noteFailure'],
    },
  ],
} as const;

/** Half an hour without a sign of life: the desk is told by the run, the recipient by us. */
export const unseen = {
  COURIER_OFFLINE: { description: 'D-41', guard: 'isCourier', actions: notice('courier_delayed') },
} as const;

/** Whoever guards the card hears of a theft besides the order: which of the two is first does not matter (4.6). */
export const guardCard = delivering.enqueueActions(({ context, enqueue }) => {
  const { cardId } = context;
  if (cardId !== undefined)
    enqueue({ type: 'tellGuard', params: { cardId, publication: publication(context, 'DeliveryStolen') } });
});
