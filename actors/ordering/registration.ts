// How the ordering context hosts its charts: order, applicant and batch, with a handler for every name they use.

import { type Hosted, type MessageRegistration, message, note, type Send } from '../../runtime/hosting.ts';
import { actorId } from '../../runtime/ids.ts';
import type { Event, JsonObject } from '../../runtime/json.ts';
import { applicant } from '../../state-machines/ordering/applicant.ts';
import { batch } from '../../state-machines/ordering/batch.ts';
import type { OrderInput } from '../../state-machines/ordering/context.ts';
import type { OrderEvent } from '../../state-machines/ordering/events.ts';
import { order } from '../../state-machines/ordering/order.ts';
import type { DeliveryOrder } from '../../state-machines/ordering/order-setup.ts';
import {
  type ApplicantMessage,
  applicantIdOf,
  BATCH_LINE,
  type BatchMessage,
  type OrderInput as ContractInput,
  DELIVERY,
  type DeliveryCommand,
  type DeliveryInput,
  deliveryIdOf,
  ORDERING,
  type OrderMessage,
} from '../contract/index.ts';
import type { Partners } from '../partners/ports.ts';
import { announceOrder, answerOrder } from './face.ts';
import { orderingHandlers } from './handlers.ts';
import type { PrivacyDoors } from './privacy.ts';
import { privacyChart, retentionChart } from './privacy-charts.ts';

const VERSION = '1';
const ATTEMPTS_MAX = 3; // Attempts of a courier before the envelope goes back. Source: the product's terms.

/** The charts over the partners' ports; without ports, for those who step and replay and reach nobody. */
export function orderingCharts(partners?: Partners, doors?: PrivacyDoors): readonly Hosted[] {
  const { invokes, notify } = orderingHandlers(partners, doors);
  return [
    {
      machine: order,
      name: 'order',
      version: VERSION,
      stamp: true,
      invokes,
      actions: { notify, askApplicant, joinBatch, leaveBatch, commandDelivery, openTask: note },
      announce: announceOrder,
      answer: answerOrder,
    },
    { machine: applicant, name: 'applicant', version: VERSION, stamp: true, actions: { answer: answerOrderOf } },
    { machine: batch, name: 'batch', version: VERSION, stamp: true, actions: { tellMembers } },
    privacyChart({ ...invokes, notify }),
    retentionChart(invokes),
  ];
}

// --- Messages. Builders are pure; params come from the charts' typed actions ---

const built = <Params>(build: (params: Params) => Send | readonly Send[] | undefined): MessageRegistration =>
  message((params) => build(params as unknown as Params)); // The chart's action is typed with these very params.

const to = (actor: string, event: OrderMessage | ApplicantMessage | BatchMessage, create?: Send['create']): Send => ({
  namespace: ORDERING,
  actor: actorId(actor),
  event: event as unknown as Event, // A contract message is an event of JSON fields.
  ...(create === undefined ? {} : { create }),
});

interface Ask {
  readonly userId: string;
  readonly orderId: string;
  readonly productCode: string;
  readonly ask: 'RESERVE' | 'RELEASE_KEY' | 'nothing';
}
const askApplicant = built<Ask>(({ userId, orderId, productCode, ask }) => {
  if (ask === 'nothing') return undefined;
  const create = ask === 'RESERVE' ? { machine: 'applicant', input: { userId } } : undefined;
  return to(applicantIdOf(userId), { type: ask, orderId, productCode }, create);
});

const joinBatch = built<{ orderId: string }>(({ orderId }) =>
  to(BATCH_LINE, { type: 'JOIN', orderId }, { machine: 'batch', input: { line: BATCH_LINE } }),
);
const leaveBatch = built<{ orderId: string }>(({ orderId }) => to(BATCH_LINE, { type: 'LEAVE', orderId }));

const answerOrderOf = built<{ orderId: string; granted: boolean; existing?: string }>(
  ({ orderId, granted, existing }) =>
    to(orderId, granted ? { type: 'KEY_GRANTED' } : { type: 'KEY_REFUSED', existing: existing ?? orderId }),
);

const tellMembers = built<{ batchId: string; members: readonly string[] }>(({ batchId, members }) =>
  members.map((member) => to(member, { type: 'BATCH_CLOSED', batchId })),
);

const commandDelivery = built<{ orderId: string; seq: number; command: DeliveryOrder }>(({ orderId, seq, command }) => {
  const deliveryId = deliveryIdOf(orderId, seq);
  const send = (event: DeliveryCommand, input?: DeliveryInput): Send => ({
    namespace: DELIVERY,
    actor: actorId(deliveryId),
    event: event as unknown as Event, // A contract message is an event of JSON fields.
    ...(input === undefined ? {} : { create: { machine: 'delivery', input: input as unknown as JsonObject } }),
  });
  if (command.type !== 'delivery.create') return send(command);
  return send({ type: command.type }, { deliveryId, orderId, seq, attemptsMax: ATTEMPTS_MAX, ...command.input });
});

/** Without doors: for those who step and replay the charts. Built last, since it uses all of the above. */
export const charts = orderingCharts();

// --- The charts' own types and the contract's are one: these lines do not compile when they drift apart ---

type Takes<Wide, Narrow extends Wide> = Narrow;
export type ContractFitsChart = [Takes<OrderEvent, OrderMessage>, Takes<OrderInput, ContractInput>];
