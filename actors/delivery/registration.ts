// How the delivery context hosts its charts: delivery, slot, run and task, with a handler for every name they use.

import {
  type Announcement,
  type Hosted,
  type MessageRegistration,
  message,
  type Send,
  type StateView,
} from '../../runtime/hosting.ts';
import { actorId } from '../../runtime/ids.ts';
import type { Event, Json } from '../../runtime/json.ts';
import type { DeliveryContext, DeliveryInput } from '../../state-machines/delivery/context.ts';
import { delivery } from '../../state-machines/delivery/delivery.ts';
import { OTP_TRIES_MAX, type Publication } from '../../state-machines/delivery/delivery-setup.ts';
import type { DeliveryEvent } from '../../state-machines/delivery/events.ts';
import { type RunAnswer, run } from '../../state-machines/delivery/run.ts';
import { type SlotAnswer, slot } from '../../state-machines/delivery/slot.ts';
import {
  type DeliveryInput as ContractInput,
  DELIVERY,
  type DeliveryMessage,
  guardIdOf,
  ORDERING,
  type RunMessage,
  type SlotMessage,
} from '../contract/index.ts';
import { taskActions, taskChart } from '../tasks.ts';
import { type DeliveryDoors, deliveryHandlers } from './handlers.ts';

const VERSION = '1';

/** The charts over their doors; without them, for those who step and replay and reach nobody. */
export function deliveryCharts(doors?: DeliveryDoors): readonly Hosted[] {
  const { actions, invokes } = deliveryHandlers(doors);
  const { 'slot.terms': terms, ...ofDelivery } = invokes;
  const tasks = taskActions(DELIVERY);
  return [
    {
      machine: delivery,
      name: 'delivery',
      version: VERSION,
      stamp: true,
      invokes: ofDelivery,
      actions: { ...actions, ...tasks, tellOrdering, tellGuard, tellSlot, askRun, tellRun },
      announce,
      answer,
    },
    {
      machine: slot,
      name: 'slot',
      version: '1',
      stamp: true,
      invokes: terms === undefined ? {} : { 'slot.terms': terms },
      actions: { answerDelivery: answerOfSlot },
    },
    {
      machine: run,
      name: 'run',
      version: '1',
      stamp: true,
      actions: { ...tasks, answerDelivery: answerOfRun, tellStops },
    },
    taskChart,
  ];
}

// --- Messages. Builders are pure; params come from the charts' typed actions ---

const built = <Params>(build: (params: Params) => Send | readonly Send[] | undefined): MessageRegistration =>
  message((params) => build(params as unknown as Params)); // The chart's action is typed with these very params.

const to = (actor: string, event: DeliveryMessage | SlotMessage | RunMessage, create?: Send['create']): Send => ({
  namespace: DELIVERY,
  actor: actorId(actor),
  event: event as unknown as Event, // A contract message is an event of JSON fields.
  ...(create === undefined ? {} : { create }),
});

const published = (actor: string, event: Publication, create?: Send['create']): Send => ({
  namespace: ORDERING,
  actor: actorId(actor),
  event: event as unknown as Event, // As above.
  ...(create === undefined ? {} : { create }),
});

const tellOrdering = built<Publication>((event) => published(event.orderId, event));

const tellGuard = built<{ cardId: string; publication: Publication }>(({ cardId, publication }) => {
  const { orderId } = publication;
  return published(guardIdOf(orderId), publication, { machine: 'cardGuard', input: { orderId, cardId } });
});

const tellSlot = built<{ slotId: string; ask: 'TAKE' | 'FREE'; deliveryId: string; turn: number }>(
  ({ slotId, ask, deliveryId, turn }) =>
    to(
      slotId,
      { type: ask, deliveryId, turn },
      ask === 'TAKE' ? { machine: 'slot', input: { slotId } } : undefined, // Nobody gives back what nobody took.
    ),
);

interface Boarding {
  readonly runId: string;
  readonly courierId: string;
  readonly capacity: number;
  readonly until: number;
  readonly deliveryId: string;
  readonly turn: number;
}
const askRun = built<Boarding>(({ deliveryId, turn, ...input }) =>
  to(input.runId, { type: 'BOARD', deliveryId, turn }, { machine: 'run', input }),
);
const tellRun = built<{ runId: string; ask: 'HELD' | 'SEEN' | 'LEAVE'; deliveryId: string }>(
  ({ runId, ask, deliveryId }) => to(runId, { type: ask, deliveryId }),
);

const answerOfSlot = built<SlotAnswer>(({ type, deliveryId, turn, slotId, from, to: until }) =>
  to(deliveryId, type === 'SLOT_TAKEN' ? { type, slotId, turn, from, to: until } : { type, slotId, turn }),
);
const answerOfRun = built<RunAnswer>(({ deliveryId, ...event }) => to(deliveryId, event));
const tellStops = built<{ courierId: string; stops: readonly string[] }>(({ courierId, stops }) =>
  stops.map((stop) => to(stop, { type: 'COURIER_OFFLINE', courierId })),
);

/** What couriers and dispatchers watch: where it is, with whom, and in which attempt. */
function announce(before: StateView | undefined, after: StateView, event: Event): Announcement | undefined {
  const shown = faceOf(after);
  if (before !== undefined && JSON.stringify(faceOf(before)) === JSON.stringify(shown)) return undefined;
  const at = typeof event.at === 'number' ? { changedAt: event.at } : {};
  return { type: `delivery.${leavesOf(after.value, 'transport')[0] ?? 'created'}`, data: { ...shown, ...at } };
}

function answer(after: StateView, event: Event): Json {
  const { attempt, otpTries } = contextOf(after);
  return {
    states: leavesOf(after.value),
    attempt,
    ...(event.type === 'OTP_CHECKED' ? { triesLeft: Math.max(0, OTP_TRIES_MAX - otpTries) } : {}),
  };
}

function faceOf(view: StateView) {
  const { orderId, attempt, courierId, slot } = contextOf(view);
  return { orderId, states: leavesOf(view.value), attempt, courierId, slot: slot === null ? null : { ...slot } };
}

const contextOf = ({ context }: StateView): DeliveryContext => context as unknown as DeliveryContext; // Written by the chart alone.

/** Active leaf states as dotted paths, sorted; of one region when it is named, without its name. */
function leavesOf(value: Json, region?: string): string[] {
  const from = region === undefined ? value : ((value as { readonly [name: string]: Json })[region] ?? '');
  return paths(from, '').sort();
}

function paths(value: Json, above: string): string[] {
  if (typeof value === 'string') return [above === '' ? value : `${above}.${value}`];
  return Object.entries(value as { readonly [name: string]: Json }).flatMap(([name, inner]) =>
    paths(inner, above === '' ? name : `${above}.${name}`),
  );
}

/** Without doors: for those who step and replay the charts. Built last, since it uses all of the above. */
export const charts = deliveryCharts();

// --- The chart's own types and the contract's are one: these lines do not compile when they drift apart ---

type Takes<Wide, Narrow extends Wide> = Narrow;
export type ContractFitsChart = [Takes<DeliveryEvent, DeliveryMessage>, Takes<DeliveryInput, ContractInput>];
