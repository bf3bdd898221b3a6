// How the delivery context hosts its charts, delivery and task, with a handler for every name it uses.

import { type Announcement, type Hosted, message, type StateView } from '../../runtime/hosting.ts';
import { actorId } from '../../runtime/ids.ts';
import type { Event, Json } from '../../runtime/json.ts';
import type { DeliveryContext, DeliveryInput } from '../../state-machines/delivery/context.ts';
import { delivery } from '../../state-machines/delivery/delivery.ts';
import { OTP_TRIES_MAX, type Publication } from '../../state-machines/delivery/delivery-setup.ts';
import type { DeliveryEvent } from '../../state-machines/delivery/events.ts';
import { type DeliveryInput as ContractInput, DELIVERY, type DeliveryMessage, ORDERING } from '../contract/index.ts';
import { taskActions, taskChart } from '../tasks.ts';
import { type DeliveryDoors, deliveryHandlers } from './handlers.ts';

const VERSION = '1';

/** The chart over its doors; without them, for those who step and replay and reach nobody. */
export function deliveryCharts(doors?: DeliveryDoors): readonly Hosted[] {
  const { actions, invokes } = deliveryHandlers(doors);
  return [
    {
      machine: delivery,
      name: 'delivery',
      version: VERSION,
      stamp: true,
      invokes,
      actions: { ...actions, tellOrdering, ...taskActions(DELIVERY) },
      announce,
      answer,
    },
    taskChart,
  ];
}

const tellOrdering = message((params) => {
  const event = params as unknown as Publication; // The chart's action is typed with it.
  return { namespace: ORDERING, actor: actorId(event.orderId), event: event as unknown as Event };
});

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
